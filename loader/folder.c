#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/sys.h"

// ---- Names --------------------------------------------------------------------------------------
void p2e_folder_free(struct p2e_folder *folder)
{
    free(folder->path);
    free(folder->making);
    free(folder->doomed);
}

__attribute__((format(printf, 1, 2))) static char *format_path(const char *format, ...)
{
    char *path;
    va_list args;

    va_start(args, format);
    if (vasprintf(&path, format, args) < 0)
        path = NULL;
    va_end(args);
    return path;
}

int p2e_folder_name(const char *pin_dir, const char *name, struct p2e_folder *folder,
                    struct p2e_error *err)
{
    // Random, not a process id: those are equal in two containers that share a bpffs.
    uint64_t unique;

    if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
        return p2e_error_set(err, "cannot get a random number: %m");
    folder->path = format_path("%s/%s", pin_dir, name);
    folder->making = format_path("%s/~%s~%016" PRIx64, pin_dir, name, unique);
    folder->doomed = format_path("%s/~%s~%016" PRIx64 "~", pin_dir, name, unique);
    if (!folder->path || !folder->making || !folder->doomed)
        return p2e_error_set(err, "out of memory");
    return 0;
}

// ---- Trust --------------------------------------------------------------------------------------
// Whoever may write a folder decides which program is in it.
static int check_owner(const struct stat *st, const char *path, struct p2e_error *err)
{
    errno = EPERM;
    if (!p2e_owner_is_trusted(st))
        return p2e_error_set(err, "pin folder %s belongs to user %u, not to root: not trusted",
                             path, st->st_uid);
    if (st->st_mode & 022 && !(st->st_mode & S_ISVTX))
        return p2e_error_set(err,
                             "pin folder %s can be written by others: not trusted; run: chmod "
                             "go-w %s",
                             path, path);
    return 0;
}

int p2e_folder_check(const char *path, struct p2e_error *err)
{
    _cleanup_fd_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    struct statfs fs;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) || fstatfs(fd, &fs))
        return p2e_error_set(err,
                             "cannot look into pin folder %s: %m; as root, run: chmod a+x "
                             "/sys/fs/bpf %s",
                             path, path);
    if (!S_ISDIR(st.st_mode))
        return p2e_error_set(err, "pin folder %s is not a folder: not trusted", path);
    if (fs.f_type != BPF_FS_MAGIC)
        return p2e_error_set(err,
                             "pin folder %s is not on a bpffs; run: mount -t bpf bpf "
                             "/sys/fs/bpf",
                             path);
    return check_owner(&st, path, err) ? -1 : 1;
}

// ---- Changes ------------------------------------------------------------------------------------
void p2e_folder_remove(const char *path)
{
    int saved = errno, fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (directory) {
        while ((entry = readdir(directory)))
            unlinkat(dirfd(directory), entry->d_name, 0);
        closedir(directory);
    } else if (fd >= 0) {
        close(fd);
    }
    rmdir(path);
    errno = saved;
}
