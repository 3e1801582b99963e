// What is wrong in a config, and what is said about it.
#include "tests/config/fixture.h"

#include "bpf/abi.h"

// A filter that is right, on one line, with more keys in front of it.
#define REST      "schema = \"x.proto\"; message = \"demo.M\"; }"
#define FILTER(k) "{ name = \"a\"; transport = \"udp\"; port = 1; " k " " REST
#define UNIX(k)   "{ name = \"a\"; transport = \"unixgram\"; " k " " REST
#define UDP(n, k) "{ name = \"" n "\"; transport = \"udp\"; " k " " REST
#define ONE(f)    "filters = (\n" f "\n);\n"
#define TWO(f, g) "filters = (\n" f ",\n" g "\n);\n"
#define KEYS                                                                                       \
    "name, transport, port, address, path, schema, include, message, rules, annotations, "         \
    "max_depth, on_error, mode, program"
#define SYNTAX "; look at this line and the one before it for a missing ; , = \" or bracket"

struct refusal {
    const char *text, *sentence;
};

static const struct refusal refusals[] = {
    // The file
    {"", "p2e.conf:1: the config needs \"filters\", a list of them: filters = ( { name = \"…\"; … "
         "} );"},
    {"filter = ();",
     "p2e.conf:1: unknown key in the config, \"filter\"; did you mean \"filters\"?"},
    {"filters = ();\nhome = 1;", "p2e.conf:2: unknown key in the config, \"home\"; possible here: "
                                 "object_dir, pin_dir, defaults, "
                                 "filters"},
    {"filters = 1;", "p2e.conf:1: \"filters\" must be a list ( ) of groups { }, not a number"},
    {"filters = { };", "p2e.conf:1: \"filters\" must be a list ( ) of groups { }, not a group { }"},
    {"filters = [ 1 ];",
     "p2e.conf:1: \"filters\" must be a list ( ) of groups { }, not an array [ ]"},
    {ONE("\"a\""), "p2e.conf:2: item 1 of \"filters\" must be a group { }, not a string"},
    {ONE("( )"), "p2e.conf:2: item 1 of \"filters\" must be a group { }, not a list ( )"},
    {"filters = ();\nobject_dir = 1;", "p2e.conf:2: \"object_dir\" must be a string, not a number"},
    {"filters = ();\nobject_dir = \" \";", "p2e.conf:2: a string of \"object_dir\" is empty"},
    {"filters = ();\npin_dir = true;", "p2e.conf:2: \"pin_dir\" must be a string, not a boolean"},
    {"filters = ();\npin_dir = \"p2e\";",
     "p2e.conf:2: pin_dir \"p2e\" is not absolute; it is a folder in a BPF file system, like "
     "/sys/fs/bpf/p2e"},
    {"filters = ();\ndefaults = 1;", "p2e.conf:2: \"defaults\" must be a group { }, not a number"},
    {"filters = ();\ndefaults = {\n max_dept = 3; };",
     "p2e.conf:3: unknown key in \"defaults\", \"max_dept\"; did you mean \"max_depth\"?"},
    {"filters = ();\ndefaults = {\n schema = \"x\"; };",
     "p2e.conf:3: unknown key in \"defaults\", \"schema\"; possible here: include, annotations, "
     "max_depth, on_error, mode"},
    {"filters = ();\ndefaults = { mode = \"on\"; };",
     "p2e.conf:2: unknown mode \"on\"; possible here: enforce, monitor"},

    // Syntax
    {"filters = (", "p2e.conf:1: syntax error" SYNTAX},
    {"filters = (\n);\n}\n", "p2e.conf:3: syntax error" SYNTAX},
    {"filters = (\n);\nfilters = ();", "p2e.conf:3: duplicate setting name" SYNTAX},
    {ONE(FILTER("port = [ 1,\n\"2\" ];")), "p2e.conf:2: duplicate setting name" SYNTAX},
    {ONE("{ port = [ 1,\n\"2\" ]; }"), "p2e.conf:3: mismatched element type in array" SYNTAX},
    {"filters = ();\n\nname = \"abc\n\n",
     "p2e.conf:3: the string that begins here is never closed; add a \""},
    {"filters = ();\n/* a\n * b\n",
     "p2e.conf:2: the comment that begins here is never closed; add a */"},
    {"# \"\n// \"\n/* \" */ filters = ();\n\"x", // quotes in comments do not count
     "p2e.conf:4: the string that begins here is never closed; add a \""},
    {ONE(FILTER("rules = [ \"a\",\n \"b'\\x00'\" ];")),
     "p2e.conf:3: \\x00 would end the string here; a rule's text says it with two backslashes: "
     "\\\\x00"},

    {"filters = /;", "p2e.conf:1: syntax error" SYNTAX},
    {"filters = ();\ndefaults = { mode = \"monitor\"; };\n\n,", "p2e.conf:4: syntax error" SYNTAX},
    {ONE(FILTER("rules = [ \"'\\X00'\" ];")),
     "p2e.conf:2: \\x00 would end the string here; a rule's text says it with two backslashes: "
     "\\\\x00"},

    // name
    {ONE("{ }"), "p2e.conf:2: a filter needs \"name\", letters, digits, _ and - that name it in "
                 "commands and logs"},
    {ONE("{ name = 7; }"), "p2e.conf:2: \"name\" must be a string, not a number"},
    {ONE("{ name = \"\"; }"), "p2e.conf:2: a string of \"name\" is empty"},
    {ONE("{\nname = \"a b\"; }"),
     "p2e.conf:3: filter name \"a b\" cannot be used; a name is up to 63 "
     "letters, digits, _ and -"},
    {ONE("{ name = \"../x\"; }"),
     "p2e.conf:2: filter name \"../x\" cannot be used; a name is up to "
     "63 letters, digits, _ and -"},
    {ONE("{ name = \"1234567890123456789012345678901234567890123456789012345678901234\"; }"),
     "p2e.conf:2: filter name \"1234567890123456789012345678901234567890123456789012345678901234\" "
     "cannot be used; a name is up to 63 letters, digits, _ and -"},
    {TWO(UDP("a", "port = 1;"), UDP("a", "port = 2;")),
     "p2e.conf:3: two filters have the name \"a\"; the other is at p2e.conf:2"},

    // transport
    {ONE("{ name = \"a\"; }"),
     "p2e.conf:2: a filter needs \"transport\", which is udp, unixgram or unixseq"},
    {ONE("{ name = \"a\";\n transport = \"tcp\"; }"),
     "p2e.conf:3: transport \"tcp\" is not supported yet; udp, unixgram and unixseq are"},
    {ONE("{ name = \"a\"; transport = \"UDP\"; }"),
     "p2e.conf:2: unknown transport \"UDP\"; did you mean \"udp\"?"},
    {ONE("{ name = \"a\"; transport = \"sctp4\"; }"),
     "p2e.conf:2: unknown transport \"sctp4\"; possible here: udp, unixgram, unixseq"},
    {ONE("{ name = \"a\"; transport = 1.5; }"),
     "p2e.conf:2: \"transport\" must be a string, not a number with a fraction"},
    {ONE("{ name = \"a\"; transport = \"udp\"; " REST),
     "p2e.conf:2: a filter with transport \"udp\" needs \"port\""},
    {ONE("{ name = \"a\"; transport = \"unixseq\"; " REST),
     "p2e.conf:2: a filter with transport \"unixseq\" needs \"path\""},
    {ONE(FILTER("\npath = \"/run/x\";")),
     "p2e.conf:3: \"path\" does not go with transport \"udp\", which has \"port\" and \"address\""},
    {ONE(UNIX("path = \"/run/x\";\nport = 1;")),
     "p2e.conf:3: \"port\" does not go with transport \"unixgram\", which has \"path\""},
    {ONE(UNIX("path = \"/run/x\";\naddress = \"::1\";")),
     "p2e.conf:3: \"address\" does not go with transport \"unixgram\", which has \"path\""},

    // port
    {ONE(UDP("a", "port = 0;")),
     "p2e.conf:2: port 0 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = 65536;")),
     "p2e.conf:2: port 65536 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = -1;")),
     "p2e.conf:2: port -1 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port =\n 4294967297;")), // libconfig would say 1, as to the next two
     "p2e.conf:3: number 4294967297 is longer than any that could stand here"},
    {ONE(UDP("a", "port = 0x100000001;")),
     "p2e.conf:2: number 0x100000001 is longer than any that could stand here"},
    {ONE(UDP("a", "port = +4294967297;")),
     "p2e.conf:2: number +4294967297 is longer than any that could stand here"},
    {ONE(UDP("a", "port = 99999999999999999999L;")),
     "p2e.conf:2: number 99999999999999999999L is longer than any that could stand here"},
    {ONE(UDP("a", "port = 999999999;")),
     "p2e.conf:2: port 999999999 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = 0x10000;")),
     "p2e.conf:2: port 65536 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = 1.0;")),
     "p2e.conf:2: \"port\" must be a number, not a number with a fraction"},
    {ONE(UDP("a", "port = { };")), "p2e.conf:2: \"port\" must be a number, not a group { }"},
    {ONE(UDP("a", "port = ( 1,\ntrue );")),
     "p2e.conf:3: item 2 of \"port\" must be a number, not a boolean"},
    {ONE(UDP("a", "port = ( 1,\n[ 2 ] );")),
     "p2e.conf:3: item 2 of \"port\" must be a number, not an array [ ]"},
    {ONE(UDP("a", "port = ( );")), "p2e.conf:2: \"port\" is empty; give it at least one port"},
    {ONE(UDP("a", "port = [ ];")), "p2e.conf:2: \"port\" is empty; give it at least one port"},
    {ONE(UDP("a", "port = [ 1,\n 70000,\n 2 ];")),
     "p2e.conf:3: port 70000 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = ( \"1-2\",\n \"8010-8000\"\n);")),
     "p2e.conf:3: port range \"8010-8000\" runs backwards; write \"8000-8010\""},
    {ONE(UDP("a", "port = \"0-10\";")),
     "p2e.conf:2: port 0 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = \"1-0\";")),
     "p2e.conf:2: port 0 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = \"999999999\";")),
     "p2e.conf:2: port 999999999 is out of range; a port is a number from 1 to 65535"},
    {ONE(UDP("a", "port = \"1-65536\";")),
     "p2e.conf:2: port 65536 is out of range; a port is a number from 1 to 65535"},
