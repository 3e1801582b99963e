#include "compiler/regex.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "compiler/regex_private.h"

#define MAX_WORK   ((uint64_t)64 << 20)
#define TREE_LIMIT ((size_t)4 << 20)

// ---- Failures -----------------------------------------------------------------------------------

int p2e_regex_fail(struct p2e_regex_build *build, struct p2e_span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p2e_error_vset(build->err, format, args);
    va_end(args);
    *build->fault = span;
    return -1;
}

int p2e_regex_fail_size(struct p2e_regex_build *build)
{
    return p2e_regex_fail(
        build, (struct p2e_span){0, build->size},
        "the pattern is too large to be judged, which takes at most %d states and "
        "%d transitions; shorten its repetitions",
        P2E_REGEX_MAX_STATES, P2E_REGEX_MAX_ENTRIES);
}

int p2e_regex_fail_memory(struct p2e_regex_build *build)
{
    return p2e_regex_fail(build, (struct p2e_span){0, build->size},
                          "out of memory while compiling the pattern");
}

int p2e_regex_spend(struct p2e_regex_build *build, uint64_t steps)
{
    if (steps > build->work)
        return p2e_regex_fail_size(build);
    build->work -= steps;
    return 0;
}

void *p2e_regex_grow(void *array, size_t *capacity, size_t count, size_t item)
{
    if (count < *capacity)
        return array;
    size_t larger = *capacity ? 2 * *capacity : 64;
    void *moved = reallocarray(array, larger, item);
    if (moved)
        *capacity = larger;
    return moved;
}

// ---- Compilation --------------------------------------------------------------------------------

static void free_build(struct p2e_regex_build *build)
{
    p2e_arena_free(&build->arena);
    free(build->graph.edges);
    free(build->graph.nodes);
    free(build->nfa.insts);
    free(build->dfa.next);
    free(build->dfa.accepting);
}

int p2e_regex_compile(const char *pattern, size_t size, struct p2e_regex *regex,
                      struct p2e_span *fault, struct p2e_error *err)
{
    *regex = (struct p2e_regex){0};
    _cleanup_(free_build) struct p2e_regex_build build = {
        .pattern = pattern,
        .size = size,
        .fault = fault,
        .err = err,
        .work = MAX_WORK,
        .arena = {.limit = TREE_LIMIT},
    };
    if (size > P2E_REGEX_MAX_PATTERN)
        return p2e_regex_fail(&build, (struct p2e_span){0, size},
                              "the pattern has %zu bytes, and at most %d are taken; shorten it",
                              size, P2E_REGEX_MAX_PATTERN);
    if (p2e_regex_parse(&build) < 0 || p2e_regex_emit(&build) < 0 ||
        p2e_regex_determinize(&build) < 0)
        return -1;
    return p2e_regex_minimize(&build, regex);
}

void p2e_regex_free(struct p2e_regex *regex)
{
    free(regex->next);
    *regex = (struct p2e_regex){0};
}

// ---- The reference runner -----------------------------------------------------------------------

bool p2e_regex_matches(const struct p2e_regex *regex, const char *text, size_t size)
{
    unsigned state = regex->start;
    for (size_t i = 0; i < size; i++) {
        if (state == P2E_REGEX_DEAD || state == regex->state_count - 1u)
            break;
        unsigned class = regex->class_of[(unsigned char)text[i]];
        state = regex->next[state * regex->class_count + class];
    }
    return state >= regex->accepting;
}
