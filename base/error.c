#include "base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

#define EXCERPT_INDENT "    "
#define EXCERPT_MAX    96 // code points of a line that are shown
#define EXCERPT_BEFORE 32 // of them before the span, in a line that is cut

// Room that p2e_error_at leaves for the excerpt, whatever the sentence's length.
#define EXCERPT_SIZE (P2E_ERROR_SIZE / 2)

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

// Appends forms of characters to what an error holds, as far as they fit as a whole.
struct writer {
    char *at, *end;
    char *cut; // up to here there is room for a "..." after it
    bool full;
};

static struct writer writer_into(char *text, size_t size)
{
    *text = '\0';
    return (struct writer){.at = text, .end = text + size - 1, .cut = text};
}

static void put_text(struct writer *w, const char *text)
{
    size_t size = strlen(text);
    w->full |= size > (size_t)(w->end - w->at);
    if (w->full)
        return;
    memcpy(w->at, text, size + 1);
    w->at += size;
    if (w->end - w->at >= (ptrdiff_t)strlen("..."))
        w->cut = w->at;
}

static void put_repeated(struct writer *w, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_text(w, text);
}

// What errors quote is others' text: a terminal obeys none of it.
static void put_printable(struct writer *w, const char *text, size_t size)
{
    char form[P2E_PRINTABLE_SIZE];
    for (size_t length; size; text += length, size -= length) {
        length = p2e_printable_next(text, size, form);
        put_text(w, form);
    }
}

// An error may be of several lines, as one that holds another one with its excerpt.
static void put_lines(struct writer *w, const char *text)
{
    for (;;) {
        size_t size = strcspn(text, "\n");
        put_printable(w, text, size);
        if (!text[size])
            return;
        put_text(w, "\n");
        text += size + 1;
    }
}

// Formats into out[0 … size), P2E_ERROR_SIZE at most; what does not fit ends in "...", never within
// a character: no form is shorter than its character, so `raw` holds all that `out` can.
__attribute__((format(printf, 3, 0))) static void format_cut(char *out, size_t size,
                                                             const char *format, va_list args)
{
    char raw[P2E_ERROR_SIZE];
    int length = vsnprintf(raw, sizeof(raw), format, args);
    struct writer w = writer_into(out, size);
    if (length < 0)
        return;
    put_lines(&w, raw);
    if (w.full || (size_t)length >= sizeof(raw))
        strcpy(w.cut, "...");
}

int p2e_error_vset(struct p2e_error *err, const char *format, va_list args)
{
    if (!err)
        return -1;

    int saved = errno;
    struct p2e_error formatted; // the arguments may point into *err
    format_cut(formatted.text, sizeof(formatted.text), format, args);
    *err = formatted;
    errno = saved;
    return -1;
}

int p2e_error_set(struct p2e_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p2e_error_vset(err, format, args);
    va_end(args);
    return -1;
}

int p2e_error_prefix(struct p2e_error *err, const char *format, ...)
{
    if (!err)
        return -1;

    struct p2e_error context;
    va_list args;
    va_start(args, format);
    p2e_error_vset(&context, format, args);
    va_end(args);
    return p2e_error_set(err, "%s: %s", context.text, err->text);
}

// ---- The excerpt --------------------------------------------------------------------------------

static size_t next_character(const char *text, size_t at, size_t end)
{
    do
        at++;
    while (at < end && !starts_character(text[at]));
    return at;
}

static size_t previous_character(const char *text, size_t at, size_t begin)
{
    do
        at--;
    while (at > begin && !starts_character(text[at]));
    return at;
}

static struct p2e_span line_around(const char *text, size_t size, size_t at)
{
    struct p2e_span line = {at, at};
    while (line.begin > 0 && text[line.begin - 1] != '\n')
        line.begin--;
    while (line.end < size && text[line.end] != '\n')
        line.end++;
    return line;
}

// The part of the line that is shown: EXCERPT_MAX code points with `at` among them, or all of it.
static struct p2e_span window_around(const char *text, struct p2e_span line, size_t at)
{
    struct p2e_span window = {at, at};
    size_t shown = 0;
    while (shown < EXCERPT_BEFORE && window.begin > line.begin) {
        window.begin = previous_character(text, window.begin, line.begin);
        shown++;
    }
    while (shown < EXCERPT_MAX && window.end < line.end) {
        window.end = next_character(text, window.end, line.end);
        shown++;
    }
    while (shown < EXCERPT_MAX && window.begin > line.begin) {
        window.begin = previous_character(text, window.begin, line.begin);
        shown++;
    }
    return window;
}

static void put_excerpt(struct writer *w, const char *text, struct p2e_span span)
{
    size_t size = strlen(text);
    size_t begin = span.begin < size ? span.begin : size;
    struct p2e_span line = line_around(text, size, begin);
    struct p2e_span window = window_around(text, line, begin);
    size_t end = span.end < window.end ? span.end : window.end;
    const char *cut_begin = window.begin > line.begin ? "..." : "";
    const char *cut_end = window.end < line.end ? "..." : "";

    put_text(w, "\n" EXCERPT_INDENT);
    put_text(w, cut_begin);
    put_printable(w, text + window.begin, window.end - window.begin);
    put_text(w, cut_end);

    size_t before = p2e_printable_columns(text + window.begin, begin - window.begin);
    size_t marked = begin < end ? p2e_printable_columns(text + begin, end - begin) : 0;
    put_text(w, "\n" EXCERPT_INDENT);
    put_repeated(w, " ", strlen(cut_begin) + before);
    put_text(w, "^");
    put_repeated(w, "~", marked > 1 ? marked - 1 : 0);
}

int p2e_error_at(struct p2e_error *err, const char *text, struct p2e_span span, const char *format,
                 ...)
{
    if (!err)
        return -1;

    int saved = errno;
    struct p2e_error formatted; // text and arguments may point into *err
    va_list args;
    va_start(args, format);
    format_cut(formatted.text, sizeof(formatted.text) - EXCERPT_SIZE, format, args);
    va_end(args);

    size_t size = strlen(formatted.text);
    struct writer w = writer_into(formatted.text + size, sizeof(formatted.text) - size);
    put_excerpt(&w, text, span);
    *err = formatted;
    errno = saved;
    return -1;
}
