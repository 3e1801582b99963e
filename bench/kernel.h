// What a program costs in the kernel, by the kernel's own clocks.
//
// Two ways. *Repeated*: BPF_PROG_TEST_RUN replays each message many times; it takes about one page.
// *Live*: the messages go one after another through a socket pair, and the kernel's statistics of
// the program (bpf_enable_stats) tell its time; any size, and what a processor remembers of the
// message before does not help. Both are given above the empty program, measured in the same way.
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdbool.h>

#include "bench/corpus.h"
#include "loader/loader.h"

#define TEST_RUN_MAX 3000  // bytes that fit into its page
#define BUFFER_MAX   65536 // of a message
#define HEADER       8     // of UDP: the socket pairs' messages follow one

struct subject {
    struct p2e_handles handles; // a UDP filter's: its messages follow a header of 8 bytes
    int empty;                  // the empty program
    int pairs[2][2];            // socket pairs, filtered by the judge and by the empty program
};

// Loads the object and the empty program. Ends the program on failure.
void subject_open(struct subject *subject, const struct p2e_object *object);
void subject_close(struct subject *subject);
// Loads it anew. Where its pages come to lie moves a short verdict by a tenth: a place each round.
void subject_renew(struct subject *subject, const struct p2e_object *object);
int load_empty(void);
// A socket pair of datagrams; the program filters what arrives at the second, -1 for none.
void open_pair(int pair[2], int program);

// Mean nanoseconds a message of one program, repeated `repeat` times; NAN: too large.
double repeated_ns(int program, const struct corpus *corpus, unsigned repeat);
// The same of the judge above the empty program, for about `budget_ns`.
double repeated_above_empty(const struct subject *s, const struct corpus *corpus, double budget_ns);
double live_above_empty(const struct subject *s, const struct corpus *corpus, double budget_ns);

// One message through a socket pair; its size as received, into a buffer of BUFFER_MAX, 0 if it was
// dropped.
size_t pass_through(const int pair[2], const struct message *message, uint8_t *buffer);

double now_ns(void);
double cpu_ns(void); // of this thread: what else runs on the machine does not count
void pin_to_core(int core);

#endif
