#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/sys.h"

#define META_LIMIT (16 << 20)

static char *file_in(const char *folder, const char *file)
{
    char *path;

    return asprintf(&path, "%s/%s", folder, file) < 0 ? NULL : path;
}

static bool is_bpffs(const char *path)
{
    struct statfs fs;

    return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

static int find_folder(const char *pin_dir, const struct p2e_folder *folder, struct p2e_error *err)
{
    int found = p2e_folder_check(pin_dir, err);

    return found > 0 ? p2e_folder_check(folder->path, err) : found;
}

// ---- Opening ------------------------------------------------------------------------------------
static bool is_program(int fd, const struct p2e_part *pin)
{
    struct bpf_prog_info info;

    return !p2e_bpf_program_info(fd, &info) && info.type == pin->type &&
           !strcmp(info.name, pin->name);
}

static bool is_map(int fd, const struct p2e_part *pin)
{
    struct bpf_map_info info;

    return !p2e_bpf_map_info(fd, &info) && info.type == pin->type &&
           (!pin->value_size || info.value_size == pin->value_size) &&
           !strcmp(info.name, pin->name);
}

static int open_pin(const char *folder, const struct p2e_part *pin, bool read_only,
                    struct p2e_error *err)
{
    _cleanup_free_ char *path = file_in(folder, pin->pin);
    _cleanup_fd_ int fd = -1;

    if (!path)
        return p2e_error_set(err, "out of memory");
    // The kernel maps no map into memory by a descriptor that can only be read.
    fd = p2e_bpf_open(path, read_only && !pin->is_private);
    if (fd < 0 && errno == EPERM)
        return p2e_error_set(err,
                             "opening the pinned program %s is refused (%m): needs Linux 5.19, "
                             "or CAP_BPF, and a seccomp profile that allows bpf(2)",
                             path);
    if (fd < 0 && errno == EACCES && !read_only)
        return p2e_error_set(
            err,
            "cannot write to the pin %s: %m; pins are read-only: who replaces what "
            "is in them needs CAP_DAC_OVERRIDE, which root has",
            path);
    if (fd < 0)
        return p2e_error_set(err,
                             "cannot open the pin %s: %m; have the filter pinned anew by who may: "
                             "p2e unload, then p2e load",
                             path);
    if (!(pin->is_program ? is_program(fd, pin) : is_map(fd, pin)))
        return p2e_error_set(err, "the pin %s is not p2e's: not trusted; remove its folder", path);
    return TAKE_FD(fd);
}

// Who may not ask the kernel goes by the name.
static bool is_ours(const char *folder, const struct p2e_part *pin)
{
    _cleanup_free_ char *path = file_in(folder, pin->pin);
    _cleanup_fd_ int fd = path ? p2e_bpf_open(path, !pin->is_private) : -1;
    struct stat st;

    if (fd < 0)
        return path && (errno == EPERM || errno == EACCES) && !lstat(path, &st);
    return pin->is_program ? is_program(fd, pin) : is_map(fd, pin);
}

bool p2e_pins_are_ours(const char *folder)
{
    for (size_t i = 0; i < P2E_PART_COUNT; i++) {
        if (is_ours(folder, &p2e_parts[i]))
            return true;
    }
    return false;
}

int p2e_pins_open_all(const char *folder, bool read_only, struct p2e_handles *handles,
                      struct p2e_error *err)
{
    *handles = P2E_NO_HANDLES;
    for (size_t i = 0; i < P2E_PART_COUNT; i++) {
        int *handle = p2e_part_handle(handles, &p2e_parts[i]);

        *handle = open_pin(folder, &p2e_parts[i], read_only, err);
        if (*handle < 0 && !(read_only && p2e_parts[i].is_private && errno == EACCES)) {
            p2e_handles_close(handles);
            return -1;
        }
    }
    return 0;
}

static int describe(const char *folder, const struct p2e_handles *handles,
                    struct p2e_description *description, struct p2e_error *err)
{
    _cleanup_free_ char *value = NULL;
    struct bpf_map_info meta;

    if (p2e_bpf_map_info(handles->meta, &meta))
        return p2e_error_set(err, "cannot read the pins in %s: %m", folder);
    if (meta.value_size > META_LIMIT)
        return p2e_error_set(err, "the pins in %s are not p2e's: not trusted", folder);
    value = malloc(meta.value_size);
    if (!value || p2e_bpf_map_lookup(handles->meta, 0, value))
        return p2e_error_set(err, "cannot read the pins in %s: %m", folder);
    return p2e_description_parse(value, meta.value_size, folder, description, err);
}

int p2e_pins_open(const char *pin_dir, const char *name, struct p2e_handles *handles,
                  struct p2e_description *description, struct p2e_error *err)
{
    _cleanup_(p2e_folder_free) struct p2e_folder folder = {0};
    int found;

    *handles = P2E_NO_HANDLES;
    *description = (struct p2e_description){0};
    if (p2e_folder_name(pin_dir, name, &folder, err))
        return -1;
    found = find_folder(pin_dir, &folder, err);
    if (found <= 0)
        return found;
    if (p2e_pins_open_all(folder.path, true, handles, err))
        return -1;
    if (!describe(folder.path, handles, description, err))
        return 1;
    p2e_handles_close(handles);
    return -1;
}

// ---- Creating -----------------------------------------------------------------------------------
static int no_bpffs(const char *path, struct p2e_error *err)
{
    errno = ENOENT;
    return p2e_error_set(err,
                         "%s is not on a bpffs, where programs are pinned; run: mount -t bpf "
                         "bpf /sys/fs/bpf",
                         path);
}

int p2e_pins_check_dir(const char *pin_dir, struct p2e_error *err)
{
    _cleanup_free_ char *copy = strdup(pin_dir);
    int found = p2e_folder_check(pin_dir, err);

    if (found)
        return found;
    if (!copy)
        return p2e_error_set(err, "out of memory");
    return is_bpffs(dirname(copy)) ? 0 : no_bpffs(pin_dir, err);
}

int p2e_pins_make_dir(const char *pin_dir, struct p2e_error *err)
{
    int found = p2e_pins_check_dir(pin_dir, err);

    if (found)
        return found > 0 ? 0 : -1;
    // chmod: the umask may have taken what others need to open the pins.
    if (mkdir(pin_dir, 0755) && errno != EEXIST)
        return p2e_error_set(err, "cannot make pin folder %s: %m", pin_dir);
    if (chmod(pin_dir, 0755) && errno != EPERM)
        return p2e_error_set(err, "cannot make pin folder %s: %m", pin_dir);
    return p2e_folder_check(pin_dir, err) > 0 ? 0 : -1;
}

static int pin_one(const char *folder, const struct p2e_part *pin, int fd, struct p2e_error *err)
{
    _cleanup_free_ char *path = file_in(folder, pin->pin);

    if (!path)
        return p2e_error_set(err, "out of memory");
    if (p2e_bpf_pin(path, fd) || chmod(path, pin->is_private ? 0600 : 0444))
        return p2e_error_set(err, "cannot pin %s: %m", path);
    return 0;
}

static int fill_temporary(const char *path, const struct p2e_handles *handles,
                          struct p2e_error *err)
{
    struct p2e_handles from = *handles;

    if (mkdir(path, 0700))
        return p2e_error_set(err, "cannot make pin folder %s: %m", path);
    for (size_t i = 0; i < P2E_PART_COUNT; i++) {
        if (pin_one(path, &p2e_parts[i], *p2e_part_handle(&from, &p2e_parts[i]), err))
            return -1;
    }
    if (chmod(path, 0755))
        return p2e_error_set(err, "cannot open pin folder %s to all: %m", path);
    return 0;
}

// What the options say of a slot that is empty.
static int set_empty(int empty, int from, struct p2e_error *err)
{
    struct p2e_options options;

    if (p2e_options_read(from, &options, err))
        return -1;
    if (p2e_bpf_map_update(empty, 0, &options.monitor))
        return p2e_error_set(err, "cannot set what an empty slot means: %m");
    return 0;
}

int p2e_pins_fill_slot(const struct p2e_handles *handles, int judge, struct p2e_error *err)
{
    uint32_t program = (uint32_t)judge;

    if (p2e_bpf_map_update(handles->slot, 0, &program))
        return p2e_error_set(err, "cannot put the program into its slot: %m");
    return set_empty(handles->empty, handles->options, err);
}

int p2e_pins_create(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                    struct p2e_error *err)
{
    _cleanup_(p2e_folder_free) struct p2e_folder folder = {0};
    _cleanup_(p2e_pins_unlock) int lock = -1;

    if (p2e_folder_name(pin_dir, name, &folder, err) || p2e_pins_make_dir(pin_dir, err))
        return -1;
    lock = p2e_pins_lock(pin_dir, err);
    if (lock < 0)
        return -1;
    p2e_pins_finish(pin_dir, name);
    if (!p2e_pins_fill_slot(handles, handles->judge, err) &&
        !fill_temporary(folder.making, handles, err) &&
        !p2e_folder_rename(folder.making, folder.path, RENAME_NOREPLACE, err))
        return 0;
    p2e_folder_remove(folder.making);
    return -1;
}

static int not_pinned(const char *pin_dir, const char *name, struct p2e_error *err)
{
    errno = ENOENT;
    return p2e_error_set(err, "filter \"%s\" is not pinned in %s", name, pin_dir);
}

// The lock, held, where the filter is pinned; else -1.
static int lock_pinned(const char *pin_dir, const char *name, const struct p2e_folder *folder,
                       struct p2e_error *err)
{
    _cleanup_(p2e_pins_unlock) int lock = -1;
    int found = p2e_folder_check(pin_dir, err);

    if (found > 0) {
        lock = p2e_pins_lock(pin_dir, err);
        found = lock < 0 ? -1 : p2e_folder_check(folder->path, err);
    }
    if (found <= 0)
        return found ? -1 : not_pinned(pin_dir, name, err);
    return TAKE_FD(lock);
}

// ---- Replacing ----------------------------------------------------------------------------------
// Before Linux 5.16 bpffs cannot exchange two folders: there is a moment without pins. Whoever dies
// in it leaves both under their temporary names, by which p2e_pins_recover knows what to do.
static int exchange_in_two_steps(const struct p2e_folder *folder, struct p2e_error *err)
{
    if (p2e_folder_rename(folder->path, folder->doomed, RENAME_NOREPLACE, err))
        return -1;
    if (!p2e_folder_rename(folder->making, folder->path, RENAME_NOREPLACE, err))
        return 0;
    p2e_folder_rename(folder->doomed, folder->path, RENAME_NOREPLACE, NULL);
    return -1;
}

static int exchange(const struct p2e_folder *folder, struct p2e_error *err)
{
    if (!p2e_folder_rename(folder->making, folder->path, RENAME_EXCHANGE, err))
        return 0;
    return errno == EINVAL ? exchange_in_two_steps(folder, err) : -1;
}

// Sockets of another kind of transport have the payload elsewhere: their slot is not ours to fill.
static bool same_kind(const struct p2e_handles *a, const struct p2e_handles *b)
{
    struct p2e_options left, right;

    return !p2e_options_read(a->options, &left, NULL) &&
           !p2e_options_read(b->options, &right, NULL) &&
           left.payload_offset == right.payload_offset;
}

static int replace(const struct p2e_folder *folder, const struct p2e_handles *old,
                   const struct p2e_handles *new, struct p2e_error *err)
{
    // The entry and its slot stay: sockets that are attached already get the new judge.
    bool keeps_slot = same_kind(old, new);
    struct p2e_handles pinned = *new;

    if (keeps_slot) {
        pinned.entry = old->entry;
        pinned.slot = old->slot;
        pinned.empty = old->empty;
    }
    // The slot before the pins: if this process dies between the two, whoever comes next finds pins
    // of the old rules, and knows by them that there is something to replace. A slot that does not
    // stay is emptied when its pins go: what it means then is of the new mode, too.
    if (fill_temporary(folder->making, &pinned, err))
        return -1;
    if (!p2e_pins_fill_slot(&pinned, new->judge, err) &&
        (keeps_slot || !set_empty(old->empty, new->options, err)) && !exchange(folder, err))
        return 0;
    p2e_pins_fill_slot(old, old->judge, NULL);
    return -1;
}

int p2e_pins_replace(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                     struct p2e_error *err)
{
    _cleanup_(p2e_folder_free) struct p2e_folder folder = {0};
    _cleanup_(p2e_pins_unlock) int lock = -1;
    _cleanup_(p2e_handles_close) struct p2e_handles old = P2E_NO_HANDLES;
    int result;

    if (p2e_folder_name(pin_dir, name, &folder, err))
        return -1;
    lock = lock_pinned(pin_dir, name, &folder, err);
    if (lock < 0 || p2e_pins_open_all(folder.path, false, &old, err))
        return -1;
    result = replace(&folder, &old, handles, err);
    p2e_folder_remove(folder.making);
    p2e_folder_remove(folder.doomed);
    return result;
}

static int remove_empty(const char *path, struct p2e_error *err)
{
    if (rmdir(path))
        return p2e_error_set(err, "the pin folder %s holds what is not p2e's: left alone", path);
    return 0;
}

int p2e_pins_remove(const char *pin_dir, const char *name, struct p2e_error *err)
{
    _cleanup_(p2e_folder_free) struct p2e_folder folder = {0};
    _cleanup_(p2e_pins_unlock) int lock = -1;

    if (p2e_folder_name(pin_dir, name, &folder, err))
        return -1;
    lock = lock_pinned(pin_dir, name, &folder, err);
    if (lock < 0)
        return -1;
    if (!p2e_pins_are_ours(folder.path))
        return remove_empty(folder.path, err);
    if (rename(folder.path, folder.doomed))
        return p2e_error_set(err, "cannot remove pin folder %s: %m", folder.path);
    p2e_folder_remove(folder.doomed);
    return 0;
}
