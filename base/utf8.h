// UTF-8 text, one character at a time.
#ifndef P2E_BASE_UTF8_H
#define P2E_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

// The code point at `text`, of which `size` bytes are there (one at least), and its size in bytes;
// 0 when it is not well-formed: overlong, a surrogate, above U+10FFFF, cut short.
size_t p2e_utf8_decode(const char *text, size_t size, uint32_t *code);

#endif
