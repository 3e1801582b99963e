#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loader/handover.h"
#include "loader/loader.h"
#include "shim/shim.h"

// What is known of a filter's program. The id tells whether the descriptor still is ours: a server
// may close all that it has not opened itself, and open something else in the same place. The pin
// tells whether the program is still the one that is pinned.
//
// It never changes: what is known newly takes its place. It is not freed then, nor is its
// descriptor closed, for another thread may be about to use both. That is a few bytes where pins
// were replaced, and a descriptor where a filter was unloaded and loaded again.
struct p2e_known {
    uint32_t id;
    int fd;
    struct p2e_pin pin;
};

// A warm-up got none.
static const struct p2e_known tried = {.fd = -1};

// More than other threads, or whoever pins, can come between.
#define MOST_TRIES 100

// What was handed over may be in a process that may not call bpf(2).
static int program_id(int fd, uint32_t *id)
{
    return p2e_shim()->agent ? p2e_handover_program_id(fd, id) : p2e_program_id(fd, id);
}

static int descriptor(const struct p2e_known *known)
{
    uint32_t id;

    if (!known || known->fd < 0 || program_id(known->fd, &id) || id != known->id)
        return -1;
    return known->fd;
}

// Out of the way: a server may count on the numbers that its own descriptors get.
#define HIGH_DESCRIPTOR 512

static int move_high(int fd)
{
    struct rlimit limit;
    int lowest = HIGH_DESCRIPTOR, high;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur <= HIGH_DESCRIPTOR)
        lowest = (int)limit.rlim_cur / 2;
    high = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

// ---- Getting it ---------------------------------------------------------------------------------
static _Atomic(const struct p2e_known *) *place_of(const struct p2e_filter *filter)
{
    const struct p2e_shim *shim = p2e_shim();

    return &shim->programs[filter - shim->config.filters];
}

// What was handed over is kept: there is no folder to look into.
static bool is_current(const struct p2e_filter *filter, const struct p2e_known *known)
{
    const struct p2e_shim *shim = p2e_shim();

    return shim->agent || p2e_current_is(shim->config.pin_dir, filter->name, &known->pin);
}

static int open_or_load(const struct p2e_filter *filter, int *fd, struct p2e_error *err)
{
    const struct p2e_shim *shim = p2e_shim();

    if (shim->agent)
        return p2e_handover_program(shim->agent, filter, fd, err);
    return p2e_file_program(&shim->config, filter, fd, err);
}

// Who has had the program takes what is pinned now: the rules of a filter may change under a server
// that has read its configuration before.
static int open_again(const struct p2e_filter *filter, int *fd, struct p2e_error *err)
{
    const struct p2e_shim *shim = p2e_shim();
    int found = shim->agent ? 0 : p2e_current_program(shim->config.pin_dir, filter, fd, err);

    if (found)
        return found < 0 ? -1 : 0;
    return open_or_load(filter, fd, err);
}

static int obtain(const struct p2e_filter *filter, const struct p2e_known *seen,
                  struct p2e_known *mine, struct p2e_error *err)
{
    bool again = seen && seen != &tried;

    // Before it is opened: if it is replaced in between, that is seen the next time.
    if (!p2e_shim()->agent)
        p2e_current_find(p2e_shim()->config.pin_dir, filter->name, &mine->pin);
    if (again ? open_again(filter, &mine->fd, err) : open_or_load(filter, &mine->fd, err))
        return -1;
    mine->fd = move_high(mine->fd);
    if (!program_id(mine->fd, &mine->id))
        return 0;
    close(mine->fd);
    return p2e_error_set(err, "cannot ask for the program's id: %m");
}

// Puts what is known now in the place of what was seen there, unless another thread was faster: one
// descriptor is enough.
static int renew(const struct p2e_filter *filter, const struct p2e_known *seen,
                 struct p2e_error *err)
{
    struct p2e_known *mine = calloc(1, sizeof(*mine));
    int opened, kept;

    if (!mine)
        return p2e_error_set(err, "out of memory");
    if (obtain(filter, seen, mine, err)) {
        free(mine);
        return -1;
    }
    opened = mine->fd;
    kept = descriptor(seen);
    // Another pin of the same program: it was replaced, and its entry was not.
    if (kept >= 0 && seen->id == mine->id)
        mine->fd = kept;
    if (!atomic_compare_exchange_strong(place_of(filter), &seen, mine)) {
        free(mine);
        close(opened);
    } else if (mine->fd != opened) {
        close(opened);
    }
    return 0;
}

int p2e_program_get(const struct p2e_filter *filter, struct p2e_error *err)
{
    for (int i = 0; i < MOST_TRIES; i++) {
        const struct p2e_known *seen = atomic_load(place_of(filter));
        int fd = descriptor(seen);

        if (fd >= 0 && is_current(filter, seen))
            return fd;
        if (renew(filter, seen, err))
            return -1;
    }
    return p2e_error_set(err, "its program changes all the time; try again");
}

// ---- Beforehand ---------------------------------------------------------------------------------
// An agent that did not answer is not asked for the next one: this is a call of the server's.
static void warm(const struct p2e_filter *filter, bool *agent_fails)
{
    _Atomic(const struct p2e_known *) *place = place_of(filter);
    const struct p2e_known *nothing = NULL;
    struct p2e_error ignored; // bind will say it, if it comes to that

    if (atomic_load(place) || (!*agent_fails && p2e_program_get(filter, &ignored) >= 0))
        return;
    atomic_compare_exchange_strong(place, &nothing, &tried);
    *agent_fails = p2e_shim()->agent != NULL;
}

void p2e_program_warm(enum p2e_transport transport)
{
    const struct p2e_shim *shim = p2e_shim();
    bool agent_fails = false;

    if (!shim->has_config || !shim->wants[transport])
        return;
    for (size_t i = 0; i < shim->config.filter_count; i++) {
        const struct p2e_filter *filter = &shim->config.filters[i];

        if (filter->transport == transport &&
            (!filter->program || !strcmp(filter->program, shim->program)))
            warm(filter, &agent_fails);
    }
}
