#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/regex_private.h"

// Hopcroft's algorithm: blocks of states that seem equal are split until they are.

struct block {
    uint32_t begin, end; // of its states in partition.states
    uint32_t marked;     // how many of them, the first ones, lead into the block that splits
};

struct partition {
    const struct p2e_dfa *dfa;
    uint16_t *states;   // block by block
    uint16_t *place;    // by state: where it is in `states`
    uint16_t *block_of; // by state
    struct block *blocks;
    size_t block_count;
    uint16_t *touched; // blocks with a marked state
    size_t touched_count;
    uint16_t *waiting; // blocks that have yet to split others
    size_t waiting_count;
    uint16_t *splitter; // a copy of the states of the block that splits
    uint32_t *begins;   // [class * (states + 1) + state]: of its predecessors
    uint16_t *sources;  // [class * states + …]: predecessors
};

// ---- Predecessors -------------------------------------------------------------------------------

static void index_predecessors(struct partition *p)
{
    size_t count = p->dfa->state_count, classes = p->dfa->class_count;
    for (size_t class = 0; class < classes; class ++) {
        uint32_t *begins = p->begins + class * (count + 1);
        uint16_t *sources = p->sources + class * count;
        for (size_t state = 0; state < count; state++)
            begins[p->dfa->next[state * classes + class]]++;
        for (size_t state = 1; state <= count; state++)
            begins[state] += begins[state - 1];
        for (size_t state = count; state-- > 0;)
            sources[--begins[p->dfa->next[state * classes + class]]] = (uint16_t)state;
    }
}

// ---- Splitting ----------------------------------------------------------------------------------

static void mark(struct partition *p, uint16_t state)
{
    struct block *block = &p->blocks[p->block_of[state]];
    uint32_t from = p->place[state], to = block->begin + block->marked;
    if (from < to)
        return;
    uint16_t other = p->states[to];
    p->states[to] = state;
    p->states[from] = other;
    p->place[state] = (uint16_t)to;
    p->place[other] = (uint16_t)from;
    if (block->marked++ == 0)
        p->touched[p->touched_count++] = p->block_of[state];
}

// The smaller one of the marked and the other states becomes a block of its own. It is enough that
// it splits others: the larger one waits already, or has no more to tell than both together had.
static void split(struct partition *p, struct block *block)
{
    uint32_t middle = block->begin + block->marked;
    struct block part = {block->begin, middle, 0};
    block->marked = 0;
    if (middle == block->end)
        return;
    if (middle - block->begin > block->end - middle) {
        part = (struct block){middle, block->end, 0};
        block->end = middle;
    } else {
        block->begin = middle;
    }
    uint16_t id = (uint16_t)p->block_count++;
    p->blocks[id] = part;
    for (uint32_t i = part.begin; i < part.end; i++)
        p->block_of[p->states[i]] = id;
    p->waiting[p->waiting_count++] = id;
}

static void split_touched(struct partition *p)
{
    while (p->touched_count > 0)
        split(p, &p->blocks[p->touched[--p->touched_count]]);
}

// Splits all blocks by which states lead into this one.
static void split_by(struct partition *p, const struct block *block)
{
    size_t count = p->dfa->state_count, size = block->end - block->begin;
    memcpy(p->splitter, p->states + block->begin, size * sizeof(*p->splitter));
    for (size_t class = 0; class < p->dfa->class_count; class ++) {
        const uint32_t *begins = p->begins + class * (count + 1);
        const uint16_t *sources = p->sources + class * count;
        for (size_t i = 0; i < size; i++) {
            for (uint32_t at = begins[p->splitter[i]]; at < begins[p->splitter[i] + 1]; at++)
                mark(p, sources[at]);
        }
        split_touched(p);
    }
}

static void refine(struct partition *p)
{
    size_t count = p->dfa->state_count;
    p->blocks[0] = (struct block){0, (uint32_t)count, 0};
    p->block_count = 1;
    for (size_t state = 0; state < count; state++)
        p->states[state] = p->place[state] = (uint16_t)state;
    for (size_t state = 0; state < count; state++) {
        if (p->dfa->accepting[state])
            mark(p, (uint16_t)state);
    }
    split_touched(p);
    while (p->waiting_count > 0) {
        struct block block = p->blocks[p->waiting[--p->waiting_count]];
        split_by(p, &block);
    }
}

static int allocate(struct partition *p)
{
    size_t count = p->dfa->state_count, classes = p->dfa->class_count;
    p->states = calloc(count, sizeof(*p->states));
    p->place = calloc(count, sizeof(*p->place));
    p->block_of = calloc(count, sizeof(*p->block_of));
    p->blocks = calloc(count, sizeof(*p->blocks));
    p->touched = calloc(count, sizeof(*p->touched));
    p->waiting = calloc(count, sizeof(*p->waiting));
    p->splitter = calloc(count, sizeof(*p->splitter));
    p->begins = calloc((count + 1) * classes, sizeof(*p->begins));
    p->sources = calloc(count * classes, sizeof(*p->sources));
    bool complete = p->states && p->place && p->block_of && p->blocks && p->touched && p->waiting &&
                    p->splitter && p->begins && p->sources;
    return complete ? 0 : -1;
}

static void free_partition(struct partition *p)
{
    free(p->states);
    free(p->place);
    free(p->block_of);
    free(p->blocks);
    free(p->touched);
    free(p->waiting);
    free(p->splitter);
    free(p->begins);
    free(p->sources);
}

