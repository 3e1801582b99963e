// Sets of keys: what has been met before? For elements that must be unique, and for maps, where the
// last entry of a key wins. All sets of a message share one table, which belongs to the walker's
// state; a set is a generation, a number that never comes again, so nothing is ever cleared.
//
// The hash is keyed anew for each message: which keys collide is not for the sender to know.
//
// Before this file the emitted part defines P2E_HAS_DISTINCT; sets of texts are there when
// P2E_USES_COMPARE is, too.
#ifndef P2E_BPF_DISTINCT_H
#define P2E_BPF_DISTINCT_H

#include "text.h"

#if P2E_HAS_DISTINCT

#define P2E_DISTINCT_SIZE  32768 // entries of a table, a power of two …
#define P2E_DISTINCT_MAX   28000 // … and how many a message may fill: probes stay few
#define P2E_DISTINCT_STEPS 64    // entries or words that one call looks at
// Far above what a random hash comes to: at P2E_DISTINCT_MAX, runs are a few hundred entries long.
#define P2E_DISTINCT_PROBES 4096
// Texts of equal size and equal bits of the hash that are not equal: one in 65,536 is.
#define P2E_DISTINCT_DOUBLES 8

enum p2e_distinct_result {
    P2E_DISTINCT_NEW,   // was not there, and is now
    P2E_DISTINCT_KNOWN, // was there
    P2E_DISTINCT_FULL,  // no room: the message cannot be judged
    P2E_DISTINCT_MORE,  // private: not decided yet
};

struct p2e_distinct_entry {
    u64 key; // a scalar, or a text with 16 bits of its hash on top
    u64 tag; // generation, and below it 16 bits for whoever owns the set
};

struct p2e_distinct_table {
    u64 generation; // last one given out
    u64 first;      // of this message: what is older is not there
    u64 seeds[2];   // of the hash
    u32 count;      // of entries that this message filled
    u32 reserved;
    struct p2e_distinct_entry entries[P2E_DISTINCT_SIZE];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); // the loader sets p2e_options.state_count
    __type(key, u32);
    __type(value, struct p2e_distinct_table);
} p2e_distinct SEC(".maps");

static P2E_INLINE struct p2e_distinct_table *p2e_distinct_table(struct p2e_state *s)
{
    u32 index = s->index;
    return bpf_map_lookup_elem(&p2e_distinct, &index);
}

static P2E_INLINE struct p2e_distinct_entry *p2e_distinct_entry(struct p2e_distinct_table *table,
                                                                u32 at)
{
    OPAQUE(at);
    return &table->entries[at & (P2E_DISTINCT_SIZE - 1)];
}

static P2E_INLINE u64 p2e_distinct_random(void)
{
    u64 high = bpf_get_prandom_u32();
    return high << 32 | bpf_get_prandom_u32();
}

// Forgets all sets: a message begins.
static P2E_INLINE void p2e_distinct_begin(struct p2e_state *s)
{
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    if (!table)
        return;
    table->first = table->generation + 1;
    table->count = 0;
    table->seeds[0] = p2e_distinct_random();
    table->seeds[1] = p2e_distinct_random();
}

// An empty set: its generation.
static P2E_INLINE u64 p2e_distinct_new(struct p2e_state *s)
{
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    return table ? ++table->generation : 0;
}

// ---- What is with a key: 16 bits, of the key that was looked up last ----------------------------
static P2E_INLINE u32 p2e_distinct_bits(struct p2e_state *s)
{
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    return table ? p2e_distinct_entry(table, s->distinct_at)->tag & 0xffff : 0;
}

static P2E_INLINE void p2e_distinct_set_bits(struct p2e_state *s, u32 bits)
{
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    if (!table)
        return;
    struct p2e_distinct_entry *entry = p2e_distinct_entry(table, s->distinct_at);
    entry->tag = (entry->tag & ~0xffffull) | (bits & 0xffff);
}

