#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/print.h"

#define STEP 2 // spaces a level
// An unknown field may hold a message or a text, which look alike: messages within it are shown to
// this depth.
#define UNKNOWN_DEPTH 10

static void indent_by(unsigned indent, struct p2e_buffer *out)
{
    p2e_buffer_printf(out, "%*s", (int)indent, "");
}

// ---- Scalars ------------------------------------------------------------------------------------

static void print_escaped(unsigned char c, struct p2e_buffer *out)
{
    static const char plain[] = "\n\r\t\"'\\", escaped[] = "nrt\"'\\";
    const char *found = c ? strchr(plain, c) : NULL;
    if (found)
        p2e_buffer_printf(out, "\\%c", escaped[found - plain]);
    else if (c < ' ' || c >= 0x7f)
        p2e_buffer_printf(out, "\\%03o", c);
    else
        p2e_buffer_add(out, &c, 1);
}

static void print_quoted(const void *text, size_t size, struct p2e_buffer *out)
{
    p2e_buffer_puts(out, "\"");
    for (size_t i = 0; i < size; i++)
        print_escaped(((const unsigned char *)text)[i], out);
    p2e_buffer_puts(out, "\"");
}

static void print_real(double value, bool is_float, struct p2e_buffer *out)
{
    if (isnan(value))
        p2e_buffer_puts(out, "nan");
    else if (isinf(value))
        p2e_buffer_puts(out, value < 0 ? "-inf" : "inf");
    else
        p2e_print_real(value, is_float, false, out);
}

static void print_enum(const struct p2e_enum *enumeration, int64_t number, struct p2e_buffer *out)
{
    const char *name = p2e_print_enum_name(enumeration, number);
    if (name)
        p2e_buffer_puts(out, name);
    else
        p2e_buffer_printf(out, "%" PRId64, number);
}

static void print_scalar(const struct p2e_field *field, union p2e_dynamic_value value,
                         struct p2e_buffer *out)
{
    switch (field->type) {
    case P2E_TYPE_BOOL:
        p2e_buffer_puts(out, value.boolean ? "true" : "false");
        break;
    case P2E_TYPE_DOUBLE:
    case P2E_TYPE_FLOAT:
        print_real(value.real, field->type == P2E_TYPE_FLOAT, out);
        break;
    case P2E_TYPE_STRING:
    case P2E_TYPE_BYTES:
        print_quoted(value.text.data, value.text.size, out);
        break;
    case P2E_TYPE_ENUM:
        print_enum(field->enumeration, value.integer, out);
        break;
    case P2E_TYPE_UINT32:
    case P2E_TYPE_UINT64:
    case P2E_TYPE_FIXED32:
    case P2E_TYPE_FIXED64:
        p2e_buffer_printf(out, "%" PRIu64, value.uinteger);
        break;
    default:
        p2e_buffer_printf(out, "%" PRId64, value.integer);
    }
}

// ---- Fields -------------------------------------------------------------------------------------

// A group that was declared as one is called by its type: "Part", of the field "part".
static const char *name_of(const struct p2e_field *field)
{
    if (field->type != P2E_TYPE_GROUP)
        return field->name;
    const char *dot = strrchr(field->message->full_name, '.');
    const char *type = dot ? dot + 1 : field->message->full_name;
    return strcasecmp(type, field->name) == 0 ? type : field->name;
}

static void print_name(const struct p2e_field *field, unsigned indent, struct p2e_buffer *out)
{
    indent_by(indent, out);
    p2e_buffer_printf(out, field->extension ? "[%s]" : "%s",
                      field->extension ? field->name : name_of(field));
}

static void print_entry(const struct p2e_message *type, const struct p2e_dynamic *entry,
                        unsigned indent, struct p2e_buffer *out);
static void print_unknowns(const struct p2e_dynamic *message, unsigned indent,
                           struct p2e_buffer *out);

static void print_value(const struct p2e_field *field, union p2e_dynamic_value value,
                        unsigned indent, struct p2e_buffer *out)
{
    print_name(field, indent, out);
    if (!field->message) {
        p2e_buffer_puts(out, ": ");
        print_scalar(field, value, out);
        p2e_buffer_puts(out, "\n");
        return;
    }
    p2e_buffer_puts(out, " {\n");
    if (field->map)
        print_entry(field->message, value.message, indent + STEP, out);
    else
        p2e_print_text(value.message, indent + STEP, out);
    indent_by(indent, out);
    p2e_buffer_puts(out, "}\n");
}

