#include <math.h>
#include <string.h>

#include "compiler/cel_checker.h"
#include "compiler/cel_time.h"

// Three-way comparison of constants; UNORDERED when one is not a number.
enum order { LESS = -1, EQUAL, GREATER, UNORDERED };

#define ORDER_OF(a, b) ((a) < (b) ? LESS : (a) > (b) ? GREATER : (a) == (b) ? EQUAL : UNORDERED)

static bool is_const(const struct p2e_cel_expr *expr)
{
    return expr->op == P2E_CEL_CONST;
}

static bool all_const(const struct p2e_cel_expr *expr)
{
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (!is_const(expr->args[i]))
            return false;
    }
    return true;
}

struct p2e_cel_expr *p2e_cel_become(struct p2e_cel_expr *expr, struct p2e_cel_value value)
{
    expr->op = P2E_CEL_CONST;
    expr->args = NULL;
    expr->arg_count = 0;
    expr->value = value;
    return expr;
}

static struct p2e_cel_expr *become_bool(struct p2e_cel_expr *expr, bool value)
{
    return p2e_cel_become(expr, (struct p2e_cel_value){.boolean = value});
}

// ---- Comparisons --------------------------------------------------------------------------------

static enum order compare_text(const struct p2e_cel_value *a, const struct p2e_cel_value *b)
{
    size_t size = a->text.size < b->text.size ? a->text.size : b->text.size;
    int order = size > 0 ? memcmp(a->text.data, b->text.data, size) : 0;
    if (order)
        return order < 0 ? LESS : GREATER;
    return ORDER_OF(a->text.size, b->text.size);
}

static double to_double(const struct p2e_cel_expr *e)
{
    if (e->type.kind == P2E_CEL_INT)
        return (double)e->value.integer;
    return e->type.kind == P2E_CEL_UINT ? (double)e->value.uinteger : e->value.real;
}

static enum order compare_int_uint(int64_t a, uint64_t b)
{
    return a < 0 ? LESS : ORDER_OF((uint64_t)a, b);
}

static enum order compare_mixed(const struct p2e_cel_expr *a, const struct p2e_cel_expr *b)
{
    if (a->type.kind == P2E_CEL_INT && b->type.kind == P2E_CEL_UINT)
        return compare_int_uint(a->value.integer, b->value.uinteger);
    if (a->type.kind == P2E_CEL_UINT && b->type.kind == P2E_CEL_INT)
        return (enum order) - compare_int_uint(b->value.integer, a->value.uinteger);
    return ORDER_OF(to_double(a), to_double(b));
}

static bool int_equals_double(int64_t a, double b)
{
    return b >= -0x1p63 && b < 0x1p63 && (double)(int64_t)b == b && (int64_t)b == a;
}

static bool uint_equals_double(uint64_t a, double b)
{
    return b >= 0 && b < 0x1p64 && (double)(uint64_t)b == b && (uint64_t)b == a;
}

// Are numbers of two kinds equal by value? Unlike order, exactly.
static bool equals_mixed(const struct p2e_cel_expr *a, const struct p2e_cel_expr *b)
{
    if (a->type.kind > b->type.kind)
        return equals_mixed(b, a);
    if (a->type.kind == P2E_CEL_INT && b->type.kind == P2E_CEL_DOUBLE)
        return int_equals_double(a->value.integer, b->value.real);
    if (b->type.kind == P2E_CEL_DOUBLE)
        return uint_equals_double(a->value.uinteger, b->value.real);
    return compare_mixed(a, b) == EQUAL;
}

static enum order compare(const struct p2e_cel_expr *a, const struct p2e_cel_expr *b)
{
    if (a->type.kind != b->type.kind)
        return compare_mixed(a, b);
    switch (a->type.kind) {
    case P2E_CEL_BOOL:
        return ORDER_OF(a->value.boolean, b->value.boolean);
    case P2E_CEL_INT:
        return ORDER_OF(a->value.integer, b->value.integer);
    case P2E_CEL_UINT:
        return ORDER_OF(a->value.uinteger, b->value.uinteger);
    case P2E_CEL_DOUBLE:
        return ORDER_OF(a->value.real, b->value.real);
    case P2E_CEL_TIMESTAMP:
    case P2E_CEL_DURATION:
        return (enum order)p2e_cel_compare_times(&a->value, &b->value);
    default:
        return compare_text(&a->value, &b->value);
    }
}

static bool equals(const struct p2e_cel_expr *a, const struct p2e_cel_expr *b)
{
    return a->type.kind == b->type.kind ? compare(a, b) == EQUAL : equals_mixed(a, b);
}

static struct p2e_cel_expr *fold_order(struct p2e_cel_expr *expr)
{
    enum order order = compare(expr->args[0], expr->args[1]);
    switch (expr->op) {
    case P2E_CEL_LT:
        return become_bool(expr, order == LESS);
    case P2E_CEL_LE:
        return become_bool(expr, order == LESS || order == EQUAL);
    case P2E_CEL_GT:
        return become_bool(expr, order == GREATER);
    default:
        return become_bool(expr, order == GREATER || order == EQUAL);
    }
}

