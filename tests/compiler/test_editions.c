// Features: what a file's edition means for its fields and enums, and who may say otherwise.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "compiler/schema.h"
#include "tests/compiler/encode.h"

// Numbers of label and type, as in descriptor.proto.
#define OPTIONAL "label: 1 "
#define REPEATED "label: 3 "
#define STRING   "type: 9 "
#define GROUP    "type: 10 type_name: \".p.M\" "
#define MESSAGE  "type: 11 type_name: \".p.M\" "
#define ENUM     "type: 14 type_name: \".p.E\" "
#define INT32    "type: 5 "

#define FILE_OF(head, content)   "file { name: \"a.proto\" package: \"p\" " head content "}"
#define EDITION(number, content) FILE_OF("syntax: \"editions\" edition: " #number " ", content)
#define M(content)               "message { name: \"M\" " content "} "
#define FIELD(rest)              "field { name: \"f\" number: 1 " rest "} "
#define VALUES                   "value { name: \"A\" number: 0 } "
#define E(rest)                  "enum { name: \"E\" " VALUES rest "} "
#define FEATURES(content)        "options { features { " content "} } "

#define EXPLICIT  "presence: 1 "
#define IMPLICIT  "presence: 2 "
#define REQUIRED  "presence: 3 "
#define OPEN      "enum_type: 1 "
#define CLOSED    "enum_type: 2 "
#define VERIFY    "utf8: 2 "
#define NO_CHECK  "utf8: 3 "
#define PREFIXED  "encoding: 1 "
#define DELIMITED "encoding: 2 "

static int parse(const char *text, struct p2e_schema *schema, struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
    encode("tests/data/schema", "set.proto", "test.set.Set", text, &set);
    return p2e_schema_parse(set.data ? set.data : "", set.size, schema, err);
}

