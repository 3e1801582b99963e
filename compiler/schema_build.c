// From unpacked descriptors to the model: names first, sorted, so that every later step finds a
// type by binary search; then enums; then fields, which refer to both; then extensions, which refer
// to the messages that they extend.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/schema_private.h"

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__OneofDescriptorProto oneof_proto;

// A message or an enum, with what it was declared by.
struct declaration {
    char *full_name;
    const char *package;
    const message_proto *message; // one of the two
    const enum_proto *enumeration;
    struct p2e_features features;
};

// An extension, in the scope that declares it.
struct extension {
    const char *scope;
    const field_proto *proto;
    struct p2e_features features; // of what is around it
    struct p2e_message *extendee; // found when the messages are known
};

struct builder {
    struct p2e_schema_context c;
    struct declaration *declarations;
    size_t count, capacity, message_count;
    struct extension *extensions;
    size_t extension_count, extension_capacity;
};

// What the declarations of one file, or within one message, have in common.
struct scope {
    const char *file_name, *package;
    const char *name; // of the package or of the message
    const struct p2e_features *features;
};

static void builder_free(struct builder *b)
{
    free(b->declarations);
    free(b->extensions);
}

static int out_of_memory(struct builder *b)
{
    return p2e_schema_out_of_memory(&b->c);
}

// The array, which may have moved, with room for one item more; NULL when out of memory.
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t wanted = *capacity ? 2 * *capacity : 64;
    void *grown = reallocarray(array, wanted, size);
    if (grown)
        *capacity = wanted;
    return grown;
}

// ---- Names --------------------------------------------------------------------------------------

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

static char *full_name(struct builder *b, const char *scope, const char *name)
{
    size_t scope_size = strlen(scope), name_size = strlen(name);
    char *full = p2e_arena_array(b->c.arena, scope_size + name_size + 2, 1);
    if (!full)
        return NULL;
    if (scope_size > 0) {
        memcpy(full, scope, scope_size);
        full[scope_size++] = '.';
    }
    memcpy(full + scope_size, name, name_size);
    return full;
}

// The declaration that is added; NULL on failure.
static struct declaration *declare(struct builder *b, const struct scope *scope, const char *name)
{
    if (!p2e_schema_is_identifier(name)) {
        p2e_error_set(b->c.err, "a type in \"%s\" has a name that is not an identifier",
                      scope->file_name);
        return NULL;
    }
    char *full = full_name(b, scope->name, name);
    void *grown = grow(b->declarations, b->count, &b->capacity, sizeof(*b->declarations));
    if (grown)
        b->declarations = grown;
    if (!full || !grown) {
        out_of_memory(b);
        return NULL;
    }
    struct declaration *added = &b->declarations[b->count++];
    *added = (struct declaration){
        .full_name = full, .package = scope->package, .features = *scope->features};
    return added;
}

static int declare_enum(struct builder *b, const struct scope *scope, const enum_proto *proto)
{
    struct declaration *d = declare(b, scope, proto->name);
    if (!d)
        return -1;
    d->enumeration = proto;
    return p2e_schema_features_merge(proto->options ? &proto->options->base : NULL,
                                     P2E_FEATURES_OF_ENUM, d->full_name, &d->features, b->c.err);
}

static int declare_enums(struct builder *b, const struct scope *scope, enum_proto *const *enums,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (declare_enum(b, scope, enums[i]) < 0)
            return -1;
    }
    return 0;
}

static int declare_extensions(struct builder *b, const struct scope *scope,
                              field_proto *const *extensions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *grown =
            grow(b->extensions, b->extension_count, &b->extension_capacity, sizeof(*b->extensions));
        if (!grown)
            return out_of_memory(b);
        b->extensions = grown;
        b->extensions[b->extension_count++] = (struct extension){
            .scope = scope->name, .proto = extensions[i], .features = *scope->features};
    }
    return 0;
}

static int declare_message(struct builder *b, const struct scope *scope,
                           const message_proto *proto);

// Recursion is bounded by p2e_schema_scan.
static int declare_messages(struct builder *b, const struct scope *scope,
                            message_proto *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (declare_message(b, scope, messages[i]) < 0)
            return -1;
    }
    return 0;
}

