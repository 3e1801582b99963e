// Functions that take a message's fields in the order of their numbers (bpf/straight.h), of the
// rows that are marked (compiler/plan_straight.h).
#ifndef P2E_COMPILER_EMIT_STRAIGHT_H
#define P2E_COMPILER_EMIT_STRAIGHT_H

#include "compiler/emit_expr.h"

// Defines, for bpf/walk.h, p2e_straight_root and p2e_straight_body.
void p2e_emit_straight(struct p2e_emitter *e);

// Has any message below the filter's a function? Then the walker asks for it.
bool p2e_emit_has_bodies(const struct p2e_plan *plan);

#endif
