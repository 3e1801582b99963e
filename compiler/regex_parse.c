#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "compiler/regex_private.h"

// (?imsU)
struct flags {
    bool fold, multiline, dot_newline;
};

// A group's name, to notice a second one.
struct name {
    const struct name *previous;
    const char *text;
    size_t size;
};

struct parser {
    struct p2e_regex_build *build;
    size_t at;
    size_t repeated; // where the latest repetition ended; another one there would stack
    unsigned depth;
    struct flags flags;
    const struct name *names;
};

static int parse_alternation(struct parser *p, struct p2e_regex_node **tree);

// ---- Text ---------------------------------------------------------------------------------------

static bool at_end(const struct parser *p)
{
    return p->at == p->build->size;
}

// Is `token` what follows?
static bool looking_at(const struct parser *p, const char *token)
{
    size_t size = strlen(token);
    return p->build->size - p->at >= size && memcmp(p->build->pattern + p->at, token, size) == 0;
}

static bool take(struct parser *p, const char *token)
{
    if (!looking_at(p, token))
        return false;
    p->at += strlen(token);
    return true;
}

// The byte `ahead` of the next one, 0 behind the end.
static char peek(const struct parser *p, size_t ahead)
{
    return ahead < p->build->size - p->at ? p->build->pattern[p->at + ahead] : '\0';
}

// The pattern is known to be UTF-8 by the time it is parsed.
static uint32_t take_character(struct parser *p)
{
    uint32_t code = 0;
    p->at += p2e_utf8_decode(p->build->pattern + p->at, p->build->size - p->at, &code);
    return code;
}

// Up to and with the next character, as what an error points at.
static struct p2e_span span_from(const struct parser *p, size_t begin)
{
    struct parser copy = *p;
    if (!at_end(p))
        take_character(&copy);
    return (struct p2e_span){begin, copy.at};
}

static struct p2e_span span_since(const struct parser *p, size_t begin)
{
    return (struct p2e_span){begin, p->at};
}

static int check_utf8(struct p2e_regex_build *build)
{
    uint32_t code;
    for (size_t at = 0, length; at < build->size; at += length) {
        length = p2e_utf8_decode(build->pattern + at, build->size - at, &code);
        if (length == 0)
            return p2e_regex_fail(build, (struct p2e_span){at, at + 1},
                                  "the pattern is not valid UTF-8 (byte %zu)", at + 1);
    }
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// 16 when it is none.
static unsigned hex_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

// ---- The tree -----------------------------------------------------------------------------------

static struct p2e_regex_node *new_node(struct parser *p, enum p2e_regex_op op)
{
    struct p2e_regex_node *node = p2e_arena_new(&p->build->arena, struct p2e_regex_node);
    if (!node) {
        p2e_regex_fail_memory(p->build);
        return NULL;
    }
    node->op = op;
    node->repeat = 1;
    return node;
}

static void add_child(struct p2e_regex_node *parent, struct p2e_regex_node *child)
{
    child->previous = parent->last;
    parent->last = child;
    if (child->repeat > parent->repeat)
        parent->repeat = child->repeat;
}

static int add_assertion(struct parser *p, struct p2e_regex_node *concat,
                         enum p2e_regex_assertion assertion)
{
    struct p2e_regex_node *node = new_node(p, P2E_REGEX_ASSERT);
    if (!node)
        return -1;
    node->assertion = assertion;
    add_child(concat, node);
    return 0;
}

// Sorting costs more than going through a set.
static int spend_on(struct parser *p, const struct p2e_code_set *set)
{
    return p2e_regex_spend(p->build, 16 + 8 * set->count);
}

// A character out of the set.
static int add_set(struct parser *p, struct p2e_regex_node *concat, struct p2e_code_set *set)
{
    struct p2e_regex_node *node = new_node(p, P2E_REGEX_CHARACTER);
    if (!node || spend_on(p, set) < 0)
        return -1;
    p2e_code_set_normalize(set);
    if (set->failed)
        return p2e_regex_fail_memory(p->build);
    if (p2e_utf8_graph_add(p->build, set, &node->character) < 0)
        return -1;
    add_child(concat, node);
    return 0;
}

static int add_literal(struct parser *p, struct p2e_regex_node *concat, uint32_t code)
{
    _cleanup_(p2e_code_set_free) struct p2e_code_set set = {0};
    p2e_code_set_add(&set, code, code);
    if (p->flags.fold)
        p2e_code_set_fold(&set);
    return add_set(p, concat, &set);
}

static int add_dot(struct parser *p, struct p2e_regex_node *concat)
{
    _cleanup_(p2e_code_set_free) struct p2e_code_set set = {0};
    if (!p->flags.dot_newline)
        p2e_code_set_add(&set, '\n', '\n');
    p2e_code_set_negate(&set);
    return add_set(p, concat, &set);
}

// ---- Escape sequences ---------------------------------------------------------------------------

static int take_hex(struct parser *p, size_t begin, uint32_t *code)
{
    bool braced = take(p, "{");
    size_t digits = 0;
    for (*code = 0; hex_value(peek(p, 0)) < 16 && (braced || digits < 2); p->at++, digits++) {
        *code = *code * 16 + hex_value(peek(p, 0));
        if (*code > P2E_UNICODE_LAST)
            return p2e_regex_fail(p->build, span_from(p, begin),
                                  "the last Unicode code point is \\x{10FFFF}");
    }
    if (braced ? digits == 0 || !take(p, "}") : digits < 2)
        return p2e_regex_fail(
            p->build, span_from(p, begin),
            "\\x takes two hex digits, or any number of them in braces: \\x{1F600}");
    return 0;
}

static int take_octal(struct parser *p, size_t begin, uint32_t *code)
{
    if (peek(p, 0) != '0' && !is_octal(peek(p, 1))) {
        p->at++;
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "backreferences are not part of RE2's syntax");
    }
    *code = 0;
    for (int i = 0; i < 3 && is_octal(peek(p, 0)); i++, p->at++)
        *code = *code * 8 + (uint32_t)(peek(p, 0) - '0');
    return 0;
}

