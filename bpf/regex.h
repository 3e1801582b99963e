// Regular expressions: an automaton over bytes, a row of its table a state. State 0 is never left
// again, nor is the last one: what follows changes nothing.
//
// Before this file the emitted part defines P2E_REGEX_COUNT, and where that is not 0, the tables
// p2e_regex_classes and p2e_regex_next with their masks.
#ifndef P2E_BPF_REGEX_H
#define P2E_BPF_REGEX_H

#include "state.h"

#define P2E_REGEX_STEPS 256

#if P2E_REGEX_COUNT
struct p2e_match {
    u32 pos, end;      // of the text
    u32 classes, next; // where the automaton stands in the tables
    u32 row, last;     // the state it is in, and the last one
};

// A bounded part of a run. Returns 0 when it is decided.
P2E_GLOBAL int p2e_regex_steps(struct p2e_state *s, struct p2e_match *match)
{
    if (!s || !match)
        return 0;
    u32 pos = match->pos, row = match->row;
    for (int n = 0; n < P2E_REGEX_STEPS; n++) {
        VOLATILE(s->at) = pos;
        VOLATILE(s->at2) = row;
        pos = VOLATILE(s->at);
        row = VOLATILE(s->at2);
        if (pos >= match->end || !row || row == match->last)
            break;
        u32 class = p2e_regex_classes[(match->classes + p2e_byte(s, pos)) & P2E_REGEX_CLASS_MASK];
        row = p2e_regex_next[(match->next + row + class) & P2E_REGEX_NEXT_MASK];
        pos++;
    }
    match->pos = pos;
    match->row = row;
    return pos < match->end && row && row != match->last;
}

// Does the text match? `tables` says where the automaton stands, `rows` which are its first, its
// last and its least accepting state (compiler/emit_regex.c).
P2E_GLOBAL int p2e_text_regex(struct p2e_state *s, u64 text, u64 tables, u64 rows)
{
    if (!s)
        return 0;
    struct p2e_match match = {
        .pos = p2e_text_pos(text),
        .end = p2e_text_pos(text) + p2e_text_size(text),
        .classes = (u32)tables,
        .next = tables >> 32,
        .row = rows & 0xffff,
        .last = rows >> 16 & 0xffff,
    };
    for (int n = 0; n < 65536 / P2E_REGEX_STEPS + 1; n++) {
        if (!p2e_regex_steps(s, &match))
            return match.row >= rows >> 32;
    }
    return 0;
}
#endif

#endif
