// The annotations of messages, fields and oneofs: kept as bytes, decoded by the types that the set
// itself brings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/dynamic.h"
#include "tests/compiler/encode.h"

#define DATA "tests/data/schema/"

static char *const includes[] = {DATA "include", "tests/data"};

// ---- Help ---------------------------------------------------------------------------------------

// Decodes an annotation by the type of option `number` of google.protobuf.`options`.
static const struct p2e_dynamic *decode(const struct p2e_schema *schema, const char *options,
                                        uint32_t number, struct p2e_bytes bytes,
                                        struct p2e_arena *arena)
{
    char name[64];
    const struct p2e_dynamic *m;
    struct p2e_error err;
    snprintf(name, sizeof(name), "google.protobuf.%s", options);
    const struct p2e_message *extended = p2e_schema_message(schema, name);
    assert_non_null(extended);
    const struct p2e_field *extension = p2e_message_extension(extended, number);
    assert_true(extension && extension->extension && extension->message);
    assert_ptr_equal(extension->parent, extended);
    if (p2e_dynamic_decode(extension->message, bytes, arena, &m, &err) < 0)
        fail_msg("%s", err.text);
    return m;
}

// The field that `path` leads to, single message after single message; *m becomes what it is in.
static const struct p2e_field *follow(const struct p2e_schema *schema, const char *type,
                                      const char *path, const struct p2e_dynamic **m)
{
    const struct p2e_message *message = p2e_schema_message(schema, type);
    for (;;) {
        char name[32] = "";
        size_t size = strcspn(path, "/");
        assert_true(size < sizeof(name));
        memcpy(name, path, size);
        const struct p2e_field *field = p2e_message_field(message, name);
        if (!field)
            fail_msg("no field %s in %s", name, message->full_name);
        if (!path[size])
            return field;
        *m = p2e_dynamic_get(*m, field).message;
        message = field->message;
        path += size + 1;
    }
}

#define FIELD_RULES "buf.validate.FieldRules"

static const struct p2e_field *order_field(const struct p2e_schema *schema, const char *name)
{
    return p2e_message_field(p2e_schema_message(schema, "test.annotated.Order"), name);
}

static const struct p2e_dynamic *field_rules(const struct p2e_schema *schema, const char *name,
                                             struct p2e_arena *arena)
{
    return decode(schema, "FieldOptions", 1159, order_field(schema, name)->validate, arena);
}

static const char *text_at(const struct p2e_dynamic *m, const struct p2e_field *field, size_t index)
{
    assert_true(index < p2e_dynamic_size(m, field));
    return p2e_dynamic_at(m, field, index).text.data;
}

// ---- A source of our own ------------------------------------------------------------------------

static struct p2e_schema schema;

static int setup(void **state)
{
    struct p2e_error err;
    (void)state;
    return p2e_schema_load(DATA "annotated.proto", includes, 2, &schema, &err);
}

static int teardown(void **state)
{
    (void)state;
    p2e_schema_free(&schema);
    return 0;
}

static void test_fields(void **state)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)1 << 20};
    (void)state;
    const struct p2e_dynamic *m = field_rules(&schema, "price", &arena);
    assert_int_equal(p2e_dynamic_get(m, follow(&schema, FIELD_RULES, "int32/gte", &m)).integer, -5);
    const struct p2e_field *in = follow(&schema, "buf.validate.Int32Rules", "in", &m);
    assert_int_equal(p2e_dynamic_size(m, in), 3);
    assert_int_equal(p2e_dynamic_at(m, in, 2).integer, 3);

    m = field_rules(&schema, "name", &arena);
    assert_true(p2e_dynamic_get(m, follow(&schema, FIELD_RULES, "required", &m)).boolean);
    assert_int_equal(
        p2e_dynamic_get(m, follow(&schema, FIELD_RULES, "string/min_len", &m)).uinteger, 1);

    m = field_rules(&schema, "counts", &arena);
    const struct p2e_field *prefix = follow(&schema, FIELD_RULES, "map/keys/string/prefix", &m);
    assert_string_equal(p2e_dynamic_get(m, prefix).text.data, "a");
    m = field_rules(&schema, "tags", &arena);
    const struct p2e_field *max_len =
        follow(&schema, FIELD_RULES, "repeated/items/string/max_len", &m);
    assert_int_equal(p2e_dynamic_get(m, max_len).uinteger, 8);
}

static void test_messages_and_oneofs(void **state)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)1 << 20};
    const struct p2e_message *order = p2e_schema_message(&schema, "test.annotated.Order");
    (void)state;
    const struct p2e_dynamic *m = decode(&schema, "MessageOptions", 1159, order->validate, &arena);
    assert_string_equal(
        text_at(m, follow(&schema, "buf.validate.MessageRules", "cel_expression", &m), 0),
        "this.price != 13");
    const struct p2e_field *cel = follow(&schema, "buf.validate.MessageRules", "cel", &m);
    const struct p2e_dynamic *rule = p2e_dynamic_at(m, cel, 0).message;
    assert_string_equal(p2e_dynamic_get(rule, p2e_message_field(cel->message, "id")).text.data,
                        "order.total");

    assert_int_equal(order->oneof_count, 1);
    m = decode(&schema, "OneofOptions", 1159, order->oneofs[0].validate, &arena);
    assert_true(
        p2e_dynamic_get(m, follow(&schema, "buf.validate.OneofRules", "required", &m)).boolean);
}

