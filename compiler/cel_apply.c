// Operators and functions that have overloads, found by the types of their arguments.
#include <stdio.h>
#include <string.h>

#include "compiler/cel_short.h"
#include "compiler/cel_time.h"
#include "compiler/cel_view.h"

// ---- Operators and functions with overloads -----------------------------------------------------

static bool is_supported(const struct p2e_cel_overload *overload)
{
    return overload && !overload->refusal;
}

// Points at the literal that would have to be written otherwise, and says how. False when there is
// none.
bool p2e_cel_offer_rewrite(checker *c, node *const *nodes, expr *const *args, const char *sentence,
                           const struct p2e_cel_function *function)
{
    for (size_t i = 2; i-- > 0;) {
        const expr *other = args[1 - i];
        char offer[P2E_CEL_OFFER_SIZE];
        struct p2e_cel_type same[] = {other->type, other->type};
        if (function && !is_supported(p2e_cel_overload(function, same)))
            continue;
        if (p2e_cel_offer_enum(c, nodes[i], other, offer) ||
            p2e_cel_offer_literal(c, nodes[i], other->type.kind, offer)) {
            fail(c, nodes[i]->span, "%s; write %s", sentence, offer);
            return true;
        }
    }
    return false;
}

// What to say where no literal is to blame.
const char *p2e_cel_mismatch_hint(const struct p2e_cel_type *a, const struct p2e_cel_type *b)
{
    if (a->kind == b->kind || !is_number(a) || !is_number(b))
        return "";
    return "; convert one of them, with int(), uint() or double()";
}

static expr *no_overload(checker *c, node *n, const struct p2e_cel_function *function,
                         expr *const *args)
{
    char names[2][NAME_SIZE], sentence[3 * NAME_SIZE];
    const struct p2e_cel_type *first = &args[0]->type;
    p2e_cel_type_name(first, names[0], NAME_SIZE);
    if (n->arg_count == 1)
        return fail(c, n->token, "%s cannot be applied to %s%s", function->name, names[0],
                    p2e_cel_mismatch_hint(first, first));

    p2e_cel_type_name(&args[1]->type, names[1], NAME_SIZE);
    snprintf(sentence, sizeof(sentence), "%s cannot be applied to %s and %s", function->name,
             names[0], names[1]);
    node *const nodes[] = {n->args[0], n->args[1]};
    if (!p2e_cel_offer_rewrite(c, nodes, args, sentence, function))
        fail(c, n->token, "%s%s", sentence, p2e_cel_mismatch_hint(first, &args[1]->type));
    return NULL;
}

static expr *fold(checker *c, expr *e)
{
    if (e->op == P2E_CEL_CONVERT)
        return p2e_cel_fold_convert(c->arena, e);
    if (e->op == P2E_CEL_ADD && (e->type.kind == P2E_CEL_STRING || e->type.kind == P2E_CEL_BYTES))
        return p2e_cel_fold_join(c->arena, e);
    return p2e_cel_fold(e);
}

static expr *build(checker *c, node *n, const struct p2e_cel_function *function,
                   enum p2e_cel_kind result, expr *const *args)
{
    expr *e = make(c, n, function->op, scalar(result), function->arg_count);
    if (!e)
        return NULL;
    memcpy(e->args, args, function->arg_count * sizeof(*args));
    return fold(c, e);
}

// What is judged of constants alone; NULL when this is not.
static expr *apply_to_constants(checker *c, node *n, const struct p2e_cel_function *function,
                                expr *const *args, const struct p2e_cel_type *types)
{
    const struct p2e_cel_overload *overload = p2e_cel_constant_overload(function, types);
    for (size_t i = 0; overload && i < function->arg_count; i++) {
        if (args[i]->op != P2E_CEL_CONST)
            return NULL;
    }
    expr *e = overload ? build(c, n, function, overload->result, args) : NULL;
    return e && e->op == P2E_CEL_CONST ? e : NULL;
}

// With dyn(), a number can be equal to one of another kind.
bool p2e_cel_are_comparable(const struct p2e_cel_type *a, const struct p2e_cel_type *b)
{
    return (a->dynamic || b->dynamic) && is_number(a) && is_number(b);
}

