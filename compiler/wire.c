#include "compiler/wire.h"

#define TAG_BYTES_MAX 5

bool p2e_wire_varint(struct p2e_wire *wire, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && wire->at < wire->end; shift += 7) {
        uint8_t byte = *wire->at++;
        if (shift == 63 && byte > 1)
            return false;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_fixed(struct p2e_wire *wire, size_t size, uint64_t *value)
{
    if (p2e_wire_size(wire) < size)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += size;
    return true;
}

bool p2e_wire_scalar(struct p2e_wire *wire, enum p2e_wire_type type, uint64_t *value)
{
    if (type == P2E_WIRE_VARINT)
        return p2e_wire_varint(wire, value);
    return read_fixed(wire, type == P2E_WIRE_FIXED64 ? 8 : 4, value);
}

static bool read_content(struct p2e_wire *wire, struct p2e_wire *content)
{
    uint64_t size;
    if (!p2e_wire_varint(wire, &size) || size > p2e_wire_size(wire))
        return false;
    *content = p2e_wire_of(wire->at, size);
    wire->at += size;
    return true;
}

bool p2e_wire_next(struct p2e_wire *wire, struct p2e_wire_field *field)
{
    const uint8_t *begin = wire->at;
    uint64_t tag;
    if (!p2e_wire_varint(wire, &tag) || tag > UINT32_MAX || wire->at - begin > TAG_BYTES_MAX)
        return false;
    *field = (struct p2e_wire_field){.number = (uint32_t)tag >> 3, .type = tag & 7};
    if (field->number == 0)
        return false;
    switch (field->type) {
    case P2E_WIRE_VARINT:
    case P2E_WIRE_FIXED64:
    case P2E_WIRE_FIXED32:
        return p2e_wire_scalar(wire, field->type, &field->value);
    case P2E_WIRE_BYTES:
        return read_content(wire, &field->content);
    case P2E_WIRE_GROUP_BEGIN:
    case P2E_WIRE_GROUP_END:
        return true;
    }
    return false;
}

bool p2e_wire_skip_group(struct p2e_wire *wire, uint32_t number, unsigned depth)
{
    struct p2e_wire_field field;
    while (p2e_wire_next(wire, &field)) {
        if (field.type == P2E_WIRE_GROUP_END)
            return field.number == number;
        if (field.type == P2E_WIRE_GROUP_BEGIN &&
            (depth == 0 || !p2e_wire_skip_group(wire, field.number, depth - 1)))
            return false;
    }
    return false;
}
