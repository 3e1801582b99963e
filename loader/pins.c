#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loader/sys.h"

#define META_LIMIT (16 << 20)

// ---- Folders ------------------------------------------------------------------------------------
// Paths of one filter's folder, and of the name that it has while it is being made or taken down:
// '~' is in no filter's name, and bpffs takes no dots.
struct folder {
    char *path, *temporary;
};

static void folder_free(struct folder *folder)
{
    free(folder->path);
    free(folder->temporary);
}

static int folder_name(const char *pin_dir, const char *name, struct folder *folder,
                       struct p2e_error *err)
{
    // Random, not a process id: those are equal in two containers that share a bpffs.
    uint64_t unique;

    if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
        return p2e_error_set(err, "cannot get a random number: %m");
    if (asprintf(&folder->path, "%s/%s", pin_dir, name) < 0)
        folder->path = NULL;
    if (asprintf(&folder->temporary, "%s/~%s~%016" PRIx64, pin_dir, name, unique) < 0)
        folder->temporary = NULL;
    return folder->path && folder->temporary ? 0 : p2e_error_set(err, "out of memory");
}

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

// Whoever may write a folder decides which program is in it.
static int check_owner(const struct stat *st, const char *path, struct p2e_error *err)
{
    errno = EPERM;
    if (st->st_uid && st->st_uid != geteuid())
        return p2e_error_set(err, "pin folder %s belongs to user %u, not to root: not trusted",
                             path, st->st_uid);
    if (st->st_mode & 022 && !(st->st_mode & S_ISVTX))
        return p2e_error_set(err,
                             "pin folder %s can be written by others: not trusted; run: chmod "
                             "go-w %s",
                             path, path);
    return 0;
}

int p2e_pins_check_folder(const char *path, struct p2e_error *err)
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

static int find_folder(const char *pin_dir, const struct folder *folder, struct p2e_error *err)
{
    int found = p2e_pins_check_folder(pin_dir, err);

    return found > 0 ? p2e_pins_check_folder(folder->path, err) : found;
}

static void remove_folder(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (directory) {
        while ((entry = readdir(directory)))
            unlinkat(dirfd(directory), entry->d_name, 0);
        closedir(directory);
    }
    rmdir(path);
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
    if (fd < 0)
        return p2e_error_set(err,
                             "cannot open the pin %s: %m; remove its folder, and let whoever may "
                             "load pin it anew: p2e run",
                             path);
    if (!(pin->is_program ? is_program(fd, pin) : is_map(fd, pin)))
        return p2e_error_set(err, "the pin %s is not p2e's: not trusted; remove its folder", path);
    return TAKE_FD(fd);
}