// A constant that does not say a time.
static bool is_time_text(const struct p2e_cel_overload *overload, const expr *arg)
{
    return p2e_cel_is_time(overload->result) && arg->op == P2E_CEL_CONST &&
           arg->type.kind == P2E_CEL_STRING;
}

static expr *apply_to(checker *c, node *n, const struct p2e_cel_function *function,
                      expr *const *args)
{
    struct p2e_cel_type types[] = {args[0]->type, args[1] ? args[1]->type : args[0]->type};
    expr *e = apply_to_constants(c, n, function, args, types);
    if (e)
        return e;
    if (function->shape == P2E_SHAPE_EQUALITY && p2e_cel_is_list_test(args))
        return build(c, n, function, P2E_CEL_BOOL, args);
    if (args[0]->op == P2E_CEL_LIST_LITERAL && (!args[1] || args[1]->op == P2E_CEL_LIST_LITERAL))
        return p2e_cel_apply_to_list(c, n, function, args);
    if (function->shape == P2E_SHAPE_EQUALITY && p2e_cel_are_comparable(&types[0], &types[1]))
        types[1] = types[0];
    const struct p2e_cel_overload *overload = p2e_cel_overload(function, types);
    if (!overload)
        return no_overload(c, n, function, args);
    if (overload->refusal)
        return fail(c, is_time_text(overload, args[0]) ? args[0]->span : n->token, "%s",
                    overload->refusal);
    return build(c, n, function, overload->result, args);
}

bool p2e_cel_takes_zone(const struct p2e_cel_function *function)
{
    return function->shape == P2E_SHAPE_DATE || function->shape == P2E_SHAPE_CLOCK;
}

// A time zone as the seconds that it is ahead of UTC.
static expr *check_zone(checker *c, node *n)
{
    int64_t ahead;
    expr *e = check(c, n);
    if (!e)
        return NULL;
    if (e->type.kind != P2E_CEL_STRING || e->op != P2E_CEL_CONST)
        return fail(c, n->span, "a time zone is a constant: \"UTC\" or \"+02:00\"");
    if (!p2e_cel_parse_zone(&e->value, &ahead))
        return fail(c, n->span,
                    "a time zone is \"UTC\" or an offset, \"+02:00\": those with a name are not "
                    "supported, for their offsets change");
    e->type = scalar(P2E_CEL_INT);
    return p2e_cel_become(e, (struct p2e_cel_value){.integer = ahead});
}

// The sign of isInf() may be left out, and so may a time zone.
static expr *check_argument(checker *c, node *n, const struct p2e_cel_function *function,
                            size_t index)
{
    if (index >= n->arg_count)
        return make(c, n, P2E_CEL_CONST, scalar(P2E_CEL_INT), 0);
    return index == 1 && p2e_cel_takes_zone(function) ? check_zone(c, n->args[index])
                                                      : check(c, n->args[index]);
}

static bool is_null(const expr *e)
{
    return e && e->type.kind == P2E_CEL_NULL;
}

static expr *apply_to_null(checker *c, node *n, enum p2e_cel_op op, expr *const *args)
{
    expr *e = make(c, n, op, scalar(P2E_CEL_BOOL), 2);
    if (!e)
        return NULL;
    memcpy(e->args, args, 2 * sizeof(*args));
    return p2e_cel_null_test(c, e);
}

expr *p2e_cel_apply(checker *c, node *n, const struct p2e_cel_function *function)
{
    expr *args[2] = {0};
    for (size_t i = 0; i < function->arg_count; i++) {
        args[i] = check_argument(c, n, function, i);
        if (!args[i])
            return NULL;
        if (p2e_cel_is_special(&args[i]->type))
            return p2e_cel_special_message(c, args[i]->span, &args[i]->type);
    }
    if (function->shape == P2E_SHAPE_EQUALITY && (is_null(args[0]) || is_null(args[1])))
        return apply_to_null(c, n, function->op, args);
    if (p2e_cel_takes_zone(function) && args[0]->type.kind == P2E_CEL_DURATION && n->arg_count > 1)
        return fail(c, n->args[1]->span, "a duration has no time zone");
    return apply_to(c, n, function, args);
}
