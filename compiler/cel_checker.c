#include "compiler/cel_checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cel_short.h"

// ---- Errors -------------------------------------------------------------------------------------

expr *p2e_cel_fail(checker *c, struct p2e_span span, const char *format, ...)
{
    char sentence[P2E_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    p2e_error_at(c->err, c->text, span, "%s", sentence);
    return NULL;
}

// ---- Typed nodes --------------------------------------------------------------------------------

expr *make(checker *c, node *n, enum p2e_cel_op op, struct p2e_cel_type type, size_t arg_count)
{
    expr *e = p2e_arena_new(c->arena, expr);
    expr **args = p2e_arena_array(c->arena, arg_count, sizeof(*args));
    if (!e || !args) {
        p2e_error_set(c->err, "out of memory: the expression is too large");
        return NULL;
    }
    *e = (expr){.op = op,
                .type = type,
                .span = n->span,
                .token = n->token,
                .args = args,
                .arg_count = arg_count};
    return e;
}

// ---- Logic --------------------------------------------------------------------------------------

bool p2e_cel_is_bool(checker *c, const expr *e, const char *what)
{
    char name[NAME_SIZE], offer[P2E_CEL_OFFER_SIZE];
    if (e->type.kind == P2E_CEL_BOOL)
        return true;
    p2e_cel_type_name(&e->type, name, sizeof(name));
    if (p2e_cel_offer_bool(c, e, offer))
        fail(c, e->span, "%s bool, not %s; write %s", what, name, offer);
    else
        fail(c, e->span, "%s bool, not %s", what, name);
    return false;
}

// &&, || and !
static expr *check_logic(checker *c, node *n)
{
    expr *e = make(c, n, n->op, scalar(P2E_CEL_BOOL), n->arg_count);
    const char *what = n->op == P2E_CEL_AND  ? "&& takes"
                       : n->op == P2E_CEL_OR ? "|| takes"
                                             : "! takes";
    for (size_t i = 0; e && i < n->arg_count; i++) {
        e->args[i] = check(c, n->args[i]);
        if (!e->args[i] || !p2e_cel_is_bool(c, e->args[i], what))
            return NULL;
    }
    return e ? p2e_cel_fold(e) : NULL;
}

static expr *check_branches(checker *c, node *n, expr *const *branches)
{
    char names[2][NAME_SIZE], sentence[3 * NAME_SIZE];
    const struct p2e_cel_type *a = &branches[0]->type, *b = &branches[1]->type;
    p2e_cel_type_name(a, names[0], NAME_SIZE);
    p2e_cel_type_name(b, names[1], NAME_SIZE);
    if (a->kind != b->kind) {
        snprintf(sentence, sizeof(sentence), "both branches of ?: have one type, not %s and %s",
                 names[0], names[1]);
        node *const nodes[] = {n->args[1], n->args[2]};
        if (!p2e_cel_offer_rewrite(c, nodes, branches, sentence, NULL))
            fail(c, n->token, "%s%s", sentence, p2e_cel_mismatch_hint(a, b));
        return NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        if (branches[i]->op == P2E_CEL_UNWRAP)
            return fail(c, branches[i]->span,
                        "this may be null, which is not supported as a result of ?:; write "
                        "%s(a), which is an error where it is null",
                        names[i]);
    }
    if (!is_scalar(a->kind))
        return fail(c, n->token, "?: between values of type %s is not supported", names[0]);
    return branches[0];
}

static expr *check_conditional(checker *c, node *n)
{
    expr *args[3];
    for (size_t i = 0; i < 3; i++) {
        args[i] = check(c, n->args[i]);
        if (!args[i] || (i == 0 && !p2e_cel_is_bool(c, args[0], "what stands before ? is")))
            return NULL;
    }
    if (!check_branches(c, n, args + 1))
        return NULL;
    expr *e = make(c, n, P2E_CEL_CONDITIONAL, args[1]->type, 3);
    if (!e)
        return NULL;
    memcpy(e->args, args, sizeof(args));
    return p2e_cel_fold(e);
}

// ---- All of it ----------------------------------------------------------------------------------

static expr *check_operator(checker *c, node *n)
{
    switch (n->op) {
    case P2E_CEL_AND:
    case P2E_CEL_OR:
    case P2E_CEL_NOT:
        return check_logic(c, n);
    case P2E_CEL_CONDITIONAL:
        return check_conditional(c, n);
    case P2E_CEL_IN:
        return p2e_cel_check_in(c, n);
    default:
        return p2e_cel_is_type_test(c, n) ? p2e_cel_check_type_test(c, n)
                                          : p2e_cel_apply(c, n, p2e_cel_operator(n->op));
    }
}

static expr *check_literal(checker *c, node *n)
{
    expr *e = make(c, n, P2E_CEL_CONST, scalar(n->literal), 0);
    if (e)
        e->value = n->value;
    return e;
}

expr *check(checker *c, node *n)
{
    switch (n->kind) {
    case P2E_NODE_LITERAL:
        return check_literal(c, n);
    case P2E_NODE_IDENT:
    case P2E_NODE_SELECT:
        return p2e_cel_check_name(c, n);
    case P2E_NODE_CALL:
        return p2e_cel_check_call(c, n);
    case P2E_NODE_OPERATOR:
        return check_operator(c, n);
    case P2E_NODE_LIST:
        return p2e_cel_check_list(c, n);
    case P2E_NODE_INDEX:
        return p2e_cel_check_index(c, n);
    case P2E_NODE_MAP:
        return fail(c, n->token, "map literals are not supported");
    case P2E_NODE_STRUCT:
        return fail(c, n->span, "message literals are not supported");
    }
    return NULL;
}

expr *p2e_cel_check(checker *c, node *n)
{
    expr *e = check(c, n);
    bool text =
        e && e->type.kind == P2E_CEL_STRING && e->op != P2E_CEL_SELECT && e->op != P2E_CEL_UNWRAP;
    return e && (text || p2e_cel_is_bool(c, e, "a rule is a")) ? p2e_cel_result(c, e) : NULL;
}
