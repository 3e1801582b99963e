#include "agent/build.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

int p2e_build_path(const char *folder, const struct p2e_filter *filter, char *path, size_t size,
                   struct p2e_error *err)
{
    // No folder is an option to the tools.
    const char *here = *folder == '-' ? "./" : "";
    if (snprintf(path, size, "%s%s/%s.bpf.o", here, folder, filter->name) >= (int)size)
        return p2e_error_set(err, "the path %s is too long", folder);
    return 0;
}

// Is the object of this source, and does it say of itself what a loader compares?
static bool is_of(const struct p2e_description *object, const struct p2e_filter *filter,
                  const struct p2e_program_source *source)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);
    return canonical && !strcmp(object->digest, source->digest) &&
           !strcmp(object->canonical, canonical);
}

// Whatever is wrong with what stands at `path`, compiling mends it.
static bool is_current(const char *path, const struct p2e_filter *filter,
                       const struct p2e_program_source *source)
{
    struct p2e_object object;
    struct p2e_error ignored;
    if (p2e_object_open(path, &object, &ignored) < 0)
        return false;
    bool current = is_of(&object.description, filter, source);
    p2e_object_close(&object);
    return current;
}

// Before clang trips over it.
static int check_writable(const char *folder, struct p2e_error *err)
{
    if (access(folder, W_OK | X_OK) < 0)
        return p2e_error_set(err,
                             "cannot write objects into %s: %s; make it writable, or name another "
                             "folder (object_dir)",
                             folder, strerror(errno));
    return 0;
}

static int write_kept_source(const char *object_path, const struct p2e_program_source *source,
                             struct p2e_error *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s", object_path);
    path[strlen(path) - 1] = 'c';
    return p2e_file_write(path, source->text.data, source->text.size, err);
}

int p2e_build_update(const char *folder, const struct p2e_filter *filter, bool keep_source,
                     bool *compiled, struct p2e_error *err)
{
    char path[4096];
    _cleanup_(p2e_program_source_free) struct p2e_program_source source = {0};
    *compiled = false;
    if (p2e_build_path(folder, filter, path, sizeof(path), err) < 0 ||
        p2e_compile_source(filter, &source, err) < 0 || p2e_file_make_dir(folder, err) < 0)
        return -1;
    if (keep_source && write_kept_source(path, &source, err) < 0)
        return -1;
    if (is_current(path, filter, &source))
        return 0;
    if (check_writable(folder, err) < 0)
        return -1;
    if (p2e_compile_object(&source, path, err) < 0)
        return p2e_error_prefix(err, "filter \"%s\"", filter->name);
    *compiled = true;
    return 0;
}

// ---- An object for the occasion -----------------------------------------------------------------
static int open_compiled(const struct p2e_program_source *source, struct p2e_object *object,
                         struct p2e_error *err)
{
    char folder[PATH_MAX], path[PATH_MAX + 16];
    const char *parent = getenv("TMPDIR");
    parent = parent && *parent ? parent : "/tmp";
    if (snprintf(folder, sizeof(folder), "%s/p2e-XXXXXX", parent) >= (int)sizeof(folder))
        return p2e_error_set(err, "TMPDIR is too long a path");
    if (!mkdtemp(folder))
        return p2e_error_set(err, "cannot make a temporary folder in %s: %s", parent,
                             strerror(errno));
    snprintf(path, sizeof(path), "%s/filter.bpf.o", folder);
    int result = p2e_compile_object(source, path, err);
    if (result == 0)
        result = p2e_object_open(path, object, err);
    unlink(path);
    rmdir(folder);
    return result;
}

int p2e_build_open(const char *folder, const struct p2e_filter *filter, struct p2e_object *object,
                   struct p2e_error *err)
{
    char path[4096];
    _cleanup_(p2e_program_source_free) struct p2e_program_source source = {0};
    if (p2e_compile_source(filter, &source, err) < 0)
        return -1;
    if (folder && p2e_build_path(folder, filter, path, sizeof(path), err) < 0)
        return -1;
    if (folder && is_current(path, filter, &source))
        return p2e_object_open(path, object, err);
    return open_compiled(&source, object, err);
}
