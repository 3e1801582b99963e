#include <string.h>

#include "agent/agent.h"
#include "agent/service.h"

#include "cli/common.h"
#include "cli/options.h"

struct settings {
    const char *config, *socket, *metrics;
    bool takes_objects;
};

// The kernel would choose one, and nobody would know which. What else is wrong, the service says.
static int check_port(const struct p2e_command *command, const char *listen)
{
    const char *colon = listen ? strrchr(listen, ':') : NULL;
    const char *port = colon ? colon + 1 : listen;
    if (port && *port && !port[strspn(port, "0")])
        return p2e_usage_error(command, "--metrics takes a port from 1 to 65535, not %s", listen);
    return -1;
}

static int serve(const struct p2e_command *command, const struct settings *s)
{
    struct p2e_agent agent;
    struct p2e_service service;
    struct p2e_error err;
    if (p2e_agent_open(s->config, !s->takes_objects, &agent, &err) < 0)
        return p2e_fail(command, &err);
    int result = p2e_service_open(&agent, s->socket, s->metrics, &service, &err);
    if (result == 0)
        result = p2e_agent_run(&agent, &err);
    p2e_service_close(&service);
    p2e_agent_close(&agent);
    return result < 0 ? p2e_fail(command, &err) : P2E_EXIT_OK;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &s.config},
        {.name = "socket", .value = &s.socket},
        {.name = "metrics", .value = &s.metrics},
        {.name = "no-compile", .flag = &s.takes_objects},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status < 0)
        status = check_port(command, s.metrics);
    if (status >= 0)
        return status;
    struct p2e_error err;
    s.config = p2e_config_path(s.config, &err);
    return s.config ? serve(command, &s) : p2e_fail(command, &err);
}

const struct p2e_command p2e_agent_command = {
    .name = "agent",
    .usage = "[-c FILE] [--no-compile] [--socket PATH] [--metrics ADDRESS:PORT]",
    .summary = "load filters, and apply each change of the configuration",
    .help =
        "Mends and loads as p2e load does, then stays in the foreground, watches the "
        "configuration,\n"
        "what it includes, the schemas and what they import, and applies each change: attached\n"
        "sockets go over to the new program at once. What does not compile or load leaves the old\n"
        "program where it is. Says one line a change on standard error, and nothing else.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --no-compile     take the objects as they are, and watch them instead of the "
        "schemas\n"
        "      --socket PATH    hand programs over there to servers that see no bpffs:\n"
        "                       /run/p2e/agent.sock is where they look\n"
        "      --metrics ADDRESS:PORT  answer Prometheus there: /metrics and /healthz\n"
        "      --help           this text\n\n"
        "SIGHUP applies now; SIGTERM and SIGINT end it and leave all that is pinned. Servers are\n"
        "filtered whether it lives or not. With $NOTIFY_SOCKET it tells systemd when it is ready.\n"
        "Needs CAP_BPF and CAP_PERFMON, and CAP_DAC_OVERRIDE to replace what is pinned (root has\n"
        "them). Exits with 1 if nothing could be loaded at the begin.\n",
    .run = run,
};
