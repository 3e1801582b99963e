#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "config/read.h"
#include "config/source.h"

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
