#include "compiler/plan.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/table.h"
#include "compiler/plan_table.h"

#define ARENA_LIMIT (256u << 20)
#define SAVED_MAX   16384 // slots that elements within elements save
#define RESULTS_MAX 8     // of two bits each, with a map's key (bpf/distinct.h)

static int out_of_memory(struct p2e_error *err)
{
    return p2e_error_set(err, "out of memory while planning the filter");
}

// Appends to an arena array whose capacity is the power of two at or above its count.
static int push(struct p2e_arena *arena, void ***items, size_t *count, void *item)
{
    if ((*count & (*count - 1)) == 0) {
        void **grown = p2e_arena_array(arena, *count ? *count * 2 : 1, sizeof(*grown));
        if (!grown)
            return -1;
        if (*count)
            memcpy(grown, *items, *count * sizeof(*grown));
        *items = grown;
    }
    (*items)[(*count)++] = item;
    return 0;
}

unsigned p2e_plan_member(const struct p2e_field *field)
{
    unsigned member = 1;
    for (size_t i = 0; field->oneof->fields[i] != field; i++)
        member++;
    return member;
}

bool p2e_use_is_hooked(const struct p2e_use *use)
{
    bool closed = use->field->enumeration && use->field->enumeration->closed;
    bool tested = (use->test_count || use->elements) && !use->field->message;
    return closed || tested || (use->child && use->field->oneof);
}

bool p2e_test_is_about_value(const struct p2e_cel_expr *test)
{
    return test->op == P2E_CEL_ALL || test->op == P2E_CEL_EXISTS || test->op == P2E_CEL_EXISTS_ONE;
}

bool p2e_use_is_set(const struct p2e_use *use)
{
    bool set = use->field->map && (use->size || use->elements);
    for (size_t i = 0; i < use->test_count && !set; i++)
        set = use->field->map ? p2e_test_is_about_value(use->tests[i])
                              : use->tests[i]->op == P2E_CEL_UNIQUE;
    return set;
}

// ---- Places and uses ----------------------------------------------------------------------------
static struct p2e_place *add_place(struct p2e_plan *plan, const struct p2e_message *message,
                                   struct p2e_use *parent)
{
    struct p2e_place *place = p2e_arena_new(&plan->arena, struct p2e_place);
    if (!place)
        return NULL;
    place->message = message;
    place->parent = parent;
    place->oneof_slots = p2e_arena_array(&plan->arena, message->oneof_count + 1, sizeof(unsigned));
    if (!place->oneof_slots ||
        push(&plan->arena, (void ***)&plan->places, &plan->place_count, place) < 0)
        return NULL;
    return place;
}

static struct p2e_use *find_use(const struct p2e_place *place, const struct p2e_field *field)
{
    for (size_t i = 0; i < place->use_count; i++) {
        if (place->uses[i]->field == field)
            return place->uses[i];
    }
    return NULL;
}

static struct p2e_use *need_use(struct p2e_plan *plan, struct p2e_place *place,
                                const struct p2e_field *field);

// A oneof's slot must follow every member. A member whose value may turn out not to count (a closed
// enum's unknown number) is looked at value by value, so it needs a use too.
static int need_oneof(struct p2e_plan *plan, struct p2e_place *place, const struct p2e_oneof *oneof)
{
    unsigned *slot = &place->oneof_slots[oneof - place->message->oneofs];
    if (*slot)
        return 0;
    *slot = 1; // wanted; numbered later
    for (size_t i = 0; i < oneof->field_count; i++) {
        const struct p2e_field *field = oneof->fields[i];
        if (field->enumeration && field->enumeration->closed && !need_use(plan, place, field))
            return -1;
    }
    return 0;
}

static struct p2e_use *need_use(struct p2e_plan *plan, struct p2e_place *place,
                                const struct p2e_field *field)
{
    struct p2e_use *use = find_use(place, field);
    if (use)
        return use;
    use = p2e_arena_new(&plan->arena, struct p2e_use);
    if (!use)
        return NULL;
    use->field = field;
    use->place = place;
    if (push(&plan->arena, (void ***)&place->uses, &place->use_count, use) < 0)
        return NULL;
    if (field->oneof && need_oneof(plan, place, field->oneof) < 0)
        return NULL;
    return use;
}

