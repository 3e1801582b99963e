// Which messages have functions of their own that take fields in the order of their numbers
// (bpf/straight.h): the filter's, and the nearest ones below it.
#ifndef P2E_COMPILER_PLAN_STRAIGHT_H
#define P2E_COMPILER_PLAN_STRAIGHT_H

#include "compiler/plan.h"

// What such a function does about a field.
enum p2e_straight_way {
    P2E_STRAIGHT_NONE,  // there is no such field
    P2E_STRAIGHT_TAKE,  // takes it
    P2E_STRAIGHT_ENTER, // a submessage: goes on inside, with the fields of its function
    P2E_STRAIGHT_STOP,  // leaves it, and all that follows, to the walker
};

// Fills plan->straight, and marks the rows that the walker asks for (P2E_ROW_STRAIGHT). Returns
// -1 when out of memory.
int p2e_plan_straight(struct p2e_plan *plan, struct p2e_error *err);

enum p2e_straight_way p2e_straight_way(const struct p2e_plan *plan, unsigned node, unsigned number);

// Highest field number that the function of a row knows.
unsigned p2e_straight_last(const struct p2e_plan *plan, unsigned node);

#endif
