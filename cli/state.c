#include "cli/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/build.h"
#include "base/cleanup.h"

const char *const p2e_reasons[P2E_COUNT_RULES] = {"passed", "malformed", "oversized", "aggregated",
                                                  "busy"};

void p2e_state_free(struct p2e_state *state)
{
    p2e_description_free(&state->description);
    free(state->counters);
}

static bool is_stale(const struct p2e_filter *filter, const struct p2e_description *description)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);
    return canonical && strcmp(canonical, description->canonical);
}

static void set_broken(struct p2e_state *state)
{
    state->where = "broken";
    state->has_error = true;
}

static const char *look_at_object(const struct p2e_config *config, const struct p2e_filter *filter,
                                  struct p2e_error *err)
{
    char path[4096];
    struct p2e_object object;
    if (p2e_build_path(config->object_dir, filter, path, sizeof(path), err) < 0)
        return "broken";
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return "missing";
    if (p2e_object_open(path, &object, err) < 0)
        return "broken";
    bool stale = is_stale(filter, &object.description);
    p2e_object_close(&object);
    return stale ? "stale" : "up to date";
}

static void read_object(const struct p2e_config *config, const struct p2e_filter *filter,
                        struct p2e_state *state)
{
    struct p2e_error *err = &state->err, ignored;
    bool pinned = state->where != NULL;
    state->object = look_at_object(config, filter, pinned ? &ignored : err);
    if (pinned)
        return;
    state->where = !strcmp(state->object, "missing") ? "not compiled" : "not loaded";
    state->agreement = strcmp(state->object, "stale") ? P2E_AGREES : P2E_OTHER_RULES;
    if (!strcmp(state->object, "broken"))
        set_broken(state);
}

// Counters of messages are read where the messages are: not by everyone.
static int read_counters(struct p2e_state *state, int states)
{
    state->hides_counters = states < 0;
    if (state->hides_counters)
        return 0;
    uint32_t rules = state->description.rule_count;
    state->counters = calloc(P2E_COUNT_RULES + rules, sizeof(uint64_t));
    if (!state->counters)
        return p2e_error_set(&state->err, "out of memory");
    if (p2e_counters_id(states, &state->counting) < 0)
        return p2e_error_set(&state->err, "cannot read the counters: %m");
    return p2e_counters_read(states, rules, state->counters, &state->err);
}

static void compare(const struct p2e_config *config, const struct p2e_filter *filter,
                    int options_fd, struct p2e_state *state)
{
    struct p2e_options options;
    if (p2e_options_read(options_fd, &options, &state->err) < 0) {
        set_broken(state);
        return;
    }
    state->is_monitor = options.monitor;
    state->agreement = p2e_filter_agreement(config, filter, &state->description, &options, true);
}

static void read_pins(const struct p2e_config *config, const char *name,
                      const struct p2e_filter *filter, struct p2e_state *state)
{
    struct p2e_handles handles;
    int found = p2e_pins_open(config->pin_dir, name, &handles, &state->description, &state->err);
    if (found == 0)
        return;
    state->where = "pinned";
    if (found < 0 || read_counters(state, handles.state) < 0)
        set_broken(state);
    else if (filter)
        compare(config, filter, handles.options, state);
    p2e_handles_close(&handles);
}

void p2e_state_read(const struct p2e_config *config, const char *name,
                    const struct p2e_filter *filter, struct p2e_state *state)
{
    *state = (struct p2e_state){.is_monitor = filter && filter->mode == P2E_MONITOR};
    read_pins(config, name, filter, state);
    if (filter)
        read_object(config, filter, state);
    else if (!state->where)
        state->where = "not loaded";
}

uint64_t p2e_state_dropped(const struct p2e_state *state)
{
    uint64_t sum = 0;
    for (uint32_t i = P2E_COUNT_PASSED + 1; i < P2E_COUNT_RULES + state->description.rule_count;
         i++)
        sum += state->counters[i];
    return sum;
}
