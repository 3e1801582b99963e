#include "compiler/emit.h"

#include <inttypes.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/table.h"
#include "compiler/bpf_sources.h"
#include "compiler/emit_straight.h"
#include "compiler/emit_time.h"

#define emit(e, ...) p2e_buffer_printf((e)->out, __VA_ARGS__)

#define CHECKS_INLINE   8   // up to so many checks of a scope stand where it is judged
#define ELEMENTS_INLINE 1   // up to so many lists have their elements judged in the loop itself
#define CHECK_GROUPS    4   // more stand in so many functions
#define CHECKS_TOGETHER 256 // of an element: in one

static size_t power_of_two(size_t at_least)
{
    size_t size = 1;
    while (size < at_least)
        size *= 2;
    return size;
}

// ---- Constants and tables -----------------------------------------------------------------------
static void emit_parameters(struct p2e_emitter *e)
{
    const struct p2e_plan *plan = e->plan;
    size_t slots = power_of_two(plan->slot_count < 8 ? 8 : plan->slot_count);
    emit(e, "#define P2E_SLOTS %zu\n", slots);
    emit(e, "#define P2E_RULE_COUNT %zu\n", plan->rules.count);
    emit(e, "#define P2E_MAX_DEPTH %u\n", plan->max_depth);
    emit(e, "#define P2E_FRAMES %zu\n", power_of_two(plan->max_depth));
    emit(e, "#define P2E_SHARED_STATES %d\n", plan->shares_states);
    emit(e, "#define P2E_ROOT %u\n", p2e_plan_root(plan));
    emit(e, "#define P2E_TABLE_MASK %zu\n", power_of_two(plan->table_size) - 1);
    emit(e, "#define P2E_SPARSE_COUNT %zu\n", plan->sparse_count);
    emit(e, "#define P2E_SPARSE_SIZE %zu\n", power_of_two(plan->sparse_count));
    emit(e, "#define P2E_NEEDS_MASK %zu\n", power_of_two(plan->needs_count) - 1);
    emit(e, "#define P2E_HAS_HOOKS %d\n", plan->has_hooks);
    emit(e, "#define P2E_HAS_ONEOFS %d\n", plan->has_oneofs);
    emit(e, "#define P2E_HAS_REQUIRED %d\n", plan->has_required);
    emit(e, "#define P2E_HAS_ELEMENTS %d\n", plan->has_elements);
    emit(e, "#define P2E_HAS_DISTINCT %d\n", plan->has_sets);
    emit(e, "#define P2E_HAS_BODIES %d\n", p2e_emit_has_bodies(plan));
    emit(e, "#define P2E_SAVED %zu\n", plan->saved_count ? power_of_two(plan->saved_count) : 0);
    emit(e, "#define P2E_HAS_NOW %d\n\n", p2e_emit_uses_now(plan));
}

// Tables are as large as their mask says; what is not named is 0.
static void emit_table(struct p2e_emitter *e, const char *type, const char *name,
                       const uint64_t *items, size_t count)
{
    emit(e, "static const volatile %s %s[%zu] = {", type, name, power_of_two(count));
    for (size_t i = 0; i < count; i++)
        emit(e, "%s0x%" PRIx64 ",", i % 4 ? " " : "\n    ", items[i]);
    emit(e, "\n};\n\n");
}

static void emit_tables(struct p2e_emitter *e)
{
    const struct p2e_plan *plan = e->plan;
    emit_table(e, "u64", "p2e_table", plan->table, plan->table_size);
    if (plan->sparse_count) {
        emit_table(e, "u64", "p2e_sparse_keys", plan->sparse_keys, plan->sparse_count);
        emit_table(e, "u64", "p2e_sparse_entries", plan->sparse_entries, plan->sparse_count);
    }
    if (plan->has_required)
        emit_table(e, "u64", "p2e_needs", plan->needs, plan->needs_count);
}