#define NO_PORT(t)                                                                                 \
    {                                                                                              \
        ONE(UDP("a", "port = \"" t "\";")),                                                        \
            "p2e.conf:2: port \"" t                                                                \
            "\" is neither a number nor a range; write it like 8000 or \"8000-8010\""              \
    }
    NO_PORT(""),
    NO_PORT("dns"),
    NO_PORT("1-"),
    NO_PORT("-1"),
    NO_PORT("1-2-3"),
    NO_PORT("1 - 2"),
    NO_PORT("+1"),
    NO_PORT("1,2"),
    NO_PORT("0x10"),
    NO_PORT("18446744073709551617"),

    // address
    {ONE(FILTER("address = 1;")), "p2e.conf:2: \"address\" must be a string, not a number"},
#define NO_ADDRESS(t)                                                                              \
    {                                                                                              \
        ONE(FILTER("address = \"" t "\";")),                                                       \
            "p2e.conf:2: \"" t                                                                     \
            "\" is not an IPv4 or IPv6 address (names are not looked up); for every local "        \
            "address leave \"address\" out"                                                        \
    }
    NO_ADDRESS("localhost"),
    NO_ADDRESS("127.1"),
    NO_ADDRESS("256.0.0.1"),
    NO_ADDRESS("[::1]"),
    NO_ADDRESS("10.0.0.0/8"),
    NO_ADDRESS("fe80::1%lo"),
    NO_ADDRESS("127.0.0.1 "),

