// What a filter cannot judge, though CEL and the annotations say it: elements are looked at as they
// pass, and what is remembered is bounded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "compiler/plan.h"
#include "compiler/validate.h"

static struct p2e_schema plain, annotated;

static int load(const char *path, struct p2e_schema *schema)
{
    static char *const includes[] = {"tests/data"};
    struct p2e_error err;
    if (p2e_schema_load(path, includes, 1, schema, &err) == 0)
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int set_up(void **state)
{
    (void)state;
    return load("tests/data/cel/rules.proto", &plain) |
           load("tests/bpf/annotations.proto", &annotated);
}

static int tear_down(void **state)
{
    (void)state;
    p2e_schema_free(&plain);
    p2e_schema_free(&annotated);
    return 0;
}

// The error of a plan with one rule, and what the schema's annotations say; "" for none.
static void plan(const struct p2e_schema *schema, const char *type, const char *expression,
                 unsigned max_depth, struct p2e_error *err)
{
    const struct p2e_message *message = p2e_schema_message(schema, type);
    struct p2e_plan_rule rule = {.id = "r", .expression = expression};
    struct p2e_rules rules;
    struct p2e_plan made;
    err->text[0] = '\0';
    assert_true(p2e_rules_init(&rules, false, err) == 0);
    if (p2e_cel_compile(expression, message, schema, &rule.cel, err) < 0)
        fail_msg("%s", err->text);
    assert_true(p2e_rules_add(&rules, rules.root, &rule, err) == 0);
    assert_true(p2e_validate_rules(message, schema, &rules, err) == 0);
    if (p2e_plan_make(message, schema, &rules, max_depth, &made, err) == 0)
        p2e_plan_free(&made);
}

#define PASS                                                                                       \
    "rule \"r\": a condition on the elements of a list can look at the element alone: elements "   \
    "are judged as they pass, before the other fields are known\n"
#define LOOK_UP                                                                                    \
    "rule \"r\": only a constant can be looked up in a repeated field: its elements are judged "   \
    "as they pass, before the other fields are known\n"
#define UNIQUE "rule \"r\": unique() is for lists of scalars, out of the message\n"

static void test_refusals(void **state)
{
    static const struct {
        const char *expression, *error;
    } rows[] = {
        // the element, and no other field
        {"numbers.all(n, n > 0)", ""},
        {"numbers.all(n, n > i32)", PASS "    numbers.all(n, n > i32)\n                       ^~~"},
        {"numbers.all(n, tags.all(t, t == 'x'))",
         PASS "    numbers.all(n, tags.all(t, t == 'x'))\n                   ^~~~"},
        {"numbers.all(n, size(tags) > 0)",
         PASS "    numbers.all(n, size(tags) > 0)\n                        ^~~~"},
        {"numbers.all(n, tags.unique())",
         PASS "    numbers.all(n, tags.unique())\n                   ^~~~"},
        {"numbers.all(n, tags[0] == 'x')",
         PASS "    numbers.all(n, tags[0] == 'x')\n                   ^~~~"},
        {"numbers.all(n, 'x' in counts)",
         PASS "    numbers.all(n, 'x' in counts)\n                          ^~~~~~"},
        {"numbers.all(n, has(item.name))",
         PASS "    numbers.all(n, has(item.name))\n                       ^~~~"},
        {"numbers.all(n, item.next.name == 'x')",
         PASS "    numbers.all(n, item.next.name == 'x')\n                   ^~~~"},
        {"counts.all(k, v, v == i32)",
         PASS "    counts.all(k, v, v == i32)\n                          ^~~"},
        {"counts.all(k, by_id.all(i, counts[k] > 0))",
         PASS "    counts.all(k, by_id.all(i, counts[k] > 0))\n                  ^~~~~"},
        {"counts.all(k, counts['a'] > 0)",
         PASS "    counts.all(k, counts['a'] > 0)\n                  ^~~~~~"},
        {"[1].all(n, n == i32)", ""},
        // constants alone
        {"1 in numbers", ""},
        {"i32 in numbers", LOOK_UP "    i32 in numbers\n    ^~~"},
        {"query in counts", LOOK_UP "    query in counts\n    ^~~~~"},
        // lists in brackets are written out
        {"[i32] == [1]", ""},
        {"size([i32]) == 1", ""},
        {"[i32, 2].exists(n, n == 2)", ""},
        {"!(i32 in [])", ""},
        {"query.contains(tags[0])", "rule \"r\": contains() needs a constant here: a search for a "
                                    "value out of the same message "
                                    "has no bound that a kernel accepts\n"
                                    "    query.contains(tags[0])\n                   ^~~~~~~"},
        // scalars
        {"numbers.unique()", ""},
        {"items.unique()", UNIQUE "    items.unique()\n    ^~~~~"},
    };
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_error err;
        plan(&plain, "demo.v1.Rules", rows[i].expression, 32, &err);
        if (strcmp(err.text, rows[i].error) == 0)
            continue;
        print_error("> %s\nexpected:\n%s\ngot:\n%s\n\n", rows[i].expression, rows[i].error,
                    err.text);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

// Eight results go with each key: seven macros and the annotations of the entries, or eight.
static void test_room_of_keys(void **state)
{
    static const struct {
        const struct p2e_schema *schema;
        const char *type, *map;
        int most;
    } rows[] = {
        {&plain, "demo.v1.Rules", "counts", 8},
        {&annotated, "annotations.Maps", "lenient", 7},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int count = rows[i].most; count <= rows[i].most + 1; count++) {
            _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
            struct p2e_error err;
            // What is no result of an entry takes no room.
            p2e_buffer_printf(&text, "size(%s) > 3", rows[i].map);
            for (int k = 0; k < count; k++)
                p2e_buffer_printf(&text, " || %s.exists(k, v, v == %d)", rows[i].map, k);
            plan(rows[i].schema, rows[i].type, text.data, 32, &err);
            assert_int_equal(strstr(err.text, "more is asked of the entries of this map") != NULL,
                             count > rows[i].most);
        }
    }
}

// A message that holds its own kind is judged when it ends: then its fields are gone.
static void test_cyclic(void **state)
{
    static const struct {
        const char *expression;
        bool refused;
    } rows[] = {
        {"v > 5", false},
        {"has(left)", false},
        {"size(kids) > 0", false},
        {"left.v > 5", true},
        {"has(left.left)", true},
        {"kids.all(k, k.v > 5)", false},
        {"named.all(k, t, t.v > 5)", true},
        {"kids.all(k, k.left.v > 5)", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_error err;
        plan(&annotated, "annotations.Tree", rows[i].expression, 32, &err);
        if ((strstr(err.text, "the fields of this message are not at hand here") != NULL) !=
                rows[i].refused ||
            (err.text[0] && !rows[i].refused))
            fail_msg("%s: %s", rows[i].expression, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_room_of_keys),
        cmocka_unit_test(test_cyclic),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