// ---- Texts --------------------------------------------------------------------------------------
static void emit_failures(struct p2e_emitter *e)
{
    const uint16_t *failures = (const uint16_t *)(const void *)e->texts.failures.data;
    size_t count = e->texts.failures.size / sizeof(*failures);
    emit(e, "#define P2E_FAILURE_MASK %zu\n", power_of_two(count) - 1);
    if (!count)
        return;
    emit(e, "static const volatile u16 p2e_failures[%zu] = {", power_of_two(count));
    for (size_t i = 0; i < count; i++)
        emit(e, "%s%u,", i % 16 ? " " : "\n    ", failures[i]);
    emit(e, "\n};\n\n");
}

static void emit_literals(struct p2e_emitter *e)
{
    const struct p2e_buffer *bytes = &e->texts.bytes;
    size_t words = (bytes->size + 7) / 8;
    emit(e, "#define P2E_LITERAL_WORDS %zu\n", words);
    if (!words)
        return;
    emit(e, "static const volatile u64 p2e_literal_words[%zu] = {", words);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = 0;
        size_t rest = bytes->size - i * 8;
        memcpy(&word, bytes->data + i * 8, rest < 8 ? rest : 8);
        emit(e, "%s0x%" PRIx64 "ull,", i % 4 ? " " : "\n    ", word);
    }
    emit(e, "\n};\n\n");
}

// ---- What is remembered -------------------------------------------------------------------------
static void emit_all_accessors(struct p2e_emitter *e)
{
    for (size_t i = 0; i < e->plan->place_count; i++) {
        const struct p2e_place *place = e->plan->places[i];
        for (size_t k = 0; k < place->use_count; k++)
            p2e_emit_accessors(e, place->uses[k]);
    }
}

// Slots of the use whose value (not presence) says that nothing was met yet.
static void emit_zero_use(struct p2e_emitter *e, const struct p2e_use *use)
{
    for (size_t k = 0; use->field->repeated && k <= use->test_count; k++)
        emit(e, "    VOLATILE(s->value[%zu]) = 0;\n", use->slot + k);
    if (use->elements)
        emit(e, "    VOLATILE(s->value[%u]) = 0;\n", use->verdict_slot);
    for (unsigned k = 0; use->set_slot && k < 2; k++)
        emit(e, "    VOLATILE(s->value[%u]) = 0;\n", use->set_slot + k);
}

// The same of a place and all below it; elements begin with theirs.
static void emit_zero_values(struct p2e_emitter *e, const struct p2e_place *place)
{
    for (size_t i = 0; i < place->message->oneof_count; i++) {
        if (place->oneof_slots[i])
            emit(e, "    VOLATILE(s->value[%u]) = 0;\n", place->oneof_slots[i]);
    }
    if (place->discard_slot)
        emit(e, "    VOLATILE(s->value[%u]) = 0;\n", place->discard_slot);
    for (size_t i = 0; i < place->use_count; i++) {
        const struct p2e_use *use = place->uses[i];
        emit_zero_use(e, use);
        if (use->child && !use->child->element)
            emit_zero_values(e, use->child);
    }
}

static void emit_reset(struct p2e_emitter *e)
{
    emit(e, "static P2E_INLINE void p2e_reset(struct p2e_state *s)\n{\n");
    emit(e, "    for (u32 i = 0; i < %u; i += 8)\n", (e->plan->slot_count + 7) / 8 * 8);
    emit(e, "        *(u64 *)(s->present + i) = 0;\n");
    emit_zero_values(e, e->plan->places[0]);
    emit(e, "#if P2E_SAVED\n    s->saved_count = 0;\n#endif\n");
    emit(e, "#if P2E_HAS_DISTINCT\n    p2e_distinct_begin(s);\n#endif\n}\n\n");
}

