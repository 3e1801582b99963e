// UTF-8 well-formedness (Unicode 15, table 3-7): no overlong forms, no surrogates, at most
// U+10FFFF.
#ifndef P2E_BPF_UTF8_H
#define P2E_BPF_UTF8_H

#include "varint.h"

#define P2E_UTF8_STEPS 64

// Size of the character of two to four bytes that the word starts with, 0 when malformed.
static P2E_INLINE u32 p2e_utf8_character(u32 c)
{
    if ((c & 0xe0) == 0xc0)
        return (c & 0xc000) == 0x8000 && (c & 0x1e) ? 2 : 0;
    if ((c & 0xf0) == 0xe0) {
        u32 top = c & 0x200f; // the bits that tell overlong forms and surrogates
        return (c & 0xc0c000) == 0x808000 && top && top != 0x200d ? 3 : 0;
    }
    if ((c & 0xf8) == 0xf0) {
        if ((c & 0xc0c0c000) != 0x80808000 || !(c & 0x3007))
            return 0;
        return (c & 7) < 4 || ((c & 7) == 4 && !(c & 0x3000)) ? 4 : 0;
    }
    return 0;
}

// A bounded part of the check from pos on. Returns the position reached, ~0 when malformed.
P2E_GLOBAL u32 p2e_utf8_steps(struct p2e_state *s, u32 pos, u32 end)
{
    if (!s)
        return ~0u;
    for (int i = 0; i < P2E_UTF8_STEPS; i++) {
        VOLATILE(s->at) = pos;
        pos = VOLATILE(s->at);
        if (pos >= end)
            break;
        u32 rest = end - pos;
        OPAQUE(rest);
        u64 high = p2e_low_bytes(p2e_word(s, pos), rest) & P2E_HIGH_BITS;
        if (!high) {
            pos += rest < 8 ? rest : 8;
            continue;
        }
        pos += p2e_first_high(high);
        u32 size = p2e_utf8_character((u32)p2e_word(s, pos));
        if (!size)
            return ~0u;
        pos += size;
    }
    return pos;
}

// Is the text [pos, end), which the buffer holds, well-formed? The slow way, for any text.
P2E_GLOBAL int p2e_utf8_check(struct p2e_state *s, u32 pos, u32 end)
{
    if (!s)
        return 0;
    // A step takes at least two bytes, or what is left.
    for (int i = 0; i < 65536 / 2 / P2E_UTF8_STEPS + 2; i++) {
        if (pos >= end)
            return pos == end;
        pos = p2e_utf8_steps(s, pos, end);
    }
    return 0;
}

// The same; ASCII of up to 32 bytes is told by overlapping words, without a call.
static P2E_INLINE int p2e_utf8(struct p2e_state *s, u32 pos, u32 size)
{
    u64 high = P2E_HIGH_BITS;
    u32 end = pos + size;
    if (size < 8) {
        high = p2e_low_bytes(p2e_word(s, pos), size);
    } else if (size <= 32) {
        high = p2e_word(s, pos) | p2e_word(s, end - 8);
        if (size > 16)
            high |= p2e_word(s, pos + 8) | p2e_word(s, end - 16);
    }
    return !(high & P2E_HIGH_BITS) || p2e_utf8_check(s, pos, end);
}

#endif
