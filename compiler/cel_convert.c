// Constants whose folding makes a new value of another type, or a new text.
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "compiler/cel_checker.h"
#include "compiler/cel_time.h"

#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

#define NUMBER_SIZE 64 // of a number as text

// Doubles in this range that are not whole are written without an exponent wherever CEL is
// implemented.
#define PLAIN_MIN 1e-4
#define PLAIN_MAX 1e6

typedef const struct p2e_cel_expr constant;

// ---- From numbers to numbers --------------------------------------------------------------------

static bool to_int(constant *from, struct p2e_cel_value *to)
{
    double real = from->value.real;
    if (from->type.kind == P2E_CEL_TIMESTAMP) {
        to->integer = from->value.time.seconds;
        return true;
    }
    if (from->type.kind == P2E_CEL_UINT) {
        to->integer = (int64_t)from->value.uinteger;
        return from->value.uinteger <= INT64_MAX;
    }
    if (!(real > -TWO_TO_63 && real < TWO_TO_63))
        return false;
    to->integer = (int64_t)real;
    return true;
}

static bool to_uint(constant *from, struct p2e_cel_value *to)
{
    double real = from->value.real;
    if (from->type.kind == P2E_CEL_INT) {
        to->uinteger = (uint64_t)from->value.integer;
        return from->value.integer >= 0;
    }
    if (!(real >= 0 && real < TWO_TO_64))
        return false;
    to->uinteger = (uint64_t)real;
    return true;
}

static bool to_double(constant *from, struct p2e_cel_value *to)
{
    to->real =
        from->type.kind == P2E_CEL_INT ? (double)from->value.integer : (double)from->value.uinteger;
    return true;
}

// ---- From strings: what every implementation reads alike ----------------------------------------

static size_t skip_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static bool is_integer(const char *text)
{
    text += *text == '-';
    return skip_digits(text) && !text[skip_digits(text)];
}

static bool is_decimal(const char *text)
{
    size_t whole;
    text += *text == '-';
    whole = skip_digits(text);
    text += whole;
    if (whole && *text == '.' && skip_digits(text + 1))
        text += 1 + skip_digits(text + 1);
    if (whole && (*text == 'e' || *text == 'E')) {
        text += 1 + (text[1] == '-' || text[1] == '+');
        whole = skip_digits(text);
        text += whole;
    }
    return whole && !*text;
}

static bool parse_int(const char *text, struct p2e_cel_value *to)
{
    errno = 0;
    to->integer = strtoll(text, NULL, 10);
    return is_integer(text) && !errno;
}

static bool parse_uint(const char *text, struct p2e_cel_value *to)
{
    errno = 0;
    to->uinteger = strtoull(text, NULL, 10);
    return is_integer(text) && *text != '-' && !errno;
}

static bool parse_double(const char *text, struct p2e_cel_value *to)
{
    to->real = strtod(text, NULL);
    return is_decimal(text) && !isinf(to->real);
}

static bool parse_bool(const char *text, struct p2e_cel_value *to)
{
    static const char *const names[][5] = {{"0", "f", "false", "FALSE", "False"},
                                           {"1", "t", "true", "TRUE", "True"}};
    for (size_t i = 0; i < 10; i++) {
        to->boolean = i >= 5;
        if (strcmp(names[i / 5][i % 5], text) == 0)
            return true;
    }
    return false;
}

static bool parse(enum p2e_cel_kind kind, constant *from, struct p2e_cel_value *to)
{
    const char *text = from->value.text.data;
    if (strlen(text) != from->value.text.size)
        return false;
    switch (kind) {
    case P2E_CEL_BOOL:
        return parse_bool(text, to);
    case P2E_CEL_INT:
        return parse_int(text, to);
    case P2E_CEL_UINT:
        return parse_uint(text, to);
    case P2E_CEL_TIMESTAMP:
        return p2e_cel_parse_timestamp(&from->value, to);
    case P2E_CEL_DURATION:
        return p2e_cel_parse_duration(&from->value, to);
    default:
        return parse_double(text, to);
    }
}

