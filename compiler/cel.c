#include "compiler/cel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "compiler/cel_checker.h"
#include "compiler/cel_time.h"
#include "compiler/cel_view.h"

#define MEMORY_MAX ((size_t)256 << 20) // for both trees of an expression

static const char *const kind_names[] = {
    [P2E_CEL_BOOL] = "bool",           [P2E_CEL_INT] = "int",
    [P2E_CEL_UINT] = "uint",           [P2E_CEL_DOUBLE] = "double",
    [P2E_CEL_STRING] = "string",       [P2E_CEL_BYTES] = "bytes",
    [P2E_CEL_TIMESTAMP] = "timestamp", [P2E_CEL_DURATION] = "duration",
    [P2E_CEL_LIST] = "list",           [P2E_CEL_MAP] = "map",
    [P2E_CEL_NULL] = "null",
};

static struct p2e_arena *arena_new(void)
{
    struct p2e_arena *arena = malloc(sizeof(*arena));
    if (arena)
        *arena = (struct p2e_arena){.limit = MEMORY_MAX};
    return arena;
}

// The names as variables; NULL when there is no memory for them.
static struct p2e_cel_variable *bind_names(const struct p2e_cel_context *context,
                                           struct p2e_arena *arena)
{
    struct p2e_cel_variable *variables =
        p2e_arena_array(arena, context->name_count, sizeof(*variables));
    for (size_t i = 0; variables && i < context->name_count; i++) {
        variables[i] =
            (struct p2e_cel_variable){context->names[i].name, context->names[i].value,
                                      i + 1 < context->name_count ? &variables[i + 1] : NULL};
    }
    return variables;
}

int p2e_cel_compile_in(const char *text, const struct p2e_cel_context *context, struct p2e_cel *cel,
                       struct p2e_error *err)
{
    *cel = (struct p2e_cel){.arena = arena_new()};
    const struct p2e_cel_variable *variables = cel->arena ? bind_names(context, cel->arena) : NULL;
    if (!variables) {
        p2e_cel_free(cel);
        return p2e_error_set(err, "out of memory");
    }
    struct p2e_cel_checker checker = {
        .text = text,
        .context = context,
        .message = context->message,
        .schema = context->schema,
        .arena = cel->arena,
        .err = err,
        .variables = variables,
    };
    struct p2e_cel_node *node = p2e_cel_parse(text, cel->arena, err);
    cel->root = node ? p2e_cel_check(&checker, node) : NULL;
    if (!cel->root) {
        p2e_cel_free(cel);
        return -1;
    }
    return 0;
}

int p2e_cel_compile(const char *text, const struct p2e_message *message,
                    const struct p2e_schema *schema, struct p2e_cel *cel, struct p2e_error *err)
{
    struct p2e_cel_expr this = {.op = P2E_CEL_THIS, .type = {P2E_CEL_MESSAGE, .message = message}};
    struct p2e_cel_name names[] = {{"this", &this}};
    struct p2e_cel_context context = {
        .message = message, .schema = schema, .names = names, .name_count = 1, .bare = true};
    return p2e_cel_compile_in(text, &context, cel, err);
}

void p2e_cel_free(struct p2e_cel *cel)
{
    if (cel->arena)
        p2e_arena_free(cel->arena);
    free(cel->arena);
    *cel = (struct p2e_cel){0};
}

// ---- Types --------------------------------------------------------------------------------------

static enum p2e_cel_kind kind_of(enum p2e_type type)
{
    static const enum p2e_cel_kind kinds[] = {
        [P2E_TYPE_DOUBLE] = P2E_CEL_DOUBLE,   [P2E_TYPE_FLOAT] = P2E_CEL_DOUBLE,
        [P2E_TYPE_INT64] = P2E_CEL_INT,       [P2E_TYPE_UINT64] = P2E_CEL_UINT,
        [P2E_TYPE_INT32] = P2E_CEL_INT,       [P2E_TYPE_FIXED64] = P2E_CEL_UINT,
        [P2E_TYPE_FIXED32] = P2E_CEL_UINT,    [P2E_TYPE_BOOL] = P2E_CEL_BOOL,
        [P2E_TYPE_STRING] = P2E_CEL_STRING,   [P2E_TYPE_GROUP] = P2E_CEL_MESSAGE,
        [P2E_TYPE_MESSAGE] = P2E_CEL_MESSAGE, [P2E_TYPE_BYTES] = P2E_CEL_BYTES,
        [P2E_TYPE_UINT32] = P2E_CEL_UINT,     [P2E_TYPE_ENUM] = P2E_CEL_INT,
        [P2E_TYPE_SFIXED32] = P2E_CEL_INT,    [P2E_TYPE_SFIXED64] = P2E_CEL_INT,
        [P2E_TYPE_SINT32] = P2E_CEL_INT,      [P2E_TYPE_SINT64] = P2E_CEL_INT,
    };
    return kinds[type];
}

enum p2e_cel_kind p2e_cel_kind_of_message(const struct p2e_message *message)
{
    const struct p2e_field *value = p2e_cel_wrapped(message);
    return value ? kind_of(value->type) : p2e_cel_time_kind(message);
}

struct p2e_cel_type p2e_cel_type_of_field(const struct p2e_field *field)
{
    struct p2e_cel_type type = {.kind = kind_of(field->type), .message = field->message};
    if (field->message)
        type.kind = p2e_cel_kind_of_message(field->message);
    if (field->map) {
        type.kind = P2E_CEL_MAP;
    } else if (field->repeated) {
        type.element = type.kind;
        type.kind = P2E_CEL_LIST;
    }
    return type;
}

// Of a scalar or a message.
static const char *simple_name(enum p2e_cel_kind kind, const struct p2e_message *message)
{
    return kind == P2E_CEL_MESSAGE ? message->full_name : kind_names[kind];
}

const char *p2e_cel_type_name(const struct p2e_cel_type *type, char *buffer, size_t size)
{
    if (type->kind == P2E_CEL_LIST) {
        snprintf(buffer, size, "list(%s)", simple_name(type->element, type->message));
    } else if (type->kind == P2E_CEL_MAP) {
        struct p2e_cel_type key = p2e_cel_type_of_field(&type->message->fields[0]);
        struct p2e_cel_type value = p2e_cel_type_of_field(&type->message->fields[1]);
        snprintf(buffer, size, "map(%s, %s)", simple_name(key.kind, key.message),
                 simple_name(value.kind, value.message));
    } else {
        snprintf(buffer, size, "%s", simple_name(type->kind, type->message));
    }
    return buffer;
}
