// What a config that is right becomes.
#include "tests/config/fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <locale.h>

#define REST   "schema = \"x.proto\"; message = \"demo.M\"; }"
#define UDP(k) "{ name = \"a\"; transport = \"udp\"; " k " " REST
#define ONE(f) "filters = (\n" f "\n);\n"

static const char *in_folder(const char *name)
{
    static char path[512];
    assert_non_null(getcwd(path, 256));
    strcat(path, "/");
    return strcat(path, name);
}

static void test_every_key(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("object_dir = \"objects\";\n"
              "pin_dir = \"/sys/fs/bpf/mine\";\n"
              "filters = (\n"
              "  {\n"
              "    name = \"Search_1-x\";\n"
              "    transport = \"udp\";\n"
              "    port = 8000;\n"
              "    address = \"10.1.2.3\";\n"
              "    schema = \"proto/search.proto\";\n"
              "    include = [ \"inc\", \"/usr/include\" ];\n"
              "    message = \".demo.SearchRequest\";\n"
              "    rules = (\n"
              "      \"this.query != ''\",\n"
              "      { id = \"pages.few\"; expression = \"page < 9\"; message = \"too many\"; },\n"
              "      { expression = \"page > 0\"; }\n"
              "    );\n"
              "    max_depth = 100;\n"
              "    on_error = \"open\";\n"
              "    mode = \"monitor\";\n"
              "    program = \"server\";\n"
              "  },\n"
              "  { name = \"u\"; transport = \"unixseq\"; path = \"@x y\"; " REST "\n"
              ");\n",
              &config);
    assert_string_equal(config.path, "p2e.conf");
    assert_string_equal(config.object_dir, in_folder("objects"));
    assert_string_equal(config.pin_dir, "/sys/fs/bpf/mine");
    assert_int_equal(config.filter_count, 2);

    const struct p2e_filter *f = p2e_config_filter(&config, "Search_1-x");
    assert_ptr_equal(f, &config.filters[0]);
    assert_int_equal(f->transport, P2E_UDP);
    assert_int_equal(f->port_count, 1);
    assert_int_equal(f->ports[0].first, 8000);
    assert_int_equal(f->ports[0].last, 8000);
    assert_true(f->has_address);
    char address[INET6_ADDRSTRLEN];
    assert_string_equal(inet_ntop(AF_INET6, &f->address, address, sizeof(address)),
                        "::ffff:10.1.2.3");
    assert_null(f->path);
    assert_string_equal(f->schema, in_folder("proto/search.proto"));
    assert_int_equal(f->include_count, 2);
    assert_string_equal(f->includes[0], in_folder("inc"));
    assert_string_equal(f->includes[1], "/usr/include");
    assert_string_equal(f->message, "demo.SearchRequest");
    assert_int_equal(f->max_depth, 100);
    assert_int_equal(f->on_error, P2E_OPEN);
    assert_int_equal(f->mode, P2E_MONITOR);
    assert_string_equal(f->program, "server");
    assert_string_equal(f->file, "p2e.conf");
    assert_int_equal(f->line, 4);

    assert_int_equal(f->rule_count, 3);
    static const struct p2e_rule rules[] = {
        {"rule1", "this.query != ''", "", "p2e.conf", 13},
        {"pages.few", "page < 9", "too many", "p2e.conf", 14},
        {"rule3", "page > 0", "", "p2e.conf", 15},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(f->rules[i].id, rules[i].id);
        assert_string_equal(f->rules[i].expression, rules[i].expression);
        assert_string_equal(f->rules[i].message, rules[i].message);
        assert_string_equal(f->rules[i].file, rules[i].file);
        assert_int_equal(f->rules[i].line, rules[i].line);
    }

    f = p2e_config_filter(&config, "u");
    assert_int_equal(f->transport, P2E_UNIXSEQ);
    assert_string_equal(f->path, "@x y");
    assert_int_equal(f->line, 22);
    assert_null(p2e_config_filter(&config, "none"));
    p2e_config_free(&config);
}

