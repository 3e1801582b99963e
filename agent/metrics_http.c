#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "agent/metrics.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define CONNECTIONS     16
#define IDLE_SECONDS    10
#define TURN_SECONDS    20    // for a request and its answer, with the time that none has begun
#define CONNECTION_SIZE 16384 // bytes: a request's line and headers, an answer's begin
#define LOOPBACK        "127.0.0.1"

struct turn {
    int fd;        // -1: free
    int64_t since; // milliseconds, CLOCK_MONOTONIC: it began, or was answered last
};

struct p2e_metrics {
    struct MHD_Daemon *daemon;
    struct p2e_metrics_source source;
    uint16_t port;
    int timer;  // when a connection may have been idle for too long
    int either; // an epoll descriptor: the daemon's, or the timer
    struct turn turns[CONNECTIONS];
};

// ---- Answers ------------------------------------------------------------------------------------
// Takes over what *text holds.
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              struct p2e_buffer *text)
{
    if (text->failed || !text->data)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text->size, text->data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        return MHD_NO;
    *text = (struct p2e_buffer){0};
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer b = {0};
    p2e_buffer_printf(&b, "%s\n", text);
    return answer(connection, status, "text/plain; charset=utf-8", &b);
}

static enum MHD_Result answer_metrics(const struct p2e_metrics *metrics,
                                      struct MHD_Connection *connection)
{
    const struct p2e_metrics_source *source = &metrics->source;
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    struct p2e_reloads reloads;
    struct p2e_error err;
    const struct p2e_config *config = source->config(source->context, &err);
    if (source->reloads)
        source->reloads(source->context, &reloads);
    if (!config || p2e_metrics_print(config, source->reloads ? &reloads : NULL, &text, &err))
        return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, err.text);
    return answer(connection, MHD_HTTP_OK, P2E_METRICS_TYPE, &text);
}

static enum MHD_Result answer_health(const struct p2e_metrics *metrics,
                                     struct MHD_Connection *connection)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    struct p2e_error err;
    const struct p2e_config *config = metrics->source.config(metrics->source.context, &err);
    if (!config)
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, err.text);
    bool healthy = p2e_metrics_health(config, &text);
    return answer(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                  "text/plain; charset=utf-8", &text);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    (void)version, (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    // An answer at the first call, which has the headers alone, would end the connection.
    if (!*state || *upload_size) {
        *state = context;
        *upload_size = 0;
        return MHD_YES;
    }
    if (!strcmp(url, "/metrics"))
        return answer_metrics(context, connection);
    if (!strcmp(url, "/healthz"))
        return answer_health(context, connection);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz");
}

// ---- Turns --------------------------------------------------------------------------------------
// A byte now and then is no idleness to the daemon: a few slow ones could keep all others out.
static struct turn *find_turn(struct p2e_metrics *metrics, int fd)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (metrics->turns[i].fd == fd)
            return &metrics->turns[i];
    }
    return NULL;
}

static int fd_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    bool starts = what == MHD_CONNECTION_NOTIFY_STARTED;
    int fd = fd_of(connection);
    struct turn *turn = find_turn(context, starts ? -1 : fd);
    (void)state;
    if (turn)
        *turn = (struct turn){starts ? fd : -1, p2e_clock_ms()};
}

static void on_answered(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode how)
{
    struct turn *turn = find_turn(context, fd_of(connection));
    (void)state, (void)how;
    if (turn)
        turn->since = p2e_clock_ms();
}

// The daemon sees that they have ended.
static void end_turns(const struct p2e_metrics *metrics)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const struct turn *turn = &metrics->turns[i];
        if (turn->fd >= 0 && p2e_clock_ms() - turn->since >= TURN_SECONDS * 1000)
            shutdown(turn->fd, SHUT_RDWR);
    }
}

// ---- The address --------------------------------------------------------------------------------
// Cuts "ADDRESS:PORT", "[ADDRESS]:PORT" or "PORT" in place.
static int split(char *listen, const char **address, const char **port)
{
    char *colon = strrchr(listen, ':');
    *address = LOOPBACK;
    *port = colon ? colon + 1 : listen;
    if (!colon || colon == listen)
        return **port ? 0 : -1;
    *colon = '\0';
    *address = listen;
    if (*listen == '[') {
        if (colon[-1] != ']')
            return -1;
        colon[-1] = '\0';
        *address = listen + 1;
    } else if (strchr(listen, ':')) {
        return -1;
    }
    return **address && **port ? 0 : -1;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits <= 5 && !text[digits] && strtoul(text, NULL, 10) <= UINT16_MAX;
}

