// The front end by table: tests/data/cel/*.txt has an expression and what becomes of it, its tree
// or its whole error text. Beyond the table: spans, limits, and that no text does harm.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/compiler/print_tree.h"

#define DATA "tests/data/cel/"

static struct p2e_schema schema;
static const struct p2e_message *rules;

static int set_up(void **state)
{
    struct p2e_error err;
    (void)state;
    if (p2e_schema_load(DATA "rules.proto", NULL, 0, &schema, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    rules = p2e_schema_message(&schema, "demo.v1.Rules");
    return rules ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    p2e_schema_free(&schema);
    return 0;
}

// ---- What a tree may look like ------------------------------------------------------------------

static bool is_number(enum p2e_cel_kind kind)
{
    return kind == P2E_CEL_INT || kind == P2E_CEL_UINT || kind == P2E_CEL_DOUBLE;
}

static void check_args(const struct p2e_cel_expr *e, size_t count, enum p2e_cel_kind kind)
{
    assert_int_equal(e->arg_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(e->args[i]->type.kind, kind);
}

static void check_selection(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 1);
    assert_int_equal(e->args[0]->type.kind, P2E_CEL_MESSAGE);
    assert_true(e->args[0]->op == P2E_CEL_THIS || e->args[0]->op == P2E_CEL_ELEMENT ||
                e->args[0]->op == P2E_CEL_SELECT);
    assert_ptr_equal(e->field->parent, e->args[0]->type.message);
}

// Of one kind, or numbers.
static void check_pair(const struct p2e_cel_expr *a, const struct p2e_cel_expr *b, bool any_numbers)
{
    enum p2e_cel_kind x = a->type.kind, y = b->type.kind;
    any_numbers |= a->type.dynamic || b->type.dynamic;
    assert_true(x <= P2E_CEL_DURATION);
    assert_true(x == y || (any_numbers && is_number(x) && is_number(y)));
}

// A list or a map of the message, which a filter judges element by element.
static void check_elements(const struct p2e_cel_expr *list)
{
    assert_int_equal(list->op, P2E_CEL_SELECT);
    assert_true(list->field->repeated);
    assert_int_equal(list->type.kind, list->field->map ? P2E_CEL_MAP : P2E_CEL_LIST);
}

static enum p2e_cel_kind key_kind(const struct p2e_cel_expr *map)
{
    return p2e_cel_type_of_field(&map->type.message->fields[0]).kind;
}

static void check_in(const struct p2e_cel_expr *e)
{
    const struct p2e_cel_expr *list = e->args[1];
    assert_int_equal(e->arg_count, 2);
    if (list->op != P2E_CEL_LIST_LITERAL)
        check_elements(list);
    assert_int_equal(e->args[0]->type.kind,
                     list->type.kind == P2E_CEL_MAP ? key_kind(list) : list->type.element);
    for (size_t i = 0; i < list->arg_count && list->op == P2E_CEL_LIST_LITERAL; i++)
        check_pair(e->args[0], list->args[i], false);
}

static void check_macro(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 2);
    check_elements(e->args[0]);
    assert_int_equal(e->args[1]->type.kind, P2E_CEL_BOOL);
}

// Of a time or a wrapper it is the message that holds it, of a map the entry.
static void check_element(const struct p2e_cel_expr *e)
{
    const struct p2e_cel_expr *list = e->binder->args[0];
    assert_int_equal(e->arg_count, 0);
    assert_int_equal(e->type.kind, list->type.message ? P2E_CEL_MESSAGE : list->type.element);
    assert_ptr_equal(e->type.message, list->type.message);
}

// What is found is a scalar, by a constant.
static void check_at(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 2);
    check_elements(e->args[0]);
    assert_int_equal(e->args[1]->op, P2E_CEL_CONST);
    assert_int_equal(e->args[1]->type.kind,
                     e->args[0]->type.kind == P2E_CEL_MAP ? key_kind(e->args[0]) : P2E_CEL_INT);
    assert_true(e->type.kind <= P2E_CEL_BYTES && !e->type.message);
}

static void check_unique(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 1);
    assert_int_equal(e->args[0]->type.kind, P2E_CEL_LIST);
    assert_int_equal(e->type.kind, P2E_CEL_BOOL);
}

