#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "shim/shim.h"

static bool asks_for_gro(int fd, int level, int option, const void *value, socklen_t length)
{
    int on;

    if (level != SOL_UDP || option != UDP_GRO || !value || length < sizeof(on) ||
        !p2e_endpoint_readable(fd, value, sizeof(on)))
        return false;
    memcpy(&on, value, sizeof(on));
    return on != 0;
}

static bool is_filtered(int fd)
{
    enum p2e_transport transport;
    struct sockaddr_storage address;
    socklen_t length;
    const struct p2e_filter *filter;
    struct p2e_error err;

    return p2e_attach_done(fd) && p2e_endpoint_transport(fd, &transport) &&
           p2e_endpoint_bound(fd, &address, &length) &&
           p2e_endpoint_filter(transport, (struct sockaddr *)&address, length, &filter, &err) != 0;
}

// UDP_GRO puts several datagrams into one packet, which cannot be judged one by one. Before bind it
// is allowed, and bind turns it off; after it the server is told what a kernel without it would
// tell.
static int hooked_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    if (asks_for_gro(fd, level, option, value, length) && is_filtered(fd)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return p2e_shim()->real.setsockopt(fd, level, option, value, length);
}

int p2e_hook_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
    P2E_HOOK(setsockopt);

int p2e_hook_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    int saved = errno;
    int result = hooked_setsockopt(fd, level, option, value, length);

    if (!result)
        errno = saved;
    return result;
}
