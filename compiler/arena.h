// Memory that is released all at once: what a schema or an expression tree is made of.
#ifndef P2E_COMPILER_ARENA_H
#define P2E_COMPILER_ARENA_H

#include <stddef.h>

struct p2e_arena_block;

// Start from {.limit = …}.
struct p2e_arena {
    struct p2e_arena_block *blocks;
    size_t limit; // bytes that may still be given out
};

// Zeroed memory for `count` items of `size` bytes, aligned for any type. NULL when there is no
// memory left or the limit is reached.
void *p2e_arena_array(struct p2e_arena *arena, size_t count, size_t size);
#define p2e_arena_new(arena, type) ((type *)p2e_arena_array(arena, 1, sizeof(type)))

// A copy of `size` bytes with a NUL behind them.
char *p2e_arena_copy(struct p2e_arena *arena, const void *bytes, size_t size);

void p2e_arena_free(struct p2e_arena *arena);

#endif
