// p2e.conf, read with libconfig into plain structs, and the question "which filter is for this
// socket?". What every key means for its user is in docs/config.md.
#ifndef P2E_CONFIG_CONFIG_H
#define P2E_CONFIG_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

#define P2E_CONFIG_DEFAULT_PATH "/etc/p2e/p2e.conf"
#define P2E_DEFAULT_OBJECT_DIR  "/var/lib/p2e"
#define P2E_DEFAULT_PIN_DIR     "/sys/fs/bpf/p2e"
#define P2E_DEFAULT_MAX_DEPTH   32
#define P2E_MAX_DEPTH_LIMIT     100 // protobuf's own recursion limit
#define P2E_NAME_MAX            63
#define P2E_MAX_FILTERS         1024

enum p2e_transport { P2E_UDP, P2E_UNIXGRAM, P2E_UNIXSEQ };
enum p2e_on_error { P2E_CLOSED, P2E_OPEN };
enum p2e_mode { P2E_ENFORCE, P2E_MONITOR };
enum p2e_annotations { P2E_ANNOTATIONS_ENFORCE, P2E_ANNOTATIONS_IGNORE };

// A rule as it was written: a bare expression has id "rule1", "rule2", … by its place in the list
// and no message. Where it stands is for error texts.
struct p2e_rule {
    char *id;
    char *expression;
    char *message;    // what a person is told, "" when none was given
    const char *file; // where it stands; NULL and 0 when it does not come from a file
    unsigned line;
};

struct p2e_port_range {
    uint16_t first, last;
};

struct p2e_filter {
    char *name; // [A-Za-z0-9_-]{1,63}, unique in the file: a file name and a pin's name
    enum p2e_transport transport;

    // UDP: which ports, and optionally which local address.
    struct p2e_port_range *ports; // ascending, with a gap between each two
    size_t port_count;
    bool has_address;
    struct in6_addr address; // IPv4 stands as ::ffff:a.b.c.d

    // UNIX: the socket's path, absolute, or an abstract name that starts with '@'.
    char *path;

    char *schema; // absolute; in the file it may be relative to the config file's folder
    char **includes;
    size_t include_count;
    char *message; // full name of the message type, "pkg.Msg"
    struct p2e_rule *rules;
    size_t rule_count;
    enum p2e_annotations annotations; // those of buf.validate in the schema
    unsigned max_depth;               // submessages nested deeper than this are malformed
    enum p2e_on_error on_error;
    enum p2e_mode mode;
    char *program;    // base name of the executable it is meant for, NULL for any
    const char *file; // where it stands, as above
    unsigned line;
};

struct p2e_config {
    char *path; // the file that was read
    char *object_dir;
    char *pin_dir;
    struct p2e_filter *filters;
    size_t filter_count;
    char **files; // the file and all that it includes; `file` of filters and rules points here
    size_t file_count;
    // Not read from a file but from the published table (loader/published.h), which `path` names:
    // there is no object_dir, and filters have no schema, message or rules. `line` is a filter's
    // place in the table, from 1.
    bool published;
};

// $P2E_CONFIG, else P2E_CONFIG_DEFAULT_PATH. Never NULL.
const char *p2e_config_find(void);

// Reads and checks the whole file. On failure *config is left empty ({0}) and the error names file
// and line (and column where libconfig gives one). p2e_config_free releases what a success filled.
int p2e_config_load(const char *path, struct p2e_config *config, struct p2e_error *err);
void p2e_config_free(struct p2e_config *config);
void p2e_filter_free(struct p2e_filter *filter);

// NULL when there is no filter of that name.
const struct p2e_filter *p2e_config_filter(const struct p2e_config *config, const char *name);

// Finds the filter for a socket of this transport that is (to be) bound to `address`: 1 and
// *filter, 0 when there is none, -1 when it cannot be told which one (see below; such a socket must
// not be bound, whatever any on_error says). `program` is the base name of the running executable,
// NULL to ignore `program` keys. Preserves errno.
//
// The most specific filter wins: a given address before none, then fewer ports, then a given
// program before none. A v4-mapped address is its IPv4 one. A filter without an address matches
// every local address; a filter with one also matches a socket bound to the wildcard of its family
// ("::" is that of both), which receives what is sent to that address, unless a filter without
// address claims the port. Where several filters with different addresses match such a socket, none
// can judge for all: -1.
int p2e_config_match(const struct p2e_config *config, enum p2e_transport transport,
                     const struct sockaddr *address, socklen_t length, const char *program,
                     const struct p2e_filter **filter, struct p2e_error *err);

// Whether a socket whose port, or name, the kernel chooses at bind may turn out to be one that must
// not go unfiltered: a filter with on_error = "closed" may claim it, or several between which it
// could not be told. Preserves errno.
bool p2e_config_may_close(const struct p2e_config *config, enum p2e_transport transport,
                          const struct sockaddr *address, socklen_t length, const char *program);

// The part of a filter that decides what its program does (message, depth, rules), as canonical
// text: two filters with the same text and the same schema compile to the same program. The object
// carries it, so that a reader without a compiler can tell whether an object is of this filter.
// Caller frees; NULL when out of memory.
char *p2e_filter_canonical(const struct p2e_filter *filter);

const char *p2e_transport_name(enum p2e_transport transport); // "udp", "unixgram", "unixseq"

#endif
