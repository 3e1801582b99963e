// The rules of a filter, whether its configuration has them or its schema: what is to hold of which
// part of the message.
//
// A *scope* is what is judged together when it ends: the message, or each element of a list (each
// entry of a map). Its *checks* are tried in turn: rules about it, and lists of its own whose
// elements are scopes again.
#ifndef P2E_COMPILER_RULES_H
#define P2E_COMPILER_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/arena.h"
#include "compiler/cel.h"

// How a rule is shown.
#define P2E_RULE_SHOWN(rule) ((rule)->shown ? (rule)->shown : (rule)->expression)

#define P2E_RULES_MAX 4096

struct p2e_place;

struct p2e_check {
    size_t rule;                     // in p2e_rules.rules; where `list` is not NULL, instead:
    const struct p2e_cel_expr *list; // a list, a map, or a message that holds one of its kind
    struct p2e_scope *elements;
};

struct p2e_scope {
    const struct p2e_cel_expr *binder; // what ELEMENT is bound to; NULL for the message itself
    struct p2e_check *checks;
    size_t check_count;
    bool cyclic; // an element may be found within another one
    // The plan's (compiler/plan.c).
    struct p2e_place *place; // of the element; NULL for scalars
    bool bound, collected;
    unsigned number; // from 0, in the order in which they are met
};

// A rule, checked. The texts outlive it.
struct p2e_plan_rule {
    struct p2e_cel cel;
    const char *id, *expression, *message; // message: NULL for none
    const char *shown;                     // to a person instead of the expression; NULL for that
    const struct p2e_scope *scope;
    bool refused; // after all: it is in no scope any more
};

// A rule that is not judged, and why.
struct p2e_refusal {
    const char *id, *expression;
    struct p2e_error why;
};

struct p2e_rules {
    struct p2e_plan_rule *rules;
    size_t count;
    bool tolerant; // refused rules are noted and left out, instead of being errors
    struct p2e_refusal *refusals;
    size_t refusal_count;
    struct p2e_scope *root;
    struct p2e_arena arena; // scopes, checks, binders, and texts that are made up
};

// Start with this; release with p2e_rules_free whatever it returns.
int p2e_rules_init(struct p2e_rules *rules, bool tolerant, struct p2e_error *err);
void p2e_rules_free(struct p2e_rules *rules);

// Appends a rule to a scope. rule->cel is owned by `rules` from here on, whatever the outcome.
int p2e_rules_add(struct p2e_rules *rules, struct p2e_scope *scope,
                  const struct p2e_plan_rule *rule, struct p2e_error *err);
// Takes note of a rule that is refused because of *err. -1 where that is an error.
int p2e_rules_refuse(struct p2e_rules *rules, const struct p2e_plan_rule *rule,
                     struct p2e_error *err);
// Takes a rule that is refused after all out of its scope. Its index stays.
void p2e_rules_remove(struct p2e_rules *rules, size_t rule);
// A new scope for the elements of `list`, which has no checks and is in no scope yet. NULL is an
// error. Its binder's args[0] is `list`.
struct p2e_scope *p2e_rules_scope(struct p2e_rules *rules, const struct p2e_cel_expr *list,
                                  struct p2e_error *err);
// Appends the elements of `list` to what is checked of a scope.
int p2e_rules_nest(struct p2e_rules *rules, struct p2e_scope *scope,
                   const struct p2e_cel_expr *list, struct p2e_scope *elements,
                   struct p2e_error *err);

#endif
