// Connections of UNIX SOCK_SEQPACKET do not inherit their listener's filter: each gets its own,
// before the server sees it.
#include <errno.h>
#include <unistd.h>

#include "shim/shim.h"

struct call {
    int fd;
    struct sockaddr *address;
    socklen_t *length;
    int flags;
    bool has_flags; // accept4
};

static int real_accept(const struct call *call)
{
    const struct p2e_real *real = &p2e_shim()->real;

    return call->has_flags ? real->accept4(call->fd, call->address, call->length, call->flags)
                           : real->accept(call->fd, call->address, call->length);
}

// 1: the server may have the connection; 0: it had sent what breaks a rule before the filter stood,
// and is given up; -1: it cannot be filtered, and is refused.
static int filter_connection(int connection, const struct p2e_filter *filter)
{
    struct p2e_attachment attachment;
    struct p2e_error err;

    if (p2e_attach_possible(connection, &err) || p2e_attach(connection, filter, &attachment, &err))
        return p2e_policy(filter, &err) ? -1 : 1;
    p2e_attach_lock(connection);
    return filter->mode == P2E_MONITOR ||
           p2e_queue_is_clean(connection, attachment.program, P2E_UNIXSEQ);
}

static int admit(int connection)
{
    enum p2e_transport transport;
    struct sockaddr_storage address;
    socklen_t length;
    const struct p2e_filter *filter;
    struct p2e_error err;
    int found;

    if (!p2e_endpoint_transport(connection, &transport) || transport != P2E_UNIXSEQ ||
        !p2e_endpoint_bound(connection, &address, &length))
        return 1;
    found = p2e_endpoint_filter(transport, (struct sockaddr *)&address, length, &filter, &err);
    if (found < 0)
        return p2e_policy_closed(&err);
    return found ? filter_connection(connection, filter) : 1;
}

// A connection that is given up is one that never came: wait for the next.
static int accept_admitted(const struct call *call)
{
    socklen_t length = call->address ? *call->length : 0;

    for (;;) {
        int connection = real_accept(call);
        int admitted;

        if (connection < 0)
            return connection;
        admitted = admit(connection);
        if (admitted > 0)
            return connection;
        close(connection);
        if (admitted < 0) {
            errno = ECONNABORTED;
            return -1;
        }
        if (call->address)
            *call->length = length;
    }
}

// Without a place for the length the kernel gives no connection out.
static int hooked_accept(const struct call *call)
{
    const struct p2e_shim *shim = p2e_shim();

    if ((shim->has_config && !shim->wants[P2E_UNIXSEQ]) ||
        (call->address && !p2e_endpoint_readable(call->fd, call->length, sizeof(*call->length))))
        return real_accept(call);
    return accept_admitted(call);
}

static int accept_keeping_errno(const struct call *call)
{
    int saved = errno;
    int connection = hooked_accept(call);

    if (connection >= 0)
        errno = saved;
    return connection;
}

int p2e_hook_accept(int fd, struct sockaddr *address, socklen_t *length) P2E_HOOK(accept);

int p2e_hook_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept_keeping_errno(&(struct call){fd, address, length, 0, false});
}

int p2e_hook_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
    P2E_HOOK(accept4);

int p2e_hook_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept_keeping_errno(&(struct call){fd, address, length, flags, true});
}
