#include "compiler/plan_straight.h"

#include "bpf/table.h"

#define NODES_MAX  64 // rows that are looked at
#define FIELDS_MAX 64 // fields that all functions below the root's have together: each is code
#define FIELDS_MIN 2  // a call for one field costs what the walker does
#define ROW_MAX    64 // fields that one function has: what follows is the walker's

struct nodes {
    unsigned list[NODES_MAX];
    size_t count;
};

unsigned p2e_straight_last(const struct p2e_plan *plan, unsigned node)
{
    unsigned dense = plan->table[node] >> P2E_ROW_DENSE & 0xffff, last = 0, fields = 0;
    while (last < dense && last < P2E_STRAIGHT_NUMBER_MAX && fields < ROW_MAX)
        fields += plan->table[node + ++last] != 0;
    return last;
}

bool p2e_straight_is_marked(const struct p2e_plan *plan, unsigned node)
{
    return plan->table[node] >> P2E_ROW_STRAIGHT & 1;
}

// ---- Fields -------------------------------------------------------------------------------------
static bool can_enter(const struct p2e_plan *plan, uint64_t entry)
{
    unsigned child = P2E_ENTRY_BITS(entry, CHILD, 16);
    return p2e_straight_is_marked(plan, child) && !plan->has_required &&
           !(plan->table[child] >> P2E_ROW_ELEMENT & 1);
}

static bool is_packed(unsigned kind)
{
    return kind == P2E_KIND_PACKED_VARINT || kind == P2E_KIND_PACKED_32 ||
           kind == P2E_KIND_PACKED_64;
}

enum p2e_straight_way p2e_straight_way(const struct p2e_plan *plan, unsigned node, unsigned number)
{
    uint64_t entry = plan->table[node + number];
    if (!entry)
        return P2E_STRAIGHT_NONE;
    // Below the root, a hook would be one call deeper than the kernel may allow.
    bool hooked = entry >> P2E_ENTRY_HOOK & 1, repeated = entry >> P2E_ENTRY_REPEATED & 1;
    unsigned kind = P2E_ENTRY_BITS(entry, KIND, 3);
    if (hooked && (node != p2e_plan_root(plan) || repeated))
        return P2E_STRAIGHT_STOP;
    if (repeated && kind != P2E_KIND_MESSAGE)
        return is_packed(kind) ? P2E_STRAIGHT_TAKE : P2E_STRAIGHT_STOP;
    switch (kind) {
    case P2E_KIND_SCALAR:
    case P2E_KIND_BYTES:
    case P2E_KIND_STRING:
        return P2E_STRAIGHT_TAKE;
    case P2E_KIND_MESSAGE:
        return can_enter(plan, entry) ? P2E_STRAIGHT_ENTER : P2E_STRAIGHT_STOP;
    default:
        return P2E_STRAIGHT_STOP;
    }
}

static size_t count_taken(const struct p2e_plan *plan, unsigned node)
{
    size_t count = 0;
    unsigned last = p2e_straight_last(plan, node);
    for (unsigned i = 1; i <= last; i++)
        count += p2e_straight_way(plan, node, i) == P2E_STRAIGHT_TAKE;
    return count;
}

// ---- Rows, the nearest first --------------------------------------------------------------------
static void add_node(struct nodes *nodes, unsigned node)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->list[i] == node)
            return;
    }
    if (nodes->count < NODES_MAX)
        nodes->list[nodes->count++] = node;
}

static void add_children(const struct p2e_plan *plan, unsigned node, struct nodes *nodes)
{
    unsigned last = p2e_straight_last(plan, node);
    for (unsigned i = 1; i <= last; i++) {
        uint64_t entry = plan->table[node + i];
        if (P2E_ENTRY_BITS(entry, KIND, 3) == P2E_KIND_MESSAGE)
            add_node(nodes, P2E_ENTRY_BITS(entry, CHILD, 16));
    }
}

void p2e_plan_straight(struct p2e_plan *plan)
{
    struct nodes nodes = {{p2e_plan_root(plan)}, 1};
    size_t fields = 0;
    for (size_t i = 0; i < nodes.count; i++) {
        unsigned node = nodes.list[i];
        size_t taken = count_taken(plan, node);
        add_children(plan, node, &nodes);
        if (node != p2e_plan_root(plan)) {
            if (taken < FIELDS_MIN || fields + taken > FIELDS_MAX)
                continue;
            fields += taken;
        }
        plan->table[node] |= 1ull << P2E_ROW_STRAIGHT;
    }
}