static void test_what_is_not_said(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text(ONE(UDP("port = 1;")), &config);
    assert_string_equal(config.object_dir, "/var/lib/p2e");
    assert_string_equal(config.pin_dir, "/sys/fs/bpf/p2e");
    const struct p2e_filter *f = &config.filters[0];
    assert_false(f->has_address);
    assert_int_equal(f->include_count, 0);
    assert_int_equal(f->rule_count, 0);
    assert_int_equal(f->max_depth, 32);
    assert_int_equal(f->on_error, P2E_CLOSED);
    assert_int_equal(f->mode, P2E_ENFORCE);
    assert_null(f->program);
    p2e_config_free(&config);

    load_text("filters = ();", &config);
    assert_int_equal(config.filter_count, 0);
    p2e_config_free(&config);
}

// Wherever the group stands in the file; a filter's own key replaces the default.
static void test_defaults(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("filters = (\n"
              "{ name = \"a\"; transport = \"udp\"; port = 1; " REST ",\n"
              "{ name = \"b\"; transport = \"udp\"; port = 2; include = \"own\"; max_depth = 5;\n"
              "  on_error = \"closed\"; mode = \"enforce\"; " REST ",\n"
              "{ name = \"c\"; transport = \"udp\"; port = 3; include = []; " REST ");\n"
              "defaults = { include = [ \"x\", \"y\" ]; max_depth = 7; on_error = \"open\";\n"
              "  mode = \"monitor\"; };",
              &config);
    const struct p2e_filter *a = &config.filters[0], *b = &config.filters[1];
    assert_int_equal(a->include_count, 2);
    assert_string_equal(a->includes[1], in_folder("y"));
    assert_int_equal(a->max_depth, 7);
    assert_int_equal(a->on_error, P2E_OPEN);
    assert_int_equal(a->mode, P2E_MONITOR);
    assert_int_equal(b->include_count, 1);
    assert_string_equal(b->includes[0], in_folder("own"));
    assert_int_equal(b->max_depth, 5);
    assert_int_equal(b->on_error, P2E_CLOSED);
    assert_int_equal(b->mode, P2E_ENFORCE);
    assert_int_equal(config.filters[2].include_count, 0);
    p2e_config_free(&config);
}

static void test_ports(void **state)
{
    static const struct {
        const char *text, *ranges;
    } cases[] = {
        {"port = 1;", "1-1 "},
        {"port = 0x1F90;", "8080-8080 "},
        {"port = 65535;", "65535-65535 "},
        {"port = \"8000\";", "8000-8000 "},
        {"port = \"8000-8010\";", "8000-8010 "},
        {"port = \"1-65535\";", "1-65535 "},
        {"port = \"00080-00090\";", "80-90 "},
        {"port = [ 3, 1, 5 ];", "1-1 3-3 5-5 "},
        {"port = ( 9, \"3-5\", 7 );", "3-5 7-7 9-9 "},
        // put together: doubles, overlaps, neighbours, one within another
        {"port = [ 2, 1, 2 ];", "1-2 "},
        {"port = ( \"1-10\", \"5-20\", 21, \"30-40\", \"31-32\" );", "1-21 30-40 "},
        {"port = ( \"65534-65535\", \"1-65533\" );", "1-65535 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[512], ranges[256] = "";
        struct p2e_config config;
        snprintf(text, sizeof(text), ONE(UDP("%s")), cases[i].text);
        load_text(text, &config);
        const struct p2e_filter *f = &config.filters[0];
        for (size_t j = 0; j < f->port_count; j++)
            sprintf(ranges + strlen(ranges), "%d-%d ", f->ports[j].first, f->ports[j].last);
        assert_string_equal(ranges, cases[i].ranges);
        p2e_config_free(&config);
    }
}

static void test_any_address(void **state)
{
    static const char *const any[] = {"0.0.0.0", "::", "*", "::ffff:0.0.0.0", "0:0::0"};
    (void)state;
    for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++) {
        char text[512];
        struct p2e_config config;
        snprintf(text, sizeof(text), ONE(UDP("port = 1; address = \"%s\";")), any[i]);
        load_text(text, &config);
        assert_false(config.filters[0].has_address);
        p2e_config_free(&config);
    }
}

// The largest and smallest that are allowed.
static void test_limits(void **state)
{
    (void)state;
    char name[P2E_NAME_MAX + 1], id[128], text[1024];
    memset(name, 'n', sizeof(name) - 1);
    memset(id, 'i', sizeof(id) - 1);
    name[sizeof(name) - 1] = id[sizeof(id) - 1] = '\0';
    snprintf(text, sizeof(text),
             "filters = ( { name = \"%s\"; transport = \"udp\"; port = 1; max_depth = 1; "
             "rules = ( { id = \"%s\"; expression = \"a\"; } ); " REST " );",
             name, id);
    struct p2e_config config;
    load_text(text, &config);
    assert_string_equal(config.filters[0].name, name);
    assert_string_equal(config.filters[0].rules[0].id, id);
    assert_int_equal(config.filters[0].max_depth, 1);
    p2e_config_free(&config);
}

