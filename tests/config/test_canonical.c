// What makes two filters one program.
#include "tests/config/fixture.h"

#define REST   "schema = \"x.proto\"; message = \"demo.M\"; }"
#define ONE(k) "filters = ( { name = \"a\"; transport = \"udp\"; port = 1; " k " " REST " );"

static char *canonical_of(const char *text)
{
    struct p2e_config config;
    load_text(text, &config);
    char *canonical = p2e_filter_canonical(&config.filters[0]);
    assert_non_null(canonical);
    p2e_config_free(&config);
    return canonical;
}

static void test_text(void **state)
{
    (void)state;
    char *text = canonical_of(ONE("max_depth = 9; rules = ( \"a\\nb\", { id = \"x\"; expression = "
                                  "\"ä\"; message = \"no\"; } );"));
    assert_string_equal(text, "message 6 demo.M\n"
                              "max_depth 9\n"
                              "rules 2\n"
                              "id 5 rule1\n"
                              "expression 3 a\nb\n"
                              "message 0 \n"
                              "id 1 x\n"
                              "expression 2 ä\n"
                              "message 2 no\n");
    free(text);
}

static void test_what_makes_the_same_program(void **state)
{
    static const char *const texts[] = {
        ONE("rules = [ \"a\" ];"),
        "defaults = { max_depth = 32; };" ONE("rules = ( \"a\" );"),
        ONE("rules = ( { id = \"rule1\"; expression = \"a\"; } );"),
        ONE("rules = ( \"a\" ); mode = \"monitor\"; on_error = \"open\"; program = \"p\"; "
            "address = \"::1\"; include = \"i\"; # comment\n"),
        "filters = ( { name = \"b\"; transport = \"udp\"; port = 77; rules = [ \"a\" ]; "
        "schema = \"y.proto\"; message = \".demo.M\"; } );",
    };
    (void)state;
    char *first = canonical_of(texts[0]);
    for (size_t i = 1; i < sizeof(texts) / sizeof(*texts); i++) {
        char *other = canonical_of(texts[i]);
        assert_string_equal(first, other);
        free(other);
    }
    free(first);
}

static void test_what_makes_another_program(void **state)
{
    static const char *const texts[] = {
        ONE(""),
        ONE("rules = ( \"a\" );"),
        ONE("rules = ( \"b\" );"),
        ONE("rules = ( \"a \" );"),
        ONE("rules = ( \"a\", \"b\" );"),
        ONE("rules = ( \"b\", \"a\" );"),
        ONE("rules = ( \"a\", \"a\" );"),
        ONE("rules = ( { id = \"x\"; expression = \"a\"; } );"),
        ONE("rules = ( { message = \"x\"; expression = \"a\"; } );"),
        ONE("rules = ( \"a\" ); max_depth = 31;"),
        "filters = ( { name = \"a\"; transport = \"udp\"; port = 1; rules = ( \"a\" ); "
        "schema = \"x.proto\"; message = \"demo.N\"; } );",
        "filters = ( { name = \"a\"; transport = \"unixseq\"; path = \"@x\"; rules = ( \"a\" ); "
        "schema = \"x.proto\"; message = \"demo.M\"; } );",
        // items that read like other items
        ONE("rules = ( \"a\nmessage 0 \nid 5 rule2\nexpression 1 b\" );"),
        ONE("rules = ( { expression = \"a\"; message = \"\nid 5 rule2\nexpression 1 b\nmessage 0 "
            "\"; "
            "} );"),
    };
    enum { COUNT = sizeof(texts) / sizeof(*texts) };
    (void)state;
    char *canonical[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        canonical[i] = canonical_of(texts[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(canonical[i], canonical[j]);
    }
    for (size_t i = 0; i < COUNT; i++)
        free(canonical[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_text),
        IN_FOLDER(test_what_makes_the_same_program),
        IN_FOLDER(test_what_makes_another_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
