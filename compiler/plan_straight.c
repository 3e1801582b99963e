#include "compiler/plan_straight.h"

#include "bpf/table.h"

#define NODES_MAX  64   // rows that are looked at
#define FIELDS_MIN 2    // a call for one field costs what the walker does
#define ROW_MAX    64   // code of one function: the fields that follow are the walker's
#define CODE_MAX   128  // of all functions together, with what each of them enters
#define NUMBER_MAX 2047 // of fields: tags of two bytes

struct nodes {
    unsigned list[NODES_MAX];
    size_t count;
};

// The code of a field by its kind, in the least that one has: 45 instructions, and about 5 ms of
// clang's time.
static const uint8_t code[] = {
    [P2E_KIND_SCALAR] = 1,    [P2E_KIND_BYTES] = 2,     [P2E_KIND_STRING] = 3,
    [P2E_KIND_MESSAGE] = 2,   [P2E_KIND_GROUP] = 1,     [P2E_KIND_PACKED_VARINT] = 2,
    [P2E_KIND_PACKED_32] = 2, [P2E_KIND_PACKED_64] = 2,
};

static unsigned code_of_field(const struct p2e_plan *plan, unsigned node, unsigned number)
{
    uint64_t entry = plan->table[node + number];
    return entry ? code[P2E_ENTRY_BITS(entry, KIND, 3)] : 0;
}

unsigned p2e_straight_last(const struct p2e_plan *plan, unsigned node)
{
    unsigned dense = plan->table[node] >> P2E_ROW_DENSE & 0xffff, last = 0, used = 0;
    while (last < dense && last < NUMBER_MAX) {
        used += code_of_field(plan, node, last + 1);
        if (used > ROW_MAX)
            break;
        last++;
    }
    return last;
}

// ---- Fields -------------------------------------------------------------------------------------
static bool has_function(const struct p2e_plan *plan, unsigned node)
{
    for (size_t i = 1; i < plan->straight_count; i++) {
        if (plan->straight[i].node == node)
            return true;
    }
    return false;
}

static bool can_enter(const struct p2e_plan *plan, uint64_t entry)
{
    unsigned child = P2E_ENTRY_BITS(entry, CHILD, 16);
    return !plan->has_required && !(plan->table[child] >> P2E_ROW_ELEMENT & 1) &&
           has_function(plan, child);
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

// ---- Code ---------------------------------------------------------------------------------------
static size_t code_of_row(const struct p2e_plan *plan, unsigned node)
{
    size_t size = 0;
    unsigned last = p2e_straight_last(plan, node);
    for (unsigned i = 1; i <= last; i++)
        size += code_of_field(plan, node, i);
    return size;
}

static size_t code_of_function(const struct p2e_plan *plan, unsigned node)
{
    size_t size = code_of_row(plan, node);
    unsigned last = p2e_straight_last(plan, node);
    for (unsigned i = 1; i <= last; i++) {
        if (p2e_straight_way(plan, node, i) == P2E_STRAIGHT_ENTER)
            size += code_of_row(plan, P2E_ENTRY_BITS(plan->table[node + i], CHILD, 16));
    }
    return size;
}

static size_t code_of_all(const struct p2e_plan *plan)
{
    size_t size = 0;
    for (size_t i = 0; i < plan->straight_count; i++)
        size += code_of_function(plan, plan->straight[i].node);
    return size;
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

static void add_function(struct p2e_plan *plan, unsigned node)
{
    if (count_taken(plan, node) < FIELDS_MIN)
        return;
    plan->straight[plan->straight_count++].node = node;
    if (code_of_all(plan) > CODE_MAX)
        plan->straight_count--;
}

static void choose_functions(struct p2e_plan *plan)
{
    struct nodes nodes = {{p2e_plan_root(plan)}, 1};
    plan->straight[plan->straight_count++].node = p2e_plan_root(plan);
    add_children(plan, p2e_plan_root(plan), &nodes);
    for (size_t i = 1; i < nodes.count; i++) {
        add_function(plan, nodes.list[i]);
        add_children(plan, nodes.list[i], &nodes);
    }
}

// ---- Which of them the walker asks for ----------------------------------------------------------
static unsigned next_row(const struct p2e_plan *plan, unsigned node)
{
    return node + 1 + (plan->table[node] >> P2E_ROW_DENSE & 0xffff);
}

// Does a field of this row lead the walker to `child`? All that name it do, but for what the root's
// function enters: what is entered stops at its own submessages.
static bool leads_to(const struct p2e_plan *plan, unsigned node, unsigned child)
{
    unsigned last = node == p2e_plan_root(plan) ? p2e_straight_last(plan, node) : 0;
    unsigned end = next_row(plan, node);
    for (unsigned i = 1; node + i < end; i++) {
        uint64_t entry = plan->table[node + i];
        if (P2E_ENTRY_BITS(entry, KIND, 3) != P2E_KIND_MESSAGE ||
            P2E_ENTRY_BITS(entry, CHILD, 16) != child)
            continue;
        bool entered = i <= last && p2e_straight_way(plan, node, i) == P2E_STRAIGHT_ENTER;
        if (!entered || entry >> P2E_ENTRY_REPEATED & 1)
            return true;
    }
    return false;
}

static bool is_walked_to(const struct p2e_plan *plan, unsigned child)
{
    for (unsigned node = 0; node < plan->table_size; node = next_row(plan, node)) {
        if (leads_to(plan, node, child))
            return true;
    }
    return false;
}

int p2e_plan_straight(struct p2e_plan *plan, struct p2e_error *err)
{
    plan->straight = p2e_arena_array(&plan->arena, NODES_MAX, sizeof(*plan->straight));
    if (!plan->straight)
        return p2e_error_set(err, "out of memory while planning the filter");
    choose_functions(plan);
    for (size_t i = 1; i < plan->straight_count; i++) {
        struct p2e_straight_function *function = &plan->straight[i];
        function->is_walked_to = is_walked_to(plan, function->node);
        plan->table[function->node] |= (uint64_t)function->is_walked_to << P2E_ROW_STRAIGHT;
    }
    return 0;
}