// Walks the rules of a scope. `binder` is what its elements are bound to (NULL for the message),
// inside of a macro's condition the macro; `element` is the place of those elements, NULL where
// they are scalars.
struct collector {
    struct p2e_plan *plan;
    const struct p2e_plan_rule *rule;
    const struct p2e_cel_expr *binder;
    struct p2e_place *element;
    struct p2e_error *err;
};

static int refuse(const struct collector *c, const struct p2e_cel_expr *expr, const char *why)
{
    return p2e_error_at(c->err, c->rule->expression, expr->span, "%s", why);
}

static int check_reach(const struct collector *c, const struct p2e_cel_expr *root)
{
    if (root->op == P2E_CEL_ELEMENT ? root->binder == c->binder : !c->binder)
        return 0;
    return refuse(c, root,
                  "a condition on the elements of a list can look at the element alone: elements "
                  "are judged as they pass, before the other fields are known");
}

// The place of an expression of message type, made where it is new. NULL is an error.
static struct p2e_place *need_place(const struct collector *c, const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_THIS || expr->op == P2E_CEL_ELEMENT) {
        if (check_reach(c, expr) < 0)
            return NULL;
        return expr->op == P2E_CEL_THIS ? c->plan->places[0] : c->element;
    }
    struct p2e_place *outer = need_place(c, expr->args[0]);
    struct p2e_use *use = outer ? need_use(c->plan, outer, expr->field) : NULL;
    if (use && use->child && use->child->element) {
        refuse(c, expr,
               "the fields of this message are not at hand here: messages of its type can hold "
               "one another without end, and each is judged when it ends");
        return NULL;
    }
    if (use && !use->child)
        use->child = add_place(c->plan, expr->field->message, use);
    if (outer && (!use || !use->child))
        out_of_memory(c->err);
    return use ? use->child : NULL;
}

static struct p2e_use *need_select(const struct collector *c, const struct p2e_cel_expr *select)
{
    struct p2e_place *place = need_place(c, select->args[0]);
    struct p2e_use *use = place ? need_use(c->plan, place, select->field) : NULL;
    if (place && !use)
        out_of_memory(c->err);
    return use;
}

static const struct p2e_place *find_place(const struct p2e_plan *plan,
                                          const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_THIS)
        return plan->places[0];
    if (expr->op == P2E_CEL_ELEMENT)
        return p2e_plan_use(plan, expr->binder->args[0])->child;
    return find_use(find_place(plan, expr->args[0]), expr->field)->child;
}

const struct p2e_use *p2e_plan_use(const struct p2e_plan *plan, const struct p2e_cel_expr *select)
{
    return find_use(find_place(plan, select->args[0]), select->field);
}

// ---- What the rules look at ---------------------------------------------------------------------
static int collect(const struct collector *c, const struct p2e_cel_expr *expr);

static int collect_args(const struct collector *c, const struct p2e_cel_expr *expr)
{
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (collect(c, expr->args[i]) < 0)
            return -1;
    }
    return 0;
}

static int need_elements(const struct collector *c, struct p2e_use *use);

static int collect_size(const struct collector *c, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *arg = expr->args[0];
    bool bytes = arg->type.kind == P2E_CEL_BYTES && arg->op == P2E_CEL_SELECT;
    if (arg->type.kind != P2E_CEL_MAP && !bytes)
        return collect_args(c, expr);
    struct p2e_use *use = need_select(c, arg);
    if (!use)
        return -1;
    if (bytes) {
        use->value = true;
        return 0;
    }
    use->size = true;
    return need_elements(c, use);
}

static struct p2e_use *need_test(const struct collector *c, const struct p2e_cel_expr *list,
                                 const struct p2e_cel_expr *test)
{
    struct p2e_use *use = need_select(c, list);
    if (use && push(&c->plan->arena, (void ***)&use->tests, &use->test_count, (void *)test) < 0) {
        out_of_memory(c->err);
        return NULL;
    }
    return use;
}