// Key and value are always there.
static void print_entry(const struct p2e_message *type, const struct p2e_dynamic *entry,
                        unsigned indent, struct p2e_buffer *out)
{
    for (size_t i = 0; i < type->field_count; i++)
        print_value(&type->fields[i], p2e_dynamic_get(entry, &type->fields[i]), indent, out);
    print_unknowns(entry, indent, out);
}

// ---- Unknown fields -----------------------------------------------------------------------------

static bool is_message(struct p2e_wire wire, unsigned depth)
{
    struct p2e_wire_field field;
    while (wire.at < wire.end) {
        if (!p2e_wire_next(&wire, &field) || field.type == P2E_WIRE_GROUP_END)
            return false;
        if (field.type == P2E_WIRE_GROUP_BEGIN && !p2e_wire_skip_group(&wire, field.number, depth))
            return false;
    }
    return true;
}

static void print_unknown(const struct p2e_wire_field *field, unsigned depth, unsigned indent,
                          struct p2e_buffer *out);

// Up to its end, or that of the group that it is.
static void print_unknown_block(struct p2e_wire *wire, unsigned depth, unsigned indent,
                                struct p2e_buffer *out)
{
    struct p2e_wire_field field;
    p2e_buffer_puts(out, " {\n");
    while (wire->at < wire->end && p2e_wire_next(wire, &field) &&
           field.type != P2E_WIRE_GROUP_END) {
        field.content = field.type == P2E_WIRE_GROUP_BEGIN ? *wire : field.content;
        print_unknown(&field, depth, indent + STEP, out);
        if (field.type == P2E_WIRE_GROUP_BEGIN)
            p2e_wire_skip_group(wire, field.number, P2E_DYNAMIC_DEPTH_MAX);
    }
    indent_by(indent, out);
    p2e_buffer_puts(out, "}\n");
}

static void print_unknown_bytes(struct p2e_wire content, unsigned depth, unsigned indent,
                                struct p2e_buffer *out)
{
    if (p2e_wire_size(&content) > 0 && depth > 0 && is_message(content, P2E_DYNAMIC_DEPTH_MAX)) {
        print_unknown_block(&content, depth - 1, indent, out);
        return;
    }
    p2e_buffer_puts(out, ": ");
    print_quoted(content.at, p2e_wire_size(&content), out);
    p2e_buffer_puts(out, "\n");
}

static void print_unknown(const struct p2e_wire_field *field, unsigned depth, unsigned indent,
                          struct p2e_buffer *out)
{
    struct p2e_wire content = field->content;
    indent_by(indent, out);
    p2e_buffer_printf(out, "%u", field->number);
    switch (field->type) {
    case P2E_WIRE_FIXED32:
        p2e_buffer_printf(out, ": 0x%08" PRIx64 "\n", field->value);
        break;
    case P2E_WIRE_FIXED64:
        p2e_buffer_printf(out, ": 0x%016" PRIx64 "\n", field->value);
        break;
    case P2E_WIRE_BYTES:
        print_unknown_bytes(content, depth, indent, out);
        break;
    case P2E_WIRE_GROUP_BEGIN:
        print_unknown_block(&content, depth > 0 ? depth - 1 : 0, indent, out);
        break;
    default:
        p2e_buffer_printf(out, ": %" PRIu64 "\n", field->value);
    }
}

static void print_unknowns(const struct p2e_dynamic *message, unsigned indent,
                           struct p2e_buffer *out)
{
    size_t count;
    const struct p2e_wire_field *unknowns = p2e_dynamic_unknowns(message, &count);
    for (size_t i = 0; i < count; i++)
        print_unknown(&unknowns[i], UNKNOWN_DEPTH, indent, out);
}

// ---- Messages -----------------------------------------------------------------------------------

static void print_field(const struct p2e_dynamic *message, const struct p2e_field *field,
                        unsigned indent, struct p2e_buffer *out)
{
    for (size_t i = 0; i < p2e_dynamic_size(message, field); i++)
        print_value(field, p2e_dynamic_at(message, field, i), indent, out);
}

void p2e_print_text(const struct p2e_dynamic *message, unsigned indent, struct p2e_buffer *out)
{
    size_t count;
    _cleanup_free_ const struct p2e_field **fields = p2e_print_fields(message, &count);
    for (size_t i = 0; i < count; i++)
        print_field(message, fields[i], indent, out);
    print_unknowns(message, indent, out);
}
