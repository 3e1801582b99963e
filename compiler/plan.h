// What a filter's program has to do: which fields to walk, what to remember of them, what to look
// at when the message ends.
//
// A *place* is a message on a path of singular fields from the root that some rule looks at. Each
// place has a node of its own, so that what is remembered of `this.a.x` is told from `this.b.x`;
// everywhere else a message type has one node. What is remembered lives in *slots*, numbered from
// 1; the slots of a place and all places below it are contiguous, so that a oneof that changes its
// mind forgets them at once. Values are judged when the message ends, so the last one wins by
// construction.
#ifndef P2E_COMPILER_PLAN_H
#define P2E_COMPILER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/arena.h"
#include "compiler/cel.h"
#include "compiler/schema.h"

struct p2e_place;

// What is remembered of one field of a place.
struct p2e_use {
    const struct p2e_field *field;
    struct p2e_place *place;
    struct p2e_place *child; // of a message field whose fields are looked at, else NULL
    bool value;              // the (last) value is looked at, not only presence or count
    // What is asked of each element of a repeated field as it passes: `constant in list`, and
    // macros. Each has a slot of its own, after `slot`.
    const struct p2e_cel_expr **tests;
    size_t test_count;
    unsigned slot;
    unsigned hook; // of a scalar that is hooked: number of its case in the emitted function
};

struct p2e_place {
    const struct p2e_message *message;
    struct p2e_use *parent; // the use that this place is the child of, NULL for the root
    struct p2e_use **uses;  // in the order in which rules name them
    size_t use_count;
    unsigned *oneof_slots; // by oneof of the message, 0 where no rule asks; holds the member set
    unsigned slot_begin, slot_end; // of the place and all below it
    unsigned node;
    // An element of a repeated field: it begins anew each time, and what is asked of it is answered
    // when it ends. 0 for a message that is merged from all its occurrences.
    unsigned scope;
};

// A closed enum whose field must be told known numbers from unknown ones where no rule looks.
struct p2e_hooked_field {
    const struct p2e_field *field;
    unsigned hook;
};

// A rule, checked.
struct p2e_plan_rule {
    struct p2e_cel cel;
    const char *id, *expression;
};

struct p2e_plan {
    const struct p2e_message *message;
    struct p2e_plan_rule *rules;
    size_t rule_count;
    unsigned max_depth;

    struct p2e_place **places; // [0] is the root's
    size_t place_count;
    struct p2e_place **scopes; // places that are elements; scope number i + 1 is scopes[i]
    size_t scope_count;
    unsigned slot_count; // slot 0 included
    struct p2e_hooked_field *hooked;
    size_t hooked_count;
    unsigned hook_count; // numbers given out, above all nodes

    // The walker's tables (bpf/table.h).
    uint64_t *table;
    size_t table_size;
    uint64_t *sparse_keys, *sparse_entries; // ascending keys: node << 32 | field number
    size_t sparse_count;
    uint64_t *needs; // sets of required fields; [0] is the empty one
    size_t needs_count;
    unsigned *type_nodes; // by p2e_message.index; 0 for a type that is not reachable
    bool has_hooks, has_oneofs, has_required;
    size_t field_count; // that the walk knows by name

    struct p2e_arena arena; // all of the above but the rules' trees
};

// Plans a filter for `message`. rules[i].cel.root is checked already and owned by the plan from
// here on, whatever the outcome. What cannot be judged exactly in the kernel is an error with a
// caret.
int p2e_plan_make(const struct p2e_message *message, const struct p2e_schema *schema,
                  struct p2e_plan_rule *rules, size_t rule_count, unsigned max_depth,
                  struct p2e_plan *plan, struct p2e_error *err);
void p2e_plan_free(struct p2e_plan *plan);

// The use that a SELECT or HAS expression of one of the rules stands for.
const struct p2e_use *p2e_plan_use(const struct p2e_plan *plan, const struct p2e_cel_expr *select);

// Number of a oneof's member as its slot holds it; 0 stands for none set.
unsigned p2e_plan_member(const struct p2e_field *field);

// Does an emitted function have to look at each value of this field?
bool p2e_use_is_hooked(const struct p2e_use *use);

#endif
