// The literals of a filter's rules, pooled: each text once, at a fixed position of the walker's
// buffer; and the failure functions of those that are searched for (bpf/text.h).
#ifndef P2E_COMPILER_EMIT_TEXTS_H
#define P2E_COMPILER_EMIT_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct p2e_texts {
    struct p2e_buffer bytes;    // all literals, one after another
    struct p2e_buffer failures; // uint16_t
    bool overflow;              // more than P2E_LITERALS_MAX bytes
};

#define P2E_LITERALS_MAX 60000

void p2e_texts_free(struct p2e_texts *texts);

// Position in the walker's buffer of a literal; the same for the same text.
uint32_t p2e_texts_position(struct p2e_texts *texts, const char *data, size_t size);

// Index of the failure function of a literal that is searched for.
uint32_t p2e_texts_failures(struct p2e_texts *texts, const char *data, size_t size);

// Appends the switches of bpf/text.h's functions, by which of them `body` calls.
void p2e_texts_uses(struct p2e_buffer *out, const char *body);

#endif
