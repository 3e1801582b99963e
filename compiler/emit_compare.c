#include "compiler/cel_time.h"
#include "compiler/emit_expr_private.h"

#define COUNTED_MAX 65535 // code points that a text can have

// ---- Sizes of texts -----------------------------------------------------------------------------
// The string whose code points `expr` counts, as an int or a uint; NULL for anything else, and
// where the string has to be checked first.
static const struct p2e_cel_expr *counted_text(const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_CONVERT && p2e_cel_is_size(expr))
        expr = expr->args[0];
    bool counted = expr->op == P2E_CEL_SIZE && expr->args[0]->type.kind == P2E_CEL_STRING;
    return counted && !p2e_cel_needs_check(expr) ? expr->args[0] : NULL;
}

// size(text) against a constant, of which the sides are `expr`'s in this order or the other.
struct counting {
    const struct p2e_cel_expr *text;
    enum p2e_cel_op op; // as if the size stood first
    int64_t count;
};

static enum p2e_cel_op turned(enum p2e_cel_op op)
{
    static const enum p2e_cel_op others[] = {
        [P2E_CEL_LT - P2E_CEL_LT] = P2E_CEL_GT,
        [P2E_CEL_LE - P2E_CEL_LT] = P2E_CEL_GE,
        [P2E_CEL_GT - P2E_CEL_LT] = P2E_CEL_LT,
        [P2E_CEL_GE - P2E_CEL_LT] = P2E_CEL_LE,
    };
    return op == P2E_CEL_EQ || op == P2E_CEL_NE ? op : others[op - P2E_CEL_LT];
}

// A count that no text can have is left to the general way.
static bool find_counting(const struct p2e_cel_expr *expr, struct counting *counting)
{
    const struct p2e_cel_expr *a = expr->args[0], *b = expr->args[1];
    bool swapped = a->op == P2E_CEL_CONST;
    const struct p2e_cel_expr *size = swapped ? b : a, *constant = swapped ? a : b;
    if (constant->op != P2E_CEL_CONST || constant->type.kind != size->type.kind)
        return false;
    *counting = (struct counting){counted_text(size), swapped ? turned(expr->op) : expr->op,
                                  constant->value.integer};
    bool below = counting->op == P2E_CEL_LT || counting->op == P2E_CEL_GE;
    return counting->text && counting->count >= below && counting->count <= COUNTED_MAX;
}

// Mostly the number of bytes settles it (bpf/text.h).
static void emit_counting(struct p2e_emitter *e, const struct counting *c)
{
    bool equality = c->op == P2E_CEL_EQ || c->op == P2E_CEL_NE;
    bool negated = c->op == P2E_CEL_NE || c->op == P2E_CEL_LT || c->op == P2E_CEL_LE;
    bool below = c->op == P2E_CEL_LT || c->op == P2E_CEL_GE; // one less is what must be exceeded
    emit(e, "(%sp2e_text_points_%s(s, ", negated ? "!" : "", equality ? "equal" : "above");
    p2e_emit_expr(e, c->text);
    emit(e, ", %lldull))", (long long)(c->count - below));
}

// ---- Order --------------------------------------------------------------------------------------
// The three-way comparison for operands of these kinds.
static const char *comparison(enum p2e_cel_kind a, enum p2e_cel_kind b)
{
    if (a == P2E_CEL_INT && b == P2E_CEL_INT)
        return "p2e_int_compare(";
    if (a == P2E_CEL_UINT && b == P2E_CEL_UINT)
        return "p2e_uint_compare(";
    if (a == P2E_CEL_DOUBLE && b == P2E_CEL_DOUBLE)
        return "p2e_double_compare(";
    if (a == P2E_CEL_INT && b == P2E_CEL_UINT)
        return "p2e_int_uint_compare(";
    if (a == P2E_CEL_INT && b == P2E_CEL_DOUBLE)
        return "p2e_int_double_compare(";
    if (a == P2E_CEL_UINT && b == P2E_CEL_DOUBLE)
        return "p2e_uint_double_compare(";
    if (a == P2E_CEL_STRING || a == P2E_CEL_BYTES)
        return "p2e_text_compare(s, ";
    if (p2e_cel_is_time(a))
        return "p2e_time_compare(";
    return NULL;
}

static bool is_integer_pair(const struct p2e_cel_expr *expr)
{
    enum p2e_cel_kind kind = expr->args[0]->type.kind;
    return kind == expr->args[1]->type.kind && (kind == P2E_CEL_INT || kind == P2E_CEL_UINT);
}

