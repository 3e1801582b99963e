#include "compiler/rules.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)64 << 20)

static int out_of_memory(struct p2e_error *err)
{
    return p2e_error_set(err, "out of memory: there are too many rules");
}

int p2e_rules_init(struct p2e_rules *rules, bool tolerant, struct p2e_error *err)
{
    *rules = (struct p2e_rules){.tolerant = tolerant, .arena = {.limit = ARENA_LIMIT}};
    rules->root = p2e_arena_new(&rules->arena, struct p2e_scope);
    return rules->root ? 0 : out_of_memory(err);
}

void p2e_rules_free(struct p2e_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        p2e_cel_free(&rules->rules[i].cel);
    free(rules->rules);
    free(rules->refusals);
    p2e_arena_free(&rules->arena);
    *rules = (struct p2e_rules){0};
}

// Room for one more where the count is a power of two, or 0.
static int add_check(struct p2e_rules *rules, struct p2e_scope *scope, struct p2e_check check,
                     struct p2e_error *err)
{
    size_t count = scope->check_count;
    if ((count & (count - 1)) == 0) {
        struct p2e_check *grown =
            p2e_arena_array(&rules->arena, count ? count * 2 : 1, sizeof(*grown));
        if (!grown)
            return out_of_memory(err);
        if (count)
            memcpy(grown, scope->checks, count * sizeof(*grown));
        scope->checks = grown;
    }
    scope->checks[scope->check_count++] = check;
    return 0;
}

static int append(struct p2e_rules *rules, const struct p2e_plan_rule *rule, struct p2e_error *err)
{
    size_t count = rules->count;
    if (count >= P2E_RULES_MAX)
        return p2e_error_set(err, "there are more than %d rules", P2E_RULES_MAX);
    if ((count & (count - 1)) == 0) {
        struct p2e_plan_rule *grown =
            realloc(rules->rules, (count ? count * 2 : 1) * sizeof(*grown));
        if (!grown)
            return out_of_memory(err);
        rules->rules = grown;
    }
    rules->rules[rules->count++] = *rule;
    return 0;
}

int p2e_rules_add(struct p2e_rules *rules, struct p2e_scope *scope,
                  const struct p2e_plan_rule *rule, struct p2e_error *err)
{
    if (append(rules, rule, err) < 0) {
        struct p2e_cel cel = rule->cel;
        p2e_cel_free(&cel);
        return -1;
    }
    rules->rules[rules->count - 1].scope = scope;
    return add_check(rules, scope, (struct p2e_check){.rule = rules->count - 1}, err);
}

int p2e_rules_refuse(struct p2e_rules *rules, const struct p2e_plan_rule *rule,
                     struct p2e_error *err)
{
    if (!rules->tolerant)
        return -1;
    struct p2e_refusal *grown =
        realloc(rules->refusals, (rules->refusal_count + 1) * sizeof(*grown));
    if (!grown)
        return out_of_memory(err);
    rules->refusals = grown;
    grown[rules->refusal_count++] = (struct p2e_refusal){rule->id, P2E_RULE_SHOWN(rule), *err};
    return 0;
}

void p2e_rules_remove(struct p2e_rules *rules, size_t rule)
{
    struct p2e_scope *scope = (struct p2e_scope *)rules->rules[rule].scope;
    size_t kept = 0;
    for (size_t i = 0; i < scope->check_count; i++) {
        if (scope->checks[i].list || scope->checks[i].rule != rule)
            scope->checks[kept++] = scope->checks[i];
    }
    scope->check_count = kept;
    rules->rules[rule].refused = true;
}

struct p2e_scope *p2e_rules_scope(struct p2e_rules *rules, const struct p2e_cel_expr *list,
                                  struct p2e_error *err)
{
    struct p2e_scope *scope = p2e_arena_new(&rules->arena, struct p2e_scope);
    struct p2e_cel_expr *binder = p2e_arena_new(&rules->arena, struct p2e_cel_expr);
    struct p2e_cel_expr **args = p2e_arena_array(&rules->arena, 1, sizeof(*args));
    if (!scope || !binder || !args) {
        out_of_memory(err);
        return NULL;
    }
    args[0] = (struct p2e_cel_expr *)list;
    *binder = (struct p2e_cel_expr){.op = P2E_CEL_EACH, .args = args, .arg_count = 1};
    scope->binder = binder;
    return scope;
}

int p2e_rules_nest(struct p2e_rules *rules, struct p2e_scope *scope,
                   const struct p2e_cel_expr *list, struct p2e_scope *elements,
                   struct p2e_error *err)
{
    return add_check(rules, scope, (struct p2e_check){.list = list, .elements = elements}, err);
}
