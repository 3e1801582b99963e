// How reading a schema is split; used by compiler/schema*.c alone.
//
//     .proto ──schema_protoc──▶ bytes ──schema_scan──▶ ──protobuf-c──▶ descriptors
//     ──schema_build──▶ model
//
// Debian's descriptor.proto is older than editions, and the annotations are extensions: protobuf-c
// keeps both as unknown fields, where schema_options finds them.
#ifndef P2E_COMPILER_SCHEMA_PRIVATE_H
#define P2E_COMPILER_SCHEMA_PRIVATE_H

#include "base/buffer.h"
#include "compiler/arena.h"
#include "compiler/schema.h"
#include "compiler/wire.h"
#include "descriptor.pb-c.h"

#define P2E_SCHEMA_SIZE_MAX    ((size_t)64 << 20)
#define P2E_SCHEMA_NESTING_MAX 64 // message types within message types

// Appends the FileDescriptorSet of a .proto source to *set.
int p2e_schema_protoc(const char *path, char *const *includes, size_t include_count,
                      struct p2e_buffer *set, struct p2e_error *err);

// protobuf-c recurses as deep as its input says, loses what stands behind a NUL in a string, and
// unknown fields where it merges two options. Refuses bytes that would make it do any of these.
int p2e_schema_scan(const void *data, size_t size, struct p2e_error *err);

// Copies a FileDescriptorSet to *out without comments and services, which are most of what some
// tools write and would cost many times their size.
int p2e_schema_strip(const void *data, size_t size, struct p2e_buffer *out, struct p2e_error *err);

// ---- What protobuf-c keeps as unknown fields ----------------------------------------------------

// The next unknown field `number` from *at on, as it was sent; false for no more. *at starts at 0.
bool p2e_schema_unknown(const ProtobufCMessage *message, uint32_t number, size_t *at,
                        struct p2e_wire_field *field);
// All occurrences of option `number` one after another, copied; {0} where there are none.
int p2e_schema_option(const ProtobufCMessage *options, uint32_t number, struct p2e_arena *arena,
                      struct p2e_bytes *bytes, struct p2e_error *err);

// ---- Editions -----------------------------------------------------------------------------------

enum p2e_syntax { P2E_SYNTAX_PROTO2, P2E_SYNTAX_PROTO3, P2E_SYNTAX_EDITIONS };

// Field numbers of google.protobuf.FeatureSet, as far as they change how messages are read.
enum p2e_feature {
    P2E_FEATURE_PRESENCE = 1,
    P2E_FEATURE_ENUM_TYPE = 2,
    P2E_FEATURE_UTF8 = 4,
    P2E_FEATURE_ENCODING = 5,
    P2E_FEATURE_COUNT,
};

enum { P2E_FEATURE_EXPLICIT = 1, P2E_FEATURE_IMPLICIT = 2, P2E_FEATURE_REQUIRED = 3 };
enum { P2E_FEATURE_OPEN = 1, P2E_FEATURE_CLOSED = 2 };
enum { P2E_FEATURE_VERIFY = 2, P2E_FEATURE_NO_CHECK = 3 };
enum { P2E_FEATURE_LENGTH_PREFIXED = 1, P2E_FEATURE_DELIMITED = 2 };

struct p2e_features {
    enum p2e_syntax syntax;
    uint8_t value[P2E_FEATURE_COUNT];
};

// Where the features are in each kind of options.
enum p2e_feature_option {
    P2E_FEATURES_OF_ONEOF = 1,
    P2E_FEATURES_OF_ENUM = 7,
    P2E_FEATURES_OF_MESSAGE = 12,
    P2E_FEATURES_OF_FIELD = 21,
    P2E_FEATURES_OF_FILE = 50,
};

// What a file's syntax or edition and its own options settle.
int p2e_schema_features(const Google__Protobuf__FileDescriptorProto *file,
                        struct p2e_features *features, struct p2e_error *err);
// Puts what `options` (NULL for none) say over the features of what is around, in *features.
// `owner` is the name for errors.
int p2e_schema_features_merge(const ProtobufCMessage *options, enum p2e_feature_option number,
                              const char *owner, struct p2e_features *features,
                              struct p2e_error *err);

// ---- The model ----------------------------------------------------------------------------------

struct p2e_schema_context {
    struct p2e_schema *schema;
    struct p2e_arena *arena;
    struct p2e_error *err;
};

int p2e_schema_out_of_memory(const struct p2e_schema_context *c);
bool p2e_schema_is_identifier(const char *name); // NULL is none

// Fills *field, whose name, parent and `extension` are set; the oneof is left to the caller.
// `features` are those of what is around it. All messages and enums have their names.
int p2e_schema_field(const struct p2e_schema_context *c,
                     const Google__Protobuf__FieldDescriptorProto *proto,
                     const struct p2e_features *features, struct p2e_field *field);

// Fills *schema, whose memory is `arena`; on failure *schema is not to be used.
int p2e_schema_build(const Google__Protobuf__FileDescriptorSet *set, struct p2e_arena *arena,
                     struct p2e_schema *schema, struct p2e_error *err);

// The default of a field whose type and enumeration are known. `text` is the descriptor's
// default_value, NULL for none.
int p2e_schema_default(const char *text, struct p2e_arena *arena, struct p2e_field *field,
                       struct p2e_error *err);

#endif
