#include "loader/states.h"

#include <sys/mman.h>
#include <unistd.h>

int p2e_states_map(int state_fd, uint32_t rule_count, bool writable, struct p2e_states *states,
                   struct p2e_error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t words = P2E_WORD_COUNTERS + P2E_COUNT_RULES + (size_t)rule_count;
    struct bpf_map_info info;

    *states = (struct p2e_states){0};
    if (p2e_bpf_map_info(state_fd, &info))
        return p2e_error_set(err, "the kernel does not tell of the states: %m");
    if (info.value_size < words * sizeof(uint64_t))
        return p2e_error_set(err, "the pinned states are too small to be p2e's: not trusted");
    states->count = info.max_entries;
    states->stride = (info.value_size + 7ul) & ~7ul;
    states->size = (states->stride * states->count + page - 1) & ~(page - 1);
    states->memory = mmap(NULL, states->size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                          MAP_SHARED, state_fd, 0);
    if (states->memory != MAP_FAILED)
        return 0;
    *states = (struct p2e_states){0};
    return p2e_error_set(err, "the states cannot be mapped into memory: %m");
}

void p2e_states_unmap(struct p2e_states *states)
{
    if (states->memory)
        munmap(states->memory, states->size);
    *states = (struct p2e_states){0};
}
