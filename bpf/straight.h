// Fields that come as writers put them: in the order of their numbers, each once. Emitted functions
// (compiler/emit_straight.h) try one field after another, without a loop and a table to look up;
// what is not as they expect is left to the walker, which goes on from where they stopped.
//
// They stand at a tag, with everything before it taken; they never take what is not well-formed,
// and never refuse anything. In the code for what is usual no branch is taken: a server's other
// work makes the processor forget which branches are.
#ifndef P2E_BPF_STRAIGHT_H
#define P2E_BPF_STRAIGHT_H

#include "message.h"
#include "packed.h"

#define P2E_STRAIGHT_LENGTH 4 // bytes of a length: nothing overflows that is added to it

// Where in a message: no byte at or above `limit` is looked at.
struct p2e_straight {
    u32 pos, limit, end;
};

static P2E_INLINE struct p2e_straight p2e_straight_at(struct p2e_state *s, u32 pos, u32 end)
{
    u32 loaded = s->loaded;
    return (struct p2e_straight){pos, loaded < end ? loaded : end, end};
}

// ---- Tags: constants of one byte or two ---------------------------------------------------------
static P2E_INLINE u32 p2e_straight_tag_size(u32 tag)
{
    return tag < 0x80 ? 1 : 2;
}

static P2E_INLINE u32 p2e_straight_tag_bytes(u32 tag)
{
    return tag < 0x80 ? tag : (tag & 0x7f) | 0x80 | tag >> 7 << 8;
}

static P2E_INLINE int p2e_straight_is(u64 word, u32 tag)
{
    return (word & (tag < 0x80 ? 0xff : 0xffff)) == p2e_straight_tag_bytes(tag);
}

// The eight bytes to look at next. The position goes through memory and back: to the verifier,
// whatever came before is then one.
static P2E_INLINE u64 p2e_straight_word(struct p2e_state *s, struct p2e_straight *at)
{
    VOLATILE(s->pos) = at->pos;
    at->pos = VOLATILE(s->pos);
    return p2e_word(s, at->pos);
}

// Does a field follow that is for the walker? Its tag, in the wire type that it has mostly.
static P2E_INLINE int p2e_straight_stops(struct p2e_state *s, struct p2e_straight *at, u32 tag)
{
    return p2e_straight_is(p2e_straight_word(s, at), tag);
}

// What the field leaves behind, if anything.
static P2E_INLINE void p2e_straight_keep(struct p2e_state *s, u64 entry, u64 value)
{
    if (entry & P2E_ENTRY_LEAVES)
        p2e_take(s, entry, value);
}

// ---- Values -------------------------------------------------------------------------------------
// The varint that *word begins with, of which `room` bytes are there. Returns its size, 0 for one
// that is longer.
static P2E_INLINE u32 p2e_straight_varint(u64 *word, u32 room)
{
    u64 bytes = *word;
    if (likely(!(bytes & 0x80))) {
        *word = bytes & 0x7f;
        return 1;
    }
    if (likely(!(bytes & 0x8000))) {
        *word = (bytes & 0x7f) | (bytes >> 1 & 0x3f80);
        return 2;
    }
    u64 ends = ~bytes & P2E_HIGH_BITS >> 8 * (8 - room);
    if (unlikely(!ends))
        return 0;
    return p2e_varint_within(bytes, ends, word);
}

static P2E_INLINE int p2e_straight_number(struct p2e_state *s, struct p2e_straight *at, u64 word,
                                          u32 tag_size, u64 entry)
{
    u32 pos = at->pos + tag_size;
    u32 used = p2e_straight_varint(&word, 8 - tag_size);
    if (unlikely(!used)) {
        used = p2e_varint_far(s, pos);
        word = s->varint;
    }
    if (!used || pos + used > at->limit)
        return 0;
    p2e_straight_keep(s, entry, word);
    at->pos = pos + used;
    return 1;
}

static P2E_INLINE int p2e_straight_fixed(struct p2e_state *s, struct p2e_straight *at, u32 wire,
                                         u32 tag_size, u64 entry)
{
    u32 pos = at->pos + tag_size;
    u32 size = wire == P2E_WIRE_FIXED64 ? 8 : 4;
    if (pos + size > at->limit)
        return 0;
    u64 word = p2e_word(s, pos);
    p2e_straight_keep(s, entry, size == 8 ? word : (u32)word);
    at->pos = pos + size;
    return 1;
}

