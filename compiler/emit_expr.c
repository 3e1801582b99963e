#include "compiler/emit_expr.h"

#include <stdio.h>

#include "compiler/emit_expr_private.h"
#include "compiler/emit_time.h"

// ---- Operators ----------------------------------------------------------------------------------
static void emit_call(struct p2e_emitter *e, const char *name, const struct p2e_cel_expr *expr,
                      const char *end)
{
    emit(e, "%s(", name);
    for (size_t i = 0; i < expr->arg_count; i++) {
        emit(e, "%s", i ? ", " : "");
        p2e_emit_expr(e, expr->args[i]);
    }
    emit(e, "%s", end);
}

const char *p2e_emit_number_name(enum p2e_cel_kind kind)
{
    static const char *const names[] = {
        [P2E_CEL_INT] = "int",           [P2E_CEL_UINT] = "uint",
        [P2E_CEL_DOUBLE] = "double",     [P2E_CEL_TIMESTAMP] = "timestamp",
        [P2E_CEL_DURATION] = "duration",
    };
    return names[kind];
}

// A wrapper's scalar where null is an error.
static void emit_unwrap(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    bool logical = expr->type.kind == P2E_CEL_BOOL;
    emit(e, logical ? "(" : "({ failed |= !");
    p2e_emit_expr(e, expr->args[1]);
    emit(e, logical ? " ? " : "; ");
    p2e_emit_expr(e, expr->args[0]);
    emit(e, logical ? " : P2E_ERROR)" : "; })");
}

static void emit_time_part(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit(e, "%s(", p2e_emit_time_part(expr));
    p2e_emit_expr(e, expr->args[0]);
    if (p2e_cel_can_overflow(expr)) {
        emit(e, ", ");
        p2e_emit_expr(e, expr->args[1]);
        emit(e, ", &failed");
    }
    emit(e, ")");
}

static void emit_arithmetic(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    static const char *const names[] = {
        [P2E_CEL_ADD] = "add",           [P2E_CEL_SUBTRACT] = "subtract",
        [P2E_CEL_MULTIPLY] = "multiply", [P2E_CEL_DIVIDE] = "divide",
        [P2E_CEL_MODULO] = "modulo",     [P2E_CEL_NEGATE] = "negate",
    };
    char name[32];
    snprintf(name, sizeof(name), "p2e_%s_%s", p2e_emit_number_name(expr->type.kind),
             names[expr->op]);
    emit_call(e, name, expr, p2e_cel_can_overflow(expr) ? ", &failed)" : ")");
}

bool p2e_emit_is_text(const struct p2e_cel_expr *expr)
{
    return expr->type.kind == P2E_CEL_STRING || expr->type.kind == P2E_CEL_BYTES;
}

static void emit_convert(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    char name[32];
    if (expr->type.kind == P2E_CEL_BYTES || expr->type.kind == expr->args[0]->type.kind) {
        p2e_emit_expr(e, expr->args[0]);
        return;
    }
    if (expr->type.kind == P2E_CEL_STRING) {
        p2e_emit_checked_text(e, expr->args[0]);
        return;
    }
    if (p2e_cel_is_size(expr)) {
        emit(e, "(u64)");
        p2e_emit_expr(e, expr->args[0]);
        return;
    }
    snprintf(name, sizeof(name), "p2e_%s_to_%s", p2e_emit_number_name(expr->args[0]->type.kind),
             p2e_emit_number_name(expr->type.kind));
    emit_call(e, name, expr, p2e_cel_can_overflow(expr) ? ", &failed)" : ")");
}

void p2e_emit_operand(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    bool uncertain = expr->type.kind == P2E_CEL_BOOL && p2e_cel_can_fail(expr);
    emit(e, uncertain ? "p2e_condition(" : "");
    p2e_emit_expr(e, expr);
    emit(e, uncertain ? ", &failed)" : "");
}

void p2e_emit_infix(struct p2e_emitter *e, const struct p2e_cel_expr *expr, const char *operator,
                    void (*emit_one)(struct p2e_emitter *, const struct p2e_cel_expr *))
{
    emit(e, "(");
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (i)
            emit(e, " %s ", operator);
        emit_one(e, expr->args[i]);
    }
    emit(e, ")");
}

