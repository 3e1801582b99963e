// Messages decoded by their schema: what every conforming parser sees in the bytes.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "compiler/dynamic.h"

#define DATA  "tests/data/schema/"
#define LIMIT ((size_t)1 << 20)

// ---- A message as text --------------------------------------------------------------------------

static void print(const struct p2e_dynamic *m, struct p2e_buffer *out);

static void print_value(const struct p2e_field *field, union p2e_dynamic_value value,
                        struct p2e_buffer *out)
{
    switch (field->type) {
    case P2E_TYPE_BOOL:
        p2e_buffer_puts(out, value.boolean ? "true" : "false");
        break;
    case P2E_TYPE_DOUBLE:
    case P2E_TYPE_FLOAT:
        p2e_buffer_printf(out, "%.17g", value.real);
        break;
    case P2E_TYPE_STRING:
    case P2E_TYPE_BYTES:
        assert_int_equal(value.text.data[value.text.size], '\0');
        p2e_buffer_puts(out, "'");
        for (size_t i = 0; i < value.text.size; i++)
            p2e_buffer_printf(out, value.text.data[i] >= ' ' ? "%c" : "\\%o",
                              (unsigned char)value.text.data[i]);
        p2e_buffer_puts(out, "'");
        break;
    case P2E_TYPE_GROUP:
    case P2E_TYPE_MESSAGE:
        p2e_buffer_puts(out, "{");
        print(value.message, out);
        p2e_buffer_puts(out, "}");
        break;
    case P2E_TYPE_UINT32:
    case P2E_TYPE_UINT64:
    case P2E_TYPE_FIXED32:
    case P2E_TYPE_FIXED64:
        p2e_buffer_printf(out, "%" PRIu64 "u", value.uinteger);
        break;
    default:
        p2e_buffer_printf(out, "%" PRId64, value.integer);
    }
}

static void print_entry(const struct p2e_dynamic *entry, const struct p2e_message *type,
                        struct p2e_buffer *out)
{
    print_value(&type->fields[0], p2e_dynamic_get(entry, &type->fields[0]), out);
    p2e_buffer_puts(out, ":");
    print_value(&type->fields[1], p2e_dynamic_get(entry, &type->fields[1]), out);
}

static void print_field(const struct p2e_dynamic *m, const struct p2e_field *field,
                        struct p2e_buffer *out)
{
    size_t size = p2e_dynamic_size(m, field);
    assert_true(p2e_dynamic_has(m, field) && size > 0 && (size == 1 || field->repeated));
    p2e_buffer_puts(out, field->repeated ? "[" : "");
    for (size_t i = 0; i < size; i++) {
        p2e_buffer_puts(out, i > 0 ? "," : "");
        if (field->map)
            print_entry(p2e_dynamic_at(m, field, i).message, field->message, out);
        else
            print_value(field, p2e_dynamic_at(m, field, i), out);
    }
    p2e_buffer_puts(out, field->repeated ? "]" : "");
}

static void print(const struct p2e_dynamic *m, struct p2e_buffer *out)
{
    const struct p2e_field *field = NULL;
    for (bool first = true; (field = p2e_dynamic_next(m, field)); first = false) {
        p2e_buffer_printf(out, "%s%s=", first ? "" : " ", field->name);
        print_field(m, field, out);
    }
}

// ---- Help ---------------------------------------------------------------------------------------

static struct p2e_schema schema;

static int setup(void **state)
{
    static char *const includes[] = {DATA "include"};
    struct p2e_error err;
    (void)state;
    return p2e_schema_load(DATA "values.proto", includes, 1, &schema, &err);
}

static int teardown(void **state)
{
    (void)state;
    p2e_schema_free(&schema);
    return 0;
}

// Decodes a copy without slack, which is gone afterwards.
static int decode(const char *type, const char *data, size_t size, struct p2e_arena *arena,
                  const struct p2e_dynamic **m, struct p2e_error *err)
{
    const struct p2e_message *message = p2e_schema_message(&schema, type);
    assert_non_null(message);
    _cleanup_free_ char *copy = malloc(size ? size : 1);
    if (size > 0)
        memcpy(copy, data, size);
    return p2e_dynamic_decode(message, (struct p2e_bytes){copy, size}, arena, m, err);
}