// ---- Search: linear probing ---------------------------------------------------------------------
// A bounded part of it, from s->distinct_at on. P2E_DISTINCT_NEW: here is where the key would be.
P2E_GLOBAL int p2e_distinct_steps(struct p2e_state *s, u64 generation, u64 key, u64 mask)
{
    if (!s)
        return P2E_DISTINCT_FULL;
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    if (!table)
        return P2E_DISTINCT_FULL;
    u64 first = table->first;
    u32 at = s->distinct_at;
    for (int n = 0; n < P2E_DISTINCT_STEPS; n++) {
        VOLATILE(s->distinct_at) = at;
        at = VOLATILE(s->distinct_at);
        struct p2e_distinct_entry *entry = p2e_distinct_entry(table, at);
        u64 found = entry->tag >> 16;
        if (found < first)
            return P2E_DISTINCT_NEW;
        if (!((found ^ generation) | ((entry->key ^ key) & mask)))
            return P2E_DISTINCT_KNOWN;
        at++;
    }
    s->distinct_at = at;
    return P2E_DISTINCT_MORE;
}

// The whole search. Keys are equal when they are under the mask.
P2E_GLOBAL int p2e_distinct_find(struct p2e_state *s, u64 generation, u64 key, u64 mask)
{
    if (!s)
        return P2E_DISTINCT_FULL;
    for (int n = 0; n < P2E_DISTINCT_PROBES / P2E_DISTINCT_STEPS; n++) {
        int result = p2e_distinct_steps(s, generation, key, mask);
        if (result != P2E_DISTINCT_MORE)
            return result;
    }
    return P2E_DISTINCT_FULL;
}

static P2E_INLINE int p2e_distinct_insert(struct p2e_state *s, struct p2e_distinct_table *table,
                                          u64 generation, u64 key)
{
    if (table->count >= P2E_DISTINCT_MAX)
        return P2E_DISTINCT_FULL;
    table->count++;
    struct p2e_distinct_entry *entry = p2e_distinct_entry(table, s->distinct_at);
    entry->key = key;
    entry->tag = generation << 16;
    return P2E_DISTINCT_NEW;
}

// ---- Scalars ------------------------------------------------------------------------------------
// Multiplication by a random odd number is a universal hash, of which the top bits are the good
// ones: they are folded down for the next one. The generation is part of it, lest the same keys in
// many sets stand in each other's way.
static P2E_INLINE u32 p2e_distinct_hash_scalar(const struct p2e_distinct_table *table,
                                               u64 generation, u64 key)
{
    u64 first = table->seeds[0] | 1, second = table->seeds[1] | 1;
    u64 hash = (key ^ table->seeds[0]) * second;
    hash = ((hash ^ hash >> 32) + generation) * first;
    return (hash ^ hash >> 32) * second >> 48;
}

// Looks `key` up in a set, and puts it there. Equal values are equal keys: that is the caller's to
// see to (negative zeros, NaNs).
P2E_GLOBAL int p2e_distinct_scalar(struct p2e_state *s, u64 generation, u64 key)
{
    if (!s)
        return P2E_DISTINCT_FULL;
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    if (!table)
        return P2E_DISTINCT_FULL;
    s->distinct_at = p2e_distinct_hash_scalar(table, generation, key);
    int found = p2e_distinct_find(s, generation, key, ~0ull);
    return found == P2E_DISTINCT_NEW ? p2e_distinct_insert(s, table, generation, key) : found;
}

// ---- Texts: SipHash-1-3 -------------------------------------------------------------------------
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF". Cheaper hashes of many words
// have differences that cancel whatever the key is.
#if P2E_USES_COMPARE
struct p2e_sip {
    u64 v0, v1, v2, v3;
    u32 pos, end;
};

static P2E_INLINE u64 p2e_rotate(u64 word, u32 by)
{
    return word << by | word >> (64 - by);
}