static void check_conversion(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 1);
    enum p2e_cel_kind from = e->args[0]->type.kind, to = e->type.kind;
    bool timestamp = from == P2E_CEL_TIMESTAMP || to == P2E_CEL_TIMESTAMP;
    assert_true((from == to) == (e->args[0]->op == P2E_CEL_UNWRAP && from == to));
    assert_true(from == to || (is_number(from) && is_number(to)) ||
                (timestamp && (from == P2E_CEL_INT || to == P2E_CEL_INT)) ||
                (from == P2E_CEL_STRING && to == P2E_CEL_BYTES) ||
                (from == P2E_CEL_BYTES && to == P2E_CEL_STRING));
}

static void check_unwrap(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 2);
    assert_int_equal(e->args[0]->op, P2E_CEL_SELECT);
    assert_int_equal(e->args[0]->type.kind, e->type.kind);
    assert_int_equal(e->args[1]->op, P2E_CEL_HAS);
}

static void check_sum(const struct p2e_cel_expr *e)
{
    bool time = false;
    assert_int_equal(e->arg_count, 2);
    for (size_t i = 0; i < 2; i++)
        time |= e->args[i]->type.kind == P2E_CEL_TIMESTAMP;
    if (time || e->type.kind == P2E_CEL_DURATION)
        return;
    check_args(e, 2, e->type.kind);
    assert_true(e->type.kind == P2E_CEL_INT || e->type.kind == P2E_CEL_UINT);
}

static void check_time_part(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 2);
    assert_int_equal(e->type.kind, P2E_CEL_INT);
    assert_true(e->args[0]->type.kind == P2E_CEL_TIMESTAMP ||
                (e->args[0]->type.kind == P2E_CEL_DURATION && e->op >= P2E_CEL_GET_HOURS));
    assert_int_equal(e->args[1]->op, P2E_CEL_CONST);
    assert_int_equal(e->args[1]->type.kind, P2E_CEL_INT);
}

// One of them holds constants alone.
static void check_lists(const struct p2e_cel_expr *e)
{
    bool constant[2] = {true, true};
    for (size_t i = 0; i < 2; i++) {
        const struct p2e_cel_expr *list = e->args[i];
        assert_int_equal(list->type.kind, P2E_CEL_LIST);
        constant[i] = list->op == P2E_CEL_LIST_LITERAL;
        for (size_t k = 0; k < list->arg_count && constant[i]; k++)
            constant[i] = list->args[k]->op == P2E_CEL_CONST;
    }
    assert_true(constant[0] || constant[1]);
}

static void check_comparison(const struct p2e_cel_expr *e)
{
    assert_int_equal(e->arg_count, 2);
    if (e->args[0]->type.kind == P2E_CEL_LIST) {
        assert_true(e->op == P2E_CEL_EQ || e->op == P2E_CEL_NE);
        check_lists(e);
        return;
    }
    check_pair(e->args[0], e->args[1], e->op >= P2E_CEL_LT);
}