static size_t unhex(const char *text, char *bytes)
{
    size_t size = 0;
    unsigned byte;
    for (int used; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
        bytes[size++] = (char)byte;
    return size;
}

struct row {
    const char *hex, *expected; // the message as text, or the end of the error
};

static void check(const char *type, const struct row *row, bool fails)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = LIMIT};
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    const struct p2e_dynamic *m;
    struct p2e_error err = {.text = ""};
    char bytes[512];
    size_t size = unhex(row->hex, bytes);
    int result = decode(type, bytes, size, &arena, &m, &err);
    p2e_buffer_puts(&text, "");
    if (result == 0)
        print(m, &text);
    if ((result < 0) != fails || strcmp(fails ? err.text : text.data, row->expected) != 0)
        fail_msg("%s: %s%s", row->hex, text.data, err.text);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

// ---- What is accepted ---------------------------------------------------------------------------

static void test_values(void **state)
{
    static const struct row rows[] = {
        {"", ""},
        // Each type
        {"09 000000000000f83f", "real=1.5"},
        {"15 000020c0", "narrow=-2.5"},
        {"18 ffffffffffffffffff01", "int64=-1"},
        {"20 ffffffffffffffffff01", "uint64=18446744073709551615u"},
        {"28 f9ffffffffffffffff01", "int32=-7"},
        {"31 ffffffffffffffff", "fixed64=18446744073709551615u"},
        {"3d ffffffff", "fixed32=4294967295u"},
        {"40 01", "flag=true"},
        {"4a 03 616263", "text='abc'"},
        {"4a 01 ff", "text='\\377'"}, // proto2 does not check
        {"62 02 0100", "bytes='\\1\\0'"},
        {"68 ffffffff0f", "uint32=4294967295u"},
        {"70 01", "level=1"},
        {"7d feffffff", "sfixed32=-2"},
        {"81 01 feffffffffffffff", "sfixed64=-2"},
        {"88 01 03", "sint32=-2"},
        {"90 01 ffffffffffffffffff01", "sint64=-9223372036854775808"},
        // Explicit presence: a zero is a value
        {"28 00", "int32=0"},
        {"4a 00", "text=''"},
        {"40 00", "flag=false"},
        // Values of more bits than the type has
        {"28 80808080f0ffffffff01", "int32=0"},
        {"28 ffffffffefffffffff01", "int32=-1"},
        {"68 8180808010", "uint32=1u"},
        {"88 01 8380808010", "sint32=-2"},
        {"40 80808080808080808001", "flag=true"},
        {"40 8000", "flag=false"}, // an overlong varint
        {"70 ffffffff0f", "level=-1"},
        // The last one wins
        {"28 01 28 02", "int32=2"},
        {"4a 01 61 4a 00", "text=''"},
        // Unknown fields, and known ones of another wire type
        {"f8 07 01  28 01", "int32=1"},
        {"29 0000000000000000  28 01", "int32=1"},
        {"2a 00  28 01", "int32=1"},
        {"48 05  4d 00000000", ""},
        {"fb 07 28 01 fc 07  28 02", "int32=2"},
        {"fb 07 fb 07 fc 07 fc 07", ""},
        {"5b 08 01 5c  28 02", "int32=2"}, // a group where a message is known
        // Closed enums
        {"70 05", ""},
        {"70 01 70 05", "level=1"},
        {"b8 01 01 b8 01 05 b8 01 ffffffffffffffffff01", "levels=[1,-1]"},
        {"ba 01 03 01 05 01", "levels=[1,1]"},
        // Lists, packed and not
        {"a0 01 01 a0 01 02", "numbers=[1,2]"},
        {"a2 01 02 01 02", "numbers=[1,2]"},
        {"a0 01 01 a2 01 03 02 ac 02 a0 01 04", "numbers=[1,2,300,4]"},
        {"a2 01 00", ""},
        {"c2 01 08 0000803f 00000040 c5 01 000080bf", "reals=[1,2,-1]"},
        {"aa 01 01 61 aa 01 00", "texts=['a','']"},
        {"b2 01 02 08 01 b2 01 00", "inners=[{id=1},{}]"},
        {"28 01 2a 01 05", "int32=1"}, // only lists are packed
        // Submessages merge
        {"5a 00", "inner={}"},
        {"5a 02 08 01 5a 02 10 07", "inner={id=1 list=[7]}"},
        {"5a 06 10 01 1a 02 08 01 5a 08 08 09 10 02 1a 02 10 03",
         "inner={id=9 list=[1,2] inner={id=1 list=[3]}}"},
        {"53 08 01 54 53 12 01 61 54", "part={id=1 name='a'}"},
        {"53 54", "part={}"},
        // A oneof's last member
        {"f0 01 05", "left=5"},
        {"f0 01 05 82 02 01 61", "right='a'"},
        {"82 02 01 61 f0 01 00", "left=0"},
        {"fa 01 02 08 01 fa 01 02 10 02", "middle={id=1 list=[2]}"},
        {"fa 01 02 08 01 f0 01 05 fa 01 02 10 02", "middle={list=[2]}"},
        // Maps
        {"ca 01 07 0a 01 61 12 02 08 01", "by_name=['a':{id=1}]"},
        {"ca 01 00", "by_name=['':{}]"},
        {"ca 01 03 0a 01 62 ca 01 03 0a 01 61", "by_name=['a':{},'b':{}]"},
        {"ca 01 07 0a 01 61 12 02 08 01 ca 01 07 0a 01 61 12 02 10 02", "by_name=['a':{list=[2]}]"},
        {"ca 01 04 12 02 08 01 ca 01 04 0a 02 6161 ca 01 03 0a 01 61",
         "by_name=['':{id=1},'a':{},'aa':{}]"},
        {"ca 01 0b 12 02 08 01 0a 01 61 12 02 10 02", "by_name=['a':{id=1 list=[2]}]"},
        {"d2 01 04 08 01 10 02 d2 01 04 08 01 10 00", "by_number=[1:0]"},
        {"d2 01 04 08 05 10 02 d2 01 0d 08 ffffffffffffffffff01 10 00", "by_number=[-1:0,5:2]"},
        {"d2 01 04 08 01 10 02 d2 01 04 08 01 10 07", "by_number=[1:2]"}, // an unknown entry
        {"da 01 0d 08 ffffffffffffffffff01 10 01 da 01 02 08 02",
         "by_size=[2u:false,18446744073709551615u:true]"},
        {"e2 01 05 08 01 12 01 61 e2 01 03 12 01 62 e2 01 02 08 01", "by_flag=[false:'b',true:'']"},
        // Extensions
        {"a8 06 05", "test.values.added=5"},
        {"28 01 a2 06 02 08 01 a2 06 00", "int32=1 test.values.more=[{id=1},{}]"},
        // proto3
        {"8a 02 00", "modern={}"},
        {"8a 02 0f 08 00 12 00 18 00 21 0000000000000000", "modern={}"},
        {"8a 02 0d 08 00 12 00 21 0000000000000080", "modern={real=-0}"},
        {"8a 02 04 08 05 08 00", "modern={}"},
        {"8a 02 05 12 01 61 12 00", "modern={}"},
        {"8a 02 04 30 00 48 00", "modern={maybe=0 left=0}"},
        {"8a 02 02 3a 00", "modern={texts=['']}"},
        {"8a 02 04 12 02 c3a9", "modern={text='\\303\\251'}"},
        {"8a 02 03 2a 01 ff", "modern={bytes='\\377'}"},
        {"8a 02 02 40 07", "modern={mood=7}"},
        // Required fields
        {"92 02 02 08 00", "strict={id=0}"},
        {"92 02 04 12 02 08 01 92 02 02 08 02", "strict={id=2 strict={id=1}}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check("test.values.Values", &rows[i], false);
}

// ---- What is not --------------------------------------------------------------------------------

static void test_malformed(void **state)
{
    static const char *const rows[] = {
        "28",                        // no value
        "28 80",                     // a varint cut short
        "28 ffffffffffffffffff02",   // of more than 64 bits
        "28 ffffffffffffffffffff01", // of eleven bytes
        "80",                        // a tag cut short
        "a8 80 80 80 80 00 01",      // a tag of six bytes
        "a8 80 80 80 10 01",         // of more than 32 bits
        "00 00",                     // field number 0
        "2e 00",                     // wire type 6
        "2f 00",                     // wire type 7
        "4a 02 61",                  // a string cut short
        "4a ffffffffffffffffff01",   // of a length beyond memory
        "09 00000000000000",         // 64 bits cut short
        "15 000000",                 // 32 bits cut short
        "a2 01 02 01 80",            // a packed list cut short
        "c2 01 03 000000",           // likewise
        "5a 02 08",                  // a submessage cut short
        "5a 01 54",                  // an end of no group
        "54",                        // likewise
        "53 08 01",                  // a group without an end
        "53 08 01 5c",               // with another's end
        "fb 07",                     // an unknown group without an end
        "fb 07 54",                  // with another's end
        "fb 07 fb 07 fc 07",         // within one
        "fb 07 5a 05 fc 07",         // with something malformed in it
        "ca 01 02 0a 05",            // a map entry cut short
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check("test.values.Values",
              &(struct row){rows[i], "the bytes are no valid test.values.Values"}, true);
}

static void test_refused(void **state)
{
    static const struct row rows[] = {
        {"8a 02 03 12 01 ff", "the bytes are no valid test.values.Values: field text is not UTF-8"},
        {"8a 02 05 12 03 eda080",
         "the bytes are no valid test.values.Values: field text is not UTF-8"},
        {"8a 02 06 3a 00 3a 02 c3", "the bytes are no valid test.values.Values"},
        {"8a 02 06 3a 00 3a 02 6180",
         "the bytes are no valid test.values.Values: field texts is not UTF-8"},
        {"92 02 00", "the bytes are no valid test.values.Values: required field "
                     "test.values.Strict.id is missing"},
        {"92 02 04 08 01 12 00", "the bytes are no valid test.values.Values: required field "
                                 "test.values.Strict.id is missing"},
        {"92 02 02 18 01", "the bytes are no valid test.values.Values: required field "
                           "test.values.Strict.id is missing"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check("test.values.Values", &rows[i], true);
}

// ---- Absent fields ------------------------------------------------------------------------------

static union p2e_dynamic_value get(const struct p2e_dynamic *m, const char *name)
{
    const struct p2e_field *field =
        p2e_message_field(p2e_schema_message(&schema, "test.values.Values"), name);
    assert_non_null(field);
    assert_false(p2e_dynamic_has(m, field));
    assert_int_equal(p2e_dynamic_size(m, field), 0);
    return p2e_dynamic_get(m, field);
}

static void check_defaults(const struct p2e_dynamic *m)
{
    assert_true(get(m, "real").real == 1.5);
    assert_true(get(m, "narrow").real == -2.5);
    assert_int_equal(get(m, "int64").integer, 0);
    assert_int_equal(get(m, "int32").integer, -7);
    assert_true(get(m, "flag").boolean);
    assert_int_equal(get(m, "level").integer, -1);
    assert_int_equal(get(m, "text").text.size, 4);
    assert_string_equal(get(m, "text").text.data, "none");
    assert_int_equal(get(m, "bytes").text.size, 2);
    assert_memory_equal(get(m, "bytes").text.data, "\1\0", 2);
    assert_string_equal(get(m, "right").text.data, "");
    assert_null(get(m, "inner").message);
    assert_null(p2e_dynamic_next(m, NULL));
    const struct p2e_field *added =
        p2e_message_extension(p2e_schema_message(&schema, "test.values.Values"), 101);
    assert_int_equal(p2e_dynamic_get(m, added).integer, 9);
}

static void test_defaults(void **state)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = LIMIT};
    const struct p2e_dynamic *m;
    struct p2e_error err;
    (void)state;
    check_defaults(NULL);
    assert_int_equal(decode("test.values.Values", "", 0, &arena, &m, &err), 0);
    check_defaults(m);
    // A message that had fields, of which the last one is gone.
    assert_int_equal(decode("test.values.Values", "\xb8\x01\x05\x70\x05", 5, &arena, &m, &err), 0);
    check_defaults(m);
    assert_int_equal(p2e_dynamic_decode(p2e_schema_message(&schema, "test.values.Values"),
                                        (struct p2e_bytes){0}, &arena, &m, &err),
                     0);
    check_defaults(m);
}

// ---- Limits -------------------------------------------------------------------------------------

// Inner messages, `depth` deep below Values.
static void nest(unsigned depth, struct p2e_buffer *out)
{
    for (unsigned i = 0; i < depth; i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer outer = {0};
        uint8_t tag = i + 1 < depth ? 0x1a : 0x5a;
        size_t size = out->size;
        p2e_buffer_add(&outer, &tag, 1);
        for (; size > 0x7f; size >>= 7)
            p2e_buffer_add(&outer, &(uint8_t){(uint8_t)(size | 0x80)}, 1);
        p2e_buffer_add(&outer, &(uint8_t){(uint8_t)size}, 1);
        p2e_buffer_add(&outer, out->data, out->size);
        p2e_buffer_free(out);
        *out = outer;
        outer = (struct p2e_buffer){0};
    }
}

// With `inner` in the innermost one.
static int decode_nested(unsigned depth, const char *inner, struct p2e_error *err)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = LIMIT};
    _cleanup_(p2e_buffer_free) struct p2e_buffer bytes = {0};
    const struct p2e_dynamic *m;
    p2e_buffer_puts(&bytes, inner);
    nest(depth, &bytes);
    return decode("test.values.Values", bytes.data, bytes.size, &arena, &m, err);
}

static int decode_groups(size_t depth, struct p2e_error *err)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = LIMIT};
    const struct p2e_dynamic *m;
    char bytes[2048];
    assert_true(4 * depth <= sizeof(bytes));
    for (size_t i = 0; i < depth; i++) {
        memcpy(bytes + 2 * i, "\xfb\x07", 2);
        memcpy(bytes + 2 * (depth + i), "\xfc\x07", 2);
    }
    return decode("test.values.Values", bytes, 4 * depth, &arena, &m, err);
}

