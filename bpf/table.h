// The schema as the walker sees it: one table of entries, emitted per filter. Shared with the
// emitter.
//
// A node is a message in a certain place (one for each path that rules look at, and one for each
// type elsewhere); its number is the index of its row. A row is a header and then the entries of
// fields 1 to `dense`. Fields above stand in a sorted table of their own. Row 0 is the empty
// message: its fields are all unknown. An unknown field's entry is 0.
#ifndef P2E_BPF_TABLE_H
#define P2E_BPF_TABLE_H

#include "abi.h"

#define P2E_TABLE_MAX    65536 // entries of the table: nodes are 16 bits
#define P2E_SLOTS_MAX    1024
#define P2E_LITERALS     0x11000 // where the walker's buffer holds literals (bpf/state.h)
#define P2E_REQUIRED_MAX 63      // required fields of one message

// How a field's wire form is read.
enum p2e_entry_kind {
    P2E_KIND_SCALAR,
    P2E_KIND_BYTES,
    P2E_KIND_STRING, // must be UTF-8
    P2E_KIND_MESSAGE,
    P2E_KIND_PACKED_VARINT, // repeated scalars come one by one too, in the wire type of the entry
    P2E_KIND_PACKED_32,
    P2E_KIND_PACKED_64,
    P2E_KIND_GROUP,
};

// Entry layout: where each part starts. Slots are 0 for none: slot 0 is written and never read.
#define P2E_ENTRY_WIRE     0  // 3 bits: wire type
#define P2E_ENTRY_KIND     3  // 3
#define P2E_ENTRY_REPEATED 6  // 1: the slot counts elements
#define P2E_ENTRY_KEEP     7  // 1: rules look at the bytes, so they must be in the buffer
#define P2E_ENTRY_SLOT     8  // 10
#define P2E_ENTRY_ONEOF    18 // 10: the slot that says which member is set …
#define P2E_ENTRY_MEMBER   28 // 8 … and this field's number there
#define P2E_ENTRY_REQUIRED 36 // 6: bit in the set of required fields, 0 for none
#define P2E_ENTRY_HOOK     42 // 1: an emitted function takes the value
#define P2E_ENTRY_CHILD    43 // 16: node of the submessage; of a scalar with a hook, the hook
#define P2E_ENTRY_KNOWN    59 // 1: the schema has the field

// Hooks of messages, by slot: the node is one that other fields may lead to, too.
#define P2E_HOOK_MESSAGE 0x10000

// Does anything remember that the field was met?
#define P2E_ENTRY_LEAVES                                                                           \
    (0x3ffull << P2E_ENTRY_SLOT | 0x3ffull << P2E_ENTRY_ONEOF | 0x3full << P2E_ENTRY_REQUIRED |    \
     1ull << P2E_ENTRY_HOOK)

#define P2E_MEMBERS_MAX 255
#define P2E_FRAMES_MAX  100 // submessages that may be open at once

#define P2E_ENTRY_BITS(entry, part, bits)                                                          \
    ((__u32)((entry) >> P2E_ENTRY_##part) & ((1u << (bits)) - 1))

// Header of a row.
#define P2E_ROW_DENSE    0  // 16 bits: highest field number in the row
#define P2E_ROW_SPARSE   16 // 1: has fields beyond
#define P2E_ROW_NEEDS    17 // 16: index into the table of required sets
#define P2E_ROW_ELEMENT  33 // 1: an element, whose begin and end count
#define P2E_ROW_STRAIGHT 60 // 1: p2e_straight_body takes its fields that come in order

// Of an open message: its row's header, and above it
#define P2E_OPEN_NODE 34 // 16: the row
#define P2E_OPEN_SLOT 50 // 10: of the field that the message is a value of

#endif
