// From unpacked descriptors to the model: names first, sorted, so that every later step finds a
// type by binary search; then enums; then fields, which refer to both.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/schema_private.h"

#define FIELD_NUMBER_MAX 536870911 // 2^29 - 1
#define RESERVED_FIRST   19000     // protobuf's own
#define RESERVED_LAST    19999

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;

#define LABEL(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_##name

// A message or an enum, with what it was declared by.
struct declaration {
    char *full_name;
    const char *package;
    const file_proto *file;
    const message_proto *message; // one of the two
    const enum_proto *enumeration;
};

struct builder {
    struct p2e_schema *schema;
    struct p2e_arena *arena;
    struct p2e_error *err;
    struct declaration *declarations;
    size_t count, capacity, message_count;
};

static void builder_free(struct builder *b)
{
    free(b->declarations);
}

static int out_of_memory(struct builder *b)
{
    return p2e_error_set(b->err, "out of memory: the schema is too large");
}

static bool is_proto3(const file_proto *file)
{
    return file->syntax && strcmp(file->syntax, "proto3") == 0;
}

// ---- Names --------------------------------------------------------------------------------------

static bool is_identifier(const char *name)
{
    if (!name || (!isalpha((unsigned char)name[0]) && name[0] != '_'))
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return *name == '\0';
}

static bool is_package(const char *name)
{
    bool begins = true;
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c == '.' ? begins : !(isalpha(c) || c == '_' || (isdigit(c) && !begins)))
            return false;
        begins = c == '.';
    }
    return !begins;
}

static int declare(struct builder *b, const struct declaration *declaration, const char *scope,
                   const char *name)
{
    if (!is_identifier(name))
        return p2e_error_set(b->err, "a type in \"%s\" has a name that is not an identifier",
                             declaration->file->name ? declaration->file->name : "");
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? 2 * b->capacity : 64;
        void *grown = reallocarray(b->declarations, capacity, sizeof(*b->declarations));
        if (!grown)
            return out_of_memory(b);
        b->declarations = grown;
        b->capacity = capacity;
    }
    size_t scope_size = strlen(scope), name_size = strlen(name);
    char *full_name = p2e_arena_array(b->arena, scope_size + name_size + 2, 1);
    if (!full_name)
        return out_of_memory(b);
    if (scope_size > 0) {
        memcpy(full_name, scope, scope_size);
        full_name[scope_size++] = '.';
    }
    memcpy(full_name + scope_size, name, name_size);

    struct declaration *added = &b->declarations[b->count++];
    *added = *declaration;
    added->full_name = full_name;
    b->message_count += declaration->message != NULL;
    return 0;
}

static int declare_enums(struct builder *b, const file_proto *file, const char *package,
                         const char *scope, enum_proto *const *enums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct declaration d = {.file = file, .package = package, .enumeration = enums[i]};
        if (declare(b, &d, scope, enums[i]->name) < 0)
            return -1;
    }
    return 0;
}

// Recursion is bounded by p2e_schema_scan.
static int declare_messages(struct builder *b, const file_proto *file, const char *package,
                            const char *scope, message_proto *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const message_proto *m = messages[i];
        struct declaration d = {.file = file, .package = package, .message = m};
        if (declare(b, &d, scope, m->name) < 0)
            return -1;
        const char *inner = b->declarations[b->count - 1].full_name;
        if (declare_enums(b, file, package, inner, m->enum_type, m->n_enum_type) < 0 ||
            declare_messages(b, file, package, inner, m->nested_type, m->n_nested_type) < 0)
            return -1;
    }
    return 0;
}

static int check_syntax(struct builder *b, const file_proto *file)
{
    const char *syntax = file->syntax ? file->syntax : "proto2";
    if (strcmp(syntax, "editions") == 0)
        return p2e_error_set(b->err,
                             "\"%s\" uses protobuf editions, which p2e does not read yet; "
                             "it reads proto2 and proto3",
                             file->name ? file->name : "");
    if (strcmp(syntax, "proto2") != 0 && strcmp(syntax, "proto3") != 0)
        return p2e_error_set(b->err, "a file's syntax is neither proto2 nor proto3");
    return 0;
}