// && and || of what may fail: p2e_and(a, p2e_and(b, c)).
static void emit_logic(struct p2e_emitter *e, const struct p2e_cel_expr *expr, const char *operator,
                       const char * function)
{
    if (!p2e_cel_can_fail(expr)) {
        p2e_emit_infix(e, expr, operator, p2e_emit_expr);
        return;
    }
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (i + 1 < expr->arg_count)
            emit(e, "%s(", function);
        p2e_emit_expr(e, expr->args[i]);
        if (i + 1 < expr->arg_count)
            emit(e, ", ");
    }
    for (size_t i = 0; i + 1 < expr->arg_count; i++)
        emit(e, ")");
}

static void emit_conditional(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *condition = expr->args[0];
    bool fails = p2e_cel_can_fail(condition), logical = expr->type.kind == P2E_CEL_BOOL;
    if (fails && logical) {
        emit(e, "({ int condition = ");
        p2e_emit_expr(e, condition);
        emit(e, "; condition == P2E_ERROR ? P2E_ERROR : condition");
    } else {
        emit(e, fails ? "(p2e_condition(" : "(");
        p2e_emit_expr(e, condition);
        emit(e, fails ? ", &failed)" : "");
    }
    emit(e, " ? ");
    p2e_emit_expr(e, expr->args[1]);
    emit(e, " : ");
    p2e_emit_expr(e, expr->args[2]);
    emit(e, fails && logical ? "; })" : ")");
}

// ---- Lists --------------------------------------------------------------------------------------
// An element of a list literal: every one is evaluated, for an error in any is the list's error.
static void emit_in_literal(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *element = expr->args[0], *list = expr->args[1];
    const char *operator= p2e_cel_can_fail(expr) ? " | (int)" : " || ";
    emit(e, "((int)");
    for (size_t i = 0; i < list->arg_count; i++) {
        emit(e, "%s", i ? operator : "");
        p2e_emit_equal(e, element, list->args[i]);
    }
    emit(e, "%s", list->arg_count ? ")" : "0)");
}

static size_t test_slot(const struct p2e_use *use, const struct p2e_cel_expr *test)
{
    size_t i = 0;
    while (use->tests[i] != test)
        i++;
    return use->slot + 1 + i;
}

// What the tally of a test says in the end; that of an empty list where the path does not lead
// there.
static void emit_tally(struct p2e_emitter *e, const struct p2e_cel_expr *test,
                       const struct p2e_cel_expr *list, const char *verdict)
{
    const struct p2e_use *use = p2e_plan_use(e->plan, list);
    emit(e, "%s(1", verdict);
    p2e_emit_path_holds(e, use);
    emit(e, " ? s->value[%zu] : 0)", test_slot(use, test));
}

// An element by its index, a value by its key.
static void emit_at(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_use *use = p2e_plan_use(e->plan, expr->args[0]);
    size_t slot = test_slot(use, expr);
    const char *type = expr->type.kind == P2E_CEL_INT    ? "s64"
                       : expr->type.kind == P2E_CEL_BOOL ? "int"
                                                         : "u64";
    emit(e, "({ if (!(s->present[%zu]", slot);
    p2e_emit_path_holds(e, use);
    emit(e, ")) failed = 1; (%s)s->value[%zu]; })", type, slot);
}

void p2e_emit_list_equal(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    bool constant_first = expr->args[0]->op == P2E_CEL_LIST_LITERAL;
    const struct p2e_cel_expr *list = expr->args[constant_first],
                              *items = expr->args[!constant_first];
    emit(e, "(count_%u(s) == %zu && ", p2e_plan_use(e->plan, list)->slot, items->arg_count);
    emit_tally(e, expr, list, "p2e_all");
    emit(e, ")");
}

static void emit_macro(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const char *verdict = expr->op == P2E_CEL_ALL      ? "p2e_all"
                          : expr->op == P2E_CEL_EXISTS ? "p2e_exists"
                                                       : "p2e_exists_one";
    emit_tally(e, expr, expr->args[0], verdict);
}

static void emit_in(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    if (expr->args[1]->op == P2E_CEL_LIST_LITERAL) {
        emit_in_literal(e, expr);
        return;
    }
    emit_tally(e, expr, expr->args[1], "p2e_exists");
}

static void emit_unique(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit_tally(e, expr, expr->args[0], "p2e_all");
}

