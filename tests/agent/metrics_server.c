// Serves the metrics of a configuration, read anew for each request, until its standard input ends:
// metrics_server CONFIG [ADDRESS:]PORT. Prints the port, or the error and exits 1. Each line of
// input counts as a reload: "success" or "failure".
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/metrics.h"
#include "base/cleanup.h"

struct site {
    const char *path;
    struct p2e_config config;
    struct p2e_reloads reloads;
};

static const struct p2e_config *read_config(void *context, struct p2e_error *err)
{
    struct site *site = context;
    p2e_config_free(&site->config);
    site->config = (struct p2e_config){0};
    return p2e_config_load(site->path, &site->config, err) ? NULL : &site->config;
}

static void count_reloads(void *context, struct p2e_reloads *reloads)
{
    *reloads = ((struct site *)context)->reloads;
}

// False when the input has ended.
static bool take_line(struct p2e_reloads *reloads)
{
    char line[32];
    ssize_t size = read(STDIN_FILENO, line, sizeof(line));
    if (size <= 0)
        return false;
    if (*line == 's')
        reloads->succeeded++;
    else
        reloads->failed++;
    puts("counted");
    fflush(stdout);
    return true;
}

static void serve(struct p2e_metrics *metrics, struct site *site)
{
    struct pollfd waiting[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = p2e_metrics_fd(metrics), .events = POLLIN},
    };
    while (poll(waiting, 2, -1) >= 0) {
        if (waiting[0].revents && !take_line(&site->reloads))
            return;
        p2e_metrics_run(metrics);
    }
}

int main(int argc, char **argv)
{
    struct site site = {.path = argv[1]};
    const struct p2e_metrics_source source = {read_config, count_reloads, &site};
    struct p2e_metrics *metrics;
    struct p2e_error err;
    if (argc != 3 || p2e_metrics_start(&source, argv[2], &metrics, &err)) {
        fprintf(stderr, "%s\n", argc == 3 ? err.text : "metrics_server CONFIG LISTEN");
        return 1;
    }
    printf("%u\n", p2e_metrics_port(metrics));
    fflush(stdout);
    serve(metrics, &site);
    p2e_metrics_stop(metrics);
    p2e_config_free(&site.config);
    return 0;
}
