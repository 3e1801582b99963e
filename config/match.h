// What claims what, among filters.
#ifndef P2E_CONFIG_MATCH_H
#define P2E_CONFIG_MATCH_H

#include "config/config.h"

// Whether some socket would match both filters with neither more specific than the other.
bool p2e_filters_conflict(const struct p2e_filter *a, const struct p2e_filter *b);

#endif
