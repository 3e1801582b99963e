// What a verdict costs: the filter in the kernel and what a server could do for itself, on the same
// bytes. verdict KIND OBJECT CORPUS_DIR CORE ROUNDS prints `class judge mode ns` for each round;
// it refuses to when the judges disagree.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/corpus.h"
#include "bench/judge.h"
#include "bench/kernel.h"
#include "bench/wire.h"
#include "loader/probe.h"

#define BUDGET_NS 10e6 // of one measurement

static const char *const kind_names[KIND_COUNT] = {"search", "telemetry", "batch", "blob"};
static const char *const classes[] = {"valid", "breaking", "malformed"};
#define CLASS_COUNT (sizeof(classes) / sizeof(*classes))

static const struct judge *const judges[] = {&scanner_judge, &nanopb_judge, &protobuf_c_judge,
                                             &cpp_judge};
#define JUDGE_COUNT (sizeof(judges) / sizeof(*judges))

struct bench {
    enum kind kind;
    struct p2e_object object;
    struct corpus corpora[CLASS_COUNT];
    struct subject subject;
};

static int fail(const struct p2e_error *err)
{
    fprintf(stderr, "verdict: %s\n", err->text);
    return -1;
}

// ---- Agreement ----------------------------------------------------------------------------------
static bool agree(const char *who, bool verdict, size_t class, size_t i)
{
    bool expected = class == 0;
    if (verdict != expected)
        fprintf(stderr, "verdict: %s %s message %zu of %s\n", who, verdict ? "passes" : "refuses",
                i, classes[class]);
    return verdict == expected;
}

static int check_class(const struct bench *b, struct p2e_probe *probe, size_t class)
{
    int faults = 0;
    for (size_t i = 0; i < b->corpora[class].count; i++) {
        const struct message *m = &b->corpora[class].messages[i];
        struct p2e_error err;
        uint32_t verdict;
        if (p2e_probe_run(probe, m->data, m->size, &verdict, &err) < 0)
            return fail(&err);
        bool named = class == 2 ? verdict == P2E_COUNT_MALFORMED : verdict != P2E_COUNT_MALFORMED;
        faults += !named || !agree("p2e", verdict == P2E_COUNT_PASSED, class, i);
        for (size_t j = 0; j < JUDGE_COUNT; j++)
            faults +=
                !agree(judges[j]->name, judges[j]->of_kind[b->kind](m->data, m->size), class, i);
    }
    return faults ? -1 : 0;
}

static int check(const struct bench *b)
{
    struct p2e_probe probe;
    struct p2e_error err;
    if (p2e_probe_open(&b->object, NULL, &probe, &err) < 0)
        return fail(&err);
    int result = 0;
    for (size_t class = 0; class < CLASS_COUNT; class ++)
        result |= check_class(b, &probe, class);
    p2e_probe_close(&probe);
    return result;
}

// ---- User space ---------------------------------------------------------------------------------
// Nanoseconds a call: the corpus `turns` times, each message `repeat` times before the next.
static double run_ns(judge_function *judge, const struct corpus *corpus, unsigned turns,
                     unsigned repeat)
{
    unsigned passed = 0;
    double begin = cpu_ns();
    for (unsigned turn = 0; turn < turns; turn++)
        for (size_t i = 0; i < corpus->count; i++)
            for (unsigned k = 0; k < repeat; k++)
                passed += judge(corpus->messages[i].data, corpus->messages[i].size);
    double used = cpu_ns() - begin;
    __asm__ volatile("" ::"r"(passed));
    return used / ((double)turns * repeat * corpus->count);
}

// How often the budget suffices for.
static unsigned affordable(judge_function *judge, const struct corpus *corpus)
{
    return (unsigned)fmax(4, BUDGET_NS / (run_ns(judge, corpus, 1, 1) * corpus->count));
}

// The judge sees what has just been received, as a server's would; the clock's own time is in it.
static double timed_ns(judge_function *judge, const struct corpus *corpus, double budget_ns)
{
    static uint8_t buffer[BUFFER_MAX];
    static int pair[2] = {-1, -1};
    double used = 0, end = now_ns() + budget_ns;
    size_t count = 0;
    if (pair[0] < 0)
        open_pair(pair, -1);
    for (; now_ns() < end; count += corpus->count)
        for (size_t i = 0; i < corpus->count; i++) {
            size_t size = pass_through(pair, &corpus->messages[i], buffer);
            double begin = now_ns();
            bool passed = judge(buffer, size);
            __asm__ volatile("" ::"r"(passed));
            used += now_ns() - begin;
        }
    return used / count;
}

