#include "compiler/cel_checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "compiler/cel_functions.h"
#include "compiler/cel_time.h"
#include "compiler/cel_view.h"

#define NAME_SIZE 256 // of a type, as an error shows it

typedef const struct p2e_cel_checker checker;
typedef const struct p2e_cel_node node;
typedef struct p2e_cel_expr expr;

#define fail  p2e_cel_fail
#define make  p2e_cel_make
#define check p2e_cel_check_node // recursion is as deep as the parser's tree, which is bounded

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

static struct p2e_cel_type scalar(enum p2e_cel_kind kind)
{
    return (struct p2e_cel_type){.kind = kind};
}

static bool is_number(const struct p2e_cel_type *type)
{
    return type->kind >= P2E_CEL_INT && type->kind <= P2E_CEL_DOUBLE;
}

static bool is_scalar(enum p2e_cel_kind kind)
{
    return kind <= P2E_CEL_DURATION;
}

// ---- Selection ----------------------------------------------------------------------------------

bool p2e_cel_is_special(const struct p2e_cel_type *type)
{
    static const char *const names[] = {
        "Any",        "BoolValue",  "BytesValue",  "DoubleValue", "Duration",
        "FloatValue", "Int32Value", "Int64Value",  "ListValue",   "StringValue",
        "Struct",     "Timestamp",  "UInt32Value", "UInt64Value", "Value",
    };
    static const char package[] = "google.protobuf.";
    if (type->kind != P2E_CEL_MESSAGE ||
        strncmp(type->message->full_name, package, strlen(package)) != 0)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(type->message->full_name + strlen(package), names[i]) == 0)
            return true;
    }
    return false;
}

static expr *special_message(checker *c, struct p2e_span span, const struct p2e_cel_type *type)
{
    bool viewed = p2e_cel_kind_of_message(type->message) != P2E_CEL_MESSAGE;
    return fail(c, span, "CEL does not see %s as a message with fields%s", type->message->full_name,
                viewed ? "; its value is this"
                       : ", and what it sees in it is not supported yet; has() is");
}

static const struct p2e_field *unknown_field(checker *c, const struct p2e_message *message, node *n)
{
    const char *near =
        p2e_nearest(n->name, message->fields, message->field_count, sizeof(message->fields[0]));
    if (near)
        fail(c, n->token, "unknown field \"%s\" in %s; did you mean \"%s\"?", n->name,
             message->full_name, near);
    else
        fail(c, n->token, "unknown field \"%s\" in %s", n->name, message->full_name);
    return NULL;
}

// The field that n selects of a value of type `type`; NULL is an error.
static const struct p2e_field *find_field(checker *c, const struct p2e_cel_type *type, node *n)
{
    char name[NAME_SIZE];
    p2e_cel_type_name(type, name, sizeof(name));
    if (n->optional) {
        fail(c, n->token, "optional values (a.?b) are not supported");
    } else if (type->kind == P2E_CEL_LIST) {
        fail(c, n->token,
             "a %s has no field \"%s\"; of a list, size(), all() and \"in\" are supported", name,
             n->name);
    } else if (p2e_cel_is_time(type->kind)) {
        fail(c, n->token, "a %s has no fields; write %s for its seconds", name,
             type->kind == P2E_CEL_TIMESTAMP ? "int(a)" : "a.getSeconds()");
    } else if (type->kind != P2E_CEL_MESSAGE) {
        fail(c, n->token, "the type %s has no field \"%s\"%s", name, n->name,
             strcmp(n->name, "value") == 0 ? "; a wrapper is its value, without a name" : "");
    } else if (p2e_cel_is_special(type) && !c->context->raw) {
        special_message(c, n->token, type);
    } else {
        const struct p2e_field *field = p2e_message_field(type->message, n->name);
        return field ? field : unknown_field(c, type->message, n);
    }
    return NULL;
}