static bool take_letter(struct parser *p, uint32_t *code)
{
    static const char letters[] = "afnrtv", codes[] = "\a\f\n\r\t\v";
    const char *letter = peek(p, 0) ? strchr(letters, peek(p, 0)) : NULL;
    if (!letter)
        return false;
    *code = (uint32_t)codes[letter - letters];
    p->at++;
    return true;
}

// A character written as an escape sequence.
static int take_escape(struct parser *p, uint32_t *code)
{
    size_t begin = p->at++;
    if (at_end(p))
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "a backslash ends the pattern; the character is written \\\\");
    char c = peek(p, 0);
    if (is_octal(c))
        return take_octal(p, begin, code);
    if (take(p, "x"))
        return take_hex(p, begin, code);
    if (take_letter(p, code))
        return 0;
    if (c == 'C')
        return p2e_regex_fail(p->build, span_from(p, begin),
                              "\\C, a byte of a character, is not supported; write . instead");
    if (is_letter(c) || is_digit(c) || (c & 0x80))
        return p2e_regex_fail(p->build, span_from(p, begin),
                              "RE2 knows no such escape sequence here");
    *code = take_character(p);
    return 0;
}

// ---- Classes ------------------------------------------------------------------------------------

// Where (?i) holds, what is equal but for case belongs to the set too.
static int fold(struct parser *p, struct p2e_code_set *set)
{
    if (!p->flags.fold)
        return 0;
    if (spend_on(p, set) < 0 || p2e_regex_spend(p->build, 8 * p2e_unicode_fold_count) < 0)
        return -1;
    p2e_code_set_fold(set);
    return 0;
}

// Adds `group`, or everything else.
static int merge_group(struct parser *p, struct p2e_code_set *set, struct p2e_code_set *group,
                       bool negated)
{
    if (negated && fold(p, group) < 0) // before, for what is left out is left out in either case
        return -1;
    if (negated)
        p2e_code_set_negate(group);
    for (size_t i = 0; i < group->count; i++)
        p2e_code_set_add(set, group->ranges[i].first, group->ranges[i].last);
    set->failed |= group->failed;
    if (spend_on(p, set) < 0)
        return -1;
    p2e_code_set_normalize(set);
    return 0;
}

static int fail_property(struct parser *p, size_t begin, const char *name, size_t size)
{
    char word[32];
    snprintf(word, sizeof(word), "%.*s", (int)size, name);
    const char *nearest = p2e_nearest(word, p2e_unicode_scripts, p2e_unicode_script_count,
                                      sizeof(*p2e_unicode_scripts));
    return p2e_regex_fail(p->build, span_since(p, begin),
                          "there is no Unicode class of this name%s%s%s",
                          nearest ? "; did you mean " : "",
                          nearest ? nearest : ": it is a general category (Lu) or a script (Greek)",
                          nearest ? "?" : "");
}

