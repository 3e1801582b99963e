#include "compiler/cel_lexer.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

int p2e_cel_lexer_begin(struct p2e_cel_lexer *lexer, const char *text, size_t size,
                        struct p2e_error *err)
{
    for (size_t at = 0; at < size;) {
        uint32_t code;
        size_t length = p2e_utf8_decode(text + at, size - at, &code);
        if (length == 0)
            return p2e_error_set(err, "the expression is not valid UTF-8 (byte %zu)", at + 1);
        at += length;
    }
    *lexer = (struct p2e_cel_lexer){.text = text, .size = size, .err = err};
    return 0;
}

// ---- Characters ---------------------------------------------------------------------------------

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// The text ends in a NUL, so that one character of look-ahead is always there.
static char peek(const struct p2e_cel_lexer *lexer, size_t ahead)
{
    return ahead <= lexer->size - lexer->at ? lexer->text[lexer->at + ahead] : '\0';
}

static void skip_while(struct p2e_cel_lexer *lexer, bool (*belongs)(char))
{
    while (belongs(lexer->text[lexer->at]))
        lexer->at++;
}

static void skip_blanks(struct p2e_cel_lexer *lexer)
{
    for (;;) {
        lexer->at += strspn(lexer->text + lexer->at, " \t\r\n\f");
        if (peek(lexer, 0) != '/' || peek(lexer, 1) != '/')
            return;
        lexer->at += strcspn(lexer->text + lexer->at, "\n");
    }
}

static int fail(struct p2e_cel_lexer *lexer, struct p2e_span span, const char *what)
{
    return p2e_error_at(lexer->err, lexer->text, span, "%s", what);
}

// ---- Numbers ------------------------------------------------------------------------------------

static bool at_exponent(const struct p2e_cel_lexer *lexer)
{
    char c = peek(lexer, 0), sign = peek(lexer, 1);
    if (c != 'e' && c != 'E')
        return false;
    return is_digit(sign) || ((sign == '+' || sign == '-') && is_digit(peek(lexer, 2)));
}

static enum p2e_cel_token_kind skip_decimal(struct p2e_cel_lexer *lexer)
{
    enum p2e_cel_token_kind kind = P2E_TOKEN_INT;
    skip_while(lexer, is_digit);
    if (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))) {
        kind = P2E_TOKEN_DOUBLE;
        lexer->at++;
        skip_while(lexer, is_digit);
    }
    if (at_exponent(lexer)) {
        kind = P2E_TOKEN_DOUBLE;
        lexer->at += 2;
        skip_while(lexer, is_digit);
    }
    return kind;
}

static int lex_number(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token)
{
    token->kind = P2E_TOKEN_INT;
    if (peek(lexer, 0) == '0' && peek(lexer, 1) == 'x' && is_hex(peek(lexer, 2))) {
        lexer->at += 2;
        skip_while(lexer, is_hex);
    } else {
        token->kind = skip_decimal(lexer);
    }
    if (token->kind == P2E_TOKEN_INT && (peek(lexer, 0) | 0x20) == 'u') {
        token->kind = P2E_TOKEN_UINT;
        lexer->at++;
    }
    if (!is_letter(peek(lexer, 0)) && !is_digit(peek(lexer, 0)))
        return 0;
    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;
    return fail(lexer, (struct p2e_span){token->span.begin, lexer->at},
                "this is neither a number nor a name; a name does not begin with a digit");
}

// ---- Strings ------------------------------------------------------------------------------------

// How many characters before the quote make this a string: "", r"", b"", br"". -1 when it is none.
static int string_prefix(const struct p2e_cel_lexer *lexer)
{
    int size = 0;
    if ((peek(lexer, 0) | 0x20) == 'b')
        size++;
    if ((peek(lexer, (size_t)size) | 0x20) == 'r')
        size++;
    char quote = peek(lexer, (size_t)size);
    return quote == '"' || quote == '\'' ? size : -1;
}

static bool at_closing(const struct p2e_cel_lexer *lexer, char quote, bool triple)
{
    return peek(lexer, 0) == quote &&
           (!triple || (peek(lexer, 1) == quote && peek(lexer, 2) == quote));
}

static int unterminated(struct p2e_cel_lexer *lexer, size_t begin, char quote, bool triple)
{
    struct p2e_span span = {begin, lexer->at};
    if (triple)
        return p2e_error_at(lexer->err, lexer->text, span,
                            "the string is not closed; it ends with %c%c%c", quote, quote, quote);
    return p2e_error_at(lexer->err, lexer->text, span,
                        "the string is not closed on its line; close it with %c, or write it with "
                        "%c%c%c to span lines",
                        quote, quote, quote, quote);
}

static int lex_string(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token, int prefix)
{
    char last_of_prefix = prefix > 0 ? lexer->text[lexer->at + (size_t)prefix - 1] : '\0';
    bool raw = (last_of_prefix | 0x20) == 'r';
    token->kind = (peek(lexer, 0) | 0x20) == 'b' ? P2E_TOKEN_BYTES : P2E_TOKEN_STRING;
    lexer->at += (size_t)prefix;
    char quote = peek(lexer, 0);
    bool triple = peek(lexer, 1) == quote && peek(lexer, 2) == quote;
    size_t quotes = triple ? 3 : 1;

    lexer->at += quotes;
    while (!at_closing(lexer, quote, triple)) {
        if (!raw && peek(lexer, 0) == '\\' && lexer->at + 1 < lexer->size)
            lexer->at++;
        if (lexer->at >= lexer->size || (!triple && strchr("\r\n", peek(lexer, 0))))
            return unterminated(lexer, token->span.begin, quote, triple);
        lexer->at++;
    }
    lexer->at += quotes;
    return 0;
}

