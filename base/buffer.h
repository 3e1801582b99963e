// A growing byte buffer, always NUL terminated, for text that is put together piece by piece.
#ifndef P2E_BASE_BUFFER_H
#define P2E_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// Start from {0}. `data` is NULL until the first append. Once an allocation failed `failed` is set
// and appends do nothing, so a builder checks once, at the end.
struct p2e_buffer {
    char *data;
    size_t size; // bytes in use, the terminating NUL not counted
    size_t capacity;
    bool failed;
};

void p2e_buffer_add(struct p2e_buffer *b, const void *bytes, size_t size);
void p2e_buffer_puts(struct p2e_buffer *b, const char *text);
void p2e_buffer_printf(struct p2e_buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Frees the memory and sets *b back to {0}. For __attribute__((cleanup)).
void p2e_buffer_free(struct p2e_buffer *b);

#endif
