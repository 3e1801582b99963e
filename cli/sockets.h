// Sockets of running processes. They are asked of the kernel through copies of their descriptors
// (pidfd_getfd), not read from tables: what it says holds in every network namespace, and tells
// whether a filter is on them.
#ifndef P2E_CLI_SOCKETS_H
#define P2E_CLI_SOCKETS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

struct p2e_process {
    pid_t pid;
    uid_t uid;                  // in effect
    char command[32];           // its name, as it set it
    char program[NAME_MAX + 1]; // base name of its executable, "" when that is not to be seen
    int pidfd;
    int proc; // its folder in /proc
};

enum p2e_filtering {
    P2E_NOT_FILTERED,
    P2E_FILTERED, // by an extended filter that is locked: only p2e leaves a socket so
    P2E_UNLOCKED, // the same, not locked: p2e's (attach --no-lock), or the server's own
    P2E_OWN,      // a classic filter: the server's own
    P2E_LISTENER, // of SOCK_SEQPACKET: what is filtered are its connections
};

// A socket that is bound. No descriptor is the caller's to close.
struct p2e_socket {
    const struct p2e_process *process;
    int fd;         // its number in that process: the lowest, where there are several
    int copy;       // the same socket, ours
    bool is_stream; // no filter is ever for it, and it has no transport
    enum p2e_transport transport;
    uint16_t port;                                              // 0 when it has none
    char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; // as in the configuration, or ""
    char place[256];                                            // its address, to be shown
    enum p2e_filtering filtering;
    // Which filter is for it, as p2e_config_match has it: 1, 0, or -1 and *err.
    int found;
    const struct p2e_filter *filter;
    const struct p2e_error *err;
};

// Returns 0 to go on, 1 to stop.
typedef int p2e_socket_visit(void *context, const struct p2e_socket *socket);

// The error says what there is to do: no such process, a thread's id.
int p2e_process_open(pid_t pid, struct p2e_process *process, struct p2e_error *err);
void p2e_process_close(struct p2e_process *process);

// Visits each bound socket of a process once. Returns what `visit` did last; -1 when the process
// may not be looked into (errno EACCES or EPERM) or the kernel cannot do it.
int p2e_process_sockets(const struct p2e_process *process, const struct p2e_config *config,
                        p2e_socket_visit *visit, void *context, struct p2e_error *err);

// The same for all processes but this one. *hidden tells whether there are some that this
// one may not look into for want of CAP_SYS_PTRACE: what a security module hides even so is passed
// over.
int p2e_sockets_visit(const struct p2e_config *config, p2e_socket_visit *visit, void *context,
                      bool *hidden, struct p2e_error *err);

// "filtered", "NOT filtered", …
const char *p2e_filtering_name(enum p2e_filtering filtering);

#endif