static int declare_message(struct builder *b, const struct scope *scope, const message_proto *proto)
{
    struct declaration *d = declare(b, scope, proto->name);
    if (!d)
        return -1;
    d->message = proto;
    b->message_count++;
    if (p2e_schema_features_merge(proto->options ? &proto->options->base : NULL,
                                  P2E_FEATURES_OF_MESSAGE, d->full_name, &d->features,
                                  b->c.err) < 0)
        return -1;
    struct p2e_features features = d->features; // *d moves as more is declared
    struct scope inner = {scope->file_name, scope->package, d->full_name, &features};
    if (declare_enums(b, &inner, proto->enum_type, proto->n_enum_type) < 0 ||
        declare_extensions(b, &inner, proto->extension, proto->n_extension) < 0)
        return -1;
    return declare_messages(b, &inner, proto->nested_type, proto->n_nested_type);
}

static int declare_file(struct builder *b, const file_proto *file)
{
    const char *name = file->package ? file->package : "";
    struct p2e_features features;
    if (p2e_schema_features(file, &features, b->c.err) < 0)
        return -1;
    if (name[0] && !is_package(name))
        return p2e_error_set(b->c.err, "a package name is not made of identifiers and dots");
    char *package = p2e_arena_copy(b->c.arena, name, strlen(name));
    if (!package)
        return out_of_memory(b);
    struct scope scope = {file->name ? file->name : "", package, package, &features};
    if (declare_enums(b, &scope, file->enum_type, file->n_enum_type) < 0 ||
        declare_extensions(b, &scope, file->extension, file->n_extension) < 0)
        return -1;
    return declare_messages(b, &scope, file->message_type, file->n_message_type);
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
            return p2e_error_set(b->c.err, "type \"%s\" is declared twice", name);
    }
    return 0;
}

// ---- Enums --------------------------------------------------------------------------------------

