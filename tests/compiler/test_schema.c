// Descriptors to model: what protoc writes, what it would never write, and how both are read.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/schema.h"
#include "tests/compiler/encode.h"

#define DATA "tests/data/schema/"

static char *const includes[] = {DATA "include"};

// ---- Help ---------------------------------------------------------------------------------------

static void load(const char *path, struct p2e_schema *schema)
{
    struct p2e_error err = {.text = ""};
    if (p2e_schema_load(path, includes, 1, schema, &err) < 0)
        fail_msg("%s", err.text);
}

static const struct p2e_field *field_of(const struct p2e_schema *schema, const char *message,
                                        const char *name)
{
    const struct p2e_message *m = p2e_schema_message(schema, message);
    assert_non_null(m);
    const struct p2e_field *field = p2e_message_field(m, name);
    if (!field)
        fail_msg("no field %s.%s", message, name);
    assert_ptr_equal(field->parent, m);
    return field;
}

// A FileDescriptorSet from protobuf's text format.
static void encode_set(const char *text, struct p2e_buffer *set)
{
    encode("/usr/include", "google/protobuf/descriptor.proto", "google.protobuf.FileDescriptorSet",
           text, set);
}

static void remove_dir(const char *path)
{
    char name[512];
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            unlink(name);
    }
    closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

static size_t count_files(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    struct p2e_error err;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(p2e_file_write(path, data, size, &err), 0);
}

// ---- What protoc writes -------------------------------------------------------------------------

static void test_proto2_fields(void **state)
{
    static const struct {
        const char *name;
        uint32_t number;
        enum p2e_type type;
        enum p2e_presence presence;
        bool repeated;
        uint64_t default_bits;
    } rows[] = {
        {"real", 1, P2E_TYPE_DOUBLE, P2E_PRESENCE_EXPLICIT, false, 0xc097700000000000},
        {"infinite", 2, P2E_TYPE_DOUBLE, P2E_PRESENCE_EXPLICIT, false, 0xfff0000000000000},
        {"no_number", 3, P2E_TYPE_DOUBLE, P2E_PRESENCE_EXPLICIT, false, 0x7ff8000000000000},
        {"small", 4, P2E_TYPE_FLOAT, P2E_PRESENCE_EXPLICIT, false, 0x3dcccccd},
        {"infinite_float", 5, P2E_TYPE_FLOAT, P2E_PRESENCE_EXPLICIT, false, 0x7f800000},
        {"int32", 6, P2E_TYPE_INT32, P2E_PRESENCE_EXPLICIT, false, 0xffffffff80000000},
        {"int64", 7, P2E_TYPE_INT64, P2E_PRESENCE_EXPLICIT, false, 0x8000000000000000},
        {"uint32", 8, P2E_TYPE_UINT32, P2E_PRESENCE_EXPLICIT, false, 0xffffffff},
        {"uint64", 9, P2E_TYPE_UINT64, P2E_PRESENCE_EXPLICIT, false, UINT64_MAX},
        {"sint32", 10, P2E_TYPE_SINT32, P2E_PRESENCE_EXPLICIT, false, (uint64_t)-5},
        {"flag", 11, P2E_TYPE_BOOL, P2E_PRESENCE_EXPLICIT, false, 1},
        {"text", 12, P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, false, 0},
        {"level", 14, P2E_TYPE_ENUM, P2E_PRESENCE_EXPLICIT, false, UINT64_MAX},
        {"first_level", 15, P2E_TYPE_ENUM, P2E_PRESENCE_EXPLICIT, false, 2},
        {"plain", 16, P2E_TYPE_INT32, P2E_PRESENCE_EXPLICIT, false, 0},
        {"must", 17, P2E_TYPE_FIXED32, P2E_PRESENCE_REQUIRED, false, 0},
        {"numbers", 18, P2E_TYPE_INT32, P2E_PRESENCE_EXPLICIT, true, 0},
        {"piece", 19, P2E_TYPE_GROUP, P2E_PRESENCE_EXPLICIT, true, 0},
        {"single", 22, P2E_TYPE_GROUP, P2E_PRESENCE_EXPLICIT, false, 0},
        {"shared", 23, P2E_TYPE_MESSAGE, P2E_PRESENCE_EXPLICIT, false, 0},
        {"number", 24, P2E_TYPE_INT32, P2E_PRESENCE_EXPLICIT, false, 0},
        {"inner", 25, P2E_TYPE_MESSAGE, P2E_PRESENCE_EXPLICIT, false, 0},
        {"counts", 26, P2E_TYPE_MESSAGE, P2E_PRESENCE_EXPLICIT, true, 0},
        {"mood", 27, P2E_TYPE_ENUM, P2E_PRESENCE_EXPLICIT, false, 0},
        {"empty", 28, P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT, false, 0},
    };
    struct p2e_schema schema;
    (void)state;
    load(DATA "proto2.proto", &schema);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct p2e_field *f = field_of(&schema, "test.two.Everything", rows[i].name);
        assert_int_equal(f->number, rows[i].number);
        assert_int_equal(f->type, rows[i].type);
        assert_int_equal(f->presence, rows[i].presence);
        assert_int_equal(f->repeated, rows[i].repeated);
        assert_int_equal(f->default_bits, rows[i].default_bits);
        assert_false(f->validate_utf8);
    }
    p2e_schema_free(&schema);
}

static void test_proto2_texts(void **state)
{
    static const char text[] = "tab\t\"quote\" \316\273", bytes[] = "\001\377\\ \"x\" \000end";
    struct p2e_schema schema;
    (void)state;
    load(DATA "proto2.proto", &schema);
    const struct p2e_field *f = field_of(&schema, "test.two.Everything", "text");
    assert_int_equal(f->default_size, sizeof(text) - 1);
    assert_memory_equal(f->default_text, text, sizeof(text) - 1);
    f = field_of(&schema, "test.two.Everything", "bytes");
    assert_int_equal(f->default_size, sizeof(bytes) - 1);
    assert_memory_equal(f->default_text, bytes, sizeof(bytes) - 1);
    f = field_of(&schema, "test.two.Everything", "empty");
    assert_null(f->default_text);
    assert_int_equal(f->default_size, 0);
    p2e_schema_free(&schema);
}

