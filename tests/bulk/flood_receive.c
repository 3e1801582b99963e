// The server of the flood: binds when told to, and checks each message that it gets.
//
//     flood_receive ADDRESS ARRIVED
//
// Waits for a line on standard input before it makes its socket, so that the flood is there first.
// SIGTERM ends it once its queue is empty. ARRIVED then holds the sequence number of each message,
// in order of arrival, as 64-bit integers. Knows nothing of filters.
#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/bulk/flood.h"

#define BATCH          64
#define MAX_DATAGRAM   65536
#define RECEIVE_BUFFER (256 << 20)
#define MAX_ARRIVED    (16u << 20)

struct server {
    int fd, signals;
    struct mmsghdr batch[BATCH];
    struct iovec parts[BATCH];
    uint8_t data[BATCH][MAX_DATAGRAM];
    uint64_t *arrived;
    size_t received, undecodable, violations;
};

static void check(struct server *server, const uint8_t *data, size_t size)
{
    Bulk__Event *event = bulk__event__unpack(NULL, size, data);

    if (!event)
        server->undecodable++;
    else if (p2e_flood_judge(event) != P2E_FLOOD_PASS)
        server->violations++;
    if (server->received < MAX_ARRIVED)
        server->arrived[server->received] = event ? event->sequence : 0;
    server->received++;
    bulk__event__free_unpacked(event, NULL);
}

// Everything that waits. 0 when the queue is empty.
static int drain(struct server *server)
{
    int count;

    while ((count = recvmmsg(server->fd, server->batch, BATCH, MSG_DONTWAIT, NULL)) > 0)
        for (int i = 0; i < count; i++)
            check(server, server->data[i], server->batch[i].msg_len);
    return errno == EAGAIN ? 0 : -1;
}

static int serve(struct server *server)
{
    struct pollfd polls[] = {{server->fd, POLLIN, 0}, {server->signals, POLLIN, 0}};

    while (!polls[1].revents) {
        if (poll(polls, 2, -1) < 0 || drain(server) < 0)
            return -1;
    }
    return 0;
}

static int report(const struct server *server, const char *path)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(memory);
    FILE *file = fopen(path, "we");

    if (!file || server->received > MAX_ARRIVED)
        return -1;
    getsockopt(server->fd, SOL_SOCKET, SO_MEMINFO, memory, &size);
    printf("received=%zu undecodable=%zu violations=%zu drops=%u\n", server->received,
           server->undecodable, server->violations, memory[SK_MEMINFO_DROPS]);
    fwrite(server->arrived, sizeof(uint64_t), server->received, file);
    return fclose(file);
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_socket(const char *text)
{
    union p2e_flood_address address = p2e_flood_address(text);
    int size = RECEIVE_BUFFER, fd = socket(address.any.sa_family, SOCK_DGRAM, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return bind(fd, &address.any, p2e_flood_address_size(&address)) < 0 ? -1 : fd;
}

static void say(const char *what)
{
    printf("%s pid=%d\n", what, getpid());
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct server server;

    if (argc != 3) {
        fputs("usage: flood_receive ADDRESS ARRIVED\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < BATCH; i++) {
        server.parts[i] = (struct iovec){server.data[i], MAX_DATAGRAM};
        server.batch[i].msg_hdr = (struct msghdr){.msg_iov = &server.parts[i], .msg_iovlen = 1};
    }
    server.arrived = malloc(MAX_ARRIVED * sizeof(uint64_t));
    server.signals = open_signals();
    say("waiting");
    getchar();
    server.fd = open_socket(argv[1]);
    if (!server.arrived || server.signals < 0 || server.fd < 0) {
        perror("flood_receive");
        return 1;
    }
    say("bound");
    if (serve(&server) < 0 || report(&server, argv[2]) < 0) {
        perror("flood_receive");
        return 1;
    }
    return 0;
}
