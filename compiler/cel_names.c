// What a name means that is not a field: enum values, and what to offer for names that mean
// nothing.
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "compiler/cel_checker.h"

// ---- Scopes -------------------------------------------------------------------------------------

// A name as it is in one scope after the other, from the package outwards. The name stands at the
// end of the buffer and a scope's name is put before it.
struct scopes {
    char *buffer;
    size_t name_at;
    const char *package;
    size_t scope_size;
    bool begun;
};

static void scopes_free(struct scopes *s)
{
    free(s->buffer);
}

// Parts [0, count) of the path, with dots between them.
static bool scopes_begin(struct scopes *s, const struct p2e_cel_checker *checker,
                         const struct p2e_cel_path *path, size_t count)
{
    *s = (struct scopes){.package = checker->message->package};
    s->scope_size = path->parts[0]->absolute ? 0 : strlen(s->package);
    s->name_at = s->scope_size + 1;

    size_t size = s->name_at + 1;
    for (size_t i = 0; i < count; i++)
        size += strlen(path->parts[i]->name) + 1;
    s->buffer = malloc(size);
    if (!s->buffer)
        return false;
    char *end = s->buffer + s->name_at;
    *end = '\0';
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(end, path->parts[i]->name);
        *end++ = i + 1 < count ? '.' : '\0';
    }
    return true;
}

// The full name in the next scope; NULL after the outermost one.
static const char *scopes_next(struct scopes *s)
{
    if (s->begun) {
        if (s->scope_size == 0)
            return NULL;
        const char *dot = memrchr(s->package, '.', s->scope_size);
        s->scope_size = dot ? (size_t)(dot - s->package) : 0;
    }
    s->begun = true;
    if (s->scope_size == 0)
        return s->buffer + s->name_at;
    char *begin = s->buffer + s->name_at - 1 - s->scope_size;
    memcpy(begin, s->package, s->scope_size);
    s->buffer[s->name_at - 1] = '.';
    return begin;
}

// ---- Enum values --------------------------------------------------------------------------------