static void test_types_and_oneofs(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(DATA "proto2.proto", &schema);
    const struct p2e_message *m = p2e_schema_message(&schema, "test.two.Everything");
    assert_string_equal(m->package, "test.two");
    assert_int_equal(m->field_count, 26);
    for (size_t i = 1; i < m->field_count; i++)
        assert_true(m->fields[i - 1].number < m->fields[i].number);
    assert_int_equal(m->oneof_count, 1);
    assert_string_equal(m->oneofs[0].name, "choice");
    assert_int_equal(m->oneofs[0].field_count, 2);
    assert_string_equal(m->oneofs[0].fields[0]->name, "shared");
    assert_string_equal(m->oneofs[0].fields[1]->name, "number");
    assert_ptr_equal(m->oneofs[0].fields[1]->oneof, &m->oneofs[0]);
    assert_null(field_of(&schema, m->full_name, "plain")->oneof);

    const struct p2e_field *counts = field_of(&schema, m->full_name, "counts");
    assert_true(counts->map && counts->message->map_entry);
    assert_string_equal(counts->message->full_name, "test.two.Everything.CountsEntry");
    const struct p2e_field *piece = field_of(&schema, m->full_name, "piece");
    assert_string_equal(piece->message->full_name, "test.two.Everything.Piece");
    const struct p2e_field *again = field_of(&schema, "test.two.Everything.Inner", "again");
    assert_ptr_equal(again->message, again->parent);

    assert_true(field_of(&schema, m->full_name, "level")->enumeration->closed);
    assert_false(field_of(&schema, m->full_name, "mood")->enumeration->closed);
    assert_true(p2e_schema_message(&schema, "test.two.Set")->message_set);
    assert_false(m->message_set);
    p2e_schema_free(&schema);
}

static void test_proto3(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(DATA "proto3.proto", &schema);
    const struct p2e_message *m = p2e_schema_message(&schema, "Modern");
    assert_non_null(m);
    assert_string_equal(m->package, "");
    assert_int_equal(m->oneof_count, 1); // the two synthetic ones are not listed
    assert_string_equal(m->oneofs[0].name, "choice");

    const struct p2e_field *text = field_of(&schema, "Modern", "text");
    assert_int_equal(text->presence, P2E_PRESENCE_IMPLICIT);
    assert_true(text->validate_utf8);
    assert_true(field_of(&schema, "Modern", "texts")->validate_utf8);
    assert_true(field_of(&schema, "Modern", "left")->validate_utf8);
    assert_false(field_of(&schema, "Modern", "right")->validate_utf8);

    const struct p2e_field *maybe = field_of(&schema, "Modern", "maybe");
    assert_int_equal(maybe->presence, P2E_PRESENCE_EXPLICIT);
    assert_null(maybe->oneof);
    assert_int_equal(field_of(&schema, "Modern", "shared")->presence, P2E_PRESENCE_EXPLICIT);
    assert_int_equal(field_of(&schema, "Modern", "maybe_shared")->presence, P2E_PRESENCE_EXPLICIT);
    assert_int_equal(field_of(&schema, "Modern", "left")->presence, P2E_PRESENCE_EXPLICIT);
    assert_int_equal(field_of(&schema, "Modern", "mood")->presence, P2E_PRESENCE_IMPLICIT);
    assert_true(field_of(&schema, "Modern.ByIdEntry", "value")->message != NULL);
    p2e_schema_free(&schema);
}

// ---- Look-up ------------------------------------------------------------------------------------

static void test_lookup(void **state)
{
    struct p2e_schema schema;
    struct p2e_error err;
    (void)state;
    load(DATA "proto2.proto", &schema);
    const struct p2e_message *m = p2e_schema_message(&schema, "test.two.Everything");
    assert_ptr_equal(p2e_schema_message(&schema, ".test.two.Everything"), m);
    assert_ptr_equal(&schema.messages[m->index], m);
    assert_null(p2e_schema_message(&schema, "Everything"));
    assert_null(p2e_schema_message(&schema, ""));
    assert_null(p2e_schema_message(&schema, "test.two.Level"));
    assert_null(p2e_message_field(m, "nothing"));

    const struct p2e_enum *level = p2e_schema_enum(&schema, "test.two.Level");
    assert_non_null(level);
    assert_ptr_equal(p2e_schema_enum(&schema, ".test.two.Level"), level);
    assert_null(p2e_schema_enum(&schema, "test.two.Everything"));
    assert_int_equal(p2e_enum_value(level, "HIGH")->number, -1);
    assert_null(p2e_enum_value(level, "high"));

    assert_ptr_equal(p2e_schema_require(&schema, ".test.two.Everything", &err), m);
    assert_null(p2e_schema_require(&schema, "Everything", &err));
    assert_string_equal(err.text, "the schema has no message \"Everything\"; did you mean "
                                  "\"test.two.Everything\"?");
    assert_null(p2e_schema_require(&schema, "test.two.Everyting", &err));
    assert_string_equal(err.text, "the schema has no message \"test.two.Everyting\"; did you mean "
                                  "\"test.two.Everything\"?");
    assert_null(p2e_schema_require(&schema, "x", &err));
    assert_string_equal(err.text, "the schema has no message \"x\"");
    p2e_schema_free(&schema);
}

