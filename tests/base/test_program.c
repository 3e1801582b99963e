#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/program.h"

static void expect(const char *link, const char *name)
{
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", link);
    assert_string_equal(p2e_program_name(copy), name);
}

static void test_names(void **state)
{
    (void)state;
    expect("/usr/sbin/srv", "srv");
    expect("/srv", "srv");
    expect("", "");
}

static void test_a_replaced_executable_keeps_its_name(void **state)
{
    (void)state;
    expect("/usr/sbin/srv (deleted)", "srv");
    expect("/srv (deleted)/other", "other");
    expect(" (deleted)", " (deleted)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_replaced_executable_keeps_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
