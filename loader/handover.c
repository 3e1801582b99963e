// The agent's side. One process serves all containers of a machine, so it waits for none of them: a
// connection is looked at when epoll says that its request is there, what is sent back always fits
// into the empty socket, and closing what clients passed is cut short.
#include "loader/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "bpf/abi.h"
#include "loader/published.h"
#include "loader/sys.h"

#define PATIENCE 1000 // milliseconds for a request to come
#define BACKLOG  128
#define TICK     1000                 // microseconds for what a client makes a system call wait
#define LISTENER P2E_HANDOVER_PENDING // what epoll calls it; else it is an index of pending

// ---- What clients pass --------------------------------------------------------------------------
// A message may carry descriptors (SCM_RIGHTS), which the kernel closes in this process once the
// message or its connection is gone. Closing a TCP socket waits for its peer for as long as
// SO_LINGER says, or until a signal is pending: while clients are dealt with, one comes again and
// again.
static void ignore(int signal)
{
    (void)signal;
}

static void let_ticks_in(void)
{
    struct sigaction action = {.sa_handler = ignore};
    sigset_t ticks;

    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&ticks);
    sigaddset(&ticks, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &ticks, NULL);
}

// 0: no more.
static void tick_every(suseconds_t microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

// ---- The socket's place -------------------------------------------------------------------------
static int make_address(const char *path, struct sockaddr_un *address, struct p2e_error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (*path != '/' || strlen(path) >= sizeof(address->sun_path))
        return p2e_error_set(err,
                             "the agent's socket \"%s\" is not absolute, or longer than %zu bytes; "
                             "choose another path",
                             path, sizeof(address->sun_path) - 1);
    strcpy(address->sun_path, path);
    return 0;
}

// Whoever may write the folder can put another socket there.
static int check_folder(const char *folder, struct p2e_error *err)
{
    struct stat st;

    if (lstat(folder, &st))
        return p2e_error_set(err, "cannot look into the agent's folder %s: %m", folder);
    if (!S_ISDIR(st.st_mode) || !p2e_owner_is_trusted(&st) || st.st_mode & 022)
        return p2e_error_set(err,
                             "the agent's folder %s is not one that root alone may write: not "
                             "trusted; remove it, or choose another path",
                             folder);
    return 0;
}

// chmod: the umask may have taken what clients need.
static int make_folder(const char *path, struct p2e_error *err)
{
    _cleanup_free_ char *copy = strdup(path);
    const char *folder = copy ? dirname(copy) : NULL;
    struct stat st;

    if (!folder)
        return p2e_error_set(err, "out of memory");
    if (lstat(folder, &st) && errno == ENOENT &&
        (p2e_file_make_dir(folder, err) || chmod(folder, 0755)))
        return p2e_error_set(err, "cannot make the agent's folder %s: %m", folder);
    return check_folder(folder, err);
}

static int check_dead(const struct sockaddr_un *address, struct p2e_error *err)
{
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return p2e_error_set(err, "cannot ask whether an agent listens at %s: %m",
                             address->sun_path);
    // Refused: nobody listens. Anything else, a full queue (EAGAIN) say, is a sign of life.
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED)
        return 0;
    return p2e_error_set(err, "another agent listens at %s; end it first", address->sun_path);
}

static int clear_place(const struct sockaddr_un *address, struct p2e_error *err)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : p2e_error_set(err, "cannot look for %s: %m", path);
    if (!S_ISSOCK(st.st_mode))
        return p2e_error_set(err, "%s is not a socket; remove it, or choose another path", path);
    if (check_dead(address, err))
        return -1;
    if (unlink(path))
        return p2e_error_set(err, "cannot remove the old socket %s: %m", path);
    return 0;
}

// Open to all before anybody can connect, which is when it listens.
static int listen_at(const struct sockaddr_un *address, struct p2e_error *err)
{
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
        chmod(address->sun_path, 0666) || listen(fd, BACKLOG))
        return p2e_error_set(err, "cannot listen at %s: %m", address->sun_path);
    return TAKE_FD(fd);
}