static void check_op(const struct p2e_cel_expr *e)
{
    switch (e->op) {
    case P2E_CEL_CONST:
    case P2E_CEL_THIS:
    case P2E_CEL_NOW:
        assert_int_equal(e->arg_count, 0);
        return;
    case P2E_CEL_TIME:
        check_args(e, 2, P2E_CEL_INT);
        return;
    case P2E_CEL_UNWRAP:
        check_unwrap(e);
        return;
    case P2E_CEL_GET_FULL_YEAR ... P2E_CEL_GET_MILLISECONDS:
        check_time_part(e);
        return;
    case P2E_CEL_ELEMENT:
        check_element(e);
        return;
    case P2E_CEL_ALL:
    case P2E_CEL_EXISTS:
    case P2E_CEL_EXISTS_ONE:
        check_macro(e);
        return;
    case P2E_CEL_AT:
        check_at(e);
        return;
    case P2E_CEL_UNIQUE:
        check_unique(e);
        return;
    case P2E_CEL_SELECT:
    case P2E_CEL_HAS:
        check_selection(e);
        return;
    case P2E_CEL_LIST_LITERAL:
        return;
    case P2E_CEL_NOT:
        check_args(e, 1, P2E_CEL_BOOL);
        return;
    case P2E_CEL_NEGATE:
        check_args(e, 1, e->type.kind);
        assert_true(e->type.kind == P2E_CEL_INT || e->type.kind == P2E_CEL_DOUBLE);
        return;
    case P2E_CEL_CONVERT:
        check_conversion(e);
        return;
    case P2E_CEL_IS_NAN:
        check_args(e, 1, P2E_CEL_DOUBLE);
        return;
    case P2E_CEL_IS_INF:
        assert_int_equal(e->arg_count, 2);
        assert_int_equal(e->args[0]->type.kind, P2E_CEL_DOUBLE);
        assert_int_equal(e->args[1]->type.kind, P2E_CEL_INT);
        return;
    case P2E_CEL_IS_FORMAT:
        assert_non_null(e->format);
        assert_int_equal(e->arg_count, 3);
        assert_int_equal(e->args[0]->type.kind, P2E_CEL_STRING);
        assert_int_equal(e->args[1]->type.kind, P2E_CEL_INT);
        assert_int_equal(e->args[2]->type.kind, P2E_CEL_BOOL);
        return;
    case P2E_CEL_MATCHES:
        check_args(e, 2, P2E_CEL_STRING);
        assert_int_equal(e->args[1]->op, P2E_CEL_CONST);
        return;
    case P2E_CEL_AND:
    case P2E_CEL_OR:
        assert_true(e->arg_count >= 2 || e->args[0]->op == P2E_CEL_UNWRAP);
        check_args(e, e->arg_count, P2E_CEL_BOOL);
        return;
    case P2E_CEL_CONDITIONAL:
        assert_int_equal(e->arg_count, 3);
        assert_int_equal(e->args[0]->type.kind, P2E_CEL_BOOL);
        assert_int_equal(e->args[1]->type.kind, e->type.kind);
        assert_int_equal(e->args[2]->type.kind, e->type.kind);
        return;
    case P2E_CEL_IN:
        check_in(e);
        return;
    case P2E_CEL_SIZE:
        assert_int_equal(e->arg_count, 1);
        return;
    case P2E_CEL_ADD:
    case P2E_CEL_SUBTRACT:
        check_sum(e);
        return;
    case P2E_CEL_MULTIPLY:
    case P2E_CEL_DIVIDE:
    case P2E_CEL_MODULO:
        check_args(e, 2, e->type.kind);
        assert_true(e->type.kind == P2E_CEL_INT || e->type.kind == P2E_CEL_UINT);
        return;
    case P2E_CEL_STARTS_WITH:
    case P2E_CEL_ENDS_WITH:
    case P2E_CEL_CONTAINS:
        check_args(e, 2, e->args[0]->type.kind);
        return;
    default:
        check_comparison(e);
    }
}

// What cel.h promises to whoever walks the tree.
static void check_tree(const struct p2e_cel_expr *e, size_t text_size)
{
    assert_true(e->span.begin < e->span.end && e->span.end <= text_size);
    assert_true(e->token.begin >= e->span.begin && e->token.end <= e->span.end);
    check_op(e);
    for (size_t i = 0; i < e->arg_count; i++)
        check_tree(e->args[i], text_size);
}

// The tree of `text`, or its error, as text that the caller frees.
static char *compile(const char *text)
{
    struct p2e_cel cel;
    struct p2e_error err = {.text = ""};
    struct p2e_buffer out = {0};
    if (p2e_cel_compile(text, rules, &schema, &cel, &err) < 0) {
        assert_null(cel.root);
        assert_null(cel.arena);
        assert_int_not_equal(err.text[0], '\0');
        return strdup(err.text);
    }
    assert_int_equal(cel.root->type.kind, P2E_CEL_BOOL);
    check_tree(cel.root, strlen(text));
    print_tree(&out, cel.root);
    p2e_cel_free(&cel);
    return out.data;
}

// ---- The table ----------------------------------------------------------------------------------

struct case_row {
    struct p2e_buffer expression, expected;
};

static void row_free(struct case_row *row)
{
    p2e_buffer_free(&row->expression);
    p2e_buffer_free(&row->expected);
}

static void add_line(struct p2e_buffer *b, const char *line, size_t size)
{
    if (b->data)
        p2e_buffer_puts(b, "\n");
    p2e_buffer_add(b, line + 2, size - 2);
}

