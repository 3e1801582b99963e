#include "base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EXCERPT_INDENT "    "
#define EXCERPT_MAX    96 // code points of a line that are shown
#define EXCERPT_BEFORE 32 // of them before the span, in a line that is cut

// Room that p2e_error_at leaves for the excerpt, whatever the sentence's length.
#define EXCERPT_SIZE (P2E_ERROR_SIZE / 2)

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

// Formats into out[0 … size); what does not fit ends in "...", never within a UTF-8 sequence.
__attribute__((format(printf, 3, 0))) static void format_cut(char *out, size_t size,
                                                             const char *format, va_list args)
{
    int length = vsnprintf(out, size, format, args);
    if (length < 0) {
        out[0] = '\0';
        return;
    }
    if ((size_t)length < size)
        return;
    size_t end = size - sizeof("...");
    while (end > 0 && !starts_character(out[end]))
        end--;
    memcpy(out + end, "...", sizeof("..."));
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

static size_t count_characters(const char *text, struct p2e_span span)
{
    size_t count = 0;
    for (size_t at = span.begin; at < span.end; at = next_character(text, at, span.end))
        count++;
    return count;
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

// Text that is appended to what an error holds, as far as it fits.
struct writer {
    char *at, *end;
};

static void put(struct writer *w, char c)
{
    if (w->at < w->end)
        *w->at++ = c;
}

static void put_text(struct writer *w, const char *text)
{
    for (; *text; text++)
        put(w, *text);
}

static void put_repeated(struct writer *w, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(w, c);
}

// Tabs and other control characters become blanks: the caret stays in its column, and no text can
// send a terminal its own commands.
static void put_printable(struct writer *w, const char *text, struct p2e_span span)
{
    for (size_t i = span.begin; i < span.end; i++)
        put(w, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
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
    put_printable(w, text, window);
    put_text(w, cut_end);

    size_t before = count_characters(text, (struct p2e_span){window.begin, begin});
    size_t marked = count_characters(text, (struct p2e_span){begin, end});
    put_text(w, "\n" EXCERPT_INDENT);
    put_repeated(w, ' ', strlen(cut_begin) + before);
    put(w, '^');
    put_repeated(w, '~', marked > 1 ? marked - 1 : 0);
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

    struct writer w = {
        .at = formatted.text + strlen(formatted.text),
        .end = formatted.text + sizeof(formatted.text) - 1,
    };
    put_excerpt(&w, text, span);
    *w.at = '\0';
    *err = formatted;
    errno = saved;
    return -1;
}
