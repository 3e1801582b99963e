// Rules whose result is a string: '' stands for a message that may pass, any other for one that may
// not. Whether the string is empty is told without putting it together.
//
// To a verdict, an error and a string that is not empty are the same: neither passes. So where some
// part surely makes the string longer than nothing, errors in its other parts change nothing.
#include <string.h>

#include "compiler/cel_checker.h"

#define JOIN_WHY                                                                                   \
    "strings are joined only as a rule's result: a rule in the kernel has nowhere to put a new "   \
    "string"
#define FORMAT_WHY                                                                                 \
    "format() is supported only as a rule's result: a rule in the kernel has nowhere to put a "    \
    "new string"

typedef const struct p2e_cel_checker checker;
typedef struct p2e_cel_expr expr;

// ---- Templates ----------------------------------------------------------------------------------

const char *p2e_cel_template_verb(const struct p2e_cel_value *template, size_t *at, bool *literal)
{
    const char *text = template->text.data, *end = text + template->text.size;
    for (const char *c = text + *at; c < end; c++) {
        if (*c == '%' && c + 1 < end && c[1] != '%') {
            c++;
            if (*c == '.')
                c += 1 + strspn(c + 1, "0123456789");
            *at = (size_t)(c - text) + 1;
            return c;
        }
        c += *c == '%';
        *literal = true;
    }
    return NULL;
}

// ---- Is it empty? -------------------------------------------------------------------------------

static expr *is_empty(checker *c, expr *e);

static expr *constant(expr *e, bool value)
{
    e->type = (struct p2e_cel_type){.kind = P2E_CEL_BOOL};
    return p2e_cel_become(e, (struct p2e_cel_value){.boolean = value});
}

// e == ''
static expr *equals_nothing(checker *c, expr *e)
{
    expr *test = p2e_arena_new(c->arena, expr);
    expr *nothing = p2e_arena_new(c->arena, expr);
    expr **args = p2e_arena_array(c->arena, 2, sizeof(*args));
    if (!test || !nothing || !args) {
        p2e_error_set(c->err, "out of memory: the expression is too large");
        return NULL;
    }
    *nothing = *e;
    p2e_cel_become(nothing, (struct p2e_cel_value){.text = {.data = ""}});
    *test = *e;
    test->op = P2E_CEL_EQ;
    test->type = (struct p2e_cel_type){.kind = P2E_CEL_BOOL};
    test->args = args;
    test->arg_count = 2;
    args[0] = e;
    args[1] = nothing;
    return test;
}

static expr *all_are_empty(checker *c, expr *e)
{
    e->op = P2E_CEL_AND;
    e->type = (struct p2e_cel_type){.kind = P2E_CEL_BOOL};
    for (size_t i = 0; i < e->arg_count; i++) {
        e->args[i] = is_empty(c, e->args[i]);
        if (!e->args[i])
            return NULL;
    }
    return p2e_cel_fold(e);
}

// Of values, only strings and bytes can be written as nothing.
static bool may_be_nothing(char verb, const expr *value)
{
    return strchr("sxX", verb) &&
           (value->type.kind == P2E_CEL_STRING || value->type.kind == P2E_CEL_BYTES);
}

static expr *is_format_empty(checker *c, expr *e)
{
    bool literal = false, nothing = true;
    size_t at = 0, value = 1;
    for (;;) {
        const char *verb = p2e_cel_template_verb(&e->args[0]->value, &at, &literal);
        if (!verb)
            break;
        nothing = nothing && may_be_nothing(*verb, e->args[value++]);
    }
    if (literal || !nothing || e->arg_count == 1)
        return constant(e, !literal && nothing);
    e->args++;
    e->arg_count--;
    return e->arg_count == 1 ? is_empty(c, e->args[0]) : all_are_empty(c, e);
}

static expr *is_empty(checker *c, expr *e)
{
    switch (e->op) {
    case P2E_CEL_CONST:
        return constant(e, e->value.text.size == 0);
    case P2E_CEL_CONDITIONAL:
        e->type = (struct p2e_cel_type){.kind = P2E_CEL_BOOL};
        e->args[1] = is_empty(c, e->args[1]);
        e->args[2] = e->args[1] ? is_empty(c, e->args[2]) : NULL;
        return e->args[2] ? e : NULL;
    case P2E_CEL_ADD:
        return all_are_empty(c, e);
    case P2E_CEL_FORMAT:
        return is_format_empty(c, e);
    default:
        return equals_nothing(c, e);
    }
}

// ---- What is left -------------------------------------------------------------------------------

static bool builds_text(const expr *e)
{
    return e->op == P2E_CEL_FORMAT || (e->op == P2E_CEL_ADD && e->type.kind == P2E_CEL_STRING);
}

static int refuse_built(checker *c, const expr *e)
{
    if (builds_text(e))
        return p2e_error_at(c->err, c->text, e->token, "%s",
                            e->op == P2E_CEL_FORMAT ? FORMAT_WHY : JOIN_WHY);
    for (size_t i = 0; i < e->arg_count; i++) {
        if (refuse_built(c, e->args[i]) < 0)
            return -1;
    }
    return 0;
}

expr *p2e_cel_result(checker *c, expr *e)
{
    if (e->type.kind == P2E_CEL_STRING)
        e = is_empty(c, e);
    return e && refuse_built(c, e) == 0 ? e : NULL;
}
