// bpf/distinct.h by itself: each run of the program does one operation of a script. A test writes
// the script, runs it with as many repetitions, and reads the results (test_distinct.py).
#define P2E_SLOTS         8
#define P2E_RULE_COUNT    0
#define P2E_FRAMES        32
#define P2E_SAVED         0
#define P2E_SHARED_STATES 1
#define P2E_TABLE_MASK    0
#define P2E_LITERAL_WORDS 0
#define P2E_FAILURE_MASK  0
#define P2E_USES_COMPARE  1
#define P2E_HAS_DISTINCT  1
#define SCRIPT_OPERATIONS 65536
#define SCRIPT_SETS       16

#include "bpf/kernel.h"

static const volatile u64 p2e_table[1];

#include "bpf/distinct.h"

enum operation_kind {
    DO_NOTHING,
    DO_BEGIN,
    DO_NEW,
    DO_SCALAR,
    DO_TEXT,
    DO_BITS,
    DO_SET_BITS,
    DO_CLAIM, // and keep
    DO_WHERE, // is the buffer in the state?
};

struct operation {
    u32 kind;
    u32 set; // by its number in the script, not by generation
    u64 argument;
    u64 result;
};

struct script {
    u64 next;
    u64 generations[SCRIPT_SETS];
    struct operation operations[SCRIPT_OPERATIONS];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct script);
} p2e_script SEC(".maps");

static P2E_INLINE u64 run(struct p2e_state *s, struct operation *operation, u64 *generation)
{
    switch (operation->kind) {
    case DO_BEGIN:
        p2e_distinct_begin(s);
        return 0;
    case DO_NEW:
        *generation = p2e_distinct_new(s);
        return *generation;
    case DO_SCALAR:
        return p2e_distinct_scalar(s, *generation, operation->argument);
    case DO_TEXT:
        return p2e_distinct_text(s, *generation, operation->argument);
    case DO_BITS:
        return p2e_distinct_bits(s);
    case DO_SET_BITS:
        p2e_distinct_set_bits(s, operation->argument);
        return 0;
    case DO_WHERE:
        return __builtin_offsetof(struct p2e_state, buffer);
    default:
        return s->index;
    }
}

SEC("socket") u32 p2e_run(struct __sk_buff *skb)
{
    u32 zero = 0;
    struct script *script = bpf_map_lookup_elem(&p2e_script, &zero);
    struct p2e_state *s = p2e_state_get();

    USED(skb);
    if (!script || !s)
        return 0;
    struct operation *operation = &script->operations[script->next++ & (SCRIPT_OPERATIONS - 1)];
    operation->result = run(s, operation, &script->generations[operation->set & (SCRIPT_SETS - 1)]);
    if (operation->kind != DO_CLAIM)
        p2e_state_put(s);
    return 1;
}

char p2e_license[] SEC("license") = "GPL";
