// From rules on: to a plan and to C source. clang is another program and not run.
#ifndef P2E_TESTS_FUZZ_PLANNING_H
#define P2E_TESTS_FUZZ_PLANNING_H

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/emit.h"

#define MAX_DEPTH 32

// An error is a sentence.
static inline void require_text(const struct p2e_error *err)
{
    if (!err->text[0] || !memchr(err->text, '\0', sizeof(err->text)))
        abort();
}

static inline void emit(const struct p2e_plan *plan)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer out = {0};
    struct p2e_emit_names names = {"fuzz", "canonical"};
    struct p2e_error err = {0};
    char digest[65];
    if (p2e_emit(plan, &names, &out, digest, &err) < 0)
        require_text(&err);
}

// *rules is the plan's from here on.
static inline void plan_and_emit(const struct p2e_message *message, const struct p2e_schema *schema,
                                 struct p2e_rules *rules)
{
    struct p2e_plan plan;
    struct p2e_error err = {0};
    if (p2e_plan_make(message, schema, rules, MAX_DEPTH, &plan, &err) < 0) {
        require_text(&err);
        return;
    }
    emit(&plan);
    p2e_plan_free(&plan);
}

#endif
