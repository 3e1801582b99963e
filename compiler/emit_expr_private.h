// What the files that emit expressions share: emit_expr.c (operators, lists, the whole),
// emit_value.c (constants, fields), emit_string.c (tests of texts), emit_compare.c.
#ifndef P2E_COMPILER_EMIT_EXPR_PRIVATE_H
#define P2E_COMPILER_EMIT_EXPR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/cel_failing.h"
#include "compiler/emit_expr.h"

#define emit(e, ...) p2e_buffer_printf((e)->out, __VA_ARGS__)

#define P2E_EMIT_WORD_MAX 8 // texts up to this are compared as one word

// ---- What an expression is ----------------------------------------------------------------------
bool p2e_emit_is_text(const struct p2e_cel_expr *expr);

// ---- Operators ----------------------------------------------------------------------------------
// As the functions of bpf/ have it: "int", "timestamp".
const char *p2e_emit_number_name(enum p2e_cel_kind kind);
// An operand of a comparison. A bool that is an error fails the comparison.
void p2e_emit_operand(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_infix(struct p2e_emitter *e, const struct p2e_cel_expr *expr, const char *operator,
                    void (*emit_one)(struct p2e_emitter *, const struct p2e_cel_expr *));
// A list of the message that is to be equal to constants.
void p2e_emit_list_equal(struct p2e_emitter *e, const struct p2e_cel_expr *expr);

// ---- Constants and fields -----------------------------------------------------------------------
// A text of at most P2E_EMIT_WORD_MAX bytes as it lies in memory.
uint64_t p2e_emit_text_word(const char *data, size_t size);
void p2e_emit_const(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_select(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_has(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
// " && …" for each message around the use that is a member of a oneof.
void p2e_emit_path_holds(struct p2e_emitter *e, const struct p2e_use *use);

// ---- Texts --------------------------------------------------------------------------------------
// name(s, text, other); against a short constant name_word(s, text, word, size).
void p2e_emit_text_test(struct p2e_emitter *e, const char *name, const struct p2e_cel_expr *text,
                        const struct p2e_cel_expr *other);
void p2e_emit_contains(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_size(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_checked_text(struct p2e_emitter *e, const struct p2e_cel_expr *text);
void p2e_emit_matches(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_is_format(struct p2e_emitter *e, const struct p2e_cel_expr *expr);

// ---- Comparisons --------------------------------------------------------------------------------
void p2e_emit_order(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_equality(struct p2e_emitter *e, const struct p2e_cel_expr *expr);
void p2e_emit_equal(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                    const struct p2e_cel_expr *b);

#endif
