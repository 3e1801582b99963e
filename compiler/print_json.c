#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "compiler/cel_time.h"
#include "compiler/print.h"

#define PACKAGE "google.protobuf."

// ---- Strings ------------------------------------------------------------------------------------

static void print_code(uint32_t code, struct p2e_buffer *out)
{
    if (code == '"' || code == '\\')
        p2e_buffer_printf(out, "\\%c", (char)code);
    else if (code >= ' ' && code < 0x7f)
        p2e_buffer_printf(out, "%c", (char)code);
    else if (code < 0x10000)
        p2e_buffer_printf(out, "\\u%04x", code);
    else
        p2e_buffer_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

void p2e_print_json_string(const char *text, size_t size, struct p2e_buffer *out)
{
    p2e_buffer_puts(out, "\"");
    while (size > 0) {
        uint32_t code;
        size_t length = p2e_utf8_decode(text, size, &code);
        print_code(length ? code : 0xfffd, out);
        text += length ? length : 1;
        size -= length ? length : 1;
    }
    p2e_buffer_puts(out, "\"");
}

static void print_base64(const char *bytes, size_t size, struct p2e_buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    p2e_buffer_puts(out, "\"");
    for (size_t i = 0; i < size; i += 3) {
        uint32_t word = 0;
        for (size_t k = 0; k < 3; k++)
            word = word << 8 | (i + k < size ? (unsigned char)bytes[i + k] : 0);
        char four[] = {digits[word >> 18], digits[word >> 12 & 63],
                       i + 1 < size ? digits[word >> 6 & 63] : '=',
                       i + 2 < size ? digits[word & 63] : '='};
        p2e_buffer_add(out, four, sizeof(four));
    }
    p2e_buffer_puts(out, "\"");
}

// ---- Scalars ------------------------------------------------------------------------------------

static void print_real(double value, bool is_float, struct p2e_buffer *out)
{
    if (isnan(value))
        p2e_buffer_puts(out, "\"NaN\"");
    else if (isinf(value))
        p2e_buffer_puts(out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        p2e_print_real(value, is_float, true, out);
}

static void print_enum(const struct p2e_enum *enumeration, int64_t number, struct p2e_buffer *out)
{
    const char *name = p2e_print_enum_name(enumeration, number);
    if (!strcmp(enumeration->full_name, PACKAGE "NullValue"))
        p2e_buffer_puts(out, "null");
    else if (name)
        p2e_print_json_string(name, strlen(name), out);
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
        p2e_print_json_string(value.text.data, value.text.size, out);
        break;
    case P2E_TYPE_BYTES:
        print_base64(value.text.data, value.text.size, out);
        break;
    case P2E_TYPE_ENUM:
        print_enum(field->enumeration, value.integer, out);
        break;
    case P2E_TYPE_UINT32:
    case P2E_TYPE_FIXED32:
        p2e_buffer_printf(out, "%" PRIu64, value.uinteger);
        break;
    case P2E_TYPE_UINT64:
    case P2E_TYPE_FIXED64:
        p2e_buffer_printf(out, "\"%" PRIu64 "\"", value.uinteger);
        break;
    case P2E_TYPE_INT64:
    case P2E_TYPE_SINT64:
    case P2E_TYPE_SFIXED64:
        p2e_buffer_printf(out, "\"%" PRId64 "\"", value.integer);
        break;
    default:
        p2e_buffer_printf(out, "%" PRId64, value.integer);
    }
}

// ---- Fields -------------------------------------------------------------------------------------

static void print_value(const struct p2e_field *field, union p2e_dynamic_value value,
                        struct p2e_buffer *out)
{
    if (field->message)
        p2e_print_json(field->message, value.message, out);
    else
        print_scalar(field, value, out);
}

static void print_key(const struct p2e_field *field, union p2e_dynamic_value value,
                      struct p2e_buffer *out)
{
    bool is_quoted = field->type == P2E_TYPE_STRING || field->type == P2E_TYPE_INT64 ||
                     field->type == P2E_TYPE_SINT64 || field->type == P2E_TYPE_SFIXED64 ||
                     field->type == P2E_TYPE_UINT64 || field->type == P2E_TYPE_FIXED64;
    p2e_buffer_puts(out, is_quoted ? "" : "\"");
    print_scalar(field, value, out);
    p2e_buffer_puts(out, is_quoted ? ":" : "\":");
}

static void print_map(const struct p2e_dynamic *message, const struct p2e_field *field,
                      struct p2e_buffer *out)
{
    const struct p2e_field *key = &field->message->fields[0], *value = &field->message->fields[1];
    for (size_t i = 0; i < p2e_dynamic_size(message, field); i++) {
        const struct p2e_dynamic *entry = p2e_dynamic_at(message, field, i).message;
        p2e_buffer_puts(out, i ? "," : "{");
        print_key(key, p2e_dynamic_get(entry, key), out);
        print_value(value, p2e_dynamic_get(entry, value), out);
    }
    p2e_buffer_puts(out, p2e_dynamic_size(message, field) ? "}" : "{}");
}

static void print_list(const struct p2e_dynamic *message, const struct p2e_field *field,
                       struct p2e_buffer *out)
{
    p2e_buffer_puts(out, "[");
    for (size_t i = 0; i < p2e_dynamic_size(message, field); i++) {
        p2e_buffer_puts(out, i ? "," : "");
        print_value(field, p2e_dynamic_at(message, field, i), out);
    }
    p2e_buffer_puts(out, "]");
}

// Its default where it is absent.
static void print_field(const struct p2e_dynamic *message, const struct p2e_field *field,
                        struct p2e_buffer *out)
{
    if (field->map)
        print_map(message, field, out);
    else if (field->repeated)
        print_list(message, field, out);
    else
        print_value(field, p2e_dynamic_get(message, field), out);
}

// ---- Messages that JSON has something else for --------------------------------------------------

static bool is_one_of(const struct p2e_message *type, const char *const *names, size_t count)
{
    if (strncmp(type->full_name, PACKAGE, strlen(PACKAGE)) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(type->full_name + strlen(PACKAGE), names[i]))
            return true;
    }
    return false;
}

