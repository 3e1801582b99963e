// Editions: what syntax = "proto2" and "proto3" were short for, as single features that are
// inherited from the file to what is in it. Source: google/protobuf/descriptor.proto, FeatureSet.
#include <string.h>

#include "compiler/schema_private.h"

#define FILE_EDITION      14 // FileDescriptorProto.edition
#define EDITION_PROTO2    998
#define EDITION_PROTO3    999
#define EDITION_2023      1000
#define EDITION_2024      1001
#define FEATURE_KNOWN_MAX 8    // of edition 2024
#define FEATURE_CUSTOM    1000 // extensions: they tell a code generator something

static const struct p2e_features defaults[] = {
    [P2E_SYNTAX_PROTO2] = {P2E_SYNTAX_PROTO2,
                           {[P2E_FEATURE_PRESENCE] = P2E_FEATURE_EXPLICIT,
                            [P2E_FEATURE_ENUM_TYPE] = P2E_FEATURE_CLOSED,
                            [P2E_FEATURE_UTF8] = P2E_FEATURE_NO_CHECK,
                            [P2E_FEATURE_ENCODING] = P2E_FEATURE_LENGTH_PREFIXED}},
    [P2E_SYNTAX_PROTO3] = {P2E_SYNTAX_PROTO3,
                           {[P2E_FEATURE_PRESENCE] = P2E_FEATURE_IMPLICIT,
                            [P2E_FEATURE_ENUM_TYPE] = P2E_FEATURE_OPEN,
                            [P2E_FEATURE_UTF8] = P2E_FEATURE_VERIFY,
                            [P2E_FEATURE_ENCODING] = P2E_FEATURE_LENGTH_PREFIXED}},
    [P2E_SYNTAX_EDITIONS] = {P2E_SYNTAX_EDITIONS,
                             {[P2E_FEATURE_PRESENCE] = P2E_FEATURE_EXPLICIT,
                              [P2E_FEATURE_ENUM_TYPE] = P2E_FEATURE_OPEN,
                              [P2E_FEATURE_UTF8] = P2E_FEATURE_VERIFY,
                              [P2E_FEATURE_ENCODING] = P2E_FEATURE_LENGTH_PREFIXED}},
};

// The values that a feature may have; {0} for one that does not change how messages are read.
static const struct {
    uint8_t min, max;
} ranges[P2E_FEATURE_COUNT] = {
    [P2E_FEATURE_PRESENCE] = {P2E_FEATURE_EXPLICIT, P2E_FEATURE_REQUIRED},
    [P2E_FEATURE_ENUM_TYPE] = {P2E_FEATURE_OPEN, P2E_FEATURE_CLOSED},
    [P2E_FEATURE_UTF8] = {P2E_FEATURE_VERIFY, P2E_FEATURE_NO_CHECK},
    [P2E_FEATURE_ENCODING] = {P2E_FEATURE_LENGTH_PREFIXED, P2E_FEATURE_DELIMITED},
};

// ---- A file's edition ---------------------------------------------------------------------------

static int syntax_of(const Google__Protobuf__FileDescriptorProto *file, enum p2e_syntax *syntax,
                     struct p2e_error *err)
{
    const char *text = file->syntax ? file->syntax : "proto2";
    *syntax = P2E_SYNTAX_PROTO2;
    if (strcmp(text, "proto3") == 0)
        *syntax = P2E_SYNTAX_PROTO3;
    else if (strcmp(text, "editions") == 0)
        *syntax = P2E_SYNTAX_EDITIONS;
    else if (strcmp(text, "proto2") != 0)
        return p2e_error_set(err, "a file's syntax is neither proto2 nor proto3 nor editions");
    return 0;
}

