#include <errno.h>
#include <string.h>

#include "shim/shim.h"

int p2e_endpoint_option(int fd, int level, int option)
{
    int value;
    socklen_t length = sizeof(value);

    return getsockopt(fd, level, option, &value, &length) ? -1 : value;
}

// The type first: it alone sends streams away, which are most of what servers bind.
bool p2e_endpoint_transport(int fd, enum p2e_transport *transport)
{
    int type = p2e_endpoint_option(fd, SOL_SOCKET, SO_TYPE), domain;

    if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return false;
    domain = p2e_endpoint_option(fd, SOL_SOCKET, SO_DOMAIN);
    if (domain == AF_UNIX) {
        *transport = type == SOCK_DGRAM ? P2E_UNIXGRAM : P2E_UNIXSEQ;
        return true;
    }
    *transport = P2E_UDP;
    return (domain == AF_INET || domain == AF_INET6) && type == SOCK_DGRAM &&
           p2e_endpoint_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP;
}

bool p2e_endpoint_bound(int fd, struct sockaddr_storage *address, socklen_t *length)
{
    *length = sizeof(*address);
    if (getsockname(fd, (struct sockaddr *)address, length))
        return false;
    switch (address->ss_family) {
    case AF_INET:
        return ((struct sockaddr_in *)address)->sin_port != 0;
    case AF_INET6:
        return ((struct sockaddr_in6 *)address)->sin6_port != 0;
    default:
        return *length > sizeof(address->ss_family);
    }
}

bool p2e_endpoint_listens(int fd)
{
    return p2e_endpoint_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_SEQPACKET &&
           p2e_endpoint_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
}
