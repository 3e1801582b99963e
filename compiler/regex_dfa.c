#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/regex_private.h"

// Subset construction. A state is what the bytes so far leave open: a sorted set of items, and as
// what the last byte counts for assertions. An item is
//
//     node << 16 | inst    at `node` within a character that instruction `inst` follows, or,
//                          with P2E_UTF8_DONE for a node, at the assertion `inst`
//
// An assertion is decided once the next byte is known, or the end. The pattern may begin at every
// byte: a character begins at none but a first one.

// Bytes (and places without one) as assertions see them.
enum kind {
    KIND_OTHER,
    KIND_WORD,
    KIND_NEWLINE,
    KIND_CONTINUATION, // of a UTF-8 sequence: what is before it is no place between characters
    KIND_NONE,         // the text begins or ends
    KIND_COUNT,
};

struct items {
    uint32_t *data;
    size_t count, capacity;
};

struct state {
    uint32_t begin, count; // of its items
    uint32_t chain;        // the next state in the same bucket, 0 for none
    enum kind before;
};

// Where an item leads with a byte of some class.
struct move {
    uint32_t to;
    uint32_t chain; // the next move with the same class, counted from 1; 0 for none
};

#define BUCKETS  16384
#define ACCEPT   0 // the state once a match was found
#define START    1
#define MAX_SETS ((size_t)4 << 20) // items of all states

struct builder {
    struct p2e_regex_build *build;
    struct p2e_dfa *dfa;
    enum kind kinds[256];      // by class
    bool has_kind[KIND_COUNT]; // whether a place can be before one
    struct state *states;
    struct items sets;  // of all states, one after the other
    struct items first; // where the pattern may begin
    struct items open, successor;
    struct move *moves; // of the open items
    size_t move_count, move_capacity;
    uint32_t moves_of[256]; // by class: the first move, counted from 1
    uint16_t *stack;        // instructions to follow
    size_t stacked;
    uint32_t *seen; // by instruction: the round that it was followed in
    uint32_t round;
    uint16_t *buckets;
};

// ---- Bytes --------------------------------------------------------------------------------------

static bool is_word(unsigned byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (byte >= 'a' && byte <= 'z');
}

static enum kind kind_of(const struct p2e_nfa *nfa, unsigned byte)
{
    if (nfa->asserts_words && is_word(byte))
        return KIND_WORD;
    if (nfa->asserts_lines && byte == '\n')
        return KIND_NEWLINE;
    if (nfa->asserts_words && (byte & 0xc0) == 0x80)
        return KIND_CONTINUATION;
    return KIND_OTHER;
}

// Bytes between which no edge and no assertion tells the difference are one class.
static void make_classes(struct builder *b)
{
    const struct p2e_regex_build *build = b->build;
    bool begins[257] = {[0] = true};
    for (size_t i = 0; i < build->graph.edge_count; i++) {
        begins[build->graph.edges[i].first] = true;
        begins[build->graph.edges[i].last + 1] = true;
    }
    for (unsigned byte = 1; byte < 256; byte++)
        begins[byte] |= kind_of(&build->nfa, byte) != kind_of(&build->nfa, byte - 1);

    b->has_kind[KIND_NONE] = true;
    for (unsigned byte = 0; byte < 256; byte++) {
        enum kind kind = kind_of(&build->nfa, byte);
        if (begins[byte])
            b->kinds[b->dfa->class_count++] = kind;
        b->has_kind[kind] = true;
        b->dfa->class_of[byte] = (uint8_t)(b->dfa->class_count - 1);
    }
}

// ---- Items --------------------------------------------------------------------------------------

static int add_item(struct builder *b, struct items *items, unsigned node, unsigned inst)
{
    void *data = p2e_regex_grow(items->data, &items->capacity, items->count, sizeof(*items->data));
    if (!data)
        return p2e_regex_fail_memory(b->build);
    items->data = data;
    items->data[items->count++] = (uint32_t)node << 16 | inst;
    return 0;
}

