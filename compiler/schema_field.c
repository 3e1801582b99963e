// One field's descriptor: its type, what presence and the features mean for it, its options.
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compiler/schema_private.h"

#define FIELD_NUMBER_MAX 536870911 // 2^29 - 1
#define RESERVED_FIRST   19000     // protobuf's own
#define RESERVED_LAST    19999

typedef Google__Protobuf__FieldDescriptorProto field_proto;

#define LABEL(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_##name

int p2e_schema_out_of_memory(const struct p2e_schema_context *c)
{
    return p2e_error_set(c->err, "out of memory: the schema is too large");
}

bool p2e_schema_is_identifier(const char *name)
{
    if (!name || (!isalpha((unsigned char)name[0]) && name[0] != '_'))
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return *name == '\0';
}

__attribute__((format(printf, 3, 4))) static int field_error(const struct p2e_schema_context *c,
                                                             const struct p2e_field *field,
                                                             const char *format, ...)
{
    char what[P2E_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (field->extension)
        return p2e_error_set(c->err, "extension %s %s", field->name, what);
    return p2e_error_set(c->err, "field %s.%s %s", field->parent->full_name, field->name, what);
}

// ---- Number and type ----------------------------------------------------------------------------

static int set_number(const struct p2e_schema_context *c, const field_proto *proto,
                      struct p2e_field *field)
{
    // A message set's extensions are numbered by what is no tag.
    int32_t max = field->extension && field->parent->message_set ? INT32_MAX : FIELD_NUMBER_MAX;
    bool reserved = proto->number >= RESERVED_FIRST && proto->number <= RESERVED_LAST;
    if (proto->number >= 1 && proto->number <= max && !reserved) {
        field->number = (uint32_t)proto->number;
        return 0;
    }
    return field_error(c, field, "has number %d, which is out of range", proto->number);
}

static int resolve_type(const struct p2e_schema_context *c, struct p2e_field *field,
                        const field_proto *proto)
{
    const char *name = proto->type_name;
    field->type = proto->has_type ? (enum p2e_type)proto->type : 0;
    bool is_message = field->type == P2E_TYPE_MESSAGE || field->type == P2E_TYPE_GROUP;
    bool is_enum = field->type == P2E_TYPE_ENUM;

    if (proto->has_type && (field->type < P2E_TYPE_DOUBLE || field->type > P2E_TYPE_SINT64))
        return field_error(c, field, "is of a type that p2e does not know");
    if (!proto->has_type && !name)
        return field_error(c, field, "has no type");
    if (proto->has_type && !is_message && !is_enum)
        return name ? field_error(c, field, "is of a scalar type, yet it names a type") : 0;
    if (!name || name[0] != '.')
        return field_error(c, field, "does not name its type in full, with a leading dot");

    // Without a type, the name tells which it is.
    field->message = is_enum ? NULL : (struct p2e_message *)p2e_schema_message(c->schema, name);
    if (!field->message && !is_message)
        field->enumeration = (struct p2e_enum *)p2e_schema_enum(c->schema, name);
    if (!field->message && !field->enumeration)
        return field_error(c, field,
                           "refers to type \"%s\", which is not in the schema; write the set with "
                           "protoc --include_imports",
                           name);
    if (!proto->has_type)
        field->type = field->message ? P2E_TYPE_MESSAGE : P2E_TYPE_ENUM;
    return 0;
}

// Maps and what is in them keep the length-prefixed encoding, whatever the file says.
static void set_encoding(struct p2e_field *field, const struct p2e_features *features)
{
    bool in_map = !field->extension && field->parent->map_entry;
    field->map = field->message && field->message->map_entry;
    if (field->type == P2E_TYPE_MESSAGE && !field->map && !in_map &&
        features->value[P2E_FEATURE_ENCODING] == P2E_FEATURE_DELIMITED)
        field->type = P2E_TYPE_GROUP;
    field->validate_utf8 =
        field->type == P2E_TYPE_STRING && features->value[P2E_FEATURE_UTF8] == P2E_FEATURE_VERIFY;
}

// ---- Presence -----------------------------------------------------------------------------------

static enum p2e_presence presence_of(const struct p2e_field *field, const field_proto *proto,
                                     const struct p2e_features *features)
{
    uint8_t feature = features->value[P2E_FEATURE_PRESENCE];
    if (proto->label == LABEL(REQUIRED) || feature == P2E_FEATURE_REQUIRED)
        return P2E_PRESENCE_REQUIRED;
    // A proto3 optional field has its synthetic oneof.
    if (feature == P2E_FEATURE_EXPLICIT || field->message || field->extension ||
        proto->has_oneof_index)
        return P2E_PRESENCE_EXPLICIT;
    return P2E_PRESENCE_IMPLICIT;
}

static bool may_have_default(const struct p2e_field *field, const struct p2e_features *features)
{
    return features->syntax != P2E_SYNTAX_PROTO3 && field->presence != P2E_PRESENCE_IMPLICIT &&
           !field->repeated && !field->message;
}

// What a field's syntax or edition has no such thing for.
static int check_syntax(const struct p2e_schema_context *c, const struct p2e_field *field,
                        const field_proto *proto, enum p2e_syntax syntax)
{
    bool legacy = proto->label == LABEL(REQUIRED) || (enum p2e_type)proto->type == P2E_TYPE_GROUP;
    if (legacy && syntax == P2E_SYNTAX_PROTO3)
        return field_error(c, field, "is required or a group, which proto3 does not have");
    if (legacy && syntax == P2E_SYNTAX_EDITIONS)
        return field_error(c, field,
                           "is required or a group without the feature for it, which "
                           "editions do not have");
    if (proto->proto3_optional && !field->extension &&
        (syntax != P2E_SYNTAX_PROTO3 || !proto->has_oneof_index || field->repeated))
        return field_error(c, field, "is marked as proto3 optional, and it cannot be");
    return 0;
}

// What protoc refuses, and what would make presence or defaults ambiguous.
static int check_field(const struct p2e_schema_context *c, const struct p2e_field *field,
                       const field_proto *proto, const struct p2e_features *features)
{
    if (proto->label < LABEL(OPTIONAL) || proto->label > LABEL(REPEATED))
        return field_error(c, field, "has a label that p2e does not know");
    if (check_syntax(c, field, proto, features->syntax) < 0)
        return -1;
    if (proto->has_oneof_index &&
        (proto->label != LABEL(OPTIONAL) || field->presence == P2E_PRESENCE_REQUIRED))
        return field_error(c, field, "is in a oneof, where fields cannot be repeated or required");
    if (field->presence == P2E_PRESENCE_REQUIRED && (field->repeated || field->extension))
        return field_error(c, field, "is required, which lists and extensions cannot be");
    if (field->extension && proto->has_oneof_index)
        return field_error(c, field, "is in a oneof, where an extension cannot be");
    if (proto->default_value && !may_have_default(field, features))
        return field_error(c, field, "has a default value, and it cannot have one");
    if (features->syntax == P2E_SYNTAX_EDITIONS && field->presence == P2E_PRESENCE_IMPLICIT &&
        field->enumeration && field->enumeration->closed)
        return field_error(c, field,
                           "has implicit presence, which the closed enum that it is of "
                           "does not allow");
    if (field->map && !(field->repeated && field->type == P2E_TYPE_MESSAGE))
        return field_error(c, field, "is of a map entry type, and it is no map");
    return 0;
}

// ---- Name in JSON -------------------------------------------------------------------------------

// protoc fills it in, others need not: "lower_camel" is "lowerCamel".
static int set_json_name(const struct p2e_schema_context *c, struct p2e_field *field,
                         const field_proto *proto)
{
    const char *name = proto->json_name && !field->extension ? proto->json_name : field->name;
    char *to = field->json_name = p2e_arena_copy(c->arena, name, strlen(name));
    if (!to)
        return p2e_schema_out_of_memory(c);
    if (name == proto->json_name || field->extension)
        return 0;
    for (const char *at = name; *at; at++) {
        if (*at != '_')
            *to++ =
                at > name && at[-1] == '_' && *at >= 'a' && *at <= 'z' ? *at - ('a' - 'A') : *at;
    }
    *to = '\0';
    return 0;
}

// ---- All of it ----------------------------------------------------------------------------------

int p2e_schema_field(const struct p2e_schema_context *c, const field_proto *proto,
                     const struct p2e_features *around, struct p2e_field *field)
{
    const ProtobufCMessage *options = proto->options ? &proto->options->base : NULL;
    struct p2e_features features = *around;

    if (set_number(c, proto, field) < 0)
        return -1;
    if (set_json_name(c, field, proto) < 0)
        return -1;
    field->repeated = proto->label == LABEL(REPEATED);
    if (p2e_schema_features_merge(options, P2E_FEATURES_OF_FIELD, field->name, &features, c->err) <
            0 ||
        resolve_type(c, field, proto) < 0)
        return -1;
    set_encoding(field, &features);
    field->presence = presence_of(field, proto, &features);
    if (check_field(c, field, proto, &features) < 0 ||
        p2e_schema_option(options, P2E_OPTION_VALIDATE, c->arena, &field->validate, c->err) < 0 ||
        p2e_schema_option(options, P2E_OPTION_PREDEFINED, c->arena, &field->predefined, c->err) < 0)
        return -1;
    return p2e_schema_default(proto->default_value, c->arena, field, c->err);
}
