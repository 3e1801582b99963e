// One sentence for the person who has to act on a failure, carried up by value.
//
// A function that can fail takes a `struct p2e_error *err` last, returns 0 (or a count) on success
// and -1 on failure, and has then filled *err. The sentence says what is wrong and what to do next;
// it has no trailing newline and may hold further lines (an excerpt of a rule with a caret under
// the token). What it quotes is in it as base/printable.h has it: it may go to a terminal.
#ifndef P2E_BASE_ERROR_H
#define P2E_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#define P2E_ERROR_SIZE 2048

struct p2e_error {
    char text[P2E_ERROR_SIZE];
};

// A range of bytes [begin, end) of some text.
struct p2e_span {
    size_t begin, end;
};

// Formats the sentence into err (truncated to fit) and returns -1, so that `return
// p2e_error_set(…)` is one line. Preserves errno. err may be NULL.
int p2e_error_set(struct p2e_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int p2e_error_vset(struct p2e_error *err, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

// As p2e_error_set, and shows the line of `text` that span is in with a caret under the span:
//
//     unknown field "qeury" in demo.SearchRequest; did you mean "query"?
//         this.qeury.contains("A")
//              ^~~~~
//
// A line that is too long is cut around the span with "...".
int p2e_error_at(struct p2e_error *err, const char *text, struct p2e_span span, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

// Puts a formatted context and ": " before the sentence that err already holds (which filter, which
// rule). Returns -1.
int p2e_error_prefix(struct p2e_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
