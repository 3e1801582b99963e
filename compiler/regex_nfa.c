#include <stddef.h>

#include "compiler/regex_private.h"

// Instructions are emitted from the end of the pattern to its begin: each construct is told what
// follows it.

static int emit(struct p2e_regex_build *build, const struct p2e_regex_node *node, uint16_t next,
                uint16_t *start);

static int add(struct p2e_regex_build *build, struct p2e_nfa_inst inst, uint16_t *id)
{
    struct p2e_nfa *nfa = &build->nfa;
    if (nfa->count == P2E_REGEX_MAX_INSTRUCTIONS)
        return p2e_regex_fail(build, (struct p2e_span){0, build->size},
                              "the pattern is too large: with its repetitions written out it has "
                              "more than %d characters; shorten them",
                              P2E_REGEX_MAX_INSTRUCTIONS);
    void *insts = p2e_regex_grow(nfa->insts, &nfa->capacity, nfa->count, sizeof(inst));
    if (!insts)
        return p2e_regex_fail_memory(build);
    nfa->insts = insts;
    nfa->insts[nfa->count] = inst;
    *id = (uint16_t)nfa->count++;
    return 0;
}

static int add_split(struct p2e_regex_build *build, uint16_t next, uint16_t other, uint16_t *id)
{
    return add(build, (struct p2e_nfa_inst){.op = P2E_NFA_SPLIT, .next = next, .other = other}, id);
}

static int emit_assertion(struct p2e_regex_build *build, enum p2e_regex_assertion assertion,
                          uint16_t next, uint16_t *start)
{
    switch (assertion) {
    case P2E_REGEX_BEGIN_LINE:
    case P2E_REGEX_END_LINE:
        build->nfa.asserts_lines = true;
        break;
    case P2E_REGEX_WORD_BOUNDARY:
    case P2E_REGEX_NO_WORD_BOUNDARY:
        build->nfa.asserts_words = true;
        break;
    default:
        break;
    }
    struct p2e_nfa_inst inst = {
        .op = P2E_NFA_ASSERT, .assertion = (uint8_t)assertion, .next = next};
    return add(build, inst, start);
}

static int emit_concat(struct p2e_regex_build *build, const struct p2e_regex_node *node,
                       uint16_t next, uint16_t *start)
{
    *start = next;
    for (const struct p2e_regex_node *child = node->last; child; child = child->previous) {
        if (emit(build, child, *start, start) < 0)
            return -1;
    }
    return 0;
}

static int emit_alternate(struct p2e_regex_build *build, const struct p2e_regex_node *node,
                          uint16_t next, uint16_t *start)
{
    if (emit(build, node->last, next, start) < 0)
        return -1;
    for (const struct p2e_regex_node *child = node->last->previous; child;
         child = child->previous) {
        uint16_t branch;
        if (emit(build, child, next, &branch) < 0 || add_split(build, branch, *start, start) < 0)
            return -1;
    }
    return 0;
}

// x*: *start is the fork before x, *body the begin of x.
static int emit_loop(struct p2e_regex_build *build, const struct p2e_regex_node *child,
                     uint16_t next, uint16_t *start, uint16_t *body)
{
    if (add_split(build, next, next, start) < 0 || emit(build, child, *start, body) < 0)
        return -1;
    build->nfa.insts[*start].next = *body;
    return 0;
}

// (x(x(x)?)?)?
static int emit_optional(struct p2e_regex_build *build, const struct p2e_regex_node *child,
                         unsigned count, uint16_t next, uint16_t *start)
{
    *start = next;
    for (unsigned i = 0; i < count; i++) {
        if (emit(build, child, *start, start) < 0 || add_split(build, *start, next, start) < 0)
            return -1;
    }
    return 0;
}

static int emit_repeat(struct p2e_regex_build *build, const struct p2e_regex_node *node,
                       uint16_t next, uint16_t *start)
{
    const struct p2e_regex_node *child = node->last;
    unsigned required = node->min;
    if (node->max != P2E_REGEX_UNBOUNDED) {
        if (emit_optional(build, child, node->max - required, next, start) < 0)
            return -1;
    } else {
        uint16_t body;
        if (emit_loop(build, child, next, start, &body) < 0)
            return -1;
        if (required > 0) {
            *start = body;
            required--;
        }
    }
    for (; required > 0; required--) {
        if (emit(build, child, *start, start) < 0)
            return -1;
    }
    return 0;
}

static int emit(struct p2e_regex_build *build, const struct p2e_regex_node *node, uint16_t next,
                uint16_t *start)
{
    if (p2e_regex_spend(build, 1) < 0)
        return -1;
    switch (node->op) {
    case P2E_REGEX_CHARACTER:
        return add(
            build,
            (struct p2e_nfa_inst){.op = P2E_NFA_CHARACTER, .node = node->character, .next = next},
            start);
    case P2E_REGEX_ASSERT:
        return emit_assertion(build, node->assertion, next, start);
    case P2E_REGEX_CONCAT:
        return emit_concat(build, node, next, start);
    case P2E_REGEX_ALTERNATE:
        return emit_alternate(build, node, next, start);
    case P2E_REGEX_REPEAT:
        return emit_repeat(build, node, next, start);
    }
    return -1;
}

int p2e_regex_emit(struct p2e_regex_build *build)
{
    uint16_t match;
    if (add(build, (struct p2e_nfa_inst){.op = P2E_NFA_MATCH}, &match) < 0)
        return -1;
    return emit(build, build->tree, match, &build->nfa.start);
}
