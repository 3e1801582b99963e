#include "loader/published.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/sys.h"

// ---- Paths --------------------------------------------------------------------------------------
struct paths {
    char *pin, *temporary;
};

static void paths_free(struct paths *paths)
{
    free(paths->pin);
    free(paths->temporary);
}

static int name_paths(const char *pin_dir, struct paths *paths, struct p2e_error *err)
{
    if (asprintf(&paths->pin, "%s/" P2E_PIN_PUBLISHED, pin_dir) < 0)
        paths->pin = NULL;
    // The lock's holder alone uses it: one name does, and what a dead writer left has that name.
    if (asprintf(&paths->temporary, "%s/" P2E_PIN_PUBLISHED "~", pin_dir) < 0)
        paths->temporary = NULL;
    return paths->pin && paths->temporary ? 0 : p2e_error_set(err, "out of memory");
}

// ---- Writing ------------------------------------------------------------------------------------
static int create_map(size_t size)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY,
        .key_size = sizeof(uint32_t),
        .value_size = (uint32_t)size,
        .max_entries = 1,
        .map_name = P2E_MAP_PUBLISHED,
    };

    return p2e_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

// From then on nobody changes it, by whatever descriptor.
static int freeze_map(int map)
{
    union bpf_attr attr = {.map_fd = (uint32_t)map};

    return p2e_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr));
}

static int make_map(const struct p2e_buffer *table, int *map, struct p2e_error *err)
{
    const char *missing;

    *map = create_map(table->size);
    if (*map < 0 && errno == EPERM && (missing = p2e_missing_capabilities()))
        return p2e_error_set(err, "cannot publish: this needs %s; run it as root", missing);
    if (*map < 0 || p2e_bpf_map_update(*map, 0, table->data) || freeze_map(*map))
        return p2e_error_set(err, "cannot make a map for the published table: %m");
    return 0;
}

static int put_in_place(const struct paths *paths, int map, struct p2e_error *err)
{
    unlink(paths->temporary);
    if (!p2e_bpf_pin(paths->temporary, map) && !chmod(paths->temporary, 0444) &&
        !rename(paths->temporary, paths->pin))
        return 0;
    p2e_error_set(err, "cannot pin %s: %m", paths->pin);
    unlink(paths->temporary);
    return -1;
}

static bool is_there(const char *pin_dir, const struct p2e_buffer *table)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer there = {0};

    return p2e_published_bytes(pin_dir, &there, NULL) > 0 && there.size == table->size &&
           !memcmp(there.data, table->data, table->size);
}

int p2e_published_write(const struct p2e_config *config, struct p2e_error *err)
{
    _cleanup_(paths_free) struct paths paths = {0};
    _cleanup_(p2e_buffer_free) struct p2e_buffer table = {0};
    _cleanup_(p2e_pins_unlock) int lock = -1;
    _cleanup_fd_ int map = -1;

    if (name_paths(config->pin_dir, &paths, err) || p2e_published_encode(config, &table, err))
        return -1;
    if (is_there(config->pin_dir, &table))
        return 0;
    if (make_map(&table, &map, err) || p2e_pins_make_dir(config->pin_dir, err))
        return -1;
    lock = p2e_pins_lock(config->pin_dir, err);
    if (lock < 0)
        return -1;
    return put_in_place(&paths, map, err);
}

int p2e_published_remove(const char *pin_dir, struct p2e_error *err)
{
    _cleanup_(paths_free) struct paths paths = {0};
    _cleanup_(p2e_pins_unlock) int lock = -1;

    if (name_paths(pin_dir, &paths, err))
        return -1;
    lock = p2e_pins_lock(pin_dir, err);
    if (lock < 0)
        return -1;
    if (unlink(paths.pin) && errno != ENOENT)
        return p2e_error_set(err, "cannot remove %s: %m", paths.pin);
    unlink(paths.temporary);
    return 0;
}

// ---- Reading ------------------------------------------------------------------------------------
// Where others may add to the folder, be it sticky, a link to any map could be the table.
static int check_writers(const char *pin_dir, struct p2e_error *err)
{
    struct stat st;

    if (lstat(pin_dir, &st))
        return p2e_error_set(err, "cannot look into pin folder %s: %m", pin_dir);
    if (st.st_mode & 022)
        return p2e_error_set(err,
                             "pin folder %s can be written by others: its published table is not "
                             "trusted; run: chmod go-w %s",
                             pin_dir, pin_dir);
    return 0;
}