// ---- Opening ------------------------------------------------------------------------------------
static int watch(const struct p2e_handover *handover, int fd, uint32_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

    return epoll_ctl(handover->ready, EPOLL_CTL_ADD, fd, &event);
}

static int start(struct p2e_handover *handover, const struct sockaddr_un *address,
                 struct p2e_error *err)
{
    handover->listener = listen_at(address, err);
    if (handover->listener < 0)
        return -1;
    handover->ready = epoll_create1(EPOLL_CLOEXEC);
    if (handover->ready < 0 || watch(handover, handover->listener, LISTENER))
        return p2e_error_set(err, "cannot wait for connections: %m");
    return 0;
}

int p2e_handover_open(const char *path, struct p2e_handover *handover, struct p2e_error *err)
{
    struct sockaddr_un address;

    *handover = (struct p2e_handover){.listener = -1, .ready = -1};
    for (size_t i = 0; i < P2E_HANDOVER_PENDING; i++)
        handover->pending[i].fd = -1;
    if (make_address(path, &address, err) || make_folder(path, err) || clear_place(&address, err))
        return -1;
    let_ticks_in();
    if (!start(handover, &address, err))
        return 0;
    p2e_handover_close(handover);
    return -1;
}

static void end(struct p2e_handover_pending *pending)
{
    p2e_cleanup_fd(&pending->fd);
    pending->fd = -1;
}

void p2e_handover_close(struct p2e_handover *handover)
{
    tick_every(TICK);
    for (size_t i = 0; i < P2E_HANDOVER_PENDING; i++)
        end(&handover->pending[i]);
    p2e_cleanup_fd(&handover->ready);
    p2e_cleanup_fd(&handover->listener);
    tick_every(0);
    handover->ready = handover->listener = -1;
}

// ---- Answering ----------------------------------------------------------------------------------
static void send_reply(int connection, const struct p2e_handover_reply *reply, int given)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)reply, sizeof(*reply)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (given >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &given, sizeof(given));
    }
    // A client that has gone has no need of it.
    sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void reply_with(int connection, enum p2e_handover_status status, const char *text, int given)
{
    struct p2e_handover_reply reply = {
        .magic = P2E_HANDOVER_MAGIC, .abi = P2E_ABI, .status = status};

    snprintf(reply.text, sizeof(reply.text), "%s", text);
    send_reply(connection, &reply, given);
}

// A memfd that nobody can change any more: it goes to who is not trusted, and to others after it.
static int seal_table(const struct p2e_buffer *table, struct p2e_error *err)
{
    _cleanup_fd_ int fd = memfd_create(P2E_MAP_PUBLISHED, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || write(fd, table->data, table->size) != (ssize_t)table->size ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return p2e_error_set(err, "cannot hand the published table over: %m");
    return TAKE_FD(fd);
}

static void give_table(int connection, const char *pin_dir)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer table = {0};
    _cleanup_fd_ int fd = -1;
    struct p2e_error err;
    int found = p2e_published_bytes(pin_dir, &table, &err);

    if (!found) {
        reply_with(connection, P2E_HANDOVER_NONE, "", -1);
        return;
    }
    if (found > 0)
        fd = seal_table(&table, &err);
    if (fd < 0)
        reply_with(connection, P2E_HANDOVER_REFUSED, err.text, -1);
    else
        reply_with(connection, P2E_HANDOVER_GIVEN, "", fd);
}

static void give_program(int connection, struct p2e_handover_request *request, const char *pin_dir)
{
    struct p2e_filter filter = {
        .name = request->name,
        .transport = (enum p2e_transport)request->transport,
        .mode = (enum p2e_mode)request->mode,
    };
    _cleanup_fd_ int fd = -1;
    struct p2e_error err;

    if (p2e_published_program(pin_dir, &filter, &fd, &err))
        reply_with(connection, P2E_HANDOVER_REFUSED, err.text, -1);
    else
        reply_with(connection, P2E_HANDOVER_GIVEN, "", fd);
}

