// Ownership by scope: a variable marked so is released when it goes out of scope, on every path.
#ifndef P2E_BASE_CLEANUP_H
#define P2E_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void p2e_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void p2e_cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(p2e_cleanup_free)
#define _cleanup_fd_   _cleanup_(p2e_cleanup_fd)

// Hands ownership on: the variable is emptied, the value returned.
#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        typeof(p) taken_ = (p);                                                                    \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

#endif
