// Hostile descriptor sets, the annotations in them, and hostile messages of a known type.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "compiler/dynamic.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANNOTATION 1159
#define PREDEFINED 1160

static struct p2e_schema values; // that every input is also a message of

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char *const includes[] = {"tests/data/schema/include"};
    struct p2e_error err;
    (void)argc;
    (void)argv;
    if (p2e_schema_load("tests/data/schema/values.proto", includes, 1, &values, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

// Asks for all that is in a message.
static void touch(const struct p2e_dynamic *m)
{
    for (const struct p2e_field *f = NULL; (f = p2e_dynamic_next(m, f));) {
        for (size_t i = 0; f->message && i < p2e_dynamic_size(m, f); i++)
            touch(p2e_dynamic_at(m, f, i).message);
    }
}

static void decode(const struct p2e_message *type, struct p2e_bytes bytes)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)1 << 20};
    const struct p2e_dynamic *m;
    struct p2e_error err;
    if (p2e_dynamic_decode(type, bytes, &arena, &m, &err) == 0)
        touch(m);
}

static void decode_option(const struct p2e_schema *schema, const char *options, uint32_t number,
                          struct p2e_bytes bytes)
{
    const struct p2e_message *m = p2e_schema_message(schema, options);
    const struct p2e_field *extension = m ? p2e_message_extension(m, number) : NULL;
    if (bytes.data && extension && extension->message)
        decode(extension->message, bytes);
}

static void decode_fields(const struct p2e_schema *schema, const struct p2e_field *fields,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        decode_option(schema, "google.protobuf.FieldOptions", ANNOTATION, fields[i].validate);
        decode_option(schema, "google.protobuf.FieldOptions", PREDEFINED, fields[i].predefined);
    }
}

static void decode_annotations(const struct p2e_schema *schema)
{
    for (size_t i = 0; i < schema->message_count; i++) {
        const struct p2e_message *m = &schema->messages[i];
        decode_option(schema, "google.protobuf.MessageOptions", ANNOTATION, m->validate);
        decode_fields(schema, m->fields, m->field_count);
        decode_fields(schema, m->extensions, m->extension_count);
        for (size_t j = 0; j < m->oneof_count; j++)
            decode_option(schema, "google.protobuf.OneofOptions", ANNOTATION,
                          m->oneofs[j].validate);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2e_schema schema;
    struct p2e_error err;
    decode(p2e_schema_message(&values, "test.values.Values"),
           (struct p2e_bytes){(const char *)data, size});
    if (p2e_schema_parse(data, size, &schema, &err) < 0)
        return 0;
    decode_annotations(&schema);
    p2e_schema_free(&schema);
    return 0;
}
