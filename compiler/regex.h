// Regular expressions in RE2's syntax (github.com/google/re2/wiki/Syntax), compiled to a minimal
// automaton over bytes that judges a text in one pass: a match anywhere in it counts, as in CEL's
// matches().
//
// Texts are UTF-8. In a text that is not, no character of a pattern matches a byte that belongs to
// no character; a caller for whom such a text is an error checks that first.
//
// Refused, with the place in the pattern: what RE2 refuses (backreferences, lookaround, possessive
// repetition), \C, and patterns beyond the bounds below.
#ifndef P2E_COMPILER_REGEX_H
#define P2E_COMPILER_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define P2E_REGEX_MAX_PATTERN 16384 // bytes
#define P2E_REGEX_MAX_REPEAT  1000  // n and m of x{n,m}; products of nested ones too, as in RE2
#define P2E_REGEX_MAX_DEPTH   1000  // groups within groups
#define P2E_REGEX_MAX_INSTRUCTIONS                                                                 \
    32768 // characters, forks and assertions, repetitions written out
#define P2E_REGEX_MAX_STATES  4096
#define P2E_REGEX_MAX_ENTRIES 65536 // states times classes

// State P2E_REGEX_DEAD and state state_count - 1 are never left: whatever follows, the text matches
// not, or matches. A runner may stop there.
#define P2E_REGEX_DEAD 0

struct p2e_regex {
    uint8_t class_of[256]; // bytes of one class lead to the same states
    uint16_t class_count, state_count;
    uint16_t start;
    uint16_t
        accepting;  // the first accepting state: a text matches that ends in it or in a later one
    uint16_t *next; // [state * class_count + class]
};

// `pattern` need not end in a NUL and may hold one. On failure *fault is the place in the pattern
// that err speaks of, or all of it.
int p2e_regex_compile(const char *pattern, size_t size, struct p2e_regex *regex,
                      struct p2e_span *fault, struct p2e_error *err);
void p2e_regex_free(struct p2e_regex *regex);

bool p2e_regex_matches(const struct p2e_regex *regex, const char *text, size_t size);

#endif
