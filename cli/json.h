// JSON on standard output, all in ASCII. A byte that is not UTF-8 becomes U+FFFD.
#ifndef P2E_CLI_JSON_H
#define P2E_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>

// Prints "key":"text", with a comma before it unless it is the first.
void p2e_json_text(const char *key, const char *text, bool first);

// A row of a JSON array: prints "[" or "," before row `index`.
void p2e_json_row(size_t index);
void p2e_json_end(size_t count);

#endif
