// What is noted of each element of a repeated field as it passes, and of each entry of a map.
//
// All results are found before any is noted: an element within another one of its kind has its
// slots only until it gives them back. A map's later entry takes the place of an earlier one with
// its key: 16 bits in the set of keys say what that one had come to (bpf/distinct.h).
#include <stdio.h>

#include "compiler/emit_expr_private.h"

typedef const struct p2e_use use_t;
typedef const struct p2e_cel_expr expr_t;

#define RESULTS_A_WORD  32
#define RESULTS_AT_ONCE 8 // how many clang may have in registers and on the stack

// ---- Results ------------------------------------------------------------------------------------
static unsigned slot_of(use_t *use, size_t field)
{
    use_t *const *uses = (use_t *const *)use->child->uses;
    for (size_t i = 0; i < use->child->use_count; i++) {
        if (uses[i]->field == &use->child->message->fields[field])
            return uses[i]->slot;
    }
    return 0;
}

// "is the key": of a map's entry, in words of what CEL sees.
static void emit_key_is(struct p2e_emitter *e, use_t *use, expr_t *constant)
{
    char key[32];
    snprintf(key, sizeof(key), "get_%u(s)", slot_of(use, 0));
    if (constant->type.kind == P2E_CEL_STRING) {
        p2e_emit_is_constant(e, &use->child->message->fields[0], key, constant);
        return;
    }
    emit(e, "(%s == ", key);
    p2e_emit_expr(e, constant);
    emit(e, ")");
}

// Element number i is the constant with that number.
static void emit_same_item(struct p2e_emitter *e, use_t *use, expr_t *test)
{
    expr_t *items = test->args[test->args[0]->op != P2E_CEL_LIST_LITERAL];
    emit(e, "(0");
    for (size_t i = 0; i < items->arg_count; i++) {
        emit(e, " || (s->value[%u] == %zu && ", use->slot, i);
        p2e_emit_is_constant(e, use->field, "value", items->args[i]);
        emit(e, ")");
    }
    emit(e, ")");
}

// The key of the set that CEL's equality has; a NaN is equal to nothing.
static void emit_first_time(struct p2e_emitter *e, use_t *use)
{
    bool text = use->field->type == P2E_TYPE_STRING || use->field->type == P2E_TYPE_BYTES;
    bool real = use->field->type == P2E_TYPE_DOUBLE || use->field->type == P2E_TYPE_FLOAT;
    emit(e, "p2e_first_time%s(s, &s->value[%u], ",
         text   ? "_text"
         : real ? "_double"
                : "",
         use->set_slot);
    p2e_emit_converted(e, use->field->type, "value");
    emit(e, ")");
}

static void emit_result(struct p2e_emitter *e, use_t *use, expr_t *test)
{
    if (p2e_test_is_about_value(test))
        p2e_emit_expr(e, test->args[1]);
    else if (test->op == P2E_CEL_UNIQUE)
        emit_first_time(e, use);
    else if (test->op != P2E_CEL_IN)
        emit_same_item(e, use, test);
    else if (use->field->map)
        emit_key_is(e, use, test->args[0]);
    else
        p2e_emit_is_constant(e, use->field, "value", test->args[0]);
}

// An element by its index, or a value by its key, is kept at once: it is in no one's way.
static void emit_keep(struct p2e_emitter *e, use_t *use, size_t index)
{
    size_t slot = use->slot + 1 + index;
    emit(e, "        if (");
    if (use->field->map)
        emit_key_is(e, use, use->tests[index]->args[1]);
    else
        emit(e, "s->value[%u] == %lldull", use->slot,
             (long long)use->tests[index]->args[1]->value.integer);
    emit(e, ") {\n            s->value[%zu] = ", slot);
    if (use->field->map)
        emit(e, "get_%u(s)", slot_of(use, 1));
    else
        p2e_emit_converted(e, use->field->type, "value");
    emit(e, ";\n            s->present[%zu] = 1;\n        }\n", slot);
}

// A look-up puts the value into the set, so that all who ask whether it is unique ask once.
static size_t first_unique(use_t *use)
{
    size_t i = 0;
    while (i < use->test_count && use->tests[i]->op != P2E_CEL_UNIQUE)
        i++;
    return i;
}

// Two bits each, so that many do not fill the stack.
static void emit_known(struct p2e_emitter *e, size_t index)
{
    emit(e, "(results_%zu >> %zu & 3)", index / RESULTS_A_WORD, 2 * (index % RESULTS_A_WORD));
}

