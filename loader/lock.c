#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/sys.h"

// Writing a filter's pins takes milliseconds. Servers wait here in bind, so not for ever.
#define WAIT_SECONDS 5
#define PAUSE_NS     10000000

// ---- Who has it ---------------------------------------------------------------------------------
// The process that holds a lock on this file, 0 where the kernel does not tell (it is in another
// container).
static pid_t holder_of(const struct stat *st)
{
    FILE *locks = fopen("/proc/locks", "re");
    char line[256];
    pid_t holder = 0;

    // "1: FLOCK  ADVISORY  WRITE 815 00:1d:4242 0 EOF"; who waits has "1: ->" there.
    while (locks && !holder && fgets(line, sizeof(line), locks)) {
        unsigned major_number, minor_number;
        uintmax_t inode;
        int pid;

        if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%ju", &pid, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == st->st_ino && makedev(major_number, minor_number) == st->st_dev)
            holder = pid;
    }
    if (locks)
        fclose(locks);
    return holder;
}

static int held_by_another(int fd, const char *pin_dir, struct p2e_error *err)
{
    struct stat st;
    char name[64] = "";
    pid_t pid = fstat(fd, &st) ? 0 : holder_of(&st);

    if (pid > 0)
        snprintf(name, sizeof(name), "process %d", (int)pid);
    errno = EBUSY;
    return p2e_error_set(err,
                         "%s has kept the pin folder %s locked for %d s: a p2e agent, load or "
                         "reload that hangs, or a server that is being started; end it and try "
                         "again",
                         *name ? name : "a process that is not visible from here", pin_dir,
                         WAIT_SECONDS);
}

// ---- The folder ~lock ---------------------------------------------------------------------------
// Whoever may open a folder may lock it, for as long as they like, and pin_dir is for all to open:
// the lock is on a folder in it that only its owner can open.
static int check_folder(int fd, const char *path, struct p2e_error *err)
{
    struct stat st;

    if (fstat(fd, &st))
        return p2e_error_set(err, "cannot lock %s: %m", path);
    errno = EPERM;
    if (!p2e_owner_is_trusted(&st))
        return p2e_error_set(err,
                             "the lock %s belongs to user %u, not to root: not trusted; as root, "
                             "run: rmdir %s",
                             path, st.st_uid, path);
    if (st.st_mode & 077)
        return p2e_error_set(err,
                             "the lock %s can be held by others: not trusted; as root, run: chmod "
                             "0700 %s",
                             path, path);
    return 0;
}

// Of several that find none one makes it, and all open the same.
static int open_folder(const char *path, struct p2e_error *err)
{
    _cleanup_fd_ int fd = -1;

    if (mkdir(path, 0700) && errno != EEXIST)
        return p2e_error_set(err, "cannot make the lock %s: %m", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return p2e_error_set(err, "the lock %s is not a folder: not trusted; as root, run: rm %s",
                             path, path);
    if (fd < 0)
        return p2e_error_set(err, "cannot open the lock %s: %m; run this as root", path);
    return check_folder(fd, path, err) ? -1 : TAKE_FD(fd);
}

// ---- Taking it ----------------------------------------------------------------------------------
// By the monotonic clock, from a begin that is 0 at first.
static bool has_waited(struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!begin->tv_sec)
        *begin = now;
    return now.tv_sec - begin->tv_sec > WAIT_SECONDS;
}

static int wait_for(int fd, const char *pin_dir, struct p2e_error *err)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct timespec begin = {0};

    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return p2e_error_set(err, "cannot lock pin folder %s: %m", pin_dir);
        if (has_waited(&begin))
            return held_by_another(fd, pin_dir, err);
        nanosleep(&pause, NULL);
    }
    return 0;
}

// The folder may have been removed and made again while this process waited for the old one.
static bool is_still(int fd, const char *path)
{
    struct stat locked, there;

    return !fstat(fd, &locked) && !lstat(path, &there) && locked.st_dev == there.st_dev &&
           locked.st_ino == there.st_ino;
}

static int lock_folder(const char *pin_dir, const char *path, struct p2e_error *err)
{
    _cleanup_fd_ int fd = open_folder(path, err);

    if (fd < 0 || wait_for(fd, pin_dir, err))
        return -1;
    errno = EBUSY;
    if (!is_still(fd, path))
        return p2e_error_set(err, "pin folder %s was removed meanwhile; try again", pin_dir);
    return TAKE_FD(fd);
}

int p2e_pins_lock(const char *pin_dir, struct p2e_error *err)
{
    _cleanup_free_ char *path = NULL;
    int found = p2e_folder_check(pin_dir, err);

    errno = found ? errno : ENOENT;
    if (found <= 0)
        return found ? -1 : p2e_error_set(err, "there is no pin folder %s", pin_dir);
    if (asprintf(&path, "%s/" P2E_PINS_LOCK, pin_dir) < 0) {
        path = NULL;
        return p2e_error_set(err, "out of memory");
    }
    return lock_folder(pin_dir, path, err);
}

void p2e_pins_unlock(const int *lock)
{
    int saved = errno;

    if (*lock >= 0) {
        flock(*lock, LOCK_UN);
        close(*lock);
    }
    errno = saved;
}
