// Checked CEL expressions to C expressions over bpf/number.h, bpf/text.h and bpf/regex.h.
#ifndef P2E_COMPILER_EMIT_EXPR_H
#define P2E_COMPILER_EMIT_EXPR_H

#include "base/buffer.h"
#include "compiler/emit_regex.h"
#include "compiler/emit_texts.h"
#include "compiler/plan.h"

struct p2e_emitter {
    const struct p2e_plan *plan;
    struct p2e_texts texts;
    struct p2e_regexes regexes;
    struct p2e_buffer *out;
};

// Accessors of one slot: `has_N(s)` and, where the value is looked at, `get_N(s)`.
void p2e_emit_accessors(struct p2e_emitter *e, const struct p2e_use *use);

// A C expression for `expr`: a bool (0, 1, or P2E_ERROR where it can fail), an s64, u64, the bits
// of a double, or a text (u64). Uses `s`, the walker's state.
void p2e_emit_expr(struct p2e_emitter *e, const struct p2e_cel_expr *expr);

// A C expression, 0 or 1: is `value`, a C expression for what the wire has of `field`, the
// constant?
void p2e_emit_is_constant(struct p2e_emitter *e, const struct p2e_field *field, const char *value,
                          const struct p2e_cel_expr *constant);
// A C expression for what CEL sees of `value`, as above.
void p2e_emit_converted(struct p2e_emitter *e, enum p2e_type type, const char *value);

// ---- Elements (emit_element.c) ------------------------------------------------------------------

// Statements that note what is asked of one element of a repeated field: of a scalar, which is
// `value` as the wire has it, or of the message that ends.
void p2e_emit_element(struct p2e_emitter *e, const struct p2e_use *use);

#endif
