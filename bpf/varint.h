// Base-128 varints, several bytes at a time.
// Source: protobuf encoding specification; at most ten bytes, the tenth 0 or 1.
#ifndef P2E_BPF_VARINT_H
#define P2E_BPF_VARINT_H

#include "state.h"

#define P2E_HIGH_BITS 0x8080808080808080ull

// Index (0 to 7) of the byte whose high bit is the lowest one set in m: multiplying the isolated
// bit by 0, 1, 2 … 7 in descending bytes brings the index to the top.
static P2E_INLINE u32 p2e_first_high(u64 m)
{
    return ((m & -m) >> 7) * 0x0001020304050607ull >> 56;
}

// Joins the 7-bit groups of up to eight bytes.
static P2E_INLINE u64 p2e_join7(u64 w)
{
    w = (w & 0x007f007f007f007full) | ((w & 0x7f007f007f007f00ull) >> 1);
    w = (w & 0x00003fff00003fffull) | ((w & 0x3fff00003fff0000ull) >> 2);
    return (w & 0x000000000fffffffull) | ((w & 0x0fffffff00000000ull) >> 4);
}

// The varint of up to eight bytes that `word` begins with; `ends` has the high bits of the bytes
// that may be its last one set, one at least. Returns its size.
static P2E_INLINE u32 p2e_varint_within(u64 word, u64 ends, u64 *value)
{
    u64 lowest = ends & -ends;
    *value = p2e_join7(word & (lowest - 1));
    return p2e_first_high(ends) + 1;
}

// A varint of nine or ten bytes at pos; its value in s->varint. Returns its size, 0 when malformed.
P2E_GLOBAL u32 p2e_varint_long(struct p2e_state *s, u32 pos)
{
    if (!s)
        return 0;
    u64 low = p2e_join7(p2e_word(s, pos));
    u64 rest = p2e_word(s, pos + 8);
    u32 ninth = rest & 0xff, tenth = rest >> 8 & 0xff;
    low |= (u64)(ninth & 0x7f) << 56;
    if (ninth < 0x80) {
        s->varint = low;
        return 9;
    }
    if (tenth > 1)
        return 0;
    s->varint = low | (u64)tenth << 63;
    return 10;
}

// Reads the varint that `word` (the eight bytes at pos) starts with. Returns its size, 0 when
// malformed.
static P2E_INLINE u32 p2e_varint(struct p2e_state *s, u32 pos, u64 word, u64 *value)
{
    if (likely(!(word & 0x80))) {
        *value = word & 0x7f;
        return 1;
    }
    u64 ends = ~word & P2E_HIGH_BITS;
    if (unlikely(!ends)) {
        u32 size = p2e_varint_long(s, pos);
        *value = s->varint;
        return size;
    }
    return p2e_varint_within(word, ends, value);
}

// A varint of any size at pos, its value in s->varint: for code that is not to hold all of it.
P2E_GLOBAL u32 p2e_varint_far(struct p2e_state *s, u32 pos)
{
    if (!s)
        return 0;
    u64 value = 0;
    u32 size = p2e_varint(s, pos, p2e_word(s, pos), &value);
    s->varint = value;
    return size;
}

// A tag: a varint of at most five bytes and 32 bits. Returns its size, 0 when malformed.
static P2E_INLINE u32 p2e_tag(u64 word, u32 *tag)
{
    if (likely(!(word & 0x80))) {
        *tag = word & 0x7f;
        return 1;
    }
    if (likely(!(word & 0x8000))) {
        *tag = (word & 0x7f) | (word >> 1 & 0x3f80);
        return 2;
    }
    u64 ends = ~word & (P2E_HIGH_BITS & 0xffffffffffull);
    if (!ends)
        return 0;
    u64 value;
    u32 size = p2e_varint_within(word, ends, &value);
    *tag = value;
    return value >> 32 ? 0 : size;
}

#endif
