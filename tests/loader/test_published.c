// The published table as bytes: what goes in comes out, and nothing else does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "bpf/abi.h"
#include "loader/published.h"

#define WHERE "the table"

static struct p2e_port_range some_ports[] = {{1, 1}, {8000, 8010}, {65535, 65535}};
static struct p2e_port_range one_port[] = {{53, 53}};
static struct p2e_filter some_filters[] = {
    {.name = "search", .transport = P2E_UDP, .ports = some_ports, .port_count = 3},
    {.name = "v4",
     .transport = P2E_UDP,
     .ports = one_port,
     .port_count = 1,
     .has_address = true,
     .address = {.s6_addr = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}},
     .mode = P2E_MONITOR,
     .program = "named"},
    {.name = "v6",
     .transport = P2E_UDP,
     .ports = one_port,
     .port_count = 1,
     .has_address = true,
     .address = {.s6_addr = {0xfe, 0x80, [15] = 9}},
     .on_error = P2E_OPEN},
    {.name = "events", .transport = P2E_UNIXGRAM, .path = "/run/events.sock"},
    {.name = "control", .transport = P2E_UNIXSEQ, .path = "@control", .program = "python3"},
};
static const struct p2e_config some_config = {.filters = some_filters, .filter_count = 5};

static struct p2e_buffer encode(const struct p2e_config *config)
{
    struct p2e_buffer bytes = {0};
    struct p2e_error err;
    assert_int_equal(p2e_published_encode(config, &bytes, &err), 0);
    return bytes;
}

// ---- Round trip ---------------------------------------------------------------------------------
static void assert_same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same_filter(const struct p2e_filter *a, const struct p2e_filter *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->transport, b->transport);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->on_error, b->on_error);
    assert_int_equal(a->has_address, b->has_address);
    assert_memory_equal(&a->address, &b->address, sizeof(a->address));
    assert_int_equal(a->port_count, b->port_count);
    if (a->port_count)
        assert_memory_equal(a->ports, b->ports, a->port_count * sizeof(*a->ports));
    assert_same_text(a->path, b->path);
    assert_same_text(a->program, b->program);
}

static void test_round_trip(void **state)
{
    struct p2e_buffer bytes = encode(&some_config);
    struct p2e_config config;
    struct p2e_error err;
    (void)state;
    assert_int_equal(p2e_published_parse(bytes.data, bytes.size, WHERE, &config, &err), 0);
    assert_true(config.published);
    assert_string_equal(config.path, WHERE);
    assert_int_equal(config.filter_count, some_config.filter_count);
    for (size_t i = 0; i < config.filter_count; i++) {
        assert_same_filter(&some_filters[i], &config.filters[i]);
        assert_int_equal(config.filters[i].line, i + 1);
        assert_null(config.filters[i].rules);
    }
    p2e_config_free(&config);
    p2e_buffer_free(&bytes);
}

static void test_no_filters(void **state)
{
    struct p2e_buffer bytes = encode(&(struct p2e_config){0});
    struct p2e_config config;
    (void)state;
    assert_int_equal(p2e_published_parse(bytes.data, bytes.size, WHERE, &config, NULL), 0);
    assert_int_equal(config.filter_count, 0);
    p2e_config_free(&config);
    p2e_buffer_free(&bytes);
}

static void test_too_large(void **state)
{
    static struct p2e_port_range ports[32768];
    struct p2e_filter filters[9] = {0};
    struct p2e_buffer bytes = {0};
    struct p2e_error err;
    (void)state;
    for (size_t i = 0; i < 32768; i++)
        ports[i] = (struct p2e_port_range){(uint16_t)(2 * i + 1), (uint16_t)(2 * i + 1)};
    for (size_t i = 0; i < 9; i++)
        filters[i] = (struct p2e_filter){.name = "many", .ports = ports, .port_count = 32768};
    assert_int_equal(p2e_published_encode(
                         &(struct p2e_config){.filters = filters, .filter_count = 9}, &bytes, &err),
                     -1);
    assert_non_null(strstr(err.text, "can be published; use fewer"));
    p2e_buffer_free(&bytes);
}

// ---- Tampering ----------------------------------------------------------------------------------
static void seal(struct p2e_buffer *bytes)
{
    struct p2e_published header;
    memcpy(&header, bytes->data, sizeof(header));
    header.checksum = 0;
    memcpy(bytes->data, &header, sizeof(header));
    header.checksum = p2e_crc32(bytes->data, bytes->size);
    memcpy(bytes->data, &header, sizeof(header));
}