static int declare_file(struct builder *b, const file_proto *file)
{
    const char *name = file->package ? file->package : "";
    if (check_syntax(b, file) < 0)
        return -1;
    if (name[0] && !is_package(name))
        return p2e_error_set(b->err, "a package name is not made of identifiers and dots");
    char *package = p2e_arena_copy(b->arena, name, strlen(name));
    if (!package)
        return out_of_memory(b);
    if (declare_enums(b, file, package, package, file->enum_type, file->n_enum_type) < 0)
        return -1;
    return declare_messages(b, file, package, package, file->message_type, file->n_message_type);
}

static int compare_declarations(const void *a, const void *b)
{
    const struct declaration *left = a, *right = b;
    return strcmp(left->full_name, right->full_name);
}

static int declare_all(struct builder *b, const Google__Protobuf__FileDescriptorSet *set)
{
    for (size_t i = 0; i < set->n_file; i++) {
        if (declare_file(b, set->file[i]) < 0)
            return -1;
    }
    if (b->count == 0)
        return 0;
    qsort(b->declarations, b->count, sizeof(*b->declarations), compare_declarations);
    for (size_t i = 1; i < b->count; i++) {
        const char *name = b->declarations[i].full_name;
        if (strcmp(b->declarations[i - 1].full_name, name) == 0)
            return p2e_error_set(b->err, "type \"%s\" is declared twice", name);
    }
    return 0;
}

// ---- Enums --------------------------------------------------------------------------------------

