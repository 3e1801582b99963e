// CEL's tokens, one at a time.
#ifndef P2E_COMPILER_CEL_LEXER_H
#define P2E_COMPILER_CEL_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum p2e_cel_token_kind {
    P2E_TOKEN_END,
    P2E_TOKEN_IDENT,
    P2E_TOKEN_QUOTED_IDENT, // `a.b-c`, only as the name of a field
    P2E_TOKEN_INT,
    P2E_TOKEN_UINT,
    P2E_TOKEN_DOUBLE,
    P2E_TOKEN_STRING,
    P2E_TOKEN_BYTES,
    P2E_TOKEN_TRUE,
    P2E_TOKEN_FALSE,
    P2E_TOKEN_NULL,
    P2E_TOKEN_IN,
    P2E_TOKEN_EQ,
    P2E_TOKEN_NE,
    P2E_TOKEN_LE,
    P2E_TOKEN_GE,
    P2E_TOKEN_LT,
    P2E_TOKEN_GT,
    P2E_TOKEN_AND,
    P2E_TOKEN_OR,
    P2E_TOKEN_NOT,
    P2E_TOKEN_PLUS,
    P2E_TOKEN_MINUS,
    P2E_TOKEN_STAR,
    P2E_TOKEN_SLASH,
    P2E_TOKEN_PERCENT,
    P2E_TOKEN_QUESTION,
    P2E_TOKEN_COLON,
    P2E_TOKEN_COMMA,
    P2E_TOKEN_DOT,
    P2E_TOKEN_PAREN_OPEN,
    P2E_TOKEN_PAREN_CLOSE,
    P2E_TOKEN_BRACKET_OPEN,
    P2E_TOKEN_BRACKET_CLOSE,
    P2E_TOKEN_BRACE_OPEN,
    P2E_TOKEN_BRACE_CLOSE,
};

struct p2e_cel_token {
    enum p2e_cel_token_kind kind;
    struct p2e_span span;
};

struct p2e_cel_lexer {
    const char *text; // valid UTF-8
    size_t size, at;
    struct p2e_error *err;
};

// Refuses a text that is not UTF-8.
int p2e_cel_lexer_begin(struct p2e_cel_lexer *lexer, const char *text, size_t size,
                        struct p2e_error *err);
// The next token; P2E_TOKEN_END again and again at the end.
int p2e_cel_lexer_next(struct p2e_cel_lexer *lexer, struct p2e_cel_token *token);

#endif
