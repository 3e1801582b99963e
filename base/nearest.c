#include "base/nearest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define LENGTH_MAX 255 // longer words get no suggestion

static uint16_t min(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

static int same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// Insertions, deletions, substitutions and swaps of neighbours that make `a` of `b`.
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    uint16_t rows[3][LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (uint16_t)j;

    for (size_t i = 1; i <= a_length; i++) {
        uint16_t *row = rows[i % 3];
        const uint16_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (uint16_t)i;
        for (size_t j = 1; j <= b_length; j++) {
            uint16_t substituted = above[j - 1] + !same(a[i - 1], b[j - 1]);
            row[j] = min(substituted, min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = min(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *p2e_nearest(const char *word, const void *items, size_t count, size_t stride)
{
    size_t length = strlen(word);
    if (length > LENGTH_MAX)
        return NULL;

    const char *best = NULL;
    unsigned limit = (unsigned)(length + 1) / 3; // a third of the word may be wrong
    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)((const char *)items + i * stride);
        size_t name_length = strlen(name);
        if (name_length > LENGTH_MAX)
            continue;
        unsigned d = distance(word, length, name, name_length);
        if (d < limit || (d == limit && !best)) {
            best = name;
            limit = d;
        }
    }
    return best;
}
