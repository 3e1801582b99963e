#include <errno.h>
#include <netinet/in.h>

#include "shim/shim.h"

struct call {
    int fd;
    const struct sockaddr *address;
    socklen_t length;
    enum p2e_transport transport;
};

static int real_bind(const struct call *call)
{
    return p2e_shim()->real.bind(call->fd, call->address, call->length);
}

// ---- The address is known -----------------------------------------------------------------------
static int bind_filtered(const struct call *call, const struct p2e_filter *filter)
{
    struct p2e_attachment attachment;
    struct p2e_error err;
    int result;

    if (p2e_attach_possible(call->fd, &err) || p2e_attach(call->fd, filter, &attachment, &err))
        return p2e_policy(filter, &err) ? -1 : real_bind(call);
    result = real_bind(call);
    if (result) {
        int saved = errno;

        p2e_attach_undo(call->fd, &attachment);
        errno = saved;
        return result;
    }
    p2e_attach_lock(call->fd);
    return 0;
}

// What is filtered are the connections (accept.c). Without a program none could be: say so now.
static int bind_listener(const struct call *call, const struct p2e_filter *filter)
{
    struct p2e_error err;

    if (p2e_program_get(filter, &err) < 0 && p2e_policy(filter, &err))
        return -1;
    return real_bind(call);
}

static int bind_to(const struct call *call, const struct p2e_filter *filter)
{
    return call->transport == P2E_UNIXSEQ ? bind_listener(call, filter)
                                          : bind_filtered(call, filter);
}

// ---- The kernel chooses the address -------------------------------------------------------------
// On SOCK_SEQPACKET nothing is attached before accept, which asks for the address anyway.
static bool kernel_chooses(const struct call *call)
{
    if (call->transport == P2E_UNIXGRAM)
        return call->length <= sizeof(sa_family_t);
    // sin6_port is in the same place.
    return call->transport == P2E_UDP && call->length >= sizeof(struct sockaddr_in) &&
           ((const struct sockaddr_in *)call->address)->sin_port == 0;
}

// 1: the gate was exchanged for the filter's program; 0: there is no filter; -1: neither, and
// refused.
static int attach_late(const struct call *call)
{
    struct sockaddr_storage address;
    socklen_t length;
    const struct p2e_filter *filter;
    struct p2e_attachment attachment;
    struct p2e_error err;
    int found;

    if (!p2e_endpoint_bound(call->fd, &address, &length))
        return 0;
    found =
        p2e_endpoint_filter(call->transport, (struct sockaddr *)&address, length, &filter, &err);
    if (found <= 0)
        return found ? p2e_policy_closed(&err) : 0;
    if (!p2e_attach(call->fd, filter, &attachment, &err))
        return 1;
    return p2e_policy(filter, &err);
}

// Nothing of ours can be on the socket: only filters that let it go on unfiltered are for it, if
// any.
static int bind_ungated(const struct call *call, const struct p2e_error *why)
{
    struct sockaddr_storage address;
    socklen_t length;
    const struct p2e_filter *filter;
    struct p2e_error err;
    int result = real_bind(call), found;

    if (result || !p2e_endpoint_bound(call->fd, &address, &length))
        return result;
    found =
        p2e_endpoint_filter(call->transport, (struct sockaddr *)&address, length, &filter, &err);
    if (found < 0)
        return p2e_policy_closed(&err);
    return found ? p2e_policy(filter, why) : 0;
}

static int bind_without_gate(const struct call *call, const struct p2e_error *why)
{
    const struct p2e_shim *shim = p2e_shim();

    if (p2e_config_may_close(&shim->config, call->transport, call->address, call->length,
                             shim->program))
        return p2e_policy_closed(why);
    return bind_ungated(call, why);
}

// A gate stands from before bind until the filter is known, so that nothing comes in unfiltered. It
// stays shut on a socket that is refused, because a bound socket cannot be unbound.
static int bind_late(const struct call *call)
{
    struct p2e_error err;
    int result, found, saved;

    if (p2e_attach_possible(call->fd, &err) || p2e_attach_gate(call->fd, &err))
        return bind_without_gate(call, &err);
    result = real_bind(call);
    saved = errno;
    found = result ? 0 : attach_late(call);
    if (found < 0)
        saved = errno;
    if (found)
        p2e_attach_lock(call->fd);
    else
        p2e_attach_ungate(call->fd);
    errno = saved;
    return found < 0 ? -1 : result;
}

// ---- Hook ---------------------------------------------------------------------------------------
static int bind_ours(const struct call *call)
{
    const struct p2e_filter *filter;
    struct sockaddr_storage bound;
    socklen_t length;
    struct p2e_error err;
    int found;

    // A socket that is bound already is refused by the kernel, and keeps the filter that it has.
    if (p2e_endpoint_bound(call->fd, &bound, &length))
        return real_bind(call);
    found = p2e_endpoint_filter(call->transport, call->address, call->length, &filter, &err);
    if (found < 0)
        return p2e_policy_closed(&err);
    if (found)
        return bind_to(call, filter);
    return kernel_chooses(call) ? bind_late(call) : real_bind(call);
}

// The kernel takes no more for an address.
static size_t address_size(socklen_t length)
{
    return length < sizeof(struct sockaddr_storage) ? length : sizeof(struct sockaddr_storage);
}

static int hooked_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    const struct p2e_shim *shim = p2e_shim();
    struct call call = {.fd = fd, .address = address, .length = length};

    if (!address || !p2e_endpoint_transport(fd, &call.transport) ||
        (shim->has_config && !shim->wants[call.transport]) ||
        !p2e_endpoint_readable(fd, address, address_size(length)))
        return real_bind(&call);
    return bind_ours(&call);
}

int p2e_hook_bind(int fd, const struct sockaddr *address, socklen_t length) P2E_HOOK(bind);

int p2e_hook_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    int saved = errno;
    int result = hooked_bind(fd, address, length);

    if (!result)
        errno = saved;
    return result;
}
