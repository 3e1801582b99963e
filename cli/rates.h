// What filters count, from one look to the next.
#ifndef P2E_CLI_RATES_H
#define P2E_CLI_RATES_H

#include <time.h>

#include "cli/state.h"

// Why messages are dropped.
struct p2e_reason {
    const char *rule; // its id, NULL for what is no rule
    const char *name; // where it is no rule
    double rate;
};

// Of one filter. Rates are messages a second, 0 as long as there is nothing to compare with.
struct p2e_rates {
    const struct p2e_filter *filter;
    struct p2e_state state; // as it is now
    double passed, dropped;
    struct p2e_reason *reasons; // those that have a rate, the highest first
    size_t reason_count;
};

struct p2e_sampler {
    const struct p2e_config *config;
    struct p2e_rates *rates; // one a filter, in the configuration's order
    struct timespec when;    // CLOCK_MONOTONIC, of the last look
};

// Has a first look at all filters. The configuration has to outlive the sampler.
int p2e_sampler_open(const struct p2e_config *config, struct p2e_sampler *sampler,
                     struct p2e_error *err);
// Looks again, and fills in the rates since the last time. A filter that was loaded or replaced
// meanwhile counts from 0.
int p2e_sampler_look(struct p2e_sampler *sampler, struct p2e_error *err);
void p2e_sampler_close(struct p2e_sampler *sampler);

#endif
