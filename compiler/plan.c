#include "compiler/plan.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/table.h"
#include "compiler/plan_table.h"

#define ARENA_LIMIT (256u << 20)

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
    return closed || use->in_count || (use->child && use->field->oneof);
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

// The place of an expression of message type, made where it is new.
static struct p2e_place *need_place(struct p2e_plan *plan, const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_THIS)
        return plan->places[0];
    struct p2e_place *outer = need_place(plan, expr->args[0]);
    struct p2e_use *use = outer ? need_use(plan, outer, expr->field) : NULL;
    if (use && !use->child)
        use->child = add_place(plan, expr->field->message, use);
    return use ? use->child : NULL;
}

static struct p2e_use *need_select(struct p2e_plan *plan, const struct p2e_cel_expr *select)
{
    struct p2e_place *place = need_place(plan, select->args[0]);
    return place ? need_use(plan, place, select->field) : NULL;
}

static const struct p2e_place *find_place(const struct p2e_plan *plan,
                                          const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_THIS)
        return plan->places[0];
    return find_use(find_place(plan, expr->args[0]), expr->field)->child;
}

const struct p2e_use *p2e_plan_use(const struct p2e_plan *plan, const struct p2e_cel_expr *select)
{
    return find_use(find_place(plan, select->args[0]), select->field);
}

// ---- What the rules look at ---------------------------------------------------------------------
static int collect(struct p2e_plan *plan, const struct p2e_plan_rule *rule,
                   const struct p2e_cel_expr *expr, struct p2e_error *err);

static int collect_args(struct p2e_plan *plan, const struct p2e_plan_rule *rule,
                        const struct p2e_cel_expr *expr, struct p2e_error *err)
{
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (collect(plan, rule, expr->args[i], err) < 0)
            return -1;
    }
    return 0;
}

static int collect_select(struct p2e_plan *plan, const struct p2e_cel_expr *expr,
                          struct p2e_error *err)
{
    struct p2e_use *use = need_select(plan, expr);
    if (!use)
        return out_of_memory(err);
    // has() of a field without presence asks for its value, too: is it other than the default?
    if (expr->op == P2E_CEL_SELECT || use->field->presence == P2E_PRESENCE_IMPLICIT)
        use->value |= !use->field->repeated && !use->field->message;
    return 0;
}

static int collect_size(struct p2e_plan *plan, const struct p2e_plan_rule *rule,
                        const struct p2e_cel_expr *expr, struct p2e_error *err)
{
    if (expr->args[0]->type.kind == P2E_CEL_MAP)
        return p2e_error_at(err, rule->expression, expr->args[0]->span,
                            "the size of a map is not known in the kernel: entries with the same "
                            "key count once; has() tells whether there is any");
    return collect_args(plan, rule, expr, err);
}

static int collect_in(struct p2e_plan *plan, const struct p2e_plan_rule *rule,
                      const struct p2e_cel_expr *expr, struct p2e_error *err)
{
    const struct p2e_cel_expr *element = expr->args[0], *list = expr->args[1];
    if (list->op == P2E_CEL_LIST_LITERAL)
        return collect_args(plan, rule, expr, err);
    if (element->op != P2E_CEL_CONST)
        return p2e_error_at(err, rule->expression, element->span,
                            "only a constant can be looked up in a repeated field: its elements "
                            "are judged as they pass, before the other fields are known");
    struct p2e_use *use = need_select(plan, list);
    if (!use || push(&plan->arena, (void ***)&use->ins, &use->in_count, (void *)expr) < 0)
        return out_of_memory(err);
    return 0;
}

static int collect_contains(struct p2e_plan *plan, const struct p2e_plan_rule *rule,
                            const struct p2e_cel_expr *expr, struct p2e_error *err)
{
    if (expr->args[1]->op != P2E_CEL_CONST)
        return p2e_error_at(err, rule->expression, expr->args[1]->span,
                            "contains() needs a constant here: a search for a value out of the "
                            "same message has no bound that a kernel accepts");
    return collect_args(plan, rule, expr, err);
}

static int collect(struct p2e_plan *plan, const struct p2e_plan_rule *rule,
                   const struct p2e_cel_expr *expr, struct p2e_error *err)
{
    switch (expr->op) {
    case P2E_CEL_SELECT:
    case P2E_CEL_HAS:
        return collect_select(plan, expr, err);
    case P2E_CEL_SIZE:
        return collect_size(plan, rule, expr, err);
    case P2E_CEL_IN:
        return collect_in(plan, rule, expr, err);
    case P2E_CEL_CONTAINS:
        return collect_contains(plan, rule, expr, err);
    default:
        return collect_args(plan, rule, expr, err);
    }
}

// ---- Slots --------------------------------------------------------------------------------------
static int number_slots(struct p2e_plan *plan, struct p2e_place *place, unsigned depth,
                        struct p2e_error *err)
{
    place->slot_begin = plan->slot_count;
    for (size_t i = 0; i < place->message->oneof_count; i++) {
        if (place->oneof_slots[i])
            place->oneof_slots[i] = plan->slot_count++;
    }
    for (size_t i = 0; i < place->use_count; i++) {
        struct p2e_use *use = place->uses[i];
        use->slot = plan->slot_count;
        plan->slot_count += 1 + use->in_count;
        if (plan->slot_count > P2E_SLOTS_MAX || depth > P2E_FRAMES_MAX)
            return p2e_error_set(err,
                                 "the rules look at too many fields: at most %d, and %d levels "
                                 "deep, are remembered of a message",
                                 P2E_SLOTS_MAX - 1, P2E_FRAMES_MAX);
        if (use->child && number_slots(plan, use->child, depth + 1, err) < 0)
            return -1;
    }
    place->slot_end = plan->slot_count;
    return 0;
}

// ---- Whole --------------------------------------------------------------------------------------
static int collect_rules(struct p2e_plan *plan, struct p2e_error *err)
{
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (collect(plan, &plan->rules[i], plan->rules[i].cel.root, err) < 0)
            return p2e_error_prefix(err, "rule \"%s\"", plan->rules[i].id);
    }
    plan->slot_count = 1;
    return number_slots(plan, plan->places[0], 0, err);
}

int p2e_plan_make(const struct p2e_message *message, const struct p2e_schema *schema,
                  struct p2e_plan_rule *rules, size_t rule_count, unsigned max_depth,
                  struct p2e_plan *plan, struct p2e_error *err)
{
    *plan = (struct p2e_plan){
        .message = message,
        .rules = rules,
        .rule_count = rule_count,
        .max_depth = max_depth,
        .arena = {.limit = ARENA_LIMIT},
    };
    if (!add_place(plan, message, NULL))
        out_of_memory(err);
    else if (collect_rules(plan, err) == 0 && p2e_plan_tables(plan, schema, err) == 0)
        return 0;
    p2e_plan_free(plan);
    return -1;
}

void p2e_plan_free(struct p2e_plan *plan)
{
    for (size_t i = 0; i < plan->rule_count; i++)
        p2e_cel_free(&plan->rules[i].cel);
    free(plan->rules);
    p2e_arena_free(&plan->arena);
    *plan = (struct p2e_plan){0};
}