// \pL, \p{Greek}, \P{Greek}, \p{^Greek}
static int take_property(struct parser *p, struct p2e_code_set *set)
{
    size_t begin = p->at;
    bool negated = take(p, "\\P");
    if (!negated)
        p->at += strlen("\\p");
    bool braced = take(p, "{");
    if (braced && take(p, "^"))
        negated = !negated;
    size_t name = p->at, end;
    if (braced) {
        while (!at_end(p) && peek(p, 0) != '}')
            p->at++;
        end = p->at;
    } else if (!at_end(p)) {
        take_character(p);
        end = p->at;
    } else {
        end = name;
    }
    if (end == name || (braced && !take(p, "}")))
        return p2e_regex_fail(p->build, span_from(p, begin),
                              "a Unicode class is written \\pL or \\p{Greek}");

    _cleanup_(p2e_code_set_free) struct p2e_code_set group = {0};
    const char *text = p->build->pattern + name;
    if (!p2e_code_set_add_property(&group, text, end - name))
        return fail_property(p, begin, text, end - name);
    return merge_group(p, set, &group, negated);
}

static bool at_property(const struct parser *p)
{
    return looking_at(p, "\\p") || looking_at(p, "\\P");
}

// \d and its kin
static bool at_perl(const struct parser *p)
{
    return peek(p, 0) == '\\' && peek(p, 1) && strchr("dDsSwW", peek(p, 1));
}

static int take_perl(struct parser *p, struct p2e_code_set *set)
{
    _cleanup_(p2e_code_set_free) struct p2e_code_set group = {0};
    char letter = peek(p, 1);
    p->at += 2;
    p2e_code_set_add_perl(&group, letter | 0x20);
    return merge_group(p, set, &group, letter < 'a');
}

// The size of "[:name:]" at the parser's place; 0 when there is none, for then "[" is a character.
static size_t posix_size(const struct parser *p)
{
    if (!looking_at(p, "[:"))
        return 0;
    const char *text = p->build->pattern + p->at;
    const char *end = memmem(text + 2, p->build->size - p->at - 2, ":]", 2);
    return end ? (size_t)(end - text) + 2 : 0;
}

static int take_posix(struct parser *p, struct p2e_code_set *set, size_t size)
{
    size_t begin = p->at;
    const char *name = p->build->pattern + begin + 2;
    size_t length = size - 4;
    bool negated = length > 0 && name[0] == '^';
    _cleanup_(p2e_code_set_free) struct p2e_code_set group = {0};
    p->at += size;
    if (!p2e_code_set_add_posix(&group, name + negated, length - negated))
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "there is no such class; [:alnum:], [:alpha:], [:ascii:], [:blank:], "
                              "[:cntrl:], [:digit:], [:graph:], [:lower:], [:print:], [:punct:], "
                              "[:space:], [:upper:], [:word:] and [:xdigit:] are");
    return merge_group(p, set, &group, negated);
}

static int take_class_character(struct parser *p, uint32_t *code)
{
    if (peek(p, 0) == '\\')
        return take_escape(p, code);
    *code = take_character(p);
    return 0;
}

static int fail_unclosed_class(struct parser *p, size_t begin)
{
    return p2e_regex_fail(
        p->build, (struct p2e_span){begin, begin + 1},
        "this class is not closed; end it with ], or write \\[ for the character");
}

static int take_range(struct parser *p, struct p2e_code_set *set)
{
    size_t begin = p->at;
    uint32_t first, last;
    if (take_class_character(p, &first) < 0)
        return -1;
    last = first;
    if (peek(p, 0) == '-' && p->build->size - p->at >= 2 && peek(p, 1) != ']') {
        p->at++;
        if (take_class_character(p, &last) < 0)
            return -1;
    }
    if (last < first)
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "this range is empty: its last character comes before its first");
    p2e_code_set_add(set, first, last);
    return 0;
}

static int take_class_item(struct parser *p, struct p2e_code_set *set)
{
    size_t size = posix_size(p);
    if (size)
        return take_posix(p, set, size);
    if (at_property(p))
        return take_property(p, set);
    if (at_perl(p))
        return take_perl(p, set);
    return take_range(p, set);
}

static int parse_class(struct parser *p, struct p2e_regex_node *concat)
{
    _cleanup_(p2e_code_set_free) struct p2e_code_set set = {0};
    size_t begin = p->at++;
    bool negated = take(p, "^");
    size_t first = p->at; // here "]" is a character
    while (!at_end(p) && (peek(p, 0) != ']' || p->at == first)) {
        if (take_class_item(p, &set) < 0)
            return -1;
    }
    if (!take(p, "]"))
        return fail_unclosed_class(p, begin);
    if (fold(p, &set) < 0)
        return -1;
    if (negated)
        p2e_code_set_negate(&set);
    return add_set(p, concat, &set);
}