static int collect_in(const struct collector *c, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *element = expr->args[0], *list = expr->args[1];
    if (list->op == P2E_CEL_LIST_LITERAL)
        return collect_args(c, expr);
    if (element->op != P2E_CEL_CONST)
        return refuse(c, element,
                      "only a constant can be looked up in a repeated field: its elements are "
                      "judged as they pass, before the other fields are known");
    struct p2e_use *use = need_test(c, list, expr);
    return use ? need_elements(c, use) : -1;
}

// An entry whose value is no number of a closed enum is none.
static bool has_closed_values(const struct p2e_message *entry)
{
    const struct p2e_enum *values = entry->fields[1].enumeration;
    return values && values->closed;
}

// Of a map's entry the key is always looked at, and a value that may turn out to be none.
static int need_entry(const struct collector *c, struct p2e_place *entry)
{
    const struct p2e_field *value = &entry->message->fields[1];
    struct p2e_use *key = need_use(c->plan, entry, &entry->message->fields[0]);
    if (!key || (has_closed_values(entry->message) && !need_use(c->plan, entry, value)))
        return out_of_memory(c->err);
    key->value = key->content = true;
    return 0;
}

// The elements of a list of messages, or of a map, have a place.
static int need_elements(const struct collector *c, struct p2e_use *use)
{
    if (!use->field->message || use->child)
        return 0;
    use->child = add_place(c->plan, use->field->message, NULL);
    if (!use->child)
        return out_of_memory(c->err);
    use->child->element = true;
    use->child->owner = use;
    c->plan->has_elements = true;
    return use->field->map ? need_entry(c, use->child) : 0;
}

static int collect_select(const struct collector *c, const struct p2e_cel_expr *expr)
{
    struct p2e_use *use = need_select(c, expr);
    if (!use)
        return -1;
    // has() of a field without presence asks for its value, too: is it other than the default?
    if (expr->op == P2E_CEL_SELECT || use->field->presence == P2E_PRESENCE_IMPLICIT)
        use->value |= !use->field->repeated && !use->field->message;
    use->content |= expr->op == P2E_CEL_SELECT;
    if (expr->op != P2E_CEL_HAS || !use->field->map || !has_closed_values(use->field->message))
        return 0;
    use->size = true; // as size() does, has() counts the entries that are some
    return need_elements(c, use);
}

// With each key of a map there is room for what so many tests said of its entry.
static int check_room(const struct collector *c, const struct p2e_use *use,
                      const struct p2e_cel_expr *expr)
{
    unsigned results = use->elements != NULL;
    for (size_t i = 0; i < use->test_count; i++)
        results += p2e_test_is_about_value(use->tests[i]);
    if (!use->field->map || results <= RESULTS_MAX)
        return 0;
    return refuse(c, expr,
                  "more is asked of the entries of this map than can be remembered of each");
}

static int collect_macro(const struct collector *c, const struct p2e_cel_expr *expr)
{
    struct p2e_use *use = need_test(c, expr->args[0], expr);
    if (!use || need_elements(c, use) < 0 || check_room(c, use, expr) < 0)
        return -1;
    struct collector inner = *c;
    inner.binder = expr;
    inner.element = use->child;
    return collect(&inner, expr->args[1]);
}

// The fields whose value a test of the elements takes.
static int collect_unique(const struct collector *c, const struct p2e_cel_expr *expr)
{
    if (expr->args[0]->op != P2E_CEL_SELECT || expr->args[0]->field->message)
        return refuse(c, expr->args[0], "unique() is for lists of scalars, out of the message");
    return need_test(c, expr->args[0], expr) ? 0 : -1;
}

static int collect_at(const struct collector *c, const struct p2e_cel_expr *expr)
{
    struct p2e_use *use = need_test(c, expr->args[0], expr);
    if (!use || need_elements(c, use) < 0)
        return -1;
    if (!use->field->map)
        return 0;
    struct p2e_use *value = need_use(c->plan, use->child, &use->child->message->fields[1]);
    if (!value)
        return out_of_memory(c->err);
    value->value = value->content = true;
    return 0;
}