static void test_empty_set(void **state)
{
    struct p2e_schema schema;
    struct p2e_error err;
    (void)state;
    assert_int_equal(p2e_schema_parse("", 0, &schema, &err), 0);
    assert_int_equal(schema.message_count, 0);
    assert_string_equal(schema.digest,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_null(p2e_schema_message(&schema, "M"));
    assert_null(p2e_schema_require(&schema, "M", &err));
    p2e_schema_free(&schema);
}

// Thousands of messages, fields and enum values, each of which is found.
static void test_large(void **state)
{
    enum { COUNT = 10000 };
    char name[64], path[] = "/tmp/p2e-test-XXXXXX", file[64];
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    struct p2e_schema schema;
    (void)state;
    p2e_buffer_puts(&text, "syntax = \"proto3\";\npackage big;\nenum E { V0 = 0;");
    for (int i = 1; i < COUNT; i++)
        p2e_buffer_printf(&text, "V%d = %d;", i, i);
    p2e_buffer_puts(&text, "}\nmessage Fields {");
    for (int i = 1; i < COUNT; i++)
        p2e_buffer_printf(&text, "M%d f%d = %d;", i, i, i);
    p2e_buffer_puts(&text, "}\n");
    for (int i = 1; i < COUNT; i++)
        p2e_buffer_printf(&text, "message M%d { E e = 1; }\n", i);
    assert_non_null(mkdtemp(path));
    write_file(path, "big.proto", text.data, text.size);
    snprintf(file, sizeof(file), "%s/big.proto", path);
    load(file, &schema);

    const struct p2e_message *fields = p2e_schema_message(&schema, "big.Fields");
    assert_int_equal(fields->field_count, COUNT - 1);
    for (int i = 1; i < COUNT; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        const struct p2e_field *f = p2e_message_field(fields, name);
        assert_int_equal(f->number, i);
        snprintf(name, sizeof(name), "big.M%d", i);
        assert_ptr_equal(f->message, p2e_schema_message(&schema, name));
        snprintf(name, sizeof(name), "V%d", i);
        assert_int_equal(p2e_enum_value(f->message->fields[0].enumeration, name)->number, i);
    }
    p2e_schema_free(&schema);
    remove_dir(path);
}

// ---- What protoc would never write --------------------------------------------------------------

#define FILE2(content)            "file { name: \"a.proto\" package: \"p\" " content " }"
#define FILE3(content)            FILE2("syntax: \"proto3\" " content)
#define MESSAGE2(content)         FILE2("message_type { name: \"M\" " content " }")
#define MESSAGE3(content)         FILE3("message_type { name: \"M\" " content " }")
#define FIELD(name, number, rest) "field { name: \"" name "\" number: " number " " rest " }"
#define INT32(name, number)       FIELD(name, number, "label: LABEL_OPTIONAL type: TYPE_INT32")
#define EXTENSION(name, extendee, number, rest)                                                    \
    "extension { name: \"" name "\" extendee: \"" extendee "\" number: " number                    \
    " type: TYPE_INT32 " rest " }"
#define ENTRY(fields) "nested_type { name: \"E\" options { map_entry: true } " fields " }"

// `error` is the beginning of the error; NULL when the set is good.
static const struct {
    const char *set, *error;
} sets[] = {
    {FILE2(""), NULL},
    {MESSAGE2(INT32("a", "1") INT32("b", "2")), NULL},
    // Names
    {MESSAGE2("") " " FILE2("message_type { name: \"M\" }"), "type \"p.M\" is declared twice"},
    {FILE2(
         "message_type { name: \"M\" } enum_type { name: \"M\" value { name: \"A\" number: 0 } }"),
     "type \"p.M\" is declared twice"},
    {FILE2("message_type { }"), "a type in \"a.proto\" has a name that is not an identifier"},
    {FILE2("message_type { name: \"a b\" }"),
     "a type in \"a.proto\" has a name that is not an identifier"},
    {FILE2("message_type { name: \"1a\" }"),
     "a type in \"a.proto\" has a name that is not an identifier"},
    {FILE2("message_type { name: \"a\\000b\" }"), "a name or a default value holds a NUL byte"},
    {"file { package: \"a..b\" }", "a package name is not made of identifiers and dots"},
    {"file { package: \".a\" }", "a package name is not made of identifiers and dots"},
    {"file { package: \"a.\" }", "a package name is not made of identifiers and dots"},
    {"file { package: \"a.1\" }", "a package name is not made of identifiers and dots"},
    {MESSAGE2(INT32("a b", "1")), "message p.M has a field without a proper name"},
    {MESSAGE2(INT32("", "1")), "message p.M has a field without a proper name"},
    {MESSAGE2(INT32("a", "1") INT32("a", "2")), "message p.M has two fields \"a\""},
    // Syntax
    {"file { name: \"e.proto\" syntax: \"editions\" }",
     "\"e.proto\" uses protobuf editions and does not say which one"},
    {"file { syntax: \"proto4\" }", "a file's syntax is neither proto2 nor proto3"},
    {"file { syntax: \"proto2\" }", NULL},
    // Numbers
    {MESSAGE2(INT32("a", "1") INT32("b", "1")), "message p.M has number 1 twice: fields a and b"},
    {MESSAGE2(INT32("a", "0")), "field p.M.a has number 0, which is out of range"},
    {MESSAGE2(INT32("a", "-1")), "field p.M.a has number -1, which is out of range"},
    {MESSAGE2(INT32("a", "536870911")), NULL},
    {MESSAGE2(INT32("a", "536870912")), "field p.M.a has number 536870912, which is out of range"},
    {MESSAGE2(INT32("a", "18999") INT32("b", "20000")), NULL},
    {MESSAGE2(INT32("a", "19000")), "field p.M.a has number 19000, which is out of range"},
    {MESSAGE2(INT32("a", "19999")), "field p.M.a has number 19999, which is out of range"},
    {MESSAGE2("field { name: \"a\" type: TYPE_INT32 }"),
     "field p.M.a has number 0, which is out of range"},
    // Types
    {MESSAGE2(FIELD("a", "1", "type: TYPE_MESSAGE type_name: \".p.M\"")), NULL},
    {MESSAGE2(FIELD("a", "1", "type_name: \".p.M\"")), NULL},
    {MESSAGE2(FIELD("a", "1", "type: TYPE_MESSAGE type_name: \".p.X\"")),
     "field p.M.a refers to type \".p.X\", which is not in the schema"},
    {MESSAGE2(FIELD("a", "1", "type: TYPE_ENUM type_name: \".p.M\"")),
     "field p.M.a refers to type \".p.M\", which is not in the schema"},
    {MESSAGE2(FIELD("a", "1", "type_name: \".p.X\"")),
     "field p.M.a refers to type \".p.X\", which is not in the schema"},
    {MESSAGE2(FIELD("a", "1", "type: TYPE_MESSAGE type_name: \"M\"")),
     "field p.M.a does not name its type in full"},
    {MESSAGE2(FIELD("a", "1", "type: TYPE_MESSAGE")), "field p.M.a does not name its type in full"},
    {MESSAGE2(FIELD("a", "1", "")), "field p.M.a has no type"},
    {MESSAGE2(FIELD("a", "1", "type: TYPE_INT32 type_name: \".p.M\"")),
     "field p.M.a is of a scalar type, yet it names a type"},
    // Labels and presence
    {MESSAGE3(FIELD("a", "1", "label: LABEL_REQUIRED type: TYPE_INT32")),
     "field p.M.a is required or a group"},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_GROUP type_name: \".p.M\"")),
     "field p.M.a is required or a group"},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 proto3_optional: true")),
     "field p.M.a is marked as proto3 optional"},
    {MESSAGE2(FIELD(
         "a", "1",
         "type: TYPE_INT32 proto3_optional: true oneof_index: 0") "oneof_decl { name: \"_a\" }"),
     "field p.M.a is marked as proto3 optional"},
    {MESSAGE3(FIELD(
         "a", "1",
         "type: TYPE_INT32 proto3_optional: true oneof_index: 0") "oneof_decl { name: \"_a\" }"),
     NULL},
    // Oneofs
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 oneof_index: 0") "oneof_decl { name: \"o\" }"),
     NULL},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 oneof_index: 1") "oneof_decl { name: \"o\" }"),
     "message p.M refers to a oneof that it does not have"},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 oneof_index: -1") "oneof_decl { name: \"o\" }"),
     "message p.M refers to a oneof that it does not have"},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 oneof_index: 0")),
     "message p.M refers to a oneof that it does not have"},
    {MESSAGE3("oneof_decl { name: \"o\" }"),
     "message p.M has a oneof without a proper name or fields"},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 oneof_index: 0") "oneof_decl { }"),
     "message p.M has a oneof without a proper name or fields"},
    {MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 proto3_optional: true oneof_index: 0")
                  FIELD("b", "2", "type: TYPE_INT32 oneof_index: 0") "oneof_decl { name: \"_a\" }"),
     "message p.M has a oneof without a proper name or fields"},
    {MESSAGE3(FIELD(
         "a", "1",
         "label: LABEL_REPEATED type: TYPE_INT32 oneof_index: 0") "oneof_decl { name: \"o\" }"),
     "field p.M.a is in a oneof"},
    // Enums
    {FILE2("enum_type { name: \"E\" }"), "enum p.E has no values"},
    {FILE2("enum_type { name: \"E\" value { name: \"A\" } }"),
     "enum p.E has a value without a proper name or number"},
    {FILE2("enum_type { name: \"E\" value { number: 1 } }"),
     "enum p.E has a value without a proper name or number"},
    {FILE2("enum_type { name: \"E\" value { name: \"A\" number: 1 } }"), NULL},
    {FILE3("enum_type { name: \"E\" value { name: \"A\" number: 1 } }"),
     "enum p.E: the first value of a proto3 enum must be 0"},
    {FILE2("enum_type { name: \"E\" value { name: \"A\" number: 1 } "
           "value { name: \"A\" number: 2 } }"),
     "enum p.E has two values \"A\""},
    {FILE2("enum_type { name: \"E\" value { name: \"A\" number: 1 } "
           "value { name: \"B\" number: 1 } }"),
     NULL},
    // Maps
    {MESSAGE2(ENTRY(INT32("key", "1") INT32("value", "2")) FIELD(
         "m", "1", "label: LABEL_REPEATED type: TYPE_MESSAGE type_name: \".p.M.E\"")),
     NULL},
    {MESSAGE2(ENTRY(INT32("key", "1") INT32("value", "2"))
                  FIELD("m", "1", "type: TYPE_MESSAGE type_name: \".p.M.E\"")),
     "field p.M.m is of a map entry type, and it is no map"},
    {MESSAGE2(ENTRY(INT32("key", "1") INT32("value", "2"))
                  FIELD("m", "1", "label: LABEL_REPEATED type: TYPE_GROUP type_name: \".p.M.E\"")),
     "field p.M.m is of a map entry type, and it is no map"},
    {MESSAGE2(ENTRY(INT32("key", "1"))), "map entry p.M.E has not just a key and a value"},
    {MESSAGE2(ENTRY(INT32("key", "1") INT32("value", "3"))),
     "map entry p.M.E has not just a key and a value"},
    {MESSAGE2(ENTRY(INT32("key", "1") INT32("value", "2") INT32("more", "3"))),
     "map entry p.M.E has not just a key and a value"},
    {MESSAGE2(ENTRY(FIELD("key", "1", "type: TYPE_BYTES") INT32("value", "2"))),
     "map entry p.M.E has not just a key and a value"},
    {MESSAGE2(ENTRY(FIELD("key", "1", "type: TYPE_FLOAT") INT32("value", "2"))),
     "map entry p.M.E has not just a key and a value"},
    {MESSAGE2(
         ENTRY(INT32("key", "1") FIELD("value", "2", "label: LABEL_REPEATED type: TYPE_INT32"))),
     "map entry p.M.E has not just a key and a value"},
    // Extensions
    {MESSAGE2(INT32("a", "1") EXTENSION("x", ".p.M", "2", "")), NULL},
    {MESSAGE2(EXTENSION("x", ".other.M", "2", "")), NULL},
    {FILE3(EXTENSION("x", ".p.M", "2", "proto3_optional: true") "message_type { name: \"M\" }"),
     NULL},
    {FILE2(EXTENSION("x", ".p.M\\000", "2", "")), "a name or a default value holds a NUL byte"},
    {MESSAGE2(EXTENSION("x", "M", "2", "")), "an extension does not name the message"},
    {MESSAGE2("extension { name: \"x\" number: 2 type: TYPE_INT32 }"),
     "an extension does not name the message"},
    {MESSAGE2(EXTENSION("", ".p.M", "2", "")),
     "message p.M has an extension without a proper name"},
    {MESSAGE2(EXTENSION("x", ".p.M", "0", "")),
     "extension p.M.x has number 0, which is out of range"},
    {MESSAGE2(EXTENSION("x", ".p.M", "536870912", "")),
     "extension p.M.x has number 536870912, which is out of range"},
    {MESSAGE2("options { message_set_wire_format: true }" EXTENSION("x", ".p.M", "536870912", "")),
     NULL},
    {MESSAGE2(INT32("a", "2") EXTENSION("x", ".p.M", "2", "")),
     "message p.M has number 2 twice: a and extension p.M.x"},
    {MESSAGE2(EXTENSION("x", ".p.M", "2", "") EXTENSION("y", ".p.M", "2", "")),
     "message p.M has number 2 twice: p.M."},
    {MESSAGE2(EXTENSION("x", ".p.M", "2", "label: LABEL_REQUIRED")),
     "extension p.M.x is required, which lists and extensions cannot be"},
    {MESSAGE2(EXTENSION("x", ".p.M", "2", "oneof_index: 0")),
     "extension p.M.x is in a oneof, where an extension cannot be"},
    {MESSAGE2(EXTENSION("x", ".p.M\\000", "2", "")), "a name or a default value holds a NUL byte"},
    {MESSAGE2("extension { name: \"x\" extendee: \".p.M\" number: 2 type_name: \".p.X\" }"),
     "extension p.M.x refers to type \".p.X\", which is not in the schema"},
    // Message sets
    {MESSAGE2("options { message_set_wire_format: true }"), NULL},
    {MESSAGE2("options { message_set_wire_format: true }" INT32("a", "1")),
     "message p.M has the message set format and fields of its own"},
};

