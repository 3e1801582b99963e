// Calls of functions, and what is particular to some.
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/cel_short.h"
#include "compiler/cel_view.h"

// ---- Functions ----------------------------------------------------------------------------------

static expr *unknown_function(checker *c, node *n)
{
    const char *near = p2e_cel_function_nearest(n->name);
    if (near)
        return fail(c, n->token, "unknown function \"%s\"; did you mean \"%s\"?", n->name, near);
    return fail(c, n->token, "unknown function \"%s\"", n->name);
}

static expr *check_dyn(checker *c, node *n)
{
    expr *e = check(c, n->args[0]);
    if (e)
        e->type.dynamic = true;
    return e;
}

static expr *check_template(checker *c, node *n, size_t values)
{
    expr *template = check(c, n->args[0]);
    if (!template)
        return NULL;
    if (template->op != P2E_CEL_CONST || template->type.kind != P2E_CEL_STRING)
        return fail(c, n->args[0]->span, "format() is called on a constant string");
    bool literal;
    size_t verbs = 0;
    for (size_t at = 0;; verbs++) {
        const char *verb = p2e_cel_template_verb(&template->value, &at, &literal);
        if (!verb)
            break;
        if (!*verb || !strchr("sdfebxXo", *verb))
            return fail(c, n->args[0]->span, "format() knows %%s %%d %%f %%e %%b %%o %%x %%X");
    }
    if (verbs != values)
        return fail(c, n->token, "the template takes %zu values, and format() is given %zu", verbs,
                    values);
    return template;
}

// template.format([a, b])
static expr *check_format(checker *c, node *n)
{
    node *values = n->args[1];
    if (values->kind != P2E_NODE_LIST)
        return fail(c, values->span, "format() takes a list in brackets: '%%s'.format([a])");
    expr *e = make(c, n, P2E_CEL_FORMAT, scalar(P2E_CEL_STRING), 1 + values->arg_count);
    if (!e)
        return NULL;
    e->args[0] = check_template(c, n, values->arg_count);
    for (size_t i = 0; i < values->arg_count && e->args[i]; i++)
        e->args[i + 1] = p2e_cel_check_item(c, values, i);
    return e->args[values->arg_count] ? e : NULL;
}

// getField(message, 'name'): what message.name is, for names that are words of CEL.
static expr *check_get_field(checker *c, node *n)
{
    if (n->arg_count != 2 || n->receiver)
        return fail(c, n->token,
                    "getField() takes a message and a field's name: getField(m, 'in')");
    expr *message = check(c, n->args[0]), *name = message ? check(c, n->args[1]) : NULL;
    if (!name)
        return NULL;
    if (name->op != P2E_CEL_CONST || name->type.kind != P2E_CEL_STRING ||
        strlen(name->value.text.data) != name->value.text.size)
        return fail(c, n->args[1]->span, "getField() takes the field's name as a constant string");
    struct p2e_cel_node select = *n;
    select.name = name->value.text.data;
    select.token = n->args[1]->span;
    return p2e_cel_select_field(c, message, &select);
}

// The place of the rule's text that `fault` of a pattern is about: all of the literal where it is
// written otherwise than it reads.
static struct p2e_span span_in_literal(checker *c, const expr *pattern, struct p2e_span fault)
{
    struct p2e_span span = pattern->span;
    const char *text = c->text + span.begin;
    const char *found =
        memmem(text, span.end - span.begin, pattern->value.text.data, pattern->value.text.size);
    if (!found || fault.begin >= fault.end)
        return span;
    span.begin += (size_t)(found - text);
    return (struct p2e_span){span.begin + fault.begin, span.begin + fault.end};
}

// The regular expression in the tree's memory; NULL is an error.
static const struct p2e_regex *compile_pattern(checker *c, const expr *pattern)
{
    _cleanup_(p2e_regex_free) struct p2e_regex compiled = {0};
    struct p2e_span fault = {0};
    struct p2e_error why;
    if (p2e_regex_compile(pattern->value.text.data, pattern->value.text.size, &compiled, &fault,
                          &why) < 0) {
        fail(c, span_in_literal(c, pattern, fault), "%s", why.text);
        return NULL;
    }
    size_t entries = (size_t)compiled.state_count * compiled.class_count;
    struct p2e_regex *regex = p2e_arena_new(c->arena, struct p2e_regex);
    uint16_t *next = p2e_arena_array(c->arena, entries, sizeof(*next));
    if (!regex || !next) {
        p2e_error_set(c->err, "out of memory: the expression is too large");
        return NULL;
    }
    memcpy(next, compiled.next, entries * sizeof(*next));
    *regex = compiled;
    regex->next = next;
    return regex;
}

static expr *check_matches(checker *c, node *n, const struct p2e_cel_function *function)
{
    expr *e = p2e_cel_apply(c, n, function);
    if (!e)
        return NULL;
    if (e->args[1]->op != P2E_CEL_CONST)
        return fail(c, e->args[1]->span,
                    "the pattern of matches() is a constant: it is compiled with the rule");
    e->regex = compile_pattern(c, e->args[1]);
    return e->regex ? p2e_cel_fold(e) : NULL;
}

