// A filter's group in p2e.conf.
#ifndef P2E_CONFIG_FILTER_H
#define P2E_CONFIG_FILTER_H

#include "config/value.h"

// Fills *filter, which is {0}, from the group and the defaults. On failure p2e_filter_free releases
// what was read until then.
int p2e_filter_read(struct p2e_reader *r, const config_setting_t *group, struct p2e_filter *filter);

// The group "defaults", into r->defaults.
int p2e_filter_read_defaults(struct p2e_reader *r, const config_setting_t *group);

// The key "rules" of a filter. `target` is the struct p2e_filter.
int p2e_filter_read_rules(struct p2e_reader *r, const config_setting_t *list, void *target);

#endif
