// A socket that is bound or about to be: what the kernel says of it, the program onto it, and what
// waits in it already.
//
// The shim's own hooks are on socket(), bind() and setsockopt(): what is here calls the kernel.
#ifndef P2E_LOADER_SOCKET_H
#define P2E_LOADER_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"
#include "config/config.h"

// ---- endpoint.c: what the kernel says of a socket -----------------------------------------------
// False for sockets that no filter is ever for: streams, raw, other families.
bool p2e_endpoint_transport(int fd, enum p2e_transport *transport);
// The local address; false when the socket is not bound.
bool p2e_endpoint_bound(int fd, struct sockaddr_storage *address, socklen_t *length);
int p2e_endpoint_option(int fd, int level, int option); // its value, -1 when it has none
// Of SOCK_SEQPACKET: nothing is attached to a listener, for connections do not inherit a filter.
bool p2e_endpoint_listens(int fd);

// ---- attach.c -----------------------------------------------------------------------------------
struct p2e_attachment {
    int program; // not owned
    bool had_gro;
};

// The kernel tells the kind of a socket's filter, not which program it is.
enum p2e_carried { P2E_CARRIES_NONE, P2E_CARRIES_CLASSIC, P2E_CARRIES_EXTENDED };
enum p2e_carried p2e_attach_carried(int fd);
bool p2e_attach_locked(int fd);

// A socket has one filter: where the server has set one itself, ours would take its place.
int p2e_attach_possible(int fd, struct p2e_error *err);
// Attaches the program, and turns UDP_GRO off. On failure the socket is as it was.
int p2e_attach_program(int fd, enum p2e_transport transport, int program,
                       struct p2e_attachment *attachment, struct p2e_error *err);
void p2e_attach_undo(int fd, const struct p2e_attachment *attachment);
void p2e_attach_lock(int fd);
// Is there an extended filter that cannot be changed any more? Only p2e leaves a socket so.
bool p2e_attach_done(int fd);
// Takes an extended filter off that is not locked. -1 and errno on failure.
int p2e_attach_remove(int fd);
// Lets nothing through until another filter is attached.
int p2e_attach_gate(int fd, struct p2e_error *err);
void p2e_attach_ungate(int fd);

// ---- mark.c: who has attached -------------------------------------------------------------------
// A mark on the socket itself, for what p2e has attached and not locked: the kernel does not say
// whose a filter is. It goes with the socket, or with pin_dir; one of pin_dir's owner alone. That
// the server has put another filter in the place of p2e's since, a mark does not tell.
bool p2e_mark_set(const char *pin_dir, int fd); // false where it cannot be: privilege, no bpffs
bool p2e_mark_is_set(const char *pin_dir, int fd);
void p2e_mark_clear(const char *pin_dir, int fd);

// ---- queue.c: messages that came in before the filter -------------------------------------------
// False when it holds a message that the program would drop, or it cannot be told.
bool p2e_queue_is_clean(int fd, int program, enum p2e_transport transport);
// For a socket that has just got its program: takes messages from the head on until none is left
// that the program would drop, and all where that cannot be told, or where UDP_GRO has put some
// together, which cannot be taken apart. Others may be reading from the socket at the same time.
// Returns how many messages it took.
size_t p2e_queue_clean(int fd, const struct p2e_attachment *attachment,
                       enum p2e_transport transport);

#endif