// ---- Repetition ---------------------------------------------------------------------------------

struct counts {
    unsigned min, max;
};

// RE2 reads no leading zeros; large numbers are all the same to p2e, which refuses them.
static bool take_number(struct parser *p, unsigned *number)
{
    if (!is_digit(peek(p, 0)) || (peek(p, 0) == '0' && is_digit(peek(p, 1))))
        return false;
    for (*number = 0; is_digit(peek(p, 0)); p->at++) {
        if (*number <= P2E_REGEX_MAX_REPEAT)
            *number = *number * 10 + (unsigned)(peek(p, 0) - '0');
    }
    return true;
}

// {n}, {n,} or {n,m}. Anything else is no repetition, and the brace a character.
static bool take_counts(struct parser *p, struct counts *counts)
{
    struct parser ahead = *p;
    if (!take(&ahead, "{") || !take_number(&ahead, &counts->min))
        return false;
    counts->max = counts->min;
    if (take(&ahead, ",") && !take_number(&ahead, &counts->max)) {
        if (is_digit(peek(&ahead, 0)))
            return false;
        counts->max = P2E_REGEX_UNBOUNDED;
    }
    if (!take(&ahead, "}"))
        return false;
    p->at = ahead.at;
    return true;
}

static bool take_repetition(struct parser *p, struct counts *counts)
{
    bool taken = true;
    if (take(p, "*"))
        *counts = (struct counts){0, P2E_REGEX_UNBOUNDED};
    else if (take(p, "+"))
        *counts = (struct counts){1, P2E_REGEX_UNBOUNDED};
    else if (take(p, "?"))
        *counts = (struct counts){0, 1};
    else
        taken = take_counts(p, counts);
    return taken;
}

static int check_counts(struct parser *p, size_t begin, const struct counts *counts)
{
    bool bounded = counts->max != P2E_REGEX_UNBOUNDED;
    if (counts->min > P2E_REGEX_MAX_REPEAT || (bounded && counts->max > P2E_REGEX_MAX_REPEAT))
        return p2e_regex_fail(p->build, span_since(p, begin), "RE2 repeats at most %d times",
                              P2E_REGEX_MAX_REPEAT);
    if (bounded && counts->max < counts->min)
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "this repetition is at most fewer times than at least");
    return 0;
}

// The product of nested counted repetitions is bounded as each of them is.
static int count_repeat(struct parser *p, size_t begin, struct p2e_regex_node *node, bool counted)
{
    unsigned factor = node->max == P2E_REGEX_UNBOUNDED ? node->min : node->max;
    if (!counted || factor == 0)
        return 0;
    node->repeat *= factor;
    if (node->repeat > P2E_REGEX_MAX_REPEAT)
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "with the repetitions within, this is more than RE2's %d times",
                              P2E_REGEX_MAX_REPEAT);
    return 0;
}

static int fail_stacked(struct parser *p, size_t begin)
{
    bool possessive = p->build->pattern[begin] == '+';
    return p2e_regex_fail(p->build, span_since(p, begin),
                          possessive ? "possessive repetition is not part of RE2's syntax"
                                     : "a repetition cannot be repeated; write (?:...) around it");
}

// Repeats the last item of `concat`. The parser is behind a repetition that began at `begin`.
static int repeat_last(struct parser *p, struct p2e_regex_node *concat, size_t begin,
                       const struct counts *counts)
{
    bool counted = p->build->pattern[begin] == '{';
    if (begin == p->repeated)
        return fail_stacked(p, begin);
    take(p, "?"); // fewest first: matches the same texts
    p->repeated = p->at;
    if (check_counts(p, begin, counts) < 0)
        return -1;
    if (!concat->last)
        return p2e_regex_fail(p->build, span_since(p, begin),
                              "there is nothing to repeat; a backslash makes it a character");

    struct p2e_regex_node *node = new_node(p, P2E_REGEX_REPEAT), *child = concat->last;
    if (!node)
        return -1;
    concat->last = child->previous;
    node->min = (uint16_t)counts->min;
    node->max = (uint16_t)counts->max;
    add_child(node, child);
    child->previous = NULL;
    if (count_repeat(p, begin, node, counted) < 0)
        return -1;
    add_child(concat, node);
    return 0;
}