static bool fits(enum p2e_syntax syntax, uint64_t edition)
{
    switch (syntax) {
    case P2E_SYNTAX_PROTO2:
        return edition == 0 || edition == EDITION_PROTO2;
    case P2E_SYNTAX_PROTO3:
        return edition == 0 || edition == EDITION_PROTO3;
    case P2E_SYNTAX_EDITIONS:
        return edition == EDITION_2023 || edition == EDITION_2024;
    }
    return false;
}

static int check_edition(const Google__Protobuf__FileDescriptorProto *file, enum p2e_syntax syntax,
                         struct p2e_error *err)
{
    struct p2e_wire_field field;
    uint64_t edition = 0;
    for (size_t at = 0; p2e_schema_unknown(&file->base, FILE_EDITION, &at, &field);)
        edition = field.type == P2E_WIRE_VARINT ? field.value : edition;
    if (fits(syntax, edition))
        return 0;
    const char *name = file->name ? file->name : "";
    if (edition == 0)
        return p2e_error_set(err, "\"%s\" uses protobuf editions and does not say which one", name);
    return p2e_error_set(err,
                         "\"%s\" is of an edition (number %llu) that p2e does not know; it reads "
                         "proto2, proto3 and the editions 2023 and 2024",
                         name, (unsigned long long)edition);
}

int p2e_schema_features(const Google__Protobuf__FileDescriptorProto *file,
                        struct p2e_features *features, struct p2e_error *err)
{
    enum p2e_syntax syntax = P2E_SYNTAX_PROTO2;
    if (syntax_of(file, &syntax, err) < 0 || check_edition(file, syntax, err) < 0)
        return -1;
    *features = defaults[syntax];
    return p2e_schema_features_merge(file->options ? &file->options->base : NULL,
                                     P2E_FEATURES_OF_FILE, file->name ? file->name : "", features,
                                     err);
}

// ---- Features -----------------------------------------------------------------------------------

static bool is_of_interest(uint32_t feature)
{
    return feature < P2E_FEATURE_COUNT && ranges[feature].max > 0;
}

static bool set_feature(const struct p2e_wire_field *field, struct p2e_features *features)
{
    if (!is_of_interest(field->number))
        return field->number <= FEATURE_KNOWN_MAX || field->number >= FEATURE_CUSTOM;
    if (field->type != P2E_WIRE_VARINT || field->value < ranges[field->number].min ||
        field->value > ranges[field->number].max)
        return false;
    features->value[field->number] = (uint8_t)field->value;
    return true;
}

static int merge_set(struct p2e_wire set, const char *owner, struct p2e_features *features,
                     struct p2e_error *err)
{
    struct p2e_wire_field field;
    while (set.at < set.end) {
        if (!p2e_wire_next(&set, &field) || field.type == P2E_WIRE_GROUP_BEGIN ||
            field.type == P2E_WIRE_GROUP_END)
            return p2e_error_set(err, "the features of %s are damaged", owner);
        if (!set_feature(&field, features))
            return p2e_error_set(err, "%s has a feature (number %u) that p2e does not know", owner,
                                 field.number);
    }
    return 0;
}

int p2e_schema_features_merge(const ProtobufCMessage *options, enum p2e_feature_option number,
                              const char *owner, struct p2e_features *features,
                              struct p2e_error *err)
{
    struct p2e_wire_field field;
    for (size_t at = 0; p2e_schema_unknown(options, number, &at, &field);) {
        if (features->syntax != P2E_SYNTAX_EDITIONS)
            return p2e_error_set(err, "%s has features, which only editions have", owner);
        if (field.type != P2E_WIRE_BYTES)
            return p2e_error_set(err, "the features of %s are damaged", owner);
        if (merge_set(field.content, owner, features, err) < 0)
            return -1;
    }
    if (number != P2E_FEATURES_OF_FIELD &&
        features->value[P2E_FEATURE_PRESENCE] == P2E_FEATURE_REQUIRED)
        return p2e_error_set(
            err, "%s makes fields required by default, which editions do not allow", owner);
    return 0;
}
