#include "compiler/cel_view.h"

#include <string.h>

typedef const struct p2e_cel_checker checker;
typedef struct p2e_cel_expr expr;

// ---- Nodes --------------------------------------------------------------------------------------

// A node in the place of `e`.
static expr *make(checker *c, const expr *e, enum p2e_cel_op op, enum p2e_cel_kind kind,
                  size_t arg_count)
{
    expr *made = p2e_arena_new(c->arena, expr);
    expr **args = p2e_arena_array(c->arena, arg_count, sizeof(*args));
    if (!made || !args) {
        p2e_error_set(c->err, "out of memory: the expression is too large");
        return NULL;
    }
    *made = (expr){.op = op,
                   .type = {.kind = kind, .dynamic = e->type.dynamic},
                   .span = e->span,
                   .token = e->token,
                   .args = args,
                   .arg_count = arg_count};
    return made;
}

static expr *select_from(checker *c, expr *message, const struct p2e_field *field)
{
    expr *e = make(c, message, P2E_CEL_SELECT, p2e_cel_type_of_field(field).kind, 1);
    if (!e)
        return NULL;
    e->args[0] = message;
    e->field = field;
    return e;
}

// ---- What is seen -------------------------------------------------------------------------------

const struct p2e_field *p2e_cel_wrapped(const struct p2e_message *message)
{
    static const struct {
        const char *name;
        enum p2e_type type;
    } wrappers[] = {
        {"BoolValue", P2E_TYPE_BOOL},     {"BytesValue", P2E_TYPE_BYTES},
        {"DoubleValue", P2E_TYPE_DOUBLE}, {"FloatValue", P2E_TYPE_FLOAT},
        {"Int32Value", P2E_TYPE_INT32},   {"Int64Value", P2E_TYPE_INT64},
        {"StringValue", P2E_TYPE_STRING}, {"UInt32Value", P2E_TYPE_UINT32},
        {"UInt64Value", P2E_TYPE_UINT64},
    };
    static const char package[] = "google.protobuf.";
    if (strncmp(message->full_name, package, strlen(package)) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        if (strcmp(message->full_name + strlen(package), wrappers[i].name) != 0)
            continue;
        const struct p2e_field *value = p2e_message_field(message, "value");
        return value && value->type == wrappers[i].type && !value->repeated ? value : NULL;
    }
    return NULL;
}

static expr *view_time(checker *c, expr *message, enum p2e_cel_kind kind)
{
    const struct p2e_message *type = message->type.message;
    expr *e = make(c, message, P2E_CEL_TIME, kind, 2);
    if (!e)
        return NULL;
    e->args[0] = select_from(c, message, p2e_message_field(type, "seconds"));
    e->args[1] = select_from(c, message, p2e_message_field(type, "nanos"));
    return e->args[0] && e->args[1] ? e : NULL;
}

// Only a field can be unset: the message that a rule is about is there, and so is an element.
static expr *view_wrapper(checker *c, expr *message)
{
    expr *value = select_from(c, message, p2e_cel_wrapped(message->type.message));
    if (!value || message->op != P2E_CEL_SELECT)
        return value;
    expr *e = make(c, message, P2E_CEL_UNWRAP, value->type.kind, 2);
    expr *set = make(c, message, P2E_CEL_HAS, P2E_CEL_BOOL, 1);
    if (!e || !set)
        return NULL;
    set->args[0] = message->args[0];
    set->field = message->field;
    e->args[0] = value;
    e->args[1] = set;
    return e;
}

expr *p2e_cel_view(checker *c, expr *e)
{
    if (!e || !e->type.message || e->type.kind == P2E_CEL_LIST || e->type.kind == P2E_CEL_MAP)
        return e;
    enum p2e_cel_kind kind = p2e_cel_kind_of_message(e->type.message);
    e->type.kind = P2E_CEL_MESSAGE;
    if (kind == P2E_CEL_MESSAGE)
        return e;
    return p2e_cel_wrapped(e->type.message) ? view_wrapper(c, e) : view_time(c, e, kind);
}

// ---- Lists --------------------------------------------------------------------------------------

expr *p2e_cel_look_up(checker *c, expr *in)
{
    expr *constant = in->args[0], *list = in->args[1];
    if (constant->op != P2E_CEL_CONST) {
        p2e_error_at(c->err, c->text, constant->span,
                     "only a constant can be looked up in a repeated field: its elements are "
                     "judged as they pass, before the other fields are known");
        return NULL;
    }
    expr *equal = make(c, in, P2E_CEL_EQ, P2E_CEL_BOOL, 2);
    expr *element = make(c, in, P2E_CEL_ELEMENT, list->type.element, 0);
    if (!equal || !element)
        return NULL;
    element->type.message = list->type.message;
    element->binder = in;
    in->op = P2E_CEL_EXISTS;
    in->args[0] = list;
    in->args[1] = equal;
    equal->args[0] = p2e_cel_view(c, element);
    equal->args[1] = constant;
    return equal->args[0] ? in : NULL;
}

// ---- null ---------------------------------------------------------------------------------------

bool p2e_cel_is_plain(const expr *e)
{
    switch (e->op) {
    case P2E_CEL_CONST:
    case P2E_CEL_THIS:
    case P2E_CEL_ELEMENT:
    case P2E_CEL_SELECT:
    case P2E_CEL_HAS:
    case P2E_CEL_TIME:
    case P2E_CEL_NOW:
        return true;
    default:
        return false;
    }
}

expr *p2e_cel_null_test(checker *c, expr *equality)
{
    bool wanted = equality->op == P2E_CEL_EQ;
    const expr *e = equality->args[equality->args[0]->type.kind == P2E_CEL_NULL];
    if (e->op == P2E_CEL_UNWRAP) {
        equality->op = P2E_CEL_NOT;
        equality->args[0] = e->args[1];
        equality->arg_count = 1;
        return wanted ? equality : e->args[1];
    }
    if (e->type.kind != P2E_CEL_NULL && !p2e_cel_is_plain(e)) {
        p2e_error_at(c->err, c->text, equality->token,
                     "this is never null: a comparison with null is for wrappers, such as "
                     "google.protobuf.Int32Value");
        return NULL;
    }
    return p2e_cel_become(
        equality, (struct p2e_cel_value){.boolean = (e->type.kind == P2E_CEL_NULL) == wanted});
}
