#include <stdio.h>

#include "agent/build.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"

struct settings {
    const char *config, *folder;
    bool keep_source, json;
};

// What became of one filter; with `err` it failed.
static void report_text(const char *folder, const struct p2e_filter *filter, const char *what,
                        const struct p2e_error *err)
{
    if (err) {
        fprintf(stderr, "p2e compile: %s\n", err->text);
        return;
    }
    p2e_put(stdout, folder, 0);
    printf("/%s.bpf.o: %s\n", filter->name, what);
}

static void report_json(size_t index, const struct p2e_filter *filter, const char *what,
                        const struct p2e_error *err)
{
    p2e_json_row(index);
    printf("{");
    p2e_json_text("filter", filter->name, true);
    p2e_json_text("result", what, false);
    if (err)
        p2e_json_text("error", err->text, false);
    printf("}");
}

// One filter that does not compile keeps no other from it.
static int compile_all(const struct settings *s, const struct p2e_config *config)
{
    int status = P2E_EXIT_OK;
    const char *folder = s->folder ? s->folder : config->object_dir;
    for (size_t i = 0; i < config->filter_count; i++) {
        const struct p2e_filter *filter = &config->filters[i];
        struct p2e_error err;
        bool compiled,
            failed = p2e_build_update(folder, filter, s->keep_source, &compiled, &err) < 0;
        const char *what = failed ? "failed" : compiled ? "compiled" : "up to date";
        if (failed)
            status = P2E_EXIT_FAILED;
        if (s->json)
            report_json(i, filter, what, failed ? &err : NULL);
        else
            report_text(folder, filter, what, failed ? &err : NULL);
    }
    if (s->json)
        p2e_json_end(config->filter_count);
    return status;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &s.config},
        {.name = "output", .letter = 'o', .value = &s.folder},
        {.name = "keep-source", .flag = &s.keep_source},
        {.name = "json", .flag = &s.json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status >= 0)
        return status;
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(s.config, &config, &err) < 0)
        return p2e_fail(command, &err);
    return compile_all(&s, &config);
}

const struct p2e_command p2e_compile_command = {
    .name = "compile",
    .usage = "[-c FILE] [-o DIR] [--keep-source] [--json]",
    .summary = "compile the filters' rules to objects that load",
    .help =
        "Writes NAME.bpf.o for each filter. An object that is up to date is not compiled again; a\n"
        "filter that does not compile leaves its old object as it was, and the others go on.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "  -o, --output DIR     where to, instead of the configuration's object_dir\n"
        "      --keep-source    leave the program's C source beside it, as NAME.bpf.c\n"
        "      --json           print as JSON: [{\"filter\", \"result\", \"error\"}, …]\n"
        "      --help           this text\n\n"
        "Needs clang and llvm-objcopy, and protoc for .proto files; no privilege.\n"
        "Exits with 1 if any filter failed.\n",
    .run = run,
};