static void test_none(void **state)
{
    const struct p2e_message *rule = p2e_schema_message(&schema, "buf.validate.Rule");
    (void)state;
    assert_null(order_field(&schema, "free")->validate.data);
    assert_null(order_field(&schema, "price")->predefined.data);
    assert_null(order_field(&schema, "street")->validate.data);
    assert_null(rule->validate.data);
    assert_int_equal(rule->extension_count, 0);
}

// An extension of the rules is no field of them, yet it is found, decoded, and has its own rule.
static void test_predefined(void **state)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)1 << 20};
    const struct p2e_message *rules = p2e_schema_message(&schema, "buf.validate.StringRules");
    (void)state;
    assert_int_equal(rules->extension_count, 2);
    assert_string_equal(rules->extensions[0].name, "test.rules.Scope.numbers");
    assert_int_equal(rules->extensions[0].number, 2000);
    const struct p2e_field *forbidden = &rules->extensions[1];
    assert_string_equal(forbidden->name, "test.rules.forbidden");
    assert_ptr_equal(p2e_message_extension(rules, 2001), forbidden);
    assert_null(p2e_message_extension(rules, 2002));
    assert_null(p2e_message_number(rules, 2001));
    assert_null(p2e_message_field(rules, "forbidden"));

    const struct p2e_dynamic *m = field_rules(&schema, "name", &arena);
    follow(&schema, FIELD_RULES, "string/min_len", &m);
    assert_string_equal(p2e_dynamic_get(m, forbidden).text.data, "x");
    assert_false(p2e_dynamic_has(m, &rules->extensions[0]));
    m = decode(&schema, "FieldOptions", 1160, forbidden->predefined, &arena);
    assert_int_equal(
        p2e_dynamic_size(m, follow(&schema, "buf.validate.PredefinedRules", "cel", &m)), 1);

    const struct p2e_message *int32 = p2e_schema_message(&schema, "buf.validate.Int32Rules");
    assert_non_null(p2e_message_field(int32, "const")->predefined.data);
    assert_null(p2e_message_field(int32, "lt")->predefined.data);
}

// ---- Sets that protoc would not write -----------------------------------------------------------

// Occurrences follow one another, and an empty one is not none.
static void test_occurrences(void **state)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
    struct p2e_schema split;
    struct p2e_error err;
    (void)state;
    encode(
        DATA, "set.proto", "test.set.Set",
        "file { message { name: \"M\" options { validate: \"a\" validate: \"\" validate: \"bc\" } "
        "field { name: \"f\" number: 1 label: 1 type: 5 options { validate: \"\" "
        "predefined: \"d\" predefined: \"e\" } } } }",
        &set);
    assert_int_equal(p2e_schema_parse(set.data, set.size, &split, &err), 0);
    const struct p2e_message *m = p2e_schema_message(&split, "M");
    assert_int_equal(m->validate.size, 3);
    assert_memory_equal(m->validate.data, "abc", 3);
    assert_non_null(m->fields[0].validate.data);
    assert_int_equal(m->fields[0].validate.size, 0);
    assert_int_equal(m->fields[0].predefined.size, 2);
    assert_memory_equal(m->fields[0].predefined.data, "de", 2);
    p2e_schema_free(&split);
}

// Of another wire type the option is someone else's.
static void test_other_wire_type(void **state)
{
    static const char set[] = "\x0a\x0a\x22\x08\x0a\x01M\x3a\x03\xb8\x48\x01";
    struct p2e_schema odd;
    struct p2e_error err;
    (void)state;
    assert_int_equal(p2e_schema_parse(set, sizeof(set) - 1, &odd, &err), 0);
    assert_null(p2e_schema_message(&odd, "M")->validate.data);
    p2e_schema_free(&odd);
}

// ---- The conformance suite's set ----------------------------------------------------------------

struct tally {
    size_t messages, fields, oneofs, predefined;
};

static void decode_message(const struct p2e_schema *s, const struct p2e_message *m,
                           struct tally *tally)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)1 << 24};
    const struct {
        const struct p2e_field *fields;
        size_t count;
    } lists[] = {{m->fields, m->field_count}, {m->extensions, m->extension_count}};

    if (m->validate.data && ++tally->messages)
        decode(s, "MessageOptions", 1159, m->validate, &arena);
    for (size_t i = 0; i < m->oneof_count; i++) {
        if (m->oneofs[i].validate.data && ++tally->oneofs)
            decode(s, "OneofOptions", 1159, m->oneofs[i].validate, &arena);
    }
    for (size_t i = 0; i < 2; i++) {
        for (const struct p2e_field *f = lists[i].fields; f < lists[i].fields + lists[i].count;
             f++) {
            if (f->validate.data && ++tally->fields)
                decode(s, "FieldOptions", 1159, f->validate, &arena);
            if (f->predefined.data && ++tally->predefined)
                decode(s, "FieldOptions", 1160, f->predefined, &arena);
        }
    }
}

