#include "compiler/schema.h"

#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/schema_private.h"

// A set of the largest size, its copy, these two and what building needs for a while stay below
// 512 MiB.
#define DESCRIPTORS_MAX ((size_t)128 << 20)
#define MODEL_MAX       ((size_t)128 << 20)

#define ALLOCATION_COST 16 // of malloc itself

// ---- protobuf-c within a budget -----------------------------------------------------------------

static void *budget_alloc(void *budget, size_t size)
{
    size_t *left = budget, cost = size + ALLOCATION_COST;
    if (size > *left || cost > *left)
        return NULL;
    *left -= cost;
    return malloc(size);
}

static void budget_free(void *budget, void *pointer)
{
    (void)budget;
    free(pointer);
}

struct unpacked {
    size_t budget;
    ProtobufCAllocator allocator;
    Google__Protobuf__FileDescriptorSet *set;
};

static void unpacked_free(struct unpacked *u)
{
    google__protobuf__file_descriptor_set__free_unpacked(u->set, &u->allocator);
}

static int unpack(const void *data, size_t size, struct unpacked *u, struct p2e_error *err)
{
    u->budget = DESCRIPTORS_MAX;
    u->allocator = (ProtobufCAllocator){budget_alloc, budget_free, &u->budget};
    if (size > P2E_SCHEMA_SIZE_MAX)
        return p2e_error_set(err, "the schema is larger than %zu MiB", P2E_SCHEMA_SIZE_MAX >> 20);
    _cleanup_(p2e_buffer_free) struct p2e_buffer bare = {0};
    if (p2e_schema_scan(data, size, err) < 0 || p2e_schema_strip(data, size, &bare, err) < 0)
        return -1;
    u->set = google__protobuf__file_descriptor_set__unpack(&u->allocator, bare.size,
                                                           (const uint8_t *)bare.data);
    if (!u->set)
        return p2e_error_set(err, "not a FileDescriptorSet that can be read: it is damaged, too "
                                  "large, or has a custom option that is a group");
    return 0;
}

// ---- The public side ----------------------------------------------------------------------------

int p2e_schema_parse(const void *data, size_t size, struct p2e_schema *schema,
                     struct p2e_error *err)
{
    *schema = (struct p2e_schema){0};
    _cleanup_(unpacked_free) struct unpacked u = {0};
    if (unpack(data, size, &u, err) < 0)
        return -1;

    struct p2e_arena *arena = malloc(sizeof(*arena));
    if (!arena)
        return p2e_error_set(err, "out of memory");
    *arena = (struct p2e_arena){.limit = MODEL_MAX};
    schema->memory = arena;
    SHA256Data(data, size, schema->digest);
    if (p2e_schema_build(u.set, arena, schema, err) < 0) {
        p2e_schema_free(schema);
        return -1;
    }
    return 0;
}

static bool is_source(const char *path)
{
    size_t size = strlen(path);
    return size >= strlen(".proto") && strcmp(path + size - strlen(".proto"), ".proto") == 0;
}

int p2e_schema_load(const char *path, char *const *includes, size_t include_count,
                    struct p2e_schema *schema, struct p2e_error *err)
{
    *schema = (struct p2e_schema){0};
    _cleanup_(p2e_buffer_free) struct p2e_buffer set = {0};
    int read = is_source(path) ? p2e_schema_protoc(path, includes, include_count, &set, err)
                               : p2e_file_read(path, P2E_SCHEMA_SIZE_MAX, &set, err);
    if (read < 0)
        return -1;
    if (p2e_schema_parse(set.data, set.size, schema, err) < 0)
        return p2e_error_prefix(err, "schema \"%s\"", path);
    return 0;
}

void p2e_schema_free(struct p2e_schema *schema)
{
    if (schema->memory)
        p2e_arena_free(schema->memory);
    free(schema->memory);
    *schema = (struct p2e_schema){0};
}
