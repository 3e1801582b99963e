// The whole way of a rule: a filter of the configuration to an object that loads.
#ifndef P2E_COMPILER_COMPILE_H
#define P2E_COMPILER_COMPILE_H

#include "base/buffer.h"
#include "base/error.h"
#include "compiler/plan.h"
#include "config/config.h"

// The source of one filter's program: a C file that stands alone.
struct p2e_program_source {
    struct p2e_buffer text;
    // SHA-256, hex, of what determines the program. Equal digests: equal objects.
    char digest[65];
};

void p2e_program_source_free(struct p2e_program_source *source);

// Schema and rules to source; clang is not needed yet. Errors name the filter and the rule, with a
// caret under the token.
int p2e_compile_source(const struct p2e_filter *filter, struct p2e_program_source *source,
                       struct p2e_error *err);

// Schema and rules to a plan, of which the schema must outlive the plan. Errors name the rule;
// where `tolerant`, rules that are refused are none, but left out and noted in plan->rules.
int p2e_compile_plan(const struct p2e_filter *filter, bool tolerant, struct p2e_schema *schema,
                     struct p2e_plan *plan, struct p2e_error *err);

// Source to object file, replaced at once or not at all. Runs $P2E_CLANG, else clang.
int p2e_compile_object(const struct p2e_program_source *source, const char *object_path,
                       struct p2e_error *err);

#endif
