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
#include "compiler/rules.h"
#include "compiler/schema.h"

// What is remembered of one field of a place.
struct p2e_use {
    const struct p2e_field *field;
    struct p2e_place *place;
    struct p2e_place *child; // of a message field whose fields are looked at, else NULL
    bool value;              // the (last) value is looked at, not only presence or count
    bool content;            // of a text: its bytes are, not only its size
    bool size;               // of a map: the number of its keys is
    // What is asked of each element of a repeated field as it passes: `constant in list`, macros,
    // an element by its index. Each has a slot of its own, after `slot`.
    const struct p2e_cel_expr **tests;
    size_t test_count;
    struct p2e_scope *elements; // whose checks apply to each element, else NULL
    unsigned slot;              // presence, value, number of elements
    unsigned verdict_slot;      // of `elements`: the tally of their verdicts, then a broken rule
    unsigned set_slot;          // of p2e_use_is_set: which set, then its size
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
    // An element: it begins anew each time, and what is asked of it is answered when it ends. All
    // others are merged from all their occurrences.
    bool element;
    bool cyclic;           // an element that may be found within another one
    struct p2e_use *owner; // of an element: the use through which it was met first
    unsigned discard_slot; // of a map's entry whose value may turn out to be none, else 0
};

// A closed enum whose field must be told known numbers from unknown ones where no rule looks.
struct p2e_hooked_field {
    const struct p2e_field *field;
    unsigned hook;
};

// A function that takes the fields of a row in order (compiler/plan_straight.h).
struct p2e_straight_function {
    unsigned node;
    bool is_walked_to; // the walker, too, opens such messages
};

struct p2e_plan {
    const struct p2e_message *message;
    struct p2e_rules rules;
    unsigned max_depth;
    bool shares_states; // of a transport whose filters may be preempted (bpf/state.h)

    struct p2e_place **places; // [0] is the root's
    size_t place_count;
    struct p2e_scope **scopes; // by number; [0] is the message's
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
    bool has_hooks, has_oneofs, has_required, has_elements, has_sets;
    struct p2e_straight_function *straight; // [0] is the root's
    size_t straight_count;
    unsigned saved_count; // slots that elements within elements save at most
    size_t field_count;   // that the walk knows by name

    struct p2e_arena arena; // all of the above but the rules
};

// Plans a filter for `message`. *rules is the plan's from here on, whatever the outcome. What
// cannot be judged exactly in the kernel is an error with a caret.
int p2e_plan_make(const struct p2e_message *message, const struct p2e_schema *schema,
                  struct p2e_rules *rules, unsigned max_depth, struct p2e_plan *plan,
                  struct p2e_error *err);
void p2e_plan_free(struct p2e_plan *plan);

// The node of the filter's message.
static inline unsigned p2e_plan_root(const struct p2e_plan *plan)
{
    return plan->places[0]->node;
}

// Of a map: must what the test said of an entry be unsaid when the key comes again?
bool p2e_test_is_about_value(const struct p2e_cel_expr *test);

// Are equal elements, or keys, of this field told from others?
bool p2e_use_is_set(const struct p2e_use *use);

// The use that a SELECT or HAS expression of one of the rules stands for.
const struct p2e_use *p2e_plan_use(const struct p2e_plan *plan, const struct p2e_cel_expr *select);

// Number of a oneof's member as its slot holds it; 0 stands for none set.
unsigned p2e_plan_member(const struct p2e_field *field);

// Does an emitted function have to look at each value of this field?
bool p2e_use_is_hooked(const struct p2e_use *use);

#endif
