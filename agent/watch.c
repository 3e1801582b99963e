#include "agent/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINKS_MAX 40 // as the kernel's own limit

// In a folder, by name. Not IN_MODIFY: a file is read when whoever writes it is done.
#define CONTENT (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB)
#define ITSELF  (IN_MOVE_SELF | IN_DELETE_SELF)
#define FOLDER  (ITSELF | IN_ONLYDIR)
#define LOST    (ITSELF | IN_IGNORED | IN_UNMOUNT)
// Of a file, by whatever folder it is reached.
#define WRITTEN (IN_CLOSE_WRITE | IN_ATTRIB)

// Names are records in a buffer: the watch descriptor, then the name, "" for any, and for a file.
struct record {
    int watch;
    char name[NAME_MAX + 1];
};

// ---- Watching -----------------------------------------------------------------------------------
static int fail(const char *path, struct p2e_error *err)
{
    if (errno == ENOSPC)
        return p2e_error_set(err, "too many files to watch; raise the sysctl "
                                  "fs.inotify.max_user_watches");
    return p2e_error_set(err, "cannot watch %s: %m", path);
}

static int add_watch(struct p2e_watch *watch, const char *path, uint32_t events, int *descriptor,
                     struct p2e_error *err)
{
    struct stat st;
    *descriptor = inotify_add_watch(watch->fd, path, events | IN_MASK_ADD);
    // Gone since it was looked at, or not ours to read: whoever reads the file will say so.
    if (*descriptor < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        return fail(path, err);
    if (*descriptor >= 0 && !stat(path, &st))
        p2e_buffer_printf(&watch->identity, "%s %ju:%ju %x\n", path, (uintmax_t)st.st_dev,
                          (uintmax_t)st.st_ino, events);
    return 0;
}

static int watch_itself(struct p2e_watch *watch, const char *folder, struct p2e_error *err)
{
    int ignored;
    return add_watch(watch, folder, FOLDER, &ignored, err);
}

static int watch_for(struct p2e_watch *watch, const char *path, uint32_t events, const char *name,
                     struct p2e_error *err)
{
    struct record record = {0};
    if (add_watch(watch, path, events, &record.watch, err) < 0)
        return -1;
    if (record.watch < 0)
        return 0;
    snprintf(record.name, sizeof(record.name), "%s", name);
    p2e_buffer_add(&watch->names, &record, sizeof(record));
    p2e_buffer_printf(&watch->identity, "%s\n", name);
    return 0;
}

static int watch_name(struct p2e_watch *watch, const char *folder, const char *name,
                      struct p2e_error *err)
{
    return watch_for(watch, folder, CONTENT | FOLDER, name, err);
}

static int watch_file(struct p2e_watch *watch, const char *path, struct p2e_error *err)
{
    return watch_for(watch, path, WRITTEN, "", err);
}

// ---- The way to a file --------------------------------------------------------------------------
// `at` is a folder with no link in it, `rest` what is still to go from there.
struct way {
    char at[PATH_MAX], rest[PATH_MAX];
    unsigned links;
};

// Takes the next name off the rest: false when there is none, or it is too long to be one.
static bool next_name(struct way *way, char name[NAME_MAX + 1])
{
    const char *begin = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(begin, "/");
    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(name, begin, length);
    name[length] = '\0';
    memmove(way->rest, begin + length, strlen(begin + length) + 1);
    return true;
}

static bool is_last(const struct way *way)
{
    return !way->rest[strspn(way->rest, "/")];
}

static void go_up(struct way *way)
{
    char *slash = strrchr(way->at, '/');
    slash[slash == way->at] = '\0';
}

static bool join(const char *folder, const char *name, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s/%s", strcmp(folder, "/") ? folder : "", name) < PATH_MAX;
}

// Puts what the link at `path` says before the rest.
static bool follow(struct way *way, const char *path)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length <= 0 || ++way->links > LINKS_MAX)
        return false;
    target[length] = '\0';
    if (*target == '/')
        strcpy(way->at, "/");
    if (snprintf(rest, sizeof(rest), "%s/%s", target, way->rest) >= (int)sizeof(rest))
        return false;
    strcpy(way->rest, rest);
    return true;
}

