// Macros: all(), exists(), exists_one(). Over a list or a map of the message they are tests of its
// elements; over a list in brackets they are written out, and so are map() and filter().
#include <string.h>

#include "compiler/cel_failing.h"
#include "compiler/cel_short.h"
#include "compiler/cel_view.h"

// One name, or two: of a map its key and its value.
struct names {
    const char *first, *second; // second: NULL for none
    node *condition;
};

static bool take_names(checker *c, node *n, struct names *names)
{
    bool two = n->arg_count == 4;
    if ((!two && n->arg_count != 3) || n->args[1]->kind != P2E_NODE_IDENT ||
        (two && n->args[2]->kind != P2E_NODE_IDENT)) {
        fail(c, n->token, "%s() takes a name and a condition: list.%s(x, x > 0)", n->name, n->name);
        return false;
    }
    *names =
        (struct names){n->args[1]->name, two ? n->args[2]->name : NULL, n->args[n->arg_count - 1]};
    if (two && strcmp(names->first, names->second) == 0) {
        fail(c, n->args[2]->span, "the key and the value need a name each");
        return false;
    }
    return true;
}

// The condition, or what map() makes, with the names bound.
static expr *check_bound(checker *c, const struct names *names, const expr *first,
                         const expr *second)
{
    struct p2e_cel_variable inner = {names->first, first, c->variables};
    struct p2e_cel_variable innermost = {names->second, second, &inner};
    struct p2e_cel_checker bound = *c;
    bound.variables = names->second ? &innermost : &inner;
    return check(&bound, names->condition);
}

static expr *check_condition(checker *c, const struct names *names, const expr *first,
                             const expr *second)
{
    expr *e = check_bound(c, names, first, second);
    return e && p2e_cel_is_bool(c, e, "the condition is a") ? e : NULL;
}

// ---- Written out --------------------------------------------------------------------------------
// An error in an item is the list's error, whatever is asked of the item; written out, it would be
// that of one condition. A wrapper that is not set is null.
static bool is_sound(const expr *item)
{
    return item->op == P2E_CEL_UNWRAP || !p2e_cel_can_fail(item);
}

static bool check_items(checker *c, node *n, const expr *list)
{
    for (size_t i = 0; i < list->arg_count; i++) {
        if (is_sound(list->args[i]))
            continue;
        fail(c, n->args[0]->span,
             "item %zu of this list can be an error, which %s() might not ask for; write the "
             "conditions out",
             i + 1, n->name);
        return false;
    }
    return true;
}

static expr *make_number(checker *c, node *n, int64_t value)
{
    expr *e = make(c, n, P2E_CEL_CONST, (struct p2e_cel_type){.kind = P2E_CEL_INT}, 0);
    if (e)
        e->value.integer = value;
    return e;
}

// sum + (condition ? 1 : 0)
static expr *count_one(checker *c, node *n, expr *sum, expr *condition)
{
    struct p2e_cel_type type = {.kind = P2E_CEL_INT};
    expr *choice = make(c, n, P2E_CEL_CONDITIONAL, type, 3);
    expr *add = make(c, n, P2E_CEL_ADD, type, 2);
    expr *one = make_number(c, n, 1), *none = make_number(c, n, 0);
    if (!sum || !choice || !add || !one || !none)
        return NULL;
    choice->args[0] = condition;
    choice->args[1] = one;
    choice->args[2] = none;
    add->args[0] = sum;
    add->args[1] = p2e_cel_fold(choice);
    return p2e_cel_fold(add);
}

// exists_one: as many conditions as one are true.
static expr *count_all(checker *c, node *n, expr *conditions)
{
    expr *sum = make_number(c, n, 0), *one = make_number(c, n, 1);
    expr *e = make(c, n, P2E_CEL_EQ, (struct p2e_cel_type){.kind = P2E_CEL_BOOL}, 2);
    for (size_t i = 0; i < conditions->arg_count; i++)
        sum = count_one(c, n, sum, conditions->args[i]);
    if (!sum || !one || !e)
        return NULL;
    e->args[0] = sum;
    e->args[1] = one;
    return p2e_cel_fold(e);
}

static expr *write_out(checker *c, node *n, enum p2e_cel_op op, expr *list,
                       const struct names *names)
{
    enum p2e_cel_op chain = op == P2E_CEL_ALL ? P2E_CEL_AND : P2E_CEL_OR;
    expr *e = make(c, n, chain, (struct p2e_cel_type){.kind = P2E_CEL_BOOL}, list->arg_count);
    for (size_t i = 0; e && i < list->arg_count; i++) {
        e->args[i] = check_condition(c, names, list->args[i], NULL);
        if (!e->args[i])
            return NULL;
    }
    if (!e)
        return NULL;
    return op == P2E_CEL_EXISTS_ONE ? count_all(c, n, e) : p2e_cel_fold(e);
}

