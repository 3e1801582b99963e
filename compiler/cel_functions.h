// What CEL's operators and functions take and give, and what of it p2e does not judge, with the
// reason.
#ifndef P2E_COMPILER_CEL_FUNCTIONS_H
#define P2E_COMPILER_CEL_FUNCTIONS_H

#include "compiler/cel.h"

// Which table of overloads counts.
enum p2e_cel_shape {
    P2E_SHAPE_NONE, // refused altogether, or not by table
    P2E_SHAPE_EQUALITY,
    P2E_SHAPE_ORDER,
    P2E_SHAPE_SUM,
    P2E_SHAPE_PRODUCT,
    P2E_SHAPE_DIFFERENCE,
    P2E_SHAPE_REMAINDER,
    P2E_SHAPE_NEGATE,
    P2E_SHAPE_SIZE,
    P2E_SHAPE_TEXT,
    P2E_SHAPE_MATCHES,
    P2E_SHAPE_TO_BOOL,
    P2E_SHAPE_TO_INT,
    P2E_SHAPE_TO_UINT,
    P2E_SHAPE_TO_DOUBLE,
    P2E_SHAPE_TO_STRING,
    P2E_SHAPE_TO_BYTES,
    P2E_SHAPE_TO_TIMESTAMP,
    P2E_SHAPE_TO_DURATION,
    P2E_SHAPE_DATE,  // parts of timestamps …
    P2E_SHAPE_CLOCK, // … and of durations, too
    P2E_SHAPE_DYN,
    P2E_SHAPE_IS_NAN,
    P2E_SHAPE_IS_INF,
    P2E_SHAPE_FORMAT,
    P2E_SHAPE_UNIQUE,
    P2E_SHAPE_MAP,
    P2E_SHAPE_FILTER,
};

struct p2e_cel_function {
    const char *name; // first, for p2e_nearest
    enum p2e_cel_op op;
    enum p2e_cel_shape shape;
    bool method_only;    // a.f(b), not f(a, b)
    size_t arg_count;    // a method's target included
    const char *refusal; // a sentence when the function is known and not supported
};

struct p2e_cel_overload {
    enum p2e_cel_shape shape;
    unsigned args[2];
    enum p2e_cel_kind result;
    const char
        *refusal; // a sentence when CEL has this overload, or one might expect it, and p2e not
};

// NULL when CEL has no such function.
const struct p2e_cel_function *p2e_cel_function(const char *name);
// Of an operator.
const struct p2e_cel_function *p2e_cel_operator(enum p2e_cel_op op);
// The function whose name is most like `name`, or NULL.
const char *p2e_cel_function_nearest(const char *name);

// The overload for arguments of these types, NULL when there is none.
const struct p2e_cel_overload *p2e_cel_overload(const struct p2e_cel_function *function,
                                                const struct p2e_cel_type *types);
// The overload for constants of these types, where p2e judges no other arguments.
const struct p2e_cel_overload *p2e_cel_constant_overload(const struct p2e_cel_function *function,
                                                         const struct p2e_cel_type *types);

#endif