static void assert_refused(const struct p2e_buffer *bytes, const char *said)
{
    struct p2e_config config;
    struct p2e_error err;
    assert_int_equal(p2e_published_parse(bytes->data, bytes->size, WHERE, &config, &err), -1);
    if (!strstr(err.text, said))
        fail_msg("\"%s\" does not say \"%s\"", err.text, said);
    assert_null(config.filters);
}

static void test_every_truncation(void **state)
{
    struct p2e_buffer bytes = encode(&some_config);
    struct p2e_config config;
    (void)state;
    for (size_t size = 0; size < bytes.size; size++) {
        // A block of its own, so that a sanitizer sees what lies behind it read.
        char *cut = malloc(size + 1);
        assert_non_null(cut);
        memcpy(cut, bytes.data, size);
        assert_int_equal(p2e_published_parse(cut, size, WHERE, &config, NULL), -1);
        free(cut);
    }
    p2e_buffer_free(&bytes);
}

static void test_every_flipped_bit(void **state)
{
    struct p2e_buffer bytes = encode(&some_config);
    struct p2e_config config;
    (void)state;
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
        bytes.data[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(p2e_published_parse(bytes.data, bytes.size, WHERE, &config, NULL), -1);
        bytes.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    p2e_buffer_free(&bytes);
}

// What is accepted can be published again, and comes out the same.
static void check_accepted(const struct p2e_config *config)
{
    struct p2e_buffer bytes = encode(config);
    struct p2e_config again;
    assert_int_equal(p2e_published_parse(bytes.data, bytes.size, WHERE, &again, NULL), 0);
    assert_int_equal(again.filter_count, config->filter_count);
    for (size_t i = 0; i < again.filter_count; i++)
        assert_same_filter(&config->filters[i], &again.filters[i]);
    p2e_config_free(&again);
    p2e_buffer_free(&bytes);
}

// A forger gets the checksum right: every bit, then random ones, sixteen at a time at most.
static void test_flipped_bits_with_a_right_checksum(void **state)
{
    struct p2e_buffer whole = encode(&some_config);
    size_t bits = 8 * whole.size;
    uint32_t random = 1;
    (void)state;
    for (size_t round = 0; round < bits + 50000; round++) {
        struct p2e_buffer bytes = {0};
        struct p2e_config config;
        size_t count = round < bits ? 1 : 1 + round % 16;
        p2e_buffer_add(&bytes, whole.data, whole.size);
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525 + 1013904223;
            size_t bit = round < bits ? round : (random >> 8) % bits;
            bytes.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        seal(&bytes);
        if (p2e_published_parse(bytes.data, bytes.size, WHERE, &config, NULL) == 0) {
            check_accepted(&config);
            p2e_config_free(&config);
        }
        p2e_buffer_free(&bytes);
    }
    p2e_buffer_free(&whole);
}

static void assert_header_refused(size_t offset, uint32_t value, const char *said)
{
    struct p2e_buffer bytes = encode(&some_config);
    memcpy(bytes.data + offset, &value, sizeof(value));
    seal(&bytes);
    assert_refused(&bytes, said);
    p2e_buffer_free(&bytes);
}

#define HEADER(field) offsetof(struct p2e_published, field)
static void test_headers(void **state)
{
    (void)state;
    assert_header_refused(HEADER(magic), P2E_MAGIC, "does not hold a published table");
    assert_header_refused(HEADER(abi), 7, "is of ABI 7");
    assert_header_refused(HEADER(size), 0, "bad sizes");
    assert_header_refused(HEADER(filter_count), 6, "bad sizes");
    assert_header_refused(HEADER(filter_count), 0xffffffff, "bad sizes");
    assert_header_refused(HEADER(range_count), 0x40000000, "bad sizes");
    assert_header_refused(HEADER(text_size), 0, "bad sizes");
}

static void assert_field_refused(size_t filter, size_t offset, const void *value, size_t size,
                                 const char *said)
{
    struct p2e_buffer bytes = encode(&some_config);
    memcpy(bytes.data + sizeof(struct p2e_published) +
               filter * sizeof(struct p2e_published_filter) + offset,
           value, size);
    seal(&bytes);
    assert_refused(&bytes, said);
    p2e_buffer_free(&bytes);
}

#define REFUSED(filter, field, said, ...)                                                          \
    assert_field_refused(filter, offsetof(struct p2e_published_filter, field),                     \
                         &(typeof(((struct p2e_published_filter *)0)->field)){__VA_ARGS__},        \
                         sizeof(((struct p2e_published_filter *)0)->field), said)

static void test_fields(void **state)
{
    (void)state;
    REFUSED(0, name, "a filter's name is none", 0);
    REFUSED(0, name, "a text lies outside", 0xffffffff);
    REFUSED(0, name, "two filters have one name", 8);
    REFUSED(3, name, "a filter's name is none", 27); // "/run/events.sock"
    REFUSED(0, path, "not one of its transport", 1);
    REFUSED(3, path, "a path is not a socket's", 0);
    REFUSED(3, path, "a path is not a socket's", 1);
    REFUSED(1, program, "a text lies outside", 10000);
    REFUSED(1, program, "a program's name is none", 7);  // ""
    REFUSED(1, program, "a program's name is none", 27); // "/run/events.sock"
    REFUSED(1, first_range, "port ranges lie outside", 6);
    REFUSED(1, first_range, "port ranges lie outside", 0xffffffff);
    REFUSED(1, range_count, "port ranges lie outside", 0xffffffff);
    REFUSED(0, range_count, "port ranges are out of order", 4);
    REFUSED(0, range_count, "not one of its transport", 0);
    REFUSED(3, range_count, "port ranges lie outside", 1);
    REFUSED(0, transport, "is none", 3);
    REFUSED(0, transport, "not one of its transport", P2E_UNIXGRAM);
    REFUSED(0, mode, "is none", 2);
    REFUSED(0, on_error, "is none", 2);
    REFUSED(0, family, "an address is none", 3);
    REFUSED(0, family, "an address is none", P2E_IPV4_ADDRESS);
    REFUSED(1, family, "an address is none", P2E_EVERY_ADDRESS);
    REFUSED(2, family, "an address is none", P2E_IPV4_ADDRESS);
    REFUSED(2, address, "an address is none", [10] = 0xff, [11] = 0xff, 1, 2, 3, 4);
    REFUSED(2, address, "an address is none", 0);
}

static void test_texts(void **state)
{
    struct p2e_buffer bytes = encode(&some_config);
    const struct p2e_published *header = (const void *)bytes.data;
    char *first = bytes.data + bytes.size - header->text_size;
    (void)state;
    bytes.data[bytes.size - 1] = 'x';
    seal(&bytes);
    assert_refused(&bytes, "bad texts");
    bytes.data[bytes.size - 1] = '\0';
    *first = 'x';
    seal(&bytes);
    assert_refused(&bytes, "bad texts");
    p2e_buffer_free(&bytes);
}

// More than a table can have: of bytes, in texts that no filter has, and of filters.
static void test_too_much(void **state)
{
    static char zeros[P2E_PUBLISHED_MAX];
    static struct p2e_filter filters[P2E_MAX_FILTERS + 1];
    struct p2e_buffer bytes = encode(&some_config);
    struct p2e_published header;
    (void)state;
    p2e_buffer_add(&bytes, zeros, sizeof(zeros));
    memcpy(&header, bytes.data, sizeof(header));
    header.size += (uint32_t)sizeof(zeros);
    header.text_size += (uint32_t)sizeof(zeros);
    memcpy(bytes.data, &header, sizeof(header));
    seal(&bytes);
    assert_refused(&bytes, "does not hold a published table");
    p2e_buffer_free(&bytes);

    for (size_t i = 0; i <= P2E_MAX_FILTERS; i++)
        filters[i] = (struct p2e_filter){.name = "x", .ports = one_port, .port_count = 1};
    bytes = encode(&(struct p2e_config){.filters = filters,
                                        .filter_count = sizeof(filters) / sizeof(*filters)});
    assert_refused(&bytes, "bad sizes");
    p2e_buffer_free(&bytes);
}

static void test_two_filters_for_one_socket(void **state)
{
    struct p2e_filter filters[] = {
        {.name = "a", .transport = P2E_UNIXGRAM, .path = "@x"},
        {.name = "b", .transport = P2E_UNIXGRAM, .path = "@x"},
    };
    struct p2e_buffer bytes = encode(&(struct p2e_config){.filters = filters, .filter_count = 2});
    (void)state;
    assert_refused(&bytes, "filter \"a\" and filter \"b\" claim one socket");
    p2e_buffer_free(&bytes);
}

static void test_a_path_of_every_length(void **state)
{
    char path[120] = "/";
    struct p2e_filter filter = {.name = "x", .transport = P2E_UNIXGRAM, .path = path};
    const struct p2e_config one = {.filters = &filter, .filter_count = 1};
    (void)state;
    for (size_t length = 1; length < sizeof(path); length++) {
        struct p2e_buffer bytes = encode(&one);
        struct p2e_config config;
        int result = p2e_published_parse(bytes.data, bytes.size, WHERE, &config, NULL);
        assert_int_equal(result, length >= 2 && length <= 108 ? 0 : -1);
        if (!result)
            p2e_config_free(&config);
        p2e_buffer_free(&bytes);
        path[length] = 'x';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_filters),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_flipped_bits_with_a_right_checksum),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_two_filters_for_one_socket),
        cmocka_unit_test(test_a_path_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
