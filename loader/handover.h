// Programs handed over by a socket, for servers that see no bpffs, or may not call bpf(2): a
// container's. An agent that sees the pins listens; the shim asks it for the published table, then
// for a filter's program. What is said is in bpf/abi.h.
#ifndef P2E_LOADER_HANDOVER_H
#define P2E_LOADER_HANDOVER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

#define P2E_DEFAULT_AGENT_SOCKET "/run/p2e/agent.sock"

// ---- The agent's side ---------------------------------------------------------------------------
// Connections that have not asked yet; a newer one takes the place of the oldest, of the user who
// has most of them.
#define P2E_HANDOVER_PENDING 64

struct p2e_handover {
    int listener;
    int ready; // poll this for POLLIN (an epoll descriptor), then serve
    struct p2e_handover_pending {
        int fd; // -1: free
        uid_t user;
        int64_t since; // milliseconds, CLOCK_MONOTONIC
    } pending[P2E_HANDOVER_PENDING];
};

// Listens at `path`, for every user (0666); makes its folder (0755) where it is missing. A socket
// that nobody listens on any more is replaced; a living one, a symbolic link, anything else, and a
// folder that others may write are refused. SIGALRM is this side's from here on: it comes within
// p2e_handover_serve and p2e_handover_close, from ITIMER_REAL, and ends what clients make them
// wait.
int p2e_handover_open(const char *path, struct p2e_handover *handover, struct p2e_error *err);

// Does what there is to do now: takes connections, answers those that have asked, from pin_dir, and
// closes them, and closes those that did not ask within a second. Never waits.
void p2e_handover_serve(struct p2e_handover *handover, const char *pin_dir);

// Leaves the socket's file, which a successor replaces.
void p2e_handover_close(struct p2e_handover *handover);

// ---- The shim's side ----------------------------------------------------------------------------
// Each call takes a second at most, and trusts an agent of root's or of this process's own user
// alone. None uses a hooked function, or bpf(2) where a seccomp filter is at work.

// The table as p2e_published_read gives it, without a pin_dir. 0: there is no agent at this path,
// or it has nothing published.
int p2e_handover_table(const char *path, struct p2e_config *config, struct p2e_error *err);

// The entry of a filter of that table.
int p2e_handover_program(const char *path, const struct p2e_filter *filter, int *program,
                         struct p2e_error *err);

// The kernel's id of a socket filter program. -1 when the descriptor is none (that is called
// p2e_entry, where bpf(2) can be asked).
int p2e_handover_program_id(int program, uint32_t *id);

#endif