// Lines of one row: "> " expression, "= " tree, "! " error; "# " is a comment. NULL at the end.
static const char *read_row(const char *at, struct case_row *row)
{
    while (*at) {
        size_t size = strcspn(at, "\n");
        if (size == 0 && row->expression.data)
            return at + 1;
        if (size >= 2 && at[0] == '>')
            add_line(&row->expression, at, size);
        else if (size >= 2 && (at[0] == '=' || at[0] == '!'))
            add_line(&row->expected, at, size);
        else
            assert_true(size == 0 || at[0] == '#');
        at += size + (at[size] == '\n');
    }
    return row->expression.data ? at : NULL;
}

// Calls `visit` with each row of all files; returns how many there are.
static size_t for_each_row(void (*visit)(const struct case_row *row, void *data), void *data)
{
    size_t count = 0;
    glob_t files;
    assert_int_equal(glob(DATA "*.txt", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct p2e_error err;
        _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
        assert_int_equal(p2e_file_read(files.gl_pathv[i], 1 << 20, &text, &err), 0);
        const char *at = text.data;
        for (;;) {
            _cleanup_(row_free) struct case_row row = {0};
            at = read_row(at, &row);
            if (!at)
                break;
            visit(&row, data);
            count++;
        }
    }
    globfree(&files);
    return count;
}

static void check_row(const struct case_row *row, void *data)
{
    size_t *wrong = data;
    _cleanup_free_ char *got = compile(row->expression.data);
    if (strcmp(got, row->expected.data) == 0)
        return;
    print_error("> %s\nexpected:\n%s\ngot:\n%s\n\n", row->expression.data, row->expected.data, got);
    ++*wrong;
}

static void test_table(void **state)
{
    size_t wrong = 0;
    (void)state;
    assert_true(for_each_row(check_row, &wrong) > 800);
    assert_int_equal(wrong, 0);
}

// ---- Spans --------------------------------------------------------------------------------------

static void collect_spans(struct p2e_buffer *out, const char *text, const struct p2e_cel_expr *e)
{
    p2e_buffer_printf(out, "[%.*s|%.*s]", (int)(e->span.end - e->span.begin), text + e->span.begin,
                      (int)(e->token.end - e->token.begin), text + e->token.begin);
    for (size_t i = 0; i < e->arg_count; i++)
        collect_spans(out, text, e->args[i]);
}

// Each node's whole text and what an error points at, from the root down.
static void test_spans(void **state)
{
    static const struct {
        const char *text, *spans;
    } rows[] = {
        {"flag", "[flag|flag][flag|flag]"},
        {"this.item.name == \"x\"", "[this.item.name == \"x\"|==][this.item.name|name]"
                                    "[this.item|item][this|this][\"x\"|\"x\"]"},
        {"(i32 + 1) * 2 > 3", "[(i32 + 1) * 2 > 3|>][(i32 + 1) * 2|*][i32 + 1|+][i32|i32][i32|i32]"
                              "[1|1][2|2][3|3]"},
        {"query.contains( 'a' )", "[query.contains( 'a' )|contains][query|query][query|query]"
                                  "['a'|'a']"},
        {" ! flag ", "[! flag|!][flag|flag][flag|flag]"},
        {"i64 == - 5", "[i64 == - 5|==][i64|i64][i64|i64][- 5|- 5]"},
        {"has(this.item.next)", "[has(this.item.next)|has][this.item|item][this|this]"},
        {"i32 in [ 1 ]", "[i32 in [ 1 ]|in][i32|i32][i32|i32][[ 1 ]|[][1|1]"},
        {"flag ? flag : !flag", "[flag ? flag : !flag|?][flag|flag][flag|flag][flag|flag]"
                                "[flag|flag][!flag|!][flag|flag][flag|flag]"},
        {"flag && flag&&flag", "[flag && flag&&flag|&&][flag|flag][flag|flag][flag|flag][flag|flag]"
                               "[flag|flag][flag|flag]"},
        {"i32 == 1 + 2", "[i32 == 1 + 2|==][i32|i32][i32|i32][1 + 2|+]"},
        {"status == Status.ACTIVE", "[status == Status.ACTIVE|==][status|status][status|status]"
                                    "[Status.ACTIVE|ACTIVE]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_cel cel;
        struct p2e_error err;
        _cleanup_(p2e_buffer_free) struct p2e_buffer spans = {0};
        assert_int_equal(p2e_cel_compile(rows[i].text, rules, &schema, &cel, &err), 0);
        collect_spans(&spans, rows[i].text, cel.root);
        assert_string_equal(spans.data, rows[i].spans);
        p2e_cel_free(&cel);
    }
}

// ---- Limits -------------------------------------------------------------------------------------

static char *repeat(const char *begin, const char *part, size_t count, const char *end)
{
    struct p2e_buffer b = {0};
    p2e_buffer_puts(&b, begin);
    for (size_t i = 0; i < count; i++)
        p2e_buffer_puts(&b, part);
    p2e_buffer_puts(&b, end);
    assert_false(b.failed);
    return b.data;
}

#define TOO_DEEP  "nested too deep"
#define TOO_LARGE "too large: more than 100000 parts"
#define TOO_LONG  "longer than 1048576 bytes"

// begin, part × count, end: `error` is what the text's error holds, NULL when it compiles.
static void test_limits(void **state)
{
    static const struct {
        const char *begin, *part;
        size_t count;
        const char *end, *error;
    } rows[] = {
        {"flag", " || flag", 9999, "", NULL},
        {"flag", " && flag", 9999, "", NULL},
        {"flag", " || flag && flag", 9999, "", NULL},
        {"i32 in [", "1,", 10000, "]", NULL},
        {"i32", " + 1", 200, " == 0", NULL},
        {"i32", " + 1", 248, " == 0", NULL},
        {"i32", " + 1", 249, " == 0", TOO_DEEP},
        {"i32", " + 1", 100000, " == 0", TOO_DEEP},
        {"", "(", 100000, "", TOO_DEEP},
        {"", "((flag)) && (", 200, "", "expected a value"},
        {"", "!", 249, "flag", NULL},
        {"", "!", 250, "flag", TOO_DEEP},
        {"", "!", 1000000, "flag", TOO_DEEP},
        {"", "-", 1000000, "i32 == 0", TOO_DEEP},
        {"", "flag ? flag : ", 249, "flag", NULL},
        {"", "flag ? flag : ", 250, "flag", TOO_DEEP},
        {"", "[", 1000000, "", TOO_DEEP},
        {"", "{", 1000000, "", TOO_DEEP},
        {"", "size(", 200000, "", TOO_DEEP},
        {"item", ".next", 200, ".count == 0", NULL},
        {"item", ".next", 200000, ".count == 0", TOO_DEEP},
        {"tags", "[0]", 300000, "", TOO_DEEP},
        {"flag", " == flag", 248, "", NULL},
        {"flag", " == flag", 100000, "", TOO_DEEP},
        {"i32 in [", "1,", 200000, "]", TOO_LARGE},
        {"flag", "||flag", 150000, "", TOO_LARGE},
        {"query == \"", "a", 1000000, "\"", NULL},
        {"query == \"", "\\x61", 250000, "\"", NULL},
        {"d == 0.", "1", 1000000, "", NULL},
        {"i32 == ", "1", 1000000, "", "does not fit into 64 bits"},
        {"d == 1", "0", 1000000, ".0", "does not fit into a double"},
        {"", "a", 1000000, "", "unknown field"},
        {"", " ", 1000000, "flag", NULL},
        {"", "//\n", 300000, "flag", NULL},
        {"", "\"", 999999, "", "expected an operator"},
        {"\"", "a", 1000000, "", "not closed"},
        {"", "a", 1048577, "", TOO_LONG},
        {"flag // ", "a", 1048568, "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_free_ char *text = repeat(rows[i].begin, rows[i].part, rows[i].count, rows[i].end);
        struct p2e_cel cel;
        struct p2e_error err = {.text = ""};
        int failed = p2e_cel_compile(text, rules, &schema, &cel, &err);
        p2e_cel_free(&cel);
        if ((failed != 0) != (rows[i].error != NULL) ||
            (failed && !strstr(err.text, rows[i].error)))
            fail_msg("%s%s...%s: %s", rows[i].begin, rows[i].part, rows[i].end, err.text);
    }
}

static void test_parentheses_count(void **state)
{
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        size_t count = 249 + (size_t)deep;
        _cleanup_free_ char *open = repeat("", "(", count, "flag");
        _cleanup_free_ char *text = repeat(open, ")", count, "");
        _cleanup_free_ char *got = compile(text);
        if (deep)
            assert_non_null(strstr(got, TOO_DEEP));
        else
            assert_string_equal(got, "this.flag");
    }
}

// ---- UTF-8 --------------------------------------------------------------------------------------

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"query == \"\xc2\x80\"", true},
        {"query == \"\xc1\xbf\"", false},
        {"query == \"\x80\"", false},
        {"query == \"\xc3\"", false},
        {"query == \"\xe0\xa0\x80\"", true},
        {"query == \"\xe0\x9f\xbf\"", false},
        {"query == \"\xed\x9f\xbf\"", true},
        {"query == \"\xed\xa0\x80\"", false},
        {"query == \"\xef\xbf\xbf\"", true},
        {"query == \"\xf0\x90\x80\x80\"", true},
        {"query == \"\xf0\x8f\xbf\xbf\"", false},
        {"query == \"\xf4\x8f\xbf\xbf\"", true},
        {"query == \"\xf4\x90\x80\x80\"", false},
        {"query == \"\xf5\x80\x80\x80\"", false},
        {"flag // \xff", false},
        {"raw == b\"\xff\"", false},
        {"flag \xe2\x82", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_free_ char *got = compile(rows[i].text);
        assert_int_equal(strstr(got, "is not valid UTF-8") == NULL, rows[i].valid);
    }
}

