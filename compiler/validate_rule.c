// Rules out of annotations, and the expressions that they are made of.
#include <stdio.h>
#include <string.h>

#include "compiler/cel_checker.h"
#include "compiler/cel_view.h"
#include "compiler/validate_private.h"

typedef const struct p2e_validator validator;
typedef struct p2e_cel_expr expr;

int p2e_validate_out_of_memory(validator *v)
{
    return p2e_error_set(v->err, "out of memory: the schema has too many rules");
}

// ---- Expressions --------------------------------------------------------------------------------
static const struct p2e_cel_type bool_type = {.kind = P2E_CEL_BOOL};

static expr *make(validator *v, enum p2e_cel_op op, struct p2e_cel_type type, size_t arg_count)
{
    expr *e = p2e_arena_new(v->arena, expr);
    expr **args = p2e_arena_array(v->arena, arg_count, sizeof(*args));
    if (!e || !args) {
        p2e_validate_out_of_memory(v);
        return NULL;
    }
    *e = (expr){.op = op, .type = type, .args = args, .arg_count = arg_count};
    return e;
}

static expr *make_unary(validator *v, enum p2e_cel_op op, struct p2e_cel_type type, const expr *arg)
{
    expr *e = arg ? make(v, op, type, 1) : NULL;
    if (e)
        e->args[0] = (expr *)arg;
    return e;
}

static expr *make_binary(validator *v, enum p2e_cel_op op, struct p2e_cel_type type, const expr *a,
                         const expr *b)
{
    expr *e = a && b ? make(v, op, type, 2) : NULL;
    if (!e)
        return NULL;
    e->args[0] = (expr *)a;
    e->args[1] = (expr *)b;
    return e;
}

static expr *make_constant(validator *v, struct p2e_cel_type type, struct p2e_cel_value value)
{
    expr *e = make(v, P2E_CEL_CONST, type, 0);
    if (e)
        e->value = value;
    return e;
}

static expr *make_int(validator *v, int64_t value)
{
    return make_constant(v, (struct p2e_cel_type){.kind = P2E_CEL_INT},
                         (struct p2e_cel_value){.integer = value});
}

static expr *make_of_field(validator *v, enum p2e_cel_op op, struct p2e_cel_type type,
                           const expr *message, const struct p2e_field *field)
{
    expr *e = make_unary(v, op, type, message);
    if (e)
        e->field = field;
    return e;
}

const expr *p2e_validate_select(validator *v, const expr *message, const struct p2e_field *field)
{
    return make_of_field(v, P2E_CEL_SELECT, p2e_cel_type_of_field(field), message, field);
}

const expr *p2e_validate_has(validator *v, const expr *message, const struct p2e_field *field)
{
    return make_of_field(v, P2E_CEL_HAS, bool_type, message, field);
}

const expr *p2e_validate_element(validator *v, const struct p2e_scope *scope)
{
    expr *e = make(v, P2E_CEL_ELEMENT, p2e_cel_element_type(&scope->binder->args[0]->type), 0);
    if (e)
        e->binder = scope->binder;
    return e;
}

const expr *p2e_validate_view(validator *v, const expr *value)
{
    struct p2e_cel_checker checker = {.arena = v->arena, .err = v->err};
    expr *e = p2e_arena_new(v->arena, expr);
    if (!e) {
        p2e_validate_out_of_memory(v);
        return NULL;
    }
    *e = *value;
    return p2e_cel_view(&checker, e);
}

const expr *p2e_validate_not_zero(validator *v, const expr *value, int64_t zero)
{
    struct p2e_cel_value none = {.integer = zero};
    if (value->type.kind == P2E_CEL_STRING || value->type.kind == P2E_CEL_BYTES)
        none = (struct p2e_cel_value){.text = {.data = ""}};
    return make_binary(v, P2E_CEL_NE, bool_type, value, make_constant(v, value->type, none));
}

const char *p2e_validate_path(validator *v, const char *path, const char *name)
{
    size_t size = strlen(path) + strlen(name) + 2;
    char *joined = p2e_arena_array(v->arena, size, 1);
    if (!joined) {
        p2e_validate_out_of_memory(v);
        return NULL;
    }
    bool dot = path[0] && name[0] != '[';
    snprintf(joined, size, "%s%s%s", path, dot ? "." : "", name);
    return joined;
}

// ---- Rules --------------------------------------------------------------------------------------
// "price:double.gt", and of a whole message "order.total".
static const char *make_id(validator *v, const char *path, const char *id)
{
    size_t size = strlen(path) + strlen(id) + 2;
    char *joined = p2e_arena_array(v->arena, size, 1);
    if (!joined) {
        p2e_validate_out_of_memory(v);
        return NULL;
    }
    snprintf(joined, size, "%s%s%s", path, path[0] ? ":" : "", id);
    return joined;
}

static bool is_always_true(const expr *e)
{
    return e->op == P2E_CEL_CONST && e->value.boolean;
}

