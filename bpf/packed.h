// Packed repeated fields: [pos, end) is nothing but the values one after another.
#ifndef P2E_BPF_PACKED_H
#define P2E_BPF_PACKED_H

#include "varint.h"

#define P2E_PACKED_STEPS 32

// Does a varint near pos run on for nine bytes, and then have anything but 0 or 1? It may start in
// the word at pos, of which `rest` bytes are the list's, or in the one before; what stands before
// the list ends with a byte that is not part of a run.
P2E_GLOBAL int p2e_packed_overlong(struct p2e_state *s, u32 pos, u32 rest)
{
    if (!s)
        return 1;
    u64 fault = 0, run = P2E_HIGH_BITS;
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 9; i++)
            run &= p2e_word(s, pos - 8 + i);
        fault |= p2e_word(s, pos + 1) & (run >> 7) * 0xfe;
        run = p2e_low_bytes(P2E_HIGH_BITS, rest);
        pos += 8;
    }
    return fault != 0;
}

// Nine continuation bytes in a row show as five in the word they start in or in the next.
static P2E_INLINE int p2e_packed_suspicious(u64 word)
{
    u64 five = word & P2E_HIGH_BITS;
    u64 two = five & five >> 8;
    return (two & two >> 16 & five >> 32) != 0;
}

// Varints that end in the low `size` bytes of a word.
static P2E_INLINE u32 p2e_packed_ends(u64 word, u32 size)
{
    u64 ends = p2e_low_bytes(~word & P2E_HIGH_BITS, size) >> 7;
    return ends * 0x0101010101010101ull >> 56;
}

// A bounded part of the check, adding to the count in s->varint. Returns the position reached, ~0
// when malformed.
P2E_GLOBAL u32 p2e_packed_steps(struct p2e_state *s, u32 pos, u32 end)
{
    if (!s)
        return ~0u;
    u64 count = 0;
    for (int i = 0; i < P2E_PACKED_STEPS; i++) {
        VOLATILE(s->at) = pos;
        pos = VOLATILE(s->at);
        if (pos >= end)
            break;
        u32 rest = end - pos;
        OPAQUE(rest);
        u64 word = p2e_word(s, pos);
        if (unlikely(p2e_packed_suspicious(p2e_low_bytes(word, rest))) &&
            p2e_packed_overlong(s, pos, rest))
            return ~0u;
        count += p2e_packed_ends(word, rest);
        pos += rest < 8 ? rest : 8;
    }
    s->varint += count;
    return pos;
}

// Are the varints of [pos, end), which the buffer holds, well-formed? Their number in s->varint.
P2E_GLOBAL int p2e_packed_varints(struct p2e_state *s, u32 pos, u32 end)
{
    if (!s)
        return 0;
    s->varint = 0;
    if (pos >= end)
        return 1;
    if (p2e_byte(s, end - 1) & 0x80)
        return 0;
    for (int i = 0; i < 65536 / 8 / P2E_PACKED_STEPS + 2; i++) {
        pos = p2e_packed_steps(s, pos, end);
        if (pos >= end)
            return pos == end;
    }
    return 0;
}

// The same for any kind of list (enum p2e_entry_kind): how many elements it has. The buffer holds
// it where they are varints.
static P2E_INLINE int p2e_packed(struct p2e_state *s, u32 kind, u32 pos, u32 end, u32 *count)
{
    if (kind == P2E_KIND_PACKED_VARINT) {
        int well_formed = p2e_packed_varints(s, pos, end);
        *count = s->varint;
        return well_formed;
    }
    u32 shift = kind == P2E_KIND_PACKED_32 ? 2 : 3;
    *count = (end - pos) >> shift;
    return !((end - pos) & ((1u << shift) - 1));
}

#endif