// 1, 0: there is none, -1. Links are not followed; the folder's owner alone could make a new one.
static int check_pin(const char *pin_dir, const char *pin, struct p2e_error *err)
{
    int found = p2e_folder_check(pin_dir, err);
    struct stat st;

    if (found <= 0)
        return found;
    if (lstat(pin, &st))
        return errno == ENOENT ? 0 : p2e_error_set(err, "cannot look for %s: %m", pin);
    if (!S_ISREG(st.st_mode) || !p2e_owner_is_trusted(&st))
        return p2e_error_set(err,
                             "the published table %s is not a pin of root's: not trusted; remove "
                             "it, and let whoever may load publish it anew",
                             pin);
    return check_writers(pin_dir, err) ? -1 : 1;
}

static int open_map(const char *pin, struct bpf_map_info *info, struct p2e_error *err)
{
    _cleanup_fd_ int map = p2e_bpf_open(pin, true);

    if (map < 0 && errno == EPERM)
        return p2e_error_set(err,
                             "opening the published table %s is refused (%m): needs Linux 5.19, or "
                             "CAP_BPF, and a seccomp profile that allows bpf(2)",
                             pin);
    if (map < 0)
        return p2e_error_set(err, "cannot open the published table %s: %m", pin);
    // The kernel answers for programs and links too, in other words: they have no such name.
    if (p2e_bpf_map_info(map, info) || info->type != BPF_MAP_TYPE_ARRAY || info->max_entries != 1 ||
        info->key_size != sizeof(uint32_t) || info->value_size > P2E_PUBLISHED_MAX ||
        strcmp(info->name, P2E_MAP_PUBLISHED))
        return p2e_error_set(err, "the pin %s is not p2e's: not trusted; remove it", pin);
    return TAKE_FD(map);
}

static int read_map(const char *pin, struct p2e_buffer *out, struct p2e_error *err)
{
    _cleanup_free_ char *value = NULL;
    _cleanup_fd_ int map = -1;
    struct bpf_map_info info;

    map = open_map(pin, &info, err);
    if (map < 0)
        return -1;
    value = malloc(info.value_size);
    if (!value || p2e_bpf_map_lookup(map, 0, value))
        return p2e_error_set(err, "cannot read the published table %s: %m", pin);
    p2e_buffer_add(out, value, info.value_size);
    return out->failed ? p2e_error_set(err, "out of memory") : 0;
}

// What is read, and as a config.
static int read_table(const char *pin_dir, struct p2e_buffer *out, struct p2e_config *config,
                      struct p2e_error *err)
{
    _cleanup_(paths_free) struct paths paths = {0};
    int found;

    if (name_paths(pin_dir, &paths, err))
        return -1;
    found = check_pin(pin_dir, paths.pin, err);
    if (found <= 0)
        return found;
    if (read_map(paths.pin, out, err) ||
        p2e_published_parse(out->data, out->size, paths.pin, config, err))
        return -1;
    return 1;
}

int p2e_published_bytes(const char *pin_dir, struct p2e_buffer *out, struct p2e_error *err)
{
    _cleanup_(p2e_config_free) struct p2e_config config = {0};

    return read_table(pin_dir, out, &config, err);
}

int p2e_published_read(const char *pin_dir, struct p2e_config *config, struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer table = {0};
    int found;

    *config = (struct p2e_config){0};
    found = read_table(pin_dir, &table, config, err);
    if (found <= 0)
        return found;
    config->pin_dir = strdup(pin_dir);
    if (config->pin_dir)
        return 1;
    p2e_config_free(config);
    return p2e_error_set(err, "out of memory");
}

// ---- Programs -----------------------------------------------------------------------------------
static int check_pinned(const char *pin_dir, const struct p2e_filter *filter,
                        const struct p2e_handles *handles,
                        const struct p2e_description *description, struct p2e_error *err)
{
    struct p2e_options wanted, pinned;

    p2e_options_for(filter->transport, filter->mode, &wanted);
    if (strcmp(description->name, filter->name))
        return p2e_error_set(err, "the pins in %s/%s are filter \"%s\": not trusted", pin_dir,
                             filter->name, description->name);
    if (p2e_options_read(handles->options, &pinned, NULL) || !p2e_options_match(&wanted, &pinned))
        return p2e_error_set(err,
                             "the pins in %s/%s are for another transport or mode than the "
                             "published table has; let whoever may load publish it anew, then "
                             "start this server again",
                             pin_dir, filter->name);
    return 0;
}

int p2e_published_program(const char *pin_dir, const struct p2e_filter *filter, int *program,
                          struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description description = {0};
    int found = p2e_pins_open(pin_dir, filter->name, &handles, &description, err);

    if (found < 0)
        return -1;
    if (!found)
        return p2e_error_set(err,
                             "it is published and not pinned in %s; let whoever may load pin it: "
                             "p2e run",
                             pin_dir);
    if (check_pinned(pin_dir, filter, &handles, &description, err))
        return -1;
    *program = TAKE_FD(handles.entry);
    return 0;
}
