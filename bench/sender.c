// Sends the messages of a file, over and over: sender ADDRESS FILE COUNT BOARD WINDOW FILTERED.
//
// With a window it loses nothing: so many messages at most are on their way, by what the server
// says on the board. With WINDOW 0 it sends as fast as it can. FILTERED: the server does not see
// what is not valid.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/corpus.h"
#include "bench/wire.h"

#define PATIENCE_US 2000000 // how long a server may do nothing

struct sender {
    int fd;
    struct corpus corpus;
    struct board *board;
    unsigned long count, window;
    bool filtered;
    unsigned long sent, valid, expected; // expected: that the server is to receive
};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

// Until no more than `most` are on their way, or nothing has moved for so long.
static bool wait_for(const struct sender *s, unsigned long most, double patience_us)
{
    uint64_t seen = s->board->received;
    double since = now_us();
    while (s->expected - s->board->received > most) {
        usleep(50);
        if (s->board->received != seen) {
            seen = s->board->received;
            since = now_us();
        } else if (now_us() - since > patience_us) {
            return false;
        }
    }
    return true;
}

static int send_one(struct sender *s, const struct message *m)
{
    bool valid = m->size && m->data[0] == VALID_BYTE;
    // The server's count is only looked at when the window is used up: it is on another core.
    static unsigned long limit;
    if (s->window && s->expected >= limit) {
        if (!wait_for(s, s->window / 2, PATIENCE_US))
            return fprintf(stderr, "sender: the server does not go on\n"), -1;
        limit = s->board->received + s->window;
    }
    // What the filter of a UNIX socket drops is refused to the sender.
    if (send(s->fd, m->data, m->size, 0) < 0 && errno != EPERM)
        return perror("sender: send"), -1;
    s->valid += valid;
    s->expected += valid || !s->filtered;
    s->sent++;
    return 0;
}

static int run(struct sender *s)
{
    double begin = now_us(), cpu = process_cpu_us();
    while (s->sent < s->count)
        if (send_one(s, &s->corpus.messages[s->sent % s->corpus.count]) < 0)
            return 1;
    cpu = process_cpu_us() - cpu;
    wait_for(s, 0, s->window ? PATIENCE_US : 100000);
    printf("sent=%lu valid=%lu expected=%lu us=%.0f cpu_us=%.0f\n", s->sent, s->valid, s->expected,
           now_us() - begin, cpu);
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_storage address;
    socklen_t size;
    if (argc != 7)
        return 2;
    struct sender sender = {
        .fd = socket_for(argv[1], &address, &size),
        .corpus = corpus_read(argv[2]),
        .count = strtoul(argv[3], NULL, 10),
        .board = board_open(argv[4]),
        .window = strtoul(argv[5], NULL, 10),
        .filtered = atoi(argv[6]),
    };
    if (connect(sender.fd, (struct sockaddr *)&address, size) < 0)
        return perror("sender: connect"), 1;
    return run(&sender);
}