// ---- Groups -------------------------------------------------------------------------------------

// Beginnings of groups that other engines know.
static const struct {
    const char *token, *refusal;
} foreign_groups[] = {
    {"(?=", "lookahead is not part of RE2's syntax"},
    {"(?!", "lookahead is not part of RE2's syntax"},
    {"(?<=", "lookbehind is not part of RE2's syntax"},
    {"(?<!", "lookbehind is not part of RE2's syntax"},
    {"(?>", "atomic groups are not part of RE2's syntax"},
    {"(?P=", "backreferences are not part of RE2's syntax"},
    {"(?P>", "recursion is not part of RE2's syntax"},
    {"(?#", "comments are not part of RE2's syntax"},
    {"(?|", "branch resets are not part of RE2's syntax"},
    {"(?(", "conditions are not part of RE2's syntax"},
};

static int check_foreign(struct parser *p)
{
    for (size_t i = 0; i < sizeof(foreign_groups) / sizeof(*foreign_groups); i++) {
        size_t begin = p->at;
        if (take(p, foreign_groups[i].token))
            return p2e_regex_fail(p->build, span_since(p, begin), "%s", foreign_groups[i].refusal);
    }
    return 0;
}

static bool is_name_character(char c)
{
    return is_letter(c) || is_digit(c) || c == '_';
}

static int remember_name(struct parser *p, const char *text, size_t size)
{
    for (const struct name *name = p->names; name; name = name->previous) {
        if (name->size == size && memcmp(name->text, text, size) == 0)
            return p2e_regex_fail(p->build, (struct p2e_span){p->at - size, p->at},
                                  "two groups have this name");
    }
    struct name *name = p2e_arena_new(&p->build->arena, struct name);
    if (!name)
        return p2e_regex_fail_memory(p->build);
    *name = (struct name){.previous = p->names, .text = text, .size = size};
    p->names = name;
    return p2e_regex_spend(p->build, 1);
}

// Behind "<".
static int take_name(struct parser *p, size_t group)
{
    size_t begin = p->at;
    while (is_name_character(peek(p, 0)))
        p->at++;
    if (p->at == begin || peek(p, 0) != '>')
        return p2e_regex_fail(p->build, span_from(p, group),
                              "a named group is written (?P<name>...), the name of letters, digits "
                              "and _");
    if (remember_name(p, p->build->pattern + begin, p->at - begin) < 0)
        return -1;
    p->at++;
    return 0;
}

static bool set_flag(struct flags *flags, char letter, bool value)
{
    switch (letter) {
    case 'i':
        flags->fold = value;
        return true;
    case 'm':
        flags->multiline = value;
        return true;
    case 's':
        flags->dot_newline = value;
        return true;
    case 'U': // which of greedy and lazy is written how: matches the same texts
        return true;
    default:
        return false;
    }
}

// Behind "(?": flags up to ":" or ")", which is left.
static int take_flags(struct parser *p, size_t group)
{
    struct flags flags = p->flags;
    bool value = true, complete = true;
    for (; !at_end(p) && peek(p, 0) != ':' && peek(p, 0) != ')'; p->at++) {
        bool minus = value && peek(p, 0) == '-';
        if (!minus && !set_flag(&flags, peek(p, 0), value))
            break;
        complete = !minus; // a flag has to follow
        value = value && !minus;
    }
    if (!complete || (peek(p, 0) != ':' && peek(p, 0) != ')'))
        return p2e_regex_fail(p->build, span_from(p, group),
                              "this group is none of RE2's: (...), (?:...), (?P<name>...), and "
                              "(?flags) or (?flags:...) with flags of imsU");
    p->flags = flags;
    return 0;
}

// Behind what opens the group at `begin`; flags that are set within end with it.
static int parse_group_body(struct parser *p, struct p2e_regex_node *concat, size_t begin,
                            struct flags outside)
{
    struct p2e_regex_node *body;
    struct p2e_span open = {begin, begin + 1};
    if (++p->depth > P2E_REGEX_MAX_DEPTH)
        return p2e_regex_fail(p->build, open, "groups nest deeper than %d", P2E_REGEX_MAX_DEPTH);
    if (parse_alternation(p, &body) < 0)
        return -1;
    if (!take(p, ")"))
        return p2e_regex_fail(p->build, open,
                              "this group is not closed; end it with ), or write \\( for the "
                              "character");
    p->depth--;
    p->flags = outside;
    add_child(concat, body);
    return 0;
}

