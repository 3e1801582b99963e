// Open messages, and what their fields leave behind.
//
// Before this file the emitted part defines: P2E_MAX_DEPTH, P2E_ROOT, P2E_TABLE_MASK,
// P2E_SPARSE_COUNT, P2E_HAS_HOOKS, P2E_HAS_ONEOFS, P2E_HAS_REQUIRED, P2E_HAS_ELEMENTS; p2e_table,
// p2e_sparse_keys, p2e_sparse_entries, p2e_needs; p2e_hook, p2e_element_begin, p2e_element_end.
#ifndef P2E_BPF_MESSAGE_H
#define P2E_BPF_MESSAGE_H

#include "text.h"

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

static P2E_INLINE void p2e_note_packed(struct p2e_state *s, u64 entry, u32 count)
{
    s->value[P2E_ENTRY_BITS(entry, SLOT, 10) & (P2E_SLOTS - 1)] += count;
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

#endif
