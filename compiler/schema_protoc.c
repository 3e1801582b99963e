// Runs protoc, which is the one parser of .proto sources that its users' other tools agree with.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/process.h"
#include "compiler/schema_private.h"

#define STDERR_MAX 1200 // of what protoc says, so that our own sentence has room

// ---- Arguments ----------------------------------------------------------------------------------

struct arguments {
    char **list; // with room for a NULL at the end
    size_t count;
    bool failed; // out of memory
};

static void arguments_free(struct arguments *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->list[i]);
    free(a->list);
}

__attribute__((format(printf, 2, 3))) static void add_argument(struct arguments *a,
                                                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (a->failed || vasprintf(&a->list[a->count], format, args) < 0)
        a->failed = true;
    else
        a->count++;
    va_end(args);
}

// The folder of `path`, as protoc is to see it. Caller frees.
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

// A file is named with its folder, so that no name is an option to protoc.
static int build_arguments(struct arguments *a, const char *path, const char *folder,
                           const char *output, char *const *includes, size_t include_count)
{
    const char *protoc = getenv("P2E_PROTOC");
    a->list = calloc(include_count + 6, sizeof(*a->list));
    a->failed = !a->list;
    add_argument(a, "%s", protoc && protoc[0] ? protoc : "protoc");
    add_argument(a, "--include_imports");
    add_argument(a, "--descriptor_set_out=%s", output);
    add_argument(a, "--proto_path=%s", folder);
    for (size_t i = 0; i < include_count; i++)
        add_argument(a, "--proto_path=%s", includes[i]);
    add_argument(a, "%s%s", strchr(path, '/') ? "" : "./", path);
    return a->failed ? -1 : 0;
}

// protoc splits an import path at ':' and takes '=' for a mapping.
static int check_folder(const char *folder, struct p2e_error *err)
{
    if (strpbrk(folder, ":="))
        return p2e_error_set(err,
                             "the folder \"%s\" has ':' or '=' in its name, which protoc does "
                             "not take in an import path",
                             folder);
    return 0;
}

// ---- What helps ---------------------------------------------------------------------------------
static const char *skip_comments(const char *at)
{
    for (;;) {
        const char *end;
        at += strspn(at, " \t\r\n\v\f");
        if (!strncmp(at, "//", 2))
            at += strcspn(at, "\n");
        else if (!strncmp(at, "/*", 2) && (end = strstr(at + 2, "*/")))
            at = end + 2;
        else
            return at;
    }
}

static bool begins_with_edition(const char *path)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    struct p2e_error ignored;
    if (p2e_file_read(path, P2E_SCHEMA_SIZE_MAX, &text, &ignored) < 0 || !text.data)
        return false;
    const char *at = skip_comments(text.data);
    return !strncmp(at, "edition", 7) && *skip_comments(at + 7) == '=';
}

// One that knows editions finds no fault with their statement, whatever else it refuses.
static bool misses_syntax(const char *path, const char *said)
{
    const char *slash = strrchr(path, '/');
    char text[512];
    snprintf(text, sizeof(text), "No syntax specified for the proto file: %s.",
             slash ? slash + 1 : path);
    return strstr(said, text);
}

static const char *advice(const char *path, const char *said)
{
    if (misses_syntax(path, said) && begins_with_edition(path))
        return "\nthis protoc is too old for editions; take a newer one (P2E_PROTOC), or give a "
               "FileDescriptorSet that a newer one wrote";
    if (strstr(said, ": File not found."))
        return "\nimports are looked for in the file's own folder and in those of the filter's "
               "\"include\" (-I DIR of p2e eval and p2e explain)";
    return "";
}

// ---- The process --------------------------------------------------------------------------------
static int run(const char *path, char **arguments, struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer said = {0};
    int status = p2e_process_run(arguments,
                                 "a .proto file needs it; install the package protobuf-compiler, "
                                 "or give a FileDescriptorSet instead",
                                 NULL, 0, &said, err);
    if (status <= 0)
        return status;
    if (said.size > 0)
        return p2e_error_set(err, "protoc refuses \"%s\":\n%.*s%s", path, STDERR_MAX, said.data,
                             advice(path, said.data));
    return p2e_error_set(err, "protoc failed on \"%s\" without a word (status %d)", path, status);
}

// ---- All of it ----------------------------------------------------------------------------------

struct temporary {
    char path[4096];
    bool exists;
};

static void temporary_remove(const struct temporary *t)
{
    if (t->exists)
        unlink(t->path);
}

static int temporary_create(struct temporary *t, struct p2e_error *err)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(t->path, sizeof(t->path), "%s/p2e-schema-XXXXXX",
                          folder && folder[0] ? folder : "/tmp");
    if (length >= (int)sizeof(t->path))
        return p2e_error_set(err, "TMPDIR is too long a path");
    int fd = mkostemp(t->path, O_CLOEXEC);
    if (fd < 0)
        return p2e_error_set(err, "cannot make a temporary file %s: %s", t->path, strerror(errno));
    t->exists = true;
    close(fd);
    return 0;
}

int p2e_schema_protoc(const char *path, char *const *includes, size_t include_count,
                      struct p2e_buffer *set, struct p2e_error *err)
{
    if (access(path, R_OK) < 0)
        return p2e_error_set(err, "cannot read \"%s\": %s", path, strerror(errno));
    _cleanup_free_ char *folder = folder_of(path);
    if (!folder)
        return p2e_error_set(err, "out of memory");
    if (check_folder(folder, err) < 0)
        return -1;
    for (size_t i = 0; i < include_count; i++) {
        if (check_folder(includes[i], err) < 0)
            return -1;
    }

    _cleanup_(temporary_remove) struct temporary output = {0};
    if (temporary_create(&output, err) < 0)
        return -1;
    _cleanup_(arguments_free) struct arguments arguments = {0};
    if (build_arguments(&arguments, path, folder, output.path, includes, include_count) < 0)
        return p2e_error_set(err, "out of memory");
    if (run(path, arguments.list, err) < 0)
        return -1;
    return p2e_file_read(output.path, P2E_SCHEMA_SIZE_MAX, set, err);
}
