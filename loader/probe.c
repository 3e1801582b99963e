#include "loader/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loader/sys.h"

#define OFFSET     8      // both instances look at what follows a header of this size
#define ETHERNET   14     // what BPF_PROG_TEST_RUN takes off the front
#define SMALL_MAX  3000   // what fits into its one page, with room for the kernel's own
#define BUFFER_MAX 400000 // a datagram, and the kernel's account of it

static int load(const struct p2e_object *object, const char *log_path, bool probe,
                struct p2e_handles *handles, struct p2e_error *err)
{
    struct p2e_options options;
    // Only this process uses the instance, one message at a time: a state a CPU is enough.
    p2e_options_for(P2E_UDP, P2E_ENFORCE, &options);
    options.payload_offset = OFFSET;
    options.probe = probe;
    return p2e_object_load(object, &options, log_path, handles, err);
}

// The small entry, which calls the judge: before Linux 6.7 the size of what is attached counts
// against net.core.optmem_max. Its slot is full as long as the probe holds it.
static int attach(const struct p2e_probe *probe, int receiver, struct p2e_error *err)
{
    uint32_t judge = (uint32_t)probe->large.judge;
    if (p2e_bpf_map_update(probe->large.slot, 0, &judge) ||
        setsockopt(receiver, SOL_SOCKET, SO_ATTACH_BPF, &probe->large.entry, sizeof(int)) < 0)
        return p2e_error_set(err, "cannot attach the program to a socket: %s", strerror(errno));
    return 0;
}

static int connect_pair(struct p2e_probe *probe, struct p2e_error *err)
{
    int ends[2], size = BUFFER_MAX;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return p2e_error_set(err, "cannot make a socket pair: %s", strerror(errno));
    probe->sender = ends[0];
    probe->receiver = ends[1];
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return attach(probe, ends[1], err);
}

int p2e_probe_open(const struct p2e_object *object, const char *log_path, struct p2e_probe *probe,
                   struct p2e_error *err)
{
    size_t counters = P2E_COUNT_RULES + object->description.rule_count;
    *probe = (struct p2e_probe){
        .small = P2E_NO_HANDLES,
        .large = P2E_NO_HANDLES,
        .sender = -1,
        .receiver = -1,
        .object = object,
        .rule_count = object->description.rule_count,
        .before = calloc(counters, sizeof(uint64_t)),
        .after = calloc(counters, sizeof(uint64_t)),
    };
    if (!probe->before || !probe->after)
        p2e_error_set(err, "out of memory");
    else if (load(object, log_path, true, &probe->small, err) == 0)
        return 0;
    p2e_probe_close(probe);
    return -1;
}

void p2e_probe_close(struct p2e_probe *probe)
{
    p2e_handles_close(&probe->small);
    p2e_handles_close(&probe->large);
    p2e_cleanup_fd(&probe->sender);
    p2e_cleanup_fd(&probe->receiver);
    free(probe->before);
    free(probe->after);
    *probe = (struct p2e_probe){
        .small = P2E_NO_HANDLES, .large = P2E_NO_HANDLES, .sender = -1, .receiver = -1};
}

static int run_small(struct p2e_probe *probe, const void *message, size_t size, uint32_t *verdict,
                     struct p2e_error *err)
{
    char packet[ETHERNET + OFFSET + SMALL_MAX] = {0};
    memcpy(packet + ETHERNET + OFFSET, message, size);
    union bpf_attr attr = {
        .test.prog_fd = probe->small.judge,
        .test.data_in = (uintptr_t)packet,
        .test.data_size_in = ETHERNET + OFFSET + size,
        .test.repeat = 1,
    };
    if (p2e_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0)
        return p2e_error_set(err, "the kernel does not run the program on %zu bytes: %s", size,
                             strerror(errno));
    *verdict = attr.test.retval - 1;
    if (*verdict >= P2E_COUNT_RULES + probe->rule_count)
        return p2e_error_set(err, "the program's verdict %u is none that it can have", *verdict);
    return 0;
}

// The one counter that has moved.
static int find_verdict(const struct p2e_probe *probe, uint32_t *verdict, struct p2e_error *err)
{
    for (uint32_t i = 0; i < P2E_COUNT_RULES + probe->rule_count; i++) {
        *verdict = i;
        if (probe->after[i] != probe->before[i])
            return 0;
    }
    return p2e_error_set(err, "the kernel did not count the message");
}

static int send_one(const struct p2e_probe *probe, const void *message, size_t size,
                    struct p2e_error *err)
{
    char header[OFFSET] = {0}, rest[1];
    struct iovec parts[] = {{header, OFFSET}, {(void *)message, size}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(probe->sender, &packet, MSG_NOSIGNAL) < 0)
        return p2e_error_set(err,
                             "a message of %zu bytes does not fit into a datagram here (%s); raise "
                             "net.core.wmem_max",
                             size, strerror(errno));
    while (recv(probe->receiver, rest, sizeof(rest), MSG_DONTWAIT) >= 0)
        continue;
    return 0;
}

static int run_large(struct p2e_probe *probe, const void *message, size_t size, uint32_t *verdict,
                     struct p2e_error *err)
{
    int state = probe->large.state;
    if (p2e_counters_read(state, probe->rule_count, probe->before, err) < 0 ||
        send_one(probe, message, size, err) < 0 ||
        p2e_counters_read(state, probe->rule_count, probe->after, err) < 0)
        return -1;
    return find_verdict(probe, verdict, err);
}

// Most runs need it never, and loading costs the verifier's time.
static int open_large(struct p2e_probe *probe, struct p2e_error *err)
{
    if (probe->sender >= 0)
        return 0;
    if (load(probe->object, NULL, false, &probe->large, err) < 0)
        return -1;
    return connect_pair(probe, err);
}

int p2e_probe_run(struct p2e_probe *probe, const void *message, size_t size, uint32_t *verdict,
                  struct p2e_error *err)
{
    if (size <= SMALL_MAX)
        return run_small(probe, message, size, verdict, err);
    if (open_large(probe, err) < 0)
        return -1;
    return run_large(probe, message, size, verdict, err);
}
