// Samples of the messages that a filter drops: read from its ring buffer, allowed by refills.
//
// Several readers of one filter share its samples: each one is read by one of them.
#ifndef P2E_LOADER_SAMPLES_H
#define P2E_LOADER_SAMPLES_H

#include "loader/states.h"

struct p2e_samples {
    volatile uint64_t *consumed;       // how far readers are: a page that is ours to write
    const volatile uint64_t *produced; // how far the kernel is
    const char *data;                  // of `size` bytes, mapped twice in a row
    size_t size, page;
    struct p2e_states states;
};

// From a filter's pins, which may be closed then; `samples` and `state` must be there. Samples that
// nobody has read are skipped: they may be old.
int p2e_samples_open(const struct p2e_handles *handles, uint32_t rule_count,
                     struct p2e_samples *samples, struct p2e_error *err);
// Takes back what is left of the budget. Of what was opened, or {0}.
void p2e_samples_close(struct p2e_samples *samples);

// Each state may write this many samples from now on.
void p2e_samples_refill(struct p2e_samples *samples, uint64_t budget);

// The next sample, with P2E_SAMPLE_MAX bytes of room for its message. false: there is none yet.
// What the ring buffer holds is the filter's: a record that is none of ours is skipped.
bool p2e_samples_next(struct p2e_samples *samples, struct p2e_sample *sample, void *message);

#endif