static int compare_values(const void *a, const void *b)
{
    const struct p2e_enum_value *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int compare_value_numbers(const void *a, const void *b)
{
    const struct p2e_enum_value *const *left = a, *const *right = b;
    return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

static int index_values(struct builder *b, struct p2e_enum *e)
{
    for (size_t i = 0; i < e->value_count; i++)
        e->by_name[i] = e->by_number[i] = &e->values[i];
    qsort(e->by_name, e->value_count, sizeof(e->by_name[0]), compare_values);
    qsort(e->by_number, e->value_count, sizeof(e->by_number[0]), compare_value_numbers);
    for (size_t i = 1; i < e->value_count; i++) {
        if (strcmp(e->by_name[i - 1]->name, e->by_name[i]->name) == 0)
            return p2e_error_set(b->c.err, "enum %s has two values \"%s\"", e->full_name,
                                 e->by_name[i]->name);
    }
    return 0;
}

static int build_enum(struct builder *b, struct p2e_enum *e, const struct declaration *d)
{
    const enum_proto *proto = d->enumeration;
    e->full_name = d->full_name;
    e->closed = d->features.value[P2E_FEATURE_ENUM_TYPE] == P2E_FEATURE_CLOSED;
    e->value_count = proto->n_value;
    if (e->value_count == 0)
        return p2e_error_set(b->c.err, "enum %s has no values", e->full_name);
    e->values = p2e_arena_array(b->c.arena, e->value_count, sizeof(*e->values));
    e->by_name = p2e_arena_array(b->c.arena, e->value_count, sizeof(*e->by_name));
    e->by_number = p2e_arena_array(b->c.arena, e->value_count, sizeof(*e->by_number));
    if (!e->values || !e->by_name || !e->by_number)
        return out_of_memory(b);

    for (size_t i = 0; i < e->value_count; i++) {
        const char *name = proto->value[i]->name;
        if (!p2e_schema_is_identifier(name) || !proto->value[i]->has_number)
            return p2e_error_set(b->c.err, "enum %s has a value without a proper name or number",
                                 e->full_name);
        e->values[i].name = p2e_arena_copy(b->c.arena, name, strlen(name));
        e->values[i].number = proto->value[i]->number;
        if (!e->values[i].name)
            return out_of_memory(b);
    }
    if (!e->closed && e->values[0].number != 0)
        return p2e_error_set(b->c.err, "enum %s: the first value of %s enum must be 0",
                             e->full_name,
                             d->features.syntax == P2E_SYNTAX_PROTO3 ? "a proto3" : "an open");
    return index_values(b, e);
}

// ---- Fields -------------------------------------------------------------------------------------

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
            return p2e_error_set(b->c.err, "message %s has two fields \"%s\"", m->full_name, name);
        if (m->fields[i - 1].number == m->fields[i].number)
            return p2e_error_set(b->c.err, "message %s has number %u twice: fields %s and %s",
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
            return p2e_error_set(b->c.err, "message %s refers to a oneof that it does not have",
                                 full_name);
        struct oneof_count *count = &counts[f->oneof_index];
        *(f->proto3_optional ? &count->synthetic : &count->real) += 1;
    }
    return 0;
}

static int build_oneof(struct builder *b, struct p2e_message *m, const oneof_proto *proto,
                       struct oneof_count *count)
{
    const char *name = proto->name;
    if (count->synthetic == 1 && count->real == 0)
        return 0;
    if (count->synthetic > 0 || count->real == 0 || !p2e_schema_is_identifier(name))
        return p2e_error_set(b->c.err, "message %s has a oneof without a proper name or fields",
                             m->full_name);
    struct p2e_oneof *oneof = &m->oneofs[m->oneof_count++];
    oneof->name = p2e_arena_copy(b->c.arena, name, strlen(name));
    oneof->fields = p2e_arena_array(b->c.arena, count->real, sizeof(*oneof->fields));
    if (!oneof->name || !oneof->fields)
        return out_of_memory(b);
    count->oneof = oneof;
    return p2e_schema_option(proto->options ? &proto->options->base : NULL, P2E_OPTION_VALIDATE,
                             b->c.arena, &oneof->validate, b->c.err);
}

// `sorted` are the descriptors of m->fields, one for one.
static int build_oneofs(struct builder *b, struct p2e_message *m, const message_proto *proto,
                        field_proto *const *sorted)
{
    if (proto->n_oneof_decl == 0)
        return count_members(b, proto, m->full_name, NULL);

    _cleanup_free_ struct oneof_count *counts = calloc(proto->n_oneof_decl, sizeof(*counts));
    m->oneofs = p2e_arena_array(b->c.arena, proto->n_oneof_decl, sizeof(*m->oneofs));
    if (!counts || !m->oneofs)
        return out_of_memory(b);
    if (count_members(b, proto, m->full_name, counts) < 0)
        return -1;
    for (size_t i = 0; i < proto->n_oneof_decl; i++) {
        if (build_oneof(b, m, proto->oneof_decl[i], &counts[i]) < 0)
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
        return p2e_error_set(
            b->c.err, "message %s has the message set format and fields of its own", m->full_name);
    if (!m->map_entry)
        return 0;
    if (m->field_count != 2 || m->fields[0].number != 1 || m->fields[1].number != 2 ||
        m->fields[0].repeated || m->fields[1].repeated || !is_map_key(m->fields[0].type))
        return p2e_error_set(b->c.err, "map entry %s has not just a key and a value", m->full_name);
    return 0;
}

static int build_field(struct builder *b, struct p2e_field *field, const field_proto *proto,
                       const struct declaration *d)
{
    struct p2e_features features = d->features;
    const message_proto *m = d->message;
    if (!p2e_schema_is_identifier(proto->name))
        return p2e_error_set(b->c.err, "message %s has a field without a proper name",
                             d->full_name);
    field->name = p2e_arena_copy(b->c.arena, proto->name, strlen(proto->name));
    if (!field->name)
        return out_of_memory(b);
    if (proto->has_oneof_index && (size_t)proto->oneof_index < m->n_oneof_decl) {
        const oneof_proto *oneof = m->oneof_decl[proto->oneof_index];
        if (p2e_schema_features_merge(oneof->options ? &oneof->options->base : NULL,
                                      P2E_FEATURES_OF_ONEOF, d->full_name, &features, b->c.err) < 0)
            return -1;
    }
    return p2e_schema_field(&b->c, proto, &features, field);
}

static int build_fields(struct builder *b, struct p2e_message *m, const struct declaration *d)
{
    const message_proto *proto = d->message;
    if (proto->n_field == 0)
        return build_oneofs(b, m, proto, NULL);

    _cleanup_free_ field_proto **sorted = calloc(proto->n_field, sizeof(*sorted));
    m->fields = p2e_arena_array(b->c.arena, proto->n_field, sizeof(*m->fields));
    m->by_name = p2e_arena_array(b->c.arena, proto->n_field, sizeof(*m->by_name));
    if (!sorted || !m->fields || !m->by_name)
        return out_of_memory(b);
    memcpy(sorted, proto->field, proto->n_field * sizeof(*sorted));
    qsort(sorted, proto->n_field, sizeof(*sorted), compare_numbers);

    for (; m->field_count < proto->n_field; m->field_count++) {
        struct p2e_field *field = &m->fields[m->field_count];
        field->parent = m;
        if (build_field(b, field, sorted[m->field_count], d) < 0)
            return -1;
        m->has_required |= field->presence == P2E_PRESENCE_REQUIRED;
    }
    if (index_fields(b, m) < 0)
        return -1;
    return build_oneofs(b, m, proto, sorted);
}

static int build_messages(struct builder *b)
{
    struct p2e_message *m = b->c.schema->messages;
    for (size_t i = 0; i < b->count; i++) {
        const struct declaration *d = &b->declarations[i];
        if (!d->message)
            continue;
        if (build_fields(b, m, d) < 0 || check_message(b, m) < 0 ||
            p2e_schema_option(d->message->options ? &d->message->options->base : NULL,
                              P2E_OPTION_VALIDATE, b->c.arena, &m->validate, b->c.err) < 0)
            return -1;
        m++;
    }
    return 0;
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
    struct p2e_schema *schema = b->c.schema;
    schema->messages = p2e_arena_array(b->c.arena, b->message_count, sizeof(*schema->messages));
    schema->enums =
        p2e_arena_array(b->c.arena, b->count - b->message_count, sizeof(*schema->enums));
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

// ---- Extensions ---------------------------------------------------------------------------------

static int compare_extensions(const void *a, const void *b)
{
    const struct extension *left = a, *right = b;
    if (left->extendee != right->extendee)
        return left->extendee < right->extendee ? -1 : 1;
    return (left->proto->number > right->proto->number) -
           (left->proto->number < right->proto->number);
}

// Keeps the extensions of messages of the schema, in the order of these and of their numbers. No
// message of another type can be met.
static int sort_extensions(struct builder *b)
{
    size_t count = 0;
    for (size_t i = 0; i < b->extension_count; i++) {
        struct extension *e = &b->extensions[i];
        const char *name = e->proto->extendee;
        if (!name || name[0] != '.')
            return p2e_error_set(b->c.err,
                                 "an extension does not name the message that it extends in full, "
                                 "with a leading dot");
        e->extendee = (struct p2e_message *)p2e_schema_message(b->c.schema, name);
        if (e->extendee)
            b->extensions[count++] = *e;
    }
    b->extension_count = count;
    if (count > 0)
        qsort(b->extensions, count, sizeof(*b->extensions), compare_extensions);
    return 0;
}

static int build_extension(struct builder *b, struct p2e_field *field, const struct extension *e)
{
    struct p2e_message *m = e->extendee;
    if (!p2e_schema_is_identifier(e->proto->name))
        return p2e_error_set(b->c.err, "message %s has an extension without a proper name",
                             m->full_name);
    field->extension = true;
    field->parent = m;
    field->name = full_name(b, e->scope, e->proto->name);
    if (!field->name)
        return out_of_memory(b);
    return p2e_schema_field(&b->c, e->proto, &e->features, field);
}

static int check_extension(struct builder *b, const struct p2e_field *field)
{
    const struct p2e_message *m = field->parent;
    const struct p2e_field *twin = p2e_message_number(m, field->number);
    if (!twin && m->extension_count > 0 && field[-1].number == field->number)
        twin = &field[-1];
    if (twin)
        return p2e_error_set(b->c.err, "message %s has number %u twice: %s and extension %s",
                             m->full_name, field->number, twin->name, field->name);
    return 0;
}

static int build_extensions(struct builder *b)
{
    if (sort_extensions(b) < 0)
        return -1;
    struct p2e_field *fields = p2e_arena_array(b->c.arena, b->extension_count, sizeof(*fields));
    if (!fields)
        return out_of_memory(b);
    for (size_t i = 0; i < b->extension_count; i++) {
        struct p2e_message *m = b->extensions[i].extendee;
        if (build_extension(b, &fields[i], &b->extensions[i]) < 0 ||
            check_extension(b, &fields[i]) < 0)
            return -1;
        if (!m->extensions)
            m->extensions = &fields[i];
        m->extension_count++;
    }
    return 0;
}

int p2e_schema_build(const Google__Protobuf__FileDescriptorSet *set, struct p2e_arena *arena,
                     struct p2e_schema *schema, struct p2e_error *err)
{
    _cleanup_(builder_free) struct builder b = {.c = {schema, arena, err}};

    if (declare_all(&b, set) < 0 || build_types(&b) < 0 || build_messages(&b) < 0)
        return -1;
    return build_extensions(&b);
}