static bool empty_judge(const uint8_t *message, size_t size)
{
    return message && size;
}

static double user_live(judge_function *judge, const struct corpus *corpus)
{
    double with = timed_ns(judge, corpus, BUDGET_NS);
    return with - timed_ns(empty_judge, corpus, BUDGET_NS);
}

// ---- The whole way ------------------------------------------------------------------------------
struct ways {
    int open[2], byte[2]; // socket pairs: without a filter, and with one that looks at one byte
};

static void ways_open(struct ways *ways)
{
    open_pair(ways->open, -1);
    open_pair(ways->byte, -1);
    if (attach_byte_filter(ways->byte[1], HEADER) < 0)
        exit((perror("verdict: cannot attach a filter"), 1));
}

// CPU of one message from send to verdict: sent, filtered, received, and looked at by the server.
static double whole_ns(const int pair[2], judge_function *judge, const struct corpus *corpus)
{
    static uint8_t buffer[BUFFER_MAX];
    double begin = cpu_ns(), end = begin + BUDGET_NS;
    size_t count = 0;
    unsigned passed = 0;
    for (; cpu_ns() < end; count += corpus->count)
        for (size_t i = 0; i < corpus->count; i++)
            passed += judge(buffer, pass_through(pair, &corpus->messages[i], buffer));
    __asm__ volatile("" ::"r"(passed));
    return (cpu_ns() - begin) / count;
}

// ---- Rounds -------------------------------------------------------------------------------------
static void print(size_t class, const char *judge, const char *mode, double ns)
{
    if (!isnan(ns))
        printf("%s %s %s %.2f\n", classes[class], judge, mode, ns);
}

static void run_whole(const struct bench *b, const struct ways *ways)
{
    const struct corpus *valid = &b->corpora[0];
    judge_function *unpack = unpack_judge.of_kind[b->kind];
    print(0, "protobuf-c", "whole", whole_ns(ways->open, protobuf_c_judge.of_kind[b->kind], valid));
    print(0, "byte", "whole", whole_ns(ways->byte, unpack, valid));
    print(0, "p2e", "whole", whole_ns(b->subject.pairs[0], unpack, valid));
}

static void run_round(struct bench *b, const struct ways *ways)
{
    subject_renew(&b->subject, &b->object);
    run_whole(b, ways);
    for (size_t class = 0; class < CLASS_COUNT; class ++) {
        const struct corpus *corpus = &b->corpora[class];
        print(class, "p2e", "repeated", repeated_above_empty(&b->subject, corpus, BUDGET_NS));
        print(class, "p2e", "live", live_above_empty(&b->subject, corpus, BUDGET_NS));
        for (size_t j = 0; j < JUDGE_COUNT; j++) {
            judge_function *judge = judges[j]->of_kind[b->kind];
            unsigned times = affordable(judge, corpus);
            print(class, judges[j]->name, "repeated", run_ns(judge, corpus, 1, times));
            print(class, judges[j]->name, "cycled", run_ns(judge, corpus, times, 1));
            print(class, judges[j]->name, "live", user_live(judge, corpus));
        }
    }
}

static int open_bench(struct bench *b, char **args)
{
    struct p2e_error err;
    while (b->kind < KIND_COUNT && strcmp(args[0], kind_names[b->kind]))
        b->kind++;
    if (b->kind == KIND_COUNT)
        return -1;
    for (size_t class = 0; class < CLASS_COUNT; class ++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s.%s", args[2], args[0], classes[class]);
        b->corpora[class] = corpus_read(path);
    }
    if (p2e_object_open(args[1], &b->object, &err) < 0)
        return fail(&err);
    subject_open(&b->subject, &b->object);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct ways ways;
    if (argc != 6 || open_bench(&b, argv + 1) < 0)
        return 2;
    pin_to_core(atoi(argv[4]));
    if (check(&b) < 0)
        return 1;
    printf("size - - %.0f\n", b.corpora[0].mean_size);
    ways_open(&ways);
    for (int i = 0; i < atoi(argv[5]); i++)
        run_round(&b, &ways);
    subject_close(&b.subject);
    p2e_object_close(&b.object);
    return 0;
}
