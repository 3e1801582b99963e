#include "compiler/emit.h"

#include <inttypes.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/table.h"
#include "compiler/bpf_sources.h"
#include "compiler/emit_expr.h"

#define emit(e, ...) p2e_buffer_printf((e)->out, __VA_ARGS__)

#define RULES_INLINE 8 // up to so many rules stand in the judge itself
#define RULE_GROUPS  4 // more stand in so many functions: an object has room for few (object.h)

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
    emit(e, "#define P2E_RULE_COUNT %zu\n", plan->rule_count);
    emit(e, "#define P2E_MAX_DEPTH %u\n", plan->max_depth);
    emit(e, "#define P2E_ROOT %u\n", plan->places[0]->node);
    emit(e, "#define P2E_TABLE_MASK %zu\n", power_of_two(plan->table_size) - 1);
    emit(e, "#define P2E_SPARSE_COUNT %zu\n", plan->sparse_count);
    emit(e, "#define P2E_SPARSE_SIZE %zu\n", power_of_two(plan->sparse_count));
    emit(e, "#define P2E_NEEDS_MASK %zu\n", power_of_two(plan->needs_count) - 1);
    emit(e, "#define P2E_HAS_HOOKS %d\n", plan->has_hooks);
    emit(e, "#define P2E_HAS_ONEOFS %d\n", plan->has_oneofs);
    emit(e, "#define P2E_HAS_REQUIRED %d\n", plan->has_required);
    emit(e, "#define P2E_HAS_SCOPES %d\n\n", plan->scope_count > 0);
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

// Slots whose value (not presence) says that nothing was met yet.
static void emit_zero_values(struct p2e_emitter *e, const struct p2e_place *place)
{
    for (size_t i = 0; i < place->message->oneof_count; i++) {
        if (place->oneof_slots[i])
            emit(e, "    VOLATILE(s->value[%u]) = 0;\n", place->oneof_slots[i]);
    }
    for (size_t i = 0; i < place->use_count; i++) {
        const struct p2e_use *use = place->uses[i];
        for (size_t k = 0; use->field->repeated && k <= use->test_count; k++)
            emit(e, "    VOLATILE(s->value[%zu]) = 0;\n", use->slot + k);
        if (use->child)
            emit_zero_values(e, use->child);
    }
}

static void emit_reset(struct p2e_emitter *e)
{
    emit(e, "static P2E_INLINE void p2e_reset(struct p2e_state *s)\n{\n");
    emit(e, "    for (u32 i = 0; i < %u; i += 8)\n", (e->plan->slot_count + 7) / 8 * 8);
    emit(e, "        *(u64 *)(s->present + i) = 0;\n");
    emit_zero_values(e, e->plan->places[0]);
    emit(e, "}\n\n");
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

static void emit_hook_enum(struct p2e_emitter *e, const struct p2e_field *field)
{
    if (!field->enumeration || !field->enumeration->closed)
        return;
    emit(e, "        if (!");
    emit_known_number(e, field->enumeration);
    emit(e, ")\n            return 0;\n");
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
    emit_forget(e, use->child);
    emit(e, "        }\n");
}

static void emit_hook_use(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (!p2e_use_is_hooked(use))
        return;
    emit(e, "    case %u:\n", use->child ? use->child->node : use->hook);
    emit_hook_enum(e, use->field);
    for (size_t i = 0; i < use->test_count; i++)
        p2e_emit_test(e, use, i);
    emit_hook_member(e, use);
    emit(e, "        break;\n");
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
        emit_hook_enum(e, plan->hooked[i].field);
        emit(e, "        break;\n");
    }
    emit(e, "    default:\n        break;\n    }\n    return 1;\n}\n\n");
}

// ---- Scopes: elements of repeated fields that rules look into -----------------------------------
static void emit_scope_begin(struct p2e_emitter *e)
{
    emit(e, "P2E_GLOBAL int p2e_scope_begin(struct p2e_state *s, u32 scope)\n{\n"
            "    if (!s)\n        return 0;\n    switch (scope) {\n");
    for (size_t i = 0; i < e->plan->scope_count; i++) {
        emit(e, "    case %u:\n", e->plan->scopes[i]->scope);
        emit_forget(e, e->plan->scopes[i]);
        emit(e, "        break;\n");
    }
    emit(e, "    default:\n        break;\n    }\n    return 1;\n}\n\n");
}

