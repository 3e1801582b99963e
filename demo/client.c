// Sends search requests to the demo's server at full speed: COUNT different messages, REPEAT times
// over. Exactly half of them have an "A" in the query. The same seed gives the same messages.
//
// It loses nothing: it looks at the server's receive queue in /proc/net/udp now and then and goes
// on only when there is room. The server takes no part in that.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "search.pb-c.h"

#define QUERY_MIN   8
#define QUERY_MAX   40
#define CHECK_EVERY 512
#define QUEUE_LIMIT (1 << 20) // bytes; well below the server's receive buffer

struct settings {
    uint16_t port;
    unsigned count, repeat;
    uint64_t seed;
};

struct packet {
    size_t size;
    uint8_t data[QUERY_MAX + 32];
};

// xorshift64*
static uint32_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * 0x2545f4914f6cdd1dULL >> 32);
}

static void make_query(char *query, bool forbidden, uint64_t *random)
{
    static const char letters[] = "BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ";
    size_t length = QUERY_MIN + next_random(random) % (QUERY_MAX - QUERY_MIN);

    for (size_t i = 0; i < length; i++)
        query[i] = letters[next_random(random) % (sizeof(letters) - 1)];
    query[length] = '\0';
    if (forbidden)
        query[next_random(random) % length] = 'A';
}

static void make_packet(struct packet *packet, bool forbidden, uint64_t *random)
{
    char query[QUERY_MAX + 1];
    Demo__SearchRequest request = DEMO__SEARCH_REQUEST__INIT;

    make_query(query, forbidden, random);
    request.query = query;
    request.page_number = (int32_t)(next_random(random) % 1000);
    request.result_per_page = (int32_t)(10 + next_random(random) % 90);
    packet->size = demo__search_request__pack(&request, packet->data);
}

// Half of the messages, spread at random: each is forbidden with the chance that keeps the balance.
static struct packet *make_packets(const struct settings *settings)
{
    struct packet *packets = calloc(settings->count, sizeof(*packets));
    uint64_t random = settings->seed;
    unsigned forbidden = settings->count / 2;

    for (unsigned i = 0; packets && i < settings->count; i++) {
        bool forbid = next_random(&random) % (settings->count - i) < forbidden;
        make_packet(&packets[i], forbid, &random);
        forbidden -= forbid;
    }
    return packets;
}

// Bytes that wait in the receive queue of the server on 127.0.0.1:port, -1 when there is no server.
static long receive_queue(uint16_t port)
{
    char line[256], local[32], wanted[32];
    unsigned long queue;
    long found = -1;
    FILE *table = fopen("/proc/net/udp", "re");

    if (!table)
        return -1;
    snprintf(wanted, sizeof(wanted), "%08X:%04X", htonl(INADDR_LOOPBACK), port);
    while (found < 0 && fgets(line, sizeof(line), table))
        if (sscanf(line, "%*s %31s %*s %*s %*[^:]:%lx", local, &queue) == 2 &&
            strcmp(local, wanted) == 0)
            found = (long)queue;
    fclose(table);
    return found;
}

static int wait_for_room(uint16_t port)
{
    long queue;

    do
        queue = receive_queue(port);
    while (queue > QUEUE_LIMIT);
    if (queue < 0)
        fputs("client: the server is gone\n", stderr);
    return queue < 0 ? -1 : 0;
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int send_all(int fd, const struct settings *settings, const struct packet *packets)
{
    unsigned long total = (unsigned long)settings->count * settings->repeat;
    double begin = cpu_us();

    for (unsigned long i = 0; i < total; i++) {
        const struct packet *packet = &packets[i % settings->count];

        if (i % CHECK_EVERY == 0 && wait_for_room(settings->port) < 0)
            return -1;
        if (send(fd, packet->data, packet->size, 0) < 0) {
            perror("client: send");
            return -1;
        }
    }
    printf("sent=%lu forbidden=%lu cpu_us=%.0f\n", total,
           (unsigned long)(settings->count / 2) * settings->repeat, cpu_us() - begin);
    return 0;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    return fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static int parse_settings(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"repeat", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 's'},
                                            {0}};

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long value = optarg ? strtoul(optarg, NULL, 10) : 0;

        if (option == 'p')
            settings->port = (uint16_t)value;
        else if (option == 'c')
            settings->count = (unsigned)value;
        else if (option == 'r')
            settings->repeat = (unsigned)value;
        else if (option == 's' && value)
            settings->seed = value;
        else
            return -1;
    }
    return settings->count ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct settings settings = {.count = 2000, .repeat = 1, .seed = 1};

    if (parse_settings(argc, argv, &settings) < 0)
        return 2;
    int fd = connect_to(settings.port);
    if (fd < 0) {
        perror("client: connect");
        return 1;
    }
    struct packet *packets = make_packets(&settings);
    if (!packets) {
        fputs("client: out of memory\n", stderr);
        return 1;
    }
    int result = send_all(fd, &settings, packets);
    free(packets);
    close(fd);
    return result < 0 ? 1 : 0;
}
