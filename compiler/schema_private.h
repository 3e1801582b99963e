// How reading a schema is split; used by compiler/schema*.c alone.
//
//     .proto ──schema_protoc──▶ bytes ──schema_scan──▶ ──protobuf-c──▶ descriptors
//     ──schema_build──▶ model
#ifndef P2E_COMPILER_SCHEMA_PRIVATE_H
#define P2E_COMPILER_SCHEMA_PRIVATE_H

#include "base/buffer.h"
#include "compiler/arena.h"
#include "compiler/schema.h"
#include "descriptor.pb-c.h"

#define P2E_SCHEMA_SIZE_MAX    ((size_t)64 << 20)
#define P2E_SCHEMA_NESTING_MAX 64 // message types within message types

// Appends the FileDescriptorSet of a .proto source to *set.
int p2e_schema_protoc(const char *path, char *const *includes, size_t include_count,
                      struct p2e_buffer *set, struct p2e_error *err);

// protobuf-c recurses as deep as its input says, and loses what stands behind a NUL in a string.
// Refuses bytes that would make it do either.
int p2e_schema_scan(const void *data, size_t size, struct p2e_error *err);

// Fills *schema, whose memory is `arena`; on failure *schema is not to be used.
int p2e_schema_build(const Google__Protobuf__FileDescriptorSet *set, struct p2e_arena *arena,
                     struct p2e_schema *schema, struct p2e_error *err);

// The default of a field whose type and enumeration are known. `text` is the descriptor's
// default_value, NULL for none.
int p2e_schema_default(const char *text, struct p2e_arena *arena, struct p2e_field *field,
                       struct p2e_error *err);

#endif
