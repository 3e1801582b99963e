#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler/emit_expr_private.h"

// ---- Constants ----------------------------------------------------------------------------------
static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

uint64_t p2e_emit_text_word(const char *data, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)(uint8_t)data[i] << 8 * i;
    return word;
}

static void emit_text(struct p2e_emitter *e, const char *data, size_t size)
{
    emit(e, "p2e_text(0x%" PRIx32 ", %zu)", p2e_texts_position(&e->texts, data, size), size);
}

void p2e_emit_const(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    switch (expr->type.kind) {
    case P2E_CEL_BOOL:
        emit(e, "%d", expr->value.boolean);
        break;
    case P2E_CEL_INT:
        // The least integer has no literal of its own in C.
        emit(e, "(s64)0x%" PRIx64 "ull", (uint64_t)expr->value.integer);
        break;
    case P2E_CEL_UINT:
        emit(e, "%" PRIu64 "ull", expr->value.uinteger);
        break;
    case P2E_CEL_DOUBLE:
        emit(e, "0x%" PRIx64 "ull", double_bits(expr->value.real));
        break;
    case P2E_CEL_TIMESTAMP:
    case P2E_CEL_DURATION:
        emit(e, "p2e_time(%" PRId64 "ll, %" PRId32 ")", expr->value.time.seconds,
             expr->value.time.nanos);
        break;
    default:
        emit_text(e, expr->value.text.data, expr->value.text.size);
        break;
    }
}

// ---- Fields -------------------------------------------------------------------------------------
// How the value of a slot becomes what CEL sees, around the wire value `%s`.
static const char *const conversions[] = {
    [P2E_TYPE_DOUBLE] = "%s",
    [P2E_TYPE_FLOAT] = "p2e_widen(%s)",
    [P2E_TYPE_INT64] = "(s64)%s",
    [P2E_TYPE_UINT64] = "%s",
    [P2E_TYPE_INT32] = "(s64)(s32)%s",
    [P2E_TYPE_FIXED64] = "%s",
    [P2E_TYPE_FIXED32] = "(u64)(u32)%s",
    [P2E_TYPE_BOOL] = "(%s != 0)",
    [P2E_TYPE_STRING] = "%s",
    [P2E_TYPE_BYTES] = "%s",
    [P2E_TYPE_UINT32] = "(u64)(u32)%s",
    [P2E_TYPE_ENUM] = "(s64)(s32)%s",
    [P2E_TYPE_SFIXED32] = "(s64)(s32)%s",
    [P2E_TYPE_SFIXED64] = "(s64)%s",
    [P2E_TYPE_SINT32] = "p2e_zigzag32(%s)",
    [P2E_TYPE_SINT64] = "p2e_zigzag64(%s)",
};

void p2e_emit_converted(struct p2e_emitter *e, enum p2e_type type, const char *wire)
{
    const char *form = conversions[type], *hole = strstr(form, "%s");
    emit(e, "%.*s%s%s", (int)(hole - form), form, wire, hole + 2);
}

static const char *c_type(const struct p2e_field *field)
{
    switch (field->type) {
    case P2E_TYPE_INT32:
    case P2E_TYPE_INT64:
    case P2E_TYPE_ENUM:
    case P2E_TYPE_SFIXED32:
    case P2E_TYPE_SFIXED64:
    case P2E_TYPE_SINT32:
    case P2E_TYPE_SINT64:
        return "s64";
    case P2E_TYPE_BOOL:
        return "int";
    default:
        return "u64";
    }
}

static void emit_default(struct p2e_emitter *e, const struct p2e_field *field)
{
    if (field->type == P2E_TYPE_STRING || field->type == P2E_TYPE_BYTES)
        emit_text(e, field->default_text ? field->default_text : "", field->default_size);
    else if (field->type == P2E_TYPE_FLOAT)
        emit(e, "p2e_widen(0x%" PRIx64 ")", field->default_bits);
    else
        emit(e, "0x%" PRIx64 "ull", field->default_bits);
}

static unsigned oneof_slot(const struct p2e_use *use)
{
    const struct p2e_oneof *oneof = use->field->oneof;
    return oneof ? use->place->oneof_slots[oneof - use->place->message->oneofs] : 0;
}

