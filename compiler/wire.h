// A reader of protobuf's wire format in memory, as strict as the kernel side is.
#ifndef P2E_COMPILER_WIRE_H
#define P2E_COMPILER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum p2e_wire_type {
    P2E_WIRE_VARINT,
    P2E_WIRE_FIXED64,
    P2E_WIRE_BYTES,
    P2E_WIRE_GROUP_BEGIN,
    P2E_WIRE_GROUP_END,
    P2E_WIRE_FIXED32,
};

// What is still to be read: [at, end).
struct p2e_wire {
    const uint8_t *at, *end;
};

struct p2e_wire_field {
    uint32_t number;
    enum p2e_wire_type type;
    uint64_t value;          // VARINT, FIXED64, FIXED32
    struct p2e_wire content; // BYTES
};

static inline struct p2e_wire p2e_wire_of(const void *data, size_t size)
{
    const uint8_t *begin = data; // may be NULL when size is 0
    return (struct p2e_wire){begin, size > 0 ? begin + size : begin};
}

static inline size_t p2e_wire_size(const struct p2e_wire *wire)
{
    return (size_t)(wire->end - wire->at);
}

// These return false when the bytes are malformed or end too early.
bool p2e_wire_varint(struct p2e_wire *wire, uint64_t *value);
// The value of a packed list's element; `type` is VARINT, FIXED64 or FIXED32.
bool p2e_wire_scalar(struct p2e_wire *wire, enum p2e_wire_type type, uint64_t *value);
// A tag and its value. The beginning or the end of a group is a tag alone.
bool p2e_wire_next(struct p2e_wire *wire, struct p2e_wire_field *field);
// Having read the beginning of group `number`, reads all up to its end, which may hold groups
// nested `depth` deep.
bool p2e_wire_skip_group(struct p2e_wire *wire, uint32_t number, unsigned depth);

#endif
