// The wire walker: one flat loop over the fields of a message and its submessages, with an explicit
// stack of open ones. Accepts what protobuf's conformance suite accepts.
//
// Before this file the emitted part defines: P2E_MAX_DEPTH, P2E_ROOT, P2E_TABLE_MASK,
// P2E_SPARSE_COUNT, P2E_HAS_HOOKS, P2E_HAS_ONEOFS, P2E_HAS_REQUIRED, P2E_HAS_ELEMENTS, P2E_HAS_NOW;
// p2e_table, p2e_sparse_keys, p2e_sparse_entries, p2e_needs; p2e_reset, p2e_hook,
// p2e_element_begin, p2e_element_end.
#ifndef P2E_BPF_WALK_H
#define P2E_BPF_WALK_H

#include "packed.h"
#include "table.h"
#include "text.h"

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

enum p2e_step { P2E_STEP_MALFORMED, P2E_STEP_DONE, P2E_STEP_MORE };

enum p2e_wire_type {
    P2E_WIRE_VARINT = 0,
    P2E_WIRE_FIXED64 = 1,
    P2E_WIRE_DELIMITED = 2,
    P2E_WIRE_START_GROUP = 3,
    P2E_WIRE_END_GROUP = 4,
    P2E_WIRE_FIXED32 = 5,
};

// ---- The table ----------------------------------------------------------------------------------
#if P2E_SPARSE_COUNT
static P2E_INLINE u32 p2e_sparse_mask(u32 index)
{
    // What the compiler knows of the index would cost the mask that the verifier wants to see.
    OPAQUE(index);
    return index & (P2E_SPARSE_SIZE - 1);
}

// Halving without branches: Linux 6.1 would follow each way through the search, also those that
// cannot be. Keys are below 2^63, so that the sign of a difference is their order.
P2E_GLOBAL u64 p2e_find_sparse(u32 node, u32 field)
{
    u64 key = (u64)node << 32 | field;
    u32 base = 0;
    for (u32 count = P2E_SPARSE_COUNT; count > 1;) {
        u32 half = count / 2;
        u64 before = (key - p2e_sparse_keys[p2e_sparse_mask(base + half)]) >> 63;
        OPAQUE(before);
        base += half & ((u32)before - 1);
        count -= half;
    }
    base = p2e_sparse_mask(base);
    return p2e_sparse_keys[base] == key ? p2e_sparse_entries[base] : 0;
}
#endif

// The entry of a field of the message with this row (P2E_OPEN_*).
static P2E_INLINE u64 p2e_find(struct p2e_state *s, u64 row, u32 field)
{
    u32 node = row >> P2E_OPEN_NODE;
    if (likely(field <= (row & 0xffff)))
        return p2e_entry_at(s, node + field);
#if P2E_SPARSE_COUNT
    if (row >> P2E_ROW_SPARSE & 1)
        return p2e_find_sparse(node & 0xffff, field);
#endif
    return 0;
}

// ---- What a field leaves behind -----------------------------------------------------------------
static P2E_INLINE void p2e_note(struct p2e_state *s, u64 entry, u64 value)
{
    u32 slot = P2E_ENTRY_BITS(entry, SLOT, 10) & (P2E_SLOTS - 1);
    s->value[slot] = entry >> P2E_ENTRY_REPEATED & 1 ? s->value[slot] + 1 : value;
    s->present[slot] = 1;
#if P2E_HAS_ONEOFS
    s->value[P2E_ENTRY_BITS(entry, ONEOF, 10) & (P2E_SLOTS - 1)] = P2E_ENTRY_BITS(entry, MEMBER, 8);
#endif
}

#if P2E_HAS_HOOKS
static P2E_INLINE u32 p2e_hook_of(u64 entry)
{
    u32 kind = P2E_ENTRY_BITS(entry, KIND, 3);
    if (kind == P2E_KIND_MESSAGE || kind == P2E_KIND_GROUP)
        return P2E_HOOK_MESSAGE + P2E_ENTRY_BITS(entry, SLOT, 10);
    return P2E_ENTRY_BITS(entry, CHILD, 16);
}
#endif

// A value of a field: of a scalar as sent, of bytes and strings a text, of a message nothing.
static P2E_INLINE void p2e_take(struct p2e_state *s, u64 entry, u64 value)
{
#if P2E_HAS_HOOKS
    // A number that a closed enum does not know is an unknown field: as if it had not been there.
    if (entry >> P2E_ENTRY_HOOK & 1 && !p2e_hook(s, p2e_hook_of(entry), value))
        return;
#endif
    p2e_note(s, entry, value);
#if P2E_HAS_REQUIRED
    s->current.seen |= 1ull << P2E_ENTRY_BITS(entry, REQUIRED, 6);
#endif
}

