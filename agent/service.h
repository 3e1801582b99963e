// What an agent serves beside the kernel: programs for servers that see no bpffs, and metrics.
#ifndef P2E_AGENT_SERVICE_H
#define P2E_AGENT_SERVICE_H

#include "agent/agent.h"
#include "agent/metrics.h"
#include "loader/handover.h"

struct p2e_service {
    struct p2e_agent *agent;
    struct p2e_handover *handover; // NULL: not served
    struct p2e_metrics *metrics;   // NULL: not served
};

// Adds to the agent's loop what is asked for: a hand-over socket at `socket`, metrics at `listen`
// (as p2e_metrics_start has it). NULL: not. To be closed after a failure, too, and before the agent
// is; *service must stay where it is until then.
int p2e_service_open(struct p2e_agent *agent, const char *socket, const char *listen,
                     struct p2e_service *service, struct p2e_error *err);
void p2e_service_close(struct p2e_service *service);

#endif
