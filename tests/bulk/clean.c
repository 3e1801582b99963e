#include "tests/bulk/clean.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bulk/wire.h"

#define MAX_FIELDS 32 // of a message of the test's schemas

struct reader {
    const uint8_t *at, *end;
};

struct cleaner {
    bool proto3;
    unsigned deviations;
};

// One message on its way through the reader.
struct pass {
    struct cleaner *cleaner;
    const ProtobufCMessageDescriptor *message;
    unsigned depth;
    struct p2e_buffer *out;
    bool seen[MAX_FIELDS];
    // Parts of a singular submessage: one after the other they mean the merged message.
    struct p2e_buffer parts[MAX_FIELDS];
    bool split[MAX_FIELDS]; // more than one part
};

static bool clean_message(struct cleaner *cleaner, const ProtobufCMessageDescriptor *message,
                          struct reader in, unsigned depth, struct p2e_buffer *out);

// ---- Reading ------------------------------------------------------------------------------------

// At most `max_bytes` long, which is 10 or less.
static bool read_short_varint(struct reader *in, unsigned max_bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < max_bytes && in->at < in->end; i++) {
        uint8_t byte = *in->at++;
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_varint(struct cleaner *cleaner, struct reader *in, uint64_t *value)
{
    const uint8_t *begin = in->at;

    if (!read_short_varint(in, 10, value))
        return false;
    if (in->at - begin < 10 || in->at[-1] <= 1)
        return true;
    cleaner->deviations |= P2E_BULK_VARINT;
    return false;
}

static bool read_tag(struct cleaner *cleaner, struct reader *in, uint32_t *number, uint8_t *wire)
{
    uint64_t tag;

    if (!read_short_varint(in, 5, &tag))
        return false;
    *number = (uint32_t)(tag >> 3);
    *wire = tag & 7;
    if (tag > UINT32_MAX || *number == 0) {
        cleaner->deviations |= P2E_BULK_TAG;
        return false;
    }
    return true;
}

static bool read_bytes(struct reader *in, size_t size, struct reader *bytes)
{
    if (size > (size_t)(in->end - in->at))
        return false;
    *bytes = (struct reader){in->at, in->at + size};
    in->at += size;
    return true;
}

static bool read_delimited(struct reader *in, struct reader *bytes)
{
    uint64_t size;

    return read_short_varint(in, 5, &size) && read_bytes(in, size, bytes);
}

static bool skip_value(struct cleaner *cleaner, struct reader *in, uint32_t number, uint8_t wire,
                       unsigned depth);

static bool skip_group(struct cleaner *cleaner, struct reader *in, uint32_t group, unsigned depth)
{
    uint32_t number;
    uint8_t wire;

    cleaner->deviations |= P2E_BULK_GROUP;
    if (depth > P2E_BULK_MAX_DEPTH)
        return false;
    while (read_tag(cleaner, in, &number, &wire)) {
        if (wire == WIRE_END_GROUP)
            return number == group;
        if (!skip_value(cleaner, in, number, wire, depth))
            return false;
    }
    return false;
}

static bool skip_value(struct cleaner *cleaner, struct reader *in, uint32_t number, uint8_t wire,
                       unsigned depth)
{
    struct reader bytes;
    uint64_t value;

    switch (wire) {
    case WIRE_VARINT:
        return read_varint(cleaner, in, &value);
    case WIRE_FIXED64:
        return read_bytes(in, 8, &bytes);
    case WIRE_DELIMITED:
        return read_delimited(in, &bytes);
    case WIRE_START_GROUP:
        return skip_group(cleaner, in, number, depth + 1);
    case WIRE_FIXED32:
        return read_bytes(in, 4, &bytes);
    default:
        return false;
    }
}

// RFC 3629: shortest form, no surrogates, nothing above U+10FFFF.
static bool is_utf8(struct reader in)
{
    while (in.at < in.end) {
        uint8_t first = *in.at++;
        unsigned more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        uint32_t point = more ? first & (0x3fu >> more) : first;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

        if ((more && first < 0xc0) || first >= 0xf8 || more > (size_t)(in.end - in.at))
            return false;
        for (unsigned i = 0; i < more; i++) {
            if ((*in.at & 0xc0) != 0x80)
                return false;
            point = point << 6 | (*in.at++ & 0x3f);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
    }
    return true;
}

// ---- Writing anew -------------------------------------------------------------------------------

// A closed enum's unknown number belongs to no field.
static bool is_value(struct cleaner *cleaner, const ProtobufCFieldDescriptor *field, uint64_t value)
{
    if (field->type != PROTOBUF_C_TYPE_ENUM || cleaner->proto3)
        return true;
    if (protobuf_c_enum_descriptor_get_value(field->descriptor, (int32_t)value))
        return true;
    cleaner->deviations |= P2E_BULK_CLOSED_ENUM;
    return false;
}

static bool clean_varint(struct pass *pass, const ProtobufCFieldDescriptor *field,
                         struct reader *in, bool *present)
{
    uint64_t value;

    if (!read_varint(pass->cleaner, in, &value))
        return false;
    *present = is_value(pass->cleaner, field, value);
    if (*present) {
        p2e_bulk_put_tag(pass->out, field->id, WIRE_VARINT);
        p2e_bulk_put_varint(pass->out, value);
    }
    return true;
}

static bool clean_fixed(struct pass *pass, const ProtobufCFieldDescriptor *field, struct reader *in,
                        uint8_t wire)
{
    struct reader bytes;
    size_t size = wire == WIRE_FIXED64 ? 8 : 4;

    if (!read_bytes(in, size, &bytes))
        return false;
    p2e_bulk_put_tag(pass->out, field->id, wire);
    p2e_buffer_add(pass->out, bytes.at, size);
    return true;
}

static bool clean_packed(struct pass *pass, const ProtobufCFieldDescriptor *field,
                         struct reader bytes)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer elements = {0};
    uint8_t wire = p2e_bulk_wire_type(field->type);

    if (wire == WIRE_VARINT) {
        for (uint64_t value; bytes.at < bytes.end;) {
            if (!read_varint(pass->cleaner, &bytes, &value))
                return false;
            if (is_value(pass->cleaner, field, value))
                p2e_bulk_put_varint(&elements, value);
        }
    } else {
        if ((bytes.end - bytes.at) % (wire == WIRE_FIXED64 ? 8 : 4))
            return false;
        p2e_buffer_add(&elements, bytes.at, (size_t)(bytes.end - bytes.at));
    }
    p2e_bulk_put_delimited(pass->out, field->id, elements.data, elements.size);
    return true;
}

static bool clean_string(struct pass *pass, const ProtobufCFieldDescriptor *field,
                         struct reader bytes)
{
    size_t size = (size_t)(bytes.end - bytes.at);

    if (pass->cleaner->proto3 && !is_utf8(bytes)) {
        pass->cleaner->deviations |= P2E_BULK_UTF8;
        return false;
    }
    p2e_bulk_put_delimited(pass->out, field->id, bytes.at, size);
    for (char *c = pass->out->data + pass->out->size - size; size--; c++)
        if (!*c)
            *c = 1;
    return true;
}

static bool clean_submessage(struct pass *pass, size_t index, struct reader bytes)
{
    const ProtobufCFieldDescriptor *field = &pass->message->fields[index];
    _cleanup_(p2e_buffer_free) struct p2e_buffer part = {0};

    if (!clean_message(pass->cleaner, field->descriptor, bytes, pass->depth + 1, &part))
        return false;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        p2e_bulk_put_delimited(pass->out, field->id, part.data, part.size);
        return true;
    }
    if (pass->seen[index]) {
        pass->cleaner->deviations |= P2E_BULK_MERGE;
        pass->split[index] = true;
    }
    p2e_buffer_add(&pass->parts[index], part.data, part.size);
    return true;
}

