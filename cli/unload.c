#include <stdio.h>

#include "agent/apply.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/options.h"
#include "loader/published.h"

static int remove_one(const struct p2e_command *command, const char *pin_dir, const char *name)
{
    struct p2e_error err;
    if (p2e_pins_remove(pin_dir, name, &err) < 0)
        return p2e_fail(command, &err);
    printf("%s: removed\n", name);
    return P2E_EXIT_OK;
}

// A name goes into a path only if it can be a filter's.
static int remove_named(const struct p2e_command *command, const char *pin_dir, char **names)
{
    int status = P2E_EXIT_OK;
    for (; *names; names++) {
        struct p2e_error err;
        if (p2e_published_name(*names)) {
            status |= remove_one(command, pin_dir, *names);
            continue;
        }
        p2e_error_set(&err, "filter \"%s\" is not pinned in %s", *names, pin_dir);
        status = p2e_fail(command, &err);
    }
    return status;
}

// The table that says which filter is for which socket goes with the last filter.
static int unpublish(const struct p2e_command *command, const char *pin_dir, int status)
{
    _cleanup_(p2e_names_free) struct p2e_names pinned = {0};
    struct p2e_error err;
    if (p2e_pins_list(pin_dir, &pinned, &err) < 0 ||
        (pinned.count == 0 && p2e_published_remove(pin_dir, &err) < 0))
        return p2e_fail(command, &err);
    return status;
}

static int unload(const struct p2e_command *command, const char *config_path, bool all,
                  char **names)
{
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    _cleanup_(p2e_names_free) struct p2e_names pinned = {0};
    struct p2e_error err;
    int status = P2E_EXIT_OK;
    if (p2e_read_config(config_path, &config, &err) < 0 || p2e_apply_recover(&config, &err) < 0 ||
        p2e_pins_list(config.pin_dir, &pinned, &err) < 0)
        return p2e_fail(command, &err);
    if (!all)
        status = remove_named(command, config.pin_dir, names);
    for (size_t i = 0; all && i < pinned.count; i++)
        status |= remove_one(command, config.pin_dir, pinned.names[i]);
    return pinned.count ? unpublish(command, config.pin_dir, status) : status;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    const char *config = NULL;
    bool all = false;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &config},
        {.name = "all", .flag = &all},
        {0},
    };
    int first, status = p2e_parse_options(command, argc, argv, options, &first);
    if (status >= 0)
        return status;
    if (all == (first < argc))
        return p2e_usage_error(command, "name filters, or say --all");
    return unload(command, config, all, argv + first);
}

const struct p2e_command p2e_unload_command = {
    .name = "unload",
    .usage = "[-c FILE] (FILTER… | --all)",
    .summary = "remove pinned filters",
    .help =
        "Sockets that are attached to a filter receive nothing more once it is unloaded, until "
        "their\n"
        "server is started anew: the kernel empties the slot that they look into, and an empty\n"
        "slot drops. (In monitor mode they receive everything.) Loading the filter again does "
        "not\n"
        "bring them back. End the servers first. To change rules, do not unload: p2e load "
        "replaces\n"
        "the program under them.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf); its "
        "pin_dir is\n"
        "                       what counts, a filter need not be in it\n"
        "      --all            all filters that are pinned in pin_dir\n"
        "      --help           this text\n\n"
        "Exits with 1 if any filter could not be removed.\n",
    .run = run,
};