// ---- Hooks: values that are looked at as they pass ----------------------------------------------
static int compare_numbers(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

// "the number is one of the enum's", as ranges of consecutive numbers.
static void emit_known_number(struct p2e_emitter *e, const struct p2e_enum *enumeration)
{
    size_t count = enumeration->value_count;
    _cleanup_free_ int32_t *numbers = calloc(count + 1, sizeof(*numbers));
    if (!numbers) {
        e->out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = enumeration->values[i].number;
    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    emit(e, "(0");
    for (size_t i = 0; i < count;) {
        size_t last = i;
        while (last + 1 < count && (int64_t)numbers[last + 1] - numbers[last] <= 1)
            last++;
        emit(e, " || (u32)value - 0x%" PRIx32 "u <= 0x%" PRIx32 "u", (uint32_t)numbers[i],
             (uint32_t)numbers[last] - (uint32_t)numbers[i]);
        i = last + 1;
    }
    emit(e, ")");
}

static void emit_hook_enum(struct p2e_emitter *e, const struct p2e_field *field,
                           unsigned discard_slot)
{
    if (!field->enumeration || !field->enumeration->closed)
        return;
    emit(e, "        if (!");
    emit_known_number(e, field->enumeration);
    emit(e, ") {\n");
    if (discard_slot)
        emit(e, "            s->value[%u] = 1;\n", discard_slot);
    emit(e, "            return 0;\n        }\n");
}

static void emit_forget(struct p2e_emitter *e, const struct p2e_place *place)
{
    for (unsigned i = place->slot_begin; i < place->slot_end; i++)
        emit(e, "        s->present[%u] = 0;\n", i);
    emit_zero_values(e, place);
}

// Another member was set before: what was remembered of this one is of a message that is gone.
static void emit_hook_member(struct p2e_emitter *e, const struct p2e_use *use)
{
    const struct p2e_oneof *oneof = use->field->oneof;
    if (!oneof || !use->child)
        return;
    emit(e, "        if (s->value[%u] != %u) {\n",
         use->place->oneof_slots[oneof - use->place->message->oneofs], p2e_plan_member(use->field));
    if (use->child->element)
        emit_zero_use(e, use);
    else
        emit_forget(e, use->child);
    emit(e, "        }\n");
}

static void emit_hook_use(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (!p2e_use_is_hooked(use))
        return;
    emit(e, "    case %u: {\n", use->child ? P2E_HOOK_MESSAGE + use->slot : use->hook);
    emit_hook_enum(e, use->field, use->place->discard_slot);
    if (!use->field->message)
        p2e_emit_element(e, use);
    emit_hook_member(e, use);
    emit(e, "        break;\n    }\n");
}

static void emit_hooks(struct p2e_emitter *e)
{
    const struct p2e_plan *plan = e->plan;
    if (!plan->has_hooks)
        return;
    emit(e, "// Returns 0 for a value that counts as an unknown field.\n"
            "P2E_GLOBAL int p2e_hook(struct p2e_state *s, u32 hook, u64 value)\n{\n"
            "    USED(value);\n    if (!s)\n        return 0;\n    switch (hook) {\n");
    for (size_t i = 0; i < plan->place_count; i++) {
        for (size_t k = 0; k < plan->places[i]->use_count; k++)
            emit_hook_use(e, plan->places[i]->uses[k]);
    }
    for (size_t i = 0; i < plan->hooked_count; i++) {
        emit(e, "    case %u:\n", plan->hooked[i].hook);
        emit_hook_enum(e, plan->hooked[i].field, 0);
        emit(e, "        break;\n");
    }
    emit(e, "    default:\n        break;\n    }\n    return 1;\n}\n\n");
}

// ---- Elements: messages that are judged when they end -------------------------------------------
// One that is within another of its kind takes over its slots and gives them back.
static void emit_element_begin(struct p2e_emitter *e, const struct p2e_use *use)
{
    const struct p2e_place *place = use->child;
    if (!place || !place->element)
        return;
    emit(e, "    case %u:\n", use->slot);
    // Two parts of one message would have to be judged together.
    if (!use->field->repeated)
        emit(e, "        if (s->value[%u])\n            return 0;\n", use->verdict_slot);
    if (place->cyclic)
        emit(e, "        p2e_save(s, %u, %u);\n", place->slot_begin,
             place->slot_end - place->slot_begin);
    emit_forget(e, place);
    emit(e, "        break;\n");
}

static void emit_element_end(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (!use->child || !use->child->element)
        return;
    emit(e, "    case %u: {\n", use->slot);
    p2e_emit_element(e, use);
    emit(e, "        break;\n    }\n");
}

// Is what happens to elements little enough to stand in the walker's loop? A call costs about as
// much as a field; but the verifier follows it once for each step.
static bool are_elements_few(const struct p2e_plan *plan)
{
    size_t uses = 0, asked = 0;
    for (size_t i = 0; i < plan->place_count; i++) {
        for (size_t k = 0; k < plan->places[i]->use_count; k++) {
            const struct p2e_use *use = plan->places[i]->uses[k];
            if (!use->child || !use->child->element)
                continue;
            uses += use->child->cyclic || use->set_slot ? ELEMENTS_INLINE + 1 : 1;
            asked += use->test_count + (use->elements ? use->elements->check_count : 0);
        }
    }
    return uses <= ELEMENTS_INLINE && asked <= CHECKS_INLINE;
}

static void emit_element_switch(struct p2e_emitter *e, const char *name,
                                void (*emit_one)(struct p2e_emitter *, const struct p2e_use *))
{
    const struct p2e_plan *plan = e->plan;
    emit(e,
         "%s int %s(struct p2e_state *s, u32 slot)\n{\n"
         "    if (!s)\n        return 0;\n    switch (slot) {\n",
         are_elements_few(plan) ? "static P2E_INLINE" : "P2E_GLOBAL", name);
    for (size_t i = 0; i < plan->place_count; i++) {
        for (size_t k = 0; k < plan->places[i]->use_count; k++)
            emit_one(e, plan->places[i]->uses[k]);
    }
    emit(e, "    default:\n        break;\n    }\n    return 1;\n}\n\n");
}

static void emit_elements(struct p2e_emitter *e)
{
    if (!e->plan->has_elements)
        return;
    emit_element_switch(e, "p2e_element_begin", emit_element_begin);
    emit_element_switch(e, "p2e_element_end", emit_element_end);
}

// ---- Rules --------------------------------------------------------------------------------------
// The rule's text as a comment: one line, nothing in it that could end the comment.
static void emit_comment(struct p2e_emitter *e, const char *text)
{
    emit(e, "// ");
    for (size_t i = 0; text[i] && i < 200; i++) {
        unsigned char c = text[i];
        char shown = c < ' ' || c == '\\' || c == '?' ? ' ' : (char)c;
        p2e_buffer_add(e->out, &shown, 1);
    }
    emit(e, "\n");
}

// Rules about scalars take the element's value.
static const char *parameter_of(const struct p2e_scope *scope)
{
    return scope->place ? "" : ", u64 value";
}

static const char *argument_of(const struct p2e_scope *scope)
{
    return scope->place ? "" : ", value";
}

static void emit_rule(struct p2e_emitter *e, size_t index)
{
    const struct p2e_plan_rule *rule = &e->plan->rules.rules[index];
    emit_comment(e, P2E_RULE_SHOWN(rule));
    emit(e, "static P2E_INLINE int rule_%zu(struct p2e_state *s%s)\n{\n    USED(s);\n    return (",
         index, parameter_of(rule->scope));
    p2e_emit_expr(e, rule->cel.root);
    emit(e, ") == 1;\n}\n\n");
}

static void emit_check(struct p2e_emitter *e, const struct p2e_scope *scope,
                       const struct p2e_check *check)
{
    if (!check->list) {
        emit(e, "    if (!rule_%zu(s%s))\n        return %zu;\n", check->rule, argument_of(scope),
             check->rule);
        return;
    }
    const struct p2e_use *use = p2e_plan_use(e->plan, check->list);
    emit(e, "    if (present_%u(s) && p2e_all(s->value[%u]) != 1)\n        return s->value[%u];\n",
         use->slot, use->verdict_slot, use->verdict_slot + 1);
}

// Checks first to last - 1 in turn: the first rule that does not hold, else P2E_RULE_COUNT.
static void emit_sequence(struct p2e_emitter *e, const struct p2e_scope *scope, size_t first,
                          size_t last)
{
    for (size_t i = first; i < last; i++)
        emit_check(e, scope, &scope->checks[i]);
    emit(e, "    return P2E_RULE_COUNT;\n}\n\n");
}

// Scopes may be many, and the kernel takes 256 functions: but for the message's, one is enough for
// each as long as it stays within the reach of a jump.
static size_t checks_per_function(const struct p2e_scope *scope)
{
    size_t count = scope->check_count, even = (count + CHECK_GROUPS - 1) / CHECK_GROUPS;
    if (scope->number > 0 && count <= CHECKS_TOGETHER)
        return count;
    return even > CHECKS_INLINE ? even : CHECKS_INLINE;
}

static void emit_group(struct p2e_emitter *e, const struct p2e_scope *scope, size_t first,
                       size_t last)
{
    emit(e,
         "P2E_GLOBAL u32 checks_%u_%zu(struct p2e_state *s%s)\n{\n"
         "    if (!s)\n        return 0;\n",
         scope->number, first, parameter_of(scope));
    emit_sequence(e, scope, first, last);
}

// The first rule of a scope that does not hold, P2E_RULE_COUNT when all do.
static void emit_verdict(struct p2e_emitter *e, const struct p2e_scope *scope)
{
    size_t count = scope->check_count, step = checks_per_function(scope);
    bool grouped = count > CHECKS_INLINE;
    for (size_t i = 0; grouped && i < count; i += step)
        emit_group(e, scope, i, i + step < count ? i + step : count);
    emit(e, "static P2E_INLINE u32 verdict_%u(struct p2e_state *s%s)\n{\n    USED(s);\n",
         scope->number, parameter_of(scope));
    if (!grouped) {
        emit_sequence(e, scope, 0, count);
        return;
    }
    emit(e, "    u32 broken;\n");
    for (size_t i = 0; i < count; i += step)
        emit(e,
             "    broken = checks_%u_%zu(s%s);\n    if (broken != P2E_RULE_COUNT)\n"
             "        return broken;\n",
             scope->number, i, argument_of(scope));
    emit(e, "    return P2E_RULE_COUNT;\n}\n\n");
}

static void emit_rules(struct p2e_emitter *e)
{
    for (size_t i = 0; i < e->plan->rules.count; i++) {
        if (!e->plan->rules.rules[i].refused)
            emit_rule(e, i);
    }
    for (size_t i = e->plan->scope_count; i-- > 0;)
        emit_verdict(e, e->plan->scopes[i]);
}

// ---- What the object says of itself -------------------------------------------------------------
static void add_string(struct p2e_buffer *b, const char *text)
{
    p2e_buffer_add(b, text, strlen(text) + 1);
}

// As a string of octal escapes: clang takes far longer over a list of as many numbers.
static void emit_bytes(struct p2e_emitter *e, const struct p2e_buffer *bytes)
{
    for (size_t i = 0; i < bytes->size; i++) {
        if (i % 24 == 0)
            emit(e, "%s\n    \"", i ? "\"" : "");
        emit(e, "\\%03o", (unsigned char)bytes->data[i]);
    }
    emit(e, "\"");
}

static void emit_meta(struct p2e_emitter *e, const struct p2e_emit_names *names, const char *digest)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer texts = {0};
    add_string(&texts, names->filter);
    add_string(&texts, e->plan->message->full_name);
    add_string(&texts, names->canonical);
    add_string(&texts, digest);
    for (size_t i = 0; i < e->plan->rules.count; i++) {
        const struct p2e_plan_rule *rule = &e->plan->rules.rules[i];
        add_string(&texts, rule->id);
        add_string(&texts, P2E_RULE_SHOWN(rule));
        add_string(&texts, rule->message ? rule->message : "");
    }
    e->out->failed |= texts.failed;
    if (texts.failed)
        return;
    emit(e,
         "const volatile struct {\n    struct p2e_meta header;\n    unsigned char texts[%zu];\n} "
         "p2e_meta SEC(\".rodata.meta\") = {\n    {P2E_MAGIC, P2E_ABI, sizeof(struct p2e_meta) + "
         "%zu, P2E_RULE_COUNT, P2E_HAS_NOW ? P2E_KERNEL_NOW : 0},",
         texts.size, texts.size);
    emit_bytes(e, &texts);
    emit(e, ",\n};\n\n");
}

static void digest_string(SHA2_CTX *context, const char *text)
{
    SHA256Update(context, (const uint8_t *)text, strlen(text) + 1);
}

// All that an object is made from: the headers, the source, and what it says of itself.
static void digest_sources(const struct p2e_emitter *e, const struct p2e_emit_names *names,
                           char digest[65])
{
    SHA2_CTX context;
    SHA256Init(&context);
    for (const struct p2e_bpf_source *source = p2e_bpf_sources; source->name; source++)
        digest_string(&context, source->text);
    SHA256Update(&context, (const uint8_t *)e->out->data, e->out->size);
    digest_string(&context, names->canonical);
    for (size_t i = 0; i < e->plan->rules.count; i++) {
        const struct p2e_plan_rule *rule = &e->plan->rules.rules[i];
        digest_string(&context, rule->id);
        digest_string(&context, rule->message ? rule->message : "");
    }
    SHA256End(&context, digest);
}

// ---- Whole --------------------------------------------------------------------------------------
// Accessors and rules come first into a buffer of their own: they find the literals.
static int emit_body(struct p2e_emitter *e, struct p2e_buffer *body, struct p2e_error *err)
{
    struct p2e_buffer *out = e->out;
    e->out = body;
    emit_all_accessors(e);
    emit_rules(e);
    emit_hooks(e);
    emit_elements(e);
    emit_reset(e);
    e->out = out;
    if (e->texts.overflow)
        return p2e_error_set(err, "the rules' literals are more than %d bytes together",
                             P2E_LITERALS_MAX);
    if (e->regexes.overflow)
        return p2e_error_set(err,
                             "the rules' regular expressions are too large together: their "
                             "automata have more than %d entries",
                             P2E_REGEX_TABLE_MAX);
    return 0;
}

static int out_of_memory(struct p2e_error *err)
{
    return p2e_error_set(err, "out of memory while writing the filter's source");
}

static int emit_source(struct p2e_emitter *e, const struct p2e_emit_names *names, char digest[65],
                       struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer body = {0};
    if (emit_body(e, &body, err) < 0)
        return -1;
    if (body.failed || e->regexes.automata.failed)
        return out_of_memory(err);
    emit(e, "// Filter %s: message %s. Written by p2e compile.\n\n", names->filter,
         e->plan->message->full_name);
    emit_parameters(e);
    emit(e, "#include \"number.h\"\n\n");
    emit_tables(e);
    emit_failures(e);
    emit_literals(e);
    p2e_regexes_emit(&e->regexes, e->out);
    p2e_texts_uses(e->out, body.data);
    emit(e,
         "#include \"time.h\"\n#include \"text.h\"\n#include \"regex.h\"\n#include \"format.h\"\n"
         "#include \"element.h\"\n\n");
    p2e_buffer_add(e->out, body.data, body.size);
    p2e_emit_straight(e);
    digest_sources(e, names, digest);
    emit_meta(e, names, digest);
    emit(e, "#include \"program.h\"\n");
    if (e->out->failed || e->texts.bytes.failed || e->texts.failures.failed)
        return out_of_memory(err);
    return 0;
}

int p2e_emit(const struct p2e_plan *plan, const struct p2e_emit_names *names,
             struct p2e_buffer *out, char digest[65], struct p2e_error *err)
{
    struct p2e_emitter e = {.plan = plan, .out = out};
    int result = emit_source(&e, names, digest, err);
    p2e_texts_free(&e.texts);
    p2e_regexes_free(&e.regexes);
    return result;
}