// path
#define NO_PATH(p)                                                                                 \
    {                                                                                              \
        ONE(UNIX("path = \"" p "\";")),                                                            \
            "p2e.conf:2: path \"" p "\" is not a socket's; it is absolute, like \"/run/x.sock\", " \
            "or \"@name\" for an abstract socket"                                                  \
    }
    NO_PATH("x.sock"),
    NO_PATH("./x.sock"),
    NO_PATH("/"),
    NO_PATH("/run/"),
    NO_PATH("@"),
    {ONE(UNIX(
         "path = \"/2345678901234567890123456789012345678901234567890123456789012345678901234567"
         "89012345678901234567890123456789\";")),
     "p2e.conf:2: path "
     "\"/23456789012345678901234567890123456789012345678901234567890123456789012345"
     "6789012345678901234567890123456789\" is 109 bytes long; a UNIX socket's can have 108"},

    // schema, include, message
    {ONE("{ name = \"a\"; transport = \"udp\"; port = 1; message = \"M\"; }"),
     "p2e.conf:2: a filter needs \"schema\", the .proto file or FileDescriptorSet that its "
     "messages "
     "are in"},
    {ONE("{ name = \"a\"; transport = \"udp\"; port = 1; schema = \"x\"; }"),
     "p2e.conf:2: a filter needs \"message\", the full name of the message type, like "
     "demo.SearchRequest"},
    {ONE("{ name = \"a\"; transport = \"udp\"; port = 1; schema = [ ]; }"),
     "p2e.conf:2: \"schema\" must be a string, not an array [ ]"},
    {ONE(FILTER("include = 1;")), "p2e.conf:2: \"include\" must be a string, not a number"},
    {ONE(FILTER("include = [ \"a\",\n\"\"\n];")), "p2e.conf:3: a string of \"include\" is empty"},
    {ONE(FILTER("include = ( \"a\",\n2\n);")),
     "p2e.conf:3: item 2 of \"include\" must be a string, not a number"},