// The name becomes part of a path: it must not leave pin_dir.
static bool is_sound(const struct p2e_handover_request *request)
{
    if (request->kind == P2E_HANDOVER_TABLE)
        return true;
    return request->kind == P2E_HANDOVER_PROGRAM && request->transport <= P2E_UNIXSEQ &&
           request->mode <= P2E_MONITOR && memchr(request->name, '\0', sizeof(request->name)) &&
           p2e_published_name(request->name);
}

static void answer(int connection, const char *pin_dir)
{
    struct p2e_handover_request request;
    ssize_t size = recv(connection, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);

    if (size < (ssize_t)(2 * sizeof(uint32_t)) || request.magic != P2E_HANDOVER_MAGIC)
        return;
    if (request.abi != P2E_ABI)
        reply_with(connection, P2E_HANDOVER_REFUSED, "",
                   -1); // it sees this side's ABI, and says so
    else if (size != sizeof(request) || !is_sound(&request))
        reply_with(connection, P2E_HANDOVER_REFUSED, "the agent does not understand the request",
                   -1);
    else if (request.kind == P2E_HANDOVER_TABLE)
        give_table(connection, pin_dir);
    else
        give_program(connection, &request, pin_dir);
}

// ---- Connections --------------------------------------------------------------------------------
static size_t count_of(const struct p2e_handover *handover, uid_t user)
{
    size_t count = 0;

    for (size_t i = 0; i < P2E_HANDOVER_PENDING; i++)
        count += handover->pending[i].fd >= 0 && handover->pending[i].user == user;
    return count;
}

// Where there is no room, the user who has most of it gives way: nobody pushes others out.
static struct p2e_handover_pending *place_for_one(struct p2e_handover *handover)
{
    struct p2e_handover_pending *chosen = &handover->pending[0];
    size_t most = 0;

    for (size_t i = 0; i < P2E_HANDOVER_PENDING; i++) {
        struct p2e_handover_pending *pending = &handover->pending[i];
        size_t count = count_of(handover, pending->user);

        if (pending->fd < 0)
            return pending;
        if (count > most || (count == most && pending->since < chosen->since)) {
            chosen = pending;
            most = count;
        }
    }
    end(chosen);
    return chosen;
}

static void take_connection(struct p2e_handover *handover)
{
    int fd = accept4(handover->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct p2e_handover_pending *pending;
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof(peer);

    if (fd < 0)
        return;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    pending = place_for_one(handover);
    *pending = (struct p2e_handover_pending){fd, peer.uid, p2e_clock_ms()};
    if (watch(handover, fd, (uint32_t)(pending - handover->pending)))
        end(pending);
}

static void end_silent_ones(struct p2e_handover *handover)
{
    for (size_t i = 0; i < P2E_HANDOVER_PENDING; i++) {
        if (handover->pending[i].fd >= 0 && p2e_clock_ms() - handover->pending[i].since > PATIENCE)
            end(&handover->pending[i]);
    }
}

// Requests first: a new connection may take the place of one of them.
static void serve(struct p2e_handover *handover, const char *pin_dir)
{
    struct epoll_event events[P2E_HANDOVER_PENDING + 1];
    int count = epoll_wait(handover->ready, events, P2E_HANDOVER_PENDING + 1, 0);
    bool has_new = false;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == LISTENER) {
            has_new = true;
            continue;
        }
        answer(handover->pending[events[i].data.u32].fd, pin_dir);
        end(&handover->pending[events[i].data.u32]);
    }
    end_silent_ones(handover);
    if (has_new)
        take_connection(handover);
}

void p2e_handover_serve(struct p2e_handover *handover, const char *pin_dir)
{
    tick_every(TICK);
    serve(handover, pin_dir);
    tick_every(0);
}