// Calls p2e_schema_parse on a copy without slack, so that reading past its end is seen.
static int parse_exact(const void *data, size_t size, struct p2e_schema *schema,
                       struct p2e_error *err)
{
    _cleanup_free_ void *copy = malloc(size ? size : 1);
    if (size > 0)
        memcpy(copy, data, size);
    return p2e_schema_parse(copy, size, schema, err);
}

static void test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
        struct p2e_schema schema;
        struct p2e_error err = {.text = ""};
        encode_set(sets[i].set, &set);
        int failed = parse_exact(set.data, set.size, &schema, &err);
        if ((failed != 0) != (sets[i].error != NULL) ||
            (failed && strncmp(err.text, sets[i].error, strlen(sets[i].error)) != 0))
            fail_msg("%s: %s", sets[i].set, err.text);
        assert_true(!failed || !schema.memory);
        p2e_schema_free(&schema);
    }
}

// ---- Default values -----------------------------------------------------------------------------

#define NO UINT64_C(0xbad) // not a value of the type

static void test_defaults(void **state)
{
    static const struct {
        const char *type, *text;
        uint64_t bits;
    } rows[] = {
        {"INT32", "2147483647", 0x7fffffff},
        {"INT32", "2147483648", NO},
        {"INT32", "-2147483648", 0xffffffff80000000},
        {"INT32", "-2147483649", NO},
        {"INT32", "", NO},
        {"INT32", "-", NO},
        {"INT32", " 1", NO},
        {"INT32", "1 ", NO},
        {"INT32", "+1", NO},
        {"INT32", "0x10", NO},
        {"INT32", "--1", NO},
        {"INT64", "9223372036854775807", INT64_MAX},
        {"INT64", "9223372036854775808", NO},
        {"SFIXED64", "-9223372036854775808", UINT64_C(1) << 63},
        {"SINT64", "-9223372036854775809", NO},
        {"UINT32", "4294967295", 0xffffffff},
        {"UINT32", "4294967296", NO},
        {"UINT32", "-1", NO},
        {"FIXED32", "-0", NO},
        {"UINT64", "18446744073709551615", UINT64_MAX},
        {"FIXED64", "18446744073709551616", NO},
        {"BOOL", "true", 1},
        {"BOOL", "false", 0},
        {"BOOL", "1", NO},
        {"BOOL", "", NO},
        {"DOUBLE", "1", 0x3ff0000000000000},
        {"DOUBLE", "-0", 0x8000000000000000},
        {"DOUBLE", ".5", 0x3fe0000000000000},
        {"DOUBLE", "1e+300", 0x7e37e43c8800759c},
        {"DOUBLE", "inf", 0x7ff0000000000000},
        {"DOUBLE", "-inf", 0xfff0000000000000},
        {"DOUBLE", "nan", 0x7ff8000000000000},
        {"DOUBLE", "-nan", 0xfff8000000000000},
        {"DOUBLE", "infinity", NO},
        {"DOUBLE", "nan(1)", NO},
        {"DOUBLE", "0x1p3", NO},
        {"DOUBLE", "", NO},
        {"DOUBLE", "-", NO},
        {"DOUBLE", "1e", NO},
        {"DOUBLE", " 1", NO},
        {"DOUBLE", "1.5.5", NO},
        {"FLOAT", "3.4028235e+38", 0x7f7fffff},
        {"FLOAT", "1e+39", 0x7f800000},
        {"FLOAT", "-inf", 0xff800000},
        {"FLOAT", "nan", 0x7fc00000},
        {"FLOAT", "16777217", 0x4b800000},
        {"MESSAGE type_name: \".p.M\"", "x", NO},
        {"ENUM type_name: \".p.E\"", "B", UINT64_MAX},
        {"ENUM type_name: \".p.E\"", "A", 7},
        {"ENUM type_name: \".p.E\"", "C", NO},
        {"ENUM type_name: \".p.E\"", "7", NO},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0}, set = {0};
        p2e_buffer_printf(&text,
                          FILE2("message_type { name: \"M\" field { name: \"a\" number: 1 "
                                "type: TYPE_%s default_value: \"%s\" } } enum_type { name: \"E\" "
                                "value { name: \"A\" number: 7 } value { name: \"B\" number: -1 } "
                                "}"),
                          rows[i].type, rows[i].text);
        encode_set(text.data, &set);
        struct p2e_schema schema;
        struct p2e_error err;
        int failed = p2e_schema_parse(set.data, set.size, &schema, &err);
        if ((failed != 0) != (rows[i].bits == NO))
            fail_msg("%s \"%s\": %d", rows[i].type, rows[i].text, failed);
        if (failed)
            assert_non_null(strstr(err.text, "default value"));
        else if (field_of(&schema, "p.M", "a")->default_bits != rows[i].bits)
            fail_msg("%s \"%s\": %llx", rows[i].type, rows[i].text,
                     (unsigned long long)field_of(&schema, "p.M", "a")->default_bits);
        p2e_schema_free(&schema);
    }
}

