#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

// Makes room for `more` bytes and the NUL after them.
static bool reserve(struct p2e_buffer *b, size_t more)
{
    if (b->failed)
        return false;
    size_t needed;
    if (__builtin_add_overflow(b->size, more, &needed) ||
        __builtin_add_overflow(needed, 1, &needed))
        goto failed;
    if (needed <= b->capacity)
        return true;

    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            goto failed;
    char *data = realloc(b->data, capacity);
    if (!data)
        goto failed;
    b->data = data;
    b->capacity = capacity;
    return true;

failed:
    b->failed = true;
    return false;
}

void p2e_buffer_add(struct p2e_buffer *b, const void *bytes, size_t size)
{
    if (!reserve(b, size))
        return;
    if (size)
        memcpy(b->data + b->size, bytes, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void p2e_buffer_puts(struct p2e_buffer *b, const char *text)
{
    p2e_buffer_add(b, text, strlen(text));
}

void p2e_buffer_printf(struct p2e_buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        b->failed = true;
    else if (reserve(b, (size_t)length)) {
        vsnprintf(b->data + b->size, (size_t)length + 1, format, again);
        b->size += (size_t)length;
    }
    va_end(again);
}

void p2e_buffer_free(struct p2e_buffer *b)
{
    free(b->data);
    *b = (struct p2e_buffer){0};
}
