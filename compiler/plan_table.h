// The second half of planning: the walker's tables, laid out as bpf/table.h says.
#ifndef P2E_COMPILER_PLAN_TABLE_H
#define P2E_COMPILER_PLAN_TABLE_H

#include "compiler/plan.h"

// Places and slots are known; fills nodes and tables.
int p2e_plan_tables(struct p2e_plan *plan, const struct p2e_schema *schema, struct p2e_error *err);

#endif
