#include "config/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define TEXT_MAX  (4 << 20)
#define DEPTH_MAX 10
#define FILES_MAX 1000

#define WORD       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*.+-"
#define NUMBER_MAX 9 // characters

struct scan {
    struct p2e_source *source;
    const char *top; // the file that @include names are relative to
    const char *file;
    const char *at; // the next character
    unsigned line;
    unsigned depth;
    bool line_start;
    bool after_string;    // nothing but blanks and comments since a string ended …
    unsigned string_line; // … that began here
    struct p2e_error *err;
};

static int scan_file(struct scan *parent, const char *path);

__attribute__((format(printf, 3, 4))) static int fail(struct scan *s, unsigned line,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p2e_error_vset(s->err, format, args);
    va_end(args);
    return p2e_error_prefix(s->err, "%s:%u", s->file, line);
}

// ---- Output -------------------------------------------------------------------------------------

static void put(struct scan *s, char c)
{
    p2e_buffer_add(&s->source->text, &c, 1);
}

// Begins a line of the text that stands for `line` of the file.
static void put_line_break(struct scan *s, unsigned line)
{
    struct p2e_source_line entry = {s->file, line};
    put(s, '\n');
    p2e_buffer_add(&s->source->lines, &entry, sizeof(entry));
}

static void copy(struct scan *s)
{
    char c = *s->at++;
    s->line_start = c == '\n';
    if (c == '\n')
        put_line_break(s, ++s->line);
    else
        put(s, c);
}

// ---- Tokens -------------------------------------------------------------------------------------

static int copy_string(struct scan *s)
{
    unsigned begin = s->line;
    if (!s->after_string)
        s->string_line = begin;
    copy(s);
    while (*s->at && *s->at != '"') {
        if (*s->at == '\\' && s->at[1]) {
            if ((s->at[1] == 'x' || s->at[1] == 'X') && s->at[2] == '0' && s->at[3] == '0')
                return fail(s, s->line,
                            "\\x00 would end the string here; a rule's text says it "
                            "with two backslashes: \\\\x00");
            copy(s);
        }
        copy(s);
    }
    if (!*s->at)
        return fail(s, begin, "the string that begins here is never closed; add a \"");
    copy(s);
    s->after_string = true;
    return 0;
}

static void skip_line_comment(struct scan *s)
{
    s->at += strcspn(s->at, "\n");
}

static int skip_block_comment(struct scan *s)
{
    unsigned begin = s->line;
    put(s, ' ');
    for (s->at += 2; strncmp(s->at, "*/", 2); s->at++) {
        if (!*s->at)
            return fail(s, begin, "the comment that begins here is never closed; add a */");
        if (*s->at == '\n')
            put_line_break(s, ++s->line);
    }
    s->at += 2;
    s->line_start = false;
    return 0;
}

// libconfig knows a string's end, and so its line, by what follows it. That goes on a line that
// says where the string began.
static void copy_separator(struct scan *s)
{
    if (s->after_string)
        put_line_break(s, s->string_line);
    copy(s);
    if (s->after_string)
        put_line_break(s, s->line);
    s->after_string = false;
}

// libconfig keeps the low 32 bits of a number that is too large.
static int copy_word(struct scan *s)
{
    size_t length = strspn(s->at, WORD);
    if (length > NUMBER_MAX && strchr("0123456789.+-", *s->at))
        return fail(s, s->line, "number %.*s is longer than any that could stand here", (int)length,
                    s->at);
    for (size_t i = 0; i < length; i++)
        copy(s);
    s->after_string = false;
    return 0;
}

static int copy_token(struct scan *s)
{
    switch (*s->at) {
    case '"':
        return copy_string(s);
    case '#':
        skip_line_comment(s);
        return 0;
    case '/':
        if (s->at[1] == '/')
            skip_line_comment(s);
        else if (s->at[1] == '*')
            return skip_block_comment(s);
        else
            copy(s);
        return 0;
    case ',':
    case ')':
    case ']':
        copy_separator(s);
        return 0;
    default:
        if (strchr(WORD, *s->at))
            return copy_word(s);
        if (!strchr(" \t\r\n\f", *s->at))
            s->after_string = false;
        copy(s);
        return 0;
    }
}

// ---- @include -----------------------------------------------------------------------------------

