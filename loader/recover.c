#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/sys.h"

#define RANDOM_DIGITS 16

// ---- Names --------------------------------------------------------------------------------------
enum kind { KIND_OTHER, KIND_FILTER, KIND_MAKING, KIND_DOOMED };

// How many characters at `text` could be a filter's name.
static size_t filter_name_length(const char *text)
{
    size_t length = 0;

    while (isalnum((unsigned char)text[length]) || text[length] == '_' || text[length] == '-')
        length++;
    return length <= P2E_NAME_MAX ? length : 0;
}

static enum kind kind_of_temporary(const char *name)
{
    size_t length = filter_name_length(name + 1);
    const char *tail = name + 1 + length;

    if (!length || *tail != '~' || strspn(tail + 1, "0123456789abcdef") != RANDOM_DIGITS)
        return KIND_OTHER;
    tail += 1 + RANDOM_DIGITS;
    if (!*tail)
        return KIND_MAKING;
    return strcmp(tail, "~") ? KIND_OTHER : KIND_DOOMED;
}

static enum kind kind_of(const char *name)
{
    size_t length;

    if (*name == '~')
        return kind_of_temporary(name);
    length = filter_name_length(name);
    return length && !name[length] ? KIND_FILTER : KIND_OTHER;
}

void p2e_names_free(struct p2e_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct p2e_names){0};
}

