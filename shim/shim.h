// libp2e.so: what its files share. The hooks (socket.c, bind.c, setsockopt.c, accept.c) each have
// three layers: the exported name, which takes care of errno; the logic; the real function.
//
// Written once, before the first hook does anything, and only read from then on. The one thing that
// changes is what is known of each filter's program, which is an atomic. So there is no lock, and
// nothing to take care of in a fork.
#ifndef P2E_SHIM_SHIM_H
#define P2E_SHIM_SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "config/config.h"
#include "loader/socket.h"

// Declares a function that is exported under another name. The hooks are not called as what they
// stand for: the libcs' headers declare bind and accept with address types of their own.
#define P2E_HOOK(name) __asm__(#name) __attribute__((visibility("default")))

// Exit status of a process that was handed a socket which cannot be filtered (on_error = "closed").
#define P2E_EXIT_UNFILTERED 111

struct p2e_known;

struct p2e_real {
    int (*socket)(int, int, int);
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    int (*accept)(int, struct sockaddr *, socklen_t *);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
};

struct p2e_shim {
    struct p2e_real real;
    bool has_config;
    struct p2e_config config;      // of the file, or published
    const char *agent;             // where programs are handed over; NULL: pinned, or loaded
    struct p2e_error config_error; // when there is none
    char executable[4096];
    const char *program; // its base name
    struct stat standard_error;
    bool wants[P2E_UNIXSEQ + 1]; // by transport: is there a filter for this program?
    _Atomic(const struct p2e_known *) *programs; // one a filter, see program.c
};

// Set up at the first call (the constructor's, as a rule).
const struct p2e_shim *p2e_shim(void);

// ---- endpoint.c ---------------------------------------------------------------------------------
// As p2e_config_match. Without a config: -1, always.
int p2e_endpoint_filter(enum p2e_transport transport, const struct sockaddr *address,
                        socklen_t length, const struct p2e_filter **filter, struct p2e_error *err);

// Whether so many bytes (no more than a page) of what the server points to can be read; false also
// where `fd` is no socket: the real call then says what is wrong. One system call, two across
// pages: setsockopt, which a server that gets a filter has to be allowed anyway.
bool p2e_endpoint_readable(int fd, const void *memory, size_t size);

// ---- program.c ----------------------------------------------------------------------------------
// The descriptor of a filter's program, opened or loaded at the first call, and opened again where
// another one is pinned by now. It stays ours: do not close.
int p2e_program_get(const struct p2e_filter *filter, struct p2e_error *err);
// Gets the programs of all filters that a new socket of this transport may need; quietly, and once.
void p2e_program_warm(enum p2e_transport transport);

// ---- attach.c -----------------------------------------------------------------------------------
// p2e_attach_program with the filter's program.
int p2e_attach(int fd, const struct p2e_filter *filter, struct p2e_attachment *attachment,
               struct p2e_error *err);

// ---- log.c: the policy, and the one line that goes with it --------------------------------------
// Writes one line. 0: go on unfiltered (on_error = "open"); -1, errno EACCES: refuse.
int p2e_policy(const struct p2e_filter *filter, const struct p2e_error *err);
// The same where there is no filter to ask: always -1.
int p2e_policy_closed(const struct p2e_error *err);

// ---- glibc/ or musl/: what the library for this libc can do -------------------------------------
// Reads the config file. The library for musl reads none: -1, always, with what to do instead.
int p2e_file_config(struct p2e_config *config, struct p2e_error *err);
// A filter's program as the config has it. The library for musl takes what is published, and loads
// nothing.
int p2e_file_program(const struct p2e_config *config, const struct p2e_filter *filter, int *program,
                     struct p2e_error *err);

// ---- adopt.c, init.c, live.c --------------------------------------------------------------------
void p2e_adopt(void);
// Whether nobody speaks of a config file: it is not named, and not in its usual place.
bool p2e_no_config_file(void);
void p2e_live(void);

#endif
