// The programs: what a socket runs. The last header of an emitted filter.
//
// Before this file the emitted part defines P2E_RULE_COUNT and verdict_0.
#ifndef P2E_BPF_PROGRAM_H
#define P2E_BPF_PROGRAM_H

#include "sample.h"
#include "walk.h"

#define P2E_DROP 0
#define P2E_PASS 0xffffffffu // at least the packet's length: all of it

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u32);
} p2e_slot SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u32);
} p2e_empty SEC(".maps");

// Counts a verdict (enum p2e_counter, rules included) and turns it into what the socket is told.
static P2E_INLINE u32 p2e_conclude(struct __sk_buff *skb, struct p2e_state *s, u32 verdict)
{
    if (s->options.probe)
        return verdict + 1;
    u64 counter = verdict;
    OPAQUE(counter);
    if (counter < P2E_COUNTERS)
        s->counters[counter]++;
    if (verdict == P2E_COUNT_PASSED)
        return P2E_PASS;
    if (unlikely(s->budget))
        p2e_sample(skb, s, verdict);
    return s->options.monitor ? P2E_PASS : P2E_DROP;
}

// No state is this message's own: it is counted in one that may be another's, who does not touch
// this counter.
static P2E_INLINE void p2e_count_busy(struct __sk_buff *skb)
{
    struct p2e_state *s = p2e_state_at(p2e_state_first());
    if (s) {
        __sync_fetch_and_add(&s->counters[P2E_COUNT_BUSY], 1);
        if (unlikely(s->budget))
            p2e_sample_busy(skb, s);
    }
}

static P2E_INLINE u32 p2e_conclude_busy(struct __sk_buff *skb)
{
    if (p2e_options.probe)
        return P2E_COUNT_BUSY + 1;
    p2e_count_busy(skb);
    return p2e_options.monitor ? P2E_PASS : P2E_DROP;
}

static P2E_INLINE u32 p2e_judge_packet(struct __sk_buff *skb, struct p2e_state *s)
{
    u32 offset = s->options.payload_offset;
    if (skb->gso_size)
        return P2E_COUNT_AGGREGATED;
    if (skb->len < offset)
        return P2E_COUNT_MALFORMED;
    u32 size = skb->len - offset;
    if (size > P2E_MAX_MESSAGE)
        return P2E_COUNT_OVERSIZED;
    if (!p2e_walk(skb, s, size))
        return P2E_COUNT_MALFORMED;
    u32 rule = verdict_0(s);
    return rule < P2E_RULE_COUNT ? P2E_COUNT_RULES + rule : P2E_COUNT_PASSED;
}

SEC("socket") u32 p2e_judge(struct __sk_buff *skb)
{
    struct p2e_state *s = p2e_state_get();
    if (!s)
        return p2e_conclude_busy(skb);
    p2e_prepare(s);
    u32 result = p2e_conclude(skb, s, p2e_judge_packet(skb, s));
    p2e_state_put(s);
    return result;
}

// What a socket gets attached where the filter is pinned: the slot's program can be replaced for
// all sockets at once.
SEC("socket") u32 p2e_entry(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &p2e_slot, 0);
    p2e_count_busy(skb);
    u32 first = 0;
    const u32 *passes = bpf_map_lookup_elem(&p2e_empty, &first);
    return passes && *passes ? P2E_PASS : P2E_DROP;
}

char p2e_license[] SEC("license") = "GPL";

#endif
