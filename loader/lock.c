#include "loader/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include "base/cleanup.h"

#define PATIENCE 5000 // milliseconds; a writer takes less than one second
#define PAUSE    10

static int lock(int folder)
{
    for (int waited = 0; flock(folder, LOCK_EX | LOCK_NB); waited += PAUSE) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= PATIENCE)
            return -1;
        poll(NULL, 0, PAUSE);
    }
    return 0;
}

int p2e_pins_lock(const char *pin_dir, int *fd, struct p2e_error *err)
{
    _cleanup_fd_ int folder = open(pin_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *fd = -1;
    if (folder < 0)
        return p2e_error_set(err, "cannot open pin folder %s: %m", pin_dir);
    if (lock(folder)) {
        if (errno == EWOULDBLOCK)
            return p2e_error_set(err,
                                 "another process holds the lock of pin folder %s; try again, or "
                                 "see who it is: lslocks",
                                 pin_dir);
        return p2e_error_set(err, "cannot lock pin folder %s: %m", pin_dir);
    }
    *fd = TAKE_FD(folder);
    return 0;
}
