// What the configuration says, brought into the kernel and pinned.
#ifndef P2E_AGENT_APPLY_H
#define P2E_AGENT_APPLY_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "loader/loader.h"

// Mends what is pinned (p2e_pins_recover) where this process may; where it may not, does nothing.
// What cannot be trusted is no failure here: whoever needs it will say so.
int p2e_apply_recover(const struct p2e_config *config, struct p2e_error *err);

// Makes the pins of one filter those of its present rules and schema. `compile`: brings its object
// up to date first; else the object is taken as it stands, and refused if it is of other rules. On
// failure what was pinned stays, and goes on judging.
int p2e_apply_filter(const struct p2e_config *config, const struct p2e_filter *filter, bool compile,
                     enum p2e_pinned *pinned, struct p2e_error *err);

// "up to date", "loaded", "replaced".
const char *p2e_apply_name(enum p2e_pinned pinned);

// The filters that are pinned and that the configuration does not have (any more).
int p2e_apply_gone(const struct p2e_config *config, struct p2e_names *gone, struct p2e_error *err);

#endif
