// Lists in brackets, and values by index and key.
#include <string.h>

#include "compiler/cel_short.h"
#include "compiler/cel_view.h"

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

expr *p2e_cel_check_item(checker *c, node *list, size_t index)
{
    if (list->args[index]->optional)
        return fail(c, list->args[index]->span, "optional values ([?a]) are not supported");
    return check(c, list->args[index]);
}

static expr *check_item(checker *c, node *list, size_t index)
{
    expr *item = p2e_cel_check_item(c, list, index);
    if (item && !is_item(item->type.kind))
        return fail(c, list->args[index]->span, "lists and maps within a list are not supported");
    return item;
}

static bool same_item_types(const expr *a, const expr *b)
{
    return a->type.kind == b->type.kind && a->type.message == b->type.message;
}

expr *p2e_cel_finish_list(checker *c, node *n, expr *list)
{
    char names[2][P2E_CEL_NAME_SIZE];
    list->type = (struct p2e_cel_type){.kind = P2E_CEL_LIST, .element = P2E_CEL_NULL};
    for (size_t i = 0; i < list->arg_count; i++) {
        const expr *first = list->args[0], *item = list->args[i];
        list->type.element = first->type.kind;
        list->type.message = first->type.message;
        if (!same_item_types(first, item))
            return fail(c,
                        i < n->arg_count && n->kind == P2E_NODE_LIST ? n->args[i]->span : n->span,
                        "the values of a list have one type here, not %s and %s",
                        p2e_cel_type_name(&first->type, names[0], P2E_CEL_NAME_SIZE),
                        p2e_cel_type_name(&item->type, names[1], P2E_CEL_NAME_SIZE));
    }
    return list;
}

expr *p2e_cel_check_list(checker *c, node *n)
{
    expr *e = make(c, n, P2E_CEL_LIST_LITERAL, (struct p2e_cel_type){0}, n->arg_count);
    for (size_t i = 0; e && i < n->arg_count; i++) {
        e->args[i] = check_item(c, n, i);
        if (!e->args[i])
            return NULL;
    }
    return e ? p2e_cel_finish_list(c, n, e) : NULL;
}

// A scalar that is kept as one value: no time.
static bool is_basic(enum p2e_cel_kind kind)
{
    return kind <= P2E_CEL_BYTES;
}

bool p2e_cel_is_list_test(expr *const args[2])
{
    const expr *a = args[0], *b = args[1];
    if (a->type.kind != P2E_CEL_LIST || b->type.kind != P2E_CEL_LIST)
        return false;
    const expr *constant = a->op == P2E_CEL_LIST_LITERAL ? a : b;
    if (a->op == b->op || !p2e_cel_is_constant_list(constant))
        return false;
    if (p2e_cel_is_empty_list(constant))
        return true;
    if (a->type.message || b->type.message)
        return false;
    return is_basic(a->type.element) && a->type.element == b->type.element;
}

static bool is_plain_list(const expr *list)
{
    for (size_t i = 0; i < list->arg_count; i++) {
        if (!p2e_cel_is_plain(list->args[i]))
            return false;
    }
    return true;
}

// Item for item.
static expr *compare_items(checker *c, node *n, enum p2e_cel_op op, const expr *a, const expr *b)
{
    struct p2e_cel_type type = {.kind = P2E_CEL_BOOL};
    expr *e = make(c, n, op == P2E_CEL_EQ ? P2E_CEL_AND : P2E_CEL_OR, type, a->arg_count);
    for (size_t i = 0; e && i < a->arg_count; i++) {
        expr *pair = make(c, n, op, type, 2);
        if (!pair)
            return NULL;
        pair->args[0] = a->args[i];
        pair->args[1] = b->args[i];
        e->args[i] = p2e_cel_fold(pair);
    }
    return e ? p2e_cel_fold(e) : NULL;
}

static expr *compare_lists(checker *c, node *n, enum p2e_cel_op op, expr *a, expr *b)
{
    bool plain = is_plain_list(a) && is_plain_list(b);
    if (!plain || (a->arg_count > 0 && b->arg_count > 0 &&
                   (a->type.element != b->type.element || !is_basic(a->type.element))))
        return fail(c, n->token,
                    "lists in brackets are compared where both hold constants or fields of one "
                    "scalar type");
    if (a->arg_count == b->arg_count && a->arg_count > 0)
        return compare_items(c, n, op, a, b);
    expr *e = make(c, n, P2E_CEL_CONST, (struct p2e_cel_type){.kind = P2E_CEL_BOOL}, 0);
    if (e)
        e->value.boolean = (a->arg_count == b->arg_count) == (op == P2E_CEL_EQ);
    return e;
}

