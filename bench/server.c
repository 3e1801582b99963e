// A datagram server: server ADDRESS KIND FORM BOARD [default-buffer]. It unpacks what it accepts.
//
// Forms: `recv` and `recvmmsg` validate for themselves; `trusting` takes what arrives (a filter
// stands in front); `byte` does too, and puts the cheapest filter there could be in front of
// itself.
#include <errno.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/judge.h"
#include "bench/wire.h"

#define AT_ONCE 32

struct service {
    int fd;
    struct board *board;
    judge_function *accepts;
    size_t room; // of a message
    uint8_t *data;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void take(struct service *s, const uint8_t *message, size_t size)
{
    s->board->accepted += s->accepts(message, size);
    s->board->received++;
}

// An error that is none: stopped, or nothing there for a while.
static int check_error(void)
{
    if (errno == EINTR || errno == EAGAIN)
        return 0;
    perror("server: receive");
    return -1;
}

static int serve_single(struct service *s)
{
    while (!stopped) {
        ssize_t size = recv(s->fd, s->data, s->room, 0);
        if (size >= 0)
            take(s, s->data, (size_t)size);
        else if (check_error() < 0)
            return -1;
    }
    return 0;
}

static int serve_many(struct service *s)
{
    struct mmsghdr messages[AT_ONCE] = {0};
    struct iovec parts[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) {
        parts[i] = (struct iovec){s->data + (size_t)i * s->room, s->room};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    while (!stopped) {
        int count = recvmmsg(s->fd, messages, AT_ONCE, MSG_WAITFORONE, NULL);
        if (count < 0 && check_error() < 0)
            return -1;
        for (int i = 0; i < count; i++)
            take(s, parts[i].iov_base, messages[i].msg_len);
    }
    return 0;
}

// ---- Start --------------------------------------------------------------------------------------
static int open_socket(const char *text, bool byte_filter, bool default_buffer)
{
    struct sockaddr_storage address;
    socklen_t address_size;
    // A signal that comes just before recv() is noticed after this time.
    struct timeval timeout = {.tv_usec = 20000};
    int size = RECEIVE_BUFFER, fd = socket_for(text, &address, &address_size);
    if (!default_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    uint32_t offset = address.ss_family == AF_INET ? sizeof(struct udphdr) : 0;
    if ((byte_filter && attach_byte_filter(fd, offset) < 0) ||
        bind(fd, (struct sockaddr *)&address, address_size) < 0)
        exit((perror("server: cannot open the socket"), 1));
    return fd;
}

// By kind: where a message has to fit. Sizes that do not fall onto each other in the cache.
static const struct {
    const char *name;
    size_t room;
} kinds[KIND_COUNT] = {{"search", 320}, {"telemetry", 576}, {"batch", 2112}, {"blob", 17472}};

static int run(struct service *s, bool many)
{
    printf("ready pid=%d\n", getpid());
    fflush(stdout);
    double begin = process_cpu_us();
    if ((many ? serve_many(s) : serve_single(s)) < 0)
        return 1;
    printf("received=%llu accepted=%llu cpu_us=%.0f\n", (unsigned long long)s->board->received,
           (unsigned long long)s->board->accepted, process_cpu_us() - begin);
    return 0;
}

int main(int argc, char **argv)
{
    size_t kind = 0;
    while (argc > 4 && kind < KIND_COUNT && strcmp(argv[2], kinds[kind].name))
        kind++;
    if (argc < 5 || kind == KIND_COUNT)
        return 2;
    bool many = !strcmp(argv[3], "recvmmsg"), byte = !strcmp(argv[3], "byte");
    bool trusting = byte || !strcmp(argv[3], "trusting");
    struct service service = {
        .board = board_open(argv[4]),
        .accepts = (trusting ? &unpack_judge : &protobuf_c_judge)->of_kind[kind],
        .room = kinds[kind].room,
        .data = calloc(AT_ONCE, kinds[kind].room),
    };
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    service.fd = open_socket(argv[1], byte, argc > 5);
    return service.data ? run(&service, many) : 1;
}
