// Objects brought up to date by a child, while the agent goes on serving.
//
// clang takes its time, and servers that start meanwhile are not to be kept waiting for it.
#ifndef P2E_AGENT_AHEAD_H
#define P2E_AGENT_AHEAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

enum p2e_ahead_state {
    P2E_AHEAD_UNKNOWN, // the child did not come so far
    P2E_AHEAD_CURRENT, // the object is of the filter's rules and schema
    P2E_AHEAD_FAILED,
};

struct p2e_ahead {
    pid_t child;
    int ended;                    // becomes readable when the child ends: a pidfd; -1 for none
    size_t count;                 // of filters
    struct p2e_ahead_result *all; // which the child fills; private
};
#define P2E_NOT_AHEAD ((struct p2e_ahead){.ended = -1})

// Starts a child that compiles each filter of the configuration whose object is not up to date. It
// ends with its parent, and leaves no temporary file then.
int p2e_ahead_start(const struct p2e_config *config, struct p2e_ahead *ahead,
                    struct p2e_error *err);

// What became of a filter, by its index in the configuration; to be asked when the child has ended.
// Without a child: unknown. *err is filled where it failed.
enum p2e_ahead_state p2e_ahead_state(const struct p2e_ahead *ahead, size_t filter,
                                     struct p2e_error *err);

// Ends the child, with what it runs, if it has not ended.
void p2e_ahead_stop(struct p2e_ahead *ahead);

#endif
