// Which filter is for which socket.
#include "tests/config/fixture.h"

#include <arpa/inet.h>
#include <errno.h>

#define REST          "schema = \"x.proto\"; message = \"demo.M\"; }"
#define UDP(n, k)     "{ name = \"" n "\"; transport = \"udp\"; " k " " REST
#define UNIX(n, t, p) "{ name = \"" n "\"; transport = \"" t "\"; path = \"" p "\"; " REST
#define AMBIGUOUS     "!"

// ---- UDP ----------------------------------------------------------------------------------------

static socklen_t make_inet(const char *host, unsigned port, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    assert_int_equal(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

// The name of the filter that matched, NULL for none, AMBIGUOUS.
static const char *match(const struct p2e_config *config, enum p2e_transport transport,
                         const void *address, socklen_t length, const char *program)
{
    // A copy of exactly this length, so that a read beyond it is seen.
    _Alignas(struct sockaddr_storage) struct sockaddr *exact = malloc(length);
    assert_non_null(exact);
    memcpy(exact, address, length);
    const struct p2e_filter *filter = (void *)1;
    struct p2e_error err;
    errno = 4711;
    int found = p2e_config_match(config, transport, exact, length, program, &filter, &err);
    assert_int_equal(errno, 4711);
    free(exact);
    assert_int_equal(found == 1, filter != NULL);
    return found < 0 ? AMBIGUOUS : filter ? filter->name : NULL;
}

static void assert_match(const char *got, const char *wanted, const char *what)
{
    if (got ? !wanted || strcmp(got, wanted) : wanted != NULL)
        fail_msg("%s: %s instead of %s", what, got ? got : "none", wanted ? wanted : "none");
}

struct udp_case {
    const char *filters, *host;
    unsigned port;
    const char *program, *wanted;
};

#define GENERAL UDP("general", "port = 53;")
#define V4      UDP("v4", "port = 53; address = \"10.0.0.1\";")
#define V4_TOO  UDP("v4too", "port = 53; address = \"10.0.0.2\";")
#define V6      UDP("v6", "port = 53; address = \"fd00::1\";")
#define WIDE    UDP("wide", "port = \"50-60\";")
#define MAPPED  UDP("mapped", "port = 53; address = \"::ffff:10.0.0.1\";")
#define NAMED   UDP("named", "port = 53; program = \"unbound\";")

static const struct udp_case udp_cases[] = {
    {"", "10.0.0.1", 53, "x", NULL},
    // no address: every local one
    {GENERAL, "10.0.0.1", 53, "x", "general"},
    {GENERAL, "0.0.0.0", 53, "x", "general"},
    {GENERAL, "fd00::1", 53, "x", "general"},
    {GENERAL, "::", 53, "x", "general"},
    {GENERAL, "224.0.0.251", 53, "x", "general"},
    {GENERAL, "10.0.0.1", 54, "x", NULL},
    {GENERAL, "10.0.0.1", 0, "x", NULL},
    // port sets
    {WIDE, "10.0.0.1", 49, "x", NULL},
    {WIDE, "10.0.0.1", 50, "x", "wide"},
    {WIDE, "10.0.0.1", 60, "x", "wide"},
    {WIDE, "10.0.0.1", 61, "x", NULL},
    {UDP("set", "port = [ 1, 53, 65535 ];"), "::1", 53, "x", "set"},
    {UDP("set", "port = [ 1, 53, 65535 ];"), "::1", 65535, "x", "set"},
    {UDP("set", "port = [ 1, 53, 65535 ];"), "::1", 52, "x", NULL},
    // an address: v4 and v4-mapped are one
    {V4, "10.0.0.1", 53, "x", "v4"},
    {V4, "::ffff:10.0.0.1", 53, "x", "v4"},
    {MAPPED, "10.0.0.1", 53, "x", "mapped"},
    {MAPPED, "::ffff:10.0.0.1", 53, "x", "mapped"},
    {V4, "10.0.0.2", 53, "x", NULL},
    {V4, "::10.0.0.1", 53, "x", NULL},
    {V6, "fd00::1", 53, "x", "v6"},
    {V6, "fd00::2", 53, "x", NULL},
    {V6, "10.0.0.1", 53, "x", NULL},
    // an address, and a socket that has them all
    {V4, "0.0.0.0", 53, "x", "v4"},
    {V4, "::ffff:0.0.0.0", 53, "x", "v4"},
    {V4, "::", 53, "x", "v4"},
    {V6, "::", 53, "x", "v6"},
    {V6, "0.0.0.0", 53, "x", NULL},
    {V6, "::ffff:0.0.0.0", 53, "x", NULL},
    {V4, "0.0.0.0", 54, "x", NULL},
    // which is the general one's, if there is one
    {GENERAL "," V4, "0.0.0.0", 53, "x", "general"},
    {V4 "," GENERAL, "::", 53, "x", "general"},
    {V4 "," WIDE, "0.0.0.0", 53, "x", "wide"},
    {V4 "," UDP("other", "port = 54;"), "0.0.0.0", 53, "x", "v4"},
    // and nobody's when several addresses claim it
    {V4 "," V4_TOO, "0.0.0.0", 53, "x", AMBIGUOUS},
    {V4 "," V4_TOO, "::", 53, "x", AMBIGUOUS},
    {V4 "," V6, "::", 53, "x", AMBIGUOUS},
    {V4 "," V6, "0.0.0.0", 53, "x", "v4"},
    {V4 "," UDP("b", "port = \"50-60\"; address = \"10.0.0.2\";"), "0.0.0.0", 53, "x", AMBIGUOUS},
    {V4 "," UDP("b", "port = \"50-60\"; address = \"10.0.0.1\";"), "0.0.0.0", 53, "x", "v4"},
    {V4 "," V4_TOO "," WIDE, "0.0.0.0", 53, "x", "wide"},
    {V4 "," UDP("b", "port = 53; address = \"10.0.0.2\"; program = \"y\";"), "::", 53, "x", "v4"},
    {V4 "," UDP("b", "port = 53; address = \"10.0.0.2\"; program = \"y\";"), "::", 53, "y",
     AMBIGUOUS},
    {V4 "," V4_TOO, "10.0.0.1", 53, "x", "v4"},
    {V4 "," V4_TOO, "10.0.0.2", 53, "x", "v4too"},
    {V4 "," V4_TOO, "10.0.0.3", 53, "x", NULL},
    // the most specific: an address before ports before a program, in any order in the file
    {GENERAL "," V4, "10.0.0.1", 53, "x", "v4"},
    {V4 "," GENERAL, "10.0.0.1", 53, "x", "v4"},
    {V4 "," GENERAL, "10.0.0.2", 53, "x", "general"},
    {GENERAL "," WIDE, "10.0.0.1", 53, "x", "general"},
    {WIDE "," GENERAL, "10.0.0.1", 53, "x", "general"},
    {WIDE "," GENERAL, "10.0.0.1", 54, "x", "wide"},
    {GENERAL "," UDP("b", "port = \"50-60\"; address = \"10.0.0.1\";"), "10.0.0.1", 53, "x", "b"},
    {UDP("b", "port = \"50-60\"; program = \"unbound\";") "," GENERAL, "::", 53, "unbound",
     "general"},
    {NAMED "," GENERAL, "10.0.0.1", 53, "unbound", "named"},
    {GENERAL "," NAMED, "10.0.0.1", 53, "unbound", "named"},
    {GENERAL "," NAMED, "10.0.0.1", 53, "x", "general"},
    {NAMED, "10.0.0.1", 53, "x", NULL},
    {NAMED, "10.0.0.1", 53, "unbound2", NULL},
    {NAMED, "10.0.0.1", 53, NULL, "named"}, // programs ignored
};

static void test_udp(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(udp_cases) / sizeof(*udp_cases); i++) {
        const struct udp_case *c = &udp_cases[i];
        char text[2048], what[2560];
        snprintf(text, sizeof(text), "filters = ( %s );", c->filters);
        snprintf(what, sizeof(what), "%s %u %s in %s", c->host, c->port, c->program, text);
        struct p2e_config config;
        struct sockaddr_storage address;
        load_text(text, &config);
        socklen_t length = make_inet(c->host, c->port, &address);
        assert_match(match(&config, P2E_UDP, &address, length, c->program), c->wanted, what);
        assert_match(match(&config, P2E_UNIXGRAM, &address, length, c->program), NULL, what);
        p2e_config_free(&config);
    }
}

static void test_what_is_said_when_nobody_can_judge(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("filters = (\n" V4 ",\n" V4_TOO ");", &config);
    struct sockaddr_storage address;
    socklen_t length = make_inet("0.0.0.0", 53, &address);
    const struct p2e_filter *filter;
    struct p2e_error err;
    assert_int_equal(
        p2e_config_match(&config, P2E_UDP, (struct sockaddr *)&address, length, "x", &filter, &err),
        -1);
    assert_null(filter);
    assert_string_equal(
        err.text, "a socket on every address, port 53, gets what filter \"v4\" (p2e.conf:2) and "
                  "filter \"v4too\" (p2e.conf:3) are for, and one filter must judge it all; add "
                  "a filter without \"address\" for this port");
    p2e_config_free(&config);
}

// The kernel is to choose the port.
#define ANY(n, k) UDP(n, "port = \"1-65535\"; " k)
#define ANY_OPEN  "on_error = \"open\";"

static void test_what_may_be_closed(void **state)
{
    (void)state;
    static const struct {
        const char *filters, *host;
        bool may;
    } cases[] = {
        {"", "0.0.0.0", false},
        {ANY("a", ""), "10.0.0.1", true},
        {ANY("a", ANY_OPEN), "10.0.0.1", false},
        {ANY("a", "address = \"10.0.0.1\";"), "10.0.0.1", true},
        {ANY("a", "address = \"10.0.0.1\";"), "10.0.0.2", false},
        {ANY("a", "address = \"10.0.0.1\";"), "0.0.0.0", true},
        {ANY("a", "program = \"x\";"), "10.0.0.1", true},
        {ANY("a", "program = \"y\";"), "10.0.0.1", false},
        // one that is for each address, and one that is for this one
        {ANY("a", ANY_OPEN) "," ANY("b", "address = \"10.0.0.1\";" ANY_OPEN), "0.0.0.0", false},
        // neither can judge for both
        {ANY("a", "address = \"10.0.0.2\";" ANY_OPEN) "," ANY("b",
                                                              "address = \"10.0.0.1\";" ANY_OPEN),
         "0.0.0.0", true},
        {ANY("a", "address = \"10.0.0.2\";" ANY_OPEN) "," ANY("b",
                                                              "address = \"10.0.0.1\";" ANY_OPEN),
         "10.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "filters = ( %s );", cases[i].filters);
        struct p2e_config config;
        struct sockaddr_storage address;
        load_text(text, &config);
        socklen_t length = make_inet(cases[i].host, 0, &address);
        bool may = p2e_config_may_close(&config, P2E_UDP, (struct sockaddr *)&address, length, "x");
        if (may != cases[i].may)
            fail_msg("%s in %s", cases[i].host, text);
        p2e_config_free(&config);
    }
}

// What the kernel's bind takes for an address is one here too, and what it refuses is none.
static void test_odd_udp_addresses(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text("filters = ( " V4 "," V6 " );", &config);
    struct sockaddr_storage address;

    socklen_t length = make_inet("10.0.0.1", 53, &address);
    assert_match(match(&config, P2E_UDP, &address, sizeof(address), "x"), "v4", "long");
    assert_match(match(&config, P2E_UDP, &address, length - 1, "x"), NULL, "too short");
    assert_match(match(&config, P2E_UDP, &address, 1, "x"), NULL, "no family");
    assert_match(match(&config, P2E_UDP, &address, 0, "x"), NULL, "nothing");
    length = make_inet("0.0.0.0", 53, &address);
    address.ss_family = AF_UNSPEC;
    assert_match(match(&config, P2E_UDP, &address, length, "x"), "v4", "AF_UNSPEC");
    address.ss_family = AF_NETLINK;
    assert_match(match(&config, P2E_UDP, &address, length, "x"), NULL, "another family");

    length = make_inet("fd00::1", 53, &address);
    ((struct sockaddr_in6 *)&address)->sin6_scope_id = 7;
    ((struct sockaddr_in6 *)&address)->sin6_flowinfo = 7;
    assert_match(match(&config, P2E_UDP, &address, length, "x"), "v6", "scope");
    assert_match(match(&config, P2E_UDP, &address, 24, "x"), "v6", "without scope");
    assert_match(match(&config, P2E_UDP, &address, 23, "x"), NULL, "too short");

    const struct p2e_filter *filter;
    assert_int_equal(p2e_config_match(&config, P2E_UDP, NULL, 0, "x", &filter, NULL), 0);
    assert_int_equal(p2e_config_match(&config, P2E_UDP, NULL, 16, "x", &filter, NULL), 0);
    p2e_config_free(&config);

    // What is cut off would have been 0.
    load_text("filters = ( " UDP("zero", "port = 53; address = \"fd00::100\";") " );", &config);
    make_inet("fd00::100", 53, &address);
    assert_match(match(&config, P2E_UDP, &address, 24, "x"), "zero", "whole");
    assert_match(match(&config, P2E_UDP, &address, 23, "x"), NULL, "too short");
    p2e_config_free(&config);
}

// ---- UNIX ---------------------------------------------------------------------------------------

static const char *match_unix(const struct p2e_config *config, enum p2e_transport transport,
                              const char *path, size_t size)
{
    struct {
        sa_family_t family;
        char path[200];
    } address = {.family = AF_UNIX};
    memcpy(address.path, path, size);
    return match(config, transport, &address, (socklen_t)(sizeof(sa_family_t) + size), "x");
}

static void test_unix(void **state)
{
    static const struct {
        const char *name;
        size_t size;
        const char *wanted;
    } cases[] = {
        {"/run/p2e-a", 10, "path"}, // with and without the NUL, and with what comes after it
        {"/run/p2e-a", 11, "path"},
        {"/run/p2e-a\0junk", 15, "path"},
        {"/run/p2e-ab", 11, NULL},
        {"/run/p2e-a", 9, NULL},
        {"", 0, NULL},   // unnamed: a socketpair's, and autobind's before it has a name
        {"\0", 1, NULL}, // an empty abstract name
        {"\0\0\0", 3, NULL},
        {"\0name", 5, "abstract"},
        {"\0name\0\0\0", 8, "abstract"}, // the struct's whole length
        {"\0nam", 4, NULL},
        {"\0names", 6, NULL},
        {"\0name\0x", 7, NULL},
        {"\0\0name", 6, NULL},
        {"\0\060000a", 6, NULL}, // what autobind gives
        {"@name", 5, NULL},      // a file of that name, not an abstract socket
        {"name", 4, NULL},
        {"\0/run/p2e-a", 11, NULL},
    };
    (void)state;
    struct p2e_config config;
    load_text("filters = ( " UNIX("path", "unixgram", "/run/p2e-a") ", " UNIX(
                  "abstract", "unixgram", "@name") ", " UNIX("seq", "unixseq", "@seq") " );",
              &config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char what[16];
        snprintf(what, sizeof(what), "case %zu", i);
        assert_match(match_unix(&config, P2E_UNIXGRAM, cases[i].name, cases[i].size),
                     cases[i].wanted, what);
        assert_match(match_unix(&config, P2E_UNIXSEQ, cases[i].name, cases[i].size), NULL, what);
    }
    assert_match(match_unix(&config, P2E_UNIXSEQ, "\0seq", 4), "seq", "unixseq");
    assert_match(match_unix(&config, P2E_UNIXGRAM, "\0seq", 4), NULL, "unixgram");
    assert_match(match_unix(&config, P2E_UDP, "/run/p2e-a", 10), NULL, "udp");
    p2e_config_free(&config);
}

static void test_names_that_fill_sun_path(void **state)
{
    (void)state;
    char path[110] = "/", name[110] = "", text[1024];
    memset(path + 1, 'p', 107);
    memset(name + 1, 'n', 107);
    snprintf(text, sizeof(text),
             "filters = ( " UNIX("p", "unixgram", "%s") ", " UNIX("n", "unixgram", "@%s") " );",
             path, name + 1);
    struct p2e_config config;
    load_text(text, &config);
    assert_match(match_unix(&config, P2E_UNIXGRAM, path, 108), "p", "without a NUL");
    assert_match(match_unix(&config, P2E_UNIXGRAM, path, 109), "p", "as getsockname says it");
    assert_match(match_unix(&config, P2E_UNIXGRAM, path, 110), NULL, "too long");
    assert_match(match_unix(&config, P2E_UNIXGRAM, path, 107), NULL, "one less");
    assert_match(match_unix(&config, P2E_UNIXGRAM, name, 108), "n", "abstract");
    assert_match(match_unix(&config, P2E_UNIXGRAM, name, 107), NULL, "abstract, one less");
    p2e_config_free(&config);
}

// A path is a name in a folder, however the folder is said.
static void test_paths_in_other_words(void **state)
{
    (void)state;
    char here[128], text[1024], said[256];
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(mkdir("run", 0755), 0);
    assert_int_equal(mkdir("other", 0755), 0);
    assert_int_equal(symlink("run", "var"), 0);
    snprintf(
        text, sizeof(text),
        "filters = ( " UNIX("a", "unixgram", "%s/run/s") ", " UNIX("at", "unixgram", "%s/@s") " );",
        here, here);
    struct p2e_config config;
    load_text(text, &config);

    const struct {
        const char *format, *wanted;
    } cases[] = {
        {"%s/run/s", "a"},    {"%s/var/s", "a"},  {"%s//run/./s", "a"},
        {"%s/other/s", NULL}, {"%s/run/t", NULL}, {"%s/none/s", NULL},
        {"%.0srun/s", "a"},   {"%.0svar/s", "a"}, {"%.0s./other/../run/s", "a"},
        {"%.0ss", NULL},      {"%.0s@s", "at"},   {"%s/run/../run/s", "a"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(said, sizeof(said), cases[i].format, here);
#pragma GCC diagnostic pop
        assert_match(match_unix(&config, P2E_UNIXGRAM, said, strlen(said)), cases[i].wanted, said);
    }
    assert_int_equal(chdir("run"), 0);
    assert_match(match_unix(&config, P2E_UNIXGRAM, "s", 1), "a", "relative");
    assert_int_equal(chdir(".."), 0);
    p2e_config_free(&config);
}

static void test_unix_programs(void **state)
{
    (void)state;
    struct p2e_config config;
    load_text(
        "filters = ( " UNIX("any", "unixseq", "@s") ", { name = \"y\"; transport = \"unixseq\"; "
                                                    "path = \"@s\"; program = \"y\"; " REST " );",
        &config);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0s"};
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 2;
    assert_match(match(&config, P2E_UNIXSEQ, &address, length, "x"), "any", "x");
    assert_match(match(&config, P2E_UNIXSEQ, &address, length, "y"), "y", "y");
    p2e_config_free(&config);
}

// What real sockets say of themselves.
static void test_real_sockets(void **state)
{
    (void)state;
    char here[128], text[1024];
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(text, sizeof(text),
             "filters = ( " UNIX("path", "unixgram", "%s/s") ", " UNIX("abstract", "unixgram",
                                                                       "@p2e-test-%d") " );",
             here, (int)getpid());
    struct p2e_config config;
    load_text(text, &config);
    struct sockaddr_un path = {.sun_family = AF_UNIX}, name = {.sun_family = AF_UNIX}, got;
    snprintf(path.sun_path, sizeof(path.sun_path), "%.100s/s", here);
    int name_size =
        snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "p2e-test-%d", (int)getpid());
    const struct {
        struct sockaddr_un *address;
        socklen_t length;
        const char *wanted;
    } cases[] = {
        {NULL, 0, NULL},
        {&name, sizeof(sa_family_t), NULL}, // autobind
        {&path, sizeof(path), "path"},
        {&name, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)name_size), "abstract"},
        {&name, sizeof(name), "abstract"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (cases[i].address)
            assert_int_equal(bind(fd, (struct sockaddr *)cases[i].address, cases[i].length), 0);
        socklen_t length = sizeof(got);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&got, &length), 0);
        assert_match(match(&config, P2E_UNIXGRAM, &got, length, "x"), cases[i].wanted,
                     "getsockname");
        close(fd);
    }
    p2e_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_udp),
        IN_FOLDER(test_what_is_said_when_nobody_can_judge),
        IN_FOLDER(test_what_may_be_closed),
        IN_FOLDER(test_odd_udp_addresses),
        IN_FOLDER(test_unix),
        IN_FOLDER(test_names_that_fill_sun_path),
        IN_FOLDER(test_paths_in_other_words),
        IN_FOLDER(test_unix_programs),
        IN_FOLDER(test_real_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