// The value of "message" in a line of the suite.
static bool message_name(char *line, const char **name)
{
    char *begin = strstr(line, "\"message\":\"");
    char *end = begin ? strchr(begin + strlen("\"message\":\""), '"') : NULL;
    if (!end)
        return false;
    *end = '\0';
    *name = begin + strlen("\"message\":\"");
    return true;
}

// How many of the schema's messages the suite's cases are about; each must be there.
static size_t count_cases(const struct p2e_schema *s, char *cases)
{
    size_t count = 0;
    const char *name = NULL;
    _cleanup_free_ bool *seen = calloc(s->message_count, sizeof(*seen));
    for (char *line = strtok(cases, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(message_name(line, &name));
        const struct p2e_message *m = p2e_schema_message(s, name);
        if (!m)
            fail_msg("no message %s", name);
        count += !seen[m->index];
        seen[m->index] = true;
    }
    return count;
}

#define CASES "buf.validate.conformance.cases."

static void check_editions(const struct p2e_schema *s)
{
    static const struct {
        const char *message, *field;
        enum p2e_type type;
        enum p2e_presence presence;
    } rows[] = {
        {"RequiredEditionsScalarExplicitPresence", "val", P2E_TYPE_STRING, P2E_PRESENCE_EXPLICIT},
        {"RequiredEditionsScalarImplicitPresence", "val", P2E_TYPE_STRING, P2E_PRESENCE_IMPLICIT},
        {"RequiredEditionsScalarLegacyRequired", "val", P2E_TYPE_STRING, P2E_PRESENCE_REQUIRED},
        {"RequiredEditionsMessageLegacyRequired", "val", P2E_TYPE_MESSAGE, P2E_PRESENCE_REQUIRED},
        {"RequiredEditionsMessageExplicitPresenceDelimited", "val", P2E_TYPE_GROUP,
         P2E_PRESENCE_EXPLICIT},
        {"RequiredEditionsMessageLegacyRequiredDelimited", "val", P2E_TYPE_GROUP,
         P2E_PRESENCE_REQUIRED},
        {"GroupDelimited", "value", P2E_TYPE_GROUP, P2E_PRESENCE_EXPLICIT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[128];
        snprintf(name, sizeof(name), CASES "%s", rows[i].message);
        const struct p2e_message *m = p2e_schema_message(s, name);
        const struct p2e_field *f = m ? p2e_message_field(m, rows[i].field) : NULL;
        if (!f || f->type != rows[i].type || f->presence != rows[i].presence)
            fail_msg("%s", name);
    }
}

static const char *data_folder(void)
{
    const char *folder = getenv("P2E_CONFORMANCE"), *require = getenv("P2E_REQUIRE");
    folder = folder && folder[0] ? folder : "../shared/conformance";
    if (access(folder, R_OK) == 0)
        return folder;
    if (require && strcmp(require, "1") == 0)
        fail_msg("no conformance data in %s; P2E_CONFORMANCE names its folder", folder);
    print_message("no conformance data in %s; P2E_CONFORMANCE names its folder\n", folder);
    skip();
    return NULL;
}

static void test_conformance(void **state)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer cases = {0};
    struct p2e_schema s;
    struct p2e_error err = {.text = ""};
    struct tally tally = {0};
    char path[512];
    const char *folder = data_folder();
    (void)state;
    snprintf(path, sizeof(path), "%s/cases.desc", folder);
    if (p2e_schema_load(path, NULL, 0, &s, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(path, sizeof(path), "%s/cases.jsonl", folder);
    assert_int_equal(p2e_file_read(path, (size_t)1 << 26, &cases, &err), 0);

    assert_int_equal(count_cases(&s, cases.data), 780);
    for (size_t i = 0; i < s.message_count; i++)
        decode_message(&s, &s.messages[i], &tally);
    print_message("annotations: %zu messages, %zu fields, %zu oneofs, %zu predefined\n",
                  tally.messages, tally.fields, tally.oneofs, tally.predefined);
    assert_true(tally.messages > 0 && tally.fields > 0 && tally.oneofs > 0 && tally.predefined > 0);
    check_editions(&s);
    p2e_schema_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_messages_and_oneofs),
        cmocka_unit_test(test_none),        cmocka_unit_test(test_predefined),
        cmocka_unit_test(test_occurrences), cmocka_unit_test(test_other_wire_type),
        cmocka_unit_test(test_conformance),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
