// `p2e agent`: keeps what is pinned as the configuration says.
//
// What it knows it knows from the configuration and from bpffs; nothing is lost with it. Servers
// are filtered whether it lives or not.
#ifndef P2E_AGENT_AGENT_H
#define P2E_AGENT_AGENT_H

#include <stdbool.h>
#include <time.h>

#include "agent/ahead.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/remark.h"
#include "agent/watch.h"
#include "base/error.h"
#include "config/config.h"

struct p2e_agent {
    const char *config_path; // the caller's
    bool compile;            // else objects are taken as they stand
    // Others add their descriptors between p2e_agent_open and p2e_agent_run, or later from a
    // callback: p2e_loop_add(&agent->loop, fd, POLLIN, ready, context, err).
    struct p2e_loop loop;
    // As it was applied last, valid until the next callback returns.
    struct p2e_config config;
    // Of the configuration, after the first time; failed: it or a filter of it.
    struct p2e_reloads reloads;
    // The rest is private.
    struct p2e_watch watch;
    struct p2e_remarks remarks;
    int signals, timer;
    struct timespec change; // the first one that has not been applied, 0 for none
    struct p2e_config next; // read, and to be applied when it has been compiled ahead
    struct p2e_ahead ahead;
    bool again; // what has changed since
};
#define P2E_NO_AGENT                                                                               \
    ((struct p2e_agent){.watch = {.fd = -1}, .ahead = {.ended = -1}, .signals = -1, .timer = -1})

// Reads the configuration, mends what is pinned (p2e_pins_recover), loads and pins all filters, and
// begins to watch. Filters that cannot be loaded are told of on standard error; that all of them
// cannot, or that this process has not got the privilege, is a failure. SIGHUP, SIGINT and SIGTERM
// are blocked from here on: the loop takes them, and a second one does not cut the end short.
int p2e_agent_open(const char *config_path, bool compile, struct p2e_agent *agent,
                   struct p2e_error *err);
// Tells the service manager that it is ready, and goes on until SIGTERM or SIGINT.
int p2e_agent_run(struct p2e_agent *agent, struct p2e_error *err);
// Leaves all that is pinned.
void p2e_agent_close(struct p2e_agent *agent);

#endif
