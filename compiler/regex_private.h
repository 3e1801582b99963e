// How compiling a regular expression is split; used by compiler/regex*.c alone.
//
//     pattern ──regex_parse──▶ tree ──regex_nfa──▶ instructions ──regex_dfa──▶ automaton
//     ──regex_minimize──▶ table
//
// regex_set has sets of code points, regex_utf8 turns them into byte sequences.
#ifndef P2E_COMPILER_REGEX_PRIVATE_H
#define P2E_COMPILER_REGEX_PRIVATE_H

#include "compiler/arena.h"
#include "compiler/regex.h"
#include "compiler/unicode.h"

// ---- Sets of code points ------------------------------------------------------------------------

// Start from {0}. Ranges are in any order and may overlap until p2e_code_set_normalize; after it
// they ascend and do not touch. Once an allocation failed `failed` is set.
struct p2e_code_set {
    struct p2e_unicode_range *ranges;
    size_t count, capacity;
    bool failed;
};

void p2e_code_set_add(struct p2e_code_set *set, uint32_t first, uint32_t last);
void p2e_code_set_normalize(struct p2e_code_set *set);
// Both leave the set normalized.
void p2e_code_set_fold(struct p2e_code_set *set); // adds what is equal but for case
void p2e_code_set_negate(struct p2e_code_set *set);
// For __attribute__((cleanup)).
void p2e_code_set_free(struct p2e_code_set *set);

// Add a class by its name, as in \d \s \w, [:alpha:], and \p{Greek} (a category, a script, "Any");
// false when there is none of that name.
bool p2e_code_set_add_perl(struct p2e_code_set *set, char letter);
bool p2e_code_set_add_posix(struct p2e_code_set *set, const char *name, size_t size);
bool p2e_code_set_add_property(struct p2e_code_set *set, const char *name, size_t size);

// ---- Their UTF-8 sequences ----------------------------------------------------------------------

// Sets of code points as one acyclic automaton over bytes, minimal: equal nodes are one node.
enum { P2E_UTF8_NONE, P2E_UTF8_DONE }; // nodes: the bytes so far are no character, are one

#define P2E_UTF8_MAX_NODES 65535
#define P2E_UTF8_BUCKETS   4096

struct p2e_utf8_edge {
    uint8_t first, last;
    uint16_t target;
};

struct p2e_utf8_node {
    uint32_t begin; // of its edges, which ascend
    uint16_t count;
    uint16_t chain; // the next node in the same bucket, 0 for none
};

struct p2e_utf8_graph {
    struct p2e_utf8_edge *edges;
    size_t edge_count, edge_capacity;
    struct p2e_utf8_node *nodes;
    size_t node_count, node_capacity;
    uint16_t buckets[P2E_UTF8_BUCKETS];
};

// ---- The tree -----------------------------------------------------------------------------------

enum p2e_regex_op {
    P2E_REGEX_CHARACTER,
    P2E_REGEX_ASSERT,
    P2E_REGEX_CONCAT,
    P2E_REGEX_ALTERNATE,
    P2E_REGEX_REPEAT,
};

enum p2e_regex_assertion {
    P2E_REGEX_BEGIN_TEXT,
    P2E_REGEX_END_TEXT,
    P2E_REGEX_BEGIN_LINE,
    P2E_REGEX_END_LINE,
    P2E_REGEX_WORD_BOUNDARY,
    P2E_REGEX_NO_WORD_BOUNDARY,
};

#define P2E_REGEX_UNBOUNDED UINT16_MAX

struct p2e_regex_node {
    enum p2e_regex_op op;
    uint16_t character;                 // CHARACTER: node of the graph
    enum p2e_regex_assertion assertion; // ASSERT
    uint16_t min, max;                  // REPEAT; max may be P2E_REGEX_UNBOUNDED
    unsigned repeat;                    // largest product of nested x{n,m} in it, at least 1
    struct p2e_regex_node *last;        // child of CONCAT, ALTERNATE and REPEAT
    struct p2e_regex_node *previous;    // sibling
};

// ---- Instructions -------------------------------------------------------------------------------

enum p2e_nfa_op {
    P2E_NFA_MATCH,
    P2E_NFA_CHARACTER,
    P2E_NFA_SPLIT,
    P2E_NFA_ASSERT,
};

struct p2e_nfa_inst {
    uint8_t op;
    uint8_t assertion; // ASSERT
    uint16_t node;     // CHARACTER: of the graph
    uint16_t next;
    uint16_t other; // SPLIT
};

struct p2e_nfa {
    struct p2e_nfa_inst *insts;
    size_t count, capacity;
    uint16_t start;
    bool asserts_words, asserts_lines;
};

// ---- The automaton before it is minimal ---------------------------------------------------------

// What subset construction may give; minimal automata are held to P2E_REGEX_MAX_*.
#define P2E_DFA_MAX_STATES  (4 * P2E_REGEX_MAX_STATES)
#define P2E_DFA_MAX_ENTRIES (16 * P2E_REGEX_MAX_ENTRIES)

struct p2e_dfa {
    uint8_t class_of[256];
    unsigned class_count;
    size_t state_count, capacity;
    uint16_t *next; // [state * class_count + class]
    bool *accepting;
    uint16_t start;
};

// ---- One compilation ----------------------------------------------------------------------------

// What all passes share.
struct p2e_regex_build {
    const char *pattern;
    size_t size;
    struct p2e_span *fault;
    struct p2e_error *err;
    uint64_t work; // elementary steps that may still be taken
    struct p2e_arena arena;
    struct p2e_regex_node *tree;
    struct p2e_utf8_graph graph;
    struct p2e_nfa nfa;
    struct p2e_dfa dfa;
};

// Sets fault and err, and returns -1.
int p2e_regex_fail(struct p2e_regex_build *build, struct p2e_span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The same for the pattern as a whole.
int p2e_regex_fail_size(struct p2e_regex_build *build);
int p2e_regex_fail_memory(struct p2e_regex_build *build);
// Takes `steps` off build->work; fails when it is used up.
int p2e_regex_spend(struct p2e_regex_build *build, uint64_t steps);
// Room for one more item in an array, which may move; NULL when there is no memory.
void *p2e_regex_grow(void *array, size_t *capacity, size_t count, size_t item);

int p2e_regex_parse(struct p2e_regex_build *build);
// Adds the code points of a normalized set (surrogates aside) to the graph: *node is where they
// begin.
int p2e_utf8_graph_add(struct p2e_regex_build *build, const struct p2e_code_set *set,
                       uint16_t *node);
int p2e_regex_emit(struct p2e_regex_build *build);
int p2e_regex_determinize(struct p2e_regex_build *build);
int p2e_regex_minimize(struct p2e_regex_build *build, struct p2e_regex *regex);

#endif
