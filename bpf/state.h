// A walker's state: one message, loaded lazily into one buffer, and what the rules need of it.
//
// Every position is a byte offset into the buffer: the message starts at 0, the texts of literals
// at P2E_LITERALS. So a piece of text is a (position, size) pair wherever it comes from, and stays
// valid until the verdict. (Between the message's 64 KiB and the literals there is room for what a
// last chunk may run over.)
//
// Invariants: pos <= end + 2^32-1 is checked before use (pos > end is malformed); every access is
// masked; bytes at and above `loaded` are stale and only ever looked at together with a check of
// `end`.
//
// A server's system calls and messages push everything out of the processor's caches, page tables
// above all, so what a message touches stands in as few pages as there can be: one, mostly.
//
// Before this file the emitted part defines P2E_RULE_COUNT, P2E_SLOTS, P2E_FRAMES, P2E_SAVED,
// P2E_SHARED_STATES, P2E_TABLE_MASK and p2e_table.
#ifndef P2E_BPF_STATE_H
#define P2E_BPF_STATE_H

#include "kernel.h"
#include "table.h"

#define P2E_CHUNK     2048    // most that is loaded at once
#define P2E_GLIMPSE   256     // what is loaded first of a message that is longer: it may be enough
#define P2E_POSITIONS 0x1ffff // mask of positions
#define P2E_LOOKAHEAD 24      // a step looks at no more bytes from pos on: tag, length, a word
#define P2E_PAGE      4096
#define P2E_NEAR_MAX  128 // entries of a table that each state has a copy of
#define P2E_COUNTERS  (P2E_COUNT_RULES + P2E_RULE_COUNT)

// An open message. The parts of a word are saved and restored together.
struct p2e_frame {
    u64 bounds; // its end, and above it the field number of a group, 0 in a length-delimited
                // message
    u64 row;    // P2E_OPEN_*
    u64 seen;   // required fields met so far
};

struct p2e_state {
    u64 budget; // enum p2e_state_word, up to the counters
    u64 counters[P2E_COUNTERS];
    struct p2e_options options; // a copy
    u32 claimed;                // shared states: in use
    u32 index;                  // of this state: other maps have a value for each state, too
    u32 prepared;               // the copies of constants are there
    u32 size;                   // of the message
    u32 pos;
    u32 loaded; // bytes below are in the buffer (from wherever the last skip landed)
    u32 ready;  // a step at a position below needs no loading
    u32 depth;
    u32 distinct_at; // index of the entry that was looked up last (bpf/distinct.h)
    u32 at, at2;     // positions of inner loops, through memory (VOLATILE)
    struct p2e_frame current;
    u64 varint;            // result of p2e_varint_long
    u64 now;               // nanoseconds of CLOCK_TAI when the walk began, where rules ask for it
    u64 settled;           // result of the last condition that could fail
    u64 value[P2E_SLOTS];  // by slot: last value, text, count of elements, or oneof member
    u8 present[P2E_SLOTS]; // by slot: was met
#if P2E_TABLE_MASK < P2E_NEAR_MAX
    u64 table[P2E_TABLE_MASK + 1]; // a copy
#endif
    struct p2e_frame frames[P2E_FRAMES];
    struct p2e_sample sample; // right in front of the message: they are written as one
    u8 buffer[P2E_POSITIONS + 1 + 16] __attribute__((aligned(8)));
#if P2E_SAVED
    u64 saved_value[P2E_SAVED]; // slots of elements around the one that is open
    u8 saved_present[P2E_SAVED];
    u64 saved_count;
#endif
} __attribute__((aligned(P2E_PAGE)));

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); // the loader sets p2e_options.state_count
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, u32);
    __type(value, struct p2e_state);
} p2e_state SEC(".maps");

// Filled in by the loader.
const volatile struct p2e_options p2e_options SEC(".rodata.options");

static P2E_INLINE u64 p2e_word(struct p2e_state *s, u32 pos)
{
    return *(u64 *)(s->buffer + (pos & P2E_POSITIONS));
}

static P2E_INLINE u8 p2e_byte(struct p2e_state *s, u32 pos)
{
    return s->buffer[pos & P2E_POSITIONS];
}

// The low `size` bytes of a word, size in 0..8.
static P2E_INLINE u64 p2e_low_bytes(u64 word, u32 size)
{
    return size >= 8 ? word : word & ~(~0ull << (size & 7) * 8);
}

// A text as a slot holds it.
static P2E_INLINE u64 p2e_text(u32 pos, u32 size)
{
    return (u64)size << 32 | pos;
}

static P2E_INLINE u32 p2e_text_pos(u64 text)
{
    return (u32)text;
}

static P2E_INLINE u32 p2e_text_size(u64 text)
{
    return text >> 32;
}

// A result through memory: to the verifier it is then any number, whichever way led to it, so that
// the ways through one condition are not multiplied by those through the next.
static P2E_INLINE int p2e_settled(struct p2e_state *s, int result)
{
    VOLATILE(s->settled) = result;
    return VOLATILE(s->settled);
}

// Loads one chunk at `from` (below size), of at most `most` bytes where there are more than
// P2E_CHUNK. Returns how much, 0 on failure.
static P2E_INLINE u32 p2e_load_chunk(struct __sk_buff *skb, struct p2e_state *s, u32 from, u32 most)
{
    u64 size = (u64)s->size - from - 1;
    OPAQUE(size);
    if (size > P2E_CHUNK - 1)
        size = most - 1;
    size += 1;
    from &= 0xffff;
    if (bpf_skb_load_bytes(skb, s->options.payload_offset + from, s->buffer + from, size))
        return 0;
    return size;
}