static int compare_items(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

static int sort_items(struct builder *b, struct items *items)
{
    if (items->count < 2)
        return 0;
    if (p2e_regex_spend(b->build, 8 * items->count) < 0)
        return -1;
    qsort(items->data, items->count, sizeof(*items->data), compare_items);
    size_t kept = 1;
    for (size_t i = 1; i < items->count; i++) {
        if (items->data[i] != items->data[kept - 1])
            items->data[kept++] = items->data[i];
    }
    items->count = kept;
    return 0;
}

// ---- Instructions -------------------------------------------------------------------------------

// A place in the text: what is on either side of it.
struct place {
    enum kind before, after;
};

static bool holds(enum p2e_regex_assertion assertion, const struct place *place)
{
    bool at_boundary = (place->before == KIND_WORD) != (place->after == KIND_WORD);
    switch (assertion) {
    case P2E_REGEX_BEGIN_TEXT:
        return place->before == KIND_NONE;
    case P2E_REGEX_END_TEXT:
        return place->after == KIND_NONE;
    case P2E_REGEX_BEGIN_LINE:
        return place->before == KIND_NONE || place->before == KIND_NEWLINE;
    case P2E_REGEX_END_LINE:
        return place->after == KIND_NONE || place->after == KIND_NEWLINE;
    case P2E_REGEX_WORD_BOUNDARY:
        return at_boundary;
    case P2E_REGEX_NO_WORD_BOUNDARY:
        return !at_boundary && place->after != KIND_CONTINUATION;
    }
    return false;
}

static void push(struct builder *b, uint16_t inst)
{
    if (b->seen[inst] == b->round)
        return;
    b->seen[inst] = b->round;
    b->stack[b->stacked++] = inst;
}

// Adds the items that can be reached from `inst` without a byte. Assertions are decided by `place`;
// without one they become items. Instructions of this round are not followed again.
static int follow(struct builder *b, uint16_t inst, const struct place *place, struct items *items,
                  bool *matched)
{
    const struct p2e_nfa *nfa = &b->build->nfa;
    push(b, inst);
    while (b->stacked > 0) {
        uint16_t id = b->stack[--b->stacked];
        const struct p2e_nfa_inst *at = &nfa->insts[id];
        if (p2e_regex_spend(b->build, 1) < 0)
            return -1;
        if (at->op == P2E_NFA_MATCH) {
            *matched = true;
        } else if (at->op == P2E_NFA_SPLIT) {
            push(b, at->next);
            push(b, at->other);
        } else if (at->op == P2E_NFA_CHARACTER) {
            if (at->node != P2E_UTF8_NONE && add_item(b, items, at->node, at->next) < 0)
                return -1;
        } else if (!place) {
            if (add_item(b, items, P2E_UTF8_DONE, id) < 0)
                return -1;
        } else if (holds((enum p2e_regex_assertion)at->assertion, place)) {
            push(b, at->next);
        }
    }
    return 0;
}

// ---- States -------------------------------------------------------------------------------------

static unsigned hash_set(const struct items *items, enum kind before)
{
    uint64_t hash = 14695981039346656037u + before;
    for (size_t i = 0; i < items->count; i++)
        hash = (hash ^ items->data[i]) * 1099511628211u;
    return (hash ^ hash >> 32) % BUCKETS;
}

static bool is_state(const struct builder *b, size_t id, const struct items *items,
                     enum kind before)
{
    const struct state *state = &b->states[id];
    return state->before == before && state->count == items->count &&
           (items->count == 0 || memcmp(b->sets.data + state->begin, items->data,
                                        items->count * sizeof(*items->data)) == 0);
}

// Room for more states, their rows of transitions, and which of them accept.
static int grow_states(struct builder *b)
{
    struct p2e_dfa *dfa = b->dfa;
    size_t capacity = dfa->capacity;
    void *states = p2e_regex_grow(b->states, &capacity, dfa->state_count, sizeof(*b->states));
    if (!states)
        return p2e_regex_fail_memory(b->build);
    b->states = states;
    if (capacity == dfa->capacity)
        return 0;
    void *next = reallocarray(dfa->next, capacity, dfa->class_count * sizeof(*dfa->next));
    if (!next)
        return p2e_regex_fail_memory(b->build);
    dfa->next = next;
    void *accepting = reallocarray(dfa->accepting, capacity, sizeof(*dfa->accepting));
    if (!accepting)
        return p2e_regex_fail_memory(b->build);
    dfa->accepting = accepting;
    dfa->capacity = capacity;
    return 0;
}

static int add_row(struct builder *b)
{
    struct p2e_dfa *dfa = b->dfa;
    if (dfa->state_count == P2E_DFA_MAX_STATES ||
        (dfa->state_count + 1) * dfa->class_count > P2E_DFA_MAX_ENTRIES)
        return p2e_regex_fail_size(b->build);
    if (grow_states(b) < 0)
        return -1;
    dfa->state_count++;
    return 0;
}

static int add_state(struct builder *b, const struct items *items, enum kind before,
                     unsigned bucket)
{
    if (b->sets.count + items->count > MAX_SETS)
        return p2e_regex_fail_size(b->build);
    if (add_row(b) < 0)
        return -1;
    size_t id = b->dfa->state_count - 1;
    b->states[id] = (struct state){
        .begin = (uint32_t)b->sets.count,
        .count = (uint32_t)items->count,
        .chain = b->buckets[bucket],
        .before = before,
    };
    for (size_t i = 0; i < items->count; i++) {
        if (add_item(b, &b->sets, items->data[i] >> 16, items->data[i] & 0xffff) < 0)
            return -1;
    }
    b->buckets[bucket] = (uint16_t)id;
    return 0;
}

// The state of these items, made when there is none yet.
static int intern(struct builder *b, struct items *items, enum kind before, uint16_t *id)
{
    if (sort_items(b, items) < 0)
        return -1;
    unsigned bucket = hash_set(items, before);
    size_t at = b->buckets[bucket];
    while (at && !is_state(b, at, items, before))
        at = b->states[at].chain;
    if (!at) {
        at = b->dfa->state_count;
        if (add_state(b, items, before, bucket) < 0)
            return -1;
    }
    *id = (uint16_t)at;
    return 0;
}

// ---- Transitions --------------------------------------------------------------------------------

// Into b->open what awaits a byte at this place; `matched` when nothing need.
static int open_item(struct builder *b, uint32_t item, const struct place *place, bool *matched)
{
    unsigned node = item >> 16, inst = item & 0xffff;
    if (node == P2E_UTF8_DONE)
        return follow(b, (uint16_t)inst, place, &b->open, matched);
    return add_item(b, &b->open, node, inst);
}

// The same for all that the state leaves open, when a byte of kind `after` follows.
static int open_state(struct builder *b, size_t id, enum kind after, bool *matched)
{
    const struct state *state = &b->states[id];
    struct place place = {state->before, after};
    *matched = false;
    b->open.count = 0;
    b->round++;
    if (p2e_regex_spend(b->build, state->count + b->first.count) < 0)
        return -1;
    for (size_t i = 0; i < state->count; i++) {
        if (open_item(b, b->sets.data[state->begin + i], &place, matched) < 0)
            return -1;
    }
    for (size_t i = 0; i < b->first.count; i++) {
        if (open_item(b, b->first.data[i], &place, matched) < 0)
            return -1;
    }
    return 0;
}

static int add_move(struct builder *b, unsigned class, uint32_t to)
{
    void *moves = p2e_regex_grow(b->moves, &b->move_capacity, b->move_count, sizeof(*b->moves));
    if (!moves)
        return p2e_regex_fail_memory(b->build);
    b->moves = moves;
    b->moves[b->move_count++] = (struct move){to, b->moves_of[class]};
    b->moves_of[class] = (uint32_t)b->move_count;
    return 0;
}

static int add_moves(struct builder *b, uint32_t item)
{
    const struct p2e_utf8_graph *graph = &b->build->graph;
    const struct p2e_utf8_node *node = &graph->nodes[item >> 16];
    for (unsigned i = 0; i < node->count; i++) {
        const struct p2e_utf8_edge *edge = &graph->edges[node->begin + i];
        unsigned first = b->dfa->class_of[edge->first], last = b->dfa->class_of[edge->last];
        if (p2e_regex_spend(b->build, last - first + 1) < 0)
            return -1;
        for (unsigned class = first; class <= last; class ++) {
            if (add_move(b, class, (uint32_t)edge->target << 16 | (item & 0xffff)) < 0)
                return -1;
        }
    }
    return 0;
}

static int move_open(struct builder *b)
{
    b->move_count = 0;
    memset(b->moves_of, 0, sizeof(b->moves_of));
    for (size_t i = 0; i < b->open.count; i++) {
        if (add_moves(b, b->open.data[i]) < 0)
            return -1;
    }
    return 0;
}

// Where the moves lead with a byte of the class.
static int step(struct builder *b, unsigned class, enum kind before, uint16_t *next)
{
    bool matched = false;
    b->successor.count = 0;
    b->round++;
    for (uint32_t at = b->moves_of[class]; at; at = b->moves[at - 1].chain) {
        unsigned node = b->moves[at - 1].to >> 16, inst = b->moves[at - 1].to & 0xffff;
        int result = node == P2E_UTF8_DONE
                         ? follow(b, (uint16_t)inst, NULL, &b->successor, &matched)
                         : add_item(b, &b->successor, node, inst);
        if (result < 0)
            return -1;
    }
    *next = ACCEPT;
    return matched ? 0 : intern(b, &b->successor, before, next);
}

// The transitions of a state with bytes of kind `after`, or whether it accepts at the end.
static int add_transitions(struct builder *b, size_t id, enum kind after)
{
    struct p2e_dfa *dfa = b->dfa;
    bool matched;
    if (open_state(b, id, after, &matched) < 0)
        return -1;
    if (after == KIND_NONE) {
        dfa->accepting[id] = matched;
        return 0;
    }
    if (move_open(b) < 0)
        return -1;
    for (unsigned class = 0; class < dfa->class_count; class ++) {
        uint16_t next = ACCEPT;
        if (b->kinds[class] != after)
            continue;
        if (!matched && step(b, class, after, &next) < 0)
            return -1;
        dfa->next[id * dfa->class_count + class] = next;
    }
    return 0;
}

// ---- All of it ----------------------------------------------------------------------------------

static int begin_states(struct builder *b)
{
    bool matched = false;
    b->round = 1;
    if (add_row(b) < 0)
        return -1;
    b->states[ACCEPT] = (struct state){0};
    b->dfa->accepting[ACCEPT] = true;
    memset(b->dfa->next, ACCEPT, b->dfa->class_count * sizeof(*b->dfa->next));
    if (follow(b, b->build->nfa.start, NULL, &b->first, &matched) < 0 ||
        intern(b, &b->successor, KIND_NONE, &b->dfa->start) < 0)
        return -1;
    if (matched)
        b->dfa->start = ACCEPT;
    return 0;
}

static int build_states(struct builder *b)
{
    size_t insts = b->build->nfa.count;
    b->stack = calloc(insts, sizeof(*b->stack));
    b->seen = calloc(insts, sizeof(*b->seen));
    b->buckets = calloc(BUCKETS, sizeof(*b->buckets));
    if (!b->stack || !b->seen || !b->buckets)
        return p2e_regex_fail_memory(b->build);
    make_classes(b);
    if (begin_states(b) < 0)
        return -1;
    for (size_t id = START; id < b->dfa->state_count; id++) {
        for (enum kind after = 0; after < KIND_COUNT; after++) {
            if (b->has_kind[after] && add_transitions(b, id, after) < 0)
                return -1;
        }
    }
    return 0;
}

static void free_builder(struct builder *b)
{
    free(b->states);
    free(b->sets.data);
    free(b->first.data);
    free(b->open.data);
    free(b->successor.data);
    free(b->moves);
    free(b->stack);
    free(b->seen);
    free(b->buckets);
}

int p2e_regex_determinize(struct p2e_regex_build *build)
{
    _cleanup_(free_builder) struct builder b = {.build = build, .dfa = &build->dfa};
    return build_states(&b);
}