// A list is equal to constants or not.
static int collect_equality(const struct collector *c, const struct p2e_cel_expr *expr)
{
    if (expr->args[0]->type.kind != P2E_CEL_LIST)
        return collect_args(c, expr);
    const struct p2e_cel_expr *list = expr->args[expr->args[0]->op == P2E_CEL_LIST_LITERAL ? 1 : 0];
    return need_test(c, list, expr) ? 0 : -1;
}

static int collect_contains(const struct collector *c, const struct p2e_cel_expr *expr)
{
    if (expr->args[1]->op != P2E_CEL_CONST)
        return refuse(c, expr->args[1],
                      "contains() needs a constant here: a search for a value out of the same "
                      "message has no bound that a kernel accepts");
    return collect_args(c, expr);
}

static int collect(const struct collector *c, const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_ELEMENT:
        return check_reach(c, expr);
    case P2E_CEL_SELECT:
    case P2E_CEL_HAS:
        return collect_select(c, expr);
    case P2E_CEL_SIZE:
        return collect_size(c, expr);
    case P2E_CEL_IN:
        return collect_in(c, expr);
    case P2E_CEL_AT:
        return collect_at(c, expr);
    case P2E_CEL_UNIQUE:
        return collect_unique(c, expr);
    case P2E_CEL_EQ:
    case P2E_CEL_NE:
        return collect_equality(c, expr);
    case P2E_CEL_ALL:
    case P2E_CEL_EXISTS:
    case P2E_CEL_EXISTS_ONE:
        return collect_macro(c, expr);
    case P2E_CEL_CONTAINS:
        return collect_contains(c, expr);
    default:
        return collect_args(c, expr);
    }
}

// ---- Slots --------------------------------------------------------------------------------------
static void number_use(struct p2e_plan *plan, struct p2e_use *use)
{
    use->slot = plan->slot_count;
    plan->slot_count += 1 + use->test_count;
    if (use->elements) {
        use->verdict_slot = plan->slot_count;
        plan->slot_count += 2;
    }
    if (p2e_use_is_set(use)) {
        use->set_slot = plan->slot_count;
        plan->slot_count += 2;
        plan->has_sets = true;
    }
}

static bool is_entry_of_closed(const struct p2e_place *place)
{
    const struct p2e_message *message = place->message;
    return place->element && message->map_entry && message->fields[1].enumeration &&
           message->fields[1].enumeration->closed;
}

static int number_slots(struct p2e_plan *plan, struct p2e_place *place, unsigned depth,
                        struct p2e_error *err)
{
    place->slot_begin = plan->slot_count;
    for (size_t i = 0; i < place->message->oneof_count; i++) {
        if (place->oneof_slots[i])
            place->oneof_slots[i] = plan->slot_count++;
    }
    if (is_entry_of_closed(place))
        place->discard_slot = plan->slot_count++;
    for (size_t i = 0; i < place->use_count; i++) {
        struct p2e_use *use = place->uses[i];
        number_use(plan, use);
        if (plan->slot_count > P2E_SLOTS_MAX || depth > P2E_FRAMES_MAX)
            return p2e_error_set(err,
                                 "the rules look at too many fields: at most %d, and %d levels "
                                 "deep, are remembered of a message",
                                 P2E_SLOTS_MAX - 1, P2E_FRAMES_MAX);
        // What is met within itself has slots apart from what is around it.
        if (use->child && !use->child->cyclic && number_slots(plan, use->child, depth + 1, err) < 0)
            return -1;
    }
    place->slot_end = plan->slot_count;
    return 0;
}

static int number_all_slots(struct p2e_plan *plan, struct p2e_error *err)
{
    plan->slot_count = 1;
    for (size_t i = 0; i < plan->place_count; i++) {
        if ((i == 0 || plan->places[i]->cyclic) && number_slots(plan, plan->places[i], 0, err) < 0)
            return -1;
    }
    return 0;
}