static void test_escapes(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text(ONE(UDP("port = 1; rules = [ \"\\x41\\x30\\x40\\x0a|\\\\x00|\\d00|\\t\" ];")),
              &config);
    assert_string_equal(config.filters[0].rules[0].expression, "A0@\n|\\x00|\\d00|\t");
    p2e_config_free(&config);
}

static void test_longest_path(void **state)
{
    (void)state;
    char path[109], text[512];
    memset(path, 'x', 108);
    path[0] = '/';
    path[108] = '\0';
    snprintf(text, sizeof(text),
             ONE("{ name = \"a\"; transport = \"unixgram\"; path = \"%s\"; " REST), path);
    struct p2e_config config;
    load_text(text, &config);
    assert_string_equal(config.filters[0].path, path);
    p2e_config_free(&config);
}

// A rule's line is where its text begins, whatever stands around it.
static void test_lines_of_rules(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("filters = ( {\n"
              "name = \"a\"; transport = \"udp\"; port = 1;\n"
              "rules = (\n"
              "  \"r4\",\n"
              "  \"r5\" // , \"not this\n"
              "\n"
              "  ,\n"
              "  # a comment\n"
              "  /* and\n"
              "     one more */ \"r10\"\n"
              "  \" and\n"
              "  more\", { expression = \"r12\"; }, \"r12 too\",\n"
              "  { id = \"x\";\n"
              "    expression =\n"
              "      \"r14\"; },\n"
              "  \"'\\\\\\\\' == \\\"/* # // \\\"\"\n"
              ");\n" REST " );",
              &config);
    static const struct {
        const char *expression;
        unsigned line;
    } rules[] = {
        {"r4", 4},       {"r5", 5},   {"r10 and\n  more", 10},        {"r12", 12},
        {"r12 too", 12}, {"r14", 14}, {"'\\\\' == \"/* # // \"", 16},
    };
    const struct p2e_filter *f = &config.filters[0];
    assert_int_equal(f->rule_count, sizeof(rules) / sizeof(*rules));
    for (size_t i = 0; i < f->rule_count; i++) {
        assert_string_equal(f->rules[i].expression, rules[i].expression);
        assert_int_equal(f->rules[i].line, rules[i].line);
    }
    p2e_config_free(&config);
}

static void test_line_ends_of_other_systems(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("# a comment\r\nfilters = (\r\n" UDP(
                  "port = 1;\r\n rules = [ \"a\",\r\n\"b\" ];") "\r\n);"
                                                                "\r\n# the end",
              &config);
    assert_int_equal(config.filters[0].line, 3);
    assert_int_equal(config.filters[0].rules[1].line, 5);
    p2e_config_free(&config);
}

// In comments and strings, and after something else on the line, @include is text.
static void test_what_is_no_include(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("/* @include \"none\"\n"
              "@include \"none\" */ # @include \"none\"\n" ONE(UDP("port = 1; rules = [ \"\n"
                                                                   "@include \\\"none\\\"\n"
                                                                   "\" ];")),
              &config);
    assert_string_equal(config.filters[0].rules[0].expression, "\n@include \"none\"\n");
    p2e_config_free(&config);
}

