// Judging single messages with the real program in the kernel, without a server.
#ifndef P2E_LOADER_PROBE_H
#define P2E_LOADER_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "loader/loader.h"

// A filter's program, loaded twice: one tells its verdict through BPF_PROG_TEST_RUN, which takes
// about one page; the other is attached to a UNIX datagram socket pair and judges what is larger.
struct p2e_probe {
    const struct p2e_object *object; // borrowed
    struct p2e_handles small, large;
    int sender, receiver;
    uint32_t rule_count;
    uint64_t *before, *after; // counters around one message
};

// The object must stay open as long as the probe. `log_path` as in p2e_object_load.
int p2e_probe_open(const struct p2e_object *object, const char *log_path, struct p2e_probe *probe,
                   struct p2e_error *err);
void p2e_probe_close(struct p2e_probe *probe);

// *verdict is an enum p2e_counter, P2E_COUNT_RULES + i for rule i.
int p2e_probe_run(struct p2e_probe *probe, const void *message, size_t size, uint32_t *verdict,
                  struct p2e_error *err);

#endif
