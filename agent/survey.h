// What the kernel holds of one filter, looked at once: its pins, whether they are what the
// configuration asks for, and what they have counted.
#ifndef P2E_AGENT_SURVEY_H
#define P2E_AGENT_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "loader/loader.h"

struct p2e_survey {
    const struct p2e_filter *filter; // the configuration's, which has to outlive this
    bool is_up;                      // pinned, with the rules, the mode and the schema of now
    struct p2e_error reason;         // why it is not up, and what to do
    bool is_pinned;                  // the description and the options tell what is pinned
    struct p2e_description description;
    struct p2e_options options;
    uint64_t *counters; // as p2e_counters_read; NULL where this process may not read them
};

// Never fails: what is wrong is in `reason`.
void p2e_survey_take(const struct p2e_config *config, const struct p2e_filter *filter,
                     struct p2e_survey *survey);
void p2e_survey_free(struct p2e_survey *survey);

#endif
