// Times to C expressions over bpf/time.h.
#ifndef P2E_COMPILER_EMIT_TIME_H
#define P2E_COMPILER_EMIT_TIME_H

#include "compiler/emit_expr.h"

// Does any rule ask for the time at which a message is judged?
bool p2e_emit_uses_now(const struct p2e_plan *plan);

// The function that gives this part (GET_…) of a time.
const char *p2e_emit_time_part(const struct p2e_cel_expr *get);

#endif
