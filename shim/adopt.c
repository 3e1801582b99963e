// Sockets that were bound before this process began: those of socket activation (LISTEN_FDS), and
// descriptor 0 (inetd).
#include <stdlib.h>
#include <unistd.h>

#include "shim/shim.h"

#define FIRST_LISTEN_FD 3
#define MOST_LISTEN_FDS 4096

struct adopted {
    int fd;
    enum p2e_transport transport;
};

static int attach(const struct adopted *socket, const struct p2e_filter *filter,
                  struct p2e_error *err)
{
    struct p2e_attachment attachment;

    if (p2e_attach_possible(socket->fd, err) || p2e_attach(socket->fd, filter, &attachment, err))
        return -1;
    p2e_attach_lock(socket->fd);
    if (filter->mode != P2E_MONITOR)
        p2e_queue_clean(socket->fd, &attachment, socket->transport);
    return 0;
}

static int adopt_for(const struct adopted *socket, const struct p2e_filter *filter)
{
    struct p2e_error err;
    int result = p2e_endpoint_listens(socket->fd) ? p2e_program_get(filter, &err)
                                                  : attach(socket, filter, &err);

    return result < 0 ? p2e_policy(filter, &err) : 0;
}

// A filter that stands already is p2e's, of the process that this one came from by exec.
static int adopt(int fd)
{
    struct adopted socket = {.fd = fd};
    struct sockaddr_storage address;
    socklen_t length;
    const struct p2e_filter *filter;
    struct p2e_error err;
    int found;

    if (!p2e_endpoint_transport(fd, &socket.transport) ||
        !p2e_endpoint_bound(fd, &address, &length) || p2e_attach_done(fd))
        return 0;
    found =
        p2e_endpoint_filter(socket.transport, (struct sockaddr *)&address, length, &filter, &err);
    if (found < 0)
        return p2e_policy_closed(&err);
    return found ? adopt_for(&socket, filter) : 0;
}

static int listen_fds(void)
{
    const char *pid = secure_getenv("LISTEN_PID"), *count = secure_getenv("LISTEN_FDS");
    long n;

    if (!pid || !count || strtol(pid, NULL, 10) != getpid())
        return 0;
    n = strtol(count, NULL, 10);
    return n < 0 ? 0 : n > MOST_LISTEN_FDS ? MOST_LISTEN_FDS : (int)n;
}

// There is no call that could fail: a process that holds a socket which must be filtered and cannot
// be does not start.
void p2e_adopt(void)
{
    int count = listen_fds();

    if (adopt(STDIN_FILENO))
        _exit(P2E_EXIT_UNFILTERED);
    for (int i = 0; i < count; i++) {
        if (adopt(FIRST_LISTEN_FD + i))
            _exit(P2E_EXIT_UNFILTERED);
    }
}
