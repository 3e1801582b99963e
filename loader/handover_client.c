// The shim's side. socket() is a hook of the shim's, which may be what called this: the kernel is
// asked directly.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "loader/handover.h"
#include "loader/published.h"
#include "loader/sys.h"

#define PATIENCE     1000  // milliseconds for all of an exchange
#define PAUSE        10    // before a full queue, or one who sent us away, is tried again
#define LEAST        100   // milliseconds: with less it is not begun again
#define OVERFLOW_UID 65534 // what a user namespace shows for users that it does not know

// ---- Time ---------------------------------------------------------------------------------------
static int time_left(int64_t deadline)
{
    int64_t left = deadline - p2e_clock_ms();

    return left > 0 ? (int)left : 0;
}

// ---- The connection -----------------------------------------------------------------------------
// 1: connected; 0: there is no such socket; -1 and errno. A full queue is no reason to give up yet.
static int connect_until(int fd, const struct sockaddr_un *address, int64_t deadline)
{
    while (connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
        if (errno == ENOENT)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -1;
        if (!time_left(deadline)) {
            errno = ETIMEDOUT;
            return -1;
        }
        poll(NULL, 0, PAUSE);
    }
    return 1;
}

// Root, or who could have written the configuration itself. Our own number is not surely our own
// where it is also what all unknown users look like.
static bool is_trusted(uid_t uid)
{
    return uid == 0 || (uid == geteuid() && uid != OVERFLOW_UID);
}

static int check_peer(int fd, const char *path, struct p2e_error *err)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
        return p2e_error_set(err, "cannot tell whose the agent at %s is: %m", path);
    if (!is_trusted(peer.uid))
        return p2e_error_set(err, "the agent at %s is of user %u, not of root: not trusted", path,
                             peer.uid);
    return 0;
}

// 1: *fd is connected to an agent that is trusted; 0: there is none; -1.
static int reach(const char *path, int64_t deadline, int *fd, struct p2e_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int reached;

    if (strlen(path) >= sizeof(address.sun_path))
        return p2e_error_set(err, "the agent's socket %s has a path of more than %zu bytes", path,
                             sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, path);
    *fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return p2e_error_set(err, "cannot make a socket to the agent: %m");
    reached = connect_until(*fd, &address, deadline);
    if (reached < 0)
        return p2e_error_set(err, "no agent answers at %s (%m); start it: p2e agent", path);
    return reached && check_peer(*fd, path, err) ? -1 : reached;
}

// ---- What comes back ----------------------------------------------------------------------------
// The descriptors in a message; all but a single one are closed and refused.
static int take_descriptor(struct msghdr *message)
{
    int taken = -1;
    bool is_one = !(message->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            is_one = is_one && taken < 0;
            p2e_cleanup_fd(&taken);
            memcpy(&taken, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        }
    }
    if (!is_one) {
        p2e_cleanup_fd(&taken);
        taken = -1;
    }
    return taken;
}

// *given is what came with it, -1 for nothing.
static ssize_t receive(int fd, struct p2e_handover_reply *reply, int *given)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {reply, sizeof(*reply)};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);

    *given = size < 0 ? -1 : take_descriptor(&message);
    return size;
}

static ssize_t receive_until(int fd, int64_t deadline, struct p2e_handover_reply *reply, int *given)
{
    for (;;) {
        ssize_t size = receive(fd, reply, given);
        struct pollfd wait = {fd, POLLIN, 0};

        if (size >= 0 || (errno != EAGAIN && errno != EINTR))
            return size;
        if (!time_left(deadline)) {
            errno = ETIMEDOUT;
            return -1;
        }
        poll(&wait, 1, time_left(deadline));
    }
}

// 1: given; 0: there is nothing; -1.
static int judge_reply(const struct p2e_handover_reply *reply, ssize_t size, int given,
                       const char *path, struct p2e_error *err)
{
    if (size < 0)
        return p2e_error_set(err, "the agent at %s does not answer (%m); start it anew", path);
    if (size < (ssize_t)(2 * sizeof(uint32_t)) || reply->magic != P2E_HANDOVER_MAGIC)
        return p2e_error_set(err, "what answers at %s is not p2e's agent", path);
    if (reply->abi != P2E_ABI)
        return p2e_error_set(err,
                             "the agent at %s is of ABI %u, this p2e is of ABI %u; use one version "
                             "of p2e for both",
                             path, reply->abi, P2E_ABI);
    if (size != sizeof(*reply) || reply->text[sizeof(reply->text) - 1])
        return p2e_error_set(err, "the agent at %s gives an answer that makes no sense", path);
    if (reply->status == P2E_HANDOVER_NONE)
        return 0;
    if (reply->status != P2E_HANDOVER_GIVEN)
        return p2e_error_set(err, "the agent at %s refuses: %s", path, reply->text);
    if (given < 0)
        return p2e_error_set(err, "the agent at %s hands no descriptor over", path);
    return 1;
}

