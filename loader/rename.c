// A file of its own: musl has no renameat2, and what is made for it writes no pins.
#include <fcntl.h>
#include <stdio.h>

#include "loader/pins.h"

int p2e_folder_rename(const char *from, const char *to, unsigned flags, struct p2e_error *err)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, flags))
        return p2e_error_set(err, "cannot make pin folder %s: %m", to);
    return 0;
}