static int resolve(const char *listen, struct addrinfo **info, struct p2e_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    _cleanup_free_ char *copy = strdup(listen);
    const char *address, *port;
    if (!copy)
        return p2e_error_set(err, "out of memory");
    if (split(copy, &address, &port) || !is_port(port) || getaddrinfo(address, port, &hints, info))
        return p2e_error_set(err,
                             "\"%s\" is not an address to listen on; give a number for a port of "
                             "127.0.0.1, or as in 10.0.0.1:9464 or [::1]:9464",
                             listen);
    return 0;
}

static int open_socket(const char *listen_on, struct p2e_error *err)
{
    struct addrinfo *info;
    const int on = 1;
    if (resolve(listen_on, &info, err))
        return -1;
    _cleanup_fd_ int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool failed = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
                  bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, CONNECTIONS);
    int reason = errno;
    freeaddrinfo(info);
    errno = reason;
    if (failed)
        return p2e_error_set(err, "cannot listen on %s for metrics: %m%s", listen_on,
                             reason == EADDRINUSE ? "; choose another port" : "");
    return TAKE_FD(fd);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &length))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

// ---- The server ---------------------------------------------------------------------------------
static struct MHD_Daemon *start_daemon(struct p2e_metrics *metrics, int fd)
{
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, metrics, MHD_OPTION_LISTEN_SOCKET,
                            fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_SIZE,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, metrics,
                            MHD_OPTION_NOTIFY_COMPLETED, on_answered, metrics, MHD_OPTION_END);
}

static int add(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static int join(struct p2e_metrics *metrics)
{
    int daemon = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    metrics->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    metrics->either = epoll_create1(EPOLL_CLOEXEC);
    if (metrics->timer < 0 || metrics->either < 0 || add(metrics->either, daemon))
        return -1;
    return add(metrics->either, metrics->timer);
}

int p2e_metrics_start(const struct p2e_metrics_source *source, const char *listen_on,
                      struct p2e_metrics **metrics, struct p2e_error *err)
{
    _cleanup_fd_ int fd = open_socket(listen_on, err);
    if (fd < 0)
        return -1;
    struct p2e_metrics *made = malloc(sizeof(*made));
    if (!made)
        return p2e_error_set(err, "out of memory");
    *made = (struct p2e_metrics){.source = *source, .port = port_of(fd), .timer = -1, .either = -1};
    for (size_t i = 0; i < CONNECTIONS; i++)
        made->turns[i].fd = -1;
    made->daemon = start_daemon(made, fd);
    if (made->daemon)
        fd = -1; // the daemon's
    if (!made->daemon || join(made)) {
        p2e_error_set(err, "cannot start the server for metrics on %s: %m", listen_on);
        p2e_metrics_stop(made);
        return -1;
    }
    *metrics = made;
    return 0;
}

void p2e_metrics_stop(struct p2e_metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->daemon)
        MHD_stop_daemon(metrics->daemon);
    p2e_cleanup_fd(&metrics->timer);
    p2e_cleanup_fd(&metrics->either);
    free(metrics);
}

uint16_t p2e_metrics_port(const struct p2e_metrics *metrics)
{
    return metrics->port;
}

int p2e_metrics_fd(const struct p2e_metrics *metrics)
{
    return metrics->either;
}

// Setting it takes back that it has gone off. Zero would stop it. A connection whose turn is over
// is idle, or wakes the daemon: no slow one goes on for longer than the daemon's own time-out.
static void set_timer(const struct p2e_metrics *metrics)
{
    MHD_UNSIGNED_LONG_LONG wait;
    struct itimerspec when = {0};
    if (MHD_get_timeout(metrics->daemon, &wait) == MHD_YES) {
        when.it_value.tv_sec = (time_t)(wait / 1000);
        when.it_value.tv_nsec = (long)(wait % 1000) * 1000000 + 1;
    }
    timerfd_settime(metrics->timer, 0, &when, NULL);
}

void p2e_metrics_run(struct p2e_metrics *metrics)
{
    end_turns(metrics);
    // Once all connections are in use nothing listens. It does again at the begin of a run, and not
    // at the end of the one that closes some.
    MHD_run(metrics->daemon);
    MHD_run(metrics->daemon);
    set_timer(metrics);
}