const struct p2e_enum_value *p2e_cel_enum_value(const struct p2e_cel_checker *checker,
                                                const struct p2e_cel_path *path)
{
    if (path->count < 2)
        return NULL;
    _cleanup_(scopes_free) struct scopes scopes;
    if (!scopes_begin(&scopes, checker, path, path->count - 1))
        return NULL;
    const char *value_name = path->parts[path->count - 1]->name;
    for (const char *name; (name = scopes_next(&scopes));) {
        const struct p2e_enum *enumeration = p2e_schema_enum(checker->schema, name);
        const struct p2e_enum_value *value =
            enumeration ? p2e_enum_value(enumeration, value_name) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

// ---- Names that mean nothing --------------------------------------------------------------------

const char *p2e_cel_short_name(const struct p2e_cel_checker *checker, const char *full_name)
{
    size_t size = strlen(checker->message->package);
    if (size > 0 && strncmp(full_name, checker->message->package, size) == 0 &&
        full_name[size] == '.')
        return full_name + size + 1;
    return full_name;
}

// Types that the first `count` parts of the path may name; NULL for none.
struct types {
    const struct p2e_enum *enumeration;
    const struct p2e_message *message;
};

static struct types find_types(const struct p2e_cel_checker *checker,
                               const struct p2e_cel_path *path, size_t count)
{
    struct types found = {0};
    _cleanup_(scopes_free) struct scopes scopes;
    if (!scopes_begin(&scopes, checker, path, count))
        return found;
    for (const char *name; (name = scopes_next(&scopes));) {
        if (!found.enumeration)
            found.enumeration = p2e_schema_enum(checker->schema, name);
        if (!found.message)
            found.message = p2e_schema_message(checker->schema, name);
    }
    return found;
}

// Status.ACTVE: the first `count` parts are an enum.
static int unknown_value(const struct p2e_cel_checker *checker, const struct p2e_cel_path *path,
                         size_t count, const struct p2e_enum *enumeration)
{
    const struct p2e_cel_node *part = path->parts[count];
    const char *near = p2e_nearest(part->name, enumeration->values, enumeration->value_count,
                                   sizeof(enumeration->values[0]));
    if (p2e_enum_value(enumeration, part->name))
        return p2e_error_at(checker->err, checker->text, path->parts[count + 1]->token,
                            "\"%s\" of enum %s is a number, it has no fields", part->name,
                            enumeration->full_name);
    if (near)
        return p2e_error_at(checker->err, checker->text, part->token,
                            "enum %s has no value \"%s\"; did you mean \"%s\"?",
                            enumeration->full_name, part->name, near);
    return p2e_error_at(checker->err, checker->text, part->token, "enum %s has no value \"%s\"",
                        enumeration->full_name, part->name);
}

static bool is_tail(const char *full_name, size_t size, const char *tail, size_t tail_size)
{
    return tail_size <= size && memcmp(full_name + size - tail_size, tail, tail_size) == 0 &&
           (tail_size == size || full_name[size - tail_size - 1] == '.');
}

// Could `scope`.value be meant for this enum's value? protobuf's C++ has values beside their enum
// (Msg.ACTIVE, or ACTIVE alone), and one may forget the message around an enum (Status.ACTIVE).
static bool is_meant(const struct p2e_cel_checker *checker, const struct p2e_enum *enumeration,
                     const char *scope)
{
    const char *full_name = enumeration->full_name;
    const char *dot = strrchr(full_name, '.');
    size_t parent_size = dot ? (size_t)(dot - full_name) : 0;
    if (!scope[0])
        return checker->message->package[0] == '\0' ||
               p2e_cel_short_name(checker, full_name) != full_name;
    return is_tail(full_name, strlen(full_name), scope, strlen(scope)) ||
           is_tail(full_name, parent_size, scope, strlen(scope));
}

// The enum with a value of the path's last name that is_meant().
static const struct p2e_enum *find_meant(const struct p2e_cel_checker *checker,
                                         const struct p2e_cel_path *path)
{
    const char *value = path->parts[path->count - 1]->name;
    _cleanup_(scopes_free) struct scopes scopes;
    if (!scopes_begin(&scopes, checker, path, path->count - 1))
        return NULL;
    for (size_t i = 0; i < checker->schema->enum_count; i++) {
        const struct p2e_enum *e = &checker->schema->enums[i];
        if (is_meant(checker, e, scopes.buffer + scopes.name_at) && p2e_enum_value(e, value))
            return e;
    }
    return NULL;
}

// Names that CEL or its protobuf rules know, and p2e not.
static const char *why_unsupported(const char *name)
{
    static const struct {
        const char *name, *why;
    } known[] = {
        {"rule", "\"rule\" is for predefined rules"},
        {"rules", "\"rules\" is for predefined rules"},
        {"bool", "types as values are not supported"},
        {"bytes", "types as values are not supported"},
        {"double", "types as values are not supported"},
        {"int", "types as values are not supported"},
        {"list", "types as values are not supported"},
        {"map", "types as values are not supported"},
        {"null_type", "types as values are not supported"},
        {"string", "types as values are not supported"},
        {"type", "types as values are not supported"},
        {"uint", "types as values are not supported"},
        {"True", "CEL writes it true"},
        {"False", "CEL writes it false"},
        {"None", "whether a field is set is asked with has(this.field)"},
        {"nil", "whether a field is set is asked with has(this.field)"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0)
            return known[i].why;
    }
    return NULL;
}

static int unknown_field(const struct p2e_cel_checker *checker, const struct p2e_cel_node *part)
{
    const struct p2e_message *m = checker->message;
    const char *why = why_unsupported(part->name);
    const char *near = p2e_nearest(part->name, m->fields, m->field_count, sizeof(m->fields[0]));

    if (why)
        return p2e_error_at(checker->err, checker->text, part->token,
                            "%s has no field \"%s\", and %s", m->full_name, part->name, why);
    if (p2e_message_field(m, part->name))
        return p2e_error_at(checker->err, checker->text, part->token,
                            "\"%s\" is a field of %s; write this.%s", part->name, m->full_name,
                            part->name);
    if (near)
        return p2e_error_at(checker->err, checker->text, part->token,
                            "unknown field \"%s\" in %s; did you mean \"%s\"?", part->name,
                            m->full_name, near);
    return p2e_error_at(checker->err, checker->text, part->token, "unknown field \"%s\" in %s",
                        part->name, m->full_name);
}

// A type where a value should be.
static int type_as_value(const struct p2e_cel_checker *checker, const struct p2e_cel_node *part,
                         struct types types)
{
    if (types.enumeration)
        return p2e_error_at(checker->err, checker->text, part->span,
                            "this is the enum %s, not a value of it; write %s.%s",
                            types.enumeration->full_name,
                            p2e_cel_short_name(checker, types.enumeration->full_name),
                            types.enumeration->values[0].name);
    return p2e_error_at(checker->err, checker->text, part->span,
                        "this is the message type %s, not a value", types.message->full_name);
}

int p2e_cel_unknown_name(const struct p2e_cel_checker *checker, const struct p2e_cel_path *path)
{
    const struct p2e_cel_node *last = path->parts[path->count - 1], *message = NULL;
    struct types types = find_types(checker, path, path->count), message_types = types;

    if (types.enumeration || types.message)
        return type_as_value(checker, last, types);
    for (size_t count = path->count - 1; count > 0 && !message; count--) {
        types = find_types(checker, path, count);
        if (types.enumeration)
            return unknown_value(checker, path, count, types.enumeration);
        message = types.message ? path->parts[count - 1] : NULL;
        message_types = types;
    }
    const struct p2e_enum *meant = find_meant(checker, path);
    if (meant)
        return p2e_error_at(checker->err, checker->text, last->span,
                            "\"%s\" is a value of enum %s; write %s.%s", last->name,
                            meant->full_name, p2e_cel_short_name(checker, meant->full_name),
                            last->name);
    if (message)
        return type_as_value(checker, message, message_types);
    return unknown_field(checker, path->parts[0]);
}
