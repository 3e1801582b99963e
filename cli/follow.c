#include "cli/follow.h"

#include <string.h>

#include "base/cleanup.h"

// ---- Pins ---------------------------------------------------------------------------------------
static int map_id(int fd, uint32_t *id, struct p2e_error *err)
{
    struct bpf_map_info info;
    if (p2e_bpf_map_info(fd, &info) < 0)
        return p2e_error_set(err, "the kernel does not tell of a pinned map: %m");
    *id = info.id;
    return 0;
}

static int find_ids(const struct p2e_handles *handles, struct p2e_follow_ids *ids,
                    struct p2e_error *err)
{
    return map_id(handles->samples, &ids->samples, err) || map_id(handles->state, &ids->state, err)
               ? -1
               : map_id(handles->meta, &ids->meta, err);
}

static bool is_same(const struct p2e_follow_ids *a, const struct p2e_follow_ids *b)
{
    return a->samples == b->samples && a->state == b->state && a->meta == b->meta;
}

// As p2e_pins_open, with all that is needed here.
static int open_pins(const struct p2e_follow *watch, struct p2e_handles *handles,
                     struct p2e_description *description, struct p2e_follow_ids *ids,
                     struct p2e_error *err)
{
    const char *name = watch->filter->name;
    int found = p2e_pins_open(watch->config->pin_dir, name, handles, description, err);
    if (found <= 0)
        return found;
    if (handles->samples < 0 || handles->state < 0)
        return p2e_error_set(err,
                             "the samples of filter \"%s\" hold messages, and are for root alone; "
                             "run p2e tail as root",
                             name);
    return find_ids(handles, ids, err) < 0 ? -1 : 1;
}

// Pins are opened one by one and replaced all at once: a second look tells whether they belong
// together.
static int check_again(const struct p2e_follow *watch, const struct p2e_follow_ids *expected,
                       struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description description = {0};
    struct p2e_follow_ids ids;
    int found = open_pins(watch, &handles, &description, &ids, err);
    if (found < 0)
        return -1;
    return found && is_same(&ids, expected)
               ? 0
               : p2e_error_set(err, "the pins of filter \"%s\" are being replaced; try again",
                               watch->filter->name);
}

// Without a schema messages are shown all the same, in hex.
static void load_type(struct p2e_follow *watch)
{
    const struct p2e_filter *filter = watch->filter;
    if (p2e_schema_load(filter->schema, filter->includes, filter->include_count, &watch->schema,
                        &watch->no_type) < 0) {
        watch->schema = (struct p2e_schema){0};
        return;
    }
    watch->type = p2e_schema_require(&watch->schema, watch->description.message, &watch->no_type);
}

static int go_over(struct p2e_follow *watch, const struct p2e_handles *handles,
                   struct p2e_description *description, const struct p2e_follow_ids *ids,
                   struct p2e_error *err)
{
    struct p2e_samples samples;
    struct p2e_options options;
    if (p2e_options_read(handles->options, &options, err) < 0 ||
        p2e_samples_open(handles, description->rule_count, &samples, err) < 0)
        return -1;
    p2e_follow_close(watch);
    watch->samples = samples;
    watch->ids = *ids;
    watch->monitor = options.monitor;
    watch->description = *description;
    *description = (struct p2e_description){0};
    load_type(watch);
    return 1;
}

int p2e_follow_look(struct p2e_follow *watch, struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description description = {0};
    struct p2e_follow_ids ids;
    int found = open_pins(watch, &handles, &description, &ids, err);
    if (found <= 0)
        return found;
    if (is_same(&ids, &watch->ids))
        return 0;
    if (check_again(watch, &ids, err) < 0)
        return -1;
    return go_over(watch, &handles, &description, &ids, err);
}

void p2e_follow_close(struct p2e_follow *watch)
{
    p2e_samples_close(&watch->samples);
    p2e_description_free(&watch->description);
    p2e_schema_free(&watch->schema);
    *watch = (struct p2e_follow){
        .config = watch->config, .filter = watch->filter, .credit = watch->credit};
}

// ---- Samples ------------------------------------------------------------------------------------
// States have a budget each, and nobody knows which of them will be busy: each gets all of it, and
// what is too much together is thrown away here.
void p2e_follow_refill(struct p2e_follow *watch, double rate)
{
    double credit = watch->credit + rate / P2E_FOLLOW_TICKS;
    watch->credit = credit < rate ? credit : rate;
    if (watch->ids.samples)
        p2e_samples_refill(&watch->samples, (uint64_t)watch->credit);
}

bool p2e_follow_next(struct p2e_follow *watch, struct p2e_sample *sample, void *message)
{
    while (watch->ids.samples && p2e_samples_next(&watch->samples, sample, message)) {
        if (watch->credit < 1)
            continue;
        watch->credit--;
        return true;
    }
    return false;
}
