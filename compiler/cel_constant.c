// Fields of constant messages: what an annotation says.
#include "compiler/cel_checker.h"
#include "compiler/cel_time.h"
#include "compiler/cel_view.h"

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

static struct p2e_cel_value time_of(const struct p2e_message *type, const struct p2e_dynamic *time)
{
    const struct p2e_field *seconds = p2e_message_field(type, "seconds");
    const struct p2e_field *nanos = p2e_message_field(type, "nanos");
    return (struct p2e_cel_value){.time = {p2e_dynamic_get(time, seconds).integer,
                                           (int32_t)p2e_dynamic_get(time, nanos).integer}};
}

// *e as a constant: one value of the field, of which `set` says whether it is there.
static void become(expr *e, const struct p2e_field *field, union p2e_dynamic_value value, bool set)
{
    struct p2e_field single = *field;
    single.repeated = false;
    e->type = p2e_cel_type_of_field(&single);
    const struct p2e_field *wrapped = field->message ? p2e_cel_wrapped(field->message) : NULL;
    if (p2e_cel_is_time(e->type.kind)) {
        p2e_cel_become(e, time_of(field->message, value.message));
    } else if (wrapped && !set) {
        e->type = (struct p2e_cel_type){.kind = P2E_CEL_NULL};
        p2e_cel_become(e, (struct p2e_cel_value){0});
    } else if (wrapped) {
        e->type.message = NULL;
        p2e_cel_become(e, value_of(wrapped, p2e_dynamic_get(value.message, wrapped)));
    } else {
        p2e_cel_become(e, value_of(&single, value));
    }
    if (e->type.kind != P2E_CEL_MESSAGE)
        e->type.message = NULL;
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
        become(&nodes[i], field, p2e_dynamic_at(message, field, i), true);
        items[i] = &nodes[i];
    }
    e->op = P2E_CEL_LIST_LITERAL;
    e->type = p2e_cel_type_of_field(field);
    if (e->type.element != P2E_CEL_MESSAGE)
        e->type.message = NULL;
    e->args = items;
    e->arg_count = count;
    return 0;
}

int p2e_cel_constant(const struct p2e_dynamic *message, const struct p2e_field *field,
                     struct p2e_arena *arena, expr *e)
{
    if (field->repeated)
        return become_list(e, arena, field, message);
    become(e, field, p2e_dynamic_get(message, field), p2e_dynamic_has(message, field));
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
