// Messages that were queued before the filter was attached have passed no filter. They are looked
// at where they are (MSG_PEEK with SO_PEEK_OFF walks the queue) and judged by the very program,
// attached to a pair of sockets of our own: what goes in at one end and does not come out at the
// other is dropped. From a queue only the head can be taken, so what stands before the last bad
// message goes with it.
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/abi.h"
#include "shim/shim.h"

#define PATIENCE 1000 // milliseconds for a datagram over loopback to arrive or be dropped

// ---- The judging pair ---------------------------------------------------------------------------
struct judge {
    int sender, receiver;
    bool is_udp;
};

static void judge_close(struct judge *judge)
{
    p2e_cleanup_fd(&judge->sender);
    p2e_cleanup_fd(&judge->receiver);
}

static int udp_socket(struct sockaddr_in *address)
{
    socklen_t length = sizeof(*address);
    int fd = p2e_shim()->real.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_in){AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    if (fd >= 0 && !p2e_shim()->real.bind(fd, (struct sockaddr *)address, length) &&
        !getsockname(fd, (struct sockaddr *)address, &length))
        return fd;
    p2e_cleanup_fd(&fd);
    return -1;
}

// Each end is connected to the other: nobody else's datagram can get in between.
static bool udp_pair(struct judge *judge)
{
    struct sockaddr_in sender, receiver;

    judge->sender = udp_socket(&sender);
    judge->receiver = udp_socket(&receiver);
    return judge->sender >= 0 && judge->receiver >= 0 &&
           !connect(judge->sender, (struct sockaddr *)&receiver, sizeof(receiver)) &&
           !connect(judge->receiver, (struct sockaddr *)&sender, sizeof(sender));
}

static bool unix_pair(struct judge *judge)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends))
        return false;
    judge->sender = ends[0];
    judge->receiver = ends[1];
    return true;
}

static bool judge_open(struct judge *judge, int program)
{
    return (judge->is_udp ? udp_pair(judge) : unix_pair(judge)) &&
           !p2e_shim()->real.setsockopt(judge->receiver, SOL_SOCKET, SO_ATTACH_BPF, &program,
                                        sizeof(program));
}

static uint32_t drops(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(info);

    getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length);
    return info[SK_MEMINFO_DROPS];
}

static bool arrived(int fd)
{
    return recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0;
}

// A UNIX socket has it when send returns; loopback may take its time, and counts what it drops.
static bool passes(const struct judge *judge, const void *message, size_t size)
{
    uint32_t before = drops(judge->receiver);

    if (send(judge->sender, message, size, MSG_NOSIGNAL) < 0)
        return false;
    if (!judge->is_udp)
        return arrived(judge->receiver);
    for (int waited = 0; waited < PATIENCE; waited++) {
        struct pollfd wait = {judge->receiver, POLLIN, 0};

        if (arrived(judge->receiver))
            return true;
        if (drops(judge->receiver) != before)
            return false;
        poll(&wait, 1, 1);
    }
    return false;
}

// ---- Walking the queue --------------------------------------------------------------------------
struct walk {
    int fd;
    bool is_seq;
    size_t bytes, limit; // seen; in the queue (SOCK_SEQPACKET)
};

static bool peer_is_gone(int fd)
{
    struct pollfd state = {fd, POLLRDHUP, 0};

    return poll(&state, 1, 0) == 1 && state.revents & (POLLRDHUP | POLLHUP);
}

// On SOCK_SEQPACKET 0 is an empty message or, for ever again, the end. Once the peer is gone the
// queue does not grow, and the end is where all its bytes have been seen.
static bool at_end(const struct walk *walk, ssize_t size)
{
    int queued = 0;

    if (size < 0)
        return true;
    if (size > 0 || !walk->is_seq || !peer_is_gone(walk->fd))
        return false;
    ioctl(walk->fd, FIONREAD, &queued);
    return walk->bytes >= (size_t)queued;
}

static void set_peek_offset(int fd, int offset)
{
    p2e_shim()->real.setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset));
}

static size_t walk_queue(struct walk *walk, const struct judge *judge, char *buffer)
{
    size_t unclean = 0;

    for (size_t seen = 1;; seen++) {
        ssize_t size = recv(walk->fd, buffer, P2E_MAX_MESSAGE, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);

        if (at_end(walk, size))
            return size == 0 || errno == EAGAIN ? unclean : P2E_QUEUE_ALL;
        walk->bytes += (size_t)size;
        if (size > P2E_MAX_MESSAGE)
            set_peek_offset(walk->fd,
                            (int)walk->bytes); // the rest was not copied, and not passed over
        if (size > P2E_MAX_MESSAGE || !passes(judge, buffer, (size_t)size))
            unclean = seen;
    }
}

static bool is_empty(int fd)
{
    struct pollfd state = {fd, POLLIN, 0};

    return poll(&state, 1, 0) == 0;
}

size_t p2e_queue_unclean(int fd, int program, enum p2e_transport transport)
{
    _cleanup_(judge_close) struct judge judge = {-1, -1, transport == P2E_UDP};
    _cleanup_free_ char *buffer = NULL;
    int before = p2e_endpoint_option(fd, SOL_SOCKET, SO_PEEK_OFF);
    struct walk walk = {.fd = fd, .is_seq = transport == P2E_UNIXSEQ};
    size_t unclean;

    if (is_empty(fd))
        return 0;
    buffer = malloc(P2E_MAX_MESSAGE);
    if (!buffer || !judge_open(&judge, program))
        return P2E_QUEUE_ALL;
    set_peek_offset(fd, 0);
    unclean = walk_queue(&walk, &judge, buffer);
    set_peek_offset(fd, before);
    return unclean;
}

void p2e_queue_discard(int fd, size_t count)
{
    // An error that the socket holds (ECONNREFUSED) comes instead of a message, once.
    while (count-- && (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno != EAGAIN))
        ;
}
