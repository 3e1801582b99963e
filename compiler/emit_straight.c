#include "compiler/emit_straight.h"

#include <inttypes.h>

#include "bpf/table.h"
#include "compiler/emit_expr_private.h"
#include "compiler/plan_straight.h"
#include "compiler/wire.h"

// ---- Fields -------------------------------------------------------------------------------------
// In the wire type that a field has mostly: a list of numbers is packed.
static unsigned tag_of(unsigned number, uint64_t entry)
{
    unsigned kind = P2E_ENTRY_BITS(entry, KIND, 3);
    bool delimited = kind != P2E_KIND_SCALAR && kind != P2E_KIND_GROUP;
    return number << 3 | (delimited ? P2E_WIRE_BYTES : P2E_ENTRY_BITS(entry, WIRE, 3));
}

static void emit_stop(struct p2e_emitter *e, unsigned tag)
{
    emit(e, "    if (p2e_straight_stops(s, at, 0x%x))\n        return;\n", tag);
}

static void emit_take(struct p2e_emitter *e, unsigned tag, uint64_t entry)
{
    emit(e,
         "    if (!p2e_straight_take(s, at, 0x%x, 0x%" PRIx64 "ull))\n"
         "        return;\n",
         tag, entry);
}

static void emit_enter(struct p2e_emitter *e, unsigned tag, uint64_t entry)
{
    emit(e,
         "    way = p2e_straight_enter(s, at, 0x%x, 0x%" PRIx64 "ull, &in);\n"
         "    if (way > 0)\n"
         "        p2e_straight_flat_%u(s, &in);\n"
         "    if (way < 0 || (way > 0 && !p2e_straight_leave(s, at, 0x%" PRIx64 "ull, &in)))\n"
         "        return;\n",
         tag, entry, P2E_ENTRY_BITS(entry, CHILD, 16), entry);
}

static void emit_field(struct p2e_emitter *e, unsigned node, unsigned number, bool flat)
{
    uint64_t entry = e->plan->table[node + number];
    unsigned tag = tag_of(number, entry);
    enum p2e_straight_way way = p2e_straight_way(e->plan, node, number);
    if (way == P2E_STRAIGHT_TAKE)
        emit_take(e, tag, entry);
    else if (way == P2E_STRAIGHT_ENTER && !flat)
        emit_enter(e, tag, entry);
    else if (way != P2E_STRAIGHT_NONE)
        emit_stop(e, tag);
}

// A flat one enters no submessage: it is for those that are entered.
static void emit_function(struct p2e_emitter *e, unsigned node, bool flat)
{
    emit(e,
         "static P2E_INLINE void p2e_straight_%s%u(struct p2e_state *s, struct p2e_straight *at)\n"
         "{\n    USED(s);\n    USED(at);\n"
         "    struct p2e_straight in __attribute__((unused));\n"
         "    int way __attribute__((unused));\n",
         flat ? "flat_" : "", node);
    unsigned last = p2e_straight_last(e->plan, node);
    for (unsigned i = 1; i <= last; i++)
        emit_field(e, node, i, flat);
    emit(e, "}\n\n");
}

// ---- Whole --------------------------------------------------------------------------------------
static void emit_body_switch(struct p2e_emitter *e)
{
    emit(e, "// Takes what it can of the message of a row, from pos on. Returns the position "
            "reached.\n"
            "P2E_GLOBAL u32 p2e_straight_body(struct p2e_state *s, u32 node, u32 pos, u32 end)\n{\n"
            "    if (!s)\n        return pos;\n"
            "    struct p2e_straight at = p2e_straight_at(s, pos, end);\n    switch (node) {\n");
    for (size_t i = 1; i < e->plan->straight_count; i++) {
        const struct p2e_straight_function *function = &e->plan->straight[i];
        if (function->is_walked_to)
            emit(e, "    case %u:\n        p2e_straight_%u(s, &at);\n        break;\n",
                 function->node, function->node);
    }
    emit(e, "    default:\n        break;\n    }\n    return at.pos;\n}\n\n");
}

bool p2e_emit_has_bodies(const struct p2e_plan *plan)
{
    for (size_t i = 1; i < plan->straight_count; i++) {
        if (plan->straight[i].is_walked_to)
            return true;
    }
    return false;
}

void p2e_emit_straight(struct p2e_emitter *e)
{
    unsigned root = p2e_plan_root(e->plan);
    emit(e, "#include \"straight.h\"\n\n");
    for (size_t i = 1; i < e->plan->straight_count; i++)
        emit_function(e, e->plan->straight[i].node, true);
    for (size_t i = 1; i < e->plan->straight_count; i++) {
        if (e->plan->straight[i].is_walked_to)
            emit_function(e, e->plan->straight[i].node, false);
    }
    emit_function(e, root, false);
    emit(e, "#define p2e_straight_root p2e_straight_%u\n\n", root);
    if (p2e_emit_has_bodies(e->plan))
        emit_body_switch(e);
}