static void emit_scope_tests(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (!use->child || !use->child->scope)
        return;
    emit(e, "    case %u:\n", use->child->scope);
    for (size_t i = 0; i < use->test_count; i++)
        p2e_emit_test(e, use, i);
    emit(e, "        break;\n");
}

static void emit_scopes(struct p2e_emitter *e)
{
    const struct p2e_plan *plan = e->plan;
    if (!plan->scope_count)
        return;
    emit_scope_begin(e);
    emit(e, "P2E_GLOBAL int p2e_scope_end(struct p2e_state *s, u32 scope)\n{\n"
            "    if (!s)\n        return 0;\n    switch (scope) {\n");
    for (size_t i = 0; i < plan->place_count; i++) {
        for (size_t k = 0; k < plan->places[i]->use_count; k++)
            emit_scope_tests(e, plan->places[i]->uses[k]);
    }
    emit(e, "    default:\n        break;\n    }\n    return 1;\n}\n\n");
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

static void emit_rule(struct p2e_emitter *e, size_t index)
{
    const struct p2e_plan_rule *rule = &e->plan->rules[index];
    emit_comment(e, rule->expression);
    emit(e, "static P2E_INLINE int rule_%zu(struct p2e_state *s)\n{\n    USED(s);\n    return (",
         index);
    p2e_emit_expr(e, rule->cel.root);
    emit(e, ") == 1;\n}\n\n");
}

// Rules first to last - 1 in turn: the index of the first that does not hold, else P2E_RULE_COUNT.
static void emit_sequence(struct p2e_emitter *e, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++)
        emit(e, "    if (!rule_%zu(s))\n        return %zu;\n", i, i);
    emit(e, "    return P2E_RULE_COUNT;\n}\n\n");
}

static size_t rules_per_function(size_t count)
{
    size_t even = (count + RULE_GROUPS - 1) / RULE_GROUPS;
    return even > RULES_INLINE ? even : RULES_INLINE;
}

static void emit_rule_group(struct p2e_emitter *e, size_t first, size_t last)
{
    emit(e, "P2E_GLOBAL u32 rules_%zu(struct p2e_state *s)\n{\n    if (!s)\n        return 0;\n",
         first);
    emit_sequence(e, first, last);
}

static void emit_rules(struct p2e_emitter *e)
{
    size_t count = e->plan->rule_count, step = rules_per_function(count);
    bool grouped = count > RULES_INLINE;
    for (size_t i = 0; i < count; i++)
        emit_rule(e, i);
    for (size_t i = 0; grouped && i < count; i += step)
        emit_rule_group(e, i, i + step < count ? i + step : count);
    emit(e, "// The first rule that does not hold, P2E_RULE_COUNT when all do.\n"
            "static P2E_INLINE u32 p2e_rules(struct p2e_state *s)\n{\n    USED(s);\n");
    if (!grouped) {
        emit_sequence(e, 0, count);
        return;
    }
    emit(e, "    u32 broken;\n");
    for (size_t i = 0; i < count; i += step)
        emit(e,
             "    broken = rules_%zu(s);\n    if (broken < P2E_RULE_COUNT)\n"
             "        return broken;\n",
             i);
    emit(e, "    return P2E_RULE_COUNT;\n}\n\n");
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
    for (size_t i = 0; i < e->plan->rule_count; i++) {
        add_string(&texts, e->plan->rules[i].id);
        add_string(&texts, e->plan->rules[i].expression);
        add_string(&texts, names->rule_messages[i]);
    }
    e->out->failed |= texts.failed;
    if (texts.failed)
        return;
    emit(e,
         "const volatile struct {\n    struct p2e_meta header;\n    unsigned char texts[%zu];\n} "
         "p2e_meta SEC(\".rodata.meta\") = {\n    {P2E_MAGIC, P2E_ABI, sizeof(struct p2e_meta) + "
         "%zu, P2E_RULE_COUNT},",
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
    for (size_t i = 0; i < e->plan->rule_count; i++) {
        digest_string(&context, e->plan->rules[i].id);
        digest_string(&context, names->rule_messages[i]);
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
    emit_hooks(e);
    emit_scopes(e);
    emit_reset(e);
    emit_rules(e);
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
    emit(e, "#include \"number.h\"\n#include \"state.h\"\n\n");
    emit_tables(e);
    emit_failures(e);
    emit_literals(e);
    p2e_regexes_emit(&e->regexes, e->out);
    p2e_texts_uses(e->out, body.data);
    emit(e, "#include \"text.h\"\n#include \"regex.h\"\n\n");
    p2e_buffer_add(e->out, body.data, body.size);
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
