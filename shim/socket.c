#include <errno.h>

#include "shim/shim.h"

// The last moment at which most servers still have the right to load a program.
static void warm_up(int fd)
{
    enum p2e_transport transport;

    if (p2e_endpoint_transport(fd, &transport))
        p2e_program_warm(transport);
}

static int hooked_socket(int domain, int type, int protocol)
{
    int fd = p2e_shim()->real.socket(domain, type, protocol);
    int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0 && (kind == SOCK_DGRAM || kind == SOCK_SEQPACKET))
        warm_up(fd);
    return fd;
}

int p2e_hook_socket(int domain, int type, int protocol) P2E_HOOK(socket);

int p2e_hook_socket(int domain, int type, int protocol)
{
    int saved = errno;
    int fd = hooked_socket(domain, type, protocol);

    if (fd >= 0)
        errno = saved;
    return fd;
}
