// Lists in brackets, and values by index and key.
#include <string.h>

#include "compiler/cel_checker.h"
#include "compiler/cel_view.h"

#define fail  p2e_cel_fail
#define make  p2e_cel_make
#define check p2e_cel_check_node

typedef const struct p2e_cel_checker checker;
typedef const struct p2e_cel_node node;
typedef struct p2e_cel_expr expr;

// ---- Lists in brackets --------------------------------------------------------------------------

struct p2e_cel_type p2e_cel_element_type(const struct p2e_cel_type *list)
{
    if (list->kind == P2E_CEL_MESSAGE) // one of its kind
        return *list;
    if (list->kind == P2E_CEL_MAP)
        return (struct p2e_cel_type){.kind = P2E_CEL_MESSAGE, .message = list->message};
    return (struct p2e_cel_type){.kind = list->element, .message = list->message};
}

bool p2e_cel_is_empty_list(const expr *e)
{
    return e->op == P2E_CEL_LIST_LITERAL && e->arg_count == 0;
}

static bool is_item(enum p2e_cel_kind kind)
{
    return kind != P2E_CEL_LIST && kind != P2E_CEL_MAP && kind != P2E_CEL_NULL;
}

static expr *check_item(checker *c, node *list, size_t index)
{
    if (list->args[index]->optional)
        return fail(c, list->args[index]->span, "optional values ([?a]) are not supported");
    expr *item = check(c, list->args[index]);
    if (item && !is_item(item->type.kind))
        return fail(c, list->args[index]->span, "lists and maps within a list are not supported");
    return item;
}

expr *p2e_cel_check_list(checker *c, node *n)
{
    char names[2][P2E_CEL_NAME_SIZE];
    struct p2e_cel_type type = {.kind = P2E_CEL_LIST, .element = P2E_CEL_NULL};
    expr *e = make(c, n, P2E_CEL_LIST_LITERAL, type, n->arg_count);
    for (size_t i = 0; e && i < n->arg_count; i++) {
        expr *item = e->args[i] = check_item(c, n, i);
        if (!item)
            return NULL;
        if (i == 0) {
            e->type.element = item->type.kind;
            e->type.message = item->type.message;
        }
        if (item->type.kind != e->args[0]->type.kind)
            return fail(c, n->args[i]->span,
                        "the values of a list have one type here, not %s and %s",
                        p2e_cel_type_name(&e->args[0]->type, names[0], P2E_CEL_NAME_SIZE),
                        p2e_cel_type_name(&item->type, names[1], P2E_CEL_NAME_SIZE));
    }
    return e;
}

static bool is_constant_list(const expr *e)
{
    if (e->op != P2E_CEL_LIST_LITERAL)
        return false;
    for (size_t i = 0; i < e->arg_count; i++) {
        if (e->args[i]->op != P2E_CEL_CONST)
            return false;
    }
    return true;
}

static bool is_scalar(enum p2e_cel_kind kind)
{
    return kind <= P2E_CEL_BYTES;
}

bool p2e_cel_is_list_test(expr *const args[2])
{
    const expr *a = args[0], *b = args[1];
    if (a->type.kind != P2E_CEL_LIST || b->type.kind != P2E_CEL_LIST)
        return false;
    if ((!is_constant_list(a) && !is_constant_list(b)) || a->type.message || b->type.message)
        return false;
    bool same = is_scalar(a->type.element) && a->type.element == b->type.element;
    return same || p2e_cel_is_empty_list(a) || p2e_cel_is_empty_list(b);
}

// ---- By index, by key ---------------------------------------------------------------------------

// Are they the same place in the message?
static bool same_path(const expr *a, const expr *b)
{
    while (a->op == P2E_CEL_SELECT && b->op == P2E_CEL_SELECT && a->field == b->field) {
        a = a->args[0];
        b = b->args[0];
    }
    return a->op == b->op && (a->op == P2E_CEL_THIS || (a->op == P2E_CEL_ELEMENT &&
                                                        a->binder == b->binder));
}

