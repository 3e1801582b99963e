// What protobuf-c keeps as unknown fields: its descriptor.proto does not know them.
#include <string.h>

#include "compiler/schema_private.h"

// protobuf-c keeps a field's bytes behind its tag, the length of a length-delimited one included.
static bool decode(const ProtobufCMessageUnknownField *unknown, struct p2e_wire_field *field)
{
    struct p2e_wire wire = p2e_wire_of(unknown->data, unknown->len);
    *field = (struct p2e_wire_field){.number = unknown->tag,
                                     .type = (enum p2e_wire_type)unknown->wire_type};
    if (field->type != P2E_WIRE_BYTES)
        return p2e_wire_scalar(&wire, field->type, &field->value);
    uint64_t size;
    if (!p2e_wire_varint(&wire, &size) || size > p2e_wire_size(&wire))
        return false;
    field->content = p2e_wire_of(wire.at, size);
    return true;
}

bool p2e_schema_unknown(const ProtobufCMessage *message, uint32_t number, size_t *at,
                        struct p2e_wire_field *field)
{
    while (message && *at < message->n_unknown_fields) {
        const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[(*at)++];
        if (unknown->tag == number && decode(unknown, field))
            return true;
    }
    return false;
}

// The size of all occurrences, which are copied to `out` where that is not NULL; -1 for none. One
// of another wire type is another's field: unknown, as every parser has it.
static int64_t gather(const ProtobufCMessage *options, uint32_t number, char *out)
{
    struct p2e_wire_field field;
    int64_t total = -1;
    for (size_t at = 0; p2e_schema_unknown(options, number, &at, &field);) {
        if (field.type != P2E_WIRE_BYTES)
            continue;
        size_t size = p2e_wire_size(&field.content);
        total = total < 0 ? 0 : total;
        if (out && size > 0)
            memcpy(out + total, field.content.at, size);
        total += (int64_t)size;
    }
    return total;
}

int p2e_schema_option(const ProtobufCMessage *options, uint32_t number, struct p2e_arena *arena,
                      struct p2e_bytes *bytes, struct p2e_error *err)
{
    int64_t size = gather(options, number, NULL);
    if (size < 0)
        return 0;
    char *data = p2e_arena_array(arena, (size_t)size + 1, 1);
    if (!data)
        return p2e_error_set(err, "out of memory: the schema is too large");
    gather(options, number, data);
    *bytes = (struct p2e_bytes){data, (size_t)size};
    return 0;
}