#define NO_MESSAGE(m)                                                                              \
    {                                                                                              \
        ONE("{ name = \"a\"; transport = \"udp\"; port = 1; schema = \"x\"; message = \"" m        \
            "\"; }"),                                                                              \
            "p2e.conf:2: message \"" m "\" is not a message type's name; write its package "       \
            "before it, like \"demo.SearchRequest\""                                               \
    }
    NO_MESSAGE("."),
    NO_MESSAGE("a..b"),
    NO_MESSAGE("a."),
    NO_MESSAGE("..a"),
    NO_MESSAGE("a.1b"),
    NO_MESSAGE("a b"),
    NO_MESSAGE("a/b"),
    NO_MESSAGE("ä"),

    // rules
    {ONE(FILTER("rules = \"a\";")),
     "p2e.conf:2: \"rules\" must be a list ( ) of rules, not a string"},
    {ONE(FILTER("rules = { };")),
     "p2e.conf:2: \"rules\" must be a list ( ) of rules, not a group { }"},
    {ONE(FILTER("rules = ( \"a\",\n1 );")),
     "p2e.conf:3: item 2 of \"rules\" must be a CEL expression in "
     "a string, or a group { }, not a number"},
    {ONE(FILTER("rules = ( \"a\",\n\"\"\n);")), "p2e.conf:3: a string of \"rules\" is empty"},
    {ONE(FILTER("rules = ( \"a\",\n\" \\n\\t\"\n);")),
     "p2e.conf:3: a string of \"rules\" is empty"},
    {ONE(FILTER("rules = ( \"a\",\n{ id = \"b\"; }\n);")),
     "p2e.conf:3: a rule needs \"expression\", the condition in CEL that a message must meet to "
     "pass"},
    {ONE(FILTER("rules = ( { expression = \"\"; } );")),
     "p2e.conf:2: a string of \"expression\" is empty"},
    {ONE(FILTER("rules = ( { expression = true; } );")),
     "p2e.conf:2: \"expression\" must be a string, not a boolean"},
    {ONE(FILTER("rules = ( { expresion = \"a\"; } );")),
     "p2e.conf:2: unknown key in a rule, \"expresion\"; did you mean \"expression\"?"},
    {ONE(FILTER("rules = ( { expression = \"a\";\ncel = \"a\"; } );")),
     "p2e.conf:3: unknown key in a rule, \"cel\"; possible here: id, expression, message"},
    {ONE(FILTER("rules = ( { id = \"a b\"; expression = \"a\"; } );")),
     "p2e.conf:2: rule id \"a b\" cannot be used; an id is up to 127 letters, digits and . _ - / "
     ":"},
    {ONE(FILTER("rules = (\n{ id = \"x\"; expression = \"a\"; },\n\"b\",\n"
                "{ id = \"x\"; expression = \"c\"; }\n);")),
     "p2e.conf:5: two rules of this filter have the id \"x\"; the other is at p2e.conf:3"},
    {ONE(FILTER("rules = (\n{ id = \"rule2\"; expression = \"a\"; },\n\"b\"\n);")),
     "p2e.conf:4: two rules of this filter have the id \"rule2\"; the other is at p2e.conf:3"},

    // annotations, max_depth, on_error, mode, program, others
    {ONE(FILTER("max_depth = 0;")), "p2e.conf:2: \"max_depth\" must be from 1 to 100, not 0"},
    {ONE(FILTER("max_depth = 101;")), "p2e.conf:2: \"max_depth\" must be from 1 to 100, not 101"},
    {ONE(FILTER("max_depth = \"3\";")), "p2e.conf:2: \"max_depth\" must be a number, not a string"},
    {ONE(FILTER("annotations = \"off\";")),
     "p2e.conf:2: unknown annotations \"off\"; possible here: enforce, ignore"},
    {ONE(FILTER("on_error = \"close\";")),
     "p2e.conf:2: unknown on_error \"close\"; did you mean \"closed\"?"},
    {ONE(FILTER("on_error = true;")), "p2e.conf:2: \"on_error\" must be a string, not a boolean"},
    {ONE(FILTER("mode = \"off\";")),
     "p2e.conf:2: unknown mode \"off\"; possible here: enforce, monitor"},
    {ONE(FILTER("program = \"/usr/bin/x\";")),
     "p2e.conf:2: program \"/usr/bin/x\" has a / in it; it is the executable's name without its "
     "folder"},
    {ONE(FILTER("prot = 1;")),
     "p2e.conf:2: unknown key in a filter, \"prot\"; did you mean \"port\"?"},
    {ONE(FILTER("\n\nhost = 1;")),
     "p2e.conf:4: unknown key in a filter, \"host\"; possible here: " KEYS},
    {ONE(FILTER("Mode = \"enforce\";")),
     "p2e.conf:2: unknown key in a filter, \"Mode\"; did you mean \"mode\"?"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        put("p2e.conf", refusals[i].text);
        assert_refused("p2e.conf", refusals[i].sentence);
    }
}

