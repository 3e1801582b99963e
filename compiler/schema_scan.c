#include <stdint.h>
#include <string.h>

#include "compiler/schema_private.h"

enum part { SET, FILE_PART, MESSAGE, FIELD, ENUMERATION, VALUE, ONEOF, TEXT, OTHER };

// The parts of a FileDescriptorSet that the schema is made of: field `number` of `in` is a `part`.
static const struct {
    enum part in;
    uint32_t number;
    enum part part;
} parts[] = {
    {SET, 1, FILE_PART},       {FILE_PART, 1, TEXT}, // name
    {FILE_PART, 2, TEXT},                            // package
    {FILE_PART, 4, MESSAGE},   {FILE_PART, 5, ENUMERATION},
    {FILE_PART, 12, TEXT},                            // syntax
    {MESSAGE, 1, TEXT},                               // name
    {MESSAGE, 2, FIELD},       {MESSAGE, 3, MESSAGE}, // nested_type
    {MESSAGE, 4, ENUMERATION}, {MESSAGE, 8, ONEOF},
    {FIELD, 1, TEXT},                            // name
    {FIELD, 6, TEXT},                            // type_name
    {FIELD, 7, TEXT},                            // default_value
    {ENUMERATION, 1, TEXT},                      // name
    {ENUMERATION, 2, VALUE},   {VALUE, 1, TEXT}, // name
    {ONEOF, 1, TEXT},                            // name
};

static enum part part_of(enum part in, uint32_t number)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].in == in && parts[i].number == number)
            return parts[i].part;
    }
    return OTHER;
}

struct reader {
    const uint8_t *at, *end;
};

static bool read_varint(struct reader *r, unsigned max_bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < max_bytes && r->at < r->end; i++) {
        uint8_t byte = *r->at++;
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

// A tag or a length: 32 bits, as protobuf-c reads them.
static bool read_u32(struct reader *r, uint32_t *value)
{
    uint64_t wide;
    if (!read_varint(r, 5, &wide) || wide > UINT32_MAX)
        return false;
    *value = (uint32_t)wide;
    return true;
}

// Takes one field's value; *content is that of a length-delimited one, else NULL.
static bool read_value(struct reader *r, unsigned wire_type, const uint8_t **content,
                       uint32_t *size)
{
    uint64_t ignored;
    *content = NULL;
    switch (wire_type) {
    case 0:
        return read_varint(r, 10, &ignored);
    case 1:
        *size = 8;
        break;
    case 2:
        if (!read_u32(r, size))
            return false;
        *content = r->at;
        break;
    case 5:
        *size = 4;
        break;
    default:
        return false; // protobuf-c knows no groups
    }
    if (*size > (size_t)(r->end - r->at))
        return false;
    r->at += *size;
    return true;
}

static int scan(const uint8_t *data, size_t size, enum part part, unsigned depth,
                struct p2e_error *err)
{
    struct reader r = {data, data + size};

    if (depth > P2E_SCHEMA_NESTING_MAX)
        return p2e_error_set(err, "message types are nested more than %d deep",
                             P2E_SCHEMA_NESTING_MAX);
    while (r.at < r.end) {
        uint32_t tag, length;
        const uint8_t *content;
        if (!read_u32(&r, &tag) || !read_value(&r, tag & 7, &content, &length))
            return p2e_error_set(err, "not a FileDescriptorSet, or cut short; write it with "
                                      "protoc --include_imports --descriptor_set_out=FILE");
        enum part child = content ? part_of(part, tag >> 3) : OTHER;
        if (child == TEXT && memchr(content, '\0', length))
            return p2e_error_set(err, "a name or a default value holds a NUL byte, which is not "
                                      "supported");
        if (child < TEXT && scan(content, length, child, depth + (child == MESSAGE), err) < 0)
            return -1;
    }
    return 0;
}

int p2e_schema_scan(const void *data, size_t size, struct p2e_error *err)
{
    return scan(data, size, SET, 0, err);
}