static void test_default_escapes(void **state)
{
    static const struct {
        const char *type, *text, *value; // value NULL: refused
        size_t size;
    } rows[] = {
        {"BYTES", "\\\\a\\\\b\\\\f\\\\n\\\\r\\\\t\\\\v\\\\\\\\\\\\'\\\\\\\"\\\\?",
         "\a\b\f\n\r\t\v\\'\"?", 11},
        {"BYTES", "\\\\000\\\\1\\\\12\\\\377x", "\0\1\12\377x", 5},
        {"BYTES", "\\\\x41\\\\xfFf\\\\X4g",
         "A\xff"
         "f\4g",
         5},
        {"BYTES", "\\\\1234", "S4", 2},
        {"BYTES", "\\\\400", NULL, 0},
        {"BYTES", "\\\\x", NULL, 0},
        {"BYTES", "\\\\q", NULL, 0},
        {"BYTES", "\\\\", NULL, 0},
        {"STRING", "\\\\n", "\\n", 2},
        {"STRING", "caf\303\251", "caf\303\251", 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0}, set = {0};
        p2e_buffer_printf(&text,
                          MESSAGE2("field { name: \"a\" number: 1 type: TYPE_%s "
                                   "default_value: \"%s\" }"),
                          rows[i].type, rows[i].text);
        encode_set(text.data, &set);
        struct p2e_schema schema;
        struct p2e_error err;
        int failed = p2e_schema_parse(set.data, set.size, &schema, &err);
        if ((failed != 0) != (rows[i].value == NULL))
            fail_msg("%s \"%s\": %d", rows[i].type, rows[i].text, failed);
        if (!failed) {
            const struct p2e_field *a = field_of(&schema, "p.M", "a");
            assert_int_equal(a->default_size, rows[i].size);
            assert_memory_equal(a->default_text, rows[i].value, rows[i].size);
        }
        p2e_schema_free(&schema);
    }
}