// Those that stand for what they hold.
static bool print_content(const struct p2e_message *type, const struct p2e_dynamic *message,
                          struct p2e_buffer *out)
{
    static const char *const names[] = {
        "DoubleValue", "FloatValue",  "Int64Value", "UInt64Value", "Int32Value", "UInt32Value",
        "BoolValue",   "StringValue", "BytesValue", "Struct",      "ListValue",
    };
    static const char *const value[] = {"Value"};
    const struct p2e_field *field = NULL;
    if (is_one_of(type, value, 1)) {
        field = p2e_dynamic_next(message, NULL);
        if (!field)
            p2e_buffer_puts(out, "null");
    } else if (type->field_count == 1 && (type->fields->repeated || !type->fields->message) &&
               is_one_of(type, names, sizeof(names) / sizeof(names[0]))) {
        field = &type->fields[0];
    } else {
        return false;
    }
    if (field)
        print_field(message, field, out);
    return true;
}

// None, three, six or nine digits.
static void print_nanos(int64_t nanos, struct p2e_buffer *out)
{
    if (nanos % 1000000 == 0 && nanos)
        p2e_buffer_printf(out, ".%03d", (int)(nanos / 1000000));
    else if (nanos % 1000 == 0 && nanos)
        p2e_buffer_printf(out, ".%06d", (int)(nanos / 1000));
    else if (nanos)
        p2e_buffer_printf(out, ".%09d", (int)nanos);
}

static bool print_timestamp(int64_t seconds, int64_t nanos, struct p2e_buffer *out)
{
    struct tm tm;
    if (seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999999999 ||
        !gmtime_r(&(time_t){seconds}, &tm))
        return false;
    p2e_buffer_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                      tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    print_nanos(nanos, out);
    p2e_buffer_puts(out, "Z\"");
    return true;
}

static bool print_duration(int64_t seconds, int64_t nanos, struct p2e_buffer *out)
{
    bool negative = seconds < 0 || nanos < 0;
    if (llabs(seconds) > 315576000000 || llabs(nanos) > 999999999 ||
        (negative && (seconds > 0 || nanos > 0)))
        return false;
    p2e_buffer_printf(out, "\"%s%lld", negative ? "-" : "", llabs(seconds));
    print_nanos(llabs(nanos), out);
    p2e_buffer_puts(out, "s\"");
    return true;
}

// False for one that is out of range: it is shown as it was sent.
static bool print_time(const struct p2e_message *type, const struct p2e_dynamic *message,
                       struct p2e_buffer *out)
{
    enum p2e_cel_kind kind = p2e_cel_time_kind(type);
    if (!p2e_cel_is_time(kind))
        return false;
    int64_t seconds = p2e_dynamic_get(message, p2e_message_field(type, "seconds")).integer;
    int64_t nanos = p2e_dynamic_get(message, p2e_message_field(type, "nanos")).integer;
    return kind == P2E_CEL_TIMESTAMP ? print_timestamp(seconds, nanos, out)
                                     : print_duration(seconds, nanos, out);
}

// ---- Messages -----------------------------------------------------------------------------------

static void print_name(const struct p2e_field *field, struct p2e_buffer *out)
{
    if (field->extension)
        p2e_buffer_printf(out, "\"[%s]\"", field->name);
    else
        p2e_print_json_string(field->json_name, strlen(field->json_name), out);
    p2e_buffer_puts(out, ":");
}

void p2e_print_json(const struct p2e_message *type, const struct p2e_dynamic *message,
                    struct p2e_buffer *out)
{
    size_t count;
    if (print_time(type, message, out) || print_content(type, message, out))
        return;
    _cleanup_free_ const struct p2e_field **fields = p2e_print_fields(message, &count);
    p2e_buffer_puts(out, "{");
    for (size_t i = 0; i < count; i++) {
        p2e_buffer_puts(out, i ? "," : "");
        print_name(fields[i], out);
        print_field(message, fields[i], out);
    }
    p2e_buffer_puts(out, "}");
}
