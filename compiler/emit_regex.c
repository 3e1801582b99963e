#include "compiler/emit_regex.h"

#include <inttypes.h>
#include <string.h>

#define emit(...) p2e_buffer_printf(out, __VA_ARGS__)

#define CLASSES 256 // entries of one automaton's table of classes

// Where an automaton stands.
struct p2e_regex_use {
    const struct p2e_regex *regex;
    uint32_t classes, next; // index into each table
};

void p2e_regexes_free(struct p2e_regexes *regexes)
{
    p2e_buffer_free(&regexes->automata);
    for (size_t i = 0; i < P2E_PATTERN_COUNT; i++)
        p2e_regex_free(&regexes->patterns[i]);
}

const struct p2e_regex *p2e_regexes_pattern(struct p2e_regexes *regexes,
                                            enum p2e_cel_pattern pattern)
{
    struct p2e_regex *regex = &regexes->patterns[pattern];
    struct p2e_error err;
    if (!regex->next && p2e_cel_pattern_compile(pattern, regex, &err) < 0) {
        regexes->automata.failed = true;
        return NULL;
    }
    return regex;
}

static size_t count_of(const struct p2e_regexes *regexes)
{
    return regexes->automata.size / sizeof(struct p2e_regex_use);
}

static const struct p2e_regex_use *use_at(const struct p2e_regexes *regexes, size_t index)
{
    return (const struct p2e_regex_use *)(const void *)regexes->automata.data + index;
}

static size_t entries_of(const struct p2e_regex *regex)
{
    return (size_t)regex->state_count * regex->class_count;
}

static bool is_same(const struct p2e_regex *a, const struct p2e_regex *b)
{
    return a->start == b->start && a->accepting == b->accepting &&
           a->state_count == b->state_count && a->class_count == b->class_count &&
           memcmp(a->class_of, b->class_of, sizeof(a->class_of)) == 0 &&
           memcmp(a->next, b->next, entries_of(a) * sizeof(*a->next)) == 0;
}

static struct p2e_regex_use find_or_add(struct p2e_regexes *regexes, const struct p2e_regex *regex)
{
    size_t count = count_of(regexes);
    for (size_t i = 0; i < count; i++) {
        if (is_same(use_at(regexes, i)->regex, regex))
            return *use_at(regexes, i);
    }
    struct p2e_regex_use use = {regex, (uint32_t)count * CLASSES, regexes->entries};
    if (entries_of(regex) > P2E_REGEX_TABLE_MAX - regexes->entries) {
        regexes->overflow = true;
        return use;
    }
    regexes->entries += entries_of(regex);
    p2e_buffer_add(&regexes->automata, &use, sizeof(use));
    return use;
}

// In the tables a state is the index of its row.
static uint64_t row_of(const struct p2e_regex *regex, unsigned state)
{
    return (uint64_t)state * regex->class_count;
}

void p2e_regexes_arguments(struct p2e_regexes *regexes, const struct p2e_regex *regex,
                           struct p2e_buffer *out)
{
    struct p2e_regex_use use = find_or_add(regexes, regex);
    emit("0x%" PRIx64 "ull, 0x%" PRIx64 "ull", (uint64_t)use.next << 32 | use.classes,
         row_of(regex, regex->accepting) << 32 | row_of(regex, regex->state_count - 1u) << 16 |
             row_of(regex, regex->start));
}

// ---- Tables -------------------------------------------------------------------------------------

static void emit_classes(const struct p2e_regexes *regexes, struct p2e_buffer *out, size_t size)
{
    emit("static const volatile u8 p2e_regex_classes[%zu] = {", size);
    for (size_t i = 0; i < count_of(regexes); i++) {
        for (size_t k = 0; k < CLASSES; k++)
            emit("%s%u,", k % 32 ? "" : "\n    ", use_at(regexes, i)->regex->class_of[k]);
    }
    emit("\n};\n\n");
}

static void emit_rows(const struct p2e_regex *regex, struct p2e_buffer *out)
{
    for (size_t i = 0; i < entries_of(regex); i++)
        emit("%s%" PRIu64 ",", i % regex->class_count ? "" : "\n    ",
             row_of(regex, regex->next[i]));
}

static size_t power_of_two(size_t at_least)
{
    size_t size = 1;
    while (size < at_least)
        size *= 2;
    return size;
}

void p2e_regexes_emit(const struct p2e_regexes *regexes, struct p2e_buffer *out)
{
    size_t count = count_of(regexes);
    size_t classes = power_of_two(count * CLASSES), next = power_of_two(regexes->entries);
    emit("#define P2E_REGEX_COUNT %zu\n", count);
    if (!count)
        return;
    emit("#define P2E_REGEX_CLASS_MASK %zu\n#define P2E_REGEX_NEXT_MASK %zu\n", classes - 1,
         next - 1);
    emit_classes(regexes, out, classes);
    emit("static const volatile u16 p2e_regex_next[%zu] = {", next);
    for (size_t i = 0; i < count; i++)
        emit_rows(use_at(regexes, i)->regex, out);
    emit("\n};\n\n");
}