static int add_name(struct p2e_names *names, const char *name, struct p2e_error *err)
{
    char *copy = strdup(name);
    char **more = copy ? reallocarray(names->names, names->count + 1, sizeof(*more)) : NULL;

    if (!more) {
        free(copy);
        return p2e_error_set(err, "out of memory");
    }
    names->names = more;
    names->names[names->count++] = copy;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

// What is in pin_dir under a name that is not temporary may be another tool's, pin or folder. A
// link is not followed, to tell.
static bool may_be_filter(const char *pin_dir, const char *name)
{
    _cleanup_free_ char *path = NULL;
    struct stat st;

    if (asprintf(&path, "%s/%s", pin_dir, name) < 0 || lstat(path, &st))
        return false;
    return S_ISLNK(st.st_mode) || (S_ISDIR(st.st_mode) && p2e_pins_are_ours(path));
}

static bool is_meant(const char *pin_dir, const char *name, bool temporary)
{
    enum kind kind = kind_of(name);

    if (temporary)
        return kind == KIND_MAKING || kind == KIND_DOOMED;
    return kind == KIND_FILTER && may_be_filter(pin_dir, name);
}

static int read_names(const char *pin_dir, bool temporary, struct p2e_names *names,
                      struct p2e_error *err)
{
    _cleanup_(close_directory) DIR *directory = opendir(pin_dir);
    struct dirent *entry;

    if (!directory)
        return p2e_error_set(err, "cannot look into pin folder %s: %m", pin_dir);
    while ((entry = readdir(directory))) {
        if (is_meant(pin_dir, entry->d_name, temporary) && add_name(names, entry->d_name, err))
            return -1;
    }
    if (names->count)
        qsort(names->names, names->count, sizeof(*names->names), compare_names);
    return 0;
}

int p2e_pins_list(const char *pin_dir, struct p2e_names *names, struct p2e_error *err)
{
    int found = p2e_folder_check(pin_dir, err);

    *names = (struct p2e_names){0};
    if (found <= 0)
        return found;
    if (!read_names(pin_dir, false, names, err))
        return 0;
    p2e_names_free(names);
    return -1;
}

// ---- What the dead left -------------------------------------------------------------------------
struct scene {
    const char *pin_dir;
    struct p2e_recovery *recovery;
    struct p2e_error *err;
};

// The first is the one that is told of.
static void refuse(struct scene *scene, const struct p2e_error *why)
{
    if (!scene->recovery->refused++ && scene->err)
        *scene->err = *why;
}

static char *path_in(const struct scene *scene, const char *name, size_t length, const char *tail)
{
    char *path;

    return asprintf(&path, "%s/%.*s%s", scene->pin_dir, (int)length, name, tail) < 0 ? NULL : path;
}

static bool exists(const char *path)
{
    struct stat st;

    return !lstat(path, &st);
}

// An exchange in two steps that got no further than the first: both folders have the same random
// number, and NAME is free. What was to be pinned is complete then, and in the slot.
static int finish(struct scene *scene, const char *making, struct p2e_error *err)
{
    _cleanup_free_ char *from = path_in(scene, making, strlen(making), "");
    _cleanup_free_ char *old = path_in(scene, making, strlen(making), "~");
    _cleanup_free_ char *to = path_in(scene, making + 1, filter_name_length(making + 1), "");

    if (!from || !old || !to)
        return p2e_error_set(err, "out of memory");
    if (exists(to) || !exists(old))
        return 0;
    if (p2e_folder_check(from, err) <= 0 || p2e_folder_check(old, err) <= 0 ||
        p2e_folder_rename(from, to, RENAME_NOREPLACE, err))
        return -1;
    scene->recovery->finished++;
    return 0;
}

static bool is_of(const char *making, const char *name)
{
    size_t length = filter_name_length(making + 1);

    return kind_of(making) == KIND_MAKING && length == strlen(name) &&
           !strncmp(making + 1, name, length);
}

// What cannot be trusted is left to p2e_pins_recover, which tells of it.
void p2e_pins_finish(const char *pin_dir, const char *name)
{
    _cleanup_(p2e_names_free) struct p2e_names names = {0};
    struct p2e_recovery ignored = {0};
    struct scene scene = {.pin_dir = pin_dir, .recovery = &ignored};

    if (read_names(pin_dir, true, &names, NULL))
        return;
    for (size_t i = 0; i < names.count; i++) {
        if (is_of(names.names[i], name))
            finish(&scene, names.names[i], NULL);
    }
}

static int take_down(struct scene *scene, const char *name, struct p2e_error *err)
{
    _cleanup_free_ char *path = path_in(scene, name, strlen(name), "");
    int found = path ? p2e_folder_check(path, err) : p2e_error_set(err, "out of memory");

    if (found <= 0)
        return found;
    p2e_folder_remove(path);
    if (exists(path))
        return p2e_error_set(err, "cannot remove pin folder %s, which a process that died left",
                             path);
    scene->recovery->removed++;
    return 0;
}

// ---- Slots --------------------------------------------------------------------------------------
// The slot may be empty, which is no id.
static bool slot_holds(const struct p2e_handles *handles, uint32_t judge)
{
    uint32_t id;

    return !p2e_bpf_map_lookup(handles->slot, 0, &id) && id == judge;
}

// Whoever died may have come to the slot and no further.
static bool empty_is(const struct p2e_handles *handles, uint32_t monitor)
{
    uint32_t passes;

    return !p2e_bpf_map_lookup(handles->empty, 0, &passes) && passes == monitor;
}

static int refill(struct scene *scene, const char *name, struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_free_ char *path = path_in(scene, name, strlen(name), "");
    int found = path ? p2e_folder_check(path, err) : p2e_error_set(err, "out of memory");
    struct p2e_options options;
    uint32_t judge;

    if (found <= 0)
        return found;
    if (p2e_pins_open_all(path, false, &handles, err) ||
        p2e_options_read(handles.options, &options, err))
        return -1;
    if (p2e_program_id(handles.judge, &judge))
        return p2e_error_set(err, "cannot read the pins in %s: %m", path);
    if (slot_holds(&handles, judge) && empty_is(&handles, options.monitor))
        return 0;
    if (p2e_pins_fill_slot(&handles, handles.judge, err))
        return -1;
    scene->recovery->refilled++;
    return 0;
}

// ---- All of it ----------------------------------------------------------------------------------
static int each(struct scene *scene, bool temporary,
                int (*mend)(struct scene *scene, const char *name, struct p2e_error *err))
{
    _cleanup_(p2e_names_free) struct p2e_names names = {0};
    struct p2e_error err;

    if (read_names(scene->pin_dir, temporary, &names, scene->err))
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        if (mend(scene, names.names[i], &err))
            refuse(scene, &err);
    }
    return 0;
}

static int finish_if_making(struct scene *scene, const char *name, struct p2e_error *err)
{
    return kind_of(name) == KIND_MAKING ? finish(scene, name, err) : 0;
}

int p2e_pins_recover(const char *pin_dir, struct p2e_recovery *recovery, struct p2e_error *err)
{
    struct scene scene = {.pin_dir = pin_dir, .recovery = recovery, .err = err};
    _cleanup_(p2e_pins_unlock) int lock = -1;
    int found = p2e_folder_check(pin_dir, err);

    *recovery = (struct p2e_recovery){0};
    if (found <= 0)
        return found;
    lock = p2e_pins_lock(pin_dir, err);
    if (lock < 0)
        return -1;
    // In this order: a slot is emptied when the last folder that pins it goes.
    if (each(&scene, true, finish_if_making) || each(&scene, false, refill) ||
        each(&scene, true, take_down))
        return -1;
    return 0;
}
