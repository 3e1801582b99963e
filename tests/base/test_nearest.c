#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *const names[] = {"query", "page_number", "result_per_page", "max_depth", "id"};

static const char *nearest(const char *word)
{
    return p2e_nearest(word, names, sizeof(names) / sizeof(*names), sizeof(*names));
}

static void test_what_was_meant(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"qeury", "query"},                    // swapped
        {"quer", "query"},                     // left out
        {"queery", "query"},                   // added
        {"quary", "query"},                    // another letter
        {"QUERY", "query"},                    // case
        {"page-number", "page_number"},        //
        {"pagenumbre", "page_number"},         // two at once
        {"resultsperpage", "result_per_page"}, //
        {"ie", "id"},                          // half of a short word
        {"query", "query"},                    // the name itself
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(nearest(cases[i][0]), cases[i][1]);
}

static void test_what_nobody_meant(void **state)
{
    (void)state;
    static const char *const words[] = {
        "", "x", "z", "quiz", "depth", "hostname", "nothing_like_it"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        assert_null(nearest(words[i]));
    assert_null(p2e_nearest("query", NULL, 0, sizeof(*names)));
}

static void test_the_nearest_of_several(void **state)
{
    (void)state;
    static const char *const similar[] = {"status_code", "status_codes", "statuscode"};
    assert_string_equal(p2e_nearest("status_codess", similar, 3, sizeof(*similar)), "status_codes");
    assert_string_equal(p2e_nearest("statuscod", similar, 3, sizeof(*similar)), "statuscode");
}

static void test_items_may_be_structs(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int other[3];
    } items[] = {{"first", {1, 2, 3}}, {"second", {4, 5, 6}}};
    assert_string_equal(p2e_nearest("secnod", items, 2, sizeof(*items)), "second");
}

static void test_lengths_are_bounded(void **state)
{
    (void)state;
    char word[257];
    memset(word, 'a', 256);
    word[256] = '\0';
    const char *candidates[] = {word};
    assert_null(p2e_nearest("aaaa", candidates, 1, sizeof(*candidates)));
    assert_null(p2e_nearest(word, candidates, 1, sizeof(*candidates)));
    word[255] = '\0';
    assert_ptr_equal(p2e_nearest(word, candidates, 1, sizeof(*candidates)), word);
    assert_ptr_equal(p2e_nearest(word + 80, candidates, 1, sizeof(*candidates)), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_meant),         cmocka_unit_test(test_what_nobody_meant),
        cmocka_unit_test(test_the_nearest_of_several), cmocka_unit_test(test_items_may_be_structs),
        cmocka_unit_test(test_lengths_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
