// a in b: a list of the message, a list or a map in braces, the keys of a map.
#include <stdio.h>

#include "compiler/cel_failing.h"
#include "compiler/cel_short.h"
#include "compiler/cel_view.h"

// ---- in -----------------------------------------------------------------------------------------

static bool same_kind(checker *c, node *n, expr *element, node *item_node, expr *item)
{
    char names[2][NAME_SIZE], sentence[3 * NAME_SIZE];
    if (element->type.kind == item->type.kind ||
        p2e_cel_are_comparable(&element->type, &item->type))
        return true;
    p2e_cel_type_name(&element->type, names[0], NAME_SIZE);
    p2e_cel_type_name(&item->type, names[1], NAME_SIZE);
    snprintf(sentence, sizeof(sentence), "%s cannot be in a list that holds %s", names[0],
             names[1]);
    node *const nodes[] = {n->args[0], item_node};
    expr *const args[] = {element, item};
    if (!p2e_cel_offer_rewrite(c, nodes, args, sentence, NULL))
        fail(c, item_node->span, "%s%s", sentence,
             p2e_cel_mismatch_hint(&element->type, &item->type));
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
        expr *item = p2e_cel_check_item(c, list, i);
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

expr *p2e_cel_check_in(checker *c, node *n)
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
    if (p2e_cel_is_empty_list(list) && p2e_cel_can_fail(element))
        return fail(c, n->args[0]->span,
                    "this can be an error, and nothing in an empty list would ask for it");
    e->args[0] = element;
    e->args[1] = list;
    if (list->type.kind == P2E_CEL_LIST && list->type.message && list->op == P2E_CEL_SELECT)
        return p2e_cel_look_up(c, e);
    return p2e_cel_fold(e);
}
