// Strings and bytes of the buffer: comparison, search, length. A text is (position, size); literals
// stand in the buffer like fields do (P2E_LITERALS).
//
// Before this file the emitted part defines P2E_LITERAL_WORDS and p2e_literal_words,
// P2E_FAILURE_MASK and p2e_failures, and what it uses of this file: P2E_USES_COMPARE,
// P2E_USES_SEARCH_WORD, P2E_USES_POINTS.
#ifndef P2E_BPF_TEXT_H
#define P2E_BPF_TEXT_H

#include "utf8.h"

#define P2E_TEXT_STEPS 64

// ---- Comparison with a short constant: its bytes in `word`, its size in 0..8 --------------------
static P2E_INLINE int p2e_text_starts_with_word(struct p2e_state *s, u64 text, u64 word, u32 size)
{
    return size <= p2e_text_size(text) &&
           p2e_low_bytes(p2e_word(s, p2e_text_pos(text)), size) == word;
}

static P2E_INLINE int p2e_text_equal_word(struct p2e_state *s, u64 text, u64 word, u32 size)
{
    return size == p2e_text_size(text) && p2e_text_starts_with_word(s, text, word, size);
}

static P2E_INLINE int p2e_text_ends_with_word(struct p2e_state *s, u64 text, u64 word, u32 size)
{
    u32 all = p2e_text_size(text);
    return size <= all && p2e_low_bytes(p2e_word(s, p2e_text_pos(text) + all - size), size) == word;
}

// ---- Comparison ---------------------------------------------------------------------------------
#if P2E_USES_COMPARE
// First word at which the texts at a and b differ within `size` bytes, as an offset; size if none
// does.
P2E_GLOBAL u32 p2e_text_same_steps(struct p2e_state *s, u32 a, u32 b, u32 size)
{
    if (!s)
        return 0;
    u32 i = 0;
    for (int n = 0; n < P2E_TEXT_STEPS; n++) {
        VOLATILE(s->at) = i;
        i = VOLATILE(s->at);
        // Whole words only: ways that part in a loop and meet again are many for Linux 6.1.
        if (size - i < 8)
            break;
        if (p2e_word(s, a + i) != p2e_word(s, b + i))
            return i;
        i += 8;
    }
    return p2e_low_bytes(p2e_word(s, a + i) ^ p2e_word(s, b + i), size - i) ? i : size;
}

// The same over any size: offset of the first word that differs, or size.
P2E_GLOBAL u32 p2e_text_same(struct p2e_state *s, u32 a, u32 b, u32 size)
{
    if (!s)
        return 0;
    u32 done = 0;
    for (int n = 0; n < 65536 / 8 / P2E_TEXT_STEPS + 1; n++) {
        if (done >= size)
            return size;
        u32 part = size - done;
        if (part > 8 * P2E_TEXT_STEPS)
            part = 8 * P2E_TEXT_STEPS;
        u32 same = p2e_text_same_steps(s, a + done, b + done, part);
        done += same;
        if (same != part)
            return done;
    }
    return done;
}

static P2E_INLINE int p2e_text_matches(struct p2e_state *s, u32 a, u32 b, u32 size)
{
    return p2e_text_same(s, a, b, size) == size;
}

static P2E_INLINE int p2e_text_equal(struct p2e_state *s, u64 a, u64 b)
{
    u32 size = p2e_text_size(a);
    return size == p2e_text_size(b) && p2e_text_matches(s, p2e_text_pos(a), p2e_text_pos(b), size);
}

static P2E_INLINE int p2e_text_starts_with(struct p2e_state *s, u64 text, u64 prefix)
{
    u32 size = p2e_text_size(prefix);
    return size <= p2e_text_size(text) &&
           p2e_text_matches(s, p2e_text_pos(text), p2e_text_pos(prefix), size);
}

static P2E_INLINE int p2e_text_ends_with(struct p2e_state *s, u64 text, u64 suffix)
{
    u32 size = p2e_text_size(suffix), all = p2e_text_size(text);
    return size <= all &&
           p2e_text_matches(s, p2e_text_pos(text) + all - size, p2e_text_pos(suffix), size);
}

// Order by bytes, which for UTF-8 is the order by code points: below 0, 0, above 0.
static P2E_INLINE int p2e_text_compare(struct p2e_state *s, u64 a, u64 b)
{
    u32 size_a = p2e_text_size(a), size_b = p2e_text_size(b);
    u32 size = size_a < size_b ? size_a : size_b;
    u32 same = p2e_text_same(s, p2e_text_pos(a), p2e_text_pos(b), size);
    if (same >= size)
        return size_a < size_b ? -1 : size_a > size_b;
    u32 rest = size - same;
    u64 x = __builtin_bswap64(p2e_low_bytes(p2e_word(s, p2e_text_pos(a) + same), rest));
    u64 y = __builtin_bswap64(p2e_low_bytes(p2e_word(s, p2e_text_pos(b) + same), rest));
    return x < y ? -1 : x > y;
}
#endif

// ---- UTF-8 --------------------------------------------------------------------------------------
// A text as a string: it fails where it is not UTF-8.
static P2E_INLINE u64 p2e_text_utf8(struct p2e_state *s, u64 text, u32 *failed)
{
    if (!p2e_utf8_check(s, p2e_text_pos(text), p2e_text_pos(text) + p2e_text_size(text)))
        *failed = 1;
    return text;
}

// ---- Search -------------------------------------------------------------------------------------
// Knuth,
// Morris and Pratt: no text makes it slower than two steps a byte. `failures` is the needle's
// failure function, a run in p2e_failures.
struct p2e_search {
    u32 pos, end; // of the text that is searched
    u32 needle, size;
    u32 failures; // index of the needle's run
    u32 matched;
};