// The last member of a oneof clears the others. What is in `out` already, protobuf-c clears itself.
static void clear_other_members(struct pass *pass, const ProtobufCFieldDescriptor *field)
{
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return;
    for (unsigned i = 0; i < pass->message->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &pass->message->fields[i];

        if (other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            other->quantifier_offset == field->quantifier_offset) {
            p2e_buffer_free(&pass->parts[i]);
            pass->seen[i] = pass->split[i] = false;
        }
    }
}

static bool clean_delimited(struct pass *pass, size_t index, struct reader *in)
{
    const ProtobufCFieldDescriptor *field = &pass->message->fields[index];
    struct reader bytes;

    if (!read_delimited(in, &bytes))
        return false;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return clean_submessage(pass, index, bytes);
    case PROTOBUF_C_TYPE_STRING:
        return clean_string(pass, field, bytes);
    case PROTOBUF_C_TYPE_BYTES:
        p2e_bulk_put_delimited(pass->out, field->id, bytes.at, (size_t)(bytes.end - bytes.at));
        return true;
    default:
        return clean_packed(pass, field, bytes);
    }
}

static bool clean_known(struct pass *pass, size_t index, struct reader *in, uint8_t wire)
{
    const ProtobufCFieldDescriptor *field = &pass->message->fields[index];
    bool present = true, ok;

    if (wire == WIRE_VARINT)
        ok = clean_varint(pass, field, in, &present);
    else if (wire == WIRE_DELIMITED)
        ok = clean_delimited(pass, index, in);
    else
        ok = clean_fixed(pass, field, in, wire);
    if (ok && present) {
        clear_other_members(pass, field);
        pass->seen[index] = true;
    }
    return ok;
}

