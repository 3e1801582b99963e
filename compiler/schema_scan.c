#include <string.h>

#include "compiler/schema_private.h"
#include "compiler/wire.h"

enum part { SET, FILE_PART, MESSAGE, FIELD, ENUMERATION, VALUE, ONEOF, OPTIONS, TEXT, RAW, OTHER };

// The parts of a FileDescriptorSet that the schema is made of: field `number` of `in` is a `part`.
static const struct {
    enum part in;
    uint32_t number;
    enum part part;
} parts[] = {
    {SET, 1, FILE_PART},         // file
    {FILE_PART, 1, TEXT},        // name
    {FILE_PART, 2, TEXT},        // package
    {FILE_PART, 4, MESSAGE},     // message_type
    {FILE_PART, 5, ENUMERATION}, // enum_type
    {FILE_PART, 7, FIELD},       // extension
    {FILE_PART, 8, OPTIONS},     // options
    {FILE_PART, 12, TEXT},       // syntax
    {MESSAGE, 1, TEXT},          // name
    {MESSAGE, 2, FIELD},         // field
    {MESSAGE, 3, MESSAGE},       // nested_type
    {MESSAGE, 4, ENUMERATION},   // enum_type
    {MESSAGE, 6, FIELD},         // extension
    {MESSAGE, 7, OPTIONS},       // options
    {MESSAGE, 8, ONEOF},         // oneof_decl
    {FIELD, 1, TEXT},            // name
    {FIELD, 2, TEXT},            // extendee
    {FIELD, 6, TEXT},            // type_name
    {FIELD, 7, TEXT},            // default_value
    {FIELD, 8, OPTIONS},         // options
    {ENUMERATION, 1, TEXT},      // name
    {ENUMERATION, 2, VALUE},     // value
    {ENUMERATION, 3, OPTIONS},   // options
    {VALUE, 1, TEXT},            // name
    {ONEOF, 1, TEXT},            // name
    {ONEOF, 2, OPTIONS},         // options
    {OPTIONS, 999, RAW},         // uninterpreted_option
};

static enum part part_of(enum part in, uint32_t number)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].in == in && parts[i].number == number)
            return parts[i].part;
    }
    return OTHER;
}

static int check_leaf(enum part part, const struct p2e_wire *content, struct p2e_error *err)
{
    if (part == TEXT && memchr(content->at, '\0', p2e_wire_size(content)))
        return p2e_error_set(err, "a name or a default value holds a NUL byte, which is not "
                                  "supported");
    if (part == RAW)
        return p2e_error_set(err, "the set has options that were not interpreted, so that a rule "
                                  "could get lost; write it with protoc or buf");
    return 0;
}

// protobuf-c knows no groups.
static bool next(struct p2e_wire *wire, struct p2e_wire_field *field)
{
    return p2e_wire_next(wire, field) && field->type != P2E_WIRE_GROUP_BEGIN &&
           field->type != P2E_WIRE_GROUP_END;
}

static int scan(struct p2e_wire wire, enum part part, unsigned depth, struct p2e_error *err)
{
    if (depth > P2E_SCHEMA_NESTING_MAX)
        return p2e_error_set(err, "message types are nested more than %d deep",
                             P2E_SCHEMA_NESTING_MAX);
    bool has_options = false;
    while (wire.at < wire.end) {
        struct p2e_wire_field field;
        if (!next(&wire, &field))
            return p2e_error_set(err, "not a FileDescriptorSet, or cut short; write it with "
                                      "protoc --include_imports --descriptor_set_out=FILE");
        if (field.type != P2E_WIRE_BYTES)
            continue;
        enum part child = part_of(part, field.number);
        if (check_leaf(child, &field.content, err) < 0)
            return -1;
        if (child == OPTIONS && has_options)
            return p2e_error_set(err, "a part of the set has its options twice, and no tool "
                                      "writes that; write it with protoc or buf");
        has_options |= child == OPTIONS;
        if (child < TEXT && scan(field.content, child, depth + (child == MESSAGE), err) < 0)
            return -1;
    }
    return 0;
}

int p2e_schema_scan(const void *data, size_t size, struct p2e_error *err)
{
    return scan(p2e_wire_of(data, size), SET, 0, err);
}

// ---- Ballast ------------------------------------------------------------------------------------

#define SET_FILE         1
#define FILE_SERVICE     6
#define FILE_SOURCE_INFO 9

// Adds what is wanted of a file to *out where that is not NULL. Returns its size.
static size_t copy_file(struct p2e_wire file, struct p2e_buffer *out)
{
    size_t size = 0;
    while (file.at < file.end) {
        struct p2e_wire_field field;
        const uint8_t *begin = file.at;
        if (!p2e_wire_next(&file, &field))
            break;
        if (field.number == FILE_SERVICE || field.number == FILE_SOURCE_INFO)
            continue;
        size += (size_t)(file.at - begin);
        if (out)
            p2e_buffer_add(out, begin, (size_t)(file.at - begin));
    }
    return size;
}

static void add_varint(struct p2e_buffer *out, size_t value)
{
    for (; value > 0x7f; value >>= 7)
        p2e_buffer_add(out, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
    p2e_buffer_add(out, &(uint8_t){(uint8_t)value}, 1);
}

int p2e_schema_strip(const void *data, size_t size, struct p2e_buffer *out, struct p2e_error *err)
{
    struct p2e_wire set = p2e_wire_of(data, size);
    struct p2e_wire_field file;
    while (set.at < set.end && p2e_wire_next(&set, &file)) {
        if (file.number != SET_FILE || file.type != P2E_WIRE_BYTES)
            continue;
        p2e_buffer_add(out, &(uint8_t){SET_FILE << 3 | P2E_WIRE_BYTES}, 1);
        add_varint(out, copy_file(file.content, NULL));
        copy_file(file.content, out);
    }
    return out->failed ? p2e_error_set(err, "out of memory: the schema is too large") : 0;
}