// The message around a use is the member that its oneof holds, all the way up.
void p2e_emit_path_holds(struct p2e_emitter *e, const struct p2e_use *use)
{
    for (const struct p2e_use *up = use->place->parent; up; up = up->place->parent) {
        if (oneof_slot(up))
            emit(e, " && s->value[%u] == %u", oneof_slot(up), p2e_plan_member(up->field));
    }
}

// How many elements came; of a map that has a set of its keys, how many entries there are.
static unsigned count_slot(const struct p2e_use *use)
{
    return use->field->map && use->set_slot ? use->set_slot + 1 : use->slot;
}

static void emit_present(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (use->field->repeated)
        emit(e, "s->value[%u] != 0", count_slot(use));
    else if (oneof_slot(use))
        emit(e, "s->value[%u] == %u", oneof_slot(use), p2e_plan_member(use->field));
    else
        emit(e, "s->present[%u]", use->slot);
    p2e_emit_path_holds(e, use);
}

static void emit_count(struct p2e_emitter *e, const struct p2e_use *use)
{
    emit(e, "static P2E_INLINE u64 count_%u(struct p2e_state *s)\n{\n    return 1", use->slot);
    p2e_emit_path_holds(e, use);
    emit(e, " ? s->value[%u] : 0;\n}\n\n", count_slot(use));
}

static void emit_name(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (use->place->parent) {
        emit_name(e, use->place->parent);
        emit(e, ".");
    }
    emit(e, "%s", use->field->name);
}

void p2e_emit_accessors(struct p2e_emitter *e, const struct p2e_use *use)
{
    char wire[32];
    emit(e, "// ");
    emit_name(e, use);
    emit(e, "\nstatic P2E_INLINE int present_%u(struct p2e_state *s)\n{\n    return ", use->slot);
    emit_present(e, use);
    emit(e, ";\n}\n\n");
    if (use->field->repeated)
        emit_count(e, use);
    if (!use->value)
        return;
    snprintf(wire, sizeof(wire), "s->value[%u]", use->slot);
    emit(e, "static P2E_INLINE %s get_%u(struct p2e_state *s)\n{\n    return present_%u(s) ? ",
         c_type(use->field), use->slot, use->slot);
    p2e_emit_converted(e, use->field->type, wire);
    emit(e, " : ");
    emit_default(e, use->field);
    emit(e, ";\n}\n\n");
}

void p2e_emit_select(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit(e, "get_%u(s)", p2e_plan_use(e->plan, expr)->slot);
}

void p2e_emit_has(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_use *use = p2e_plan_use(e->plan, expr);
    bool text = expr->field->type == P2E_TYPE_STRING || expr->field->type == P2E_TYPE_BYTES;
    if (expr->field->repeated || expr->field->presence != P2E_PRESENCE_IMPLICIT)
        emit(e, "present_%u(s)", use->slot);
    else
        emit(e, text ? "(p2e_text_size(get_%u(s)) != 0)" : "(get_%u(s) != 0)", use->slot);
}

// ---- A field against a constant -----------------------------------------------------------------
static bool is_real(const struct p2e_field *field)
{
    return field->type == P2E_TYPE_DOUBLE || field->type == P2E_TYPE_FLOAT;
}

void p2e_emit_is_constant(struct p2e_emitter *e, const struct p2e_field *field, const char *value,
                          const struct p2e_cel_expr *constant)
{
    const char *data = constant->value.text.data;
    size_t size = constant->value.text.size;
    if (p2e_emit_is_text(constant) && size <= P2E_EMIT_WORD_MAX) {
        emit(e, "p2e_text_equal_word(s, %s, 0x%" PRIx64 "ull, %zu)", value,
             p2e_emit_text_word(data, size), size);
        return;
    }
    emit(e, p2e_emit_is_text(constant) ? "p2e_text_equal(s, "
            : is_real(field)           ? "(p2e_double_compare("
                                       : "(");
    p2e_emit_converted(e, field->type, value);
    emit(e, p2e_emit_is_text(constant) || is_real(field) ? ", " : " == ");
    p2e_emit_const(e, constant);
    emit(e, is_real(field) ? ") == 0)" : ")");
}
