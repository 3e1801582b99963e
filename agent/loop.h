// A poll(2) loop: descriptors, and what is to be called when they are ready.
#ifndef P2E_AGENT_LOOP_H
#define P2E_AGENT_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

// May add and remove descriptors, its own too, and must not block: a descriptor that another
// callback replaced in the same round may not be ready.
typedef void p2e_loop_ready(void *context, int fd, short events);

struct p2e_loop {
    struct pollfd *polled; // parallel to `sources`
    struct p2e_loop_source *sources;
    size_t count;
    bool ended;
};

// From now on `ready` is called with `context` whenever poll(2) finds one of `events` (or POLLERR,
// POLLHUP, POLLNVAL) on fd. The descriptor stays the caller's, who removes it before closing it.
int p2e_loop_add(struct p2e_loop *loop, int fd, short events, p2e_loop_ready *ready, void *context,
                 struct p2e_error *err);
void p2e_loop_remove(struct p2e_loop *loop, int fd);

// Goes on until p2e_loop_end.
int p2e_loop_run(struct p2e_loop *loop, struct p2e_error *err);
void p2e_loop_end(struct p2e_loop *loop);
void p2e_loop_free(struct p2e_loop *loop);

#endif