static void test_depth(void **state)
{
    struct p2e_error err;
    (void)state;
    assert_int_equal(decode_nested(100, "", &err), 0);
    assert_int_equal(decode_nested(101, "", &err), -1);
    assert_string_equal(err.text, "the test.values.Values is nested more than 100 deep");
    assert_int_equal(decode_nested(99, "\xfb\x07\xfc\x07", &err), 0);
    assert_int_equal(decode_nested(100, "\xfb\x07\xfc\x07", &err), -1);
    assert_int_equal(decode_groups(100, &err), 0);
    assert_int_equal(decode_groups(101, &err), -1);
}

static void test_room(void **state)
{
    static char bytes[100000];
    const struct p2e_dynamic *m;
    struct p2e_error err;
    (void)state;
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, "\xa2\x01\x9b\x8d\x06", 5); // 99,995 numbers in a packed list
    for (size_t limit = 64; limit < 8 * sizeof(bytes); limit *= 2) {
        _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = limit};
        assert_int_equal(decode("test.values.Values", bytes, sizeof(bytes), &arena, &m, &err), -1);
        assert_string_equal(err.text, "the test.values.Values is too large");
    }
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)64 << 20};
    assert_int_equal(decode("test.values.Values", bytes, sizeof(bytes), &arena, &m, &err), 0);
}

// Every beginning of a message, and messages with changed bytes: an error or a message, never harm.
static void test_damaged(void **state)
{
    char bytes[512], damaged[512];
    uint32_t random = 7919;
    size_t size = unhex("09 000000000000f83f 4a 03 616263 53 08 01 54 5a 06 10 01 1a 02 08 01 "
                        "a2 01 02 01 02 ba 01 03 01 05 01 ca 01 07 0a 01 61 12 02 08 01 "
                        "d2 01 04 08 01 10 02 fa 01 02 08 01 82 02 01 61 a2 06 02 08 01 "
                        "8a 02 04 12 02 c3a9 92 02 04 12 02 08 01 92 02 02 08 02",
                        bytes);
    (void)state;
    for (int i = 0; i < 50000; i++) {
        _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = LIMIT};
        _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
        const struct p2e_dynamic *m;
        struct p2e_error err;
        memcpy(damaged, bytes, size);
        for (int j = 0; j < i % 4; j++) {
            random = random * 1103515245 + 12345;
            damaged[(random >> 8) % size] = (char)(random >> 24);
        }
        if (decode("test.values.Values", damaged, (size_t)i % (size + 1), &arena, &m, &err) == 0)
            print(m, &text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_depth),   cmocka_unit_test(test_room),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