// ---- Two filters, one socket --------------------------------------------------------------------

#define REMEDY                                                                                     \
    "; give one of them another \"port\" or \"address\", or each a \"program\" of its own"
#define A(k)      UDP("a", k)
#define B(k)      UDP("b", k)
#define UNIX_B(k) "{ name = \"b\"; transport = \"unixgram\"; " k " " REST

struct pair {
    const char *text;
    const char *port; // that both claim, NULL: no conflict
};

static const struct pair pairs[] = {
    {TWO(A("port = 1;"), B("port = 1;")), "1"},
    {TWO(A("port = 1;"), B("port = 2;")), NULL},
    {TWO(A("port = \"8000-8010\";"), B("port = \"8010-8020\";")), "8010"},
    {TWO(A("port = \"8000-8010\";"), B("port = \"8011-8021\";")), NULL},
    {TWO(A("port = [ 1, 5, 9 ];"), B("port = [ 2, 6, 9 ];")), "9"},
    // more specific beside general
    {TWO(A("port = \"8000-8010\";"), B("port = 8000;")), NULL},
    {TWO(A("port = [ 8000, 8001, 8001, 8000 ];"), B("port = \"8000-8001\";")), "8000"},
    {TWO(A("port = 1;"), B("port = 1; address = \"127.0.0.1\";")), NULL},
    // the same address in other words
    {TWO(A("port = 1; address = \"127.0.0.1\";"), B("port = 1; address = \"127.0.0.2\";")), NULL},
    {TWO(A("port = 1; address = \"127.0.0.1\";"), B("port = 1; address = \"::ffff:127.0.0.1\";")),
     "1"},
    {TWO(A("port = 1; address = \"::1\";"), B("port = 1; address = \"0:0::0:1\";")), "1"},
    {TWO(A("port = 1; address = \"0.0.0.0\";"), B("port = 1; address = \"::\";")), "1"},
    {TWO(A("port = 1; address = \"*\";"), B("port = 1;")), "1"},
    {TWO(A("port = 1; address = \"::ffff:0.0.0.0\";"), B("port = 1;")), "1"},
    // programs
    {TWO(A("port = 1; program = \"x\";"), B("port = 1; program = \"y\";")), NULL},
    {TWO(A("port = 1; program = \"x\";"), B("port = 1;")), NULL},
    {TWO(A("port = 1; program = \"x\";"), B("port = 1; program = \"x\";")), "1"},
};