static void test_misplaced_defaults(void **state)
{
    static const char *const rows[] = {
        MESSAGE3(FIELD("a", "1", "type: TYPE_INT32 default_value: \"1\"")),
        MESSAGE2(FIELD("a", "1", "label: LABEL_REPEATED type: TYPE_INT32 default_value: \"1\"")),
        MESSAGE2(FIELD("a", "1", "type: TYPE_MESSAGE type_name: \".p.M\" default_value: \"\"")),
        MESSAGE2(FIELD("a", "1", "type: TYPE_STRING default_value: \"a\\000b\"")),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
        struct p2e_schema schema;
        struct p2e_error err;
        encode_set(rows[i], &set);
        assert_int_equal(p2e_schema_parse(set.data, set.size, &schema, &err), -1);
        assert_non_null(strstr(err.text, "default value"));
    }
}

// ---- Bytes that are no set ----------------------------------------------------------------------

// A set with message types nested `depth` deep, put together from the inside out.
static void nest(size_t depth, struct p2e_buffer *set)
{
    size_t room = 16 * depth + 64, at = room;
    _cleanup_free_ uint8_t *bytes = malloc(room);
    for (size_t level = 0; level <= depth; level++) {
        // name = "M" of each message, then its tag and length in what is around it
        size_t size = room - at;
        if (level < depth) {
            at -= 3;
            memcpy(bytes + at, "\x0a\x01M", 3);
            size += 3;
        }
        uint8_t varint[5];
        size_t length = 0;
        for (size_t rest = size; length == 0 || rest; rest >>= 7)
            varint[length++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        at -= length;
        memcpy(bytes + at, varint, length);
        // nested_type = 3 of a message, message_type = 4 of the file, file = 1 of the set
        bytes[--at] = level == depth ? 0x0a : level + 1 == depth ? 0x22 : 0x1a;
    }
    p2e_buffer_add(set, bytes + at, room - at);
}

static void test_nesting(void **state)
{
    static const struct {
        size_t depth;
        bool good;
    } rows[] = {{1, true}, {2, true}, {64, true}, {65, false}, {100000, false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
        struct p2e_schema schema;
        struct p2e_error err;
        nest(rows[i].depth, &set);
        int failed = parse_exact(set.data, set.size, &schema, &err);
        assert_int_equal(failed == 0, rows[i].good);
        if (failed)
            assert_string_equal(err.text, "message types are nested more than 64 deep");
        else
            assert_int_equal(schema.message_count, rows[i].depth);
        p2e_schema_free(&schema);
    }
}

static void test_not_a_set(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\x7f"
         "ELF",
         4},                                                      // some other file
        {"syntax = \"proto3\";", 18},                             // a source without its ending
        {"\x0a\x05", 2},                                          // cut short
        {"\x0a\xff\xff\xff\xff\x0f", 6},                          // a length beyond the end
        {"\x0a\xff\xff\xff\xff\xff\x01", 7},                      // a length over 32 bits
        {"\x8a\x80\x80\x80\x80\x00\x00", 7},                      // a tag of six bytes
        {"\x8a\x80\x80\x80\x10\x00", 6},                          // a tag over 32 bits
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, // a varint of eleven
        {"\x0b\x0c", 2},                                          // a group
        {"\x0e", 1},                                              // wire type 6
        {"\x09\x01", 2},                                          // 64 bits, cut short
        {"\x0d\x01", 2},                                          // 32 bits, cut short
        {"\x0a\x02\x22\x05", 4},                                  // a message beyond its file
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p2e_schema schema;
        struct p2e_error err = {.text = ""};
        assert_int_equal(parse_exact(rows[i].bytes, rows[i].size, &schema, &err), -1);
        assert_non_null(strstr(err.text, "not a FileDescriptorSet"));
    }
}

