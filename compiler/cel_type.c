// Types as values: type(x) == int. What type a value has is known when the rule is compiled.
#include <stdio.h>
#include <string.h>

#include "compiler/cel_short.h"
#include "compiler/cel_view.h"

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

const char *p2e_cel_type_of(const expr *e)
{
    // The type of a wrapper depends on whether it is set, that of an Any on what is in it.
    if (e->op == P2E_CEL_UNWRAP || p2e_cel_is_special(&e->type))
        return NULL;
    return e->type.kind == P2E_CEL_MESSAGE ? e->type.message->full_name : names[e->type.kind];
}

const char *p2e_cel_type_named(checker *c, const struct p2e_cel_path *path)
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
    const struct p2e_message *message = p2e_schema_message(c->schema, name);
    return message ? message->full_name : NULL;
}

// ---- Tests ----------------------------------------------------------------------------

static bool is_type_call(node *n)
{
    return n->kind == P2E_NODE_CALL && !n->receiver && n->arg_count == 1 &&
           strcmp(n->name, "type") == 0;
}

// The type that `n` names, NULL when it is a value. A field or a variable goes first.
static const char *named_type(checker *c, node *n)
{
    struct p2e_cel_path path;
    if (!p2e_cel_collect_path(n, &path) || p2e_cel_find_variable(c, path.parts[0]) ||
        (!path.parts[0]->absolute && p2e_message_field(c->message, path.parts[0]->name)))
        return NULL;
    return p2e_cel_type_named(c, &path);
}

static bool is_type(checker *c, node *n)
{
    return is_type_call(n) || named_type(c, n);
}

// The name of the type that `n` is; NULL is an error.
static const char *check_type(checker *c, node *n)
{
    if (!is_type_call(n)) {
        const char *name = named_type(c, n);
        if (!name)
            fail(c, n->span, "a type is compared with a type alone: type(a) == int");
        return name;
    }
    if (is_type(c, n->args[0]))
        return check_type(c, n->args[0]) ? P2E_CEL_TYPE_OF_TYPES : NULL;
    expr *e = check(c, n->args[0]);
    if (!e)
        return NULL;
    const char *name = p2e_cel_is_plain(e) ? p2e_cel_type_of(e) : NULL;
    if (!name)
        fail(c, n->span,
             "type() is judged only of a field or a constant that has one type, whatever is sent");
    return name;
}

// type(a) == int
expr *p2e_cel_check_type_test(checker *c, node *n)
{
    const char *a = check_type(c, n->args[0]), *b = a ? check_type(c, n->args[1]) : NULL;
    expr *e = b ? make(c, n, P2E_CEL_CONST, scalar(P2E_CEL_BOOL), 0) : NULL;
    if (e)
        e->value.boolean = (strcmp(a, b) == 0) == (n->op == P2E_CEL_EQ);
    return e;
}

bool p2e_cel_is_type_test(checker *c, node *n)
{
    return (n->op == P2E_CEL_EQ || n->op == P2E_CEL_NE) &&
           (is_type(c, n->args[0]) || is_type(c, n->args[1]));
}