// The length that `word` begins with, and what it says to follow, [*begin, *end), which is within
// the message. Returns 0 where it is not.
static P2E_INLINE int p2e_straight_length(struct p2e_straight *at, u64 word, u32 tag_size,
                                          u32 *begin, u32 *end)
{
    u32 used = p2e_straight_varint(&word, P2E_STRAIGHT_LENGTH);
    u32 pos = at->pos + tag_size + used;
    if (!used || pos > at->limit || (u32)word > at->end - pos)
        return 0;
    *begin = pos;
    *end = pos + (u32)word;
    return 1;
}

static P2E_INLINE int p2e_straight_text(struct p2e_state *s, struct p2e_straight *at, u64 word,
                                        u32 tag_size, u64 entry)
{
    u32 begin, end;
    if (!p2e_straight_length(at, word, tag_size, &begin, &end))
        return 0;
    int string = P2E_ENTRY_BITS(entry, KIND, 3) == P2E_KIND_STRING;
    if ((string || entry >> P2E_ENTRY_KEEP & 1) && end > at->limit)
        return 0;
    if (string && !p2e_utf8(s, begin, end - begin))
        return 0;
    p2e_straight_keep(s, entry, p2e_text(begin, end - begin));
    at->pos = end;
    return 1;
}

// A list of numbers that nothing looks at one by one.
static P2E_INLINE int p2e_straight_packed(struct p2e_state *s, struct p2e_straight *at, u64 word,
                                          u32 tag_size, u64 entry)
{
    u32 begin, end, count;
    if (!p2e_straight_length(at, word, tag_size, &begin, &end) || end > at->limit)
        return 0;
    if (!p2e_packed(s, P2E_ENTRY_BITS(entry, KIND, 3), begin, end, &count))
        return 0;
    p2e_note_packed(s, entry, count);
    at->pos = end;
    return 1;
}

// ---- Fields -------------------------------------------------------------------------------------
// Takes the field if it is there. Returns 0 where it is there and not as expected.
static P2E_INLINE int p2e_straight_take(struct p2e_state *s, struct p2e_straight *at, u32 tag,
                                        u64 entry)
{
    u64 word = p2e_straight_word(s, at);
    if (!p2e_straight_is(word, tag))
        return 1;
    u32 size = p2e_straight_tag_size(tag), wire = tag & 7;
    word >>= 8 * size;
    if (wire == P2E_WIRE_VARINT)
        return p2e_straight_number(s, at, word, size, entry);
    if (wire == P2E_WIRE_DELIMITED && P2E_ENTRY_BITS(entry, KIND, 3) >= P2E_KIND_PACKED_VARINT)
        return p2e_straight_packed(s, at, word, size, entry);
    if (wire == P2E_WIRE_DELIMITED)
        return p2e_straight_text(s, at, word, size, entry);
    return p2e_straight_fixed(s, at, wire, size, entry);
}

// A submessage, if it is there: 1 where *in is inside of it, 0 where not, -1 where it is for the
// walker.
static P2E_INLINE int p2e_straight_enter(struct p2e_state *s, struct p2e_straight *at, u32 tag,
                                         u64 entry, struct p2e_straight *in)
{
    u64 word = p2e_straight_word(s, at);
    if (!p2e_straight_is(word, tag))
        return 0;
    u32 size = p2e_straight_tag_size(tag), begin, end;
    if (VOLATILE(s->depth) >= P2E_MAX_DEPTH ||
        !p2e_straight_length(at, word >> 8 * size, size, &begin, &end))
        return -1;
    p2e_straight_keep(s, entry, 0);
    *in = (struct p2e_straight){begin, at->limit < end ? at->limit : end, end};
    return 1;
}

// Back out of it. Where it was not taken to its end, it is opened, and the walker goes on inside:
// so what is entered is one level deep, and nothing hangs on its begin and end.
static P2E_INLINE int p2e_straight_leave(struct p2e_state *s, struct p2e_straight *at, u64 entry,
                                         const struct p2e_straight *in)
{
    at->pos = in->pos;
    if (likely(in->pos == in->end))
        return 1;
    p2e_open(s, entry, p2e_bounds(in->end, 0));
    return 0;
}

#endif
