#include <stdio.h>
#include <string.h>

#include "agent/apply.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"
#include "loader/published.h"

struct work {
    const struct p2e_command *command;
    const char *config_path;
    bool json, takes_objects, prunes;
    bool loaded;  // any
    char **names; // of the filters that are meant; all where there are none
    int name_count;
    struct p2e_config config;
    size_t rows; // of JSON
    int status;
};

// What became of one filter; with `err` it failed.
static void report(struct work *w, const char *filter, const char *what,
                   const struct p2e_error *err)
{
    if (err)
        w->status = P2E_EXIT_FAILED;
    if (!w->json && err)
        p2e_fail(w->command, err);
    if (!w->json && !err)
        printf("%s: %s\n", filter, what);
    if (!w->json)
        return;
    p2e_json_row(w->rows++);
    printf("{");
    p2e_json_text("filter", filter, true);
    p2e_json_text("result", what, false);
    if (err)
        p2e_json_text("error", err->text, false);
    printf("}");
}

// ---- Filters of the configuration ---------------------------------------------------------------
static bool is_meant(const struct work *w, const char *filter)
{
    for (int i = 0; i < w->name_count; i++) {
        if (!strcmp(w->names[i], filter))
            return true;
    }
    return w->name_count == 0;
}

static int check_names(const struct work *w, struct p2e_error *err)
{
    for (int i = 0; i < w->name_count; i++) {
        if (!p2e_named_filter(&w->config, w->names[i], err))
            return -1;
    }
    return 0;
}

static void report_loaded(struct work *w, const char *filter, enum p2e_pinned pinned)
{
    w->loaded = true;
    report(w, filter, p2e_apply_name(pinned), NULL);
}

// One filter that fails keeps no other from it.
static void load_filters(struct work *w)
{
    for (size_t i = 0; i < w->config.filter_count; i++) {
        const struct p2e_filter *filter = &w->config.filters[i];
        enum p2e_pinned pinned;
        struct p2e_error err;
        if (!is_meant(w, filter->name))
            continue;
        if (p2e_apply_filter(&w->config, filter, !w->takes_objects, &pinned, &err) < 0)
            report(w, filter->name, "failed", &err);
        else
            report_loaded(w, filter->name, pinned);
    }
}

// For servers that have no configuration.
static void publish(struct work *w)
{
    struct p2e_error err;
    bool is_due = w->loaded || !w->config.filter_count; // no filters: none is to be found any more
    if (is_due && p2e_published_write(&w->config, &err) < 0)
        w->status = p2e_fail(w->command, &err);
}

// ---- Filters that it has no more ----------------------------------------------------------------
static void prune(struct work *w, const char *name)
{
    struct p2e_error err;
    if (!w->prunes)
        report(w, name, "not in the configuration", NULL);
    else if (p2e_pins_remove(w->config.pin_dir, name, &err) < 0)
        report(w, name, "failed", &err);
    else
        report(w, name, "removed", NULL);
}

static int look_for_gone(struct work *w, struct p2e_error *err)
{
    _cleanup_(p2e_names_free) struct p2e_names gone = {0};
    if (p2e_apply_gone(&w->config, &gone, err) < 0)
        return -1;
    for (size_t i = 0; i < gone.count; i++)
        prune(w, gone.names[i]);
    return 0;
}

// ---- The verbs ----------------------------------------------------------------------------------
static int work(struct work *w, bool with_gone, struct p2e_error *err)
{
    if (p2e_read_config(w->config_path, &w->config, err) < 0 || check_names(w, err) < 0 ||
        p2e_apply_recover(&w->config, err) < 0)
        return p2e_fail(w->command, err);
    load_filters(w);
    publish(w);
    if (with_gone && look_for_gone(w, err) < 0)
        w->status = p2e_fail(w->command, err);
    if (w->json)
        p2e_json_end(w->rows);
    return w->status;
}

static int run_load(const struct p2e_command *command, int argc, char **argv)
{
    struct work w = {.command = command};
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &w.config_path},
        {.name = "no-compile", .flag = &w.takes_objects},
        {.name = "json", .flag = &w.json},
        {0},
    };
    int first, status = p2e_parse_options(command, argc, argv, options, &first);
    if (status >= 0)
        return status;
    w.names = argv + first;
    w.name_count = argc - first;
    status = work(&w, false, &err);
    p2e_config_free(&w.config);
    return status;
}

static int run_reload(const struct p2e_command *command, int argc, char **argv)
{
    struct work w = {.command = command};
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &w.config_path},
        {.name = "no-compile", .flag = &w.takes_objects},
        {.name = "prune", .flag = &w.prunes},
        {.name = "json", .flag = &w.json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status >= 0)
        return status;
    status = work(&w, true, &err);
    p2e_config_free(&w.config);
    return status;
}

const struct p2e_command p2e_load_command = {
    .name = "load",
    .usage = "[-c FILE] [--no-compile] [--json] [FILTER]…",
    .summary = "load filters and pin them, for servers without privilege",
    .help =
        "Compiles what is not up to date, loads it and pins it in the configuration's pin_dir. A\n"
        "filter that is pinned with other rules, options or another schema is replaced: sockets\n"
        "that are attached go over to the new program at once. A filter that fails keeps its old\n"
        "program, and the others go on.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --no-compile     take the objects as they are; needs neither clang nor protoc\n"
        "      --json           print as JSON: [{\"filter\", \"result\", \"error\"}, …]; a result "
        "is\n"
        "                       \"loaded\", \"replaced\", \"up to date\" or \"failed\"\n"
        "      --help           this text\n\n"
        "Needs CAP_BPF and CAP_PERFMON, unless all is up to date. Exits with 1 if any filter "
        "failed.\n",
    .run = run_load,
};

const struct p2e_command p2e_reload_command = {
    .name = "reload",
    .usage = "[-c FILE] [--no-compile] [--prune] [--json]",
    .summary = "make what is pinned what the configuration says now",
    .help =
        "As p2e load for all filters; and filters that are pinned and no longer in the\n"
        "configuration are named, and left alone: a server may still use them.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --no-compile     take the objects as they are; needs neither clang nor protoc\n"
        "      --prune          remove what is no longer in the configuration, as p2e unload does\n"
        "      --json           print as JSON: [{\"filter\", \"result\", \"error\"}, …]; a result "
        "is\n"
        "                       \"loaded\", \"replaced\", \"up to date\", \"failed\", \"not in "
        "the\n"
        "                       configuration\" or \"removed\"\n"
        "      --help           this text\n\n"
        "Needs CAP_BPF and CAP_PERFMON, unless all is up to date. Exits with 1 if any filter "
        "failed.\n",
    .run = run_reload,
};
