// Types as values: type(x) == int. What type a value has is known when the rule is compiled.
#include <stdio.h>
#include <string.h>

#include "compiler/cel_checker.h"

static const char *const names[] = {
    [P2E_CEL_BOOL] = "bool",
    [P2E_CEL_INT] = "int",
    [P2E_CEL_UINT] = "uint",
    [P2E_CEL_DOUBLE] = "double",
    [P2E_CEL_STRING] = "string",
    [P2E_CEL_BYTES] = "bytes",
    [P2E_CEL_TIMESTAMP] = "google.protobuf.Timestamp",
    [P2E_CEL_DURATION] = "google.protobuf.Duration",
    [P2E_CEL_LIST] = "list",
    [P2E_CEL_MAP] = "map",
    [P2E_CEL_NULL] = "null_type",
};

const char *p2e_cel_type_of(const struct p2e_cel_expr *expr)
{
    // The type of a wrapper depends on whether it is set, that of an Any on what is in it.
    if (expr->op == P2E_CEL_UNWRAP || p2e_cel_is_special(&expr->type))
        return NULL;
    return expr->type.kind == P2E_CEL_MESSAGE ? expr->type.message->full_name
                                              : names[expr->type.kind];
}

const char *p2e_cel_type_named(const struct p2e_cel_checker *checker,
                               const struct p2e_cel_path *path)
{
    char name[256];
    size_t size = 0;
    for (size_t i = 0; i < path->count && size < sizeof(name); i++)
        size += (size_t)snprintf(name + size, sizeof(name) - size, "%s%s", i ? "." : "",
                                 path->parts[i]->name);
    if (size >= sizeof(name))
        return NULL;
    if (strcmp(name, P2E_CEL_TYPE_OF_TYPES) == 0)
        return P2E_CEL_TYPE_OF_TYPES;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i] && strcmp(names[i], name) == 0)
            return names[i];
    }
    const struct p2e_message *message = p2e_schema_message(checker->schema, name);
    return message ? message->full_name : NULL;
}
