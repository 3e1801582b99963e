#include "agent/service.h"

#include <stdlib.h>

// ---- The hand-over ------------------------------------------------------------------------------
static void on_handover(void *context, int fd, short events)
{
    struct p2e_service *service = context;
    (void)fd, (void)events;
    p2e_handover_serve(service->handover, service->agent->config.pin_dir);
}

static int open_handover(struct p2e_service *service, const char *path, struct p2e_error *err)
{
    struct p2e_handover *handover = malloc(sizeof(*handover));
    if (!handover)
        return p2e_error_set(err, "out of memory");
    if (p2e_handover_open(path, handover, err) < 0) {
        free(handover);
        return -1;
    }
    service->handover = handover;
    return p2e_loop_add(&service->agent->loop, handover->ready, POLLIN, on_handover, service, err);
}

// ---- Metrics ------------------------------------------------------------------------------------
static const struct p2e_config *current_config(void *context, struct p2e_error *err)
{
    const struct p2e_service *service = context;
    (void)err;
    return &service->agent->config;
}

static void current_reloads(void *context, struct p2e_reloads *reloads)
{
    const struct p2e_service *service = context;
    *reloads = service->agent->reloads;
}

static void on_metrics(void *context, int fd, short events)
{
    struct p2e_service *service = context;
    (void)fd, (void)events;
    p2e_metrics_run(service->metrics);
}

static int open_metrics(struct p2e_service *service, const char *listen, struct p2e_error *err)
{
    struct p2e_metrics_source source = {
        .config = current_config, .reloads = current_reloads, .context = service};
    if (p2e_metrics_start(&source, listen, &service->metrics, err) < 0)
        return -1;
    return p2e_loop_add(&service->agent->loop, p2e_metrics_fd(service->metrics), POLLIN, on_metrics,
                        service, err);
}

// ---- Both ---------------------------------------------------------------------------------------
int p2e_service_open(struct p2e_agent *agent, const char *socket, const char *listen,
                     struct p2e_service *service, struct p2e_error *err)
{
    *service = (struct p2e_service){.agent = agent};
    if (socket && open_handover(service, socket, err) < 0)
        return -1;
    return listen ? open_metrics(service, listen, err) : 0;
}

void p2e_service_close(struct p2e_service *service)
{
    if (service->handover) {
        p2e_loop_remove(&service->agent->loop, service->handover->ready);
        p2e_handover_close(service->handover);
        free(service->handover);
    }
    if (service->metrics) {
        p2e_loop_remove(&service->agent->loop, p2e_metrics_fd(service->metrics));
        p2e_metrics_stop(service->metrics);
    }
    *service = (struct p2e_service){0};
}
