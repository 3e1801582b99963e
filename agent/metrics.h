// What Prometheus is told: the filters of a configuration, where they stand, what they have
// counted; as text, and over HTTP.
//
// The server is without threads and without a loop of its own: its owner polls p2e_metrics_fd and
// calls p2e_metrics_run. Nothing needs a lock then, and a configuration is exchanged between two
// calls. Trusted: whoever reads the text (it names filters, message types and rule ids; no
// message). Not trusted: requests.
#ifndef P2E_AGENT_METRICS_H
#define P2E_AGENT_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"

// ---- The text -----------------------------------------------------------------------------------
#define P2E_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

// How often the configuration was read anew, by how that ended.
struct p2e_reloads {
    uint64_t succeeded, failed;
};

// Appends the text form 0.0.4 of all metrics; the pins are read now. `reloads` is NULL where
// nothing reloads. Filters are in the configuration's order, rules in their filter's.
int p2e_metrics_print(const struct p2e_config *config, const struct p2e_reloads *reloads,
                      struct p2e_buffer *out, struct p2e_error *err);

// True when every filter of the configuration is pinned with the rules that it has there; *out gets
// a line for each that is not, "NAME: REASON", or else "ok".
bool p2e_metrics_health(const struct p2e_config *config, struct p2e_buffer *out);

// ---- The server ---------------------------------------------------------------------------------
struct p2e_metrics;

// Where the server gets what it tells; called within p2e_metrics_run alone.
struct p2e_metrics_source {
    // The configuration as it is now, borrowed until p2e_metrics_run returns. NULL, and *err
    // filled, when there is none: requests are answered by the error then.
    const struct p2e_config *(*config)(void *context, struct p2e_error *err);
    // NULL where nothing reloads.
    void (*reloads)(void *context, struct p2e_reloads *reloads);
    void *context;
};

// Listens on "ADDRESS:PORT", "[ADDRESS]:PORT" for IPv6, or "PORT" for loopback's 127.0.0.1; the
// address is numeric, port 0 is one that the kernel chooses. Answers GET and HEAD of /metrics, and
// of /healthz (503 when p2e_metrics_health is false). At most 16 connections, which end when
// nothing happens on them for ten seconds, or a request takes twenty. p2e_metrics_stop frees.
int p2e_metrics_start(const struct p2e_metrics_source *source, const char *listen,
                      struct p2e_metrics **metrics, struct p2e_error *err);
void p2e_metrics_stop(struct p2e_metrics *metrics); // NULL: nothing

// Where it listens.
uint16_t p2e_metrics_port(const struct p2e_metrics *metrics);

// To be polled for POLLIN; p2e_metrics_run then does what there is to do, and does not wait.
int p2e_metrics_fd(const struct p2e_metrics *metrics);
void p2e_metrics_run(struct p2e_metrics *metrics);

#endif
