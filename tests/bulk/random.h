// Reproducible random numbers (xorshift64*): the same seed gives the same messages everywhere.
#ifndef P2E_TESTS_BULK_RANDOM_H
#define P2E_TESTS_BULK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct p2e_bulk_random {
    uint64_t state; // never 0
};

static inline uint64_t p2e_bulk_next(struct p2e_bulk_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545f4914f6cdd1dULL;
}

// 0 … limit - 1
static inline uint32_t p2e_bulk_below(struct p2e_bulk_random *random, uint32_t limit)
{
    return (uint32_t)((p2e_bulk_next(random) >> 32) * limit >> 32);
}

static inline bool p2e_bulk_chance(struct p2e_bulk_random *random, uint32_t percent)
{
    return p2e_bulk_below(random, 100) < percent;
}

#define P2E_BULK_PICK(random, array)                                                               \
    ((array)[p2e_bulk_below(random, sizeof(array) / sizeof((array)[0]))])

#endif