static void test_two_filters_on_one_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        char sentence[512];
        put("p2e.conf", pairs[i].text);
        if (pairs[i].port) {
            snprintf(sentence, sizeof(sentence),
                     "p2e.conf:3: filter \"b\" and filter \"a\" (p2e.conf:2) claim one socket, udp "
                     "port %s" REMEDY,
                     pairs[i].port);
            assert_refused("p2e.conf", sentence);
            continue;
        }
        struct p2e_config config;
        load("p2e.conf", &config);
        assert_int_equal(config.filter_count, 2);
        p2e_config_free(&config);
    }
}

static void test_two_filters_on_one_path(void **state)
{
    (void)state;
    static const char *const apart[] = {
        TWO(UNIX("path = \"/run/x\";"), UNIX_B("path = \"/run/y\";")),
        TWO(UNIX("path = \"/run/x\";"), UNIX_B("path = \"@run/x\";")),
        TWO(UNIX("path = \"/run/x\"; program = \"p\";"), UNIX_B("path = \"/run/x\";")),
        TWO(UNIX("path = \"/run/x\";"),
            "{ name = \"b\"; transport = \"unixseq\"; path = \"/run/x\"; " REST),
        TWO(UNIX("path = \"@x\";"), UDP("b", "port = 1;")),
    };
    for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++) {
        struct p2e_config config;
        load_text(apart[i], &config);
        p2e_config_free(&config);
    }

    put("p2e.conf", TWO(UNIX("path = \"@x\";"), UNIX_B("path = \"@x\";")));
    assert_refused(
        "p2e.conf",
        "p2e.conf:3: filter \"b\" and filter \"a\" (p2e.conf:2) claim one socket, "
        "unixgram @x; give one of them another \"path\", or each a \"program\" of its own");

    // One folder, two names for it.
    char text[1024], here[256];
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(mkdir("run", 0755), 0);
    assert_int_equal(symlink("run", "var"), 0);
    snprintf(text, sizeof(text), TWO(UNIX("path = \"%s/run/x\";"), UNIX_B("path = \"%s/var/x\";")),
             here, here);
    put("p2e.conf", text);
    struct p2e_config config;
    struct p2e_error err;
    assert_int_equal(p2e_config_load("p2e.conf", &config, &err), -1);
    assert_non_null(strstr(err.text, "claim one socket, unixgram"));
}

// ---- Files --------------------------------------------------------------------------------------

static void test_no_such_file(void **state)
{
    (void)state;
    assert_refused(
        "none.conf",
        "there is no config file none.conf; p2e reads the file that the environment "
        "variable P2E_CONFIG names, or else /etc/p2e/p2e.conf: write it, or set P2E_CONFIG "
        "to where it is");
}

