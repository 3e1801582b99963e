// Protobuf descriptors as the compiler wants them: messages, fields, enums, resolved and indexed.
// Source of the meaning of every item: google/protobuf/descriptor.proto.
#ifndef P2E_COMPILER_SCHEMA_H
#define P2E_COMPILER_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

// Numbers of the options that hold annotations.
#define P2E_OPTION_VALIDATE   1159 // in the options of messages, oneofs and fields
#define P2E_OPTION_PREDEFINED 1160 // in the options of fields

// Part of a serialized message. `data` is NULL when there is none, which an empty one is not.
struct p2e_bytes {
    const char *data;
    size_t size;
};

// Same numbers as google.protobuf.FieldDescriptorProto.Type.
enum p2e_type {
    P2E_TYPE_DOUBLE = 1,
    P2E_TYPE_FLOAT = 2,
    P2E_TYPE_INT64 = 3,
    P2E_TYPE_UINT64 = 4,
    P2E_TYPE_INT32 = 5,
    P2E_TYPE_FIXED64 = 6,
    P2E_TYPE_FIXED32 = 7,
    P2E_TYPE_BOOL = 8,
    P2E_TYPE_STRING = 9,
    P2E_TYPE_GROUP = 10, // also a message field in delimited encoding
    P2E_TYPE_MESSAGE = 11,
    P2E_TYPE_BYTES = 12,
    P2E_TYPE_UINT32 = 13,
    P2E_TYPE_ENUM = 14,
    P2E_TYPE_SFIXED32 = 15,
    P2E_TYPE_SFIXED64 = 16,
    P2E_TYPE_SINT32 = 17,
    P2E_TYPE_SINT64 = 18,
};

enum p2e_presence {
    P2E_PRESENCE_IMPLICIT, // proto3 scalar: absent and default are the same
    P2E_PRESENCE_EXPLICIT, // proto2 and proto3 optional, editions, oneof members, submessages,
                           // extensions
    P2E_PRESENCE_REQUIRED, // proto2 required, and the editions' feature of that name
};

struct p2e_enum_value {
    char *name;
    int32_t number;
};

struct p2e_enum {
    char *full_name;               // without a leading dot
    bool closed;                   // an unknown number is an unknown field, whatever file the
                                   // enum is used in
    struct p2e_enum_value *values; // in the order of the schema
    size_t value_count;
    struct p2e_enum_value **by_name;   // the same, sorted; private
    struct p2e_enum_value **by_number; // likewise
};

struct p2e_message;

// A real oneof; the synthetic one of a proto3 optional field is not listed.
struct p2e_oneof {
    char *name;
    struct p2e_field **fields;
    size_t field_count;
    struct p2e_bytes validate; // as p2e_message's
};

struct p2e_field {
    char *name; // a proto2 group's is its field name (lower case); an extension's its full name
    char *json_name; // what JSON calls it, of an extension the same as `name`
    uint32_t number;
    enum p2e_type type;
    enum p2e_presence presence; // of a field that is not repeated
    bool repeated;              // maps too
    bool map;                   // repeated, and `message` is the map entry type
    bool extension;             // `parent` is the message that it extends
    bool validate_utf8;         // string fields of proto3, and of editions unless told otherwise
    struct p2e_message *parent;
    struct p2e_message *message;  // type MESSAGE or GROUP, else NULL
    struct p2e_enum *enumeration; // type ENUM, else NULL
    struct p2e_oneof *oneof;      // NULL for none
    // The default of an absent field. Numbers: default_bits is the value as it would be sent,
    // before any zigzag: integers and enums sign-extended to 64 bits, bool 0 or 1, float in the low
    // 32 bits. An enum's is that of its default value (the first one where none is given).
    uint64_t default_bits;
    char *default_text; // string and bytes with a default that is not empty, unescaped; else NULL
    size_t default_size;
    struct p2e_bytes validate;   // as p2e_message's
    struct p2e_bytes predefined; // the same of option 1160, (buf.validate.predefined)
};

struct p2e_message {
    char *full_name;          // without a leading dot
    char *package;            // "" for none
    struct p2e_field *fields; // ascending by number
    size_t field_count;
    struct p2e_field **by_name; // the same, sorted; private
    struct p2e_oneof *oneofs;
    size_t oneof_count;
    // Fields that others declare for this message, ascending by number. They are none of `fields`:
    // a rule does not see them, and a message is judged as if they were unknown.
    struct p2e_field *extensions;
    size_t extension_count;
    // The annotation: the content of option 1159, (buf.validate.message) if the set has that
    // extension, all its occurrences one after another, as protobuf merges them.
    struct p2e_bytes validate;
    bool map_entry;
    bool message_set;
    bool has_required; // a field of its own is required
    size_t index;      // position in p2e_schema.messages
};

// Pointers stay valid until p2e_schema_free.
struct p2e_schema {
    struct p2e_message *messages; // ascending by full name
    size_t message_count;
    struct p2e_enum *enums; // ascending by full name
    size_t enum_count;
    char digest[65]; // SHA-256, hex, of the FileDescriptorSet that was read
    void *memory;    // private
};

// Reads `path`: a .proto source (compiled by protoc with `includes` and the file's own folder as
// import paths) or a serialized FileDescriptorSet (any other file name). Types of imported files
// are included. proto2, proto3 and the editions 2023 and 2024 are read; a later edition is an
// error. Bounded: a set over 64 MiB, nesting too deep or a field that refers to an unknown type is
// an error. protoc's own messages are passed on, cut to what names the fault.
int p2e_schema_load(const char *path, char *const *includes, size_t include_count,
                    struct p2e_schema *schema, struct p2e_error *err);
// The same from a FileDescriptorSet in memory.
int p2e_schema_parse(const void *data, size_t size, struct p2e_schema *schema,
                     struct p2e_error *err);
void p2e_schema_free(struct p2e_schema *schema);

// NULL when there is none. `name` is a full name, a leading dot allowed.
const struct p2e_message *p2e_schema_message(const struct p2e_schema *schema, const char *name);
const struct p2e_enum *p2e_schema_enum(const struct p2e_schema *schema, const char *name);
// As p2e_schema_message, and a miss is an error that offers the nearest name.
const struct p2e_message *p2e_schema_require(const struct p2e_schema *schema, const char *name,
                                             struct p2e_error *err);
const struct p2e_field *p2e_message_field(const struct p2e_message *message, const char *name);
const struct p2e_field *p2e_message_number(const struct p2e_message *message, uint32_t number);
const struct p2e_field *p2e_message_extension(const struct p2e_message *message, uint32_t number);
const struct p2e_enum_value *p2e_enum_value(const struct p2e_enum *enumeration, const char *name);
// One of the values of that number, which may have several names.
const struct p2e_enum_value *p2e_enum_number(const struct p2e_enum *enumeration, int32_t number);

#endif