static expr *select_found(checker *c, expr *operand, const struct p2e_field *field, node *n)
{
    expr *e = make(c, n, P2E_CEL_SELECT, p2e_cel_type_of_field(field), 1);
    if (!e)
        return NULL;
    e->type.dynamic = operand->type.dynamic;
    e->args[0] = operand;
    e->field = field;
    return operand->op == P2E_CEL_CONST ? p2e_cel_fold_select(c, e) : p2e_cel_view(c, e);
}

static expr *select_field(checker *c, expr *operand, node *n)
{
    if (operand->type.kind == P2E_CEL_MAP && !n->optional)
        return p2e_cel_select_key(c, n, operand);
    const struct p2e_field *field = find_field(c, &operand->type, n);
    return field ? select_found(c, operand, field, n) : NULL;
}

// ---- Names --------------------------------------------------------------------------------------

// False when n is not names with dots between them.
static bool collect_path(node *n, struct p2e_cel_path *path)
{
    path->count = n->depth;
    for (size_t i = path->count; i > 0; i--) {
        path->parts[i - 1] = n;
        if (n->optional || n->kind != (i > 1 ? P2E_NODE_SELECT : P2E_NODE_IDENT))
            return false;
        n = i > 1 ? n->args[0] : NULL;
    }
    return true;
}

static bool is_this(node *n)
{
    return strcmp(n->name, "this") == 0;
}

