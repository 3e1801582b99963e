#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loader/handover.h"
#include "loader/loader.h"
#include "shim/shim.h"

// What is known of a filter's program is one word: 0 nothing, TRIED that a warm-up got none, else
// the program's kernel id (never 0) and its descriptor. The id tells whether the descriptor still
// is ours: a server may close all that it has not opened itself, and open something else in the
// same place.
#define TRIED 1ull

static uint64_t remember(uint32_t id, int fd)
{
    return (uint64_t)id << 32 | (uint32_t)fd;
}

// What was handed over may be in a process that may not call bpf(2).
static int program_id(int fd, uint32_t *id)
{
    return p2e_shim()->agent ? p2e_handover_program_id(fd, id) : p2e_program_id(fd, id);
}

static int descriptor(uint64_t known)
{
    int fd = (int)(uint32_t)known;
    uint32_t id;

    if (known <= TRIED || program_id(fd, &id) || id != known >> 32)
        return -1;
    return fd;
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

static _Atomic uint64_t *place_of(const struct p2e_filter *filter)
{
    const struct p2e_shim *shim = p2e_shim();

    return &shim->programs[filter - shim->config.filters];
}

static int open_or_load(const struct p2e_filter *filter, int *fd, struct p2e_error *err)
{
    const struct p2e_shim *shim = p2e_shim();

    if (shim->agent)
        return p2e_handover_program(shim->agent, filter, fd, err);
    return p2e_file_program(&shim->config, filter, fd, err);
}

static int obtain(const struct p2e_filter *filter, uint64_t *known, struct p2e_error *err)
{
    uint32_t id;
    int fd;

    if (open_or_load(filter, &fd, err))
        return -1;
    fd = move_high(fd);
    if (program_id(fd, &id)) {
        close(fd);
        return p2e_error_set(err, "cannot ask for the program's id: %m");
    }
    *known = remember(id, fd);
    return fd;
}

int p2e_program_get(const struct p2e_filter *filter, struct p2e_error *err)
{
    _Atomic uint64_t *place = place_of(filter);
    uint64_t seen = atomic_load(place), mine;
    int fd = descriptor(seen), winner;

    if (fd >= 0)
        return fd;
    fd = obtain(filter, &mine, err);
    if (fd < 0 || atomic_compare_exchange_strong(place, &seen, mine))
        return fd;
    // Another thread was faster: one descriptor is enough.
    winner = descriptor(seen);
    if (winner < 0)
        return fd;
    close(fd);
    return winner;
}

// An agent that did not answer is not asked for the next one: this is a call of the server's.
static void warm(const struct p2e_filter *filter, bool *agent_fails)
{
    _Atomic uint64_t *place = place_of(filter);
    uint64_t nothing = 0;
    struct p2e_error ignored; // bind will say it, if it comes to that

    if (atomic_load(place) != 0 || (!*agent_fails && p2e_program_get(filter, &ignored) >= 0))
        return;
    atomic_compare_exchange_strong(place, &nothing, TRIED);
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
