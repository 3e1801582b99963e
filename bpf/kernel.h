// The little of the kernel's BPF interface that a filter uses, so that compiling one needs clang
// and no header packages. Numbers and layouts are the kernel's ABI (include/uapi/linux/bpf.h).
#ifndef P2E_BPF_KERNEL_H
#define P2E_BPF_KERNEL_H

#include "abi.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef signed int s32;
typedef signed long long s64;

// The socket filter's context. The name is how the verifier knows it in global functions.
struct __sk_buff {
    u32 len;
    u32 pkt_type;
    u32 mark;
    u32 queue_mapping;
    u32 protocol;
    u32 vlan_present;
    u32 vlan_tci;
    u32 vlan_proto;
    u32 priority;
    u32 ingress_ifindex;
    u32 ifindex;
    u32 tc_index;
    u32 cb[5];
    u32 hash;
    u32 tc_classid;
    u32 data;
    u32 data_end;
    u32 napi_id;
    u32 family;
    u32 remote_ip4;
    u32 local_ip4;
    u32 remote_ip6[4];
    u32 local_ip6[4];
    u32 remote_port;
    u32 local_port;
    u32 data_meta;
    u64 flow_keys;
    u64 tstamp;
    u32 wire_len;
    u32 gso_segs;
    u64 sk;
    u32 gso_size;
};

enum p2e_bpf_map_flag {
    BPF_F_MMAPABLE = 1 << 10, // values begin at a page
};

enum p2e_bpf_map_type {
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PROG_ARRAY = 3,
    BPF_MAP_TYPE_RINGBUF = 27,
};

enum p2e_bpf_header {
    BPF_HDR_START_NET = 1, // offsets count from the IP header
};

enum p2e_bpf_ringbuf_flag {
    BPF_RB_NO_WAKEUP = 1, // readers come by themselves
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u32 (*bpf_get_prandom_u32)(void) __attribute__((unused)) = (void *)7;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static long (*bpf_tail_call)(void *context, void *map, u32 index) = (void *)12;
static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 size) = (void *)26;
static long (*bpf_skb_load_bytes_relative)(const void *skb, u32 offset, void *to, u32 size,
                                           u32 header) = (void *)68;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_ringbuf_output)(void *ringbuf, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*bpf_ktime_get_tai_ns)(void) __attribute__((unused)) = (void *)208;

// Map definitions as libbpf reads them from BTF.
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

#define SEC(name) __attribute__((section(name), used))
// A filter uses what its rules need of the headers.
#define P2E_INLINE inline __attribute__((always_inline, unused))
// A function that the verifier checks once, by its prototype, instead of at each call.
#define P2E_GLOBAL __attribute__((noinline))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

// A load or store that stays where it is written. What is loaded back is an unknown scalar to the
// verifier: states converge, and precision is not tracked through it.
#define VOLATILE(x) (*(volatile typeof(x) *)&(x))

// Hides from the compiler what it knows of x, so that a bound is checked where it is written.
#define OPAQUE(x) asm volatile("" : "+r"(x))

// Nothing that is computed from x, or read from memory, moves over this.
#define SETTLE(x) asm volatile("" : "+r"(x) : : "memory")

// Names an argument that a function does not use: clang would pass garbage for it, and the verifier
// refuses such a call.
#define USED(x) asm volatile("" ::"r"(x))

#endif
