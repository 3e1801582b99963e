#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/regex_private.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// ---- Ranges -------------------------------------------------------------------------------------

void p2e_code_set_add(struct p2e_code_set *set, uint32_t first, uint32_t last)
{
    void *ranges = p2e_regex_grow(set->ranges, &set->capacity, set->count, sizeof(*set->ranges));
    if (!ranges) {
        set->failed = true;
        return;
    }
    set->ranges = ranges;
    set->ranges[set->count++] = (struct p2e_unicode_range){first, last};
}

static int compare_ranges(const void *a, const void *b)
{
    uint32_t first = ((const struct p2e_unicode_range *)a)->first;
    uint32_t second = ((const struct p2e_unicode_range *)b)->first;
    return (first > second) - (first < second);
}

void p2e_code_set_normalize(struct p2e_code_set *set)
{
    if (set->count == 0)
        return;
    qsort(set->ranges, set->count, sizeof(*set->ranges), compare_ranges);
    struct p2e_unicode_range *kept = set->ranges;
    for (size_t i = 1; i < set->count; i++) {
        const struct p2e_unicode_range *range = &set->ranges[i];
        if (range->first > kept->last + 1)
            *++kept = *range;
        else if (range->last > kept->last)
            kept->last = range->last;
    }
    set->count = (size_t)(kept - set->ranges) + 1;
}

void p2e_code_set_free(struct p2e_code_set *set)
{
    free(set->ranges);
    *set = (struct p2e_code_set){0};
}

void p2e_code_set_negate(struct p2e_code_set *set)
{
    p2e_code_set_normalize(set);
    size_t count = set->count, kept = 0;
    uint32_t begin = 0; // of the gap before the range
    for (size_t i = 0; i < count; i++) {
        struct p2e_unicode_range range = set->ranges[i];
        if (range.first > begin)
            set->ranges[kept++] = (struct p2e_unicode_range){begin, range.first - 1};
        begin = range.last + 1;
    }
    set->count = kept;
    if (begin <= P2E_UNICODE_LAST)
        p2e_code_set_add(set, begin, P2E_UNICODE_LAST);
}

// ---- Case ---------------------------------------------------------------------------------------

// The first row whose code is `code` or above.
static size_t find_fold(uint32_t code)
{
    size_t begin = 0, end = p2e_unicode_fold_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (p2e_unicode_folds[middle].code < code)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static void add_equals(struct p2e_code_set *set, const struct p2e_unicode_fold *row)
{
    for (uint32_t code = row->next; code != row->code;
         code = p2e_unicode_folds[find_fold(code)].next)
        p2e_code_set_add(set, code, code);
}

void p2e_code_set_fold(struct p2e_code_set *set)
{
    p2e_code_set_normalize(set);
    size_t count = set->count;
    for (size_t i = 0; i < count; i++) {
        uint32_t last = set->ranges[i].last;
        for (size_t row = find_fold(set->ranges[i].first);
             row < p2e_unicode_fold_count && p2e_unicode_folds[row].code <= last; row++)
            add_equals(set, &p2e_unicode_folds[row]);
    }
    p2e_code_set_normalize(set);
}

// ---- Classes by name ----------------------------------------------------------------------------

struct ascii_class {
    const char *name;
    struct p2e_unicode_range ranges[4]; // up to one that ends at 0
};

static const struct ascii_class perl_classes[] = {
    {"d", {{'0', '9'}}},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}}, // no \v, unlike [:space:]
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
};

static const struct ascii_class posix_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{0, 0x7f}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

static bool is_name(const char *name, const char *text, size_t size)
{
    return strlen(name) == size && memcmp(name, text, size) == 0;
}

static bool add_ascii(struct p2e_code_set *set, const struct ascii_class *classes, size_t count,
                      const char *name, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_name(classes[i].name, name, size))
            continue;
        const struct p2e_unicode_range *range = classes[i].ranges;
        for (size_t j = 0; j < LENGTH(classes[i].ranges) && range[j].last > 0; j++)
            p2e_code_set_add(set, range[j].first, range[j].last);
        return true;
    }
    return false;
}

bool p2e_code_set_add_perl(struct p2e_code_set *set, char letter)
{
    return add_ascii(set, perl_classes, LENGTH(perl_classes), &letter, 1);
}

bool p2e_code_set_add_posix(struct p2e_code_set *set, const char *name, size_t size)
{
    return add_ascii(set, posix_classes, LENGTH(posix_classes), name, size);
}

static void add_group(struct p2e_code_set *set, const struct p2e_unicode_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        p2e_code_set_add(set, group->ranges[i].first, group->ranges[i].last);
}

bool p2e_code_set_add_property(struct p2e_code_set *set, const char *name, size_t size)
{
    if (size == 3 && memcmp(name, "Any", 3) == 0) {
        p2e_code_set_add(set, 0, P2E_UNICODE_LAST);
        return true;
    }
    bool found = false;
    for (size_t i = 0; i < p2e_unicode_category_count; i++) {
        const struct p2e_unicode_group *group = &p2e_unicode_categories[i];
        bool within = size == 1 && group->name[0] == name[0]; // "L" is Lu, Ll, Lt, Lm and Lo
        if (within || is_name(group->name, name, size)) {
            add_group(set, group);
            found = true;
        }
    }
    for (size_t i = 0; i < p2e_unicode_script_count && !found; i++) {
        if (is_name(p2e_unicode_scripts[i].name, name, size)) {
            add_group(set, &p2e_unicode_scripts[i]);
            found = true;
        }
    }
    return found;
}
