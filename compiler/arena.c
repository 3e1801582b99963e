#include "compiler/arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 << 10)
#define ALIGNMENT  alignof(max_align_t)

struct p2e_arena_block {
    struct p2e_arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

static struct p2e_arena_block *add_block(struct p2e_arena *arena, size_t size)
{
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct p2e_arena_block *block = calloc(1, sizeof(*block) + room);
    if (!block)
        return NULL;
    block->size = room;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *p2e_arena_array(struct p2e_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, ALIGNMENT - 1, &bytes))
        return NULL;
    bytes -= bytes % ALIGNMENT;
    if (bytes > arena->limit)
        return NULL;

    struct p2e_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < bytes)
        block = add_block(arena, bytes);
    if (!block)
        return NULL;

    void *memory = block->data + block->used;
    block->used += bytes;
    arena->limit -= bytes;
    return memory;
}

char *p2e_arena_copy(struct p2e_arena *arena, const void *bytes, size_t size)
{
    char *copy = p2e_arena_array(arena, 1, size + 1);
    if (copy && size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

void p2e_arena_free(struct p2e_arena *arena)
{
    while (arena->blocks) {
        struct p2e_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
