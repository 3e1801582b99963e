// The wire format, written: shared by the generator and the oracle.
#ifndef P2E_TESTS_BULK_WIRE_H
#define P2E_TESTS_BULK_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_DELIMITED = 2,
    WIRE_START_GROUP = 3,
    WIRE_END_GROUP = 4,
    WIRE_FIXED32 = 5,
};

void p2e_bulk_put_varint(struct p2e_buffer *out, uint64_t value);
void p2e_bulk_put_tag(struct p2e_buffer *out, uint32_t number, uint8_t wire);
void p2e_bulk_put_delimited(struct p2e_buffer *out, uint32_t number, const void *data, size_t size);

// The wire type of a single value of this type.
uint8_t p2e_bulk_wire_type(ProtobufCType type);

#endif
