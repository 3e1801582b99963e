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
#include "loader/socket.h"
#include "loader/sys.h"

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
    int fd = p2e_sys_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);

    *address = (struct sockaddr_in){AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    if (fd >= 0 && !p2e_sys_bind(fd, address, length) &&
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
           !p2e_sys_setsockopt(judge->receiver, SOL_SOCKET, SO_ATTACH_BPF, &program,
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
#define WALKS 16 // until others leave the queue alone for as long as one walk takes

enum end { END_OF_QUEUE, END_MOVED, END_UNKNOWN };

struct walk {
    int fd;
    bool is_seq;
    size_t bytes;         // seen
    size_t seen, unclean; // messages; those up to the last one that has to go
    char *buffer;         // of P2E_MAX_MESSAGE
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
    p2e_sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset));
}

static ssize_t peek(const struct walk *walk)
{
    return recv(walk->fd, walk->buffer, P2E_MAX_MESSAGE, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
}

// The kernel moves the offset on with what is peeked at, and back with what is taken from the head:
// it is where we have come to as long as nobody takes anything meanwhile.
static bool was_moved(const struct walk *walk)
{
    return p2e_endpoint_option(walk->fd, SOL_SOCKET, SO_PEEK_OFF) != (int)walk->bytes;
}

static size_t copied(ssize_t size)
{
    return size < P2E_MAX_MESSAGE ? (size_t)size : P2E_MAX_MESSAGE;
}

// What of a message that is too long was not copied is not passed over either.
static bool pass_over_rest(struct walk *walk, ssize_t size)
{
    while (size > P2E_MAX_MESSAGE) {
        size = peek(walk);
        if (size < 0)
            return false;
        walk->bytes += copied(size);
        if (was_moved(walk))
            return false;
    }
    return true;
}

static enum end walk_queue(struct walk *walk, const struct judge *judge)
{
    for (;;) {
        ssize_t size = peek(walk);

        if (at_end(walk, size))
            return size == 0 || errno == EAGAIN ? END_OF_QUEUE : END_UNKNOWN;
        walk->bytes += copied(size);
        if (was_moved(walk) || !pass_over_rest(walk, size))
            return END_MOVED;
        walk->seen++;
        if (size > P2E_MAX_MESSAGE || !passes(judge, walk->buffer, (size_t)size))
            walk->unclean = walk->seen;
    }
}

static size_t walk_until_still(int fd, const struct judge *judge, bool is_seq, char *buffer)
{
    for (int i = 0; i < WALKS; i++) {
        struct walk walk = {.fd = fd, .is_seq = is_seq, .buffer = buffer};
        enum end end;

        set_peek_offset(fd, 0);
        end = walk_queue(&walk, judge);
        if (end == END_OF_QUEUE)
            return walk.unclean;
        if (end == END_UNKNOWN)
            break;
    }
    return P2E_QUEUE_ALL;
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
    size_t unclean;

    if (is_empty(fd))
        return 0;
    buffer = malloc(P2E_MAX_MESSAGE);
    if (!buffer || !judge_open(&judge, program))
        return P2E_QUEUE_ALL;
    unclean = walk_until_still(fd, &judge, transport == P2E_UNIXSEQ, buffer);
    set_peek_offset(fd, before);
    return unclean;
}

// Nothing of no size, from a connection that ended, is more likely the end than a message.
static bool is_message(int fd, ssize_t size)
{
    return size > 0 || (size == 0 && !peer_is_gone(fd));
}

size_t p2e_queue_discard(int fd, size_t count)
{
    size_t taken = 0;

    for (; count; count--) {
        ssize_t received = recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);

        // An error that the socket holds (ECONNREFUSED) comes instead of a message, once.
        if (received < 0 && errno == EAGAIN)
            break;
        taken += is_message(fd, received);
    }
    return taken;
}

// A server may take messages while we walk, and what stands behind the last bad one comes nearer
// then: more than had to may go, never less.
size_t p2e_queue_clean(int fd, const struct p2e_attachment *attachment,
                       enum p2e_transport transport)
{
    size_t unclean = P2E_QUEUE_ALL;

    if (!attachment->had_gro)
        unclean = p2e_queue_unclean(fd, attachment->program, transport);
    return p2e_queue_discard(fd, unclean);
}
