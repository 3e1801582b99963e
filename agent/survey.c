#include "agent/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

// Where a filter that is looked at stands.
struct place {
    const struct p2e_config *config;
    const struct p2e_filter *filter;
};

static int check_rules(const struct place *at, const struct p2e_description *pinned,
                       struct p2e_error *err)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(at->filter);
    if (!canonical)
        return p2e_error_set(err, "out of memory");
    if (!strcmp(canonical, pinned->canonical))
        return 0;
    return p2e_error_set(err,
                         "what is pinned in %s/%s is of other rules than %s has; run: p2e reload",
                         at->config->pin_dir, at->filter->name, at->config->path);
}

static int check_options(const struct place *at, const struct p2e_options *pinned,
                         struct p2e_error *err)
{
    struct p2e_options wanted;
    p2e_options_for(at->filter->transport, at->filter->mode, &wanted);
    if (p2e_options_match(&wanted, pinned))
        return 0;
    return p2e_error_set(err,
                         "what is pinned in %s/%s is of another mode or transport than %s has; "
                         "run: p2e reload",
                         at->config->pin_dir, at->filter->name, at->config->path);
}

// Annotations are the schema's, which the configuration's text does not show; the object that was
// compiled since does. An object that is not there, or is not whole, says nothing.
static int check_schema(const struct place *at, const struct p2e_description *pinned,
                        struct p2e_error *err)
{
    _cleanup_(p2e_object_close) struct p2e_object object = {0};
    _cleanup_free_ char *path = NULL;
    if (asprintf(&path, "%s/%s.bpf.o", at->config->object_dir, at->filter->name) < 0) {
        path = NULL;
        return p2e_error_set(err, "out of memory");
    }
    if (p2e_object_open(path, &object, NULL) ||
        strcmp(object.description.canonical, pinned->canonical) ||
        !strcmp(object.description.digest, pinned->digest))
        return 0;
    return p2e_error_set(err,
                         "what is pinned in %s/%s is of an older schema than %s; run: p2e reload",
                         at->config->pin_dir, at->filter->name, path);
}

// Counters stand where messages are: not for everyone to read.
static int read_counters(int states, struct p2e_survey *survey)
{
    if (states < 0)
        return 0;
    uint32_t rules = survey->description.rule_count;
    uint64_t *counters = calloc(P2E_COUNT_RULES + rules, sizeof(*counters));
    if (!counters)
        return p2e_error_set(&survey->reason, "out of memory");
    if (p2e_counters_read(states, rules, counters, &survey->reason)) {
        free(counters);
        return -1;
    }
    survey->counters = counters;
    return 0;
}

static bool is_of_now(const struct place *at, const struct p2e_handles *handles,
                      struct p2e_survey *survey)
{
    struct p2e_error *err = &survey->reason;
    return !read_counters(handles->state, survey) && !check_rules(at, &survey->description, err) &&
           !check_options(at, &survey->options, err) &&
           !check_schema(at, &survey->description, err);
}

void p2e_survey_take(const struct p2e_config *config, const struct p2e_filter *filter,
                     struct p2e_survey *survey)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    const struct place at = {config, filter};
    *survey = (struct p2e_survey){.filter = filter};
    int found = p2e_pins_open(config->pin_dir, filter->name, &handles, &survey->description,
                              &survey->reason);
    if (!found)
        p2e_error_set(&survey->reason, "not pinned in %s; run: p2e load", config->pin_dir);
    if (found <= 0 || p2e_options_read(handles.options, &survey->options, &survey->reason))
        return;
    survey->is_pinned = true;
    survey->is_up = is_of_now(&at, &handles, survey);
}

void p2e_survey_free(struct p2e_survey *survey)
{
    p2e_description_free(&survey->description);
    free(survey->counters);
    *survey = (struct p2e_survey){0};
}