// ---- Whole --------------------------------------------------------------------------------------
static void emit_operator(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_NOT:
        emit_call(e, p2e_cel_can_fail(expr) ? "p2e_not" : "(!", expr,
                  p2e_cel_can_fail(expr) ? ")" : "))");
        break;
    case P2E_CEL_AND:
        emit_logic(e, expr, "&&", "p2e_and");
        break;
    case P2E_CEL_OR:
        emit_logic(e, expr, "||", "p2e_or");
        break;
    case P2E_CEL_CONDITIONAL:
        emit_conditional(e, expr);
        break;
    case P2E_CEL_EQ:
    case P2E_CEL_NE:
        p2e_emit_equality(e, expr);
        break;
    case P2E_CEL_LT:
    case P2E_CEL_LE:
    case P2E_CEL_GT:
    case P2E_CEL_GE:
        p2e_emit_order(e, expr);
        break;
    case P2E_CEL_IN:
        emit_in(e, expr);
        break;
    case P2E_CEL_ALL:
    case P2E_CEL_EXISTS:
    case P2E_CEL_EXISTS_ONE:
        emit_macro(e, expr);
        break;
    case P2E_CEL_UNIQUE:
        emit_unique(e, expr);
        break;
    case P2E_CEL_STARTS_WITH:
        p2e_emit_text_test(e, "p2e_text_starts_with", expr->args[0], expr->args[1]);
        break;
    case P2E_CEL_ENDS_WITH:
        p2e_emit_text_test(e, "p2e_text_ends_with", expr->args[0], expr->args[1]);
        break;
    case P2E_CEL_CONTAINS:
        p2e_emit_contains(e, expr);
        break;
    case P2E_CEL_MATCHES:
        p2e_emit_matches(e, expr);
        break;
    case P2E_CEL_IS_FORMAT:
        p2e_emit_is_format(e, expr);
        break;
    case P2E_CEL_IS_NAN:
        emit_call(e, "p2e_double_is_nan", expr, ")");
        break;
    case P2E_CEL_IS_INF:
        emit_call(e, "p2e_double_is_inf", expr, ")");
        break;
    case P2E_CEL_CONVERT:
        emit_convert(e, expr);
        break;
    default:
        (p2e_cel_is_time_part(expr) ? emit_time_part : emit_arithmetic)(e, expr);
        break;
    }
}

static void emit_plain(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_CONST:
        p2e_emit_const(e, expr);
        break;
    case P2E_CEL_SELECT:
        p2e_emit_select(e, expr);
        break;
    case P2E_CEL_ELEMENT:
        p2e_emit_converted(e, expr->binder->args[0]->field->type, "value");
        break;
    case P2E_CEL_HAS:
        p2e_emit_has(e, expr);
        break;
    case P2E_CEL_AT:
        emit_at(e, expr);
        break;
    case P2E_CEL_SIZE:
        p2e_emit_size(e, expr);
        break;
    case P2E_CEL_TIME:
        emit_call(e, "p2e_time", expr, ")");
        break;
    case P2E_CEL_NOW:
        emit(e, "p2e_now(s)");
        break;
    case P2E_CEL_UNWRAP:
        emit_unwrap(e, expr);
        break;
    default:
        emit_operator(e, expr);
        break;
    }
}

// Where values that can fail meet a bool: the bool is the error.
static bool is_error_boundary(const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_EQ:
    case P2E_CEL_NE:
    case P2E_CEL_LT:
    case P2E_CEL_LE:
    case P2E_CEL_GT:
    case P2E_CEL_GE:
    case P2E_CEL_IN:
    case P2E_CEL_STARTS_WITH:
    case P2E_CEL_ENDS_WITH:
    case P2E_CEL_CONTAINS:
    case P2E_CEL_MATCHES:
    case P2E_CEL_IS_FORMAT:
    case P2E_CEL_IS_NAN:
    case P2E_CEL_IS_INF:
        return p2e_cel_can_fail(expr);
    case P2E_CEL_AT:
        return expr->type.kind == P2E_CEL_BOOL;
    default:
        return false;
    }
}

void p2e_emit_expr(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    if (!is_error_boundary(expr)) {
        emit_plain(e, expr);
        return;
    }
    emit(e, "({ u32 failed = 0; int result = ");
    emit_plain(e, expr);
    emit(e, "; p2e_settled(s, p2e_checked(failed, result)); })");
}
