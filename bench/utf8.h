// UTF-8 for those that do not look at it themselves: eight bytes at a time where it is ASCII.
#ifndef BENCH_UTF8_H
#define BENCH_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool utf8_continues(const uint8_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((text[i] & 0xc0) != 0x80)
            return false;
    return true;
}

// Size of the character that begins at `text`, 0 when malformed. Source: Unicode 15, table 3-7.
static inline size_t utf8_character(const uint8_t *text, size_t left)
{
    uint8_t first = text[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > left || !utf8_continues(text + 1, size - 1))
        return 0;
    bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    bool beyond = (first == 0xed && text[1] > 0x9f) || (first == 0xf4 && text[1] > 0x8f);
    return overlong || beyond ? 0 : size;
}

static inline bool utf8_ok(const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint64_t word;
        while (size - at >= 8 && (memcpy(&word, text + at, 8), !(word & 0x8080808080808080ull)))
            at += 8;
        if (at == size)
            break;
        size_t step = utf8_character(text + at, size - at);
        if (!step)
            return false;
        at += step;
    }
    return true;
}

static inline size_t utf8_points(const uint8_t *text, size_t size)
{
    size_t points = 0;
    for (size_t i = 0; i < size; i++)
        points += (text[i] & 0xc0) != 0x80;
    return points;
}

#endif
