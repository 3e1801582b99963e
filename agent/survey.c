#include "agent/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static int check_agreement(const struct p2e_config *config, struct p2e_survey *survey)
{
    const char *folder = config->pin_dir, *name = survey->filter->name;
    struct p2e_error *err = &survey->reason;
    switch (p2e_filter_agreement(config, survey->filter, &survey->description, &survey->options,
                                 true)) {
    case P2E_OTHER_RULES:
        return p2e_error_set(err,
                             "what is pinned in %s/%s is of other rules than %s has; run: p2e "
                             "reload",
                             folder, name, config->path);
    case P2E_OTHER_OPTIONS:
        return p2e_error_set(err,
                             "what is pinned in %s/%s is of another mode or transport than %s "
                             "has; run: p2e reload",
                             folder, name, config->path);
    case P2E_OLDER_SCHEMA:
        return p2e_error_set(err,
                             "what is pinned in %s/%s is of an older schema than %s/%s.bpf.o; "
                             "run: p2e reload",
                             folder, name, config->object_dir, name);
    default:
        return 0;
    }
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

void p2e_survey_take(const struct p2e_config *config, const struct p2e_filter *filter,
                     struct p2e_survey *survey)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    *survey = (struct p2e_survey){.filter = filter};
    int found = p2e_pins_open(config->pin_dir, filter->name, &handles, &survey->description,
                              &survey->reason);
    if (!found)
        p2e_error_set(&survey->reason, "not pinned in %s; run: p2e load", config->pin_dir);
    if (found <= 0 || p2e_options_read(handles.options, &survey->options, &survey->reason))
        return;
    survey->is_pinned = true;
    survey->is_up = !read_counters(handles.state, survey) && !check_agreement(config, survey);
}

void p2e_survey_free(struct p2e_survey *survey)
{
    p2e_description_free(&survey->description);
    free(survey->counters);
    *survey = (struct p2e_survey){0};
}