static void test_includes(void **state)
{
    (void)state;
    assert_int_equal(mkdir("etc", 0755), 0);
    assert_int_equal(mkdir("etc/d", 0755), 0);
    struct p2e_config config;
    char top[1024];
    snprintf(top, sizeof(top),
             "@include \"%s\"\n"
             "filters = (\n"
             " \t @include \"d/one.conf\"\n"
             ",\n"
             "@include\t\"d/two.conf\" , { name = \"c\"; transport = \"udp\"; port = 3; " REST
             " );",
             in_folder("etc/d/top.conf"));
    put("etc/p2e.conf", top);
    put("etc/d/top.conf", "object_dir = \"o\";");
    put("etc/d/one.conf", "\n{ name = \"a\"; transport = \"udp\"; port = 1;\n"
                          "@include \"d/rules.conf\"\n" REST);
    put("etc/d/two.conf", "{ name = \"b\"; transport = \"udp\"; port = 2; " REST " // end");
    put("etc/d/rules.conf", "rules = (\n\"r\"\n);");
    load("etc/p2e.conf", &config);
    assert_int_equal(config.filter_count, 3);
    assert_string_equal(config.object_dir, in_folder("etc/o"));
    const struct p2e_filter *a = &config.filters[0];
    assert_string_equal(a->name, "a");
    assert_string_equal(a->file, "etc/d/one.conf");
    assert_int_equal(a->line, 2);
    assert_string_equal(a->schema, in_folder("etc/x.proto")); // by the folder of the file on top
    assert_string_equal(a->rules[0].file, "etc/d/rules.conf");
    assert_int_equal(a->rules[0].line, 2);
    assert_string_equal(config.filters[1].file, "etc/d/two.conf");
    assert_string_equal(config.filters[2].file, "etc/p2e.conf");
    assert_int_equal(config.filters[2].line, 5);
    p2e_config_free(&config);
}

static void test_a_config_by_its_absolute_name(void **state)
{
    (void)state;
    struct p2e_config config;
    put("p2e.conf", ONE(UDP("port = 1;")));
    char path[512];
    strcpy(path, in_folder("p2e.conf"));
    assert_int_equal(chdir("/"), 0);
    load(path, &config);
    assert_int_equal(strncmp(config.filters[0].schema, path, strlen(path) - strlen("p2e.conf")), 0);
    p2e_config_free(&config);
}

// ---- What is around -----------------------------------------------------------------------------

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(setenv("P2E_CONFIG", "/x/y.conf", 1), 0);
    assert_string_equal(p2e_config_find(), "/x/y.conf");
    assert_int_equal(setenv("P2E_CONFIG", "", 1), 0);
    assert_string_equal(p2e_config_find(), "/etc/p2e/p2e.conf");
    assert_int_equal(unsetenv("P2E_CONFIG"), 0);
    assert_string_equal(p2e_config_find(), "/etc/p2e/p2e.conf");
}

static void test_transport_names(void **state)
{
    (void)state;
    assert_string_equal(p2e_transport_name(P2E_UDP), "udp");
    assert_string_equal(p2e_transport_name(P2E_UNIXGRAM), "unixgram");
    assert_string_equal(p2e_transport_name(P2E_UNIXSEQ), "unixseq");
}

// A server's thread keeps the locale that it chose.
static void test_the_locale_of_the_thread_stays(void **state)
{
    (void)state;
    locale_t chosen = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    assert_non_null(chosen);
    locale_t before = uselocale(chosen);
    struct p2e_config config;
    struct p2e_error err;
    load_text("filters = ();", &config);
    p2e_config_free(&config);
    assert_ptr_equal(uselocale((locale_t)0), chosen);
    put("p2e.conf", "filters = (");
    assert_int_equal(p2e_config_load("p2e.conf", &config, &err), -1);
    assert_ptr_equal(uselocale((locale_t)0), chosen);
    uselocale(before);
    freelocale(chosen);
}

static void test_no_output(void **state)
{
    (void)state;
    static const char *const texts[] = {"filters = (", "@include \".\"", "@include \"a\\b\"",
                                        "filters = ();"};
    int out = dup(1), err = dup(2), file = open("output", O_RDWR | O_CREAT, 0600);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct p2e_config config;
        put("p2e.conf", texts[i]);
        if (p2e_config_load("p2e.conf", &config, NULL) == 0)
            p2e_config_free(&config);
    }
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    struct stat st;
    assert_int_equal(fstat(file, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(out);
    close(err);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_every_key),
        IN_FOLDER(test_what_is_not_said),
        IN_FOLDER(test_defaults),
        IN_FOLDER(test_ports),
        IN_FOLDER(test_any_address),
        IN_FOLDER(test_limits),
        IN_FOLDER(test_escapes),
        IN_FOLDER(test_longest_path),
        IN_FOLDER(test_lines_of_rules),
        IN_FOLDER(test_line_ends_of_other_systems),
        IN_FOLDER(test_what_is_no_include),
        IN_FOLDER(test_includes),
        IN_FOLDER(test_a_config_by_its_absolute_name),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_transport_names),
        IN_FOLDER(test_the_locale_of_the_thread_stays),
        IN_FOLDER(test_no_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