// What may be saved at once: as many elements as can be open, of the largest kind.
static int count_saved(struct p2e_plan *plan, struct p2e_error *err)
{
    unsigned largest = 0;
    for (size_t i = 0; i < plan->place_count; i++) {
        const struct p2e_place *place = plan->places[i];
        if (place->cyclic && place->slot_end - place->slot_begin > largest)
            largest = place->slot_end - place->slot_begin;
    }
    plan->saved_count = largest * plan->max_depth;
    if (plan->saved_count > SAVED_MAX)
        return p2e_error_set(err,
                             "messages that hold one another are remembered %u levels deep, %u "
                             "values each: that is too much; a max_depth of %u would do",
                             plan->max_depth, largest, SAVED_MAX / largest);
    return 0;
}

// ---- Scopes -------------------------------------------------------------------------------------
// Before any rule is collected, so that a macro finds the place that the elements have.
static int bind_scope(const struct collector *c, struct p2e_scope *scope);

static int bind_list(const struct collector *c, const struct p2e_check *check)
{
    struct p2e_scope *elements = check->elements;
    struct p2e_use *use = need_select(c, check->list);
    if (!use)
        return -1;
    use->elements = elements;
    if (elements->bound) {
        use->child = elements->place;
        return 0;
    }
    if (need_elements(c, use) < 0)
        return -1;
    elements->place = use->child;
    if (use->child)
        use->child->cyclic = elements->cyclic;
    return bind_scope(c, elements);
}

static int bind_scope(const struct collector *c, struct p2e_scope *scope)
{
    struct p2e_plan *plan = c->plan;
    struct collector inner = {.plan = plan,
                              .rule = c->rule,
                              .binder = scope->binder,
                              .element = scope->place,
                              .err = c->err};
    scope->bound = true;
    scope->number = plan->scope_count;
    if (push(&plan->arena, (void ***)&plan->scopes, &plan->scope_count, scope) < 0)
        return out_of_memory(c->err);
    for (size_t i = 0; i < scope->check_count; i++) {
        if (scope->checks[i].list && bind_list(&inner, &scope->checks[i]) < 0)
            return -1;
    }
    return 0;
}

// ---- Whole --------------------------------------------------------------------------------------
static int collect_rules(struct p2e_plan *plan, struct p2e_error *err)
{
    for (size_t i = 0; i < plan->rules.count; i++) {
        const struct p2e_plan_rule *rule = &plan->rules.rules[i];
        struct collector c = {.plan = plan,
                              .rule = rule,
                              .binder = rule->scope->binder,
                              .element = rule->scope->place,
                              .err = err};
        if (collect(&c, rule->cel.root) == 0)
            continue;
        p2e_error_prefix(err, "rule \"%s\"", rule->id);
        if (p2e_rules_refuse(&plan->rules, rule, err) < 0)
            return -1;
        p2e_rules_remove(&plan->rules, i);
    }
    return 0;
}

static int lay_out(struct p2e_plan *plan, const struct p2e_schema *schema, struct p2e_error *err)
{
    struct collector c = {.plan = plan, .err = err};
    if (!add_place(plan, plan->message, NULL))
        return out_of_memory(err);
    plan->rules.root->place = plan->places[0];
    if (bind_scope(&c, plan->rules.root) < 0 || collect_rules(plan, err) < 0)
        return -1;
    if (number_all_slots(plan, err) < 0 || count_saved(plan, err) < 0)
        return -1;
    return p2e_plan_tables(plan, schema, err);
}

int p2e_plan_make(const struct p2e_message *message, const struct p2e_schema *schema,
                  struct p2e_rules *rules, unsigned max_depth, struct p2e_plan *plan,
                  struct p2e_error *err)
{
    *plan = (struct p2e_plan){
        .message = message,
        .rules = *rules,
        .max_depth = max_depth,
        .arena = {.limit = ARENA_LIMIT},
    };
    *rules = (struct p2e_rules){0};
    if (lay_out(plan, schema, err) == 0)
        return 0;
    p2e_plan_free(plan);
    return -1;
}

void p2e_plan_free(struct p2e_plan *plan)
{
    p2e_rules_free(&plan->rules);
    p2e_arena_free(&plan->arena);
    *plan = (struct p2e_plan){0};
}
