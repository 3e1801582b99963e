#include "compiler/cel_literal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Numbers ------------------------------------------------------------------------------------

static bool parse_magnitude(const char *text, const struct p2e_cel_token *token,
                            uint64_t *magnitude)
{
    const char *digits = text + token->span.begin;
    int base = digits[0] == '0' && digits[1] == 'x' ? 16 : 10;
    errno = 0;
    *magnitude = strtoull(digits, NULL, base);
    return errno == 0;
}

static int parse_int(const char *text, const struct p2e_cel_token *token, bool negative,
                     struct p2e_cel_value *value, struct p2e_error *err)
{
    uint64_t magnitude, limit = (uint64_t)INT64_MAX + negative;
    bool fits = parse_magnitude(text, token, &magnitude);
    if (!fits || (negative && magnitude > limit))
        return p2e_error_at(err, text, token->span, "this number does not fit into 64 bits");
    if (magnitude > limit)
        return p2e_error_at(err, text, token->span,
                            "this number does not fit into an int; a uint is written with a u: "
                            "%.*su",
                            (int)(token->span.end - token->span.begin), text + token->span.begin);
    value->integer = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

static int parse_uint(const char *text, const struct p2e_cel_token *token,
                      struct p2e_cel_value *value, struct p2e_error *err)
{
    if (!parse_magnitude(text, token, &value->uinteger))
        return p2e_error_at(err, text, token->span, "this number does not fit into 64 bits");
    return 0;
}

static int parse_double(const char *text, const struct p2e_cel_token *token, bool negative,
                        struct p2e_cel_value *value, struct p2e_error *err)
{
    double magnitude = strtod(text + token->span.begin, NULL);
    if (isinf(magnitude))
        return p2e_error_at(err, text, token->span, "this number does not fit into a double");
    value->real = negative ? -magnitude : magnitude;
    return 0;
}

// ---- Escape sequences ---------------------------------------------------------------------------

struct writer {
    char *data;
    size_t size;
};

static void put_byte(struct writer *w, unsigned byte)
{
    w->data[w->size++] = (char)byte;
}

static void put_character(struct writer *w, uint32_t c)
{
    if (c < 0x80) {
        put_byte(w, c);
        return;
    }
    if (c < 0x800) {
        put_byte(w, 0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            put_byte(w, 0xe0 | c >> 12);
        } else {
            put_byte(w, 0xf0 | c >> 18);
            put_byte(w, 0x80 | (c >> 12 & 0x3f));
        }
        put_byte(w, 0x80 | (c >> 6 & 0x3f));
    }
    put_byte(w, 0x80 | (c & 0x3f));
}

// The escapes that are followed by digits. \ooo has no letter: its first digit is one of the value.
static const struct {
    char letter;
    int base, digits;
    bool character; // a code point, in strings alone; else a byte in bytes
} numeric_escapes[] = {
    {'x', 16, 2, false}, {'X', 16, 2, false}, {'u', 16, 4, true}, {'U', 16, 8, true},
    {'0', 8, 3, false},  {'1', 8, 3, false},  {'2', 8, 3, false}, {'3', 8, 3, false},
};

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

struct unescaper {
    const char *text;
    size_t at; // behind the backslash
    bool bytes;
    struct writer out;
    struct p2e_error *err;
};

static int fail(struct unescaper *u, size_t end, const char *what)
{
    struct p2e_span span = {u->at - 1, end};
    return p2e_error_at(u->err, u->text, span, "%s", what);
}

static int unescape_number(struct unescaper *u, size_t row)
{
    size_t at = u->at + (numeric_escapes[row].base == 16);
    uint32_t value = 0;

    for (int i = 0; i < numeric_escapes[row].digits; i++, at++) {
        int digit = digit_value(u->text[at]);
        if (digit >= numeric_escapes[row].base)
            return fail(u, at,
                        "an escape sequence is cut short: \\x takes 2 hex digits, \\u 4, \\U 8, "
                        "and an octal one has 3 digits");
        value = value * (uint32_t)numeric_escapes[row].base + (uint32_t)digit;
    }
    if (u->bytes && numeric_escapes[row].character)
        return fail(u, at, "bytes have no code points; write \\x escapes");
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return fail(u, at, "this is no Unicode code point");
    if (u->bytes)
        put_byte(&u->out, value);
    else
        put_character(&u->out, value);
    u->at = at;
    return 0;
}

static int unescape(struct unescaper *u)
{
    static const char letters[] = "abfnrtv\\?\"'`", meanings[] = "\a\b\f\n\r\t\v\\?\"'`";
    char c = u->text[u->at];

    const char *letter = strchr(letters, c); // the token is closed, so that c is no NUL
    if (letter) {
        put_byte(&u->out, (unsigned char)meanings[letter - letters]);
        u->at++;
        return 0;
    }
    for (size_t i = 0; i < sizeof(numeric_escapes) / sizeof(numeric_escapes[0]); i++) {
        if (numeric_escapes[i].letter == c)
            return unescape_number(u, i);
    }
    return fail(
        u, u->at + 1,
        "this is no escape sequence; a backslash is written \\\\, or in a raw string: r\"...\"");
}

// ---- Strings ------------------------------------------------------------------------------------

// What stands between the quotes, and whether escapes count in it.
static struct p2e_span string_content(const char *text, const struct p2e_cel_token *token,
                                      bool *raw)
{
    struct p2e_span content = token->span;
    content.begin += strcspn(text + content.begin, "'\"");
    *raw = content.begin > token->span.begin && (text[content.begin - 1] | 0x20) == 'r';
    char quote = text[content.begin];
    bool triple = content.end - content.begin >= 6 && text[content.begin + 1] == quote &&
                  text[content.begin + 2] == quote;
    content.begin += triple ? 3 : 1;
    content.end -= triple ? 3 : 1;
    return content;
}

static int parse_text(const char *text, const struct p2e_cel_token *token, struct p2e_arena *arena,
                      struct p2e_cel_value *value, struct p2e_error *err)
{
    bool raw;
    struct p2e_span content = string_content(text, token, &raw);
    // An escape is never shorter than what it stands for.
    char *data = p2e_arena_array(arena, content.end - content.begin + 1, 1);
    if (!data)
        return p2e_error_set(err, "out of memory");

    struct unescaper u = {.text = text,
                          .at = content.begin,
                          .bytes = token->kind == P2E_TOKEN_BYTES,
                          .out = {.data = data},
                          .err = err};
    while (u.at < content.end) {
        char c = text[u.at++];
        if (c == '\r')
            return fail(
                &u, u.at,
                "a carriage return within a string would be read in two ways; write \\r or \\n");
        if (c != '\\' || raw)
            put_byte(&u.out, (unsigned char)c);
        else if (unescape(&u) < 0)
            return -1;
    }
    value->text.data = data;
    value->text.size = u.out.size;
    return 0;
}

int p2e_cel_literal(const char *text, const struct p2e_cel_token *token, bool negative,
                    struct p2e_arena *arena, struct p2e_cel_value *value, struct p2e_error *err)
{
    switch (token->kind) {
    case P2E_TOKEN_INT:
        return parse_int(text, token, negative, value, err);
    case P2E_TOKEN_UINT:
        return parse_uint(text, token, value, err);
    case P2E_TOKEN_DOUBLE:
        return parse_double(text, token, negative, value, err);
    default:
        return parse_text(text, token, arena, value, err);
    }
}
