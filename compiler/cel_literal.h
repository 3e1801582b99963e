// From a literal's token to its value.
#ifndef P2E_COMPILER_CEL_LITERAL_H
#define P2E_COMPILER_CEL_LITERAL_H

#include "compiler/arena.h"
#include "compiler/cel.h"
#include "compiler/cel_lexer.h"

// `token` is an INT, UINT, DOUBLE, STRING or BYTES of `text`; `negative` when a minus stands before
// the number. Errors (out of range, a bad escape sequence) carry a caret.
int p2e_cel_literal(const char *text, const struct p2e_cel_token *token, bool negative,
                    struct p2e_arena *arena, struct p2e_cel_value *value, struct p2e_error *err);

#endif
