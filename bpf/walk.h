// The wire walker: one flat loop over the fields of a message and its submessages, with an explicit
// stack of open ones. Accepts what protobuf's conformance suite accepts.
//
// Before this file the emitted part defines P2E_HAS_NOW, P2E_HAS_BODIES, p2e_reset,
// p2e_straight_root and p2e_straight_body, and what message.h needs.
#ifndef P2E_BPF_WALK_H
#define P2E_BPF_WALK_H

#include "straight.h"

#define P2E_LENGTH_MAX 5 // bytes of a length

// P2E_STEPS: fields that one call takes. What the verifier has to follow grows with it, and with
// what a field may call.
// P2E_ASIDE: of functions that keep what is rare out of the loop, unless what they call needs the
// frame: the kernel allows eight.
#if P2E_HAS_HOOKS || P2E_HAS_ELEMENTS
#define P2E_STEPS 16
#define P2E_ASIDE static P2E_INLINE
#else
#define P2E_STEPS 32
#define P2E_ASIDE P2E_GLOBAL
#endif

// ---- Packed elements that an emitted function looks at one by one -------------------------------
#if P2E_HAS_HOOKS
// A bounded part of the list, already found well-formed. Returns the position reached.
P2E_GLOBAL u32 p2e_take_packed_steps(struct p2e_state *s, u64 entry, u32 pos, u32 end)
{
    if (!s)
        return 0;
    u32 kind = P2E_ENTRY_BITS(entry, KIND, 3);
    for (int i = 0; i < P2E_STEPS; i++) {
        VOLATILE(s->at) = pos;
        pos = VOLATILE(s->at);
        if (pos >= end)
            break;
        u64 value = p2e_word(s, pos);
        u32 used = kind == P2E_KIND_PACKED_32 ? 4 : 8;
        if (kind == P2E_KIND_PACKED_VARINT)
            used = p2e_varint(s, pos, value, &value);
        else if (kind == P2E_KIND_PACKED_32)
            value = (u32)value;
        p2e_take(s, entry, value);
        pos += used;
    }
    return pos;
}

P2E_GLOBAL int p2e_take_packed(struct p2e_state *s, u64 entry, u32 pos, u32 end)
{
    if (!s)
        return 0;
    for (int i = 0; i < 65536 / P2E_STEPS + 1; i++) {
        if (pos >= end)
            break;
        pos = p2e_take_packed_steps(s, entry, pos, end);
    }
    return 1;
}
#endif

// ---- One field ----------------------------------------------------------------------------------
// The elements [pos, end) of a packed list.
P2E_ASIDE int p2e_step_packed(struct __sk_buff *skb, struct p2e_state *s, u64 entry, u32 pos,
                              u32 end)
{
    if (!s)
        return P2E_STEP_MALFORMED;
    u32 kind = P2E_ENTRY_BITS(entry, KIND, 3), count;
    if (kind == P2E_KIND_PACKED_VARINT && end > s->loaded && p2e_fill(skb, s, pos, end))
        return P2E_STEP_MALFORMED;
    if (!p2e_packed(s, kind, pos, end, &count))
        return P2E_STEP_MALFORMED;
#if P2E_HAS_HOOKS
    if (entry >> P2E_ENTRY_HOOK & 1) {
        if (p2e_fill(skb, s, pos, end))
            return P2E_STEP_MALFORMED;
        p2e_take_packed(s, entry, pos, end);
        return P2E_STEP_MORE;
    }
#endif
    p2e_note_packed(s, entry, count);
    return P2E_STEP_MORE;
}

// A submessage [*pos, end).
static P2E_INLINE int p2e_step_message(struct p2e_state *s, u32 *pos, u32 end, u64 entry)
{
    p2e_take(s, entry, 0);
    int result = p2e_open(s, entry, p2e_bounds(end, 0));
#if P2E_HAS_BODIES
    u64 row = VOLATILE(s->current.row);
    if (result == P2E_STEP_MORE && row >> P2E_ROW_STRAIGHT & 1)
        *pos = p2e_straight_body(s, row >> P2E_OPEN_NODE & 0xffff, *pos, end);
#endif
    return result;
}

// What follows a length, at *pos.
static P2E_INLINE int p2e_step_delimited(struct __sk_buff *skb, struct p2e_state *s, u32 *pos,
                                         u32 limit, u64 entry, u64 size)
{
    u32 begin = *pos;
    if (begin > limit || size > limit - begin)
        return P2E_STEP_MALFORMED;
    u32 end = begin + (u32)size;
    u32 kind = P2E_ENTRY_BITS(entry, KIND, 3);
    if (kind == P2E_KIND_MESSAGE)
        return p2e_step_message(s, pos, end, entry);
    *pos = end;
    if (kind == P2E_KIND_SCALAR || kind == P2E_KIND_GROUP)
        return P2E_STEP_MORE; // unknown, or of another wire type
    if (kind >= P2E_KIND_PACKED_VARINT)
        return p2e_step_packed(skb, s, entry, begin, end);
    if ((kind == P2E_KIND_STRING || entry >> P2E_ENTRY_KEEP & 1) && end > s->loaded &&
        p2e_fill(skb, s, begin, end))
        return P2E_STEP_MALFORMED;
    if (kind == P2E_KIND_STRING && !p2e_utf8(s, begin, size))
        return P2E_STEP_MALFORMED;
    p2e_take(s, entry, p2e_text(begin, size));
    return P2E_STEP_MORE;
}

