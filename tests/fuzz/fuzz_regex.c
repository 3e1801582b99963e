// Hostile patterns, and texts for those that are taken: the first byte is the text's size, then
// come the text and the pattern.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool is_final(const struct p2e_regex *regex, size_t state)
{
    for (size_t class = 0; class < regex->class_count; class ++) {
        if (regex->next[state * regex->class_count + class] != state)
            return false;
    }
    return true;
}

// What a runner in the kernel relies on.
static void check_table(const struct p2e_regex *regex)
{
    size_t states = regex->state_count, classes = regex->class_count;
    require(states >= 2 && states <= P2E_REGEX_MAX_STATES);
    require(classes >= 1 && states * classes <= P2E_REGEX_MAX_ENTRIES);
    require(regex->start < states && regex->accepting > 0 && regex->accepting < states);
    for (size_t i = 0; i < 256; i++)
        require(regex->class_of[i] < classes);
    for (size_t i = 0; i < states * classes; i++)
        require(regex->next[i] < states);
    for (size_t state = 0; state < states; state++)
        require(is_final(regex, state) == (state == P2E_REGEX_DEAD || state == states - 1));
}

// The same without stopping early.
static bool run(const struct p2e_regex *regex, const char *text, size_t size)
{
    size_t state = regex->start;
    for (size_t i = 0; i < size; i++)
        state = regex->next[state * regex->class_count + regex->class_of[(uint8_t)text[i]]];
    return state >= regex->accepting;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2e_regex regex;
    struct p2e_span fault;
    struct p2e_error err = {.text = ""};
    if (size == 0)
        return 0;
    size_t text_size = data[0] < size - 1 ? data[0] : size - 1;
    const char *text = (const char *)data + 1, *pattern = text + text_size;
    size_t pattern_size = size - 1 - text_size;

    if (p2e_regex_compile(pattern, pattern_size, &regex, &fault, &err) < 0) {
        require(!regex.next && strlen(err.text) > 0);
        require(fault.begin <= fault.end && fault.end <= pattern_size);
        return 0;
    }
    check_table(&regex);
    require(p2e_regex_matches(&regex, text, text_size) == run(&regex, text, text_size));
    p2e_regex_free(&regex);
    return 0;
}