static int compare_values(const void *a, const void *b)
{
    const struct p2e_enum_value *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int index_values(struct builder *b, struct p2e_enum *e)
{
    for (size_t i = 0; i < e->value_count; i++)
        e->by_name[i] = &e->values[i];
    qsort(e->by_name, e->value_count, sizeof(e->by_name[0]), compare_values);
    for (size_t i = 1; i < e->value_count; i++) {
        if (strcmp(e->by_name[i - 1]->name, e->by_name[i]->name) == 0)
            return p2e_error_set(b->err, "enum %s has two values \"%s\"", e->full_name,
                                 e->by_name[i]->name);
    }
    return 0;
}

static int build_enum(struct builder *b, struct p2e_enum *e, const struct declaration *d)
{
    const enum_proto *proto = d->enumeration;
    e->full_name = d->full_name;
    e->closed = !is_proto3(d->file);
    e->value_count = proto->n_value;
    if (e->value_count == 0)
        return p2e_error_set(b->err, "enum %s has no values", e->full_name);
    e->values = p2e_arena_array(b->arena, e->value_count, sizeof(*e->values));
    e->by_name = p2e_arena_array(b->arena, e->value_count, sizeof(*e->by_name));
    if (!e->values || !e->by_name)
        return out_of_memory(b);

    for (size_t i = 0; i < e->value_count; i++) {
        const char *name = proto->value[i]->name;
        if (!is_identifier(name) || !proto->value[i]->has_number)
            return p2e_error_set(b->err, "enum %s has a value without a proper name or number",
                                 e->full_name);
        e->values[i].name = p2e_arena_copy(b->arena, name, strlen(name));
        e->values[i].number = proto->value[i]->number;
        if (!e->values[i].name)
            return out_of_memory(b);
    }
    if (!e->closed && e->values[0].number != 0)
        return p2e_error_set(b->err, "enum %s: the first value of a proto3 enum must be 0",
                             e->full_name);
    return index_values(b, e);
}

// ---- Fields -------------------------------------------------------------------------------------

static int field_error(struct builder *b, const struct p2e_field *field, const char *what)
{
    return p2e_error_set(b->err, "field %s.%s %s", field->parent->full_name, field->name, what);
}

static int unknown_type(struct builder *b, const struct p2e_field *field, const char *type)
{
    return p2e_error_set(b->err,
                         "field %s.%s refers to type \"%s\", which is not in the schema; "
                         "write the set with protoc --include_imports",
                         field->parent->full_name, field->name, type);
}

static int resolve_type(struct builder *b, struct p2e_field *field, const field_proto *proto)
{
    const char *name = proto->type_name;
    bool is_message = field->type == P2E_TYPE_MESSAGE || field->type == P2E_TYPE_GROUP;
    bool is_enum = field->type == P2E_TYPE_ENUM;

    if (proto->has_type && (field->type < P2E_TYPE_DOUBLE || field->type > P2E_TYPE_SINT64))
        return field_error(b, field, "is of a type that p2e does not know");
    if (!proto->has_type && !name)
        return field_error(b, field, "has no type");
    if (proto->has_type && !is_message && !is_enum)
        return name ? field_error(b, field, "is of a scalar type, yet it names a type") : 0;
    if (!name || name[0] != '.')
        return field_error(b, field, "does not name its type in full, with a leading dot");

    // Without a type, the name tells which it is.
    field->message = is_enum ? NULL : (struct p2e_message *)p2e_schema_message(b->schema, name);
    if (!field->message && !is_message)
        field->enumeration = (struct p2e_enum *)p2e_schema_enum(b->schema, name);
    if (!field->message && !field->enumeration)
        return unknown_type(b, field, name);
    if (!proto->has_type)
        field->type = field->message ? P2E_TYPE_MESSAGE : P2E_TYPE_ENUM;
    return 0;
}

static enum p2e_presence presence_of(const struct p2e_field *field, const field_proto *proto,
                                     bool proto3)
{
    if (proto->label == LABEL(REQUIRED))
        return P2E_PRESENCE_REQUIRED;
    if (!proto3 || field->message || proto->has_oneof_index)
        return P2E_PRESENCE_EXPLICIT; // a proto3 optional field has its synthetic oneof
    return P2E_PRESENCE_IMPLICIT;
}

// What protoc refuses, and what would make presence or defaults ambiguous.
static int check_field(struct builder *b, const struct p2e_field *field, const field_proto *proto,
                       bool proto3)
{
    if (proto->label < LABEL(OPTIONAL) || proto->label > LABEL(REPEATED))
        return field_error(b, field, "has a label that p2e does not know");
    if (proto3 && (proto->label == LABEL(REQUIRED) || field->type == P2E_TYPE_GROUP))
        return field_error(b, field, "is required or a group, which proto3 does not have");
    if (proto->proto3_optional && (!proto3 || !proto->has_oneof_index || field->repeated))
        return field_error(b, field, "is marked as proto3 optional, and it cannot be");
    if (proto->has_oneof_index && proto->label != LABEL(OPTIONAL))
        return field_error(b, field, "is in a oneof, where fields cannot be repeated or required");
    if (proto->default_value && (proto3 || field->repeated || field->message))
        return field_error(b, field, "has a default value, and it cannot have one");
    return 0;
}

static int build_field(struct builder *b, struct p2e_field *field, const field_proto *proto,
                       const struct declaration *d)
{
    bool proto3 = is_proto3(d->file);
    if (!is_identifier(proto->name))
        return p2e_error_set(b->err, "message %s has a field without a proper name", d->full_name);
    field->name = p2e_arena_copy(b->arena, proto->name, strlen(proto->name));
    if (!field->name)
        return out_of_memory(b);
    if (proto->number < 1 || proto->number > FIELD_NUMBER_MAX ||
        (proto->number >= RESERVED_FIRST && proto->number <= RESERVED_LAST))
        return p2e_error_set(b->err, "field %s.%s has number %d, which is out of range",
                             d->full_name, field->name, proto->number);

    field->number = (uint32_t)proto->number;
    field->type = proto->has_type ? (enum p2e_type)proto->type : 0;
    field->repeated = proto->label == LABEL(REPEATED);
    if (resolve_type(b, field, proto) < 0 || check_field(b, field, proto, proto3) < 0)
        return -1;
    field->presence = presence_of(field, proto, proto3);
    field->map = field->message && field->message->map_entry;
    if (field->map && !(field->repeated && field->type == P2E_TYPE_MESSAGE))
        return field_error(b, field, "is of a map entry type, and it is no map");
    field->validate_utf8 = proto3 && field->type == P2E_TYPE_STRING;
    return p2e_schema_default(proto->default_value, b->arena, field, b->err);
}

static int compare_numbers(const void *a, const void *b)
{
    const field_proto *const *left = a, *const *right = b;
    return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

static int compare_fields(const void *a, const void *b)
{
    const struct p2e_field *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int index_fields(struct builder *b, struct p2e_message *m)
{
    for (size_t i = 0; i < m->field_count; i++)
        m->by_name[i] = &m->fields[i];
    qsort(m->by_name, m->field_count, sizeof(m->by_name[0]), compare_fields);
    for (size_t i = 1; i < m->field_count; i++) {
        const char *name = m->by_name[i]->name;
        if (strcmp(m->by_name[i - 1]->name, name) == 0)
            return p2e_error_set(b->err, "message %s has two fields \"%s\"", m->full_name, name);
        if (m->fields[i - 1].number == m->fields[i].number)
            return p2e_error_set(b->err, "message %s has number %u twice: fields %s and %s",
                                 m->full_name, m->fields[i].number, m->fields[i - 1].name,
                                 m->fields[i].name);
    }
    return 0;
}

// ---- Oneofs -------------------------------------------------------------------------------------

// One oneof_decl: how many real members it has, and how many proto3 optional ones.
struct oneof_count {
    size_t real, synthetic;
    struct p2e_oneof *oneof;
};

static int count_members(struct builder *b, const message_proto *proto, const char *full_name,
                         struct oneof_count *counts)
{
    for (size_t i = 0; i < proto->n_field; i++) {
        const field_proto *f = proto->field[i];
        if (!f->has_oneof_index)
            continue;
        if (f->oneof_index < 0 || (size_t)f->oneof_index >= proto->n_oneof_decl)
            return p2e_error_set(b->err, "message %s refers to a oneof that it does not have",
                                 full_name);
        struct oneof_count *count = &counts[f->oneof_index];
        *(f->proto3_optional ? &count->synthetic : &count->real) += 1;
    }
    return 0;
}

static int build_oneof(struct builder *b, struct p2e_message *m, const char *name,
                       struct oneof_count *count)
{
    if (count->synthetic == 1 && count->real == 0)
        return 0;
    if (count->synthetic > 0 || count->real == 0 || !is_identifier(name))
        return p2e_error_set(b->err, "message %s has a oneof without a proper name or fields",
                             m->full_name);
    struct p2e_oneof *oneof = &m->oneofs[m->oneof_count++];
    oneof->name = p2e_arena_copy(b->arena, name, strlen(name));
    oneof->fields = p2e_arena_array(b->arena, count->real, sizeof(*oneof->fields));
    if (!oneof->name || !oneof->fields)
        return out_of_memory(b);
    count->oneof = oneof;
    return 0;
}

// `sorted` are the descriptors of m->fields, one for one.
static int build_oneofs(struct builder *b, struct p2e_message *m, const message_proto *proto,
                        field_proto *const *sorted)
{
    if (proto->n_oneof_decl == 0)
        return count_members(b, proto, m->full_name, NULL);

    _cleanup_free_ struct oneof_count *counts = calloc(proto->n_oneof_decl, sizeof(*counts));
    m->oneofs = p2e_arena_array(b->arena, proto->n_oneof_decl, sizeof(*m->oneofs));
    if (!counts || !m->oneofs)
        return out_of_memory(b);
    if (count_members(b, proto, m->full_name, counts) < 0)
        return -1;
    for (size_t i = 0; i < proto->n_oneof_decl; i++) {
        if (build_oneof(b, m, proto->oneof_decl[i]->name, &counts[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < m->field_count; i++) {
        struct p2e_oneof *oneof =
            sorted[i]->has_oneof_index ? counts[sorted[i]->oneof_index].oneof : NULL;
        m->fields[i].oneof = oneof;
        if (oneof)
            oneof->fields[oneof->field_count++] = &m->fields[i];
    }
    return 0;
}

// ---- Messages -----------------------------------------------------------------------------------

static bool is_map_key(enum p2e_type type)
{
    switch (type) {
    case P2E_TYPE_DOUBLE:
    case P2E_TYPE_FLOAT:
    case P2E_TYPE_BYTES:
    case P2E_TYPE_MESSAGE:
    case P2E_TYPE_GROUP:
    case P2E_TYPE_ENUM:
        return false;
    default:
        return true;
    }
}

static int check_message(struct builder *b, const struct p2e_message *m)
{
    if (m->message_set && m->field_count > 0)
        return p2e_error_set(b->err, "message %s has the message set format and fields of its own",
                             m->full_name);
    if (!m->map_entry)
        return 0;
    if (m->field_count != 2 || m->fields[0].number != 1 || m->fields[1].number != 2 ||
        m->fields[0].repeated || m->fields[1].repeated || !is_map_key(m->fields[0].type))
        return p2e_error_set(b->err, "map entry %s has not just a key and a value", m->full_name);
    return 0;
}

static int build_fields(struct builder *b, struct p2e_message *m, const struct declaration *d)
{
    const message_proto *proto = d->message;
    if (proto->n_field == 0)
        return build_oneofs(b, m, proto, NULL);

    _cleanup_free_ field_proto **sorted = calloc(proto->n_field, sizeof(*sorted));
    m->fields = p2e_arena_array(b->arena, proto->n_field, sizeof(*m->fields));
    m->by_name = p2e_arena_array(b->arena, proto->n_field, sizeof(*m->by_name));
    if (!sorted || !m->fields || !m->by_name)
        return out_of_memory(b);
    memcpy(sorted, proto->field, proto->n_field * sizeof(*sorted));
    qsort(sorted, proto->n_field, sizeof(*sorted), compare_numbers);

    for (; m->field_count < proto->n_field; m->field_count++) {
        struct p2e_field *field = &m->fields[m->field_count];
        field->parent = m;
        if (build_field(b, field, sorted[m->field_count], d) < 0)
            return -1;
    }
    if (index_fields(b, m) < 0)
        return -1;
    return build_oneofs(b, m, proto, sorted);
}

static void name_message(struct p2e_message *m, size_t index, const struct declaration *d)
{
    m->full_name = d->full_name;
    m->package = (char *)d->package;
    m->index = index;
    m->map_entry = d->message->options && d->message->options->map_entry;
    m->message_set = d->message->options && d->message->options->message_set_wire_format;
}

static int build_types(struct builder *b)
{
    struct p2e_schema *schema = b->schema;
    schema->messages = p2e_arena_array(b->arena, b->message_count, sizeof(*schema->messages));
    schema->enums = p2e_arena_array(b->arena, b->count - b->message_count, sizeof(*schema->enums));
    if (!schema->messages || !schema->enums)
        return out_of_memory(b);

    for (size_t i = 0; i < b->count; i++) {
        const struct declaration *d = &b->declarations[i];
        if (d->message) {
            name_message(&schema->messages[schema->message_count], schema->message_count, d);
            schema->message_count++;
        } else if (build_enum(b, &schema->enums[schema->enum_count++], d) < 0) {
            return -1;
        }
    }
    return 0;
}

int p2e_schema_build(const Google__Protobuf__FileDescriptorSet *set, struct p2e_arena *arena,
                     struct p2e_schema *schema, struct p2e_error *err)
{
    _cleanup_(builder_free) struct builder b = {.schema = schema, .arena = arena, .err = err};

    if (declare_all(&b, set) < 0 || build_types(&b) < 0)
        return -1;
    struct p2e_message *m = schema->messages;
    for (size_t i = 0; i < b.count; i++) {
        if (!b.declarations[i].message)
            continue;
        if (build_fields(&b, m, &b.declarations[i]) < 0 || check_message(&b, m) < 0)
            return -1;
        m++;
    }
    return 0;
}