// The place after `@include "`, or NULL when no such thing stands here.
static const char *include_begin(const char *at)
{
    static const char keyword[] = "@include";
    at += strspn(at, " \t");
    if (strncmp(at, keyword, sizeof(keyword) - 1))
        return NULL;
    at += sizeof(keyword) - 1;
    size_t blanks = strspn(at, " \t");
    return blanks > 0 && at[blanks] == '"' ? at + blanks + 1 : NULL;
}

static char *include_path(const struct scan *s, const char *name, size_t length)
{
    const char *slash = strrchr(s->top, '/');
    struct p2e_buffer path = {0};
    if (*name != '/' && slash)
        p2e_buffer_add(&path, s->top, (size_t)(slash + 1 - s->top));
    p2e_buffer_add(&path, name, length);
    if (path.failed)
        p2e_buffer_free(&path);
    return path.data;
}

static int include(struct scan *s, const char *name)
{
    size_t length = strcspn(name, "\"\n");
    if (name[length] != '"')
        return fail(s, s->line, "the name after @include is never closed; add a \"");
    if (memchr(name, '\\', length))
        return fail(s, s->line, "a file name after @include cannot have a backslash in it");
    if (s->depth == DEPTH_MAX)
        return fail(s, s->line,
                    "@include nests deeper than %d files; does \"%.*s\" include itself?", DEPTH_MAX,
                    (int)length, name);
    if (s->source->file_count == FILES_MAX)
        return fail(s, s->line, "there are more than %d @include in all", FILES_MAX - 1);
    _cleanup_free_ char *path = include_path(s, name, length);
    if (!path)
        return p2e_error_set(s->err, "out of memory");
    if (scan_file(s, path) < 0)
        return -1;
    s->at = name + length + 1;
    s->line_start = false;
    s->after_string = false;
    put_line_break(s, s->line);
    return 0;
}

// ---- Files --------------------------------------------------------------------------------------

// The source keeps the names, for as long as lines refer to them.
static const char *keep_name(struct p2e_source *source, const char *path)
{
    _cleanup_free_ char *name = strdup(path);
    char **files = reallocarray(source->files, source->file_count + 1, sizeof(*files));
    if (files)
        source->files = files;
    if (!files || !name)
        return NULL;
    return files[source->file_count++] = TAKE_PTR(name);
}

static int scan_text(struct scan *s)
{
    put_line_break(s, s->line);
    while (*s->at) {
        const char *name = s->line_start ? include_begin(s->at) : NULL;
        if ((name ? include(s, name) : copy_token(s)) < 0)
            return -1;
        if (s->source->text.size > TEXT_MAX)
            return fail(s, s->line, "the config with all that it includes is longer than %d bytes",
                        TEXT_MAX);
    }
    if (s->source->text.failed || s->source->lines.failed)
        return p2e_error_set(s->err, "out of memory");
    return 0;
}

static unsigned line_of(const char *text, size_t at)
{
    unsigned line = 1;
    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

static int scan_file(struct scan *parent, const char *path)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    if (p2e_file_read(path, TEXT_MAX, &text, parent->err) < 0)
        return parent->file ? p2e_error_prefix(parent->err, "%s:%u", parent->file, parent->line)
                            : -1;
    struct scan s = {
        .source = parent->source,
        .top = parent->top,
        .file = keep_name(parent->source, path),
        .at = text.data,
        .line = 1,
        .depth = parent->depth + 1,
        .line_start = true,
        .err = parent->err,
    };
    if (!s.file)
        return p2e_error_set(s.err, "out of memory");
    if (strlen(text.data) != text.size)
        return fail(&s, line_of(text.data, strlen(text.data)),
                    "a NUL byte stands here; the config must be text");
    return scan_text(&s);
}

int p2e_source_read(const char *path, struct p2e_source *source, struct p2e_error *err)
{
    struct scan outside = {.source = source, .top = path, .err = err};
    return scan_file(&outside, path);
}

void p2e_source_free(struct p2e_source *source)
{
    for (size_t i = 0; i < source->file_count; i++)
        free(source->files[i]);
    free(source->files);
    p2e_buffer_free(&source->text);
    p2e_buffer_free(&source->lines);
    *source = (struct p2e_source){0};
}

struct p2e_source_line p2e_source_at(const struct p2e_source *source, unsigned line)
{
    // The text begins with a line break: line 2 is the first that stands for something.
    const struct p2e_source_line *lines = (const struct p2e_source_line *)source->lines.data;
    size_t count = source->lines.size / sizeof(*lines);
    size_t index = line >= 2 ? line - 2 : 0;
    return lines[index < count ? index : count - 1];
}