// ---- To strings ---------------------------------------------------------------------------------

// The shortest text that is read back as the same number.
static bool print_double(double real, char *text)
{
    double magnitude = fabs(real);
    if (!(magnitude >= PLAIN_MIN && magnitude < PLAIN_MAX) || trunc(real) == real)
        return false;
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, NUMBER_SIZE, "%.*g", digits, real);
        if (strtod(text, NULL) == real)
            break;
    }
    return !strchr(text, 'e');
}

static bool print(struct p2e_arena *arena, constant *from, struct p2e_cel_value *to)
{
    char text[NUMBER_SIZE];
    if (from->type.kind == P2E_CEL_BOOL)
        strcpy(text, from->value.boolean ? "true" : "false");
    else if (from->type.kind == P2E_CEL_INT)
        snprintf(text, sizeof(text), "%" PRId64, from->value.integer);
    else if (from->type.kind == P2E_CEL_UINT)
        snprintf(text, sizeof(text), "%" PRIu64, from->value.uinteger);
    else if (p2e_cel_is_time(from->type.kind) ? !p2e_cel_print_time(from, text, sizeof(text))
                                              : !print_double(from->value.real, text))
        return false;
    to->text.size = strlen(text);
    to->text.data = p2e_arena_copy(arena, text, to->text.size);
    return to->text.data != NULL;
}

static bool is_utf8(constant *text)
{
    uint32_t code;
    for (size_t at = 0, size = 0; at < text->value.text.size; at += size) {
        size = p2e_utf8_decode(text->value.text.data + at, text->value.text.size - at, &code);
        if (!size)
            return false;
    }
    return true;
}

// ---- Whole --------------------------------------------------------------------------------------

static bool convert(struct p2e_arena *arena, enum p2e_cel_kind kind, constant *from,
                    struct p2e_cel_value *to)
{
    if (kind == P2E_CEL_BYTES || (kind == P2E_CEL_STRING && from->type.kind == P2E_CEL_BYTES)) {
        *to = from->value;
        return kind == P2E_CEL_BYTES || is_utf8(from);
    }
    if (kind == P2E_CEL_STRING)
        return print(arena, from, to);
    if (from->type.kind == P2E_CEL_STRING)
        return parse(kind, from, to);
    if (kind == P2E_CEL_TIMESTAMP)
        return p2e_cel_timestamp_at(from->value.integer, to);
    if (kind == P2E_CEL_INT)
        return to_int(from, to);
    return kind == P2E_CEL_UINT ? to_uint(from, to) : to_double(from, to);
}

static bool join(struct p2e_arena *arena, constant *a, constant *b, struct p2e_cel_value *to)
{
    size_t size = a->value.text.size + b->value.text.size;
    char *text = p2e_arena_array(arena, size + 1, 1);
    if (!text)
        return false;
    memcpy(text, a->value.text.data, a->value.text.size);
    memcpy(text + a->value.text.size, b->value.text.data, b->value.text.size);
    to->text.data = text;
    to->text.size = size;
    return true;
}

struct p2e_cel_expr *p2e_cel_fold_convert(struct p2e_arena *arena, struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *from = expr->args[0];
    struct p2e_cel_value value = {0};
    if (from->type.kind == expr->type.kind)
        return from->op == P2E_CEL_UNWRAP ? expr : expr->args[0];
    if (from->op != P2E_CEL_CONST || !convert(arena, expr->type.kind, from, &value))
        return expr;
    return p2e_cel_become(expr, value);
}

struct p2e_cel_expr *p2e_cel_fold_join(struct p2e_arena *arena, struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *a = expr->args[0], *b = expr->args[1];
    struct p2e_cel_value value = {0};
    if (a->op != P2E_CEL_CONST || b->op != P2E_CEL_CONST || !join(arena, a, b, &value))
        return expr;
    return p2e_cel_become(expr, value);
}