// clang would find all results, or load all tallies, before it does anything else.
static void emit_settled(struct p2e_emitter *e, use_t *use, size_t index)
{
    if (index % RESULTS_AT_ONCE != RESULTS_AT_ONCE - 1)
        return;
    emit(e, "        SETTLE(results_%zu);\n", index / RESULTS_A_WORD);
    if (!use->field->message)
        emit(e, "        SETTLE(value);\n");
}

static void emit_results(struct p2e_emitter *e, use_t *use)
{
    size_t first = first_unique(use);
    for (size_t i = 0; i < use->test_count; i++) {
        size_t word = i / RESULTS_A_WORD;
        if (i % RESULTS_A_WORD == 0)
            emit(e, "        u64 results_%zu __attribute__((unused)) = 0;\n", word);
        if (use->tests[i]->op == P2E_CEL_AT)
            continue;
        emit(e, "        results_%zu |= (u64)", word);
        if (i > first && use->tests[i]->op == P2E_CEL_UNIQUE)
            emit_known(e, first);
        else
            emit_result(e, use, use->tests[i]);
        emit(e, " << %zu;\n", 2 * (i % RESULTS_A_WORD));
        emit_settled(e, use, i);
    }
    if (use->elements)
        emit(e, "        u32 broken = verdict_%u(s%s);\n", use->elements->number,
             use->field->message ? "" : ", value");
}

// ---- Notes --------------------------------------------------------------------------------------
static void emit_note(struct p2e_emitter *e, use_t *use, size_t index)
{
    emit(e, "        p2e_tally(&s->value[%zu], ", use->slot + 1 + index);
    emit_known(e, index);
    emit(e, ");\n");
}

static void emit_tally(struct p2e_emitter *e, use_t *use, size_t index)
{
    if (use->tests[index]->op == P2E_CEL_AT)
        emit_keep(e, use, index);
    else
        emit_note(e, use, index);
}

static void emit_tallies(struct p2e_emitter *e, use_t *use)
{
    for (size_t i = 0; i < use->test_count; i++) {
        emit_tally(e, use, i);
        emit_settled(e, use, i);
    }
    if (use->elements)
        emit(e, "        p2e_tally(&s->value[%u], broken == P2E_RULE_COUNT);\n", use->verdict_slot);
}

// The same of a map that tells its keys apart.
static void emit_set_tallies(struct p2e_emitter *e, use_t *use)
{
    bool text = use->child->message->fields[0].type == P2E_TYPE_STRING;
    unsigned shift = 0;
    emit(e,
         "        u32 was = 0, is = 0;\n"
         "        int known = p2e_meet_key%s(s, &s->value[%u], get_%u(s), &was);\n"
         "        if (known == P2E_DISTINCT_FULL)\n            return 0;\n",
         text ? "_text" : "", use->set_slot, slot_of(use, 0));
    for (size_t i = 0; i < use->test_count; i++) {
        if (!p2e_test_is_about_value(use->tests[i])) {
            emit_tally(e, use, i);
            continue;
        }
        emit(e, "        is |= p2e_retally(&s->value[%zu], known, was, ", use->slot + 1 + i);
        emit_known(e, i);
        emit(e, ", %u);\n", shift);
        shift += 2;
    }
    if (use->elements)
        emit(
            e,
            "        is |= p2e_retally(&s->value[%u], known, was, broken == P2E_RULE_COUNT, %u);\n",
            use->verdict_slot, shift);
    emit(e, "        p2e_distinct_set_bits(s, is);\n");
}

void p2e_emit_element(struct p2e_emitter *e, use_t *use)
{
    struct p2e_place *place = use->child;
    emit_results(e, use);
    if (place && place->cyclic)
        emit(e, "        p2e_restore(s, %u, %u);\n", place->slot_begin,
             place->slot_end - place->slot_begin);
    if (place && place->discard_slot)
        emit(e, "        if (s->value[%u])\n            break;\n", place->discard_slot);
    if (use->field->map && use->set_slot)
        emit_set_tallies(e, use);
    else
        emit_tallies(e, use);
    if (use->elements)
        emit(e, "        if (broken != P2E_RULE_COUNT)\n            s->value[%u] = broken;\n",
             use->verdict_slot + 1);
}