// ---- The table ----------------------------------------------------------------------------------

#define UNNUMBERED UINT16_MAX

struct quotient {
    const struct partition *partition;
    uint16_t *number_of; // by block: its state in the table
    uint16_t *columns;   // [class * states + state], in the table's states
    size_t state_count, accepting;
};

static uint16_t successor(const struct partition *p, size_t state, size_t class)
{
    return p->block_of[p->dfa->next[state * p->dfa->class_count + class]];
}

static bool is_final(const struct partition *p, size_t state)
{
    for (size_t class = 0; class < p->dfa->class_count; class ++) {
        if (successor(p, state, class) != p->block_of[state])
            return false;
    }
    return true;
}

// Numbers blocks in the order in which the construction came to their states.
static void number_blocks(struct quotient *q, bool accepting)
{
    const struct p2e_dfa *dfa = q->partition->dfa;
    for (size_t state = 0; state < dfa->state_count; state++) {
        uint16_t *number = &q->number_of[q->partition->block_of[state]];
        if (*number == UNNUMBERED && dfa->accepting[state] == accepting)
            *number = (uint16_t)q->state_count++;
    }
}

// The dead state is the first one and the one where all is matched the last, whether or not they
// can be reached.
static void number_states(struct quotient *q)
{
    const struct partition *p = q->partition;
    uint16_t matched = UNNUMBERED;
    for (size_t block = 0; block < p->block_count; block++) {
        size_t state = p->states[p->blocks[block].begin];
        q->number_of[block] = UNNUMBERED;
        if (is_final(p, state) && p->dfa->accepting[state])
            matched = (uint16_t)block;
        else if (is_final(p, state))
            q->number_of[block] = P2E_REGEX_DEAD;
    }
    if (matched != UNNUMBERED)
        q->number_of[matched] = P2E_REGEX_DEAD; // for now: it comes last
    q->state_count = P2E_REGEX_DEAD + 1;
    number_blocks(q, false);
    q->accepting = q->state_count;
    number_blocks(q, true);
    if (matched != UNNUMBERED)
        q->number_of[matched] = (uint16_t)q->state_count;
    q->state_count++;
}

static void fill_columns(struct quotient *q)
{
    const struct partition *p = q->partition;
    for (size_t class = 0; class < p->dfa->class_count; class ++) {
        uint16_t *column = q->columns + class * q->state_count;
        column[P2E_REGEX_DEAD] = P2E_REGEX_DEAD;
        column[q->state_count - 1] = (uint16_t)(q->state_count - 1);
        for (size_t block = 0; block < p->block_count; block++) {
            size_t state = p->states[p->blocks[block].begin];
            column[q->number_of[block]] = q->number_of[successor(p, state, class)];
        }
    }
}

// Classes that lead to the same states become one. The columns that are kept move to the front.
static size_t merge_columns(struct quotient *q, uint8_t *merged)
{
    size_t kept = 0, size = q->state_count * sizeof(*q->columns);
    for (size_t class = 0; class < q->partition->dfa->class_count; class ++) {
        const uint16_t *column = q->columns + class * q->state_count;
        size_t same = 0;
        while (same < kept && memcmp(q->columns + same * q->state_count, column, size) != 0)
            same++;
        if (same == kept)
            memmove(q->columns + kept++ * q->state_count, column, size);
        merged[class] = (uint8_t)same;
    }
    return kept;
}

static int make_table(struct p2e_regex_build *build, struct quotient *q, struct p2e_regex *regex)
{
    uint8_t merged[256];
    size_t states = q->state_count, classes = merge_columns(q, merged);
    if (states * classes > P2E_REGEX_MAX_ENTRIES)
        return p2e_regex_fail_size(build);
    regex->next = calloc(states * classes, sizeof(*regex->next));
    if (!regex->next)
        return p2e_regex_fail_memory(build);
    for (size_t state = 0; state < states; state++) {
        for (size_t class = 0; class < classes; class ++)
            regex->next[state * classes + class] = q->columns[class * states + state];
    }
    for (size_t byte = 0; byte < 256; byte++)
        regex->class_of[byte] = merged[build->dfa.class_of[byte]];
    regex->class_count = (uint16_t)classes;
    regex->state_count = (uint16_t)states;
    regex->start = q->number_of[q->partition->block_of[build->dfa.start]];
    regex->accepting = (uint16_t)q->accepting;
    return 0;
}

int p2e_regex_minimize(struct p2e_regex_build *build, struct p2e_regex *regex)
{
    _cleanup_(free_partition) struct partition p = {.dfa = &build->dfa};
    if (allocate(&p) < 0)
        return p2e_regex_fail_memory(build);
    index_predecessors(&p);
    refine(&p);

    struct quotient q = {.partition = &p};
    _cleanup_free_ uint16_t *number_of = calloc(p.block_count, sizeof(*number_of));
    if (!number_of)
        return p2e_regex_fail_memory(build);
    q.number_of = number_of;
    number_states(&q);
    if (q.state_count > P2E_REGEX_MAX_STATES)
        return p2e_regex_fail_size(build);
    _cleanup_free_ uint16_t *columns =
        calloc(q.state_count * build->dfa.class_count, sizeof(*columns));
    if (!columns)
        return p2e_regex_fail_memory(build);
    q.columns = columns;
    fill_columns(&q);
    return make_table(build, &q, regex);
}
