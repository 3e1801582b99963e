// UTF-8 well-formedness (Unicode 15, table 3-7): no overlong forms, no surrogates, at most
// U+10FFFF. Eight bytes at a time and without a branch for each character: in texts of mixed
// scripts, the branches of a decoder are guessed wrong most of the time.
#ifndef P2E_BPF_UTF8_H
#define P2E_BPF_UTF8_H

#include "varint.h"

#define P2E_UTF8_STEPS 64

// What is wrong where the byte before (a lead byte where `lead` is set) and this one meet: forms
// that are overlong, surrogates, and what is above U+10FFFF show in the two together. Bits count in
// the high bit of each byte; b5 is a byte's bit 5, brought there.
static P2E_INLINE u64 p2e_utf8_wrong_pair(u64 lead, u64 before, u64 word)
{
    u64 b5 = before << 2, b4 = before << 3, b3 = before << 4;
    u64 b2 = before << 5, b1 = before << 6, b0 = before << 7;
    u64 w5 = word << 2, w4 = word << 3;
    u64 two = ~(b5 | b4 | b3 | b2 | b1);                // c0, c1
    u64 three = ~(b4 | b3 | b2 | b1 | b0 | w5) |        // e0, then below a0
                (~b4 & b3 & b2 & ~b1 & b0 & w5);        // ed, then a0 and above
    u64 four = b4 & (b3 | ~(b2 ^ (b1 | b0 | w5 | w4))); // f0, then below 90; f4, then 90 and above
    return lead & (two | (b5 & (three | four)));
}

// Is anything wrong in the bytes of `word`, where `last` stands before it? A character that `word`
// begins and does not end is not wrong yet.
static P2E_INLINE u64 p2e_utf8_wrong(u64 last, u64 word)
{
    u64 before = word << 8 | last >> 56;
    u64 second = word << 16 | last >> 48, third = word << 24 | last >> 40;
    u64 lead = before & before << 1;
    u64 expected = lead | (second & second << 1 & second << 2) |
                   (third & third << 1 & third << 2 & third << 3);
    u64 found = word & ~(word << 1);
    return ((expected ^ found) | p2e_utf8_wrong_pair(lead, before, word)) & P2E_HIGH_BITS;
}

// A bounded part of the check of [begin, end), from pos on. Returns the position reached, ~0 when
// malformed. It is done beyond the end: what the last byte begins must have an end, too.
P2E_GLOBAL u32 p2e_utf8_steps(struct p2e_state *s, u32 begin, u32 pos, u32 end)
{
    if (!s)
        return ~0u;
    u64 last = pos == begin ? 0 : p2e_word(s, pos - 8);
    for (int i = 0; i < P2E_UTF8_STEPS; i++) {
        VOLATILE(s->at) = pos;
        pos = VOLATILE(s->at);
        if (pos > end)
            break;
        u32 rest = end - pos;
        OPAQUE(rest);
        u64 word = p2e_low_bytes(p2e_word(s, pos), rest);
        if ((word | last) & P2E_HIGH_BITS && p2e_utf8_wrong(last, word))
            return ~0u;
        last = word;
        pos += 8;
    }
    return pos;
}

// Is the text [begin, end), which the buffer holds, well-formed? For any text.
P2E_GLOBAL int p2e_utf8_check(struct p2e_state *s, u32 begin, u32 end)
{
    if (!s)
        return 0;
    u32 pos = begin;
    for (int i = 0; i < 65536 / 8 / P2E_UTF8_STEPS + 2; i++) {
        pos = p2e_utf8_steps(s, begin, pos, end);
        if (pos > end)
            return pos != ~0u;
    }
    return 0;
}

// What is set in any byte of the text [pos, end), or in none of it; of up to 64 bytes, by words
// that overlap.
static P2E_INLINE u64 p2e_utf8_any(struct p2e_state *s, u32 pos, u32 end)
{
    u32 size = end - pos;
    if (size < 8)
        return p2e_low_bytes(p2e_word(s, pos), size);
    // Where the second word begins, without a branch: 8 bytes on, or less than that.
    s32 less = size - 16;
    OPAQUE(less);
    less &= less >> 31;
    u64 any = p2e_word(s, pos) | p2e_word(s, pos + 8 + less) | p2e_word(s, end - 16 - less) |
              p2e_word(s, end - 8);
    if (size > 32)
        any |= p2e_word(s, pos + 16) | p2e_word(s, pos + 24) | p2e_word(s, end - 32) |
               p2e_word(s, end - 24);
    return any;
}

// The same; short ASCII is told without a call, and other short texts by one.
static P2E_INLINE int p2e_utf8(struct p2e_state *s, u32 pos, u32 size)
{
    if (likely(size <= 64) && likely(!(p2e_utf8_any(s, pos, pos + size) & P2E_HIGH_BITS)))
        return 1;
    if (size < 8 * P2E_UTF8_STEPS)
        return p2e_utf8_steps(s, pos, pos, pos + size) != ~0u;
    return p2e_utf8_check(s, pos, pos + size);
}

#endif
