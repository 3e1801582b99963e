// Default values, from the text that protoc puts into a descriptor.
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/schema_private.h"

static bool parse_signed(const char *text, int64_t min, int64_t max, uint64_t *bits)
{
    char *end;
    if (!isdigit((unsigned char)text[text[0] == '-']))
        return false;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno || *end || value < min || value > max)
        return false;
    *bits = (uint64_t)value;
    return true;
}

static bool parse_unsigned(const char *text, uint64_t max, uint64_t *bits)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *bits = strtoull(text, &end, 10);
    return !errno && !*end && *bits <= max;
}

// Decimal notation, "inf", "-inf", "nan", "-nan". strtod takes more than that.
static bool parse_real(const char *text, double *value)
{
    const char *digits = text + (text[0] == '-');
    if (strcmp(digits, "inf") != 0 && strcmp(digits, "nan") != 0) {
        if (!digits[0] || !strchr("0123456789.", digits[0]) ||
            text[strspn(text, "0123456789.eE+-")])
            return false;
    }
    char *end;
    *value = strtod(text, &end);
    return !*end;
}

static bool parse_double(const char *text, uint64_t *bits)
{
    double value;
    if (!parse_real(text, &value))
        return false;
    memcpy(bits, &value, sizeof(value));
    return true;
}

static bool parse_float(const char *text, uint64_t *bits)
{
    double wide;
    uint32_t low;
    if (!parse_real(text, &wide))
        return false;
    float value = (float)wide;
    memcpy(&low, &value, sizeof(low));
    *bits = low;
    return true;
}

static bool parse_bool(const char *text, uint64_t *bits)
{
    *bits = strcmp(text, "true") == 0;
    return *bits || strcmp(text, "false") == 0;
}

static bool parse_enum(const char *text, const struct p2e_enum *enumeration, uint64_t *bits)
{
    const struct p2e_enum_value *value = p2e_enum_value(enumeration, text);
    if (!value)
        return false;
    *bits = (uint64_t)(int64_t)value->number;
    return true;
}

static int octal(char c)
{
    return c >= '0' && c <= '7' ? c - '0' : -1;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Up to `max` digits that `digit` knows; -1 for none, or more than a byte holds.
static int parse_code(const char **text, int (*digit)(char), int base, int max)
{
    int value = -1;
    for (int i = 0; i < max && digit(**text) >= 0; i++)
        value = (value < 0 ? 0 : value * base) + digit(*(*text)++);
    return value <= UINT8_MAX ? value : -1;
}

// What stands behind a backslash; -1 for no escape of C's.
static int parse_escape(const char **text)
{
    static const char letters[] = "abfnrtv\\'\"?", meanings[] = "\a\b\f\n\r\t\v\\'\"?";

    if (octal(**text) >= 0)
        return parse_code(text, octal, 8, 3);
    char c = *(*text)++;
    if (c == 'x' || c == 'X')
        return parse_code(text, hex, 16, 2);
    const char *letter = c ? strchr(letters, c) : NULL;
    return letter ? (unsigned char)meanings[letter - letters] : -1;
}

static bool unescape(const char *text, char *out, size_t *size)
{
    *size = 0;
    while (*text) {
        int byte = (unsigned char)*text++;
        if (byte == '\\')
            byte = parse_escape(&text);
        if (byte < 0)
            return false;
        out[(*size)++] = (char)byte;
    }
    return true;
}

static bool parse_number(const char *text, struct p2e_field *field)
{
    uint64_t *bits = &field->default_bits;

    switch (field->type) {
    case P2E_TYPE_DOUBLE:
        return parse_double(text, bits);
    case P2E_TYPE_FLOAT:
        return parse_float(text, bits);
    case P2E_TYPE_INT64:
    case P2E_TYPE_SINT64:
    case P2E_TYPE_SFIXED64:
        return parse_signed(text, INT64_MIN, INT64_MAX, bits);
    case P2E_TYPE_INT32:
    case P2E_TYPE_SINT32:
    case P2E_TYPE_SFIXED32:
        return parse_signed(text, INT32_MIN, INT32_MAX, bits);
    case P2E_TYPE_UINT64:
    case P2E_TYPE_FIXED64:
        return parse_unsigned(text, UINT64_MAX, bits);
    case P2E_TYPE_UINT32:
    case P2E_TYPE_FIXED32:
        return parse_unsigned(text, UINT32_MAX, bits);
    case P2E_TYPE_BOOL:
        return parse_bool(text, bits);
    case P2E_TYPE_ENUM:
        return parse_enum(text, field->enumeration, bits);
    default:
        return false; // messages and groups have no default
    }
}

// A string's text stands as it is, bytes are escaped as in C.
static int set_text(const char *text, struct p2e_arena *arena, struct p2e_field *field,
                    struct p2e_error *err)
{
    char *copy = p2e_arena_copy(arena, text, strlen(text));
    if (!copy)
        return p2e_error_set(err, "out of memory");
    size_t size = strlen(text);
    if (field->type == P2E_TYPE_BYTES && !unescape(text, copy, &size))
        return p2e_error_set(err,
                             "field %s.%s: its default value has an escape sequence that is "
                             "none",
                             field->parent->full_name, field->name);
    field->default_text = size > 0 ? copy : NULL;
    field->default_size = size;
    return 0;
}

int p2e_schema_default(const char *text, struct p2e_arena *arena, struct p2e_field *field,
                       struct p2e_error *err)
{
    if (!text) {
        if (field->type == P2E_TYPE_ENUM)
            field->default_bits = (uint64_t)(int64_t)field->enumeration->values[0].number;
        return 0;
    }
    if (field->type == P2E_TYPE_STRING || field->type == P2E_TYPE_BYTES)
        return set_text(text, arena, field, err);
    if (!parse_number(text, field))
        return p2e_error_set(err, "field %s.%s: \"%s\" is not a default value of its type",
                             field->parent->full_name, field->name, text);
    return 0;
}