static ssize_t converse(int fd, const struct p2e_handover_request *request, int64_t deadline,
                        struct p2e_handover_reply *reply, int *given)
{
    *given = -1;
    if (send(fd, request, sizeof(*request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return -1;
    return receive_until(fd, deadline, reply, given);
}

// Where many connect at once, the agent closes connections unheard.
static bool is_sent_away(ssize_t size)
{
    return size == 0 || (size < 0 && (errno == EPIPE || errno == ECONNRESET));
}

// One request, one reply. 1: *given is ours; 0: there is no agent, or it has nothing; -1.
static int try(const char *path, const struct p2e_handover_request *request, int64_t deadline,
               int *given, bool *sent_away, struct p2e_error *err)
{
    struct p2e_handover_reply reply;
    _cleanup_fd_ int came = -1;
    _cleanup_fd_ int fd = -1;
    ssize_t size;
    int reached = reach(path, deadline, &fd, err);

    *sent_away = false;
    if (reached <= 0)
        return reached;
    size = converse(fd, request, deadline, &reply, &came);
    *sent_away = is_sent_away(size);
    reached = judge_reply(&reply, size, came, path, err);
    if (reached > 0)
        *given = TAKE_FD(came);
    return reached;
}

static int exchange(const char *path, const struct p2e_handover_request *request, int *given,
                    struct p2e_error *err)
{
    int64_t deadline = p2e_clock_ms() + PATIENCE;
    bool sent_away;
    int result = try(path, request, deadline, given, &sent_away, err);

    while (sent_away && time_left(deadline) > LEAST) {
        poll(NULL, 0, PAUSE);
        result = try(path, request, deadline, given, &sent_away, err);
    }
    return result;
}

static struct p2e_handover_request new_request(enum p2e_handover_kind kind)
{
    return (struct p2e_handover_request){.magic = P2E_HANDOVER_MAGIC, .abi = P2E_ABI, .kind = kind};
}

// ---- The table ----------------------------------------------------------------------------------
// A memfd, which its seals tell: reading it cannot take long, as a pipe or a remote file could.
static int read_table(int fd, const char *path, struct p2e_buffer *out, struct p2e_error *err)
{
    _cleanup_free_ char *bytes = NULL;
    struct stat st;
    ssize_t size;

    if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) || st.st_size > P2E_PUBLISHED_MAX)
        return p2e_error_set(err, "what the agent at %s hands over is not a published table", path);
    bytes = malloc((size_t)st.st_size + 1);
    size = bytes ? pread(fd, bytes, (size_t)st.st_size, 0) : -1;
    if (size != st.st_size)
        return p2e_error_set(err, "cannot read the table of the agent at %s: %m", path);
    p2e_buffer_add(out, bytes, (size_t)size);
    return out->failed ? p2e_error_set(err, "out of memory") : 0;
}

int p2e_handover_table(const char *path, struct p2e_config *config, struct p2e_error *err)
{
    const struct p2e_handover_request request = new_request(P2E_HANDOVER_TABLE);
    _cleanup_(p2e_buffer_free) struct p2e_buffer table = {0};
    _cleanup_fd_ int fd = -1;
    int given;

    *config = (struct p2e_config){0};
    given = exchange(path, &request, &fd, err);
    if (given <= 0)
        return given;
    if (read_table(fd, path, &table, err) ||
        p2e_published_parse(table.data, table.size, path, config, err))
        return -1;
    return 1;
}

// ---- Programs -----------------------------------------------------------------------------------
// Some seccomp filters end a process for bpf(2), so one is taken for a no.
static bool may_call_bpf(void)
{
    return prctl(PR_GET_SECCOMP) == 0;
}

// What /proc says of a descriptor, without bpf(2): of its program everything but the name.
static int read_fdinfo(int program, uint32_t *type, uint32_t *id)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    const char *type_line, *id_line;
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", program);
    if (p2e_file_read(path, 4096, &text, NULL))
        return -1;
    type_line = strstr(text.data, "\nprog_type:");
    id_line = strstr(text.data, "\nprog_id:");
    if (type_line && id_line && sscanf(type_line, "\nprog_type: %u", type) == 1 &&
        sscanf(id_line, "\nprog_id: %u", id) == 1)
        return 0;
    errno = EINVAL;
    return -1;
}

int p2e_handover_program_id(int program, uint32_t *id)
{
    struct bpf_prog_info info;
    uint32_t type;

    if (may_call_bpf() && !p2e_bpf_program_info(program, &info)) {
        *id = info.id;
        type = strcmp(info.name, P2E_PROGRAM_ENTRY) ? BPF_PROG_TYPE_UNSPEC : info.type;
    } else if (read_fdinfo(program, &type, id)) {
        return -1;
    }
    if (type == BPF_PROG_TYPE_SOCKET_FILTER)
        return 0;
    errno = EINVAL;
    return -1;
}

int p2e_handover_program(const char *path, const struct p2e_filter *filter, int *program,
                         struct p2e_error *err)
{
    struct p2e_handover_request request = new_request(P2E_HANDOVER_PROGRAM);
    _cleanup_fd_ int fd = -1;
    uint32_t id;
    int given;

    *program = -1;
    request.transport = filter->transport;
    request.mode = filter->mode;
    snprintf(request.name, sizeof(request.name), "%s", filter->name);
    given = exchange(path, &request, &fd, err);
    if (given < 0)
        return -1;
    if (!given)
        return p2e_error_set(err, "no agent answers at %s any more; start it: p2e agent", path);
    if (p2e_handover_program_id(fd, &id))
        return p2e_error_set(err, "what the agent at %s hands over is not a program of p2e's",
                             path);
    *program = TAKE_FD(fd);
    return 0;
}