// ---- Open messages ------------------------------------------------------------------------------
static P2E_INLINE u64 p2e_bounds(u32 end, u32 group)
{
    return (u64)group << 32 | end;
}

static P2E_INLINE u64 p2e_row(struct p2e_state *s, u64 node, u64 slot)
{
    return p2e_entry_at(s, node) | node << P2E_OPEN_NODE | slot << P2E_OPEN_SLOT;
}

static P2E_INLINE u32 p2e_open_slot(u64 row)
{
    return row >> P2E_OPEN_SLOT & (P2E_SLOTS_MAX - 1);
}

// Of a field with this entry, 0 for an unknown one.
static P2E_INLINE int p2e_open(struct p2e_state *s, u64 entry, u64 bounds)
{
    u32 depth = VOLATILE(s->depth);
    if (depth >= P2E_MAX_DEPTH)
        return P2E_STEP_MALFORMED;
    struct p2e_frame *frame = &s->frames[depth & (P2E_FRAMES - 1)];
    u64 row = p2e_row(s, P2E_ENTRY_BITS(entry, CHILD, 16), P2E_ENTRY_BITS(entry, SLOT, 10));
    frame->bounds = VOLATILE(s->current.bounds);
    frame->row = VOLATILE(s->current.row);
    VOLATILE(s->depth) = depth + 1;
    VOLATILE(s->current.bounds) = bounds;
    VOLATILE(s->current.row) = row;
#if P2E_HAS_REQUIRED
    frame->seen = s->current.seen;
    s->current.seen = 0;
#endif
#if P2E_HAS_ELEMENTS
    if (row >> P2E_ROW_ELEMENT & 1 && !p2e_element_begin(s, p2e_open_slot(row)))
        return P2E_STEP_MALFORMED;
#endif
    return P2E_STEP_MORE;
}

static P2E_INLINE int p2e_close(struct p2e_state *s)
{
#if P2E_HAS_REQUIRED || P2E_HAS_ELEMENTS
    u64 row = VOLATILE(s->current.row);
#endif
#if P2E_HAS_REQUIRED
    if (p2e_needs[row >> P2E_ROW_NEEDS & P2E_NEEDS_MASK] & ~s->current.seen)
        return P2E_STEP_MALFORMED;
#endif
#if P2E_HAS_ELEMENTS
    if (row >> P2E_ROW_ELEMENT & 1 && !p2e_element_end(s, p2e_open_slot(row)))
        return P2E_STEP_MALFORMED;
#endif
    u32 depth = VOLATILE(s->depth);
    if (!depth)
        return P2E_STEP_DONE;
    depth--;
    VOLATILE(s->depth) = depth;
    struct p2e_frame *frame = &s->frames[depth & (P2E_FRAMES - 1)];
    VOLATILE(s->current.bounds) = frame->bounds;
    VOLATILE(s->current.row) = frame->row;
#if P2E_HAS_REQUIRED
    s->current.seen = frame->seen;
#endif
    return P2E_STEP_MORE;
}

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
    u32 kind = P2E_ENTRY_BITS(entry, KIND, 3);
    u32 size = end - pos;
    if (kind == P2E_KIND_PACKED_VARINT) {
        if (end > s->loaded && p2e_fill(skb, s, pos, end))
            return P2E_STEP_MALFORMED;
        if (!p2e_packed_varints(s, pos, end))
            return P2E_STEP_MALFORMED;
        size = s->varint;
    } else {
        u32 shift = kind == P2E_KIND_PACKED_32 ? 2 : 3;
        if (size & ((1u << shift) - 1))
            return P2E_STEP_MALFORMED;
        size >>= shift;
    }
#if P2E_HAS_HOOKS
    if (entry >> P2E_ENTRY_HOOK & 1) {
        if (p2e_fill(skb, s, pos, end))
            return P2E_STEP_MALFORMED;
        p2e_take_packed(s, entry, pos, end);
        return P2E_STEP_MORE;
    }
#endif
    s->value[P2E_ENTRY_BITS(entry, SLOT, 10) & (P2E_SLOTS - 1)] += size;
    return P2E_STEP_MORE;
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
    if (kind == P2E_KIND_MESSAGE) {
        p2e_take(s, entry, 0);
        return p2e_open(s, entry, p2e_bounds(end, 0));
    }
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