static void test_carriage_return(void **state)
{
    (void)state;
    _cleanup_free_ char *outside = compile("flag\r\n&& flag\r\n");
    assert_string_equal(outside, "&&(this.flag, this.flag)");
    _cleanup_free_ char *within = compile("query == '''a\r\nb'''");
    assert_non_null(strstr(within, "carriage return"));
    _cleanup_free_ char *raw = compile("query == r'''a\rb'''");
    assert_non_null(strstr(raw, "carriage return"));
}

// ---- Names of types -----------------------------------------------------------------------------

static void test_type_names(void **state)
{
    char name[64], small[8];
    const struct p2e_message *item = p2e_schema_message(&schema, "demo.v1.Item");
    const struct p2e_message *entry = p2e_message_field(rules, "by_id")->message;
    (void)state;
    struct p2e_cel_type uint = {.kind = P2E_CEL_UINT};
    assert_string_equal(p2e_cel_type_name(&uint, name, sizeof(name)), "uint");
    struct p2e_cel_type message = {.kind = P2E_CEL_MESSAGE, .message = item};
    assert_string_equal(p2e_cel_type_name(&message, name, sizeof(name)), "demo.v1.Item");
    struct p2e_cel_type list = {.kind = P2E_CEL_LIST, .element = P2E_CEL_MESSAGE, .message = item};
    assert_string_equal(p2e_cel_type_name(&list, name, sizeof(name)), "list(demo.v1.Item)");
    struct p2e_cel_type map = {.kind = P2E_CEL_MAP, .message = entry};
    assert_string_equal(p2e_cel_type_name(&map, name, sizeof(name)), "map(int, demo.v1.Item)");
    assert_string_equal(p2e_cel_type_name(&map, small, sizeof(small)), "map(int");
}

