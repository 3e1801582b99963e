// Fields of constant messages: what an annotation says.
#include "compiler/cel_checker.h"

typedef const struct p2e_cel_checker checker;
typedef struct p2e_cel_expr expr;

static struct p2e_cel_value value_of(const struct p2e_field *field, union p2e_dynamic_value found)
{
    switch (p2e_cel_type_of_field(field).kind) {
    case P2E_CEL_BOOL:
        return (struct p2e_cel_value){.boolean = found.boolean};
    case P2E_CEL_DOUBLE:
        return (struct p2e_cel_value){.real = found.real};
    case P2E_CEL_STRING:
    case P2E_CEL_BYTES:
        return (struct p2e_cel_value){.text = {found.text.data, found.text.size}};
    case P2E_CEL_MESSAGE:
        return (struct p2e_cel_value){.message = found.message};
    default:
        return (struct p2e_cel_value){.uinteger = found.uinteger};
    }
}

// `like` as a constant of this field's type, one element of it where it is repeated.
static void become(expr *e, const struct p2e_field *field, union p2e_dynamic_value value)
{
    struct p2e_field single = *field;
    single.repeated = false;
    e->type = p2e_cel_type_of_field(&single);
    p2e_cel_become(e, value_of(&single, value));
}

static int become_list(expr *e, struct p2e_arena *arena, const struct p2e_field *field,
                       const struct p2e_dynamic *message)
{
    size_t count = p2e_dynamic_size(message, field);
    expr **items = p2e_arena_array(arena, count, sizeof(*items));
    expr *nodes = p2e_arena_array(arena, count, sizeof(*nodes));
    if (!items || !nodes)
        return -1;
    for (size_t i = 0; i < count; i++) {
        nodes[i] = *e;
        become(&nodes[i], field, p2e_dynamic_at(message, field, i));
        items[i] = &nodes[i];
    }
    e->op = P2E_CEL_LIST_LITERAL;
    e->type = p2e_cel_type_of_field(field);
    e->args = items;
    e->arg_count = count;
    return 0;
}

int p2e_cel_constant(const struct p2e_dynamic *message, const struct p2e_field *field,
                     struct p2e_arena *arena, expr *e)
{
    if (field->repeated)
        return become_list(e, arena, field, message);
    become(e, field, p2e_dynamic_get(message, field));
    return 0;
}

expr *p2e_cel_fold_select(checker *c, expr *e)
{
    if (e->field->map)
        return p2e_cel_fail(c, e->span, "maps of a rule's own values are not supported");
    if (p2e_cel_constant(e->args[0]->value.message, e->field, c->arena, e) == 0)
        return e;
    p2e_error_set(c->err, "out of memory: the expression is too large");
    return NULL;
}