// Comments and services are not looked into, whatever they hold.
static void test_ballast(void **state)
{
    static const char set[] = "\x0a\x11\x0a\x01\x61\x4a\x02\xff\xff\x32\x01\xff\x22\x05\x0a\x03"
                              "One";
    struct p2e_schema schema;
    struct p2e_error err;
    (void)state;
    assert_int_equal(parse_exact(set, sizeof(set) - 1, &schema, &err), 0);
    assert_non_null(p2e_schema_message(&schema, "One"));
    p2e_schema_free(&schema);
}

static void test_enum_numbers(void **state)
{
    struct p2e_schema schema;
    (void)state;
    load(DATA "proto2.proto", &schema);
    const struct p2e_enum *level = p2e_schema_enum(&schema, "test.two.Level");
    assert_string_equal(p2e_enum_number(level, -1)->name, "HIGH");
    assert_string_equal(p2e_enum_number(level, 2)->name, "LOW");
    assert_null(p2e_enum_number(level, 0));
    const struct p2e_message *m = p2e_schema_message(&schema, "test.two.Everything");
    assert_string_equal(p2e_message_number(m, 6)->name, "int32");
    assert_null(p2e_message_number(m, 99));
    assert_null(p2e_message_extension(m, 6));
    p2e_schema_free(&schema);
}

static void test_too_large(void **state)
{
    size_t size = ((size_t)64 << 20) + 1;
    _cleanup_free_ char *data = calloc(1, size);
    struct p2e_schema schema;
    struct p2e_error err;
    (void)state;
    assert_int_equal(p2e_schema_parse(data, size, &schema, &err), -1);
    assert_string_equal(err.text, "the schema is larger than 64 MiB");
}

// Fills a set's only file's field `part` with `unit` after `unit`, up to the largest size.
static void *fill(uint8_t part, const char *unit, size_t unit_size, size_t *size)
{
    enum { HEADER = 10 }; // two tags and two lengths of four bytes
    *size = HEADER + (((size_t)64 << 20) - HEADER) / unit_size * unit_size;
    uint8_t *data = malloc(*size), *at = data;
    assert_non_null(data);
    for (unsigned depth = 0; depth < 2; depth++) {
        size_t rest = *size - (size_t)(at - data) - 5;
        *at++ = (uint8_t)((depth ? part : 1) << 3 | 2);
        for (unsigned i = 0; i < 4; i++, rest >>= 7)
            *at++ = (uint8_t)((rest & 0x7f) | (i < 3 ? 0x80 : 0));
    }
    assert_int_equal(at - data, HEADER);
    for (; at < data + *size; at += unit_size)
        memcpy(at, unit, unit_size);
    return data;
}

// Parsed in a process of its own, whose memory is measured.
static void parse_hostile(const void *data, size_t size)
{
    struct rusage used;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct p2e_schema schema;
        struct p2e_error err;
        _exit(p2e_schema_parse(data, size, &schema, &err) == 0 || strstr(err.text, "cut short"));
    }
    assert_int_equal(wait4(pid, &status, 0, &used), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
#ifndef __SANITIZE_ADDRESS__
    assert_true(used.ru_maxrss < 512 << 10);
#endif
}

// What is small in a set and large in memory.
static void test_hostile(void **state)
{
    static const struct {
        uint8_t part; // of the file
        const char *unit;
        size_t size;
    } rows[] = {
        {4, "\x12\x00", 2},                  // fields that are empty
        {4, "\x1a\x03\x0a\x01M", 5},         // message types
        {4, "\x3a\x00", 2},                  // options
        {5, "\x12\x05\x0a\x01V\x10\x01", 7}, // enum values
        {7, "\x0a\x01x", 3},                 // an extension's names
        {8, "\xf8\x7f\x01", 3},              // unknown options
        {8, "\xba\x48\x00", 3},              // annotations
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size;
        _cleanup_free_ void *data = fill(rows[i].part, rows[i].unit, rows[i].size, &size);
        parse_hostile(data, size);
    }
}

// Every beginning of a set, and sets with changed bytes: an error or a model, never harm.
static void test_damaged(void **state)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
    struct p2e_schema schema;
    struct p2e_error err;
    uint32_t random = 7919;
    (void)state;
    encode_set(
        MESSAGE2(
            INT32("a", "1") FIELD("b", "2", "type: TYPE_BYTES default_value: \"\\\\377x\"")
                FIELD("c", "3", "type: TYPE_MESSAGE type_name: \".p.M.N\"")
                    FIELD("d", "4", "type: TYPE_INT32 oneof_index: 0") FIELD(
                        "e", "5",
                        "type: TYPE_ENUM type_name: \".p.M.E\"") "oneof_decl { name: \"o\" } "
                                                                 "nested_type { name: \"N\" } "
                                                                 "enum_type { name: \"E\" value "
                                                                 "{ name: \"A\" number: 1 } }"),
        &set);
    for (size_t size = 0; size < set.size; size++) {
        if (parse_exact(set.data, size, &schema, &err) == 0)
            p2e_schema_free(&schema);
    }
    for (int i = 0; i < 50000; i++) {
        char damaged[512];
        assert_true(set.size < sizeof(damaged));
        memcpy(damaged, set.data, set.size);
        for (int j = 0; j <= i % 3; j++) {
            random = random * 1103515245 + 12345;
            damaged[(random >> 8) % set.size] = (char)(random >> 24);
        }
        if (parse_exact(damaged, set.size, &schema, &err) == 0)
            p2e_schema_free(&schema);
    }
}

// ---- Files --------------------------------------------------------------------------------------

static void expect_load_error(const char *path, const char *error)
{
    struct p2e_schema schema;
    struct p2e_error err = {.text = ""};
    assert_int_equal(p2e_schema_load(path, NULL, 0, &schema, &err), -1);
    assert_null(schema.memory);
    if (!strstr(err.text, error))
        fail_msg("%s: %s", path, err.text);
}

