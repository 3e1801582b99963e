#include "agent/depend.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/build.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

#define SOURCE_MAX  (4 << 20)
#define IMPORTS_MAX 4096 // of all filters; a watch more costs little, one too few only a SIGHUP

void p2e_paths_add(struct p2e_paths *paths, const char *path)
{
    char *copy = strdup(path);
    char **more = copy ? reallocarray(paths->paths, paths->count + 1, sizeof(*more)) : NULL;
    if (!more) {
        free(copy);
        paths->failed = true;
        return;
    }
    paths->paths = more;
    paths->paths[paths->count++] = copy;
}

void p2e_paths_free(struct p2e_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->paths[i]);
    free(paths->paths);
    *paths = (struct p2e_paths){0};
}

// ---- Imports ------------------------------------------------------------------------------------
// One filter's schema, while its imports are looked for.
struct search {
    const struct p2e_filter *filter;
    struct p2e_paths *paths;
    size_t begin; // of this filter's files among the paths
};

static bool is_known(const struct search *search, const char *path)
{
    for (size_t i = search->begin; i < search->paths->count; i++) {
        if (!strcmp(search->paths->paths[i], path))
            return true;
    }
    return false;
}

static void add_file(const struct search *search, const char *path)
{
    if (!is_known(search, path) && search->paths->count < IMPORTS_MAX)
        p2e_paths_add(search->paths, path);
}

// True where the file is there: protoc looks no further.
static bool add_in(const struct search *search, const char *folder, size_t size, const char *name,
                   size_t name_size)
{
    _cleanup_free_ char *path = NULL;
    if (asprintf(&path, "%.*s/%.*s", (int)size, folder, (int)name_size, name) < 0) {
        path = NULL;
        search->paths->failed = true;
        return true;
    }
    add_file(search, path);
    return !access(path, F_OK);
}

// Its own folder is a .proto file's first import path.
static void add_import(const struct search *search, const char *name, size_t size)
{
    const char *schema = search->filter->schema, *slash = strrchr(schema, '/');
    if (add_in(search, schema, slash ? (size_t)(slash - schema) : 0, name, size))
        return;
    for (size_t i = 0; i < search->filter->include_count; i++) {
        const char *folder = search->filter->includes[i];
        if (add_in(search, folder, strlen(folder), name, size))
            return;
    }
}

static const char *skip_word(const char *at)
{
    at += strspn(at, "abcdefghijklmnopqrstuvwxyz");
    return at + strspn(at, " \t\r\n");
}

// What looks like an import in a comment is one more file to watch, which does no harm.
static void add_imports(const struct search *search, const char *text)
{
    static const char keyword[] = "import";
    const char *at = text;
    while ((at = strstr(at, keyword))) {
        bool begins = at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_');
        at = skip_word(at);
        if (*at != '"' && *at != '\'')
            at = skip_word(at); // "public", "weak", "option"
        if (!begins || (*at != '"' && *at != '\''))
            continue;
        const char end[] = {*at++, '\n', '\0'};
        size_t size = strcspn(at, end);
        add_import(search, at, size);
        at += size;
    }
}

// The list grows while it is gone through: imports of imports.
static void add_schema(const struct p2e_filter *filter, struct p2e_paths *paths)
{
    struct search search = {filter, paths, paths->count};
    add_file(&search, filter->schema);
    for (size_t i = search.begin; i < paths->count; i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
        const char *dot = strrchr(paths->paths[i], '.');
        if (dot && !strcmp(dot, ".proto") &&
            p2e_file_read(paths->paths[i], SOURCE_MAX, &text, NULL) == 0)
            add_imports(&search, text.data);
    }
}

// ---- All of it ----------------------------------------------------------------------------------
static void add_object(const struct p2e_config *config, const struct p2e_filter *filter,
                       struct p2e_paths *paths)
{
    char path[4096];
    if (p2e_build_path(config->object_dir, filter, path, sizeof(path), NULL) == 0)
        p2e_paths_add(paths, path);
}

void p2e_depend(const struct p2e_config *config, bool compile, struct p2e_paths *paths)
{
    for (size_t i = 0; i < config->file_count; i++)
        p2e_paths_add(paths, config->files[i]);
    for (size_t i = 0; i < config->filter_count; i++) {
        if (compile)
            add_schema(&config->filters[i], paths);
        else
            add_object(config, &config->filters[i], paths);
    }
}