static const struct p2e_cel_variable *find_variable_named(checker *c, const char *name)
{
    for (const struct p2e_cel_variable *v = c->variables; v; v = v->outer) {
        if (strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

// One of the rule's own names, whatever macros call by that name.
static const struct p2e_cel_variable *find_outermost(checker *c, const char *name)
{
    const struct p2e_cel_variable *v = c->variables;
    for (size_t i = 0; i < c->context->name_count; i++) {
        while (v && v->value != c->context->names[i].value)
            v = v->outer;
        if (v && strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

static const struct p2e_cel_variable *find_variable(checker *c, node *n)
{
    return n->absolute ? find_outermost(c, n->name) : find_variable_named(c, n->name);
}

static expr *make_variable(checker *c, node *n, const struct p2e_cel_variable *variable)
{
    expr *e = make(c, n, variable->value->op, variable->value->type, 0);
    if (!e)
        return NULL;
    *e = *variable->value;
    e->span = n->span;
    e->token = n->token;
    return p2e_cel_view(c, e);
}

// `this` where the bare name is a field of it, else NULL.
static const struct p2e_cel_variable *find_bare(checker *c, node *n)
{
    bool bare = c->context->bare && !n->absolute && p2e_message_field(c->message, n->name);
    return bare ? find_variable_named(c, "this") : NULL;
}

// The time at which a message is judged; a field may have this name, too.
static bool is_now(checker *c, node *n)
{
    return strcmp(n->name, "now") == 0 && !find_variable(c, n) && !find_bare(c, n);
}

// A variable, a field of `this`, or `now`; NULL when the name is none.
static expr *check_root(checker *c, node *n, bool *found)
{
    const struct p2e_cel_variable *variable = find_variable(c, n);
    const struct p2e_cel_variable *bare = variable ? NULL : find_bare(c, n);
    *found = variable || bare || is_now(c, n);
    if (variable)
        return make_variable(c, n, variable);
    if (!bare && *found)
        return make(c, n, P2E_CEL_NOW, scalar(P2E_CEL_TIMESTAMP), 0);
    expr *this = bare ? make_variable(c, n, bare) : NULL;
    return this ? select_field(c, this, n) : NULL;
}

// Are all of the path's names fields, one of the other?
static bool is_field_path(checker *c, const struct p2e_cel_path *path)
{
    const struct p2e_message *message = c->context->bare ? c->message : NULL;
    for (size_t i = is_this(path->parts[0]); i < path->count; i++) {
        const struct p2e_field *field =
            message ? p2e_message_field(message, path->parts[i]->name) : NULL;
        if (!field)
            return false;
        message = field->repeated ? NULL : field->message;
    }
    return true;
}

static expr *check_enum_value(checker *c, node *n, const struct p2e_cel_path *path,
                              const struct p2e_enum_value *value)
{
    if (!path->parts[0]->absolute && is_field_path(c, path))
        return fail(c, n->span,
                    "this is a field and an enum value; write this.%s for the field, "
                    "or the enum's full name with a dot before it",
                    path->parts[0]->name);
    expr *e = make(c, n, P2E_CEL_CONST, scalar(P2E_CEL_INT), 0);
    if (e)
        e->value.integer = value->number;
    return e;
}

static expr *check_path(checker *c, node *n, const struct p2e_cel_path *path)
{
    bool bound = !is_this(path->parts[0]) && find_variable(c, path->parts[0]);
    const struct p2e_enum_value *value = bound ? NULL : p2e_cel_enum_value(c, path);
    if (value)
        return check_enum_value(c, n, path, value);

    bool found;
    expr *e = check_root(c, path->parts[0], &found);
    if (!found)
        p2e_cel_unknown_name(c, path);
    for (size_t i = 1; e && i < path->count; i++)
        e = select_field(c, e, path->parts[i]);
    return e;
}

static expr *check_name(checker *c, node *n)
{
    struct p2e_cel_path path;
    if (collect_path(n, &path))
        return check_path(c, n, &path);
    expr *operand = check(c, n->args[0]);
    return operand ? select_field(c, operand, n) : NULL;
}

static expr *make_has(checker *c, node *n, expr *operand, const struct p2e_field *field)
{
    expr *e = make(c, n, P2E_CEL_HAS, scalar(P2E_CEL_BOOL), 1);
    if (!e)
        return NULL;
    e->args[0] = operand;
    e->field = field;
    if (operand->op != P2E_CEL_CONST)
        return e;
    bool value = p2e_dynamic_has(operand->value.message, field);
    return p2e_cel_become(e, (struct p2e_cel_value){.boolean = value});
}

// has(a.b), and has(b) for has(this.b).
static expr *check_has(checker *c, node *n)
{
    if (n->arg_count != 1)
        return fail(c, n->token, "has() takes one argument, a field: has(this.field)");
    node *arg = n->args[0];
    bool ident = arg->kind == P2E_NODE_IDENT && !find_variable(c, arg);
    const struct p2e_cel_variable *bare = ident ? find_bare(c, arg) : NULL;
    if ((!ident && arg->kind != P2E_NODE_SELECT) || (ident && is_now(c, arg)))
        return fail(c, arg->span, "has() takes a field: has(this.field)");
    if (ident && !bare)
        return check_name(c, arg);

    expr *operand = bare ? make_variable(c, arg, bare) : check(c, arg->args[0]);
    if (operand && operand->type.kind == P2E_CEL_MAP && !arg->optional)
        return p2e_cel_has_key(c, n, arg, operand);
    const struct p2e_field *field = operand ? find_field(c, &operand->type, arg) : NULL;
    return field ? make_has(c, n, operand, field) : NULL;
}

// ---- Operators and functions with overloads -----------------------------------------------------

static bool is_supported(const struct p2e_cel_overload *overload)
{
    return overload && !overload->refusal;
}

// Points at the literal that would have to be written otherwise, and says how. False when there is
// none.
static bool offer_rewrite(checker *c, node *const *nodes, expr *const *args, const char *sentence,
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
static const char *mismatch_hint(const struct p2e_cel_type *a, const struct p2e_cel_type *b)
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
                    mismatch_hint(first, first));

    p2e_cel_type_name(&args[1]->type, names[1], NAME_SIZE);
    snprintf(sentence, sizeof(sentence), "%s cannot be applied to %s and %s", function->name,
             names[0], names[1]);
    node *const nodes[] = {n->args[0], n->args[1]};
    if (!offer_rewrite(c, nodes, args, sentence, function))
        fail(c, n->token, "%s%s", sentence, mismatch_hint(first, &args[1]->type));
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
static bool are_comparable(const struct p2e_cel_type *a, const struct p2e_cel_type *b)
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
    if (function->shape == P2E_SHAPE_EQUALITY && are_comparable(&types[0], &types[1]))
        types[1] = types[0];
    const struct p2e_cel_overload *overload = p2e_cel_overload(function, types);
    if (!overload)
        return no_overload(c, n, function, args);
    if (overload->refusal)
        return fail(c, is_time_text(overload, args[0]) ? args[0]->span : n->token, "%s",
                    overload->refusal);
    return build(c, n, function, overload->result, args);
}

static bool is_time_part(const struct p2e_cel_function *function)
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
    return index == 1 && is_time_part(function) ? check_zone(c, n->args[index])
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

static expr *apply(checker *c, node *n, const struct p2e_cel_function *function)
{
    expr *args[2] = {0};
    for (size_t i = 0; i < function->arg_count; i++) {
        args[i] = check_argument(c, n, function, i);
        if (!args[i])
            return NULL;
        if (p2e_cel_is_special(&args[i]->type))
            return special_message(c, args[i]->span, &args[i]->type);
    }
    if (function->shape == P2E_SHAPE_EQUALITY && (is_null(args[0]) || is_null(args[1])))
        return apply_to_null(c, n, function->op, args);
    if (is_time_part(function) && args[0]->type.kind == P2E_CEL_DURATION && n->arg_count > 1)
        return fail(c, n->args[1]->span, "a duration has no time zone");
    return apply_to(c, n, function, args);
}

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
        e->args[i + 1] = check(c, values->args[i]);
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
    return select_field(c, message, &select);
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
    expr *e = apply(c, n, function);
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
        special_message(c, arg->span, &arg->type);
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
    bool optional = function->op == P2E_CEL_IS_INF || is_time_part(function);
    return arg_count == function->arg_count || (optional && arg_count == 1);
}

static const char *arguments_of(const struct p2e_cel_function *function)
{
    if (function->op == P2E_CEL_IS_INF)
        return "at most one argument, the sign of what it looks for: 1, -1 or 0";
    if (is_time_part(function))
        return "at most one argument, a time zone: \"UTC\" or \"+02:00\"";
    if (function->op == P2E_CEL_CONVERT)
        return "one value";
    if (function->method_only)
        return function->arg_count == 1 ? "no argument" : "one argument";
    return function->op == P2E_CEL_MATCHES ? "a string and a pattern: a.matches(b)"
                                           : "one value: size(a) or a.size()";
}

static expr *check_call(checker *c, node *n)
{
    const struct p2e_cel_function *function = p2e_cel_function(n->name);
    if (!function)
        return unknown_function(c, n);
    if (function->refusal)
        return fail(c, n->token, "%s() is not supported: %s", n->name, function->refusal);
    if (function->method_only && !n->receiver)
        return fail(c, n->token, "%s() is called on a value: a.%s(b)", n->name, n->name);
    if (function->op == P2E_CEL_HAS)
        return check_has(c, n);
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
    return apply(c, n, function);
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
        if (!offer_rewrite(c, nodes, branches, sentence, NULL))
            fail(c, n->token, "%s%s", sentence, mismatch_hint(a, b));
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

// ---- in -----------------------------------------------------------------------------------------

static bool same_kind(checker *c, node *n, expr *element, node *item_node, expr *item)
{
    char names[2][NAME_SIZE], sentence[3 * NAME_SIZE];
    if (element->type.kind == item->type.kind || are_comparable(&element->type, &item->type))
        return true;
    p2e_cel_type_name(&element->type, names[0], NAME_SIZE);
    p2e_cel_type_name(&item->type, names[1], NAME_SIZE);
    snprintf(sentence, sizeof(sentence), "%s cannot be in a list that holds %s", names[0],
             names[1]);
    node *const nodes[] = {n->args[0], item_node};
    expr *const args[] = {element, item};
    if (!offer_rewrite(c, nodes, args, sentence, NULL))
        fail(c, item_node->span, "%s%s", sentence, mismatch_hint(&element->type, &item->type));
    return false;
}

// A map with the same key twice is an error: whether it has must be known now.
static expr *check_keys_differ(checker *c, node *map, expr *keys)
{
    expr *e = make(c, map, P2E_CEL_UNIQUE, scalar(P2E_CEL_BOOL), 1);
    if (!e)
        return NULL;
    e->args[0] = keys;
    e = p2e_cel_fold(e);
    if (e->op != P2E_CEL_CONST)
        return fail(c, map->span, "the keys of a map in braces are constants here");
    return e->value.boolean ? keys : fail(c, map->span, "the map has a key twice");
}

// [a, b], or the keys of {a: x, b: y}. The values of a map have to be right, too.
static expr *check_list_literal(checker *c, node *n, expr *element)
{
    node *list = n->args[1];
    size_t step = list->kind == P2E_NODE_MAP ? 2 : 1;
    struct p2e_cel_type type = {.kind = P2E_CEL_LIST, .element = element->type.kind};
    expr *e = make(c, list, P2E_CEL_LIST_LITERAL, type, list->arg_count / step);
    for (size_t i = 0; e && i < list->arg_count; i++) {
        if (list->args[i]->optional)
            return fail(c, list->args[i]->span, "optional values ([?a]) are not supported");
        expr *item = check(c, list->args[i]);
        if (!item)
            return NULL;
        if (i % step > 0 && item->op != P2E_CEL_CONST)
            return fail(c, list->args[i]->span,
                        "the values of a map in braces are constants here; only its keys count");
        if (i % step == 0 && !same_kind(c, n, element, list->args[i], item))
            return NULL;
        e->args[i / step] = i % step == 0 ? item : e->args[i / step];
    }
    return e && step == 2 ? check_keys_differ(c, list, e) : e;
}

// key in map
static expr *check_map_key(checker *c, node *n, expr *key, expr *map)
{
    char names[2][NAME_SIZE], offer[P2E_CEL_OFFER_SIZE];
    struct p2e_cel_type wanted = p2e_cel_type_of_field(&map->type.message->fields[0]);
    if (wanted.kind == key->type.kind)
        return map;
    p2e_cel_type_name(&key->type, names[0], NAME_SIZE);
    p2e_cel_type_name(&map->type, names[1], NAME_SIZE);
    if (p2e_cel_offer_literal(c, n->args[0], wanted.kind, offer))
        return fail(c, n->args[0]->span, "%s is no key of a %s; write %s", names[0], names[1],
                    offer);
    return fail(c, n->token, "%s is no key of a %s", names[0], names[1]);
}

static expr *check_list(checker *c, node *n, expr *element)
{
    char names[2][NAME_SIZE];
    expr *list = check(c, n->args[1]);
    if (!list)
        return NULL;
    p2e_cel_type_name(&element->type, names[0], NAME_SIZE);
    p2e_cel_type_name(&list->type, names[1], NAME_SIZE);
    if (list->type.kind == P2E_CEL_MAP)
        return check_map_key(c, n, element, list);
    if (list->type.kind == P2E_CEL_STRING || list->type.kind == P2E_CEL_BYTES)
        return fail(c, n->token, "\"in\" looks into a list, not into %s; write a.contains(b)",
                    names[1]);
    if (list->type.kind != P2E_CEL_LIST)
        return fail(c, n->token, "\"in\" looks into a list, not into %s", names[1]);
    if (list->type.element == element->type.kind || p2e_cel_is_empty_list(list))
        return list;

    char offer[P2E_CEL_OFFER_SIZE];
    if (p2e_cel_offer_enum(c, n->args[0], list, offer) ||
        p2e_cel_offer_literal(c, n->args[0], list->type.element, offer))
        return fail(c, n->args[0]->span, "%s cannot be in a %s; write %s", names[0], names[1],
                    offer);
    return fail(c, n->token, "%s cannot be in a %s", names[0], names[1]);
}

static expr *check_in(checker *c, node *n)
{
    char name[NAME_SIZE];
    expr *element = check(c, n->args[0]);
    if (!element)
        return NULL;
    if (!is_scalar(element->type.kind))
        return fail(c, n->args[0]->span, "\"in\" looks for a scalar, not for %s",
                    p2e_cel_type_name(&element->type, name, sizeof(name)));
    bool literal = n->args[1]->kind == P2E_NODE_LIST || n->args[1]->kind == P2E_NODE_MAP;
    expr *list = literal ? check_list_literal(c, n, element) : check_list(c, n, element);
    expr *e = list ? make(c, n, P2E_CEL_IN, scalar(P2E_CEL_BOOL), 2) : NULL;
    if (!e)
        return NULL;
    e->args[0] = element;
    e->args[1] = list;
    if (list->type.kind == P2E_CEL_LIST && list->type.message && list->op == P2E_CEL_SELECT)
        return p2e_cel_look_up(c, e);
    return p2e_cel_fold(e);
}

// ---- Types as values ----------------------------------------------------------------------------

static bool is_type_call(node *n)
{
    return n->kind == P2E_NODE_CALL && !n->receiver && n->arg_count == 1 &&
           strcmp(n->name, "type") == 0;
}

// The type that `n` names, NULL when it is a value. A field or a variable goes first.
static const char *named_type(checker *c, node *n)
{
    struct p2e_cel_path path;
    if (!collect_path(n, &path) || find_variable(c, path.parts[0]) ||
        (!path.parts[0]->absolute && p2e_message_field(c->message, path.parts[0]->name)))
        return NULL;
    return p2e_cel_type_named(c, &path);
}

static bool is_type(checker *c, node *n)
{
    return is_type_call(n) || named_type(c, n);
}

// The name of the type that `n` is; NULL is an error.
static const char *check_type(checker *c, node *n)
{
    if (!is_type_call(n)) {
        const char *name = named_type(c, n);
        if (!name)
            fail(c, n->span, "a type is compared with a type alone: type(a) == int");
        return name;
    }
    if (is_type(c, n->args[0]))
        return check_type(c, n->args[0]) ? P2E_CEL_TYPE_OF_TYPES : NULL;
    expr *e = check(c, n->args[0]);
    if (!e)
        return NULL;
    const char *name = p2e_cel_is_plain(e) ? p2e_cel_type_of(e) : NULL;
    if (!name)
        fail(c, n->span,
             "type() is judged only of a field or a constant that has one type, whatever is sent");
    return name;
}

// type(a) == int
static expr *check_type_test(checker *c, node *n)
{
    const char *a = check_type(c, n->args[0]), *b = a ? check_type(c, n->args[1]) : NULL;
    expr *e = b ? make(c, n, P2E_CEL_CONST, scalar(P2E_CEL_BOOL), 0) : NULL;
    if (e)
        e->value.boolean = (strcmp(a, b) == 0) == (n->op == P2E_CEL_EQ);
    return e;
}

static bool is_type_test(checker *c, node *n)
{
    return (n->op == P2E_CEL_EQ || n->op == P2E_CEL_NE) &&
           (is_type(c, n->args[0]) || is_type(c, n->args[1]));
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
        return check_in(c, n);
    default:
        return is_type_test(c, n) ? check_type_test(c, n) : apply(c, n, p2e_cel_operator(n->op));
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
        return check_name(c, n);
    case P2E_NODE_CALL:
        return check_call(c, n);
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