static int open_pins(const char *folder, bool read_only, struct p2e_handles *handles,
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
    _cleanup_(folder_free) struct folder folder = {0};
    int found;

    *handles = P2E_NO_HANDLES;
    *description = (struct p2e_description){0};
    if (folder_name(pin_dir, name, &folder, err))
        return -1;
    found = find_folder(pin_dir, &folder, err);
    if (found <= 0)
        return found;
    if (open_pins(folder.path, true, handles, err))
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

int p2e_pins_make_dir(const char *pin_dir, struct p2e_error *err)
{
    _cleanup_free_ char *copy = strdup(pin_dir);
    int found = p2e_pins_check_folder(pin_dir, err);

    if (found)
        return found > 0 ? 0 : -1;
    if (!copy)
        return p2e_error_set(err, "out of memory");
    if (!is_bpffs(dirname(copy)))
        return no_bpffs(pin_dir, err);
    // chmod: the umask may have taken what others need to open the pins.
    if (mkdir(pin_dir, 0755) && errno != EEXIST)
        return p2e_error_set(err, "cannot make pin folder %s: %m", pin_dir);
    if (chmod(pin_dir, 0755) && errno != EPERM)
        return p2e_error_set(err, "cannot make pin folder %s: %m", pin_dir);
    return p2e_pins_check_folder(pin_dir, err) > 0 ? 0 : -1;
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

static int fill_slot(const struct p2e_handles *handles, int judge, struct p2e_error *err)
{
    uint32_t program = (uint32_t)judge;

    if (p2e_bpf_map_update(handles->slot, 0, &program))
        return p2e_error_set(err, "cannot put the program into its slot: %m");
    return 0;
}

static int publish(const struct folder *folder, unsigned flags, struct p2e_error *err)
{
    if (renameat2(AT_FDCWD, folder->temporary, AT_FDCWD, folder->path, flags))
        return p2e_error_set(err, "cannot make pin folder %s: %m", folder->path);
    return 0;
}

static void remove_keeping_errno(const char *path)
{
    int saved = errno;

    remove_folder(path);
    errno = saved;
}

int p2e_pins_create(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                    struct p2e_error *err)
{
    _cleanup_(folder_free) struct folder folder = {0};

    if (folder_name(pin_dir, name, &folder, err) || p2e_pins_make_dir(pin_dir, err))
        return -1;
    if (!fill_slot(handles, handles->judge, err) &&
        !fill_temporary(folder.temporary, handles, err) && !publish(&folder, RENAME_NOREPLACE, err))
        return 0;
    remove_keeping_errno(folder.temporary);
    return -1;
}

static int not_pinned(const char *pin_dir, const char *name, struct p2e_error *err)
{
    errno = ENOENT;
    return p2e_error_set(err, "filter \"%s\" is not pinned in %s", name, pin_dir);
}

// ---- Replacing ----------------------------------------------------------------------------------
// Exchanging is one step since Linux 5.16; before it, there is a moment without pins.
static int exchange(const struct folder *folder, struct p2e_error *err)
{
    if (!publish(folder, RENAME_EXCHANGE, err))
        return 0;
    if (errno != EINVAL)
        return -1;
    remove_folder(folder->path);
    return publish(folder, RENAME_NOREPLACE, err);
}

// Sockets of another kind of transport have the payload elsewhere: their slot is not ours to fill.
static bool same_kind(const struct p2e_handles *a, const struct p2e_handles *b)
{
    struct p2e_options left, right;

    return !p2e_bpf_map_lookup(a->options, 0, &left) &&
           !p2e_bpf_map_lookup(b->options, 0, &right) &&
           left.payload_offset == right.payload_offset;
}

static int replace(const struct folder *folder, const struct p2e_handles *old,
                   const struct p2e_handles *new, struct p2e_error *err)
{
    // The entry and its slot stay: sockets that are attached already get the new judge.
    bool keeps_slot = same_kind(old, new);
    struct p2e_handles pinned = *new;

    if (keeps_slot) {
        pinned.entry = old->entry;
        pinned.slot = old->slot;
    }
    if (fill_temporary(folder->temporary, &pinned, err) || fill_slot(&pinned, new->judge, err))
        return -1;
    if (exchange(folder, err)) {
        if (keeps_slot)
            fill_slot(old, old->judge, NULL);
        return -1;
    }
    return 0;
}

int p2e_pins_replace(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                     struct p2e_error *err)
{
    _cleanup_(folder_free) struct folder folder = {0};
    _cleanup_(p2e_handles_close) struct p2e_handles old = P2E_NO_HANDLES;
    int found, result;

    if (folder_name(pin_dir, name, &folder, err))
        return -1;
    found = find_folder(pin_dir, &folder, err);
    if (found <= 0)
        return found ? -1 : not_pinned(pin_dir, name, err);
    if (open_pins(folder.path, false, &old, err))
        return -1;
    result = replace(&folder, &old, handles, err);
    remove_keeping_errno(folder.temporary);
    return result;
}

int p2e_pins_remove(const char *pin_dir, const char *name, struct p2e_error *err)
{
    _cleanup_(folder_free) struct folder folder = {0};
    int found;

    if (folder_name(pin_dir, name, &folder, err))
        return -1;
    found = find_folder(pin_dir, &folder, err);
    if (found <= 0)
        return found ? -1 : not_pinned(pin_dir, name, err);
    if (rename(folder.path, folder.temporary))
        return p2e_error_set(err, "cannot remove pin folder %s: %m", folder.path);
    remove_folder(folder.temporary);
    return 0;
}

// ---- Listing ------------------------------------------------------------------------------------
void p2e_pin_names_free(struct p2e_pin_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct p2e_pin_names){0};
}

static int add_name(struct p2e_pin_names *names, const char *name)
{
    char **grown = reallocarray(names->names, names->count + 1, sizeof(*grown));

    if (!grown)
        return -1;
    names->names = grown;
    grown[names->count] = strdup(name);
    if (!grown[names->count])
        return -1;
    names->count++;
    return 0;
}

// '~' begins what is being made or taken down.
static int add_names(DIR *directory, struct p2e_pin_names *names)
{
    struct dirent *entry;

    while ((entry = readdir(directory))) {
        bool is_filter = entry->d_type == DT_DIR && !strchr(".~", *entry->d_name);

        if (is_filter && add_name(names, entry->d_name))
            return -1;
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int p2e_pins_list(const char *pin_dir, struct p2e_pin_names *names, struct p2e_error *err)
{
    int found = check_folder(pin_dir, err), result;
    DIR *directory;

    *names = (struct p2e_pin_names){0};
    if (found <= 0)
        return found;
    directory = opendir(pin_dir);
    if (!directory)
        return p2e_error_set(err, "cannot read pin folder %s: %m", pin_dir);
    result = add_names(directory, names);
    closedir(directory);
    if (result) {
        p2e_pin_names_free(names);
        return p2e_error_set(err, "out of memory");
    }
    if (names->count)
        qsort(names->names, names->count, sizeof(*names->names), compare_names);
    return 0;
}
