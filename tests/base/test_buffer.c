#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static void test_pieces_add_up(void **state)
{
    (void)state;
    struct p2e_buffer b = {0};
    p2e_buffer_puts(&b, "ab");
    p2e_buffer_printf(&b, "-%d-%s", 42, "x");
    p2e_buffer_add(&b, "\0z", 2);
    assert_false(b.failed);
    assert_int_equal(b.size, 9);
    assert_memory_equal(b.data, "ab-42-x\0z", 10);
    p2e_buffer_free(&b);
    assert_null(b.data);
    assert_int_equal(b.size, 0);
}

static void test_adding_nothing_gives_an_empty_string(void **state)
{
    (void)state;
    struct p2e_buffer b = {0};
    p2e_buffer_add(&b, NULL, 0);
    assert_string_equal(b.data, "");
    assert_int_equal(b.size, 0);
    p2e_buffer_free(&b);
}

static void test_growth_keeps_the_content(void **state)
{
    (void)state;
    struct p2e_buffer b = {0};
    for (int i = 0; i < 100000; i++)
        p2e_buffer_printf(&b, "%d,", i % 10);
    assert_int_equal(b.size, 200000);
    for (size_t i = 0; i < 100000; i++)
        assert_true(b.data[2 * i] == (char)('0' + i % 10) && b.data[2 * i + 1] == ',');
    assert_int_equal(b.data[b.size], '\0');
    p2e_buffer_free(&b);
}

static void test_every_length_around_a_step_fits(void **state)
{
    (void)state;
    char text[600];
    for (size_t length = 250; length < sizeof(text); length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        struct p2e_buffer b = {0};
        p2e_buffer_printf(&b, "%s", text);
        assert_string_equal(b.data, text);
        p2e_buffer_free(&b);
    }
}

static void test_after_a_failure_appends_do_nothing(void **state)
{
    (void)state;
    struct p2e_buffer b = {0};
    p2e_buffer_puts(&b, "kept");
    p2e_buffer_add(&b, "x", SIZE_MAX - 2);
    assert_true(b.failed);
    p2e_buffer_puts(&b, "more");
    p2e_buffer_printf(&b, "more");
    assert_string_equal(b.data, "kept");
    p2e_buffer_free(&b);
    assert_false(b.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_add_up),
        cmocka_unit_test(test_adding_nothing_gives_an_empty_string),
        cmocka_unit_test(test_growth_keeps_the_content),
        cmocka_unit_test(test_every_length_around_a_step_fits),
        cmocka_unit_test(test_after_a_failure_appends_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
