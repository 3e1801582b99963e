#include "loader/states.h"

static uint64_t sum(const struct p2e_states *states, uint32_t counter)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < states->count; i++)
        total += *p2e_states_word(states, i, P2E_WORD_COUNTERS + counter);
    return total;
}

int p2e_counters_read(int state_fd, uint32_t rule_count, uint64_t *out, struct p2e_error *err)
{
    struct p2e_states states;

    if (p2e_states_map(state_fd, rule_count, false, &states, err))
        return p2e_error_prefix(err, "cannot read the counters");
    for (uint32_t i = 0; i < P2E_COUNT_RULES + rule_count; i++)
        out[i] = sum(&states, i);
    p2e_states_unmap(&states);
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
