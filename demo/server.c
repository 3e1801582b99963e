// A search server as anybody might write one: UDP, protobuf-c, plain recv(). It knows of no filter.
//
// With --validate it looks for itself whether a request is allowed (no "A" in the query); without,
// it trusts what arrives. It keeps the queries that it accepted and, once SIGTERM has ended the
// service and the CPU time is read, counts those that should not have been accepted.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "search.pb-c.h"

#define RECEIVE_BUFFER (16 << 20)
#define LOG_SIZE       (64 << 20)

struct service {
    int fd;
    bool validate;
    uint64_t received, accepted, rejected, undecodable;
    char *log; // accepted queries, each ended by a NUL
    size_t log_used;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static bool allowed(const char *query)
{
    return strchr(query, 'A') == NULL;
}

static void accept_query(struct service *service, const char *query)
{
    size_t size = strlen(query) + 1;
    if (size > LOG_SIZE - service->log_used) {
        fputs("server: the log of accepted queries is full; send fewer messages\n", stderr);
        exit(1);
    }
    memcpy(service->log + service->log_used, query, size);
    service->log_used += size;
    service->accepted++;
}

static void serve_one(struct service *service, const uint8_t *data, size_t size)
{
    service->received++;
    Demo__SearchRequest *request = demo__search_request__unpack(NULL, size, data);
    if (!request) {
        service->undecodable++;
        return;
    }
    if (service->validate && !allowed(request->query))
        service->rejected++;
    else
        accept_query(service, request->query);
    demo__search_request__free_unpacked(request, NULL);
}

static int serve(struct service *service)
{
    static uint8_t data[65536];

    while (!stopped) {
        ssize_t size = recv(service->fd, data, sizeof(data), 0);
        if (size >= 0) {
            serve_one(service, data, (size_t)size);
        } else if (errno != EINTR && errno != EAGAIN) {
            perror("server: recv");
            return -1;
        }
    }
    return 0;
}

static uint64_t count_wrong(const struct service *service)
{
    uint64_t wrong = 0;

    for (size_t at = 0; at < service->log_used; at += strlen(service->log + at) + 1)
        wrong += !allowed(service->log + at);
    return wrong;
}

// Large enough that nothing is lost while the server works: past the system's limit where that is
// permitted (CAP_NET_ADMIN).
static void enlarge_receive_buffer(int fd)
{
    int size = RECEIVE_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int open_socket(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    // A signal that comes just before recv() is noticed after this time.
    struct timeval timeout = {.tv_usec = 200000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0)
        return -1;
    enlarge_receive_buffer(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static int run(struct service *service)
{
    memset(service->log, 1, LOG_SIZE); // page faults belong to the start, not to the service
    printf("ready pid=%d\n", getpid());
    fflush(stdout);

    double begin = cpu_us();
    if (serve(service) < 0)
        return 1;
    double used = cpu_us() - begin;

    printf("received=%llu accepted=%llu rejected=%llu undecodable=%llu wrong=%llu cpu_us=%.0f\n",
           (unsigned long long)service->received, (unsigned long long)service->accepted,
           (unsigned long long)service->rejected, (unsigned long long)service->undecodable,
           (unsigned long long)count_wrong(service), used);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'}, {"validate", no_argument, NULL, 'v'}, {0}};
    struct service service = {0};
    uint16_t port = 0;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'p')
            port = (uint16_t)atoi(optarg);
        else if (option == 'v')
            service.validate = true;
        else
            return 2;
    }
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    service.log = malloc(LOG_SIZE);
    service.fd = open_socket(port);
    if (!service.log || service.fd < 0) {
        fprintf(stderr, "server: cannot serve on port %u: %s\n", port, strerror(errno));
        return 1;
    }
    return run(&service);
}
