// Sets of UDP ports, as ranges.
#ifndef P2E_CONFIG_PORTS_H
#define P2E_CONFIG_PORTS_H

#include "config/config.h"

// Reads "8000" or "8000-8010".
int p2e_ports_parse(const char *text, struct p2e_port_range *range, struct p2e_error *err);
// Checks that a number is a port, 1 to 65535.
int p2e_ports_check(long long port, struct p2e_error *err);

// Sorts and merges in place, so that the ranges are ascending with a gap between each two; returns
// how many are left. `count` is not 0. What follows wants sets in this form.
size_t p2e_ports_normalize(struct p2e_port_range *ranges, size_t count);

unsigned p2e_ports_count(const struct p2e_filter *filter);
bool p2e_ports_contain(const struct p2e_filter *filter, uint16_t port);
// The lowest port that both filters have, 0 for none.
uint16_t p2e_ports_common(const struct p2e_filter *a, const struct p2e_filter *b);

#endif