static void test_a_directory(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_refused("d", "the config file d is a directory; P2E_CONFIG has to name the file, like "
                        "d/p2e.conf");
}

static void test_no_permission(void **state)
{
    (void)state;
    put("p2e.conf", "filters = ();");
    assert_int_equal(chmod("p2e.conf", 0), 0);
    bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(chmod(".", 0755), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    struct p2e_config config;
    struct p2e_error err = {0};
    int result = p2e_config_load("p2e.conf", &config, &err);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(result, -1);
    assert_string_equal(
        err.text, "the config file p2e.conf cannot be read: Permission denied; the user that "
                  "the program runs as needs read permission on it and on the folders above it");
}

static void test_files_that_are_no_text(void **state)
{
    (void)state;
    static const char bytes[] = "filters\n= (\0);";
    put_bytes("p2e.conf", bytes, sizeof(bytes) - 1);
    assert_refused("p2e.conf", "p2e.conf:2: a NUL byte stands here; the config must be text");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_refused("fifo",
                   "the config file: cannot read fifo: it is not a regular file, and a file is "
                   "needed");
}

static void test_a_file_without_end(void **state)
{
    (void)state;
    put("p2e.conf", "");
    assert_int_equal(truncate("p2e.conf", (4 << 20) + 1), 0);
    assert_refused("p2e.conf",
                   "the config file: cannot read p2e.conf: it is longer than 4194304 bytes");
}

// ---- @include -----------------------------------------------------------------------------------

static void test_includes(void **state)
{
    static const struct {
        const char *text, *included, *sentence;
    } cases[] = {
        {"\n@include \"none\"", "", "p2e.conf:2: cannot read none: No such file or directory"},
        {"\n@include \".\"", "",
         "p2e.conf:2: cannot read .: it is a directory, and a file is needed"},
        {"\n@include \"fifo\"", "",
         "p2e.conf:2: cannot read fifo: it is not a regular file, and a file is needed"},
        {"@include \"x\\y\"", "",
         "p2e.conf:1: a file name after @include cannot have a backslash in it"},
        {"\n@include \"x\n\"", "", "p2e.conf:2: the name after @include is never closed; add a \""},
        {"\n@include \"x", "", "p2e.conf:2: the name after @include is never closed; add a \""},
        {"x = 1; @include \"i\"", "", "p2e.conf:1: syntax error" SYNTAX},
        {"@include\"i\"", "filters = ();", "p2e.conf:1: syntax error" SYNTAX},
        {"@include i", "filters = ();", "p2e.conf:1: syntax error" SYNTAX},
        {"@include \"i\"", "\n\nx = ;", "i:3: syntax error" SYNTAX},
        {"filters = ();\n@include \"i\"\n\n\nhome = 1;", "object_dir = \"o\";",
         "p2e.conf:5: unknown key in the config, \"home\"; possible here: object_dir, pin_dir, "
         "defaults, filters"},
        {"filters = ();\n@include \"i\" home = 1;", "# no newline",
         "p2e.conf:2: unknown key in the config, \"home\"; possible here: object_dir, pin_dir, "
         "defaults, filters"},
        {"filters = (\n@include \"i\"\n);", "\n" FILTER("mod = 1;"),
         "i:2: unknown key in a filter, \"mod\"; did you mean \"mode\"?"},
        {"filters = (\n@include \"i\"\n);", "\"never closed",
         "i:1: the string that begins here is never closed; add a \""},
        {"filters = (\n@include \"i\"\n" UDP("b", "port = 1;") ");", "\n" FILTER("") ",",
         "p2e.conf:3: filter \"b\" and filter \"a\" (i:2) claim one socket, udp port 1" REMEDY},
        {"@include \"i\"\n", "\n@include \"i\"\n",
         "i:2: @include nests deeper than 10 files; does \"i\" include itself?"},
    };
    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        put("p2e.conf", cases[i].text);
        put("i", cases[i].included);
        assert_refused("p2e.conf", cases[i].sentence);
    }
}

