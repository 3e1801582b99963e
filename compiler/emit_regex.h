// The automata of a filter's regular expressions, pooled: equal ones stand once in its tables
// (bpf/regex.h).
#ifndef P2E_COMPILER_EMIT_REGEX_H
#define P2E_COMPILER_EMIT_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "compiler/cel_format.h"
#include "compiler/regex.h"

#define P2E_REGEX_TABLE_MAX 262144 // entries of all automata together

struct p2e_regexes {
    struct p2e_buffer automata;                   // struct p2e_regex_use
    struct p2e_regex patterns[P2E_PATTERN_COUNT]; // those of formats that are tested
    uint32_t entries;
    bool overflow; // more than P2E_REGEX_TABLE_MAX
};

void p2e_regexes_free(struct p2e_regexes *regexes);

// The automaton of a format; NULL when there is no memory for it, which automata.failed tells.
const struct p2e_regex *p2e_regexes_pattern(struct p2e_regexes *regexes,
                                            enum p2e_cel_pattern pattern);

// Appends the arguments of p2e_text_regex() that stand for the automaton, which has to outlive
// `regexes`.
void p2e_regexes_arguments(struct p2e_regexes *regexes, const struct p2e_regex *regex,
                           struct p2e_buffer *out);

// Appends the tables.
void p2e_regexes_emit(const struct p2e_regexes *regexes, struct p2e_buffer *out);

#endif