expr *p2e_cel_apply_to_list(checker *c, node *n, const struct p2e_cel_function *function,
                            expr *const *args)
{
    char name[P2E_CEL_NAME_SIZE];
    bool equality = function->shape == P2E_SHAPE_EQUALITY;
    if (equality && args[1]->op == P2E_CEL_LIST_LITERAL)
        return compare_lists(c, n, function->op, args[0], args[1]);
    if (function->op == P2E_CEL_SIZE && is_plain_list(args[0])) {
        expr *e = make(c, n, P2E_CEL_CONST, (struct p2e_cel_type){.kind = P2E_CEL_INT}, 0);
        if (e)
            e->value.integer = (int64_t)args[0]->arg_count;
        return e;
    }
    if (function->op == P2E_CEL_UNIQUE && p2e_cel_is_constant_list(args[0])) {
        expr *e = make(c, n, P2E_CEL_UNIQUE, (struct p2e_cel_type){.kind = P2E_CEL_BOOL}, 1);
        if (!e)
            return NULL;
        e->args[0] = args[0];
        return p2e_cel_fold(e);
    }
    return fail(c, n->token, "%s is not supported of a %s in brackets", function->name,
                p2e_cel_type_name(&args[0]->type, name, sizeof(name)));
}

// ---- By index, by key ---------------------------------------------------------------------------

// Are they the same place in the message?
static bool same_path(const expr *a, const expr *b)
{
    while (a->op == P2E_CEL_SELECT && b->op == P2E_CEL_SELECT && a->field == b->field) {
        a = a->args[0];
        b = b->args[0];
    }
    return a->op == b->op &&
           (a->op == P2E_CEL_THIS || (a->op == P2E_CEL_ELEMENT && a->binder == b->binder));
}

// Within a macro over the map's keys, map[key] is the value of the entry at hand.
static expr *value_at_hand(checker *c, node *n, const expr *map, const expr *key)
{
    if (key->op != P2E_CEL_SELECT || key->args[0]->op != P2E_CEL_ELEMENT)
        return NULL;
    const expr *entry = key->args[0];
    if (entry->binder->args[0]->type.kind != P2E_CEL_MAP ||
        key->field != &entry->type.message->fields[0] || !same_path(map, entry->binder->args[0]))
        return NULL;
    const struct p2e_field *field = &entry->type.message->fields[1];
    expr *e = make(c, n, P2E_CEL_SELECT, p2e_cel_type_of_field(field), 1);
    if (!e)
        return NULL;
    e->args[0] = key->args[0];
    e->field = field;
    return p2e_cel_view(c, e);
}

static expr *index_map(checker *c, node *n, expr *map, expr *key)
{
    char names[2][P2E_CEL_NAME_SIZE];
    struct p2e_cel_type wanted = p2e_cel_type_of_field(&map->type.message->fields[0]);
    struct p2e_cel_type value = p2e_cel_type_of_field(&map->type.message->fields[1]);
    expr *at_hand = value_at_hand(c, n, map, key);
    if (at_hand)
        return at_hand;
    if (wanted.kind != key->type.kind)
        return fail(c, key->span, "%s is no key of a %s",
                    p2e_cel_type_name(&key->type, names[0], P2E_CEL_NAME_SIZE),
                    p2e_cel_type_name(&map->type, names[1], P2E_CEL_NAME_SIZE));
    if (key->op != P2E_CEL_CONST)
        return fail(c, key->span,
                    "a map's value is found by a constant key alone: entries are judged as they "
                    "pass, before the other fields are known");
    if (!is_basic(value.kind) || value.message)
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
    if (list->op == P2E_CEL_LIST_LITERAL && (at < 0 || (uint64_t)at >= list->arg_count))
        return fail(c, n->args[1]->span, "the list has no element %lld: it holds %zu",
                    (long long)at, list->arg_count);
    if (list->op == P2E_CEL_LIST_LITERAL && is_plain_list(list))
        return list->args[at];
    if (list->op == P2E_CEL_LIST_LITERAL)
        return fail(c, n->token,
                    "a list in brackets is looked into where it holds constants or "
                    "fields");
    if (!is_basic(list->type.element) || list->type.message)
        return fail(c, n->token,
                    "of a list by index, only elements that are scalars are supported");
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
        return index_map(c, n, operand, index);
    if (operand->type.kind == P2E_CEL_LIST)
        return check_list_index(c, n, operand, index);
    return fail(c, n->token, "[] is for lists and maps, not for %s",
                p2e_cel_type_name(&operand->type, name, sizeof(name)));
}

// map.name, which is map["name"].
static expr *make_key(checker *c, node *n)
{
    expr *key = make(c, n, P2E_CEL_CONST, (struct p2e_cel_type){.kind = P2E_CEL_STRING}, 0);
    if (!key)
        return NULL;
    key->span = n->token;
    key->value.text.data = n->name;
    key->value.text.size = strlen(n->name);
    return key;
}

expr *p2e_cel_select_key(checker *c, node *n, expr *map)
{
    expr *key = make_key(c, n);
    return key ? index_map(c, n, map, key) : NULL;
}

expr *p2e_cel_has_key(checker *c, node *n, node *select, expr *map)
{
    char name[P2E_CEL_NAME_SIZE];
    struct p2e_cel_type wanted = p2e_cel_type_of_field(&map->type.message->fields[0]);
    expr *key = make_key(c, select);
    expr *e = make(c, n, P2E_CEL_IN, (struct p2e_cel_type){.kind = P2E_CEL_BOOL}, 2);
    if (!key || !e)
        return NULL;
    if (wanted.kind != P2E_CEL_STRING)
        return fail(c, select->token, "string is no key of a %s",
                    p2e_cel_type_name(&map->type, name, sizeof(name)));
    e->args[0] = key;
    e->args[1] = map;
    return e;
}
