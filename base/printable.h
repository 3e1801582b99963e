// Text that others wrote, as it may go to a terminal or into a log: ids and expressions of rules,
// names of processes, paths, what errors quote.
#ifndef P2E_BASE_PRINTABLE_H
#define P2E_BASE_PRINTABLE_H

#include <stddef.h>

#include "base/buffer.h"

// The longest form of one character, and its NUL: \U000e0001.
#define P2E_PRINTABLE_SIZE 11

// The form of the character that `text` begins with, of which `size` bytes are there (one at
// least); returns how many of them it is. UTF-8 that can be seen stays as it is. What a terminal
// would obey, what is invisible, what turns the direction of writing, and bytes that are no UTF-8
// become escapes: \x1b, \u202e. Tabs and ends of lines become blanks, so that a text keeps to its
// line.
size_t p2e_printable_next(const char *text, size_t size, char form[P2E_PRINTABLE_SIZE]);

void p2e_printable_add(struct p2e_buffer *out, const char *text);
// How many columns those bytes take in that form: none for a combining mark, two for a wide
// character.
size_t p2e_printable_columns(const char *text, size_t size);

#endif
