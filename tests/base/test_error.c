#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

struct excerpt {
    const char *text;
    struct p2e_span span;
    const char *shown; // what follows the sentence
};

static const struct excerpt excerpts[] = {
    {"this.qeury.contains(\"A\")",
     {5, 10},
     "\n    this.qeury.contains(\"A\")"
     "\n         ^~~~~"},
    {"a", {0, 1}, "\n    a\n    ^"},
    {"a == ", {5, 5}, "\n    a == \n         ^"}, // the end of the text
    {"", {0, 0}, "\n    \n    ^"},
    {"a", {7, 9}, "\n    a\n     ^"}, // beyond it
    {"a\nbb + c\nd", {7, 8}, "\n    bb + c\n         ^"},
    {"a\nbb\nc", {0, 4}, "\n    a\n    ^"},       // the span goes on in the next line
    {"a\nbb\nc", {4, 5}, "\n    bb\n      ^"},    // a line's end belongs to it
    {"a\n\nc", {2, 2}, "\n    \n    ^"},          // an empty line
    {"\ta\t+ b", {1, 2}, "\n     a + b\n     ^"}, // tabs take one column
    {"x\033[31m\177y", {7, 8}, "\n    x\\x1b[31m\\x7fy\n                 ^"},
    {"x\033y", {1, 3}, "\n    x\\x1by\n     ^~~~~"},
    {"\xff\xe2\x80\xaey", {4, 5}, "\n    \\xff\\u202ey\n              ^"},
    {"'äöü' == q", {12, 13}, "\n    'äöü' == q\n             ^"},
    {"'日本' == q", {12, 13}, "\n    '日本' == q\n              ^"},   // wide
    {"'e\u0301' == q", {9, 10}, "\n    'e\u0301' == q\n           ^"}, // combining
    {"q == '日本'", {5, 13}, "\n    q == '日本'\n         ^~~~~~"},
    {"q == '€𝄞'", {5, 14}, "\n    q == '€𝄞'\n         ^~~~"},
};

static void test_caret(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(excerpts) / sizeof(*excerpts); i++) {
        const struct excerpt *e = &excerpts[i];
        struct p2e_error err;
        assert_int_equal(p2e_error_at(&err, e->text, e->span, "wrong %d", 7), -1);
        assert_memory_equal(err.text, "wrong 7", 7);
        assert_string_equal(err.text + 7, e->shown);
    }
}

// Cuts the error into its second and third line.
static void split(struct p2e_error *err, char **excerpt, char **caret)
{
    *excerpt = strchr(err->text, '\n') + 1;
    char *second = strchr(*excerpt, '\n');
    assert_non_null(second);
    *second = '\0';
    *caret = second + 1;
    assert_null(strchr(*caret, '\n'));
}

static void test_long_line_is_cut_around_the_span(void **state)
{
    (void)state;
    char text[1001];
    for (size_t i = 0; i < 1000; i++)
        text[i] = (char)('a' + i % 26);
    text[1000] = '\0';
    const size_t positions[] = {0, 10, 31, 32, 33, 500, 935, 936, 996, 999};
    for (size_t i = 0; i < sizeof(positions) / sizeof(*positions); i++) {
        size_t at = positions[i];
        struct p2e_error err;
        char *excerpt, *caret;
        p2e_error_at(&err, text, (struct p2e_span){at, at + 1}, "wrong");
        split(&err, &excerpt, &caret);
        assert_in_range(strlen(excerpt), 90, 110);
        assert_int_equal(excerpt[strcspn(caret, "^")], text[at]);
        assert_int_equal(!strncmp(excerpt, "    ...", 7), at > 32);
        assert_int_equal(!strcmp(excerpt + strlen(excerpt) - 3, "..."), at < 936);
    }
}

static void test_long_span_ends_with_what_is_shown(void **state)
{
    (void)state;
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    struct p2e_error err;
    char *excerpt, *caret;
    p2e_error_at(&err, text, (struct p2e_span){100, 900}, "wrong");
    split(&err, &excerpt, &caret);
    assert_int_equal(strlen(caret), strlen(excerpt) - 3);
}

static void test_long_line_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1001] = "";
    for (size_t i = 0; i < 250; i++)
        strcat(text, "𝄞");
    struct p2e_error err;
    char *excerpt, *caret;
    p2e_error_at(&err, text, (struct p2e_span){400, 404}, "wrong");
    split(&err, &excerpt, &caret);
    assert_int_equal(strlen(excerpt), 4 + 3 + 96 * 4 + 3);
    assert_int_equal(strlen(caret), 4 + 3 + 32 + 1);
}

