#include "tests/bulk/wire.h"

void p2e_bulk_put_varint(struct p2e_buffer *out, uint64_t value)
{
    uint8_t byte;

    do {
        byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        p2e_buffer_add(out, &byte, 1);
        value >>= 7;
    } while (value);
}

void p2e_bulk_put_tag(struct p2e_buffer *out, uint32_t number, uint8_t wire)
{
    p2e_bulk_put_varint(out, (uint64_t)number << 3 | wire);
}

void p2e_bulk_put_delimited(struct p2e_buffer *out, uint32_t number, const void *data, size_t size)
{
    p2e_bulk_put_tag(out, number, WIRE_DELIMITED);
    p2e_bulk_put_varint(out, size);
    p2e_buffer_add(out, data, size);
}

uint8_t p2e_bulk_wire_type(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_DELIMITED;
    default:
        return WIRE_VARINT;
    }
}