// ---- Names --------------------------------------------------------------------------------------

static void lex_name(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token)
{
    static const struct {
        const char *name;
        enum p2e_cel_token_kind kind;
    } keywords[] = {
        {"true", P2E_TOKEN_TRUE},
        {"false", P2E_TOKEN_FALSE},
        {"null", P2E_TOKEN_NULL},
        {"in", P2E_TOKEN_IN},
    };
    const char *name = lexer->text + lexer->at;
    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;

    size_t size = lexer->at - token->span.begin;
    token->kind = P2E_TOKEN_IDENT;
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (strlen(keywords[i].name) == size && memcmp(keywords[i].name, name, size) == 0)
            token->kind = keywords[i].kind;
    }
}

static bool is_quoted_name(char c)
{
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr(".-/ ", c));
}

static int lex_quoted_name(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token)
{
    token->kind = P2E_TOKEN_QUOTED_IDENT;
    lexer->at++;
    size_t begin = lexer->at;
    skip_while(lexer, is_quoted_name);
    if (peek(lexer, 0) != '`' || lexer->at == begin)
        return fail(lexer, (struct p2e_span){token->span.begin, lexer->at},
                    "a name in `` is made of letters, digits and \"_.-/ \", and ends with `");
    lexer->at++;
    return 0;
}

// ---- Operators ----------------------------------------------------------------------------------

static const struct {
    const char *text;
    enum p2e_cel_token_kind kind;
} operators[] = {
    // Longer ones first.
    {"==", P2E_TOKEN_EQ},          {"!=", P2E_TOKEN_NE},
    {"<=", P2E_TOKEN_LE},          {">=", P2E_TOKEN_GE},
    {"&&", P2E_TOKEN_AND},         {"||", P2E_TOKEN_OR},
    {"<", P2E_TOKEN_LT},           {">", P2E_TOKEN_GT},
    {"!", P2E_TOKEN_NOT},          {"+", P2E_TOKEN_PLUS},
    {"-", P2E_TOKEN_MINUS},        {"*", P2E_TOKEN_STAR},
    {"/", P2E_TOKEN_SLASH},        {"%", P2E_TOKEN_PERCENT},
    {"?", P2E_TOKEN_QUESTION},     {":", P2E_TOKEN_COLON},
    {",", P2E_TOKEN_COMMA},        {".", P2E_TOKEN_DOT},
    {"(", P2E_TOKEN_PAREN_OPEN},   {")", P2E_TOKEN_PAREN_CLOSE},
    {"[", P2E_TOKEN_BRACKET_OPEN}, {"]", P2E_TOKEN_BRACKET_CLOSE},
    {"{", P2E_TOKEN_BRACE_OPEN},   {"}", P2E_TOKEN_BRACE_CLOSE},
};

// What people write who come from other languages.
static const struct {
    const char *text, *what;
} mistakes[] = {
    {"=", "\"=\" is no operator; to compare, write =="},
    {"&", "\"&\" is no operator; for \"and\", write &&"},
    {"|", "\"|\" is no operator; for \"or\", write ||"},
    {"#", "\"#\" begins no comment; write //"},
    {"\xe2\x80\x9c", "this is a typographic quote; write \""},
    {"\xe2\x80\x9d", "this is a typographic quote; write \""},
    {"\xe2\x80\x98", "this is a typographic quote; write '"},
    {"\xe2\x80\x99", "this is a typographic quote; write '"},
};

static int unexpected_character(struct p2e_cel_lexer *lexer)
{
    const char *text = lexer->text + lexer->at;
    struct p2e_span span = {lexer->at, lexer->at};
    uint32_t code;
    span.end += p2e_utf8_decode(text, lexer->size - lexer->at, &code);
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        if (strncmp(text, mistakes[i].text, strlen(mistakes[i].text)) == 0)
            return fail(lexer, span, mistakes[i].what);
    }
    return fail(lexer, span, "this character has no meaning here");
}

static int lex_operator(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        size_t size = strlen(operators[i].text);
        if (strncmp(lexer->text + lexer->at, operators[i].text, size) == 0) {
            token->kind = operators[i].kind;
            lexer->at += size;
            return 0;
        }
    }
    return unexpected_character(lexer);
}

static int lex_token(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token)
{
    char c = peek(lexer, 0);
    int prefix = string_prefix(lexer);
    if (prefix >= 0)
        return lex_string(lexer, token, prefix);
    if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1))))
        return lex_number(lexer, token);
    if (c == '`')
        return lex_quoted_name(lexer, token);
    if (!is_letter(c))
        return lex_operator(lexer, token);
    lex_name(lexer, token);
    return 0;
}

int p2e_cel_lexer_next(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token)
{
    skip_blanks(lexer);
    token->kind = P2E_TOKEN_END;
    token->span.begin = lexer->at;
    if (lexer->at < lexer->size && lex_token(lexer, token) < 0)
        return -1;
    token->span.end = lexer->at;
    return 0;
}
