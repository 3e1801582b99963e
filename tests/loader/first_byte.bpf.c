// A filter written by hand, so that the loader and the shim can be tested without the compiler: it
// has the programs, maps and sections of bpf/abi.h and one rule, "the first byte is not 'A'". An
// empty message passes, one that begins with 0xff is malformed.
//
// FIXTURE_NAME and FIXTURE_CANONICAL, string literals, are given on the command line.
// FIXTURE_FORBIDDEN is the byte that the rule forbids. FIXTURE_REFUSED makes the verifier refuse
// the judge; FIXTURE_KERNEL is the oldest Linux that the rules need.
#include "bpf/abi.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#ifndef FIXTURE_FORBIDDEN
#define FIXTURE_FORBIDDEN 'A'
#endif
#ifndef FIXTURE_ABI
#define FIXTURE_ABI P2E_ABI
#endif
#ifndef FIXTURE_KERNEL
#define FIXTURE_KERNEL 0
#endif
#define FIXTURE_RULES 1

const volatile struct p2e_options p2e_options SEC(".rodata.options");

struct fixture_meta {
    struct p2e_meta header;
    char name[sizeof FIXTURE_NAME];
    char message[sizeof "test.First"];
    char canonical[sizeof FIXTURE_CANONICAL];
    char digest[sizeof "00"];
    char id[sizeof "not-a"];
    char expression[sizeof "data[0] != 'A'"];
    char text[sizeof "no A, please"];
} __attribute__((packed));

const volatile struct fixture_meta p2e_meta SEC(".rodata.meta") = {
    .header = {P2E_MAGIC, FIXTURE_ABI, sizeof(struct fixture_meta), FIXTURE_RULES, FIXTURE_KERNEL},
    .name = FIXTURE_NAME,
    .message = "test.First",
    .canonical = FIXTURE_CANONICAL,
    .digest = "00",
    .id = "not-a",
    .expression = "data[0] != 'A'",
    .text = "no A, please",
};

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} p2e_slot SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} p2e_empty SEC(".maps");

struct fixture_state {
    __u64 budget;
    __u64 counters[P2E_COUNT_RULES + FIXTURE_RULES];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct fixture_state);
} p2e_state SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} p2e_distinct SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, P2E_SAMPLES_SIZE);
} p2e_samples SEC(".maps");

// A sample without its message.
static __always_inline void sample(struct fixture_state *state, __u32 verdict)
{
    struct p2e_sample it = {.time = bpf_ktime_get_boot_ns(), .verdict = verdict};

    if (!state->budget)
        return;
    state->budget--;
    bpf_ringbuf_output(&p2e_samples, &it, sizeof(it), BPF_RB_NO_WAKEUP);
}

static __always_inline int finish(struct __sk_buff *skb, __u32 verdict)
{
    __u32 first = 0;
    struct fixture_state *state = bpf_map_lookup_elem(&p2e_state, &first);

    if (state && verdict < P2E_COUNT_RULES + FIXTURE_RULES)
        __sync_fetch_and_add(&state->counters[verdict], 1);
    if (state && verdict != P2E_COUNT_PASSED)
        sample(state, verdict);
    if (p2e_options.probe)
        return verdict + 1;
    return verdict == P2E_COUNT_PASSED || p2e_options.monitor ? -1 : 0;
}

SEC("socket")
int p2e_judge(struct __sk_buff *skb)
{
    __u32 last = p2e_options.state_count - 1;
    __u8 first = 0;

#ifdef FIXTURE_REFUSED
    return *(volatile int *)((char *)skb + 4096);
#endif
    if (skb->gso_size)
        return finish(skb, P2E_COUNT_AGGREGATED);
    if (!bpf_map_lookup_elem(&p2e_state, &last) || !bpf_map_lookup_elem(&p2e_distinct, &last))
        return finish(skb, P2E_COUNT_BUSY);
    if (bpf_skb_load_bytes(skb, p2e_options.payload_offset, &first, 1))
        return finish(skb, P2E_COUNT_PASSED);
    if (first == 0xff)
        return finish(skb, P2E_COUNT_MALFORMED);
    return finish(skb, first == FIXTURE_FORBIDDEN ? P2E_COUNT_RULES : P2E_COUNT_PASSED);
}

SEC("socket")
int p2e_entry(struct __sk_buff *skb)
{
    __u32 first = 0, *passes;

    bpf_tail_call(skb, &p2e_slot, 0);
    passes = bpf_map_lookup_elem(&p2e_empty, &first);
    return passes && *passes ? -1 : 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
