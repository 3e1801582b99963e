// "did you mean …?"
#ifndef P2E_BASE_NEAREST_H
#define P2E_BASE_NEAREST_H

#include <stddef.h>

// The name most like `word` (edit distance, case aside), or NULL when none is near enough to be
// meant. `items` is an array of `count` items of `stride` bytes, each of which begins with a
// pointer to its name: an array of strings, or of structs whose first member is the name.
const char *p2e_nearest(const char *word, const void *items, size_t count, size_t stride);

#endif