// ---- Arithmetic ---------------------------------------------------------------------------------

// False when the result is an error.
static bool compute_int(enum p2e_cel_op op, int64_t a, int64_t b, int64_t *result)
{
    switch (op) {
    case P2E_CEL_ADD:
        return !__builtin_add_overflow(a, b, result);
    case P2E_CEL_SUBTRACT:
        return !__builtin_sub_overflow(a, b, result);
    case P2E_CEL_MULTIPLY:
        return !__builtin_mul_overflow(a, b, result);
    default:
        break;
    }
    if (b == 0 || (a == INT64_MIN && b == -1))
        return false;
    *result = op == P2E_CEL_DIVIDE ? a / b : a % b;
    return true;
}

static bool compute_uint(enum p2e_cel_op op, uint64_t a, uint64_t b, uint64_t *result)
{
    switch (op) {
    case P2E_CEL_ADD:
        return !__builtin_add_overflow(a, b, result);
    case P2E_CEL_SUBTRACT:
        return !__builtin_sub_overflow(a, b, result);
    case P2E_CEL_MULTIPLY:
        return !__builtin_mul_overflow(a, b, result);
    default:
        break;
    }
    if (b == 0)
        return false;
    *result = op == P2E_CEL_DIVIDE ? a / b : a % b;
    return true;
}

static double compute_double(enum p2e_cel_op op, double a, double b)
{
    switch (op) {
    case P2E_CEL_ADD:
        return a + b;
    case P2E_CEL_SUBTRACT:
        return a - b;
    case P2E_CEL_MULTIPLY:
        return a * b;
    default:
        return a / b;
    }
}

static struct p2e_cel_expr *fold_arithmetic(struct p2e_cel_expr *expr)
{
    const struct p2e_cel_value *a = &expr->args[0]->value, *b = &expr->args[1]->value;
    struct p2e_cel_value result = {0};
    bool computed = true;
    if (p2e_cel_is_time(expr->type.kind))
        computed = p2e_cel_compute_time(expr->op, expr->type.kind, a, b, &result);
    else if (expr->type.kind == P2E_CEL_INT)
        computed = compute_int(expr->op, a->integer, b->integer, &result.integer);
    else if (expr->type.kind == P2E_CEL_UINT)
        computed = compute_uint(expr->op, a->uinteger, b->uinteger, &result.uinteger);
    else
        result.real = compute_double(expr->op, a->real, b->real);
    return computed ? p2e_cel_become(expr, result) : expr;
}

static struct p2e_cel_expr *fold_negation(struct p2e_cel_expr *expr)
{
    struct p2e_cel_value result = {0};
    if (expr->type.kind == P2E_CEL_DOUBLE)
        result.real = -expr->args[0]->value.real;
    else if (!compute_int(P2E_CEL_SUBTRACT, 0, expr->args[0]->value.integer, &result.integer))
        return expr;
    return p2e_cel_become(expr, result);
}

static bool is_infinite(double value, int64_t sign)
{
    return isinf(value) && (sign == 0 || (sign < 0) == (value < 0));
}

// ---- Text ---------------------------------------------------------------------------------------

static struct p2e_cel_expr *fold_size(struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *arg = expr->args[0];
    int64_t size = 0;
    for (size_t i = 0; i < arg->value.text.size; i++) {
        bool begins = ((unsigned char)arg->value.text.data[i] & 0xc0) != 0x80;
        size += arg->type.kind == P2E_CEL_BYTES || begins;
    }
    return p2e_cel_become(expr, (struct p2e_cel_value){.integer = size});
}

static bool is_at(const struct p2e_cel_value *text, size_t at, const struct p2e_cel_value *part)
{
    return part->text.size == 0 ||
           memcmp(text->text.data + at, part->text.data, part->text.size) == 0;
}

static struct p2e_cel_expr *fold_search(struct p2e_cel_expr *expr)
{
    const struct p2e_cel_value *text = &expr->args[0]->value, *part = &expr->args[1]->value;
    if (part->text.size > text->text.size)
        return become_bool(expr, false);
    switch (expr->op) {
    case P2E_CEL_STARTS_WITH:
        return become_bool(expr, is_at(text, 0, part));
    case P2E_CEL_ENDS_WITH:
        return become_bool(expr, is_at(text, text->text.size - part->text.size, part));
    default:
        return become_bool(expr, part->text.size == 0 || memmem(text->text.data, text->text.size,
                                                                part->text.data, part->text.size));
    }
}

static struct p2e_cel_expr *fold_matches(struct p2e_cel_expr *expr)
{
    const struct p2e_cel_value *text = &expr->args[0]->value;
    if (!expr->regex) // not made yet
        return expr;
    return become_bool(expr, p2e_regex_matches(expr->regex, text->text.data, text->text.size));
}

// ---- Logic --------------------------------------------------------------------------------------

