#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/sys.h"

// The walker states of one filter, as the kernel has them in memory.
struct states {
    const char *memory;
    size_t size;   // of all
    size_t stride; // from one to the next
    uint32_t count;
};

static int map_states(int state_fd, uint32_t rule_count, struct states *states,
                      struct p2e_error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct bpf_map_info info;

    if (p2e_bpf_map_info(state_fd, &info))
        return p2e_error_set(err, "cannot read the counters: %m");
    if (info.value_size < (P2E_COUNT_RULES + rule_count) * sizeof(uint64_t))
        return p2e_error_set(err, "the pinned states are too small to be p2e's: not trusted");
    states->count = info.max_entries;
    states->stride = (info.value_size + 7ul) & ~7ul;
    states->size = (states->stride * states->count + page - 1) & ~(page - 1);
    states->memory = mmap(NULL, states->size, PROT_READ, MAP_SHARED, state_fd, 0);
    if (states->memory == MAP_FAILED)
        return p2e_error_set(err, "cannot read the counters: %m");
    return 0;
}

static uint64_t sum(const struct states *states, uint32_t counter)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < states->count; i++)
        total += ((const volatile uint64_t *)(states->memory + i * states->stride))[counter];
    return total;
}

int p2e_counters_read(int state_fd, uint32_t rule_count, uint64_t *out, struct p2e_error *err)
{
    struct states states = {0};

    if (map_states(state_fd, rule_count, &states, err))
        return -1;
    for (uint32_t i = 0; i < P2E_COUNT_RULES + rule_count; i++)
        out[i] = sum(&states, i);
    munmap((void *)states.memory, states.size);
    return 0;
}

int p2e_counters_id(int state_fd, uint32_t *id)
{
    struct bpf_map_info info;

    if (p2e_bpf_map_info(state_fd, &info))
        return -1;
    *id = info.id;
    return 0;
}
