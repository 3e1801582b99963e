// Samples: what was dropped, for somebody to look at (bpf/abi.h). Nobody does, mostly: then a
// state's budget is 0, and a drop costs one look at it.
//
// A budget belongs to a state, and is counted down without a lock, while user space sets it and,
// for a message that found no state of its own, others do: what that can lose or give is a sample.
#ifndef P2E_BPF_SAMPLE_H
#define P2E_BPF_SAMPLE_H

#include "state.h"

#define P2E_UDP_HEADER 8

#define P2E_ETHERTYPE_IPV4 0x0800
#define P2E_ETHERTYPE_IPV6 0x86dd
#define P2E_IPV4_SOURCE    12 // offsets into the IP header
#define P2E_IPV6_SOURCE    8

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, P2E_SAMPLES_SIZE);
} p2e_samples SEC(".maps");

// From what was read, so that it never passes below 0.
static P2E_INLINE int p2e_sample_allowed(struct p2e_state *s)
{
    u64 budget = VOLATILE(s->budget);
    if (!budget)
        return 0;
    VOLATILE(s->budget) = budget - 1;
    return 1;
}

static P2E_INLINE u16 p2e_from_network(u16 value)
{
    return __builtin_bswap16(value);
}

// In front of a UDP message is its header, and in front of that the sender's address. What has been
// read when a read fails is as good as nothing.
static P2E_INLINE void p2e_sample_source(struct __sk_buff *skb, struct p2e_sample *sample)
{
    u16 protocol = p2e_from_network(skb->protocol), port = 0;
    u32 failed = 1;
    sample->family = P2E_SAMPLE_NO_ADDRESS;
    if (p2e_options.payload_offset != P2E_UDP_HEADER || bpf_skb_load_bytes(skb, 0, &port, 2))
        return;
    if (protocol == P2E_ETHERTYPE_IPV4)
        failed = bpf_skb_load_bytes_relative(skb, P2E_IPV4_SOURCE, sample->address, 4,
                                             BPF_HDR_START_NET);
    else if (protocol == P2E_ETHERTYPE_IPV6)
        failed = bpf_skb_load_bytes_relative(skb, P2E_IPV6_SOURCE, sample->address, 16,
                                             BPF_HDR_START_NET);
    if (failed)
        return;
    sample->family = protocol == P2E_ETHERTYPE_IPV4 ? P2E_SAMPLE_IPV4 : P2E_SAMPLE_IPV6;
    sample->port = p2e_from_network(port);
}

static P2E_INLINE void p2e_sample_begin(struct __sk_buff *skb, struct p2e_sample *sample,
                                        u32 verdict)
{
    u32 offset = p2e_options.payload_offset;
    sample->time = bpf_ktime_get_boot_ns();
    sample->verdict = verdict;
    sample->fault = 0;
    sample->size = skb->len < offset ? 0 : skb->len - offset;
    sample->included = 0;
    sample->port = 0;
    sample->reserved = 0;
    p2e_sample_source(skb, sample);
}

// The message's first bytes, all anew: what the walker skipped is not in the buffer. 0: there are
// none.
static P2E_INLINE u32 p2e_sample_load(struct __sk_buff *skb, struct p2e_state *s)
{
    if (!s->sample.size)
        return 0;
    u64 size = (u64)s->sample.size - 1;
    OPAQUE(size);
    if (size > P2E_SAMPLE_MAX - 1)
        size = P2E_SAMPLE_MAX - 1;
    size += 1;
    if (bpf_skb_load_bytes(skb, p2e_options.payload_offset, s->buffer, size))
        return 0;
    return size;
}

// After the verdict: the buffer is no longer needed. The walker's position is that of the field
// where it gave up.
P2E_GLOBAL int p2e_sample(struct __sk_buff *skb, struct p2e_state *s, u32 verdict)
{
    if (!s || !p2e_sample_allowed(s))
        return 0;
    p2e_sample_begin(skb, &s->sample, verdict);
    u32 fault = s->pos;
    if (verdict == P2E_COUNT_MALFORMED)
        s->sample.fault = fault < s->sample.size ? fault : s->sample.size;
    u64 included = p2e_sample_load(skb, s);
    s->sample.included = included;
    OPAQUE(included);
    if (included > P2E_SAMPLE_MAX)
        return 0;
    bpf_ringbuf_output(&p2e_samples, &s->sample, sizeof(s->sample) + included, BPF_RB_NO_WAKEUP);
    return 1;
}

// The state is another message's, and so is its buffer: this one is told without its bytes.
P2E_GLOBAL int p2e_sample_busy(struct __sk_buff *skb, struct p2e_state *s)
{
    if (!s || !p2e_sample_allowed(s))
        return 0;
    struct p2e_sample sample = {0};
    p2e_sample_begin(skb, &sample, P2E_COUNT_BUSY);
    bpf_ringbuf_output(&p2e_samples, &sample, sizeof(sample), BPF_RB_NO_WAKEUP);
    return 1;
}

#endif