static void test_includes_that_multiply(void **state)
{
    (void)state;
    put("p2e.conf", "@include \"i1\"\n");
    for (int level = 1; level < 10; level++) {
        char name[16], text[64 * 32] = "", line[32];
        snprintf(name, sizeof(name), "i%d", level);
        snprintf(line, sizeof(line), "@include \"i%d\"\n", level + 1);
        for (int i = 0; i < 60; i++)
            strcat(text, line);
        put(name, level < 9 ? text : "#\n");
    }
    struct p2e_config config;
    struct p2e_error err;
    assert_int_equal(p2e_config_load("p2e.conf", &config, &err), -1);
    assert_string_equal(err.text, "i8:16: there are more than 999 @include in all");
}

static void test_includes_that_add_up(void **state)
{
    (void)state;
    char *blanks = malloc(3 << 20);
    assert_non_null(blanks);
    memset(blanks, ' ', 3 << 20);
    put_bytes("i", blanks, 3 << 20);
    free(blanks);
    put("p2e.conf", "@include \"i\"\n@include \"i\"\nfilters = ();");
    assert_refused("p2e.conf",
                   "i:1: the config with all that it includes is longer than 4194304 bytes");
}

// ---- Too many -----------------------------------------------------------------------------------

static void put_many(const char *begin, const char *item, int count, const char *end)
{
    FILE *file = fopen("p2e.conf", "w");
    assert_non_null(file);
    fputs(begin, file);
    for (int i = 0; i < count; i++) {
        fputs(i ? ",\n" : "", file);
        fprintf(file, item, i + 1);
    }
    fputs(end, file);
    assert_int_equal(fclose(file), 0);
}

static void test_too_many_rules(void **state)
{
    (void)state;
    struct p2e_config config;
    put_many("filters = ( { rules = (", "\"a == %d\"", P2E_MAX_RULES,
             "); name = \"a\"; transport = \"udp\"; port = 1; " REST ");");
    load("p2e.conf", &config);
    assert_int_equal(config.filters->rule_count, P2E_MAX_RULES);
    p2e_config_free(&config);
    put_many("filters = (\n{ rules = (", "\"a == %d\"", P2E_MAX_RULES + 1,
             "); name = \"a\"; transport = \"udp\"; port = 1; " REST ");");
    assert_refused("p2e.conf", "p2e.conf:2: \"rules\" holds 1025 rules; a filter can have 1024");
}

static void test_too_many_filters(void **state)
{
    (void)state;
    struct p2e_config config;
    const char *item = "{ name = \"f%1$d\"; transport = \"udp\"; port = %1$d; " REST;
    put_many("filters = (", item, P2E_MAX_FILTERS, ");");
    load("p2e.conf", &config);
    assert_int_equal(config.filter_count, P2E_MAX_FILTERS);
    p2e_config_free(&config);
    put_many("filters = (", item, P2E_MAX_FILTERS + 1, ");");
    assert_refused("p2e.conf", "p2e.conf:1: \"filters\" holds 1025 filters; there can be 1024");
}

static void test_deep_nesting(void **state)
{
    (void)state;
    struct p2e_config config;
    struct p2e_error err;
    char *text = malloc(1 << 20);
    assert_non_null(text);
    memset(text, '(', 1 << 20);
    memcpy(text, "filters = ", 10);
    put_bytes("p2e.conf", text, 1 << 20);
    free(text);
    assert_int_equal(p2e_config_load("p2e.conf", &config, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_refusals),
        IN_FOLDER(test_two_filters_on_one_port),
        IN_FOLDER(test_two_filters_on_one_path),
        IN_FOLDER(test_no_such_file),
        IN_FOLDER(test_a_directory),
        IN_FOLDER(test_no_permission),
        IN_FOLDER(test_files_that_are_no_text),
        IN_FOLDER(test_a_file_without_end),
        IN_FOLDER(test_includes),
        IN_FOLDER(test_includes_that_multiply),
        IN_FOLDER(test_includes_that_add_up),
        IN_FOLDER(test_too_many_rules),
        IN_FOLDER(test_too_many_filters),
        IN_FOLDER(test_deep_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