// ---- Texts that nobody would write --------------------------------------------------------------

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// Bytes change, go, come twice, or are taken from the language's own characters.
static void mutate(char *text, uint32_t *random)
{
    static const char characters[] = "()[]{}.,?:!&|=<>+-*/%\"'`\\rbux0159eE_ \n";
    for (uint32_t i = 1 + next_random(random) % 3; i > 0; i--) {
        size_t size = strlen(text), at = size ? next_random(random) % size : 0;
        if (size == 0)
            return;
        switch (next_random(random) % 4) {
        case 0:
            memmove(text + at, text + at + 1, size - at);
            break;
        case 1:
            text[at] = (char)(1 + next_random(random) % 255);
            break;
        case 2:
            memmove(text + at + 1, text + at, size - at + 1);
            break;
        default:
            text[at] = characters[next_random(random) % (sizeof(characters) - 1)];
        }
    }
}

static void mutate_row(const struct case_row *row, void *data)
{
    uint32_t *random = data;
    for (int i = 0; i < 25; i++) {
        char text[512];
        assert_true(row->expression.size + 4 < sizeof(text));
        memcpy(text, row->expression.data, row->expression.size + 1);
        mutate(text, random);
        free(compile(text));
    }
}

static void test_mutations(void **state)
{
    uint32_t random = 20111;
    (void)state;
    for_each_row(mutate_row, &random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_spans),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_parentheses_count),
        cmocka_unit_test(test_utf8),       cmocka_unit_test(test_carriage_return),
        cmocka_unit_test(test_type_names), cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