static int parse_group(struct parser *p, struct p2e_regex_node *concat)
{
    size_t begin = p->at;
    struct flags outside = p->flags;
    if (check_foreign(p) < 0)
        return -1;
    p->at++;
    if (take(p, "?P<") || take(p, "?<")) {
        if (take_name(p, begin) < 0)
            return -1;
    } else if (take(p, "?")) {
        if (take_flags(p, begin) < 0)
            return -1;
        if (take(p, ")"))
            return 0; // flags for the rest of the group around
        p->at++;
    }
    return parse_group_body(p, concat, begin, outside);
}

// ---- Items --------------------------------------------------------------------------------------

// \Q...\E: all of it are characters.
static int parse_quoted(struct parser *p, struct p2e_regex_node *concat)
{
    while (!at_end(p) && !take(p, "\\E")) {
        if (add_literal(p, concat, take_character(p)) < 0)
            return -1;
    }
    return 0;
}

static bool take_assertion(struct parser *p, enum p2e_regex_assertion *assertion)
{
    bool multiline = p->flags.multiline;
    const struct {
        const char *token;
        enum p2e_regex_assertion assertion;
    } tokens[] = {
        {"^", multiline ? P2E_REGEX_BEGIN_LINE : P2E_REGEX_BEGIN_TEXT},
        {"$", multiline ? P2E_REGEX_END_LINE : P2E_REGEX_END_TEXT},
        {"\\A", P2E_REGEX_BEGIN_TEXT},
        {"\\z", P2E_REGEX_END_TEXT},
        {"\\b", P2E_REGEX_WORD_BOUNDARY},
        {"\\B", P2E_REGEX_NO_WORD_BOUNDARY},
    };
    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
        *assertion = tokens[i].assertion;
        if (take(p, tokens[i].token))
            return true;
    }
    return false;
}

static int parse_escaped(struct parser *p, struct p2e_regex_node *concat)
{
    _cleanup_(p2e_code_set_free) struct p2e_code_set set = {0};
    uint32_t code;
    if (take(p, "\\Q"))
        return parse_quoted(p, concat);
    if (at_property(p) || at_perl(p)) {
        if ((at_property(p) ? take_property(p, &set) : take_perl(p, &set)) < 0 || fold(p, &set) < 0)
            return -1;
        return add_set(p, concat, &set);
    }
    if (take_escape(p, &code) < 0)
        return -1;
    return add_literal(p, concat, code);
}

static int parse_item(struct parser *p, struct p2e_regex_node *concat)
{
    size_t begin = p->at;
    struct counts counts;
    enum p2e_regex_assertion assertion;
    if (take_repetition(p, &counts))
        return repeat_last(p, concat, begin, &counts);
    if (take_assertion(p, &assertion))
        return add_assertion(p, concat, assertion);
    switch (peek(p, 0)) {
    case '(':
        return parse_group(p, concat);
    case '[':
        return parse_class(p, concat);
    case '\\':
        return parse_escaped(p, concat);
    case '.':
        p->at++;
        return add_dot(p, concat);
    default:
        return add_literal(p, concat, take_character(p));
    }
}

static int parse_concat(struct parser *p, struct p2e_regex_node **tree)
{
    *tree = new_node(p, P2E_REGEX_CONCAT);
    if (!*tree)
        return -1;
    while (!at_end(p) && peek(p, 0) != '|' && peek(p, 0) != ')') {
        if (parse_item(p, *tree) < 0)
            return -1;
    }
    return 0;
}

static int parse_alternation(struct parser *p, struct p2e_regex_node **tree)
{
    if (parse_concat(p, tree) < 0)
        return -1;
    if (peek(p, 0) != '|' || at_end(p))
        return 0;

    struct p2e_regex_node *branch = *tree;
    *tree = new_node(p, P2E_REGEX_ALTERNATE);
    if (!*tree)
        return -1;
    add_child(*tree, branch);
    while (take(p, "|")) {
        if (parse_concat(p, &branch) < 0)
            return -1;
        add_child(*tree, branch);
    }
    return 0;
}

int p2e_regex_parse(struct p2e_regex_build *build)
{
    struct parser p = {.build = build, .repeated = SIZE_MAX};
    if (check_utf8(build) < 0 || parse_alternation(&p, &build->tree) < 0)
        return -1;
    if (!at_end(&p))
        return p2e_regex_fail(build, span_from(&p, p.at),
                              "this closes no group; write \\) for the character");
    return 0;
}
