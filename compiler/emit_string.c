#include <inttypes.h>

#include "compiler/emit_expr_private.h"

// ---- Tests --------------------------------------------------------------------------------------
static bool is_word(const struct p2e_cel_expr *expr)
{
    return expr->op == P2E_CEL_CONST && expr->value.text.size <= P2E_EMIT_WORD_MAX;
}

void p2e_emit_text_test(struct p2e_emitter *e, const char *name, const struct p2e_cel_expr *text,
                        const struct p2e_cel_expr *other)
{
    emit(e, "%s%s(s, ", name, is_word(other) ? "_word" : "");
    p2e_emit_expr(e, text);
    emit(e, ", ");
    if (is_word(other))
        emit(e, "0x%" PRIx64 "ull, %zu",
             p2e_emit_text_word(other->value.text.data, other->value.text.size),
             other->value.text.size);
    else
        p2e_emit_expr(e, other);
    emit(e, ")");
}

void p2e_emit_contains(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *needle = expr->args[1];
    p2e_emit_text_test(e, "p2e_text_search", expr->args[0], needle);
    if (is_word(needle))
        return;
    e->out->size--; // the closing parenthesis: one more argument
    emit(e, ", %" PRIu32 ")",
         p2e_texts_failures(&e->texts, needle->value.text.data, needle->value.text.size));
}

void p2e_emit_size(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *arg = expr->args[0];
    if (arg->type.kind == P2E_CEL_LIST || arg->type.kind == P2E_CEL_MAP) {
        emit(e, "(s64)count_%u(s)", p2e_plan_use(e->plan, arg)->slot);
        return;
    }
    emit(e, "(s64)%s(",
         arg->type.kind == P2E_CEL_BYTES ? "p2e_text_size"
         : p2e_cel_needs_check(expr)     ? "p2e_text_points_checked"
                                         : "p2e_text_points");
    if (arg->type.kind == P2E_CEL_STRING)
        emit(e, "s, ");
    p2e_emit_expr(e, arg);
    emit(e, p2e_cel_needs_check(expr) ? ", &failed)" : ")");
}

// ---- What has to be UTF-8 -----------------------------------------------------------------------
void p2e_emit_checked_text(struct p2e_emitter *e, const struct p2e_cel_expr *text)
{
    emit(e, "p2e_text_utf8(s, ");
    p2e_emit_expr(e, text);
    emit(e, ", &failed)");
}

// The text of a test that needs one which is UTF-8.
static void emit_string(struct p2e_emitter *e, const struct p2e_cel_expr *test)
{
    if (p2e_cel_needs_check(test))
        p2e_emit_checked_text(e, test->args[0]);
    else
        p2e_emit_expr(e, test->args[0]);
}

void p2e_emit_matches(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit(e, "p2e_text_regex(s, ");
    emit_string(e, expr);
    emit(e, ", ");
    p2e_regexes_arguments(&e->regexes, expr->regex, e->out);
    emit(e, ")");
}

// ---- Formats ------------------------------------------------------------------------------------
static void emit_pattern(struct p2e_emitter *e, enum p2e_cel_pattern pattern)
{
    const struct p2e_regex *regex = p2e_regexes_pattern(&e->regexes, pattern);
    if (!regex)
        return;
    emit(e, "p2e_text_regex(s, text, ");
    p2e_regexes_arguments(&e->regexes, regex, e->out);
    emit(e, ")");
}

// The text is an address of the version that is asked for, or of either where that is 0.
static void emit_versions(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    static const int versions[] = {4, 6};
    const struct p2e_cel_expr *version = expr->args[1];
    bool constant = version->op == P2E_CEL_CONST;
    emit(e, "(0");
    for (int i = 0; i < 2; i++) {
        if (constant && version->value.integer != 0 && version->value.integer != versions[i])
            continue;
        emit(e, " || (");
        if (!constant)
            emit(e, "(version == 0 || version == %d) && ", versions[i]);
        emit_pattern(e, expr->format->patterns[i]);
        emit(e, ")");
    }
    emit(e, ")");
}

// Operands are evaluated once, an error in any is the test's.
void p2e_emit_is_format(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_format *format = expr->format;
    emit(e, "({ u64 text = ");
    emit_string(e, expr);
    if (format->version && expr->args[1]->op != P2E_CEL_CONST) {
        emit(e, "; s64 version = ");
        p2e_emit_expr(e, expr->args[1]);
    }
    if (format->flag) {
        emit(e, "; int flag = ");
        p2e_emit_operand(e, expr->args[2]);
    }
    emit(e, "; (void)text; "); // unused where the version is neither
    if (format->version)
        emit_versions(e, expr);
    else
        emit_pattern(e, format->patterns[0]);
    emit(e, "%s%s; })", format->also ? " && " : "", format->also ? format->also : "");
}
