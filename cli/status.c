#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/build.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"
#include "loader/loader.h"

// What is known of one filter. `counters` is NULL where it is not pinned, or they are hidden.
struct state {
    const char *where; // "pinned", "not loaded", "not compiled", "broken"
    struct p2e_error err;
    struct p2e_description description;
    uint64_t *counters;
    bool has_error;
    bool hides_counters; // from this process
    bool stale;          // of other rules than the configuration has
};

static const char *const reasons[] = {"passed", "malformed", "oversized", "aggregated", "busy"};

static void state_free(struct state *state)
{
    p2e_description_free(&state->description);
    free(state->counters);
}

static bool is_stale(const struct p2e_filter *filter, const struct p2e_description *description)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);
    return canonical && strcmp(canonical, description->canonical);
}

static void set_broken(struct state *state)
{
    state->where = "broken";
    state->has_error = true;
}

static void look_at_object(const struct p2e_config *config, const struct p2e_filter *filter,
                           struct state *state)
{
    char path[4096];
    struct p2e_object object;
    if (p2e_build_path(config->object_dir, filter, path, sizeof(path), &state->err) < 0) {
        set_broken(state);
        return;
    }
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        state->where = "not compiled";
        return;
    }
    if (p2e_object_open(path, &object, &state->err) < 0) {
        set_broken(state);
        return;
    }
    state->where = "not loaded";
    state->stale = is_stale(filter, &object.description);
    p2e_object_close(&object);
}

// Counters of messages are read where the messages are: not by everyone.
static int read_counters(struct state *state, int states)
{
    state->hides_counters = states < 0;
    if (state->hides_counters)
        return 0;
    uint32_t rules = state->description.rule_count;
    state->counters = calloc(P2E_COUNT_RULES + rules, sizeof(uint64_t));
    if (!state->counters)
        return p2e_error_set(&state->err, "out of memory");
    return p2e_counters_read(states, rules, state->counters, &state->err);
}

static void look_at(const struct p2e_config *config, const struct p2e_filter *filter,
                    struct state *state)
{
    struct p2e_handles handles;
    *state = (struct state){.where = "pinned"};
    int found =
        p2e_pins_open(config->pin_dir, filter->name, &handles, &state->description, &state->err);
    if (found == 0) {
        look_at_object(config, filter, state);
        return;
    }
    if (found < 0 || read_counters(state, handles.state) < 0)
        set_broken(state);
    else
        state->stale = is_stale(filter, &state->description);
    p2e_handles_close(&handles);
}

static uint64_t dropped(const struct state *state)
{
    uint64_t sum = 0;
    for (uint32_t i = P2E_COUNT_PASSED + 1; i < P2E_COUNT_RULES + state->description.rule_count;
         i++)
        sum += state->counters[i];
    return sum;
}

// ---- Text ---------------------------------------------------------------------------------------
// A rule's text on one line, with nothing that a terminal would obey.
static void print_rule(const char *id, const char *expression)
{
    printf("   rule %s: ", id);
    for (; *expression; expression++)
        putchar((unsigned char)*expression < ' ' || *expression == 0x7f ? ' ' : *expression);
    putchar('\n');
}

static void print_counters(const struct p2e_filter *filter, const struct state *state)
{
    printf("    %12" PRIu64 " passed\n    %12" PRIu64 " %s\n", state->counters[P2E_COUNT_PASSED],
           dropped(state), filter->mode == P2E_MONITOR ? "would drop" : "dropped");
    for (uint32_t i = P2E_COUNT_MALFORMED; i < P2E_COUNT_RULES; i++) {
        if (state->counters[i])
            printf("    %12" PRIu64 "   %s\n", state->counters[i], reasons[i]);
    }
    for (uint32_t i = 0; i < state->description.rule_count; i++) {
        printf("    %12" PRIu64, state->counters[P2E_COUNT_RULES + i]);
        print_rule(state->description.rule_ids[i], state->description.rule_expressions[i]);
    }
}

