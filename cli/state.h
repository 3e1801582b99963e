// What is known of a filter of the configuration: its object, what is pinned, what it has counted.
#ifndef P2E_CLI_STATE_H
#define P2E_CLI_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "loader/loader.h"

struct p2e_state {
    const char *where;  // "pinned", "not loaded", "not compiled", "broken"
    const char *object; // "up to date", "stale" (of other rules), "missing", "broken"
    struct p2e_error err;
    struct p2e_description description; // of what is pinned
    uint64_t *counters; // NULL where it is not pinned, or they are hidden from this process
    uint32_t counting;  // what tells these counters from those of another program; 0 for none
    bool has_error;
    bool hides_counters;
    bool is_monitor;              // of what is pinned, else of what is asked for
    enum p2e_agreement agreement; // of what is pinned, else of the object, with what is asked for
};

// Looks at a filter. With `filter` NULL, at what is pinned under `name` alone.
void p2e_state_read(const struct p2e_config *config, const char *name,
                    const struct p2e_filter *filter, struct p2e_state *state);
void p2e_state_free(struct p2e_state *state);

// Of a state with counters: all that did not pass.
uint64_t p2e_state_dropped(const struct p2e_state *state);

// "passed", "malformed", …: the counters before P2E_COUNT_RULES.
extern const char *const p2e_reasons[P2E_COUNT_RULES];

#endif
