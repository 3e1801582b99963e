#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

// errno.h first: skel_internal.h uses it and does not include it.
#include <bpf/skel_internal.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "loader/sys.h"

#define LOG_SIZE (16 << 20)

// The loader program's context, as large as it can get: the header, a row a map, a row a program.
struct context {
    alignas(8) char bytes[sizeof(struct bpf_loader_ctx) +
                          P2E_BLOB_MAX_MAPS * sizeof(struct bpf_map_desc) +
                          P2E_BLOB_MAX_PROGRAMS * sizeof(struct bpf_prog_desc)];
    struct bpf_loader_ctx *header;
    struct bpf_map_desc *maps;
    struct bpf_prog_desc *programs;
};

// Maps that have a value for each walker state.
static bool is_per_state(const char *map)
{
    return !strcmp(map, P2E_MAP_STATE) || !strcmp(map, P2E_MAP_DISTINCT);
}

static void prepare(struct context *context, const struct p2e_blob *blob,
                    const struct p2e_options *options)
{
    memset(context->bytes, 0, sizeof(context->bytes));
    context->header = (void *)context->bytes;
    context->maps = (void *)(context->header + 1);
    context->programs = (void *)(context->maps + blob->map_count);
    context->header->sz =
        (uint32_t)((char *)(context->programs + blob->program_count) - context->bytes);
    for (uint32_t i = 0; i < blob->map_count; i++) {
        if (!strcmp(blob->maps[i].name, P2E_MAP_OPTIONS))
            context->maps[i].initial_value = (uintptr_t)options;
        if (is_per_state(blob->maps[i].name))
            context->maps[i].max_entries = options->state_count;
    }
}

// 0, or a negative errno; *step then names what failed.
static int run(const struct p2e_blob *blob, struct context *context, const char **step)
{
    struct bpf_load_and_run_opts run = {
        .ctx = context->header,
        .insns = (const char *)blob + blob->insns_offset,
        .insns_sz = blob->insns_size,
        .data = (const char *)blob + blob->data_offset,
        .data_sz = blob->data_size,
    };
    int result = bpf_load_and_run(&run);

    *step = run.errstr;
    return result;
}

// ---- Results ------------------------------------------------------------------------------------
// Programs hold what they use: a descriptor that nobody asks for again can be closed.
static void keep(struct p2e_handles *handles, const char *name, int fd)
{
    for (size_t i = 0; i < P2E_PART_COUNT; i++) {
        int *handle = p2e_part_handle(handles, &p2e_parts[i]);

        if (*handle < 0 && !strcmp(p2e_parts[i].name, name)) {
            *handle = fd;
            return;
        }
    }
    close(fd);
}

static void take_results(const struct p2e_blob *blob, const struct context *context,
                         struct p2e_handles *handles)
{
    *handles = P2E_NO_HANDLES;
    for (uint32_t i = 0; i < blob->map_count; i++)
        keep(handles, blob->maps[i].name, context->maps[i].map_fd);
    for (uint32_t i = 0; i < blob->program_count; i++)
        keep(handles, blob->programs[i], context->programs[i].prog_fd);
}

// ---- Failures -----------------------------------------------------------------------------------
static int refused_for_privilege(const char *missing, struct p2e_error *err)
{
    if (missing)
        return p2e_error_set(err,
                             "loading a program needs %s, which this process has not got; run it "
                             "with them, or let a process that has them pin the program: p2e load",
                             missing);
    return p2e_error_set(err,
                         "bpf(2) is refused although this process has CAP_BPF and CAP_PERFMON: "
                         "a user namespace or a container's seccomp profile is in the way; let "
                         "a process outside pin the program: p2e load");
}

// Loads once more with the verifier's log on, and leaves it in log_path. The first try goes
// without, because the log is what makes loading slow.
static int write_log(const struct p2e_object *object, const struct p2e_options *options,
                     const char *log_path, struct p2e_error *err)
{
    struct p2e_handles handles;
    struct context context;
    const char *step;
    char *log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int result;

    if (log == MAP_FAILED)
        return p2e_error_set(err, "out of memory");
    prepare(&context, object->blob, options);
    context.header->log_level = 1;
    context.header->log_buf = (uintptr_t)log;
    context.header->log_size = LOG_SIZE;
    if (!run(object->blob, &context, &step)) {
        take_results(object->blob, &context, &handles);
        p2e_handles_close(&handles);
    }
    result = p2e_file_write(log_path, log, strnlen(log, LOG_SIZE), err);
    munmap(log, LOG_SIZE);
    return result;
}

static int refused_by_verifier(const struct p2e_object *object, const struct p2e_options *options,
                               const char *log_path, int error, struct p2e_error *err)
{
    const char *name = object->description.name;
    struct p2e_error log;

    if (!log_path)
        return p2e_error_set(err,
                             "the kernel refuses the program of filter \"%s\" (%s); run: p2e "
                             "check, which keeps the verifier's log",
                             name, strerrordesc_np(error));
    if (write_log(object, options, log_path, &log))
        return p2e_error_set(err,
                             "the kernel refuses the program of filter \"%s\" (%s), and its "
                             "log is lost: %s",
                             name, strerrordesc_np(error), log.text);
    return p2e_error_set(err,
                         "the kernel refuses the program of filter \"%s\" (%s): simplify its "
                         "rules, or report it with the verifier's log, which is in %s",
                         name, strerrordesc_np(error), log_path);
}

// Is this kernel older than what the filter's rules need?
static bool is_too_old(uint32_t needed)
{
    struct utsname name;
    unsigned major, minor;

    return !uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
           P2E_KERNEL(major, minor) < needed;
}

static int refused_for_age(const struct p2e_object *object, struct p2e_error *err)
{
    uint32_t needed = object->description.kernel;

    return p2e_error_set(err,
                         "filter \"%s\" has rules with \"now\", the time, which need Linux %u.%u "
                         "or later; this kernel is older",
                         object->description.name, needed >> 16, needed & 0xffff);
}

// The loader program runs the loads: until it does, the verifier has not seen the filter.
static bool filter_was_seen(const char *step)
{
    return step && strstr(step, "execute");
}

static int explain(const struct p2e_object *object, const struct p2e_options *options,
                   const char *log_path, int error, const char *step, struct p2e_error *err)
{
    const char *missing = p2e_missing_capabilities();

    if (error == EPERM || (missing && error != ENOMEM))
        return refused_for_privilege(missing, err);
    if (error == ENOSYS)
        return p2e_error_set(err, "this kernel has no bpf(2), or a seccomp profile hides it");
    if (error == ENOMEM)
        return p2e_error_set(err, "the kernel is out of memory for the program of filter \"%s\"",
                             object->description.name);
    if (filter_was_seen(step) && is_too_old(object->description.kernel))
        return refused_for_age(object, err);
    if (filter_was_seen(step))
        return refused_by_verifier(object, options, log_path, error, err);
    return p2e_error_set(err,
                         "this kernel cannot run loader programs (%s: %s); Linux 5.14 or later "
                         "is needed",
                         step, strerrordesc_np(error));
}

int p2e_object_load(const struct p2e_object *object, const struct p2e_options *options,
                    const char *log_path, struct p2e_handles *handles, struct p2e_error *err)
{
    struct context context;
    const char *step;
    int result;

    *handles = P2E_NO_HANDLES;
    prepare(&context, object->blob, options);
    result = run(object->blob, &context, &step);
    if (result)
        return explain(object, options, log_path, -result, step, err);
    take_results(object->blob, &context, handles);
    return 0;
}