// AND is false as soon as one operand is, whatever error another one is; OR likewise true. Operands
// that decide nothing fall away.
static struct p2e_cel_expr *fold_chain(struct p2e_cel_expr *expr)
{
    bool decisive = expr->op == P2E_CEL_OR;
    size_t kept = 0;
    for (size_t i = 0; i < expr->arg_count; i++) {
        struct p2e_cel_expr *arg = expr->args[i];
        if (!is_const(arg))
            expr->args[kept++] = arg;
        else if (arg->value.boolean == decisive)
            return become_bool(expr, decisive);
    }
    if (kept == 0)
        return become_bool(expr, !decisive);
    expr->arg_count = kept;
    // A wrapper stays an operand: as such it may not be null.
    return kept == 1 && expr->args[0]->op != P2E_CEL_UNWRAP ? expr->args[0] : expr;
}

static struct p2e_cel_expr *fold_in(struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *element = expr->args[0], *list = expr->args[1];
    if (!is_const(element) || list->op != P2E_CEL_LIST_LITERAL || !all_const(list))
        return expr;
    for (size_t i = 0; i < list->arg_count; i++) {
        if (equals(element, list->args[i]))
            return become_bool(expr, true);
    }
    return become_bool(expr, false);
}

bool p2e_cel_is_constant_list(const struct p2e_cel_expr *expr)
{
    return expr->op == P2E_CEL_LIST_LITERAL && all_const(expr);
}

static bool has_equal_before(const struct p2e_cel_expr *list, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (equals(list->args[i], list->args[index]))
            return true;
    }
    return false;
}

static struct p2e_cel_expr *fold_list(struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *list = expr->args[0];
    if (expr->op == P2E_CEL_SIZE)
        return p2e_cel_become(expr, (struct p2e_cel_value){.integer = (int64_t)list->arg_count});
    if (expr->op != P2E_CEL_UNIQUE || list->arg_count > 10000)
        return expr;
    for (size_t i = 0; i < list->arg_count; i++) {
        if (has_equal_before(list, i))
            return become_bool(expr, false);
    }
    return become_bool(expr, true);
}

static bool equal_lists(const struct p2e_cel_expr *a, const struct p2e_cel_expr *b)
{
    bool equal = a->arg_count == b->arg_count;
    for (size_t i = 0; equal && i < a->arg_count; i++)
        equal = equals(a->args[i], b->args[i]);
    return equal;
}

struct p2e_cel_expr *p2e_cel_fold(struct p2e_cel_expr *expr)
{
    if (expr->arg_count == 1 && p2e_cel_is_constant_list(expr->args[0]))
        return fold_list(expr);
    if ((expr->op == P2E_CEL_EQ || expr->op == P2E_CEL_NE) &&
        p2e_cel_is_constant_list(expr->args[0]) && p2e_cel_is_constant_list(expr->args[1]))
        return become_bool(expr,
                           equal_lists(expr->args[0], expr->args[1]) == (expr->op == P2E_CEL_EQ));
    if (expr->op == P2E_CEL_AND || expr->op == P2E_CEL_OR)
        return fold_chain(expr);
    if (expr->op == P2E_CEL_IN)
        return fold_in(expr);
    if (expr->op == P2E_CEL_CONDITIONAL && is_const(expr->args[0]))
        return expr->args[expr->args[0]->value.boolean ? 1 : 2];
    if (expr->arg_count == 0 || !all_const(expr))
        return expr;
    if (expr->op >= P2E_CEL_GET_FULL_YEAR && expr->op <= P2E_CEL_GET_MILLISECONDS)
        return p2e_cel_become(expr, (struct p2e_cel_value){.integer = p2e_cel_time_part(expr)});

    switch (expr->op) {
    case P2E_CEL_NOT:
        return become_bool(expr, !expr->args[0]->value.boolean);
    case P2E_CEL_NEGATE:
        return fold_negation(expr);
    case P2E_CEL_EQ:
    case P2E_CEL_NE:
        return become_bool(expr, equals(expr->args[0], expr->args[1]) == (expr->op == P2E_CEL_EQ));
    case P2E_CEL_LT:
    case P2E_CEL_LE:
    case P2E_CEL_GT:
    case P2E_CEL_GE:
        return fold_order(expr);
    case P2E_CEL_ADD:
    case P2E_CEL_SUBTRACT:
    case P2E_CEL_MULTIPLY:
    case P2E_CEL_DIVIDE:
    case P2E_CEL_MODULO:
        return fold_arithmetic(expr);
    case P2E_CEL_SIZE:
        return fold_size(expr);
    case P2E_CEL_STARTS_WITH:
    case P2E_CEL_ENDS_WITH:
    case P2E_CEL_CONTAINS:
        return fold_search(expr);
    case P2E_CEL_MATCHES:
        return fold_matches(expr);
    case P2E_CEL_IS_NAN:
        return become_bool(expr, isnan(expr->args[0]->value.real));
    case P2E_CEL_IS_INF:
        return become_bool(expr,
                           is_infinite(expr->args[0]->value.real, expr->args[1]->value.integer));
    default:
        return expr; // a list literal is part of its "in"
    }
}
