#include "config/config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/read.h"
#include "config/source.h"

const char *p2e_config_find(void)
{
    const char *path = secure_getenv("P2E_CONFIG");
    return path && *path ? path : P2E_CONFIG_DEFAULT_PATH;
}

// ---- Loading ------------------------------------------------------------------------------------

// Says what to do about a config file that cannot be read, by errno.
static int fail_unreadable(const char *path, struct p2e_error *err)
{
    switch (errno) {
    case ENOENT:
        return p2e_error_set(err,
                             "there is no config file %s; p2e reads the file that the environment "
                             "variable P2E_CONFIG names, or else " P2E_CONFIG_DEFAULT_PATH
                             ": write it, or set P2E_CONFIG to where it is",
                             path);
    case EACCES:
        return p2e_error_set(
            err,
            "the config file %s cannot be read: %m; the user that the program runs "
            "as needs read permission on it and on the folders above it",
            path);
    case EISDIR:
        return p2e_error_set(err,
                             "the config file %s is a directory; P2E_CONFIG has to name the file, "
                             "like %s/p2e.conf",
                             path, path);
    default:
        return p2e_error_prefix(err, "the config file");
    }
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
    return folder ? realpath(folder, NULL) : NULL;
}

static int load(const char *path, struct p2e_config *config, struct p2e_error *err)
{
    _cleanup_(p2e_source_free) struct p2e_source source = {0};
    if (p2e_source_read(path, &source, err) < 0)
        return source.file_count ? -1 : fail_unreadable(path, err);
    _cleanup_free_ char *folder = folder_of(path);
    if (!folder)
        return p2e_error_set(err, "the folder of the config file %s: %m", path);
    if (p2e_config_read(&source, folder, config, err) < 0)
        return -1;
    config->path = strdup(path);
    if (!config->path)
        return p2e_error_set(err, "out of memory");
    config->files = TAKE_PTR(source.files);
    config->file_count = source.file_count;
    source.file_count = 0;
    return 0;
}

int p2e_config_load(const char *path, struct p2e_config *config, struct p2e_error *err)
{
    *config = (struct p2e_config){0};
    if (load(path, config, err) == 0)
        return 0;
    p2e_config_free(config);
    return -1;
}

// ---- Release ------------------------------------------------------------------------------------

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}

void p2e_filter_free(struct p2e_filter *filter)
{
    for (size_t i = 0; i < filter->rule_count; i++) {
        free(filter->rules[i].id);
        free(filter->rules[i].expression);
        free(filter->rules[i].message);
    }
    free(filter->rules);
    free_strings(filter->includes, filter->include_count);
    free(filter->name);
    free(filter->ports);
    free(filter->path);
    free(filter->schema);
    free(filter->message);
    free(filter->program);
    *filter = (struct p2e_filter){0};
}

void p2e_config_free(struct p2e_config *config)
{
    for (size_t i = 0; i < config->filter_count; i++)
        p2e_filter_free(&config->filters[i]);
    free(config->filters);
    free_strings(config->files, config->file_count);
    free(config->path);
    free(config->object_dir);
    free(config->pin_dir);
    *config = (struct p2e_config){0};
}

// ---- Asking -------------------------------------------------------------------------------------

const struct p2e_filter *p2e_config_filter(const struct p2e_config *config, const char *name)
{
    for (size_t i = 0; i < config->filter_count; i++)
        if (!strcmp(config->filters[i].name, name))
            return &config->filters[i];
    return NULL;
}

const char *p2e_transport_name(enum p2e_transport transport)
{
    static const char *const names[] = {
        [P2E_UDP] = "udp", [P2E_UNIXGRAM] = "unixgram", [P2E_UNIXSEQ] = "unixseq"};
    return names[transport];
}
