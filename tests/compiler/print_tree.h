// A typed tree as one line of text: ==(this.page_number, 3).
#ifndef P2E_TESTS_COMPILER_PRINT_TREE_H
#define P2E_TESTS_COMPILER_PRINT_TREE_H

#include <inttypes.h>

#include "base/buffer.h"
#include "compiler/cel.h"

static const char *const op_names[] = {
    [P2E_CEL_LIST_LITERAL] = "list",
    [P2E_CEL_NOT] = "!",
    [P2E_CEL_NEGATE] = "neg",
    [P2E_CEL_AND] = "&&",
    [P2E_CEL_OR] = "||",
    [P2E_CEL_CONDITIONAL] = "?:",
    [P2E_CEL_EQ] = "==",
    [P2E_CEL_NE] = "!=",
    [P2E_CEL_LT] = "<",
    [P2E_CEL_LE] = "<=",
    [P2E_CEL_GT] = ">",
    [P2E_CEL_GE] = ">=",
    [P2E_CEL_IN] = "in",
    [P2E_CEL_ALL] = "all",
    [P2E_CEL_EXISTS] = "exists",
    [P2E_CEL_EXISTS_ONE] = "exists_one",
    [P2E_CEL_UNIQUE] = "unique",
    [P2E_CEL_AT] = "at",
    [P2E_CEL_ADD] = "+",
    [P2E_CEL_SUBTRACT] = "-",
    [P2E_CEL_MULTIPLY] = "*",
    [P2E_CEL_DIVIDE] = "/",
    [P2E_CEL_MODULO] = "%",
    [P2E_CEL_SIZE] = "size",
    [P2E_CEL_STARTS_WITH] = "startsWith",
    [P2E_CEL_ENDS_WITH] = "endsWith",
    [P2E_CEL_CONTAINS] = "contains",
    [P2E_CEL_IS_NAN] = "isNan",
    [P2E_CEL_IS_INF] = "isInf",
    [P2E_CEL_MATCHES] = "matches",
    [P2E_CEL_TIME] = "time",
    [P2E_CEL_UNWRAP] = "unwrap",
    [P2E_CEL_NOW] = "now",
    [P2E_CEL_GET_FULL_YEAR] = "getFullYear",
    [P2E_CEL_GET_MONTH] = "getMonth",
    [P2E_CEL_GET_DATE] = "getDate",
    [P2E_CEL_GET_DAY_OF_MONTH] = "getDayOfMonth",
    [P2E_CEL_GET_DAY_OF_WEEK] = "getDayOfWeek",
    [P2E_CEL_GET_DAY_OF_YEAR] = "getDayOfYear",
    [P2E_CEL_GET_HOURS] = "getHours",
    [P2E_CEL_GET_MINUTES] = "getMinutes",
    [P2E_CEL_GET_SECONDS] = "getSeconds",
    [P2E_CEL_GET_MILLISECONDS] = "getMilliseconds",
};

static void print_text(struct p2e_buffer *out, const char *prefix, const char *data, size_t size)
{
    p2e_buffer_printf(out, "%s\"", prefix);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
            p2e_buffer_add(out, &data[i], 1);
        else
            p2e_buffer_printf(out, "\\x%02x", c);
    }
    p2e_buffer_puts(out, "\"");
}

static void print_const(struct p2e_buffer *out, const struct p2e_cel_expr *e)
{
    switch (e->type.kind) {
    case P2E_CEL_BOOL:
        p2e_buffer_puts(out, e->value.boolean ? "true" : "false");
        return;
    case P2E_CEL_INT:
        p2e_buffer_printf(out, "%" PRId64, e->value.integer);
        return;
    case P2E_CEL_UINT:
        p2e_buffer_printf(out, "%" PRIu64 "u", e->value.uinteger);
        return;
    case P2E_CEL_DOUBLE:
        p2e_buffer_printf(out, "%a", e->value.real);
        return;
    case P2E_CEL_TIMESTAMP:
    case P2E_CEL_DURATION:
        p2e_buffer_printf(out, "%s(%" PRId64 "s%" PRId32 "ns)",
                          e->type.kind == P2E_CEL_TIMESTAMP ? "timestamp" : "duration",
                          e->value.time.seconds, e->value.time.nanos);
        return;
    default:
        print_text(out, e->type.kind == P2E_CEL_BYTES ? "b" : "", e->value.text.data,
                   e->value.text.size);
    }
}

static void print_tree(struct p2e_buffer *out, const struct p2e_cel_expr *e)
{
    switch (e->op) {
    case P2E_CEL_CONST:
        print_const(out, e);
        return;
    case P2E_CEL_THIS:
        p2e_buffer_puts(out, "this");
        return;
    case P2E_CEL_ELEMENT:
        p2e_buffer_puts(out, "element");
        return;
    case P2E_CEL_SELECT:
    case P2E_CEL_HAS:
        p2e_buffer_puts(out, e->op == P2E_CEL_HAS ? "has(" : "");
        print_tree(out, e->args[0]);
        p2e_buffer_printf(out, ".%s%s", e->field->name, e->op == P2E_CEL_HAS ? ")" : "");
        return;
    default:
        break;
    }
    if (e->op == P2E_CEL_CONVERT) {
        char name[64];
        p2e_buffer_printf(out, "%s(", p2e_cel_type_name(&e->type, name, sizeof(name)));
    } else {
        p2e_buffer_printf(out, "%s(",
                          e->op == P2E_CEL_IS_FORMAT ? e->format->name : op_names[e->op]);
    }
    for (size_t i = 0; i < e->arg_count; i++) {
        p2e_buffer_puts(out, i > 0 ? ", " : "");
        print_tree(out, e->args[i]);
    }
    p2e_buffer_puts(out, ")");
}

#endif
