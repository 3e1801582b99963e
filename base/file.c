#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READ_CHUNK         65536
#define TEMPORARY_ATTEMPTS 100

// ---- Reading ------------------------------------------------------------------------------------

// O_NONBLOCK: opening a FIFO must not hang the server that we are in.
static int open_regular(const char *path, struct p2e_error *err)
{
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return p2e_error_set(err, "cannot read %s: %m", path);
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return p2e_error_set(err, "cannot read %s: it is %s, and a file is needed", path,
                             S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
    }
    return TAKE_FD(fd);
}

static int read_all(int fd, const char *path, size_t limit, struct p2e_buffer *out,
                    struct p2e_error *err)
{
    _cleanup_free_ char *chunk = malloc(READ_CHUNK);
    if (!chunk)
        return p2e_error_set(err, "cannot read %s: out of memory", path);

    size_t total = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, READ_CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return p2e_error_set(err, "cannot read %s: %m", path);
        if (got == 0)
            return 0;
        if ((size_t)got > limit - total) {
            errno = EFBIG;
            return p2e_error_set(err, "cannot read %s: it is longer than %zu bytes", path, limit);
        }
        total += (size_t)got;
        p2e_buffer_add(out, chunk, (size_t)got);
    }
}

int p2e_file_read(const char *path, size_t limit, struct p2e_buffer *out, struct p2e_error *err)
{
    _cleanup_fd_ int fd = open_regular(path, err);
    if (fd < 0 || read_all(fd, path, limit, out, err) < 0)
        return -1;
    p2e_buffer_puts(out, ""); // an empty file too gives a string
    if (out->failed) {
        errno = ENOMEM;
        return p2e_error_set(err, "cannot read %s: out of memory", path);
    }
    return 0;
}

// ---- Writing ------------------------------------------------------------------------------------

// mkostemp would do, but its mode is 0600 and the umask cannot be read without changing it for all
// threads.
static int open_temporary(const char *path, char **name)
{
    for (int attempt = 0; attempt < TEMPORARY_ATTEMPTS; attempt++) {
        _cleanup_free_ char *candidate = NULL;
        if (asprintf(&candidate, "%s.%d-%d.tmp", path, (int)getpid(), attempt) < 0) {
            candidate = NULL;
            errno = ENOMEM;
            return -1;
        }
        int fd = open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0) {
            *name = TAKE_PTR(candidate);
            return fd;
        }
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        data += put;
        size -= (size_t)put;
    }
    return 0;
}

int p2e_file_write(const char *path, const void *data, size_t size, struct p2e_error *err)
{
    _cleanup_free_ char *temporary = NULL;
    int fd = open_temporary(path, &temporary);
    if (fd < 0)
        return p2e_error_set(err, "cannot write %s: %m", path);

    // A full disk may show only when the data is flushed or the file closed.
    int result = write_all(fd, data, size);
    if (result == 0)
        result = fsync(fd);
    int saved = errno;
    if (close(fd) < 0 && result == 0) {
        result = -1;
        saved = errno;
    }
    errno = saved;
    if (result == 0)
        result = rename(temporary, path);
    if (result < 0) {
        p2e_error_set(err, "cannot write %s: %m", path);
        saved = errno;
        unlink(temporary);
        errno = saved;
    }
    return result;
}

// ---- Folders ------------------------------------------------------------------------------------

static int make_dirs(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        int result = mkdir(path, 0755);
        *p = '/';
        if (result < 0 && errno != EEXIST)
            return -1;
    }
    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return -1;

    struct stat st;
    if (stat(path, &st) < 0)
        return -1;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode) ? 0 : -1;
}

int p2e_file_make_dir(const char *path, struct p2e_error *err)
{
    _cleanup_free_ char *copy = strdup(path);
    if (!copy)
        return p2e_error_set(err, "cannot make the folder %s: out of memory", path);
    if (!*copy) {
        errno = ENOENT;
        return p2e_error_set(err, "cannot make a folder: its name is empty");
    }
    if (make_dirs(copy) < 0)
        return p2e_error_set(err, "cannot make the folder %s: %m", path);
    return 0;
}
