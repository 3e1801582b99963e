#include "agent/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct p2e_loop_source {
    p2e_loop_ready *ready;
    void *context;
};

static int make_room(struct p2e_loop *loop)
{
    struct pollfd *polled = reallocarray(loop->polled, loop->count + 1, sizeof(*polled));
    if (!polled)
        return -1;
    loop->polled = polled;
    struct p2e_loop_source *sources =
        reallocarray(loop->sources, loop->count + 1, sizeof(*sources));
    if (!sources)
        return -1;
    loop->sources = sources;
    return 0;
}

int p2e_loop_add(struct p2e_loop *loop, int fd, short events, p2e_loop_ready *ready, void *context,
                 struct p2e_error *err)
{
    if (make_room(loop) < 0)
        return p2e_error_set(err, "out of memory");
    loop->polled[loop->count] = (struct pollfd){.fd = fd, .events = events};
    loop->sources[loop->count++] = (struct p2e_loop_source){ready, context};
    return 0;
}

void p2e_loop_remove(struct p2e_loop *loop, int fd)
{
    for (size_t i = 0; i < loop->count; i++) {
        if (loop->polled[i].fd != fd)
            continue;
        loop->count--;
        memmove(&loop->polled[i], &loop->polled[i + 1], (loop->count - i) * sizeof(*loop->polled));
        memmove(&loop->sources[i], &loop->sources[i + 1],
                (loop->count - i) * sizeof(*loop->sources));
        return;
    }
}

// Looks from the begin each time, for the callback may have changed the lists.
static bool call_one(struct p2e_loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        short events = loop->polled[i].revents;
        if (!events)
            continue;
        loop->polled[i].revents = 0;
        loop->sources[i].ready(loop->sources[i].context, loop->polled[i].fd, events);
        return true;
    }
    return false;
}

int p2e_loop_run(struct p2e_loop *loop, struct p2e_error *err)
{
    while (!loop->ended) {
        int ready = poll(loop->polled, loop->count, -1);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return p2e_error_set(err, "cannot wait for what happens: %m");
        while (!loop->ended && call_one(loop))
            continue;
    }
    return 0;
}

void p2e_loop_end(struct p2e_loop *loop)
{
    loop->ended = true;
}

void p2e_loop_free(struct p2e_loop *loop)
{
    free(loop->polled);
    free(loop->sources);
    *loop = (struct p2e_loop){0};
}