static void test_files(void **state)
{
    char folder[] = "/tmp/p2e-test-XXXXXX", path[256];
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "bad.proto", "message {", 9);
    write_file(folder, "bad.desc", "\x0a\x05", 2);
    write_file(folder, "import.proto", "import \"no/such.proto\";", 23);

    snprintf(path, sizeof(path), "%s/none.proto", folder);
    expect_load_error(path, "none.proto\": No such file or directory");
    snprintf(path, sizeof(path), "%s/none.desc", folder);
    expect_load_error(path, "No such file or directory");
    snprintf(path, sizeof(path), "%s/bad.proto", folder);
    expect_load_error(path, "bad.proto:1:9: Expected message name.");
    snprintf(path, sizeof(path), "%s/bad.desc", folder);
    expect_load_error(path, "bad.desc\": not a FileDescriptorSet, or cut short");
    snprintf(path, sizeof(path), "%s/import.proto", folder);
    expect_load_error(path, "no/such.proto: File not found.");
    remove_dir(folder);
}

// A set that protoc wrote is read as its source is.
static void test_source_and_set(void **state)
{
    char folder[] = "/tmp/p2e-test-XXXXXX", command[512], path[256];
    struct p2e_schema source, set;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/set.desc", folder);
    snprintf(command, sizeof(command),
             "protoc --include_imports --descriptor_set_out=%s -I" DATA " -I" DATA "include " DATA
             "proto2.proto",
             path);
    assert_int_equal(system(command), 0);
    load(DATA "proto2.proto", &source);
    load(path, &set);
    assert_string_equal(source.digest, set.digest);
    assert_int_equal(source.message_count, set.message_count);
    p2e_schema_free(&source);
    p2e_schema_free(&set);
    remove_dir(folder);
}

static void test_odd_names(void **state)
{
    static const char source[] = "syntax = \"proto3\"; message M { int32 a = 1; }";
    char folder[] = "/tmp/p2e-test-XXXXXX", path[256];
    char old[4096];
    struct p2e_schema schema;
    struct p2e_error err;
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(old, sizeof(old)));
    write_file(folder, "--help.proto", source, sizeof(source) - 1);
    write_file(folder, "@a b;c$d.proto", source, sizeof(source) - 1);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(p2e_schema_load("--help.proto", NULL, 0, &schema, &err), 0);
    p2e_schema_free(&schema);
    assert_int_equal(p2e_schema_load("@a b;c$d.proto", NULL, 0, &schema, &err), 0);
    p2e_schema_free(&schema);
    assert_int_equal(chdir(old), 0);

    char *const colon[] = {"/tmp/a:b"}, *const equals[] = {"/tmp/a=b"};
    snprintf(path, sizeof(path), "%s/--help.proto", folder);
    assert_int_equal(p2e_schema_load(path, colon, 1, &schema, &err), -1);
    assert_non_null(strstr(err.text, "the folder \"/tmp/a:b\" has ':' or '='"));
    assert_int_equal(p2e_schema_load(path, equals, 1, &schema, &err), -1);
    remove_dir(folder);
}

// ---- protoc -------------------------------------------------------------------------------------

static void test_protoc(void **state)
{
    char folder[] = "/tmp/p2e-test-XXXXXX", script[256];
    static const char talks[] = "#!/bin/sh\nyes 'x.proto: no' | head -c 1000000 >&2\nexit 1\n";
    struct p2e_schema schema;
    (void)state;
    setenv("P2E_PROTOC", "p2e-no-such-protoc", 1);
    expect_load_error(DATA "proto3.proto", "p2e-no-such-protoc");
    expect_load_error(DATA "proto3.proto", "is not installed: a .proto file needs it; install the "
                                           "package protobuf-compiler");
    setenv("P2E_PROTOC", DATA, 1);
    expect_load_error(DATA "proto3.proto", ": Permission denied");
    setenv("P2E_PROTOC", "false", 1);
    expect_load_error(DATA "proto3.proto", "without a word");
    assert_non_null(mkdtemp(folder));
    write_file(folder, "talks", talks, sizeof(talks) - 1);
    snprintf(script, sizeof(script), "%s/talks", folder);
    assert_int_equal(chmod(script, 0755), 0);
    setenv("P2E_PROTOC", script, 1);
    expect_load_error(DATA "proto3.proto", "refuses \"" DATA "proto3.proto\":\nx.proto: no\n");
    setenv("P2E_PROTOC", "", 1);
    load(DATA "proto3.proto", &schema);
    p2e_schema_free(&schema);
    unsetenv("P2E_PROTOC");
    remove_dir(folder);
}

// Nothing is left behind, whether protoc likes the file or not.
static void test_temporary_file(void **state)
{
    char folder[] = "/tmp/p2e-test-XXXXXX";
    struct p2e_schema schema;
    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    load(DATA "proto3.proto", &schema);
    p2e_schema_free(&schema);
    assert_int_equal(count_files(folder), 0);
    expect_load_error(DATA "proto3.proto", "File not found"); // no include path
    assert_int_equal(count_files(folder), 0);
    setenv("P2E_PROTOC", "p2e-no-such-protoc", 1);
    expect_load_error(DATA "proto3.proto", "not installed");
    assert_int_equal(count_files(folder), 0);
    unsetenv("P2E_PROTOC");
    setenv("TMPDIR", "/tmp/p2e-no-such-folder", 1);
    expect_load_error(DATA "proto3.proto", "cannot make a temporary file /tmp/p2e-no-such-folder/");
    unsetenv("TMPDIR");
    remove_dir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proto2_fields),
        cmocka_unit_test(test_proto2_texts),
        cmocka_unit_test(test_types_and_oneofs),
        cmocka_unit_test(test_proto3),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_empty_set),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_default_escapes),
        cmocka_unit_test(test_misplaced_defaults),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_not_a_set),
        cmocka_unit_test(test_ballast),
        cmocka_unit_test(test_enum_numbers),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_source_and_set),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_protoc),
        cmocka_unit_test(test_temporary_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
