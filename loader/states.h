// The walker states of one filter, as the kernel has them in memory.
#ifndef P2E_LOADER_STATES_H
#define P2E_LOADER_STATES_H

#include "loader/sys.h"

struct p2e_states {
    char *memory;
    size_t size;   // of all
    size_t stride; // from one to the next
    uint32_t count;
};

// The descriptor must be one that can be written, whatever for.
int p2e_states_map(int state_fd, uint32_t rule_count, bool writable, struct p2e_states *states,
                   struct p2e_error *err);
// Of what was mapped, or {0}.
void p2e_states_unmap(struct p2e_states *states);

// Word `word` (enum p2e_state_word) of state `index`, which the kernel changes at any time.
static inline volatile uint64_t *p2e_states_word(const struct p2e_states *states, uint32_t index,
                                                 uint32_t word)
{
    return (volatile uint64_t *)(states->memory + index * states->stride) + word;
}

#endif
