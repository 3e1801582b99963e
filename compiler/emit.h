// From a plan to the C source of a filter: tables, accessors of what is remembered, one function a
// rule; the walker itself is bpf/'s headers, which the source includes.
#ifndef P2E_COMPILER_EMIT_H
#define P2E_COMPILER_EMIT_H

#include "base/buffer.h"
#include "compiler/plan.h"

// What an object says of itself, beside the rules of the plan (bpf/abi.h, struct p2e_meta).
struct p2e_emit_names {
    const char *filter;
    const char *canonical; // p2e_filter_canonical
};

// Appends the source to *out. Its digest (SHA-256 of all that determines the program: this source
// and the headers) is embedded, and returned in `digest`.
int p2e_emit(const struct p2e_plan *plan, const struct p2e_emit_names *names,
             struct p2e_buffer *out, char digest[65], struct p2e_error *err);

#endif