#if P2E_FAILURE_MASK
// A bounded part of a search. Returns 1 when found.
P2E_GLOBAL int p2e_search_steps(struct p2e_state *s, struct p2e_search *search)
{
    if (!s || !search)
        return 0;
    u32 pos = search->pos, matched = search->matched;
    for (int n = 0; n < P2E_TEXT_STEPS; n++) {
        VOLATILE(s->at) = pos;
        VOLATILE(s->at2) = matched;
        pos = VOLATILE(s->at);
        matched = VOLATILE(s->at2);
        if (pos >= search->end)
            break;
        if (p2e_byte(s, pos) == p2e_byte(s, search->needle + matched)) {
            pos++;
            if (++matched >= search->size)
                return 1;
        } else if (matched) {
            matched = p2e_failures[(search->failures + matched - 1) & P2E_FAILURE_MASK];
        } else {
            pos++;
        }
    }
    search->pos = pos;
    search->matched = matched;
    return 0;
}

P2E_GLOBAL int p2e_text_search(struct p2e_state *s, u64 text, u64 needle, u32 failures)
{
    if (!s)
        return 0;
    struct p2e_search search = {
        .pos = p2e_text_pos(text),
        .end = p2e_text_pos(text) + p2e_text_size(text),
        .needle = p2e_text_pos(needle),
        .size = p2e_text_size(needle),
        .failures = failures,
    };
    for (int n = 0; n < 2 * 65536 / P2E_TEXT_STEPS + 1; n++) {
        if (search.pos >= search.end)
            return 0;
        if (p2e_search_steps(s, &search))
            return 1;
    }
    return 0;
}
#endif

#if P2E_USES_SEARCH_WORD
// A needle of one to eight bytes is one word; `needle` holds it.
P2E_GLOBAL u32 p2e_search_word_steps(struct p2e_state *s, u32 pos, u32 last, u64 needle, u32 size)
{
    if (!s)
        return ~0u;
    for (int n = 0; n < P2E_TEXT_STEPS; n++) {
        if (pos > last)
            return pos;
        if (!p2e_low_bytes(p2e_word(s, pos) ^ needle, size))
            return ~0u;
        pos++;
    }
    return pos;
}

P2E_GLOBAL int p2e_text_search_word(struct p2e_state *s, u64 text, u64 needle, u32 size)
{
    if (!s || p2e_text_size(text) < size)
        return 0;
    u32 pos = p2e_text_pos(text), last = pos + p2e_text_size(text) - size;
    for (int n = 0; n < 65536 / P2E_TEXT_STEPS + 1; n++) {
        if (pos > last)
            return 0;
        pos = p2e_search_word_steps(s, pos, last, needle, size);
        if (pos == ~0u)
            return 1;
    }
    return 0;
}
#endif

// ---- Length in code points ----------------------------------------------------------------------
#if P2E_USES_POINTS
// Characters that start in the low `size` bytes of a word: all bytes but 10xxxxxx.
static P2E_INLINE u32 p2e_text_starts(u64 word, u32 size)
{
    u64 starts = p2e_low_bytes((~word >> 7 | word >> 6) & 0x0101010101010101ull, size);
    return starts * 0x0101010101010101ull >> 56;
}

P2E_GLOBAL u32 p2e_text_points_steps(struct p2e_state *s, u32 pos, u32 size)
{
    if (!s)
        return 0;
    u32 count = 0, i = 0;
    for (int n = 0; n < P2E_TEXT_STEPS; n++) {
        VOLATILE(s->at) = i;
        i = VOLATILE(s->at);
        // Whole words only, as in p2e_text_same_steps.
        if (size - i < 8)
            break;
        count += p2e_text_starts(p2e_word(s, pos + i), 8);
        i += 8;
    }
    return count + p2e_text_starts(p2e_word(s, pos + i), size - i);
}

// Code points of a well-formed text.
P2E_GLOBAL u64 p2e_text_points(struct p2e_state *s, u64 text)
{
    if (!s)
        return 0;
    u32 size = p2e_text_size(text), done = 0, count = 0;
    for (int n = 0; n < 65536 / 8 / P2E_TEXT_STEPS + 1; n++) {
        VOLATILE(s->at2) = done;
        done = VOLATILE(s->at2);
        if (done >= size)
            break;
        u32 part = size - done;
        if (part > 8 * P2E_TEXT_STEPS)
            part = 8 * P2E_TEXT_STEPS;
        count += p2e_text_points_steps(s, p2e_text_pos(text) + done, part);
        done += 8 * P2E_TEXT_STEPS;
    }
    return count;
}

// More than `least` code points? Each has one to four bytes, which mostly settles it.
static P2E_INLINE int p2e_text_points_above(struct p2e_state *s, u64 text, u64 least)
{
    u64 size = p2e_text_size(text);
    if (size <= least)
        return 0;
    return size > 4 * least || p2e_text_points(s, text) > least;
}

static P2E_INLINE int p2e_text_points_equal(struct p2e_state *s, u64 text, u64 count)
{
    u64 size = p2e_text_size(text);
    return size >= count && size <= 4 * count && p2e_text_points(s, text) == count;
}

// Code points of a text that nobody has checked yet.
static P2E_INLINE u64 p2e_text_points_checked(struct p2e_state *s, u64 text, u32 *failed)
{
    return p2e_text_points(s, p2e_text_utf8(s, text, failed));
}
#endif

#endif