static bool accepts(const ProtobufCFieldDescriptor *field, uint8_t wire)
{
    uint8_t own = p2e_bulk_wire_type(field->type);

    return wire == own || (wire == WIRE_DELIMITED && field->label == PROTOBUF_C_LABEL_REPEATED);
}

static bool clean_field(struct pass *pass, struct reader *in)
{
    uint32_t number;
    uint8_t wire;

    if (!read_tag(pass->cleaner, in, &number, &wire))
        return false;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(pass->message, number);
    if (field && accepts(field, wire))
        return clean_known(pass, (size_t)(field - pass->message->fields), in, wire);
    if (field)
        pass->cleaner->deviations |= P2E_BULK_WIRE_TYPE;
    return skip_value(pass->cleaner, in, number, wire, pass->depth);
}

// Parts in a row may each hold parts of a submessage of their own: those are merged in another
// pass.
static bool finish_submessage(struct pass *pass, size_t index)
{
    const ProtobufCFieldDescriptor *field = &pass->message->fields[index];
    const struct p2e_buffer *parts = &pass->parts[index];
    _cleanup_(p2e_buffer_free) struct p2e_buffer whole = {0};
    struct reader in = {(const uint8_t *)parts->data, (const uint8_t *)parts->data + parts->size};

    if (pass->split[index]) {
        if (!clean_message(pass->cleaner, field->descriptor, in, pass->depth + 1, &whole))
            return false;
        parts = &whole;
    }
    p2e_bulk_put_delimited(pass->out, field->id, parts->data, parts->size);
    return true;
}

// Required fields are asked for in each part of a submessage, as protobuf-c does.
static bool finish(struct pass *pass)
{
    for (unsigned i = 0; i < pass->message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &pass->message->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REQUIRED && !pass->seen[i])
            return false;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && pass->seen[i] &&
            field->label != PROTOBUF_C_LABEL_REPEATED && !finish_submessage(pass, i))
            return false;
    }
    return true;
}

static bool clean_message(struct cleaner *cleaner, const ProtobufCMessageDescriptor *message,
                          struct reader in, unsigned depth, struct p2e_buffer *out)
{
    struct pass pass = {.cleaner = cleaner, .message = message, .depth = depth, .out = out};
    bool ok = true;

    if (depth > P2E_BULK_MAX_DEPTH) {
        cleaner->deviations |= P2E_BULK_DEPTH;
        return false;
    }
    while (ok && in.at < in.end)
        ok = clean_field(&pass, &in);
    ok = ok && finish(&pass);
    for (unsigned i = 0; i < message->n_fields; i++)
        p2e_buffer_free(&pass.parts[i]);
    return ok;
}

bool p2e_bulk_clean(const struct p2e_bulk_schema *schema, const uint8_t *data, size_t size,
                    struct p2e_buffer *clean, unsigned *deviations)
{
    struct cleaner cleaner = {.proto3 = schema->proto3};
    bool ok =
        clean_message(&cleaner, schema->message, (struct reader){data, data + size}, 0, clean);

    *deviations = cleaner.deviations;
    return ok;
}

// ---- Verdict ------------------------------------------------------------------------------------

static _Noreturn void disagree(const char *what, const uint8_t *data, size_t size)
{
    fprintf(stderr, "the oracle contradicts itself: %s: ", what);
    for (size_t i = 0; i < size; i++)
        fprintf(stderr, "%02x", data[i]);
    fputc('\n', stderr);
    abort();
}

static bool unpacks(const struct p2e_bulk_schema *schema, const uint8_t *data, size_t size)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(schema->message, NULL, size, data);

    protobuf_c_message_free_unpacked(message, NULL);
    return message != NULL;
}

void p2e_bulk_verdict(const struct p2e_bulk_schema *schema, const uint8_t *data, size_t size,
                      char *verdict, size_t verdict_size)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer clean = {0};
    unsigned deviations;
    bool ok = p2e_bulk_clean(schema, data, size, &clean, &deviations);

    if (!deviations && unpacks(schema, data, size) != ok)
        disagree(ok ? "protobuf-c refuses" : "protobuf-c accepts", data, size);
    if (!ok) {
        snprintf(verdict, verdict_size, "drop malformed");
        return;
    }
    ProtobufCMessage *message =
        protobuf_c_message_unpack(schema->message, NULL, clean.size, (const uint8_t *)clean.data);
    if (!message)
        disagree("protobuf-c refuses what was cleaned", data, size);
    const char *broken = schema->judge(message);
    snprintf(verdict, verdict_size, broken ? "drop rule %s" : "pass", broken);
    protobuf_c_message_free_unpacked(message, NULL);
}
