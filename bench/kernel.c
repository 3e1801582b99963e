#include "bench/kernel.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ETHERNET      14 // what BPF_PROG_TEST_RUN takes off the front
#define SOCKET_BUFFER 400000

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void pin_to_core(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

// ---- Programs -----------------------------------------------------------------------------------
int load_empty(void)
{
    static const struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int program = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "empty", "GPL", code, 2, NULL);
    if (program < 0)
        fail("cannot load the empty program");
    return program;
}

void open_pair(int pair[2], int program)
{
    int size = SOCKET_BUFFER;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0 ||
        (program >= 0 &&
         setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) < 0))
        fail("cannot attach the program to a socket pair");
}

void subject_open(struct subject *s, const struct p2e_object *object)
{
    struct p2e_options options;
    struct p2e_error err;
    // One message at a time, also on the socket pair: a state a CPU is enough.
    p2e_options_for(P2E_UDP, P2E_ENFORCE, &options);
    s->handles = P2E_NO_HANDLES;
    if (p2e_object_load(object, &options, NULL, &s->handles, &err) < 0)
        exit((fprintf(stderr, "%s\n", err.text), 1));
    s->empty = load_empty();
    open_pair(s->pairs[0], s->handles.judge);
    open_pair(s->pairs[1], s->empty);
}

void subject_close(struct subject *s)
{
    p2e_handles_close(&s->handles);
    close(s->empty);
    for (int i = 0; i < 4; i++)
        close(s->pairs[i / 2][i % 2]);
}

void subject_renew(struct subject *s, const struct p2e_object *object)
{
    subject_close(s);
    subject_open(s, object);
}

// ---- Repeated -----------------------------------------------------------------------------------
static double test_run(int program, const struct message *message, unsigned repeat)
{
    uint8_t packet[ETHERNET + HEADER + TEST_RUN_MAX] = {0};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .repeat = (int)repeat,
                .data_size_in = ETHERNET + HEADER + (unsigned)message->size);
    if (message->size > TEST_RUN_MAX)
        return NAN;
    memcpy(packet + ETHERNET + HEADER, message->data, message->size);
    if (bpf_prog_test_run_opts(program, &options) < 0)
        fail("BPF_PROG_TEST_RUN");
    return options.duration;
}

double repeated_ns(int program, const struct corpus *corpus, unsigned repeat)
{
    double sum = 0;
    for (size_t i = 0; i < corpus->count; i++)
        sum += test_run(program, &corpus->messages[i], repeat);
    return sum / corpus->count;
}

double repeated_above_empty(const struct subject *s, const struct corpus *corpus, double budget_ns)
{
    double first = repeated_ns(s->handles.judge, corpus, 20);
    if (isnan(first))
        return NAN;
    unsigned repeat = (unsigned)fmax(20, budget_ns / (first * corpus->count));
    return repeated_ns(s->handles.judge, corpus, repeat) - repeated_ns(s->empty, corpus, repeat);
}

// ---- Live ---------------------------------------------------------------------------------------
size_t pass_through(const int pair[2], const struct message *message, uint8_t *buffer)
{
    char header[HEADER] = {0};
    struct iovec parts[] = {{header, HEADER}, {(void *)message->data, message->size}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(pair[0], &packet, MSG_NOSIGNAL) < 0)
        fail("cannot send through the socket pair");
    parts[1] = (struct iovec){buffer, BUFFER_MAX};
    ssize_t size = recvmsg(pair[1], &packet, MSG_DONTWAIT);
    return size < HEADER ? 0 : (size_t)size - HEADER;
}

static struct bpf_prog_info statistics(int program)
{
    struct bpf_prog_info info = {0};
    unsigned size = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &size) < 0)
        fail("cannot read a program's statistics");
    return info;
}

// Mean run time, in whole turns of the corpus.
static double live_ns(int program, const int pair[2], const struct corpus *corpus, double budget_ns)
{
    static uint8_t buffer[BUFFER_MAX];
    struct bpf_prog_info before = statistics(program);
    double end = now_ns() + budget_ns;
    do
        for (size_t i = 0; i < corpus->count; i++)
            pass_through(pair, &corpus->messages[i], buffer);
    while (now_ns() < end);
    struct bpf_prog_info after = statistics(program);
    return (double)(after.run_time_ns - before.run_time_ns) /
           (double)(after.run_cnt - before.run_cnt);
}

double live_above_empty(const struct subject *s, const struct corpus *corpus, double budget_ns)
{
    int on = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (on < 0)
        fail("cannot turn the kernel's statistics of programs on");
    double judge = live_ns(s->handles.judge, s->pairs[0], corpus, budget_ns);
    double empty = live_ns(s->empty, s->pairs[1], corpus, budget_ns);
    close(on);
    return judge - empty;
}