static void test_excerpt_survives_a_long_sentence(void **state)
{
    (void)state;
    char name[5000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct p2e_error err;
    p2e_error_at(&err, "a + b", (struct p2e_span){2, 3}, "unknown %s", name);
    assert_non_null(strstr(err.text, "nnn...\n    a + b\n      ^"));
}

static void test_text_that_is_no_utf8_stays_in_bounds(void **state)
{
    (void)state;
    char text[9000];
    memset(text, 0x80, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const struct p2e_span spans[] = {{0, 8999}, {4000, 4001}, {8999, 8999}};
    for (size_t i = 0; i < 3; i++) {
        struct p2e_error err;
        memset(&err, 'x', sizeof(err));
        p2e_error_at(&err, text, spans[i], "wrong");
        assert_in_range(strlen(err.text), 5, P2E_ERROR_SIZE - 1);
    }
}

static void test_a_terminal_obeys_nothing_that_is_quoted(void **state)
{
    (void)state;
    struct p2e_error err;
    p2e_error_set(&err, "no file \"%s\":\n  a\tb",
                  "\033[2J\xc2\x9b"
                  "1mä\x9b");
    assert_string_equal(err.text, "no file \"\\x1b[2J\\u009b1mä\\x9b\":\n  a b");
    p2e_error_prefix(&err, "process (%s)", "\a");
    assert_string_equal(err.text, "process (\\x07): no file \"\\x1b[2J\\u009b1mä\\x9b\":\n  a b");
}

static void test_too_much_that_is_escaped_is_cut_between_escapes(void **state)
{
    (void)state;
    char text[2 * P2E_ERROR_SIZE];
    memset(text, '\033', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct p2e_error err;
    p2e_error_set(&err, "%s", text);
    size_t length = strlen(err.text);
    assert_in_range(length, P2E_ERROR_SIZE - 8, P2E_ERROR_SIZE - 1);
    assert_string_equal(err.text + length - 7, "\\x1b...");
}

static void test_too_long_a_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    char text[3 * P2E_ERROR_SIZE] = "";
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "€", 4);
        struct p2e_error err;
        assert_int_equal(p2e_error_set(&err, "%s", text), -1);
        size_t length = strlen(err.text);
        assert_in_range(length, P2E_ERROR_SIZE - 4, P2E_ERROR_SIZE - 1);
        assert_string_equal(err.text + length - 6, "€...");
    }
}

static void test_what_just_fits_is_whole(void **state)
{
    (void)state;
    char text[P2E_ERROR_SIZE + 1];
    memset(text, 'x', P2E_ERROR_SIZE);
    text[P2E_ERROR_SIZE] = '\0';
    struct p2e_error err;
    p2e_error_set(&err, "%s", text + 1);
    assert_string_equal(err.text, text + 1);
    p2e_error_set(&err, "%s", text);
    assert_string_equal(err.text + P2E_ERROR_SIZE - 5, "x...");
}

static void test_prefix(void **state)
{
    (void)state;
    struct p2e_error err;
    p2e_error_set(&err, "no rule");
    assert_int_equal(p2e_error_prefix(&err, "filter \"%s\"", "demo"), -1);
    assert_string_equal(err.text, "filter \"demo\": no rule");
}

static void test_an_error_may_be_made_of_itself(void **state)
{
    (void)state;
    struct p2e_error err;
    p2e_error_set(&err, "inner");
    p2e_error_set(&err, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    p2e_error_at(&err, err.text, (struct p2e_span){0, 5}, "[%s]", err.text);
    assert_string_equal(err.text, "[outer (inner)]\n    outer (inner)\n    ^~~~~");
}

static void test_errno_is_preserved_and_may_be_named(void **state)
{
    (void)state;
    struct p2e_error err;
    errno = ENOSPC;
    p2e_error_set(&err, "cannot write: %m");
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(err.text, "cannot write: No space left on device");
    p2e_error_prefix(&err, "object");
    p2e_error_at(&err, "a", (struct p2e_span){0, 1}, "wrong");
    assert_int_equal(errno, ENOSPC);
}

static void test_nobody_wants_the_sentence(void **state)
{
    (void)state;
    assert_int_equal(p2e_error_set(NULL, "x"), -1);
    assert_int_equal(p2e_error_prefix(NULL, "x"), -1);
    assert_int_equal(p2e_error_at(NULL, "a", (struct p2e_span){0, 1}, "x"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caret),
        cmocka_unit_test(test_long_line_is_cut_around_the_span),
        cmocka_unit_test(test_long_span_ends_with_what_is_shown),
        cmocka_unit_test(test_long_line_is_cut_between_characters),
        cmocka_unit_test(test_excerpt_survives_a_long_sentence),
        cmocka_unit_test(test_text_that_is_no_utf8_stays_in_bounds),
        cmocka_unit_test(test_a_terminal_obeys_nothing_that_is_quoted),
        cmocka_unit_test(test_too_much_that_is_escaped_is_cut_between_escapes),
        cmocka_unit_test(test_too_long_a_sentence_is_cut_between_characters),
        cmocka_unit_test(test_what_just_fits_is_whole),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_an_error_may_be_made_of_itself),
        cmocka_unit_test(test_errno_is_preserved_and_may_be_named),
        cmocka_unit_test(test_nobody_wants_the_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
