// A standard rule as a person writes it: "gt = 5, lt = 9", "in = [1, 2]".
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "compiler/cel_time.h"
#include "compiler/validate_private.h"

#define VALUE_MAX 200 // bytes of a value that are shown

static void show_text(struct p2e_buffer *out, const struct p2e_cel_expr *e)
{
    p2e_buffer_printf(out, e->type.kind == P2E_CEL_BYTES ? "b\"" : "\"");
    for (size_t i = 0; i < e->value.text.size && out->size < VALUE_MAX; i++) {
        unsigned char c = (unsigned char)e->value.text.data[i];
        bool plain = isprint(c) || (c >= 0x80 && e->type.kind == P2E_CEL_STRING);
        if (c == '"' || c == '\\')
            p2e_buffer_printf(out, "\\%c", c);
        else
            p2e_buffer_printf(out, plain ? "%c" : "\\x%02x", c);
    }
    p2e_buffer_printf(out, "\"");
}

static void show_time(struct p2e_buffer *out, const struct p2e_cel_expr *e)
{
    char text[64];
    if (p2e_cel_print_time(e, text, sizeof(text)))
        p2e_buffer_printf(out, "%s", text);
    else
        p2e_buffer_printf(out, "%" PRId64 " s %d ns", e->value.time.seconds, e->value.time.nanos);
}

// As few digits as tell it from all others.
static void show_real(struct p2e_buffer *out, double value)
{
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    p2e_buffer_printf(out, "%s", text);
}

static void show_one(struct p2e_buffer *out, const struct p2e_cel_expr *e)
{
    switch (e->type.kind) {
    case P2E_CEL_BOOL:
        p2e_buffer_printf(out, "%s", e->value.boolean ? "true" : "false");
        break;
    case P2E_CEL_INT:
        p2e_buffer_printf(out, "%" PRId64, e->value.integer);
        break;
    case P2E_CEL_UINT:
        p2e_buffer_printf(out, "%" PRIu64, e->value.uinteger);
        break;
    case P2E_CEL_DOUBLE:
        show_real(out, e->value.real);
        break;
    case P2E_CEL_STRING:
    case P2E_CEL_BYTES:
        show_text(out, e);
        break;
    case P2E_CEL_TIMESTAMP:
    case P2E_CEL_DURATION:
        show_time(out, e);
        break;
    default:
        p2e_buffer_printf(out, "…");
        break;
    }
}

static void show_rule(struct p2e_buffer *out, const char *name, const struct p2e_cel_expr *value)
{
    bool list = value->op == P2E_CEL_LIST_LITERAL;
    p2e_buffer_printf(out, list ? "%s = [" : "%s = ", name);
    for (size_t i = 0; list && i < value->arg_count && out->size < VALUE_MAX; i++) {
        p2e_buffer_printf(out, "%s", i ? ", " : "");
        show_one(out, value->args[i]);
    }
    if (!list)
        show_one(out, value);
    p2e_buffer_printf(out, out->size >= VALUE_MAX ? "…" : list ? "]" : "");
}

// Rules that are members of oneofs count together: those of a range, above all.
static bool goes_with(const struct p2e_field *rule, const struct p2e_field *other)
{
    return rule == other || (rule->oneof && other->oneof && rule->oneof != other->oneof);
}

const char *p2e_validate_show(const struct p2e_validator *v, const struct p2e_dynamic *rules,
                              const struct p2e_field *rule)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer out = {0};
    bool failed = false;
    for (const struct p2e_field *f = NULL; !failed && (f = p2e_dynamic_next(rules, f));) {
        struct p2e_cel_expr value = {0};
        if (!goes_with(rule, f) || f->map)
            continue;
        failed = p2e_cel_constant(rules, f, v->arena, &value) < 0;
        p2e_buffer_printf(&out, "%s", out.size ? ", " : "");
        if (!failed)
            show_rule(&out, f->name, &value);
    }
    const char *shown =
        failed || out.failed ? NULL : p2e_arena_copy(v->arena, out.data ? out.data : "", out.size);
    if (!shown)
        p2e_validate_out_of_memory(v);
    return shown;
}
