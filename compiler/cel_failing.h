// Which expressions can be an error when a message is judged.
#ifndef P2E_COMPILER_CEL_FAILING_H
#define P2E_COMPILER_CEL_FAILING_H

#include "compiler/cel.h"

bool p2e_cel_can_fail(const struct p2e_cel_expr *expr);
// By itself, whatever its arguments are: arithmetic, conversions, parts of a time.
bool p2e_cel_can_overflow(const struct p2e_cel_expr *expr);
// getFullYear() … getMilliseconds(), of a time or a duration.
bool p2e_cel_is_time_part(const struct p2e_cel_expr *expr);
// uint(size(a)), of these conversions: a size is never negative.
bool p2e_cel_is_size(const struct p2e_cel_expr *convert);
// A test of a text that may not be UTF-8, where it has to be.
bool p2e_cel_needs_check(const struct p2e_cel_expr *expr);

#endif
