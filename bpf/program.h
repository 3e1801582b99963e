// The programs: what a socket runs. The last header of an emitted filter.
//
// Before this file the emitted part defines P2E_RULE_COUNT and verdict_0.
#ifndef P2E_BPF_PROGRAM_H
#define P2E_BPF_PROGRAM_H

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
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, P2E_COUNT_RULES + P2E_RULE_COUNT);
    __type(key, u32);
    __type(value, u64);
} p2e_counters SEC(".maps");

// Counts a verdict (enum p2e_counter, rules included) and turns it into what the socket is told.
static P2E_INLINE u32 p2e_conclude(u32 verdict)
{
    if (p2e_options.probe)
        return verdict + 1;
    u64 *counter = bpf_map_lookup_elem(&p2e_counters, &verdict);
    if (counter && p2e_options.shared_states)
        __sync_fetch_and_add(counter, 1); // may be preempted in between
    else if (counter)
        *counter += 1;
    return verdict == P2E_COUNT_PASSED || p2e_options.monitor ? P2E_PASS : P2E_DROP;
}

static P2E_INLINE u32 p2e_judge_message(struct __sk_buff *skb, struct p2e_state *s, u32 size)
{
    p2e_literals(s);
    if (!p2e_walk(skb, s, size))
        return P2E_COUNT_MALFORMED;
    u32 rule = verdict_0(s);
    return rule < P2E_RULE_COUNT ? P2E_COUNT_RULES + rule : P2E_COUNT_PASSED;
}

SEC("socket") u32 p2e_judge(struct __sk_buff *skb)
{
    if (skb->gso_size)
        return p2e_conclude(P2E_COUNT_AGGREGATED);
    if (skb->len < p2e_options.payload_offset)
        return p2e_conclude(P2E_COUNT_MALFORMED);
    u32 size = skb->len - p2e_options.payload_offset;
    if (size > P2E_MAX_MESSAGE)
        return p2e_conclude(P2E_COUNT_OVERSIZED);
    struct p2e_state *s = p2e_state_get();
    if (!s)
        return p2e_conclude(P2E_COUNT_BUSY);
    u32 verdict = p2e_judge_message(skb, s, size);
    p2e_state_put(s);
    return p2e_conclude(verdict);
}

// What a socket gets attached where the filter is pinned: the slot's program can be replaced for
// all sockets at once. An empty slot drops.
SEC("socket") u32 p2e_entry(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &p2e_slot, 0);
    return p2e_conclude(P2E_COUNT_BUSY);
}

char p2e_license[] SEC("license") = "GPL";

#endif
