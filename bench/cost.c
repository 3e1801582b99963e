// What one filter costs: cost OBJECT MESSAGES CORE ROUNDS prints `name value` for each measurement.
#include <bpf/bpf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/corpus.h"
#include "bench/kernel.h"

#define BUDGET_NS 10e6 // of one measurement

// Loads it anew, as a server without a pinned program would.
static double load_ms(const struct p2e_object *object)
{
    struct subject subject;
    double begin = now_ns();
    subject_open(&subject, object);
    double used = now_ns() - begin;
    subject_close(&subject);
    return used / 1e6;
}

// What the entry costs above the judge that it calls.
static double tail_call_ns(const struct subject *s, const struct corpus *corpus)
{
    unsigned zero = 0, repeat = 4000;
    if (bpf_map_update_elem(s->handles.slot, &zero, &s->handles.judge, BPF_ANY) < 0)
        exit((perror("cannot fill the slot"), 1));
    return repeated_ns(s->handles.entry, corpus, repeat) -
           repeated_ns(s->handles.judge, corpus, repeat);
}

static void print(const char *name, double value)
{
    if (!isnan(value))
        printf("%s %.3f\n", name, value);
}

static void run_round(const struct p2e_object *object, struct subject *s,
                      const struct corpus *corpus)
{
    subject_renew(s, object);
    print("repeated", repeated_above_empty(s, corpus, BUDGET_NS));
    print("live", live_above_empty(s, corpus, BUDGET_NS));
    print("tail_call", tail_call_ns(s, corpus));
    print("load_ms", load_ms(object));
}

int main(int argc, char **argv)
{
    struct p2e_object object;
    struct p2e_error err;
    struct subject subject;
    uint32_t instructions, verified;
    if (argc != 5)
        return 2;
    if (p2e_object_open(argv[1], &object, &err) < 0)
        return fprintf(stderr, "cost: %s\n", err.text), 1;
    struct corpus corpus = corpus_read(argv[2]);
    pin_to_core(atoi(argv[3]));
    subject_open(&subject, &object);
    if (p2e_program_size(subject.handles.judge, &instructions, &verified) == 0) {
        print("instructions", instructions);
        print("verified", verified);
    }
    for (int i = 0; i < atoi(argv[4]); i++)
        run_round(&object, &subject, &corpus);
    subject_close(&subject);
    p2e_object_close(&object);
    return 0;
}