// ---- Tests of elements --------------------------------------------------------------------------

static expr *make_element(checker *c, node *n, const expr *binder)
{
    expr *e = make(c, n, P2E_CEL_ELEMENT, p2e_cel_element_type(&binder->args[0]->type), 0);
    if (!e)
        return NULL;
    e->binder = binder;
    return e;
}

// Field `index` of a map's entry: 0 is the key, 1 the value.
static expr *select_entry(checker *c, node *n, expr *entry, size_t index)
{
    const struct p2e_field *field = &entry->type.message->fields[index];
    expr *e = make(c, n, P2E_CEL_SELECT, p2e_cel_type_of_field(field), 1);
    if (!e)
        return NULL;
    e->args[0] = entry;
    e->field = field;
    return p2e_cel_view(c, e);
}

static expr *test_elements(checker *c, node *n, enum p2e_cel_op op, expr *list,
                           const struct names *names)
{
    expr *e = make(c, n, op, (struct p2e_cel_type){.kind = P2E_CEL_BOOL}, 2);
    expr *element = e ? (e->args[0] = list, make_element(c, n, e)) : NULL;
    expr *value = element;
    if (element && list->type.kind == P2E_CEL_MAP) {
        value = select_entry(c, n, element, 1);
        element = value ? select_entry(c, n, element, 0) : NULL;
    }
    element = p2e_cel_view(c, element);
    if (!element)
        return NULL;
    e->args[1] = check_condition(c, names, element, value);
    return e->args[1] ? e : NULL;
}

expr *p2e_cel_check_macro(checker *c, node *n, const struct p2e_cel_function *function)
{
    struct names names;
    char name[P2E_CEL_NAME_SIZE];
    if (!take_names(c, n, &names))
        return NULL;
    expr *list = check(c, n->args[0]);
    if (!list)
        return NULL;
    if (list->type.kind != P2E_CEL_LIST && list->type.kind != P2E_CEL_MAP)
        return fail(c, n->token, "%s() goes over a list or a map, not over %s", n->name,
                    p2e_cel_type_name(&list->type, name, sizeof(name)));
    if (names.second && list->type.kind == P2E_CEL_LIST)
        return fail(c, n->token, "%s() over a list takes one name: an element's place is not known",
                    n->name);
    if (list->op == P2E_CEL_LIST_LITERAL)
        return check_items(c, n, list) ? write_out(c, n, function->op, list, &names) : NULL;
    return test_elements(c, n, function->op, list, &names);
}

// ---- New lists ----------------------------------------------------------------------------------

// list.map(x, f(x)): what x becomes.
static bool map_items(checker *c, const expr *list, const struct names *names, expr *made)
{
    for (size_t i = 0; i < list->arg_count; i++) {
        made->args[i] = check_bound(c, names, list->args[i], NULL);
        if (!made->args[i])
            return false;
    }
    return true;
}

// list.filter(x, condition), where all conditions are known now.
static bool filter_items(checker *c, const expr *list, const struct names *names, expr *made)
{
    made->arg_count = 0;
    for (size_t i = 0; i < list->arg_count; i++) {
        expr *condition = check_condition(c, names, list->args[i], NULL);
        if (!condition)
            return false;
        if (condition->op != P2E_CEL_CONST) {
            fail(c, names->condition->span,
                 "filter() is supported where its condition is known when the rule is compiled");
            return false;
        }
        if (condition->value.boolean)
            made->args[made->arg_count++] = list->args[i];
    }
    return true;
}

expr *p2e_cel_check_transform(checker *c, node *n, const struct p2e_cel_function *function)
{
    struct names names;
    if (!take_names(c, n, &names))
        return NULL;
    if (names.second)
        return fail(c, n->token, "%s() takes one name and one expression here", n->name);
    expr *list = check(c, n->args[0]);
    if (!list)
        return NULL;
    if (list->op != P2E_CEL_LIST_LITERAL)
        return fail(c, n->token,
                    "%s() is supported over lists in brackets alone: a rule in the kernel has "
                    "nowhere to put a new list; all() and exists() look at what is there",
                    n->name);
    if (!check_items(c, n, list))
        return NULL;
    // The list may be a variable's value, which others look at, too.
    expr *made = make(c, n, P2E_CEL_LIST_LITERAL, list->type, list->arg_count);
    bool map = function->shape == P2E_SHAPE_MAP;
    if (!made || !(map ? map_items(c, list, &names, made) : filter_items(c, list, &names, made)))
        return NULL;
    return p2e_cel_finish_list(c, n, made);
}