// Within a macro over the map's keys, map[key] is the value of the entry at hand.
static expr *value_at_hand(checker *c, node *n, const expr *map, const expr *key)
{
    if (key->op != P2E_CEL_SELECT || key->args[0]->op != P2E_CEL_ELEMENT)
        return NULL;
    const expr *entry = key->args[0];
    if (entry->binder->args[0]->type.kind != P2E_CEL_MAP ||
        key->field != &entry->type.message->fields[0] ||
        !same_path(map, entry->binder->args[0]))
        return NULL;
    const struct p2e_field *field = &entry->type.message->fields[1];
    expr *e = make(c, n, P2E_CEL_SELECT, p2e_cel_type_of_field(field), 1);
    if (!e)
        return NULL;
    e->args[0] = key->args[0];
    e->field = field;
    return p2e_cel_view(c, e);
}

static expr *check_map_index(checker *c, node *n, expr *map, expr *key)
{
    char names[2][P2E_CEL_NAME_SIZE];
    struct p2e_cel_type wanted = p2e_cel_type_of_field(&map->type.message->fields[0]);
    struct p2e_cel_type value = p2e_cel_type_of_field(&map->type.message->fields[1]);
    expr *at_hand = value_at_hand(c, n, map, key);
    if (at_hand)
        return at_hand;
    if (wanted.kind != key->type.kind)
        return fail(c, n->args[1]->span, "%s is no key of a %s",
                    p2e_cel_type_name(&key->type, names[0], P2E_CEL_NAME_SIZE),
                    p2e_cel_type_name(&map->type, names[1], P2E_CEL_NAME_SIZE));
    if (key->op != P2E_CEL_CONST)
        return fail(c, n->args[1]->span,
                    "a map's value is found by a constant key alone: entries are judged as they "
                    "pass, before the other fields are known");
    if (!is_scalar(value.kind) || value.message)
        return fail(c, n->token, "of a map by key, only values that are scalars are supported");
    expr *e = make(c, n, P2E_CEL_AT, value, 2);
    if (!e)
        return NULL;
    e->args[0] = map;
    e->args[1] = key;
    return e;
}

static expr *check_list_index(checker *c, node *n, expr *list, expr *index)
{
    if (index->type.kind != P2E_CEL_INT || index->op != P2E_CEL_CONST)
        return fail(c, n->args[1]->span,
                    "a list's element is found by a constant int alone: elements are judged as "
                    "they pass, before the other fields are known");
    int64_t at = index->value.integer;
    if (is_constant_list(list) && at >= 0 && (uint64_t)at < list->arg_count)
        return list->args[at];
    if (list->op == P2E_CEL_LIST_LITERAL && at >= 0 && (uint64_t)at < list->arg_count)
        return fail(c, n->token, "of a list in brackets by index, all values must be constants");
    if (list->op == P2E_CEL_LIST_LITERAL)
        return fail(c, n->args[1]->span, "the list has no element %lld: it holds %zu",
                    (long long)at, list->arg_count);
    if (!is_scalar(list->type.element) || list->type.message)
        return fail(c, n->token, "of a list by index, only elements that are scalars are supported");
    expr *e = make(c, n, P2E_CEL_AT, p2e_cel_element_type(&list->type), 2);
    if (!e)
        return NULL;
    e->args[0] = list;
    e->args[1] = index;
    return e;
}

expr *p2e_cel_check_index(checker *c, node *n)
{
    char name[P2E_CEL_NAME_SIZE];
    if (n->optional)
        return fail(c, n->token, "optional values (a[?b]) are not supported");
    expr *operand = check(c, n->args[0]), *index = operand ? check(c, n->args[1]) : NULL;
    if (!index)
        return NULL;
    if (operand->type.kind == P2E_CEL_MAP)
        return check_map_index(c, n, operand, index);
    if (operand->type.kind == P2E_CEL_LIST)
        return check_list_index(c, n, operand, index);
    return fail(c, n->token, "[] is for lists and maps, not for %s",
                p2e_cel_type_name(&operand->type, name, sizeof(name)));
}
