// One filter whose drops are looked at: its pins, as long as they are there, what its messages are,
// and how many of them may be shown.
#ifndef P2E_CLI_FOLLOW_H
#define P2E_CLI_FOLLOW_H

#include "compiler/schema.h"
#include "config/config.h"
#include "loader/samples.h"

#define P2E_FOLLOW_TICKS 10 // refills a second

// By which pins are known again.
struct p2e_follow_ids {
    uint32_t samples, state, meta;
};

struct p2e_follow {
    const struct p2e_config *config; // borrowed
    const struct p2e_filter *filter; // likewise
    struct p2e_follow_ids ids;       // {0} as long as there are no pins
    struct p2e_samples samples;
    struct p2e_description description;
    bool monitor;
    struct p2e_schema schema;
    const struct p2e_message *type; // of its messages, NULL where the schema is not to be had …
    struct p2e_error no_type;       // … and why
    double credit;                  // samples that may still be shown
};

// Looks whether the filter's pins are others than before, and goes over to them. 1: it does now; 0:
// nothing new, be it that there are no pins; -1: they cannot be used, or are in between.
int p2e_follow_look(struct p2e_follow *watch, struct p2e_error *err);
void p2e_follow_close(struct p2e_follow *watch);

// Allows what is due after a tick, of `rate` samples a second. What is not used is kept for a
// burst, up to that of a second.
void p2e_follow_refill(struct p2e_follow *watch, double rate);
// The next sample that may be shown; those beyond the rate are thrown away.
bool p2e_follow_next(struct p2e_follow *watch, struct p2e_sample *sample, void *message);

#endif
