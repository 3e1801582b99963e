// Names and selections: what of the message a rule looks at.
#include <string.h>

#include "base/nearest.h"
#include "compiler/cel_short.h"
#include "compiler/cel_time.h"
#include "compiler/cel_view.h"

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

expr *p2e_cel_special_message(checker *c, struct p2e_span span, const struct p2e_cel_type *type)
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
        p2e_cel_special_message(c, n->token, type);
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

expr *p2e_cel_select_field(checker *c, expr *operand, node *n)
{
    if (operand->type.kind == P2E_CEL_MAP && !n->optional)
        return p2e_cel_select_key(c, n, operand);
    const struct p2e_field *field = find_field(c, &operand->type, n);
    return field ? select_found(c, operand, field, n) : NULL;
}

// ---- Names --------------------------------------------------------------------------------------

// False when n is not names with dots between them.
bool p2e_cel_collect_path(node *n, struct p2e_cel_path *path)
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

const struct p2e_cel_variable *p2e_cel_find_variable(checker *c, node *n)
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
    return strcmp(n->name, "now") == 0 && !p2e_cel_find_variable(c, n) && !find_bare(c, n);
}

// A variable, a field of `this`, or `now`; NULL when the name is none.
static expr *check_root(checker *c, node *n, bool *found)
{
    const struct p2e_cel_variable *variable = p2e_cel_find_variable(c, n);
    const struct p2e_cel_variable *bare = variable ? NULL : find_bare(c, n);
    *found = variable || bare || is_now(c, n);
    if (variable)
        return make_variable(c, n, variable);
    if (!bare && *found)
        return make(c, n, P2E_CEL_NOW, scalar(P2E_CEL_TIMESTAMP), 0);
    expr *this = bare ? make_variable(c, n, bare) : NULL;
    return this ? p2e_cel_select_field(c, this, n) : NULL;
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
    bool bound = !is_this(path->parts[0]) && p2e_cel_find_variable(c, path->parts[0]);
    const struct p2e_enum_value *value = bound ? NULL : p2e_cel_enum_value(c, path);
    if (value)
        return check_enum_value(c, n, path, value);

    bool found;
    expr *e = check_root(c, path->parts[0], &found);
    if (!found)
        p2e_cel_unknown_name(c, path);
    for (size_t i = 1; e && i < path->count; i++)
        e = p2e_cel_select_field(c, e, path->parts[i]);
    return e;
}

expr *p2e_cel_check_name(checker *c, node *n)
{
    struct p2e_cel_path path;
    if (p2e_cel_collect_path(n, &path))
        return check_path(c, n, &path);
    expr *operand = check(c, n->args[0]);
    return operand ? p2e_cel_select_field(c, operand, n) : NULL;
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
expr *p2e_cel_check_has(checker *c, node *n)
{
    if (n->arg_count != 1)
        return fail(c, n->token, "has() takes one argument, a field: has(this.field)");
    node *arg = n->args[0];
    bool ident = arg->kind == P2E_NODE_IDENT && !p2e_cel_find_variable(c, arg);
    const struct p2e_cel_variable *bare = ident ? find_bare(c, arg) : NULL;
    if ((!ident && arg->kind != P2E_NODE_SELECT) || (ident && is_now(c, arg)))
        return fail(c, arg->span, "has() takes a field: has(this.field)");
    if (ident && !bare)
        return p2e_cel_check_name(c, arg);

    expr *operand = bare ? make_variable(c, arg, bare) : check(c, arg->args[0]);
    if (operand && operand->type.kind == P2E_CEL_MAP && !arg->optional)
        return p2e_cel_has_key(c, n, arg, operand);
    const struct p2e_field *field = operand ? find_field(c, &operand->type, arg) : NULL;
    return field ? make_has(c, n, operand, field) : NULL;
}