void p2e_emit_order(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    static const char *const infix[] = {"<", "<=", ">", ">="};
    static const char *const tests[] = {"p2e_below(", "p2e_at_most(", "p2e_above(",
                                        "p2e_at_least("};
    static const char *const swapped[] = {"p2e_above(", "p2e_at_least(", "p2e_below(",
                                          "p2e_at_most("};
    const struct p2e_cel_expr *a = expr->args[0], *b = expr->args[1];
    unsigned op = expr->op - P2E_CEL_LT;
    struct counting counting;
    if (find_counting(expr, &counting)) {
        emit_counting(e, &counting);
        return;
    }
    const char *compare = comparison(a->type.kind, b->type.kind);
    if (is_integer_pair(expr) || a->type.kind == P2E_CEL_BOOL) {
        p2e_emit_infix(e, expr, infix[op], p2e_emit_operand);
        return;
    }
    emit(e, "%s", compare ? tests[op] : swapped[op]);
    if (!compare) {
        const struct p2e_cel_expr *first = a;
        compare = comparison(b->type.kind, a->type.kind);
        a = b;
        b = first;
    }
    emit(e, "%s", compare);
    p2e_emit_expr(e, a);
    emit(e, ", ");
    p2e_emit_expr(e, b);
    emit(e, "))");
}

// ---- Equality -----------------------------------------------------------------------------------
// Numbers of two kinds, by value.
static void emit_equal_mixed(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                             const struct p2e_cel_expr *b)
{
    if (a->type.kind > b->type.kind) {
        emit_equal_mixed(e, b, a);
        return;
    }
    emit(e, "p2e_%s_%s_equal(", p2e_emit_number_name(a->type.kind),
         p2e_emit_number_name(b->type.kind));
    p2e_emit_expr(e, a);
    emit(e, ", ");
    p2e_emit_expr(e, b);
    emit(e, ")");
}

// Null equals null alone. Both sides are evaluated, for an error on either is the comparison's.
static void emit_equal_nullable(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                                const struct p2e_cel_expr *b)
{
    if (a->op != P2E_CEL_UNWRAP) {
        emit_equal_nullable(e, b, a);
        return;
    }
    emit(e, "(");
    p2e_emit_expr(e, a->args[1]);
    if (b->op == P2E_CEL_UNWRAP) {
        emit(e, " == ");
        p2e_emit_expr(e, b->args[1]);
        emit(e, " && (!");
        p2e_emit_expr(e, a->args[1]);
        emit(e, " || ");
        p2e_emit_equal(e, a->args[0], b->args[0]);
        emit(e, "))");
        return;
    }
    emit(e, " & (int)");
    p2e_emit_equal(e, a->args[0], b);
    emit(e, ")");
}

void p2e_emit_equal(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                    const struct p2e_cel_expr *b)
{
    const char *open = "(", *between = " == ", *close = ")";
    if (a->op == P2E_CEL_UNWRAP || b->op == P2E_CEL_UNWRAP) {
        emit_equal_nullable(e, a, b);
        return;
    }
    if (a->type.kind != b->type.kind) {
        emit_equal_mixed(e, a, b);
        return;
    }
    if (p2e_emit_is_text(a)) {
        bool constant_first = a->op == P2E_CEL_CONST;
        p2e_emit_text_test(e, "p2e_text_equal", constant_first ? b : a, constant_first ? a : b);
        return;
    }
    if (a->type.kind == P2E_CEL_DOUBLE || p2e_cel_is_time(a->type.kind)) {
        open = a->type.kind == P2E_CEL_DOUBLE ? "(p2e_double_compare(" : "(p2e_time_compare(";
        between = ", ";
        close = ") == 0)";
    }
    emit(e, "%s", open);
    p2e_emit_operand(e, a);
    emit(e, "%s", between);
    p2e_emit_operand(e, b);
    emit(e, "%s", close);
}

void p2e_emit_equality(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    struct counting counting;
    if (find_counting(expr, &counting)) {
        emit_counting(e, &counting);
        return;
    }
    emit(e, expr->op == P2E_CEL_NE ? "(!" : "");
    if (expr->args[0]->type.kind == P2E_CEL_LIST)
        p2e_emit_list_equal(e, expr);
    else
        p2e_emit_equal(e, expr->args[0], expr->args[1]);
    emit(e, expr->op == P2E_CEL_NE ? ")" : "");
}