static P2E_INLINE void p2e_note_loaded(struct p2e_state *s, u32 loaded)
{
    s->loaded = loaded;
    s->ready = loaded >= s->size ? ~0u : loaded - P2E_LOOKAHEAD;
}

// Makes [pos, upto) readable, pos being the least position that is still of interest. 0: done.
P2E_GLOBAL int p2e_fill(struct __sk_buff *skb, struct p2e_state *s, u32 pos, u32 upto)
{
    if (!s)
        return -1;
    u32 from = s->loaded < pos ? pos : s->loaded;
    if (upto > s->size)
        upto = s->size;
    for (int i = 0; i < 65536 / P2E_CHUNK + 1; i++) {
        if (from >= upto || from >= s->size)
            break;
        u32 size = p2e_load_chunk(skb, s, from, P2E_CHUNK);
        if (!size)
            return -1;
        from += size;
    }
    if (from < upto)
        return -1;
    if (from > s->loaded)
        p2e_note_loaded(s, from);
    return 0;
}

// ---- Elements within elements -------------------------------------------------------------------
// Sizes are constants; p2e_walk() ends what it began, or the message is malformed.
#if P2E_SAVED
static P2E_INLINE void p2e_save(struct p2e_state *s, u32 first, u32 size)
{
    u32 base = s->saved_count;
    for (u32 i = 0; i < size; i++) {
        u32 at = (base + i) & (P2E_SAVED - 1);
        s->saved_value[at] = s->value[first + i];
        s->saved_present[at] = s->present[first + i];
    }
    s->saved_count = base + size;
}

static P2E_INLINE void p2e_restore(struct p2e_state *s, u32 first, u32 size)
{
    u32 base = s->saved_count - size;
    for (u32 i = 0; i < size; i++) {
        u32 at = (base + i) & (P2E_SAVED - 1);
        s->value[first + i] = s->saved_value[at];
        s->present[first + i] = s->saved_present[at];
    }
    s->saved_count = base;
}
#endif

// ---- Which state a message gets -----------------------------------------------------------------
static P2E_INLINE struct p2e_state *p2e_state_at(u32 index)
{
    return bpf_map_lookup_elem(&p2e_state, &index);
}

#if P2E_SHARED_STATES
// UNIX sockets run the filter in the sender's context, where it may be preempted by another sender
// on the same CPU: a state belongs to whoever set `claimed`, and the search starts at the CPU's
// own.
static P2E_INLINE u32 p2e_state_first(void)
{
    return bpf_get_smp_processor_id() * 4 & (P2E_STATES_SHARED - 1);
}

P2E_GLOBAL u32 p2e_claim(u32 first)
{
    for (u32 i = 0; i < P2E_STATES_SHARED; i++) {
        u32 index = (first + i) & (P2E_STATES_SHARED - 1);
        struct p2e_state *s = p2e_state_at(index);
        if (s && !VOLATILE(s->claimed) && !__sync_lock_test_and_set(&s->claimed, 1))
            return index;
    }
    return ~0u;
}
#else
static P2E_INLINE u32 p2e_state_first(void)
{
    return bpf_get_smp_processor_id();
}

static P2E_INLINE u32 p2e_claim(u32 first)
{
    return first;
}
#endif

static P2E_INLINE struct p2e_state *p2e_state_get(void)
{
    u32 index = p2e_claim(p2e_state_first());
    struct p2e_state *s = p2e_state_at(index);
    if (s)
        s->index = index;
    return s;
}

static P2E_INLINE void p2e_state_put(struct p2e_state *s)
{
    if (P2E_SHARED_STATES)
        __sync_lock_test_and_set(&s->claimed, 0);
}

// ---- Constants that a state has copies of -------------------------------------------------------
static P2E_INLINE u64 p2e_entry_at(struct p2e_state *s, u32 index)
{
#if P2E_TABLE_MASK < P2E_NEAR_MAX
    return s->table[index & P2E_TABLE_MASK];
#else
    USED(s);
    return p2e_table[index & P2E_TABLE_MASK];
#endif
}

// A state lives on from message to message: the copies are made once.
P2E_GLOBAL int p2e_prepare_now(struct p2e_state *s)
{
    if (!s)
        return 0;
    for (u32 i = 0; i < sizeof(s->options) / 4; i++)
        ((u32 *)&s->options)[i] = ((const volatile u32 *)&p2e_options)[i];
#if P2E_TABLE_MASK < P2E_NEAR_MAX
    for (u32 i = 0; i <= P2E_TABLE_MASK; i++)
        s->table[i] = p2e_table[i];
#endif
#if P2E_LITERAL_WORDS
    for (u32 i = 0; i < P2E_LITERAL_WORDS; i++)
        *(u64 *)(s->buffer + ((P2E_LITERALS + i * 8) & P2E_POSITIONS)) = p2e_literal_words[i];
#endif
    s->prepared = 1;
    return 1;
}

static P2E_INLINE void p2e_prepare(struct p2e_state *s)
{
    if (unlikely(!s->prepared))
        p2e_prepare_now(s);
}

#endif
