#include <time.h>

#include "loader/sys.h"

// One more CPU than there can be costs one unused state; one too few would drop what it receives.
#define CPUS_UNKNOWN 256

// A program can read CLOCK_TAI, which no leap second stops, and has to know how far it is ahead.
// It is a number of whole seconds; between the two readings some time passes.
static int32_t tai_ahead(void)
{
    struct timespec utc, tai;

    if (clock_gettime(CLOCK_REALTIME, &utc) || clock_gettime(CLOCK_TAI, &tai))
        return 0;
    return (int32_t)(tai.tv_sec - utc.tv_sec - (tai.tv_nsec < utc.tv_nsec));
}

void p2e_options_for(enum p2e_transport transport, enum p2e_mode mode, struct p2e_options *options)
{
    struct p2e_cpus cpus;

    *options = (struct p2e_options){.monitor = mode == P2E_MONITOR, .tai_ahead = tai_ahead()};
    if (transport == P2E_UDP) {
        options->payload_offset = 8;
        options->state_count = p2e_cpus_possible(&cpus) ? CPUS_UNKNOWN : cpus.end;
    } else {
        options->state_count = P2E_STATES_SHARED;
    }
}

int p2e_options_read(int options_fd, struct p2e_options *options, struct p2e_error *err)
{
    if (p2e_bpf_map_lookup(options_fd, 0, options))
        return p2e_error_set(err, "cannot read the options of the pinned program: %m");
    return 0;
}

bool p2e_options_match(const struct p2e_options *wanted, const struct p2e_options *pinned)
{
    return pinned->payload_offset == wanted->payload_offset && pinned->monitor == wanted->monitor &&
           !pinned->probe;
}
