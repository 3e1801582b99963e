// The sample config is right, and shows every key. Tests run from the top of the tree.
#include "tests/config/fixture.h"

#include "base/file.h"

static const char *const keys[] = {
    "object_dir", "pin_dir", "defaults", "filters", "name",       "transport",  "port",
    "address",    "path",    "schema",   "include", "message",    "rules",      "max_depth",
    "on_error",   "mode",    "program",  "id",      "expression", "annotations"};

static void read_text(const char *path, struct p2e_buffer *text)
{
    struct p2e_error err;
    if (p2e_file_read(path, 1 << 20, text, &err) < 0)
        fail_msg("%s", err.text);
}

static void test_the_sample_loads(void **state)
{
    (void)state;
    struct p2e_config config;
    load("config/p2e.conf.sample", &config);
    assert_true(config.filter_count > 0);
    p2e_config_free(&config);
}

static void test_the_sample_shows_every_key(void **state)
{
    (void)state;
    struct p2e_buffer text = {0};
    read_text("config/p2e.conf.sample", &text);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char setting[32];
        snprintf(setting, sizeof(setting), "%s =", keys[i]);
        if (!strstr(text.data, setting))
            fail_msg("the sample has no \"%s\"", setting);
    }
    p2e_buffer_free(&text);
}

static void test_the_reference_has_every_key(void **state)
{
    (void)state;
    struct p2e_buffer text = {0};
    read_text("docs/config.md", &text);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char row[32];
        snprintf(row, sizeof(row), "| `%s` |", keys[i]);
        if (!strstr(text.data, row))
            fail_msg("docs/config.md has no row \"%s\"", row);
    }
    p2e_buffer_free(&text);
}

// Each ```conf example of the reference is a config that loads.
static void test_the_examples_of_the_reference_load(void **state)
{
    (void)state;
    static const char fence[] = "```conf\n";
    struct p2e_buffer text = {0};
    read_text("docs/config.md", &text);
    int examples = 0;
    for (char *at = text.data; (at = strstr(at, fence)); examples++) {
        at += sizeof(fence) - 1;
        char *end = strstr(at, "```");
        assert_non_null(end);
        char path[] = "/tmp/p2e-test-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, at, (size_t)(end - at)), end - at);
        close(fd);
        struct p2e_config config;
        struct p2e_error err;
        int result = p2e_config_load(path, &config, &err);
        unlink(path);
        if (result < 0)
            fail_msg("%s", err.text);
        p2e_config_free(&config);
        at = end + 3;
    }
    assert_true(examples > 0);
    p2e_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sample_loads),
        cmocka_unit_test(test_the_sample_shows_every_key),
        cmocka_unit_test(test_the_reference_has_every_key),
        cmocka_unit_test(test_the_examples_of_the_reference_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