static P2E_INLINE void p2e_sip_round(struct p2e_sip *sip)
{
    sip->v0 += sip->v1;
    sip->v1 = p2e_rotate(sip->v1, 13) ^ sip->v0;
    sip->v0 = p2e_rotate(sip->v0, 32);
    sip->v2 += sip->v3;
    sip->v3 = p2e_rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 += sip->v3;
    sip->v3 = p2e_rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 += sip->v1;
    sip->v1 = p2e_rotate(sip->v1, 17) ^ sip->v2;
    sip->v2 = p2e_rotate(sip->v2, 32);
}

static P2E_INLINE void p2e_sip_word(struct p2e_sip *sip, u64 word)
{
    sip->v3 ^= word;
    p2e_sip_round(sip);
    sip->v0 ^= word;
}

// Takes whole words, a bounded number.
P2E_GLOBAL int p2e_sip_steps(struct p2e_state *s, struct p2e_sip *outer)
{
    if (!s || !outer)
        return 0;
    struct p2e_sip sip = *outer;
    u32 pos = sip.pos;
    for (int n = 0; n < P2E_DISTINCT_STEPS; n++) {
        VOLATILE(s->at) = pos;
        pos = VOLATILE(s->at);
        if (sip.end - pos < 8)
            break;
        p2e_sip_word(&sip, p2e_word(s, pos));
        pos += 8;
    }
    sip.pos = pos;
    *outer = sip;
    return 1;
}

static P2E_INLINE void p2e_sip_text(struct p2e_state *s, struct p2e_sip *sip, u64 text)
{
    sip->pos = p2e_text_pos(text);
    sip->end = p2e_text_pos(text) + p2e_text_size(text);
    for (int n = 0; n < 65536 / 8 / P2E_DISTINCT_STEPS; n++) {
        if (sip->end - sip->pos < 8)
            break;
        p2e_sip_steps(s, sip);
    }
    u64 last = p2e_low_bytes(p2e_word(s, sip->pos), p2e_text_size(text) & 7);
    p2e_sip_word(sip, last | (u64)p2e_text_size(text) << 56);
}

P2E_GLOBAL u64 p2e_distinct_hash_text(struct p2e_state *s, u64 generation, u64 text)
{
    if (!s)
        return 0;
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    if (!table)
        return 0;
    u64 first = table->seeds[0] ^ generation, second = table->seeds[1];
    struct p2e_sip sip = {
        .v0 = first ^ 0x736f6d6570736575ull,
        .v1 = second ^ 0x646f72616e646f6dull,
        .v2 = first ^ 0x6c7967656e657261ull,
        .v3 = second ^ 0x7465646279746573ull,
    };
    p2e_sip_text(s, &sip, text);
    sip.v2 ^= 0xff;
    p2e_sip_round(&sip);
    p2e_sip_round(&sip);
    p2e_sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

// The text of an entry: its size is 16 bits, above are those of the hash.
static P2E_INLINE u64 p2e_distinct_entry_text(struct p2e_distinct_table *table, u32 at)
{
    return p2e_distinct_entry(table, at)->key & ~0ull >> 16;
}

// The same for a text, which stays in the buffer until the verdict.
P2E_GLOBAL int p2e_distinct_text(struct p2e_state *s, u64 generation, u64 text)
{
    if (!s)
        return P2E_DISTINCT_FULL;
    struct p2e_distinct_table *table = p2e_distinct_table(s);
    if (!table)
        return P2E_DISTINCT_FULL;
    u64 hash = p2e_distinct_hash_text(s, generation, text);
    u64 key = text | hash << 48;
    s->distinct_at = hash >> 32;
    for (int n = 0; n < P2E_DISTINCT_DOUBLES; n++) {
        int found = p2e_distinct_find(s, generation, key, ~0ull << 32);
        if (found == P2E_DISTINCT_NEW)
            return p2e_distinct_insert(s, table, generation, key);
        if (found != P2E_DISTINCT_KNOWN ||
            p2e_text_equal(s, p2e_distinct_entry_text(table, s->distinct_at), text))
            return found;
        s->distinct_at++;
    }
    return P2E_DISTINCT_FULL;
}
#endif

#endif

#endif