static void load(const char *text, struct p2e_schema *schema)
{
    struct p2e_error err;
    if (parse(text, schema, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

// ---- One field ----------------------------------------------------------------------------------

// What field p.M.f is in a set of one file.
static const struct {
    const char *set;
    enum p2e_type type;
    enum p2e_presence presence;
    bool validate_utf8;
} fields[] = {
    // The defaults
    {EDITION(1000, M(FIELD(OPTIONAL STRING))), P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, true},
    {EDITION(1001, M(FIELD(OPTIONAL STRING))), P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, true},
    {EDITION(1000, M(FIELD(OPTIONAL MESSAGE))), P2E_TYPE_MESSAGE, P2E_PRESENCE_EXPLICIT, false},
    {FILE_OF("syntax: \"proto3\" edition: 999 ", M(FIELD(OPTIONAL STRING))), P2E_TYPE_STRING,
     P2E_PRESENCE_IMPLICIT, true},
    {FILE_OF("syntax: \"proto2\" edition: 998 ", M(FIELD(OPTIONAL STRING))), P2E_TYPE_STRING,
     P2E_PRESENCE_EXPLICIT, false},
    // On the field
    {EDITION(1000, M(FIELD(OPTIONAL STRING FEATURES(IMPLICIT)))), P2E_TYPE_STRING,
     P2E_PRESENCE_IMPLICIT, true},
    {EDITION(1000, M(FIELD(OPTIONAL STRING FEATURES(REQUIRED NO_CHECK)))), P2E_TYPE_STRING,
     P2E_PRESENCE_REQUIRED, false},
    {EDITION(1000, M(FIELD(OPTIONAL MESSAGE FEATURES(DELIMITED)))), P2E_TYPE_GROUP,
     P2E_PRESENCE_EXPLICIT, false},
    {EDITION(1000, M(FIELD(OPTIONAL MESSAGE FEATURES(REQUIRED)))), P2E_TYPE_MESSAGE,
     P2E_PRESENCE_REQUIRED, false},
    {EDITION(1000, M(FIELD(REPEATED MESSAGE FEATURES(DELIMITED)))), P2E_TYPE_GROUP,
     P2E_PRESENCE_EXPLICIT, false},
    {EDITION(1000, M(FIELD("type_name: \".p.M\" " OPTIONAL FEATURES(DELIMITED)))), P2E_TYPE_GROUP,
     P2E_PRESENCE_EXPLICIT, false},
    // From the file
    {EDITION(1000, FEATURES(IMPLICIT NO_CHECK) M(FIELD(OPTIONAL STRING))), P2E_TYPE_STRING,
     P2E_PRESENCE_IMPLICIT, false},
    {EDITION(1000, FEATURES(IMPLICIT DELIMITED) M(FIELD(OPTIONAL MESSAGE))), P2E_TYPE_GROUP,
     P2E_PRESENCE_EXPLICIT, false},
    {EDITION(1000, FEATURES(IMPLICIT NO_CHECK) M(FIELD(OPTIONAL STRING FEATURES(EXPLICIT VERIFY)))),
     P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, true},
    {EDITION(1000, FEATURES(DELIMITED) M(FIELD(OPTIONAL MESSAGE FEATURES(PREFIXED)))),
     P2E_TYPE_MESSAGE, P2E_PRESENCE_EXPLICIT, false},
    // From the message, and from the oneof
    {EDITION(1000, FEATURES(VERIFY) M(FEATURES(NO_CHECK IMPLICIT) FIELD(OPTIONAL STRING))),
     P2E_TYPE_STRING, P2E_PRESENCE_IMPLICIT, false},
    {EDITION(1000, M("oneof { name: \"o\" " FEATURES(NO_CHECK) "} " FIELD(OPTIONAL STRING
                                                                          "oneof_index: 0 "))),
     P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, false},
    {EDITION(1000, FEATURES(IMPLICIT)
                       M("oneof { name: \"o\" } " FIELD(OPTIONAL STRING "oneof_index: 0 "))),
     P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, true},
    // In several parts, which merge
    {EDITION(1000, "options { features { " IMPLICIT NO_CHECK "} features { " EXPLICIT
                   "} } " M(FIELD(OPTIONAL STRING))),
     P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, false},
    // Features that change nothing of what is read
    {EDITION(1000, FEATURES("packed: 2 json: 2 custom: 7 ") M(FIELD(OPTIONAL STRING))),
     P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, true},
};

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct p2e_schema schema;
        load(fields[i].set, &schema);
        const struct p2e_field *f = p2e_message_field(p2e_schema_message(&schema, "p.M"), "f");
        if (f->type != fields[i].type || f->presence != fields[i].presence ||
            f->validate_utf8 != fields[i].validate_utf8)
            fail_msg("%s: type %d, presence %d, UTF-8 %d", fields[i].set, f->type, f->presence,
                     f->validate_utf8);
        p2e_schema_free(&schema);
    }
}

static void test_required(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(EDITION(1000, M(FIELD(OPTIONAL STRING FEATURES(REQUIRED)) "nested { name: \"N\" }")),
         &schema);
    assert_true(p2e_schema_message(&schema, "p.M")->has_required);
    assert_false(p2e_schema_message(&schema, "p.M.N")->has_required);
    p2e_schema_free(&schema);
}

// Maps stay as they are sent everywhere, and so does what is in them.
static void test_maps_are_never_delimited(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(EDITION(1000,
                 FEATURES(DELIMITED) M("nested { name: \"Entry\" options { map_entry: true } "
                                       "field { name: \"key\" number: 1 " OPTIONAL INT32 "} "
                                       "field { name: \"value\" number: 2 " OPTIONAL MESSAGE "} } "
                                       "field { name: \"map\" number: 1 " REPEATED
                                       "type: 11 type_name: \".p.M.Entry\" }")),
         &schema);
    const struct p2e_field *map = p2e_message_field(p2e_schema_message(&schema, "p.M"), "map");
    assert_true(map->map);
    assert_int_equal(map->type, P2E_TYPE_MESSAGE);
    assert_int_equal(p2e_message_field(map->message, "value")->type, P2E_TYPE_MESSAGE);
    p2e_schema_free(&schema);
}

// ---- Enums --------------------------------------------------------------------------------------

static void test_enums(void **state)
{
    static const struct {
        const char *set, *name;
        bool closed;
    } rows[] = {
        {EDITION(1000, E("")), "p.E", false},
        {EDITION(1001, E("")), "p.E", false},
        {EDITION(1000, E(FEATURES(CLOSED))), "p.E", true},
        {EDITION(1000, FEATURES(CLOSED) E("")), "p.E", true},
        {EDITION(1000, FEATURES(CLOSED) E(FEATURES(OPEN))), "p.E", false},
        {EDITION(1000, M(FEATURES(CLOSED) E(""))), "p.M.E", true},
        {EDITION(1000, M(FEATURES(CLOSED) "nested { name: \"N\" " E("") "} ")), "p.M.N.E", true},
        {FILE_OF("", E("")), "p.E", true},
        {FILE_OF("syntax: \"proto3\" ", E("")), "p.E", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_schema schema;
        load(rows[i].set, &schema);
        const struct p2e_enum *e = p2e_schema_enum(&schema, rows[i].name);
        if (!e || e->closed != rows[i].closed)
            fail_msg("%s", rows[i].set);
        p2e_schema_free(&schema);
    }
}

// An enum is closed by where it is declared, whoever uses it.
static void test_enum_of_another_file(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(
        FILE_OF("syntax: \"proto3\" ", M(FIELD(OPTIONAL ENUM))) " file { package: \"p\" " E("") "}",
        &schema);
    assert_true(p2e_schema_message(&schema, "p.M")->fields[0].enumeration->closed);
    p2e_schema_free(&schema);
    load(
        FILE_OF("", M(FIELD(OPTIONAL ENUM))) " file { package: \"p\" syntax: \"proto3\" " E("") "}",
        &schema);
    assert_false(p2e_schema_message(&schema, "p.M")->fields[0].enumeration->closed);
    p2e_schema_free(&schema);
}

// ---- Extensions ---------------------------------------------------------------------------------

static void test_extensions_inherit(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(
        EDITION(
            1000,
            FEATURES(IMPLICIT DELIMITED NO_CHECK) M(FEATURES(
                VERIFY) "extension { name: \"inner\" extendee: \".p.M\" number: 10 " OPTIONAL STRING
                        "}") "extension { name: \"outer\" extendee: \".p.M\" number: 11 " OPTIONAL
                STRING "}"
                             "extension { name: \"part\" extendee: \".p.M\" number: 12 " OPTIONAL
                                 MESSAGE "}"),
        &schema);
    const struct p2e_message *m = p2e_schema_message(&schema, "p.M");
    assert_int_equal(m->extension_count, 3);
    assert_string_equal(m->extensions[0].name, "p.M.inner");
    assert_true(m->extensions[0].validate_utf8);
    assert_string_equal(m->extensions[1].name, "p.outer");
    assert_false(m->extensions[1].validate_utf8);
    assert_int_equal(m->extensions[1].presence, P2E_PRESENCE_EXPLICIT);
    assert_int_equal(m->extensions[2].type, P2E_TYPE_GROUP);
    p2e_schema_free(&schema);
}

// ---- What is refused ----------------------------------------------------------------------------

static void test_errors(void **state)
{
    static const struct {
        const char *set, *error;
    } rows[] = {
        // Editions
        {FILE_OF("syntax: \"editions\" ", ""),
         "\"a.proto\" uses protobuf editions and does not say which one"},
        {EDITION(1002, ""), "\"a.proto\" is of an edition (number 1002) that p2e does not know; it "
                            "reads proto2, proto3 and the editions 2023 and 2024"},
        {EDITION(998, ""), "\"a.proto\" is of an edition (number 998)"},
        {EDITION(2147483647, ""), "\"a.proto\" is of an edition (number 2147483647)"},
        {EDITION(18446744073709551615, ""), "\"a.proto\" is of an edition"},
        {FILE_OF("edition: 1000 ", ""), "\"a.proto\" is of an edition (number 1000)"},
        {FILE_OF("syntax: \"proto3\" edition: 998 ", ""), "\"a.proto\" is of an edition"},
        {FILE_OF("syntax: \"proto4\" ", ""),
         "a file's syntax is neither proto2 nor proto3 nor editions"},
        // Features where there are none
        {FILE_OF("syntax: \"proto3\" ", FEATURES(VERIFY)),
         "a.proto has features, which only editions have"},
        {FILE_OF("", M(FEATURES(VERIFY))), "p.M has features, which only editions have"},
        {FILE_OF("", M(FIELD(OPTIONAL STRING FEATURES(VERIFY)))),
         "f has features, which only editions have"},
        {FILE_OF("", E(FEATURES(CLOSED))), "p.E has features, which only editions have"},
        {FILE_OF("", M("oneof { name: \"o\" " FEATURES(VERIFY) "} " FIELD(OPTIONAL STRING
                                                                          "oneof_index: 0 "))),
         "p.M has features, which only editions have"},
        // Values and features of no edition that is known
        {EDITION(1000, FEATURES("presence: 4 ")), "a.proto has a feature (number 1) that p2e does"},
        {EDITION(1000, FEATURES("presence: 0 ")), "a.proto has a feature (number 1) that p2e does"},
        {EDITION(1000, FEATURES("presence: 257 ")), "a.proto has a feature (number 1) that p2e do"},
        {EDITION(1000, FEATURES("enum_type: 3 ")), "a.proto has a feature (number 2)"},
        {EDITION(1000, FEATURES("utf8: 1 ")), "a.proto has a feature (number 4)"},
        {EDITION(1000, FEATURES("encoding: 3 ")), "a.proto has a feature (number 5)"},
        {EDITION(1000, FEATURES("future: 1 ")), "a.proto has a feature (number 9)"},
        {EDITION(1000, M(FIELD(OPTIONAL STRING FEATURES("future: 1 ")))),
         "f has a feature (number 9) that p2e does not know"},
        // Presence
        {EDITION(1000, FEATURES(REQUIRED)), "a.proto makes fields required by default"},
        {EDITION(1000, M(FEATURES(REQUIRED))), "p.M makes fields required by default"},
        {EDITION(1000, M(FIELD(REPEATED STRING FEATURES(REQUIRED)))),
         "field p.M.f is required, which lists and extensions cannot be"},
        {EDITION(1000, M("oneof { name: \"o\" } " FIELD(OPTIONAL STRING
                                                        "oneof_index: 0 " FEATURES(REQUIRED)))),
         "field p.M.f is in a oneof, where fields cannot be repeated or required"},
        {EDITION(1000, M(FIELD("label: 2 " STRING))),
         "field p.M.f is required or a group without the feature for it"},
        {EDITION(1000, M(FIELD(OPTIONAL GROUP))),
         "field p.M.f is required or a group without the feature for it"},
        {EDITION(1000, M(FIELD(OPTIONAL STRING FEATURES(IMPLICIT) "default_value: \"x\" "))),
         "field p.M.f has a default value, and it cannot have one"},
        {EDITION(1000, M(FIELD(OPTIONAL ENUM FEATURES(IMPLICIT))) E(FEATURES(CLOSED))),
         "field p.M.f has implicit presence, which the closed enum that it is of does not allow"},
        {EDITION(1000, "extension { name: \"x\" extendee: \".p.M\" number: 2 " OPTIONAL STRING
                           FEATURES(REQUIRED) "} " M("")),
         "extension p.x is required, which lists and extensions cannot be"},
        // Enums
        {EDITION(1000, "enum { name: \"E\" value { name: \"A\" number: 1 } }"),
         "enum p.E: the first value of an open enum must be 0"},
        // Options
        {EDITION(1000, M("options { } options { }")), "a part of the set has its options twice"},
        {FILE_OF("", "options { uninterpreted: \"\" }"),
         "the set has options that were not interpreted"},
        {FILE_OF("", M("options { uninterpreted: \"\" }")),
         "the set has options that were not interpreted"},
        {FILE_OF("", M(FIELD(OPTIONAL STRING "options { uninterpreted: \"\" }"))),
         "the set has options that were not interpreted"},
        {FILE_OF("", M("oneof { options { uninterpreted: \"\" } }")),
         "the set has options that were not interpreted"},
        {FILE_OF("", E("options { uninterpreted: \"\" }")),
         "the set has options that were not interpreted"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_schema schema;
        struct p2e_error err = {.text = ""};
        if (parse(rows[i].set, &schema, &err) == 0 ||
            strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("%s: %s", rows[i].set, err.text);
    }
}

// Bytes that no text format writes: a feature set that is cut short, and options of other types.
static void test_damaged_features(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *error;
    } rows[] = {
        {"\x0a\x13\x62\x08"
         "editions"
         "\x70\xe8\x07\x42\x04\x92\x03\x01\x08",
         21, "the features of  are damaged"},
        {"\x0a\x13\x62\x08"
         "editions"
         "\x70\xe8\x07\x42\x04\x92\x03\x01\x0b",
         21, "the features of  are damaged"},
        {"\x0a\x12\x62\x08"
         "editions"
         "\x70\xe8\x07\x42\x03\x90\x03\x01",
         20, "the features of  are damaged"},
        {"\x0a\x14\x62\x08"
         "editions"
         "\x70\xe8\x07\x42\x05\x92\x03\x02\x0a\x00",
         22, " has a feature (number 1) that p2e does not know"},
        {"\x0a\x17\x62\x08"
         "editions"
         "\x70\xe8\x07\x42\x08\x92\x03\x05\x0d\x02\x00\x00\x00",
         25, " has a feature (number 1) that p2e does not know"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_schema schema;
        struct p2e_error err = {.text = ""};
        assert_int_equal(p2e_schema_parse(rows[i].bytes, rows[i].size, &schema, &err), -1);
        assert_string_equal(err.text, rows[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_maps_are_never_delimited),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_enum_of_another_file),
        cmocka_unit_test(test_extensions_inherit),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_damaged_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
