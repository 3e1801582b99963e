// Hostile rules: the first byte of an input chooses the message type, the rest is the rule's text.
// What is taken goes on to a plan and to C source; clang is another program and not run.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/emit.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_DEPTH 100

static const char *const types[] = {
    "demo.v1.Rules",
    "demo.v1.Item",
    "google.protobuf.Timestamp",
    "google.protobuf.Int32Value",
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static struct p2e_schema schema;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct p2e_error err;
    (void)argc;
    (void)argv;
    if (p2e_schema_load("tests/data/cel/rules.proto", NULL, 0, &schema, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

// An error is a sentence.
static void require_text(const struct p2e_error *err)
{
    if (!err->text[0] || !memchr(err->text, '\0', sizeof(err->text)))
        abort();
}

static void emit(const struct p2e_plan *plan)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer out = {0};
    struct p2e_emit_names names = {"fuzz", "canonical"};
    struct p2e_error err = {0};
    char digest[65];
    if (p2e_emit(plan, &names, &out, digest, &err) < 0)
        require_text(&err);
}

// Owned by the plan from here on.
static int add(struct p2e_rules *rules, const struct p2e_message *message, const char *text,
               struct p2e_error *err)
{
    struct p2e_plan_rule rule = {.id = "rule", .expression = text};
    if (p2e_rules_init(rules, false, err) < 0 ||
        p2e_cel_compile(text, message, &schema, &rule.cel, err) < 0)
        return -1;
    return p2e_rules_add(rules, rules->root, &rule, err);
}

static void compile(const struct p2e_message *message, const char *text)
{
    struct p2e_error err = {0};
    struct p2e_plan plan;
    struct p2e_rules rules;
    if (add(&rules, message, text, &err) < 0) {
        require_text(&err);
        p2e_rules_free(&rules);
        return;
    }
    if (p2e_plan_make(message, &schema, &rules, MAX_DEPTH, &plan, &err) < 0) {
        require_text(&err);
        return;
    }
    emit(&plan);
    p2e_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    _cleanup_free_ char *text = strndup((const char *)data + 1, size - 1);
    compile(p2e_schema_message(&schema, types[data[0] % TYPES]), text);
    return 0;
}
