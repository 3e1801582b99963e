#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "loader/sys.h"

static uint64_t sum(const uint64_t *values, uint32_t count)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < count; i++)
        total += values[i];
    return total;
}

int p2e_counters_read(int counters_fd, uint32_t rule_count, uint64_t *out, struct p2e_error *err)
{
    _cleanup_free_ uint64_t *values = NULL;
    struct p2e_cpus cpus;

    // The kernel writes a value for each possible CPU, whatever the size of the buffer.
    if (p2e_cpus_possible(&cpus))
        return p2e_error_set(err, "cannot read the number of CPUs from /sys; mount sysfs there");
    values = calloc(cpus.count, sizeof(*values));
    if (!values)
        return p2e_error_set(err, "out of memory");
    for (uint32_t i = 0; i < P2E_COUNT_RULES + rule_count; i++) {
        if (p2e_bpf_map_lookup(counters_fd, i, values))
            return p2e_error_set(err, "cannot read counter %u: %m", i);
        out[i] = sum(values, cpus.count);
    }
    return 0;
}