// 1: there is more to go; 0: it ends here; -1: failure.
static int step(struct p2e_watch *watch, struct way *way, struct p2e_error *err)
{
    char name[NAME_MAX + 1], path[PATH_MAX];
    struct stat st;
    if (!next_name(way, name))
        return 0;
    if (!strcmp(name, ".."))
        go_up(way);
    if (!strcmp(name, "..") || !strcmp(name, "."))
        return 1;
    if (!join(way->at, name, path))
        return 0;
    bool there = !lstat(path, &st);
    if (there && S_ISDIR(st.st_mode) && !is_last(way)) {
        strcpy(way->at, path);
        return watch_itself(watch, path, err) < 0 ? -1 : 1;
    }
    if (watch_name(watch, way->at, name, err) < 0)
        return -1;
    if (there && S_ISREG(st.st_mode) && is_last(way))
        return watch_file(watch, path, err);
    return there && S_ISLNK(st.st_mode) && follow(way, path);
}

static int watch_path(struct p2e_watch *watch, const char *path, struct p2e_error *err)
{
    struct way way = {.at = "/"};
    char here[PATH_MAX] = "";
    int more;
    if (*path != '/' && !getcwd(here, sizeof(here)))
        return p2e_error_set(err, "cannot tell the working directory: %m");
    if (snprintf(way.rest, sizeof(way.rest), "%s/%s", here, path) >= (int)sizeof(way.rest))
        return p2e_error_set(err, "the path %s is too long", path);
    while ((more = step(watch, &way, err)) > 0)
        continue;
    return more;
}

static int watch_all(struct p2e_watch *watch, const struct p2e_paths *paths, const char *any_in,
                     struct p2e_error *err)
{
    if (paths->failed)
        return p2e_error_set(err, "out of memory");
    for (size_t i = 0; i < paths->count; i++) {
        if (watch_path(watch, paths->paths[i], err) < 0)
            return -1;
    }
    if (any_in && watch_name(watch, any_in, "", err) < 0)
        return -1;
    return watch->names.failed || watch->identity.failed ? p2e_error_set(err, "out of memory") : 0;
}

int p2e_watch_open(const struct p2e_paths *paths, const char *any_in, struct p2e_watch *watch,
                   struct p2e_error *err)
{
    *watch = P2E_NO_WATCH;
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0)
        return p2e_error_set(err,
                             "cannot watch files: %m; the sysctl fs.inotify.max_user_instances may "
                             "have to be raised");
    if (watch_all(watch, paths, any_in, err) == 0)
        return 0;
    p2e_watch_close(watch);
    return -1;
}

void p2e_watch_close(struct p2e_watch *watch)
{
    p2e_cleanup_fd(&watch->fd);
    p2e_buffer_free(&watch->names);
    p2e_buffer_free(&watch->identity);
    *watch = P2E_NO_WATCH;
}

bool p2e_watch_equal(const struct p2e_watch *a, const struct p2e_watch *b)
{
    return a->fd >= 0 && b->fd >= 0 && !a->lost && !b->lost &&
           a->identity.size == b->identity.size &&
           !memcmp(a->identity.data, b->identity.data, a->identity.size);
}

// ---- What happened ------------------------------------------------------------------------------
static bool matters(const struct p2e_watch *watch, const struct inotify_event *event)
{
    const struct record *records = (const struct record *)watch->names.data;
    if (event->mask & (LOST | IN_Q_OVERFLOW))
        return true;
    for (size_t i = 0; i < watch->names.size / sizeof(*records); i++) {
        const char *name = records[i].name;
        if (records[i].watch == event->wd && (!*name || !event->len || !strcmp(name, event->name)))
            return true;
    }
    return false;
}

bool p2e_watch_read(struct p2e_watch *watch)
{
    _Alignas(struct inotify_event) char events[16384];
    bool any = false;
    ssize_t got;
    while ((got = read(watch->fd, events, sizeof(events))) > 0) {
        const struct inotify_event *event;
        for (char *at = events; at < events + got; at += sizeof(*event) + event->len) {
            event = (const struct inotify_event *)at;
            watch->lost = watch->lost || event->mask & LOST;
            any = matters(watch, event) || any;
        }
    }
    return any;
}