static void print_text(const struct p2e_filter *filter, const char *place,
                       const struct state *state)
{
    printf("%-16s %-9s %-24s %s%s%s\n", filter->name, p2e_transport_name(filter->transport), place,
           state->where, state->stale ? ", of other rules than the configuration has" : "",
           filter->mode == P2E_MONITOR ? ", monitor" : "");
    if (state->has_error)
        printf("    %s\n", state->err.text);
    if (state->counters)
        print_counters(filter, state);
    else if (state->hides_counters)
        printf("    counters are for root: run p2e status as root\n");
}

// ---- JSON ---------------------------------------------------------------------------------------
static void print_json_counters(const struct state *state)
{
    for (uint32_t i = 0; i < P2E_COUNT_RULES; i++)
        printf(",\"%s\":%" PRIu64, reasons[i], state->counters[i]);
    printf(",\"dropped\":%" PRIu64 ",\"rules\":[", dropped(state));
    for (uint32_t i = 0; i < state->description.rule_count; i++) {
        printf("%s{", i ? "," : "");
        p2e_json_text("id", state->description.rule_ids[i], true);
        p2e_json_text("expression", state->description.rule_expressions[i], false);
        printf(",\"dropped\":%" PRIu64 "}", state->counters[P2E_COUNT_RULES + i]);
    }
    printf("]");
}

static void print_json(size_t index, const struct p2e_filter *filter, const char *place,
                       const struct state *state)
{
    p2e_json_row(index);
    printf("{");
    p2e_json_text("filter", filter->name, true);
    p2e_json_text("transport", p2e_transport_name(filter->transport), false);
    p2e_json_text("socket", place, false);
    p2e_json_text("mode", filter->mode == P2E_MONITOR ? "monitor" : "enforce", false);
    p2e_json_text("state", state->where, false);
    printf(",\"stale\":%s", state->stale ? "true" : "false");
    if (state->has_error)
        p2e_json_text("error", state->err.text, false);
    if (state->counters)
        print_json_counters(state);
    printf("}");
}

// 0, or -1 where something is broken.
static int print_one(size_t index, const struct p2e_config *config, const struct p2e_filter *filter,
                     bool json)
{
    _cleanup_(state_free) struct state state;
    _cleanup_free_ char *place = p2e_filter_place(filter);
    const char *shown = place ? place : "";
    look_at(config, filter, &state);
    if (json)
        print_json(index, filter, shown, &state);
    else
        print_text(filter, shown, &state);
    return state.has_error ? -1 : 0;
}

static int print_all(const struct p2e_config *config, bool json)
{
    int status = P2E_EXIT_OK;
    for (size_t i = 0; i < config->filter_count; i++) {
        if (print_one(i, config, &config->filters[i], json) < 0)
            status = P2E_EXIT_FAILED;
    }
    if (json)
        p2e_json_end(config->filter_count);
    return status;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &path},
        {.name = "json", .flag = &json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status >= 0)
        return status;
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(path, &config, &err) < 0)
        return p2e_fail(command, &err);
    return print_all(&config, json);
}

const struct p2e_command p2e_status_command = {
    .name = "status",
    .usage = "[-c FILE] [--json]",
    .summary = "show the filters, where they are loaded, and what they count",
    .help = "For each filter: whether its program is not compiled, not loaded, pinned (shared by "
            "all its\n"
            "sockets) or broken, whether it is stale (of other rules than the configuration has), "
            "and how\n"
            "many messages passed and were dropped, by reason. Counts of a filter that a server "
            "loaded for\n"
            "itself alone, because there was no bpffs to pin it in, are not visible from here.\n\n"
            "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
            "      --json           print as JSON: [{\"filter\", \"transport\", \"socket\", "
            "\"mode\", \"state\",\n"
            "                       \"stale\", \"error\"}, …], and of what is pinned \"passed\", "
            "\"dropped\",\n"
            "                       \"malformed\", \"oversized\", \"aggregated\", \"busy\" and\n"
            "                       \"rules\": [{\"id\", \"expression\", \"dropped\"}, …]\n"
            "      --help           this text\n\n"
            "Exits with 1 if anything is broken.\n",
    .run = run,
};
