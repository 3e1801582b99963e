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
#include "base/crc32.h"
#include "bpf/abi.h"
#include "loader/socket.h"
#include "loader/sys.h"

#define PATIENCE 1000 // milliseconds for a datagram over loopback to arrive or be dropped

// ---- The judging pair ---------------------------------------------------------------------------
struct judge {
    int sender, receiver;
    bool is_udp;
    struct sockaddr_in address; // the sender's, of UDP
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

// Each end is connected to the other. What others sent to the receiver before it was, is in its
// queue: it tells by its sender.
static bool udp_pair(struct judge *judge)
{
    struct sockaddr_in *sender = &judge->address, receiver;

    judge->sender = udp_socket(sender);
    judge->receiver = udp_socket(&receiver);
    return judge->sender >= 0 && judge->receiver >= 0 &&
           !connect(judge->sender, (struct sockaddr *)&receiver, sizeof(receiver)) &&
           !connect(judge->receiver, (struct sockaddr *)sender, sizeof(*sender));
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

static bool is_ours(const struct judge *judge, const struct sockaddr_in *from)
{
    return !judge->is_udp || (from->sin_port == judge->address.sin_port &&
                              from->sin_addr.s_addr == judge->address.sin_addr.s_addr);
}

// Takes what others have sent before it, too.
static bool arrived(const struct judge *judge)
{
    for (;;) {
        struct sockaddr_in from = {0};
        socklen_t length = sizeof(from);

        if (recvfrom(judge->receiver, NULL, 0, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from,
                     &length) < 0)
            return false;
        if (is_ours(judge, &from))
            return true;
    }
}

// A UNIX socket has it when send returns; loopback may take its time, and counts what it drops.
// What comes too late for its own verdict must not be taken for the next one.
static bool passes(const struct judge *judge, const void *message, size_t size)
{
    uint32_t before;

    while (arrived(judge))
        ;
    before = drops(judge->receiver);
    if (send(judge->sender, message, size, MSG_NOSIGNAL) < 0)
        return false;
    if (!judge->is_udp)
        return arrived(judge);
    for (int waited = 0; waited < PATIENCE; waited++) {
        struct pollfd wait = {judge->receiver, POLLIN, 0};

        if (arrived(judge))
            return true;
        if (drops(judge->receiver) != before)
            return false;
        poll(&wait, 1, 1);
    }
    return false;
}

// ---- Walking the queue --------------------------------------------------------------------------
#define WALKS 16 // until others leave the queue alone for as long as one walk takes

// What has to go: so many bytes from the head of the queue on. Empty messages have no place among
// the bytes: those in between go along, and those right behind if the program drops such.
struct unclean {
    size_t bytes;
    bool has_empty;
};
#define ALL_OF_IT ((struct unclean){SIZE_MAX, true})

enum end { END_OF_QUEUE, END_MOVED, END_UNKNOWN };

struct walk {
    int fd;
    bool is_seq;
    char *buffer;    // of P2E_MAX_MESSAGE
    size_t bytes;    // seen
    uint32_t digest; // of them, and of where each message ends
    struct unclean unclean;
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

static size_t copied(ssize_t size)
{
    return size < P2E_MAX_MESSAGE ? (size_t)size : P2E_MAX_MESSAGE;
}

static ssize_t peek(struct walk *walk)
{
    ssize_t size =
        recv(walk->fd, walk->buffer, P2E_MAX_MESSAGE, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);

    if (size > 0) {
        uint32_t both[] = {walk->digest, (uint32_t)size, p2e_crc32(walk->buffer, copied(size))};

        walk->digest = p2e_crc32(both, sizeof(both));
        walk->bytes += copied(size);
    }
    return size;
}

// The kernel moves the offset on with what is peeked at, and back with what is taken from the head:
// it is where we have come to as long as nobody takes anything meanwhile, nor peeks.
static bool was_moved(const struct walk *walk)
{
    return p2e_endpoint_option(walk->fd, SOL_SOCKET, SO_PEEK_OFF) != (int)walk->bytes;
}

// What of a message that is too long was not copied is not passed over either.
static bool pass_over_rest(struct walk *walk, ssize_t size)
{
    while (size > P2E_MAX_MESSAGE) {
        size = peek(walk);
        if (size < 0 || was_moved(walk))
            return false;
    }
    return true;
}

static void judge_message(struct walk *walk, const struct judge *judge, ssize_t size)
{
    if (size <= P2E_MAX_MESSAGE && passes(judge, walk->buffer, (size_t)size))
        return;
    walk->unclean.bytes = walk->bytes;
    walk->unclean.has_empty |= size == 0;
}

static enum end walk_queue(struct walk *walk, const struct judge *judge)
{
    for (;;) {
        ssize_t size = peek(walk);
        bool is_end = at_end(walk, size);

        if (size < 0 && errno != EAGAIN)
            return END_UNKNOWN;
        if (was_moved(walk))
            return END_MOVED;
        if (is_end)
            return END_OF_QUEUE;
        if (!pass_over_rest(walk, size))
            return END_MOVED;
        judge_message(walk, judge, size);
    }
}

// Whoever peeks at a message and then takes another one as long leaves the offset where it was, and
// us behind a message that we have not seen. The queue does not begin with what we saw then.
static bool is_as_seen(const struct walk *walk)
{
    struct walk again = {.fd = walk->fd, .buffer = walk->buffer};

    set_peek_offset(walk->fd, 0);
    while (again.bytes < walk->bytes) {
        if (peek(&again) <= 0)
            return false;
    }
    return again.bytes == walk->bytes && again.digest == walk->digest;
}

// An empty message that was peeked at is not shown again: who walks once more does not see it.
static struct unclean walk_until_still(const struct walk *start, const struct judge *judge)
{
    for (int i = 0; i < WALKS; i++) {
        struct walk walk = *start;
        enum end end;

        if (i == 1 && !passes(judge, "", 0))
            break;
        set_peek_offset(walk.fd, 0);
        end = walk_queue(&walk, judge);
        if (end == END_OF_QUEUE && is_as_seen(&walk))
            return walk.unclean;
        if (end == END_UNKNOWN)
            break;
    }
    return ALL_OF_IT;
}

// Where no offset is set. At the end of a connection there is none, but nothing of no size.
static bool head_is_empty(int fd)
{
    return recv(fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC) == 0 && !peer_is_gone(fd);
}

// Others may have peeked at empty messages before: at the head or, with an offset, anywhere.
static struct unclean look_through(struct walk *walk, const struct judge *judge, int offset)
{
    bool is_hidden = offset >= 0 || head_is_empty(walk->fd);

    if (is_hidden && !passes(judge, "", 0)) {
        if (offset >= 0)
            return ALL_OF_IT;
        walk->unclean.has_empty = true;
    }
    return walk_until_still(walk, judge);
}

static bool is_empty(int fd)
{
    struct pollfd state = {fd, POLLIN, 0};

    return poll(&state, 1, 0) == 0;
}

static struct unclean find_unclean(int fd, int program, enum p2e_transport transport)
{
    _cleanup_(judge_close) struct judge judge = {-1, -1, transport == P2E_UDP, {0}};
    _cleanup_free_ char *buffer = NULL;
    struct walk walk = {.fd = fd, .is_seq = transport == P2E_UNIXSEQ};
    int offset = p2e_endpoint_option(fd, SOL_SOCKET, SO_PEEK_OFF);
    struct unclean unclean;

    if (is_empty(fd))
        return walk.unclean;
    walk.buffer = buffer = malloc(P2E_MAX_MESSAGE);
    if (!buffer || !judge_open(&judge, program))
        return ALL_OF_IT;
    unclean = look_through(&walk, &judge, offset);
    set_peek_offset(fd, offset);
    return unclean;
}

bool p2e_queue_is_clean(int fd, int program, enum p2e_transport transport)
{
    struct unclean unclean = find_unclean(fd, program, transport);

    return !unclean.bytes && !unclean.has_empty;
}

// ---- Taking from it -----------------------------------------------------------------------------
#define MOST_TAKEN (1 << 20) // more than a queue holds; new messages that pass may keep coming

// Nothing of no size, from a connection that ended, is more likely the end than a message.
static bool is_message(int fd, ssize_t size)
{
    return size > 0 || (size == 0 && !peer_is_gone(fd));
}

// A server may take messages meanwhile, and what stands behind the last bad one comes nearer then:
// more than had to may go, never less.
static size_t discard(int fd, const struct unclean *unclean)
{
    size_t taken = 0, bytes = 0;

    for (int i = 0; i < MOST_TAKEN; i++) {
        ssize_t received;

        if (bytes >= unclean->bytes && !(unclean->has_empty && head_is_empty(fd)))
            break;
        received = recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
        // An error that the socket holds (ECONNREFUSED) comes instead of a message, once.
        if (received < 0 && errno == EAGAIN)
            break;
        bytes += received > 0 ? (size_t)received : 0;
        taken += is_message(fd, received);
    }
    return taken;
}

size_t p2e_queue_clean(int fd, const struct p2e_attachment *attachment,
                       enum p2e_transport transport)
{
    struct unclean unclean = ALL_OF_IT;

    if (!attachment->had_gro)
        unclean = find_unclean(fd, attachment->program, transport);
    return discard(fd, &unclean);
}
