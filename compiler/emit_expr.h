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

// A statement that notes what test `index` of a repeated field says of one element: of a scalar,
// which is `value` as the wire has it, or of the message whose scope ends.
void p2e_emit_test(struct p2e_emitter *e, const struct p2e_use *use, size_t index);

#endif
