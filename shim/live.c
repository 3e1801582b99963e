#include "base/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "shim/shim.h"

static bool is_pipe(int fd, uintmax_t inode)
{
    struct stat st;

    return !fstat(fd, &st) && S_ISFIFO(st.st_mode) && st.st_ino == inode;
}

void p2e_live(void)
{
    const char *value = secure_getenv(P2E_LIVE_VARIABLE);
    uintmax_t inode;
    int fd;

    if (!value)
        return;
    if (sscanf(value, "%d:%" SCNuMAX, &fd, &inode) == 2 && is_pipe(fd, inode)) {
        dprintf(fd, P2E_LIVE_FORMAT, P2E_ABI, getpid());
        close(fd);
    }
    unsetenv(P2E_LIVE_VARIABLE);
}
