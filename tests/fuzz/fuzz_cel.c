// Hostile rules: the first byte of an input chooses the message type, the rest is the rule's text.
// What is taken goes on to a plan and to C source; clang is another program and not run.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/fuzz/planning.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    struct p2e_rules rules;
    if (add(&rules, message, text, &err) < 0) {
        require_text(&err);
        p2e_rules_free(&rules);
        return;
    }
    plan_and_emit(message, &schema, &rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    _cleanup_free_ char *text = strndup((const char *)data + 1, size - 1);
    compile(p2e_schema_message(&schema, types[data[0] % TYPES]), text);
    return 0;
}