// The begin or end of a group.
P2E_ASIDE int p2e_step_group(struct p2e_state *s, u64 entry, u32 tag)
{
    if (!s)
        return P2E_STEP_MALFORMED;
    u64 bounds = VOLATILE(s->current.bounds);
    u32 field = tag >> 3;
    if ((tag & 7) == P2E_WIRE_END_GROUP)
        return bounds >> 32 == field ? p2e_close(s) : P2E_STEP_MALFORMED;
    if ((tag & 7) != P2E_WIRE_START_GROUP)
        return P2E_STEP_MALFORMED;
    if (P2E_ENTRY_BITS(entry, WIRE, 3) == P2E_WIRE_START_GROUP)
        p2e_take(s, entry, 0);
    else
        entry = 0;
    return p2e_open(s, entry, p2e_bounds((u32)bounds, field));
}

static P2E_INLINE int p2e_step(struct __sk_buff *skb, struct p2e_state *s, u32 *pos)
{
    u64 bounds = VOLATILE(s->current.bounds);
    u32 end = bounds;
    if (*pos >= end) {
        // An overrun of any kind ends here, and so does a message inside of an open group.
        if (*pos > end || bounds >> 32)
            return P2E_STEP_MALFORMED;
        return p2e_close(s);
    }
    if (unlikely(*pos >= VOLATILE(s->ready)) && p2e_fill(skb, s, *pos, *pos + P2E_LOOKAHEAD))
        return P2E_STEP_MALFORMED;
    u32 tag;
    u32 used = p2e_tag(p2e_word(s, *pos), &tag);
    u32 field = tag >> 3, wire = tag & 7;
    if (!used || !field)
        return P2E_STEP_MALFORMED;
    *pos += used;
    u64 entry = p2e_find(s, VOLATILE(s->current.row), field);
    u64 value = p2e_word(s, *pos);
    if (wire == P2E_WIRE_VARINT || wire == P2E_WIRE_DELIMITED) {
        used = p2e_varint(s, *pos, value, &value);
        if (!used || (wire == P2E_WIRE_DELIMITED && used > P2E_LENGTH_MAX))
            return P2E_STEP_MALFORMED;
        *pos += used;
        if (wire == P2E_WIRE_DELIMITED)
            return p2e_step_delimited(skb, s, pos, end, entry, value);
    } else if (wire == P2E_WIRE_FIXED64) {
        *pos += 8;
    } else if (wire == P2E_WIRE_FIXED32) {
        value = (u32)value;
        *pos += 4;
    } else {
        return p2e_step_group(s, entry, tag);
    }
    if (*pos > end)
        return P2E_STEP_MALFORMED;
    if (P2E_ENTRY_BITS(entry, WIRE, 3) == wire)
        p2e_take(s, entry, value);
    return P2E_STEP_MORE;
}

// ---- All of them --------------------------------------------------------------------------------
P2E_GLOBAL int p2e_steps(struct __sk_buff *skb, struct p2e_state *s)
{
    if (!s)
        return P2E_STEP_MALFORMED;
    u32 pos = VOLATILE(s->pos);
    for (int i = 0; i < P2E_STEPS; i++) {
        // Through memory and back: to the verifier all rounds start alike.
        VOLATILE(s->pos) = pos;
        pos = VOLATILE(s->pos);
        int result = p2e_step(skb, s, &pos);
        if (result != P2E_STEP_MORE)
            return result;
    }
    VOLATILE(s->pos) = pos;
    return P2E_STEP_MORE;
}

// Walks the whole message of `size` bytes. 1: well-formed.
static P2E_INLINE int p2e_walk(struct __sk_buff *skb, struct p2e_state *s, u32 size)
{
    s->size = size;
    s->pos = 0;
    s->depth = 0;
    s->current.bounds = p2e_bounds(size, 0);
    s->current.row = p2e_row(s, P2E_ROOT, 0);
    s->current.seen = 0;
    s->loaded = 0;
#if P2E_HAS_NOW
    s->now = bpf_ktime_get_tai_ns();
#endif
    p2e_reset(s);
    if (size) {
        u32 loaded = p2e_load_chunk(skb, s, 0, P2E_GLIMPSE);
        if (!loaded)
            return 0;
        p2e_note_loaded(s, loaded);
        struct p2e_straight at = {0, loaded, size};
        p2e_straight_root(s, &at);
        if (likely(at.pos == size))
            return p2e_close(s) == P2E_STEP_DONE;
        s->pos = at.pos;
    }
    // A step takes at least one byte, or closes a message that took two.
    for (int i = 0; i < 65536 / P2E_STEPS + 2; i++) {
        int result = p2e_steps(skb, s);
        if (result != P2E_STEP_MORE)
            return result == P2E_STEP_DONE;
    }
    return 0;
}

#endif
