// Short names for the parts of the checker; for compiler/cel_*.c alone.
#ifndef P2E_COMPILER_CEL_SHORT_H
#define P2E_COMPILER_CEL_SHORT_H

#include "compiler/cel_checker.h"

typedef const struct p2e_cel_checker checker;
typedef const struct p2e_cel_node node;
typedef struct p2e_cel_expr expr;

#define fail  p2e_cel_fail
#define make  p2e_cel_make
#define check p2e_cel_check_node // recursion is as deep as the parser's tree, which is bounded

#define NAME_SIZE P2E_CEL_NAME_SIZE

static inline struct p2e_cel_type scalar(enum p2e_cel_kind kind)
{
    return (struct p2e_cel_type){.kind = kind};
}

static inline bool is_number(const struct p2e_cel_type *type)
{
    return type->kind >= P2E_CEL_INT && type->kind <= P2E_CEL_DOUBLE;
}

static inline bool is_scalar(enum p2e_cel_kind kind)
{
    return kind <= P2E_CEL_DURATION;
}

#endif