// Which of args an argument of a format's test is; 0 when it is none, or one too many.
static size_t parameter_of(const struct p2e_cel_format *format, const expr *e, const expr *arg)
{
    if (arg->type.kind == P2E_CEL_INT && format->version && !e->args[1] && !e->args[2])
        return 1;
    return arg->type.kind == P2E_CEL_BOOL && format->flag && !e->args[2] ? 2 : 0;
}

static bool check_format_argument(checker *c, node *n, size_t index, expr *e)
{
    char name[NAME_SIZE];
    expr *arg = check(c, n->args[index]);
    if (!arg)
        return false;
    p2e_cel_type_name(&arg->type, name, sizeof(name));
    size_t at = index ? parameter_of(e->format, e, arg) : 0;
    if (p2e_cel_is_special(&arg->type))
        p2e_cel_special_message(c, arg->span, &arg->type);
    else if (index == 0 && arg->type.kind != P2E_CEL_STRING)
        fail(c, n->token, "%s cannot be applied to %s", n->name, name);
    else if (index > 0 && !at)
        fail(c, arg->span, "%s() cannot take %s here; it takes %s", n->name, name,
             e->format->takes);
    else
        e->args[at] = arg;
    return e->args[at] == arg;
}

// text.isIp(6): arguments are told by their types, and those left out are 0.
static expr *check_is_format(checker *c, node *n, const struct p2e_cel_function *function)
{
    static const enum p2e_cel_kind kinds[] = {P2E_CEL_STRING, P2E_CEL_INT, P2E_CEL_BOOL};
    const struct p2e_cel_format *format = p2e_cel_format(n->name);
    size_t given = n->arg_count - 1;
    if (given > (size_t)format->version + format->flag || given < format->flag_needed)
        return fail(c, n->token, "%s() takes %s", n->name, format->takes);
    expr *e = make(c, n, function->op, scalar(P2E_CEL_BOOL), 3);
    if (!e)
        return NULL;
    e->format = format;
    for (size_t i = 0; i < n->arg_count; i++) {
        if (!check_format_argument(c, n, i, e))
            return NULL;
    }
    for (size_t i = 1; i < 3; i++) {
        if (!e->args[i])
            e->args[i] = make(c, n, P2E_CEL_CONST, scalar(kinds[i]), 0);
        if (!e->args[i])
            return NULL;
    }
    return e;
}

static bool takes(const struct p2e_cel_function *function, size_t arg_count)
{
    bool optional = function->op == P2E_CEL_IS_INF || p2e_cel_takes_zone(function);
    return arg_count == function->arg_count || (optional && arg_count == 1);
}

static const char *arguments_of(const struct p2e_cel_function *function)
{
    if (function->op == P2E_CEL_IS_INF)
        return "at most one argument, the sign of what it looks for: 1, -1 or 0";
    if (p2e_cel_takes_zone(function))
        return "at most one argument, a time zone: \"UTC\" or \"+02:00\"";
    if (function->op == P2E_CEL_CONVERT)
        return "one value";
    if (function->method_only)
        return function->arg_count == 1 ? "no argument" : "one argument";
    return function->op == P2E_CEL_MATCHES ? "a string and a pattern: a.matches(b)"
                                           : "one value: size(a) or a.size()";
}

expr *p2e_cel_check_call(checker *c, node *n)
{
    const struct p2e_cel_function *function = p2e_cel_function(n->name);
    if (!function)
        return unknown_function(c, n);
    if (function->refusal)
        return fail(c, n->token, "%s() is not supported: %s", n->name, function->refusal);
    if (function->method_only && !n->receiver)
        return fail(c, n->token, "%s() is called on a value: a.%s(b)", n->name, n->name);
    if (function->op == P2E_CEL_HAS)
        return p2e_cel_check_has(c, n);
    if (function->op >= P2E_CEL_ALL && function->op <= P2E_CEL_EXISTS_ONE)
        return p2e_cel_check_macro(c, n, function);
    if (function->op == P2E_CEL_LIST_LITERAL)
        return p2e_cel_check_transform(c, n, function);
    if (function->op == P2E_CEL_SELECT)
        return check_get_field(c, n);
    if (function->op == P2E_CEL_CONVERT && n->receiver)
        return fail(c, n->token, "%s() is not called on a value: %s(a)", n->name, n->name);
    if (function->op == P2E_CEL_IS_FORMAT)
        return check_is_format(c, n, function);
    if (!takes(function, n->arg_count))
        return fail(c, n->token, "%s() takes %s", n->name, arguments_of(function));
    if (function->shape == P2E_SHAPE_DYN)
        return check_dyn(c, n);
    if (function->shape == P2E_SHAPE_FORMAT)
        return check_format(c, n);
    if (function->op == P2E_CEL_MATCHES)
        return check_matches(c, n, function);
    return p2e_cel_apply(c, n, function);
}
