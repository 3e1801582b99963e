// Hostile annotations: the first two bytes of an input choose a field, or its message; the rest is
// how its annotation differs from the one that is there (exclusive or). What is taken goes on to C
// source.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/validate.h"
#include "tests/fuzz/planning.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p2e_schema schema;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char *const includes[] = {"tests/data"};
    struct p2e_error err;
    (void)argc;
    (void)argv;
    if (p2e_schema_load("tests/bpf/annotations.proto", includes, 1, &schema, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

static void compile(const struct p2e_message *message)
{
    struct p2e_error err = {0};
    struct p2e_rules rules;
    if (p2e_rules_init(&rules, false, &err) < 0 ||
        p2e_validate_rules(message, &schema, &rules, &err) < 0) {
        require_text(&err);
        p2e_rules_free(&rules);
        return;
    }
    plan_and_emit(message, &schema, &rules);
}

// With the changed annotation in the place of the one that is there, for as long as it takes.
static void compile_with(const struct p2e_message *message, struct p2e_bytes *annotation,
                         const uint8_t *data, size_t size)
{
    struct p2e_bytes kept = *annotation;
    size_t all = kept.size > size ? kept.size : size;
    _cleanup_free_ char *changed = calloc(all + 1, 1);
    for (size_t i = 0; i < all; i++)
        changed[i] = (char)((i < kept.size ? kept.data[i] : 0) ^ (i < size ? data[i] : 0));
    *annotation = (struct p2e_bytes){changed, all};
    compile(message);
    *annotation = kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct p2e_message *message = &schema.messages[data[0] % schema.message_count];
    if (message->field_count == 0 || strncmp(message->full_name, "google.", 7) == 0 ||
        strncmp(message->full_name, "buf.", 4) == 0)
        return 0;
    size_t field = data[1] % (message->field_count + 1);
    compile_with(message,
                 field < message->field_count ? &message->fields[field].validate
                                              : &message->validate,
                 data + 2, size - 2);
    return 0;
}
