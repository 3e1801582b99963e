#include <errno.h>
#include <stdint.h>

#include "loader/sys.h"
#include "shim/shim.h"

// Pages are not smaller anywhere, and an aligned word is in one of them.
#define PAGE 4096u
#define WORD sizeof(int)

// The kernel looks at the value before it says that this option cannot be set.
static bool is_readable(int fd, uintptr_t at)
{
    return !p2e_sys_setsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)(at - at % WORD), WORD) ||
           (errno != EFAULT && errno != EBADF && errno != ENOTSOCK);
}

bool p2e_endpoint_readable(int fd, const void *memory, size_t size)
{
    uintptr_t first = (uintptr_t)memory, last = first + size - 1;

    if (!size)
        return true;
    return is_readable(fd, first) && (first / PAGE == last / PAGE || is_readable(fd, last));
}

int p2e_endpoint_filter(enum p2e_transport transport, const struct sockaddr *address,
                        socklen_t length, const struct p2e_filter **filter, struct p2e_error *err)
{
    const struct p2e_shim *shim = p2e_shim();

    *filter = NULL;
    if (!shim->has_config) {
        *err = shim->config_error;
        return -1;
    }
    return p2e_config_match(&shim->config, transport, address, length, shim->program, filter, err);
}