// Adds what has been checked, for where the spot's guard is true. Owns rule->cel.
static int add_guarded(validator *v, const struct p2e_spot *spot, struct p2e_plan_rule *rule)
{
    expr *root = rule->cel.root;
    if (is_always_true(root)) {
        p2e_cel_free(&rule->cel);
        return 0;
    }
    if (spot->guard) {
        root = make_binary(v, P2E_CEL_OR, bool_type,
                           make_unary(v, P2E_CEL_NOT, bool_type, spot->guard), root);
        if (!root) {
            p2e_cel_free(&rule->cel);
            return -1;
        }
        rule->cel.root = p2e_cel_fold(root);
    }
    return p2e_rules_add(v->rules, spot->scope, rule, v->err);
}

int p2e_validate_add(validator *v, const struct p2e_spot *spot,
                     const struct p2e_annotation *annotation)
{
    struct p2e_cel_name names[3] = {{"this", spot->value}};
    struct p2e_cel_context context = {.message = spot->owner,
                                      .schema = v->schema,
                                      .names = names,
                                      .name_count = 1,
                                      .raw = annotation->raw};
    struct p2e_plan_rule rule = {.id = make_id(v, spot->path, annotation->id),
                                 .expression = annotation->expression,
                                 .shown = annotation->shown,
                                 .message = annotation->message};
    if (!rule.id)
        return -1;
    if (annotation->rules)
        names[context.name_count++] = (struct p2e_cel_name){"rules", annotation->rules};
    if (annotation->rule)
        names[context.name_count++] = (struct p2e_cel_name){"rule", annotation->rule};
    if (p2e_cel_compile_in(rule.expression, &context, &rule.cel, v->err) < 0) {
        p2e_error_prefix(v->err, "rule \"%s\"", rule.id);
        return p2e_rules_refuse(v->rules, &rule, v->err);
    }
    return add_guarded(v, spot, &rule);
}

// A rule without a text of its own: `shown` tells what it is.
static int add_made(validator *v, const struct p2e_spot *spot, expr *root, const char *id,
                    const char *shown)
{
    struct p2e_plan_rule rule = {
        .cel = {.root = root}, .id = make_id(v, spot->path, id), .expression = shown};
    return root && rule.id ? add_guarded(v, spot, &rule) : -1;
}

// ---- What CEL does not say ----------------------------------------------------------------------
// At most one: has(a) ? 1 : 0, summed up, is 1 or less.
static expr *make_count(validator *v, const expr *message, const struct p2e_field *const *fields,
                        size_t count)
{
    struct p2e_cel_type type = {.kind = P2E_CEL_INT};
    expr *sum = make_int(v, 0);
    for (size_t i = 0; sum && i < count; i++) {
        expr *one = make(v, P2E_CEL_CONDITIONAL, type, 3);
        expr *has = (expr *)p2e_validate_has(v, message, fields[i]);
        if (!one || !has)
            return NULL;
        one->args[0] = has;
        one->args[1] = make_int(v, 1);
        one->args[2] = make_int(v, 0);
        sum = one->args[1] && one->args[2] ? make_binary(v, P2E_CEL_ADD, type, sum, one) : NULL;
    }
    return sum;
}

static expr *make_any(validator *v, const expr *message, const struct p2e_field *const *fields,
                      size_t count)
{
    expr *any = make(v, P2E_CEL_OR, bool_type, count);
    for (size_t i = 0; any && i < count; i++) {
        any->args[i] = (expr *)p2e_validate_has(v, message, fields[i]);
        if (!any->args[i])
            return NULL;
    }
    return any;
}

int p2e_validate_add_one_of(validator *v, const struct p2e_spot *spot,
                            const struct p2e_field *const *fields, size_t count, bool at_most,
                            const char *id)
{
    expr *root = at_most ? make_binary(v, P2E_CEL_LE, bool_type,
                                       make_count(v, spot->value, fields, count), make_int(v, 1))
                         : make_any(v, spot->value, fields, count);
    return add_made(v, spot, root, id,
                    at_most ? "at most one of its fields is set" : "one of its fields is set");
}

int p2e_validate_add_required(validator *v, const struct p2e_spot *spot,
                              const struct p2e_field *field)
{
    struct p2e_spot named = *spot;
    bool entry = field->parent->map_entry;
    named.path = p2e_validate_path(v, spot->path, entry ? "[value]" : field->name);
    expr *root = (expr *)p2e_validate_has(v, spot->value, field);
    return named.path ? add_made(v, &named, root, "required", "it is set") : -1;
}

int p2e_validate_add_defined(validator *v, const struct p2e_spot *spot,
                             const struct p2e_enum *enumeration)
{
    struct p2e_cel_type type = {.kind = P2E_CEL_LIST, .element = P2E_CEL_INT};
    expr *list = make(v, P2E_CEL_LIST_LITERAL, type, enumeration->value_count);
    for (size_t i = 0; list && i < enumeration->value_count; i++) {
        list->args[i] = make_int(v, enumeration->values[i].number);
        if (!list->args[i])
            return -1;
    }
    return add_made(v, spot, make_binary(v, P2E_CEL_IN, bool_type, spot->value, list),
                    "enum.defined_only", "it is a number of the enum");
}
