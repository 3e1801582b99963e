// Annotations to rules: their ids, in which scopes they are, and what is refused. What they mean is
// judged in the kernel (tests/bpf/test_annotations.py).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/validate.h"

#define VALIDATE "buf/validate/validate.proto"

static char folder[] = "/tmp/p2e-test-XXXXXX";

// ---- Help ---------------------------------------------------------------------------------------

static int set_up(void **state)
{
    char command[256];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(command, sizeof(command), "mkdir -p %s/other/buf/validate", folder);
    return system(command);
}

static int tear_down(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static void write_file(const char *name, const char *head, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(head, file) >= 0 && fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// The folder "other" has the annotations' file with one text in place of another.
static void write_other(const char *from, const char *to)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    struct p2e_error err;
    assert_int_equal(p2e_file_read("tests/data/" VALIDATE, 1 << 20, &text, &err), 0);
    char *found = strstr(text.data, from);
    assert_non_null(found);
    _cleanup_(p2e_buffer_free) struct p2e_buffer other = {0};
    p2e_buffer_add(&other, text.data, (size_t)(found - text.data));
    p2e_buffer_puts(&other, to);
    p2e_buffer_puts(&other, found + strlen(from));
    write_file("other/" VALIDATE, "", other.data);
}

// The source of a file with these messages.
static void write_source(const char *body)
{
    write_file("m.proto",
               "syntax = \"proto3\"; package test; import \"" VALIDATE "\"; "
               "import \"google/protobuf/wrappers.proto\"; import \"google/protobuf/any.proto\"; ",
               body);
}

static bool has_seen(const struct p2e_scope **seen, const struct p2e_scope *scope)
{
    while (*seen && *seen != scope)
        seen++;
    bool found = *seen;
    *seen = scope;
    return found;
}

// The ids of a scope's rules; of a list "name{…}", of one whose scope has been shown "name{^}".
static void show_scope(struct p2e_buffer *out, const struct p2e_rules *rules,
                       const struct p2e_scope *scope, const struct p2e_scope **seen)
{
    if (has_seen(seen, scope)) {
        p2e_buffer_puts(out, "^");
        return;
    }
    for (size_t i = 0; i < scope->check_count; i++) {
        const struct p2e_check *check = &scope->checks[i];
        p2e_buffer_puts(out, i ? " " : "");
        if (!check->list) {
            assert_ptr_equal(rules->rules[check->rule].scope, scope);
            p2e_buffer_puts(out, rules->rules[check->rule].id);
            continue;
        }
        p2e_buffer_printf(out, "%s{", check->list->field->name);
        show_scope(out, rules, check->elements, seen);
        p2e_buffer_puts(out, "}");
    }
}

// What the rules of test.M are, or the error, as text that the caller frees.
static char *describe(const struct p2e_schema *schema)
{
    struct p2e_rules rules;
    struct p2e_error err = {.text = ""};
    struct p2e_buffer out = {0};
    const struct p2e_scope *seen[64] = {NULL};
    assert_int_equal(p2e_rules_init(&rules, false, &err) < 0, 0);
    if (p2e_validate_rules(p2e_schema_message(schema, "test.M"), schema, &rules, &err) < 0)
        p2e_buffer_puts(&out, err.text);
    else
        show_scope(&out, &rules, rules.root, seen);
    p2e_rules_free(&rules);
    return out.data ? out.data : strdup("");
}

// Of a source, whose annotations are those of the tests, or of the folder "other".
static char *describe_source(const char *body, bool other)
{
    char path[256], include[256];
    char *const includes[] = {include};
    struct p2e_schema schema;
    struct p2e_error err;
    write_source(body);
    snprintf(path, sizeof(path), "%s/m.proto", folder);
    snprintf(include, sizeof(include), "%s/other", folder);
    if (!other)
        strcpy(include, "tests/data");
    if (p2e_schema_load(path, includes, 1, &schema, &err) < 0)
        fail_msg("%s", err.text);
    char *text = describe(&schema);
    p2e_schema_free(&schema);
    return text;
}

struct row {
    const char *body, *expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *got = describe_source(rows[i].body, false);
        if (strcmp(got, rows[i].expected) == 0)
            continue;
        print_error("%s\nexpected:\n%s\ngot:\n%s\n\n", rows[i].body, rows[i].expected, got);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

#define F "(buf.validate.field)"
#define O "option (buf.validate.message)"

// ---- Ids and scopes -----------------------------------------------------------------------------

static void test_rules(void **state)
{
    static const struct row rows[] = {
        {"message M { int32 a = 1; }", ""},
        {"message M { int32 a = 1 [" F ".int32 = {gt: 5, lte: 9}]; }", "a:int32.lte a:int32.gt"},
        {"message M { int32 a = 1 [" F ".required = true]; }", "a:required"},
        {"message M { int32 a = 1 [" F ".int32 = {}]; }", ""},
        {"message M { int32 a = 1 [" F " = {ignore: IGNORE_ALWAYS, int32: {gt: 5}}]; }", ""},
        // rules of the user's own: by their ids, and without one by their places
        {"message M { int32 a = 1 [" F ".cel = {id: 'x', expression: 'this > 1'}, " F
         ".cel = {expression: 'this > 2'}, " F ".cel_expression = 'this > 3']; }",
         "a:x a:cel[1] a:cel_expression[0]"},
        {"message M { " O ".cel = {id: 'sum', expression: 'this.a > 1'}; " O
         ".cel_expression = 'this.a > 2'; int32 a = 1; }",
         "sum cel_expression[0]"},
        // oneofs
        {"message M { oneof o { option (buf.validate.oneof).required = true; int32 a = 1 [" F
         ".int32.gt = 5]; } }",
         "a:int32.gt o:required"},
        {"message M { " O ".oneof = {fields: ['a', 'b'], required: true}; int32 a = 1; "
         "int32 b = 2; }",
         "message.oneof message.oneof"},
        // what is nested
        {"message M { N n = 1; N plain = 2; } message N { int32 a = 1 [" F ".int32.gt = 5]; }",
         "n.a:int32.gt plain.a:int32.gt"},
        {"message M { N n = 1 [" F ".ignore = IGNORE_ALWAYS]; } message N { int32 a = 1 [" F
         ".int32.gt = 5]; }",
         ""},
        {"message M { N n = 1; } message N { " O ".cel = {id: 'x', expression: 'this.a > 1'}; "
         "int32 a = 1; }",
         "n:x"},
        // elements
        {"message M { repeated I items = 1; } message I { double price = 1 [" F
         ".double.gt = 0]; }",
         "items{items[].price:double.gt}"},
        {"message M { repeated int32 x = 1 [" F ".repeated = {min_items: 1, items: {int32: {gt: 5, "
         "lte: 9}}}]; }",
         "x{x[]:int32.lte x[]:int32.gt} x:repeated.min_items"},
        {"message M { map<string, int32> m = 1 [" F ".map = {keys: {string: {max_len: 3}}, values: "
         "{int32: {gt: 5}}, max_pairs: 2}]; }",
         "m{m[key]:string.max_len m[value]:int32.gt} m:map.max_pairs"},
        {"message M { map<string, N> m = 1; } message N { repeated P p = 1; } message P { int32 a "
         "= 1 [" F ".required = true]; }",
         "m{p{m[value].p[].a:required}}"},
        {"message M { repeated int32 x = 1 [" F ".repeated.items = {ignore: IGNORE_ALWAYS, int32: "
         "{gt: 5}}]; }",
         ""},
        // what is always true is no rule, and a scope without rules is none
        {"message M { repeated int32 a = 1 [" F ".repeated.unique = false]; }", ""},
        {"message M { repeated int32 a = 1 [" F ".repeated.items.cel = {expression: '1 < 2'}]; }",
         ""},
        {"message M { int32 a = 1 [" F ".int32.not_in = 3, " F ".cel = {expression: 'true'}]; }",
         "a:int32.not_in"},
        {"message M { int32 a = 1 [" F ".cel = {expression: '1 > 2'}]; }", "a:cel[0]"},
        // wrappers take the rules of what they hold, enums those of their numbers
        {"message M { google.protobuf.Int32Value a = 1 [" F ".int32.gt = 5]; }", "a:int32.gt"},
        {"enum E { Z = 0; } message M { E a = 1 [" F ".enum.defined_only = true]; E b = 2 [" F
         ".enum.defined_only = false]; }",
         "a:enum.defined_only"},
        {"message M { google.protobuf.Any a = 1 [" F ".any = {in: 'x', not_in: 'y'}]; }",
         "a:any.in a:any.not_in"},
    };
    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

// Messages that hold their own kind have one scope, however they are met.
static void test_cyclic(void **state)
{
    static const struct row rows[] = {
        {"message M { int32 a = 1 [" F ".int32.gt = 5]; M m = 2; }",
         "a:int32.gt m{M.a:int32.gt m{^}}"},
        {"message M { int32 a = 1 [" F ".int32.gt = 5]; repeated M l = 2; map<int32, M> m = 3; "
         "M s = 4; }",
         "a:int32.gt l{M.a:int32.gt l{^} m{value{^} M.m[value]:required} s{^}} m{value{^} "
         "m[value]:required} s{^}"},
        {"message M { int32 a = 1 [" F ".int32.gt = 5]; N n = 2; } message N { M m = 1; int32 b = "
         "2 [" F ".required = true]; }",
         "a:int32.gt m{M.a:int32.gt m{^} M.n.b:required} n.b:required"},
        {"message M { M m = 1; repeated M l = 2; }", ""},
        // it is known for one when it is met again
        {"message M { N a = 1; N b = 2; } message N { N n = 1; int32 x = 2 [" F ".int32.gt = 5]; }",
         "n{n{^} N.x:int32.gt} a.x:int32.gt b{^}"},
        {"message M { M m = 1; N n = 2; } message N { int32 a = 1 [" F ".int32.gt = 5]; }",
         "m{m{^} M.n.a:int32.gt} n.a:int32.gt"},
    };
    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

// ---- Errors -------------------------------------------------------------------------------------

static void test_errors(void **state)
{
    static const struct row rows[] = {
        {"message M { int32 a = 1 [" F ".string.min_len = 1]; }",
         "the rules of a: it takes \"int32\" rules, not \"string\""},
        {"message M { sint32 a = 1 [" F ".int32.gt = 1]; }",
         "the rules of a: it takes \"sint32\" rules, not \"int32\""},
        {"message M { repeated int32 a = 1 [" F ".int32.gt = 1]; }",
         "the rules of a: it takes \"repeated\" rules, not \"int32\""},
        {"message M { int32 a = 1 [" F ".repeated.min_items = 1]; }",
         "the rules of a: it takes \"int32\" rules, not \"repeated\""},
        {"message M { map<int32, int32> a = 1 [" F ".repeated.min_items = 1]; }",
         "the rules of a: it takes \"map\" rules, not \"repeated\""},
        {"message M { repeated int32 a = 1 [" F ".repeated.items.string.min_len = 1]; }",
         "the rules of a[]: it takes \"int32\" rules, not \"string\""},
        {"message M { map<int32, int32> a = 1 [" F ".map.keys.string.min_len = 1]; }",
         "the rules of a[key]: it takes \"int32\" rules, not \"string\""},
        {"message M { map<int32, string> a = 1 [" F ".map.values.int32.gt = 1]; }",
         "the rules of a[value]: it takes \"string\" rules, not \"int32\""},
        {"message M { N n = 1; } message N { int32 a = 1 [" F ".string.min_len = 1]; }",
         "the rules of n.a: it takes \"int32\" rules, not \"string\""},
        {"message M { N a = 1 [" F ".int32.gt = 1]; } message N {}",
         "the rules of a: a message of its type takes no \"int32\" rules"},
        {"message M { google.protobuf.Int32Value a = 1 [" F ".int64.gt = 1]; }",
         "the rules of a: it takes \"int32\" rules, not \"int64\""},
        {"message M { int32 a = 1 [" F ".int32.lt = 5]; }",
         "the rules of a: what int32.lt demands is not in this schema's validate.proto; p2e reads "
         "that of protovalidate 1.0 and later"},
        {"message M { string a = 1 [" F ".string.email = true]; }",
         "the rules of a: what string.email demands is not in this schema's validate.proto; p2e "
         "reads that of protovalidate 1.0 and later"},
        {"message M { " O ".oneof = {required: true}; int32 a = 1; }",
         "the rules of the message: a oneof without fields"},
        {"message M { N n = 1; } message N { " O ".oneof = {}; int32 a = 1; }",
         "the rules of n: a oneof without fields"},
        {"message M { " O ".oneof = {fields: ['a', 'z']}; int32 a = 1; }",
         "the rules of test.M: a oneof names \"z\", which is no field"},
        {"message M { " O ".oneof = {fields: ['a', 'b', 'a']}; int32 a = 1; int32 b = 2; }",
         "the rules of test.M: a oneof names \"a\" twice"},
        {"message M { repeated M l = 1 [" F ".repeated.items.cel_expression = 'this.a > 1']; "
         "int32 a = 2 [" F ".int32.gt = 5]; }",
         "the rules of l: rules for the items of a list are not supported where these are "
         "messages that hold one another without end"},
        // a rule's own fault, with its text and the place in it
        {"message M { int32 a = 1 [" F ".cel = {id: 'bad', expression: \"this > 'x'\"}]; }",
         "rule \"a:bad\": > cannot be applied to int and string\n"
         "    this > 'x'\n"
         "         ^"},
        {"message M { " O ".cel = {id: 'bad', expression: 'this.aa > 1'}; int32 a = 1; }",
         "rule \"bad\": unknown field \"aa\" in test.M; did you mean \"a\"?\n"
         "    this.aa > 1\n"
         "         ^~"},
        {"message M { " O ".cel = {id: 'bare', expression: 'a > 1'}; int32 a = 1; }",
         "rule \"bare\": \"a\" is a field of test.M; write this.a\n"
         "    a > 1\n"
         "    ^"},
        {"message M { int32 a = 1 [" F ".cel_expression = 'rules.gt > 1']; }",
         "rule \"a:cel_expression[0]\": test.M has no field \"rules\", and \"rules\" is for "
         "predefined "
         "rules\n"
         "    rules.gt > 1\n"
         "    ^~~~~"},
        {"message M { repeated int32 a = 1 [" F ".repeated.items.cel = {expression: 'this'}]; }",
         "rule \"a[]:cel[0]\": a rule is a bool, not int\n"
         "    this\n"
         "    ^~~~"},
    };
    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

// Of annotations that are of another time than p2e.
static void test_other_annotations(void **state)
{
    static const struct {
        const char *from, *to, *body, *expected;
    } rows[] = {
        {"IGNORE_ALWAYS = 3;", "IGNORE_ALWAYS = 3; IGNORE_OLD = 2;",
         "message M { int32 a = 1 [" F ".ignore = IGNORE_OLD]; }",
         "the rules of a: this value of \"ignore\" is not supported"},
        {"optional bool required = 25;", "optional bool required = 25; optional bool skipped = 24;",
         "message M { int32 a = 1 [" F ".skipped = true]; }",
         "the rules of a: \"skipped\" is not supported; p2e reads the rules of protovalidate 1.0 "
         "and later"},
        {"repeated Rule cel = 3;", "repeated Rule cel = 3; optional bool disabled = 1;",
         "message M { " O ".disabled = true; int32 a = 1; }",
         "the rules of test.M: \"disabled\" is not supported"},
        {"this <= rules.lte", "this <= rules.nope",
         "message M { int32 a = 1 [" F ".int32.lte = 5]; }",
         "rule \"a:int32.lte\": unknown field \"nope\" in buf.validate.Int32Rules\n"
         "    this <= rules.nope\n"
         "                  ^~~~"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_other(rows[i].from, rows[i].to);
        _cleanup_free_ char *got = describe_source(rows[i].body, true);
        assert_string_equal(got, rows[i].expected);
    }
}

// The set's own annotations do not know what the message has.
static void test_unknown_rules(void **state)
{
    static const struct {
        const char *from, *body, *expected;
    } rows[] = {
        {"repeated int32 not_in = 7", "message M { int32 a = 1 [" F ".int32.not_in = 5]; }",
         "the rules of a: field 7 of buf.validate.Int32Rules is not in the schema; a predefined "
         "rule's file belongs to the imports"},
        {"optional bool required = 25", "message M { int32 a = 1 [" F ".required = true]; }",
         "the rules of a: there are some that the schema does not know"},
        {"repeated string cel_expression = 5", "message M { " O ".cel_expression = 'true'; }",
         "the rules of test.M: there are some that the schema does not know"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[256], command[1024], renumbered[128];
        struct p2e_schema schema;
        struct p2e_error err;
        snprintf(renumbered, sizeof(renumbered), "%s00", rows[i].from);
        write_other(rows[i].from, renumbered);
        write_source(rows[i].body);
        snprintf(path, sizeof(path), "%s/set", folder);
        snprintf(command, sizeof(command),
                 "cd %s && protoc -I%s/other -I. --include_imports -o a " VALIDATE
                 " google/protobuf/wrappers.proto google/protobuf/any.proto && "
                 "protoc -I. -I%s/tests/data -o b m.proto 2> warnings && cat a b > set",
                 folder, folder, getcwd((char[256]){0}, 256));
        assert_int_equal(system(command), 0);
        if (p2e_schema_load(path, NULL, 0, &schema, &err) < 0)
            fail_msg("%s", err.text);
        _cleanup_free_ char *got = describe(&schema);
        assert_string_equal(got, rows[i].expected);
        p2e_schema_free(&schema);
    }
}

// ---- Sizes --------------------------------------------------------------------------------------

// How long it took is less than that many seconds of the processor.
static void check_large(const char *body, const char *expected, unsigned seconds)
{
    clock_t begin = clock();
    _cleanup_free_ char *got = describe_source(body, false);
    if (!strstr(got, expected))
        fail_msg("%.200s", got);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < seconds);
}

#define TOO_MANY "there are more than 4096 rules"

// Each level holds the next one twice, so there are as many ways to the last as make any count.
static void test_diamonds(void **state)
{
    static const struct {
        const char *field, *leaf, *expected;
    } rows[] = {
        {"", "int32 x = 1 [" F ".int32.gt = 5];", TOO_MANY},
        {"repeated", "int32 x = 1 [" F ".int32.gt = 5];", TOO_MANY},
        {"", "int32 x = 1;", ""},
        // rules that come to nothing
        {"", "repeated int32 x = 1 [" F ".repeated.unique = false];", "out of memory"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer body = {0};
        p2e_buffer_printf(&body, "message M { M0 a = 1; }\n");
        for (int level = 0; level < 30; level++)
            p2e_buffer_printf(&body, "message M%d { %s M%d a = 1; %s M%d b = 2; }\n", level,
                              rows[i].field, level + 1, rows[i].field, level + 1);
        p2e_buffer_printf(&body, "message M30 { %s }\n", rows[i].leaf);
        check_large(body.data, rows[i].expected, 10);
    }
}

static void test_many_fields(void **state)
{
    static const struct {
        int count;
        const char *rules, *expected;
    } rows[] = {
        {10000, F ".int32.gt = 5", TOO_MANY},
        {10000, F ".cel_expression = 'true'", ""},
        {4096, F ".required = true", "f4095:required"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer body = {0};
        p2e_buffer_puts(&body, "message M {\n");
        for (int field = 0; field < rows[i].count; field++)
            p2e_buffer_printf(&body, "int32 f%d = %d [%s];\n", field, field + 1, rows[i].rules);
        p2e_buffer_puts(&body, "}\n");
        check_large(body.data, rows[i].expected, 10);
    }
}

// As deep as messages may be, and deeper: there is nothing to judge.
static void test_deep(void **state)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer body = {0};
    (void)state;
    p2e_buffer_puts(&body, "message M { M0 a = 1; }\n");
    for (int level = 0; level < 110; level++)
        p2e_buffer_printf(&body, "message M%d { M%d a = 1; int32 x%d = 2 [" F ".int32.gt = 5]; }\n",
                          level, level + 1, level);
    p2e_buffer_puts(&body, "message M110 {}\n");
    _cleanup_free_ char *got = describe_source(body.data, false);
    assert_non_null(strstr(got, "x99:int32.gt"));
    assert_null(strstr(got, "x100:int32.gt"));
}

// A schema that does not know annotations has none.
static void test_without(void **state)
{
    struct p2e_schema schema;
    struct p2e_error err;
    char path[256];
    (void)state;
    write_file("none.proto", "", "syntax = \"proto3\"; package test; message M { int32 a = 1; }");
    snprintf(path, sizeof(path), "%s/none.proto", folder);
    assert_int_equal(p2e_schema_load(path, NULL, 0, &schema, &err), 0);
    _cleanup_free_ char *got = describe(&schema);
    assert_string_equal(got, "");
    p2e_schema_free(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),         cmocka_unit_test(test_cyclic),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_other_annotations),
        cmocka_unit_test(test_unknown_rules), cmocka_unit_test(test_diamonds),
        cmocka_unit_test(test_many_fields),   cmocka_unit_test(test_deep),
        cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
