#include "compiler/emit_expr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cel_time.h"
#include "compiler/emit_time.h"

#define emit(e, ...) p2e_buffer_printf((e)->out, __VA_ARGS__)

#define WORD_SIZE   8     // texts up to this are compared as one word
#define COUNTED_MAX 65535 // code points that a text can have

// ---- Which expressions can be an error ----------------------------------------------------------
// uint(size(a)): a size is never negative.
static bool is_size(const struct p2e_cel_expr *convert)
{
    return convert->args[0]->op == P2E_CEL_SIZE && convert->type.kind == P2E_CEL_UINT;
}

static bool is_time_part(const struct p2e_cel_expr *expr)
{
    return expr->op >= P2E_CEL_GET_FULL_YEAR && expr->op <= P2E_CEL_GET_MILLISECONDS;
}

static bool can_overflow(const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_CONVERT && is_size(expr))
        return false;
    if (is_time_part(expr))
        return expr->args[0]->type.kind == P2E_CEL_TIMESTAMP;
    if (expr->op == P2E_CEL_CONVERT)
        return expr->type.kind != P2E_CEL_DOUBLE && expr->type.kind != P2E_CEL_BYTES;
    return (expr->op == P2E_CEL_NEGATE && expr->type.kind == P2E_CEL_INT) ||
           (expr->op >= P2E_CEL_ADD && expr->op <= P2E_CEL_MODULO);
}

// The list that a text is an element of.
static const struct p2e_cel_expr *list_of(const struct p2e_cel_expr *text)
{
    return text->op == P2E_CEL_AT ? text->args[0] : text->binder->args[0];
}

// The field that an element's value is of.
static const struct p2e_field *element_field(const struct p2e_cel_expr *list)
{
    return list->field->map ? &list->field->message->fields[1] : list->field;
}

// A string that the parser did not check for UTF-8 may have no code points.
static bool is_checked_text(const struct p2e_cel_expr *text)
{
    if (text->op == P2E_CEL_CONST || text->op == P2E_CEL_CONVERT)
        return true;
    if (text->op == P2E_CEL_ELEMENT || text->op == P2E_CEL_AT)
        return element_field(list_of(text))->validate_utf8;
    if (text->op == P2E_CEL_UNWRAP)
        return is_checked_text(text->args[0]);
    return text->op == P2E_CEL_SELECT && text->field->validate_utf8;
}

static bool needs_check(const struct p2e_cel_expr *expr)
{
    return (expr->op == P2E_CEL_SIZE || expr->op == P2E_CEL_MATCHES ||
            expr->op == P2E_CEL_IS_FORMAT) &&
           expr->args[0]->type.kind == P2E_CEL_STRING && !is_checked_text(expr->args[0]);
}

static bool can_fail(const struct p2e_cel_expr *expr)
{
    if (can_overflow(expr) || needs_check(expr) || expr->op == P2E_CEL_AT ||
        expr->op == P2E_CEL_UNWRAP)
        return true;
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (can_fail(expr->args[i]))
            return true;
    }
    return false;
}

// ---- Constants ----------------------------------------------------------------------------------
static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint64_t text_word(const char *data, size_t size)
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

static void emit_const(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
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
static void emit_path_holds(struct p2e_emitter *e, const struct p2e_use *use)
{
    for (const struct p2e_use *up = use->place->parent; up; up = up->place->parent) {
        if (oneof_slot(up))
            emit(e, " && s->value[%u] == %u", oneof_slot(up), p2e_plan_member(up->field));
    }
}

static void emit_present(struct p2e_emitter *e, const struct p2e_use *use)
{
    if (use->field->repeated)
        emit(e, "s->value[%u] != 0", use->slot);
    else if (oneof_slot(use))
        emit(e, "s->value[%u] == %u", oneof_slot(use), p2e_plan_member(use->field));
    else
        emit(e, "s->present[%u]", use->slot);
    emit_path_holds(e, use);
}

static void emit_count(struct p2e_emitter *e, const struct p2e_use *use)
{
    emit(e, "static P2E_INLINE u64 count_%u(struct p2e_state *s)\n{\n    return 1", use->slot);
    emit_path_holds(e, use);
    emit(e, " ? s->value[%u] : 0;\n}\n\n", use->slot);
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

static void emit_select(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit(e, "get_%u(s)", p2e_plan_use(e->plan, expr)->slot);
}

static void emit_has(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_use *use = p2e_plan_use(e->plan, expr);
    bool text = expr->field->type == P2E_TYPE_STRING || expr->field->type == P2E_TYPE_BYTES;
    if (expr->field->repeated || expr->field->presence != P2E_PRESENCE_IMPLICIT)
        emit(e, "present_%u(s)", use->slot);
    else
        emit(e, text ? "(p2e_text_size(get_%u(s)) != 0)" : "(get_%u(s) != 0)", use->slot);
}

// ---- Texts --------------------------------------------------------------------------------------
static bool is_word(const struct p2e_cel_expr *expr)
{
    return expr->op == P2E_CEL_CONST && expr->value.text.size <= WORD_SIZE;
}

// name(s, text, other); against a short constant name_word(s, text, word, size).
static void emit_text_test(struct p2e_emitter *e, const char *name, const struct p2e_cel_expr *text,
                           const struct p2e_cel_expr *other)
{
    emit(e, "%s%s(s, ", name, is_word(other) ? "_word" : "");
    p2e_emit_expr(e, text);
    emit(e, ", ");
    if (is_word(other))
        emit(e, "0x%" PRIx64 "ull, %zu", text_word(other->value.text.data, other->value.text.size),
             other->value.text.size);
    else
        p2e_emit_expr(e, other);
    emit(e, ")");
}

static void emit_contains(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *needle = expr->args[1];
    emit_text_test(e, "p2e_text_search", expr->args[0], needle);
    if (is_word(needle))
        return;
    e->out->size--; // the closing parenthesis: one more argument
    emit(e, ", %" PRIu32 ")",
         p2e_texts_failures(&e->texts, needle->value.text.data, needle->value.text.size));
}

static void emit_size(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *arg = expr->args[0];
    if (arg->type.kind == P2E_CEL_LIST) {
        emit(e, "(s64)count_%u(s)", p2e_plan_use(e->plan, arg)->slot);
        return;
    }
    if (arg->type.kind == P2E_CEL_MAP) {
        const struct p2e_use *use = p2e_plan_use(e->plan, arg);
        emit(e, "(s64)(present_%u(s) ? s->value[%u] : 0)", use->slot, use->set_slot + 1);
        return;
    }
    emit(e, "(s64)%s(",
         arg->type.kind == P2E_CEL_BYTES ? "p2e_text_size"
         : needs_check(expr)             ? "p2e_text_points_checked"
                                         : "p2e_text_points");
    if (arg->type.kind == P2E_CEL_STRING)
        emit(e, "s, ");
    p2e_emit_expr(e, arg);
    emit(e, needs_check(expr) ? ", &failed)" : ")");
}

// ---- Operators ----------------------------------------------------------------------------------
static void emit_call(struct p2e_emitter *e, const char *name, const struct p2e_cel_expr *expr,
                      const char *end)
{
    emit(e, "%s(", name);
    for (size_t i = 0; i < expr->arg_count; i++) {
        emit(e, "%s", i ? ", " : "");
        p2e_emit_expr(e, expr->args[i]);
    }
    emit(e, "%s", end);
}

static const char *number_name(enum p2e_cel_kind kind)
{
    static const char *const names[] = {
        [P2E_CEL_INT] = "int",           [P2E_CEL_UINT] = "uint",
        [P2E_CEL_DOUBLE] = "double",     [P2E_CEL_TIMESTAMP] = "timestamp",
        [P2E_CEL_DURATION] = "duration",
    };
    return names[kind];
}

// A wrapper's scalar where null is an error.
static void emit_unwrap(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    bool logical = expr->type.kind == P2E_CEL_BOOL;
    emit(e, logical ? "(" : "(failed |= !");
    p2e_emit_expr(e, expr->args[1]);
    emit(e, logical ? " ? " : ", ");
    p2e_emit_expr(e, expr->args[0]);
    emit(e, logical ? " : P2E_ERROR)" : ")");
}

static void emit_time_part(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit(e, "%s(", p2e_emit_time_part(expr));
    p2e_emit_expr(e, expr->args[0]);
    if (can_overflow(expr)) {
        emit(e, ", ");
        p2e_emit_expr(e, expr->args[1]);
        emit(e, ", &failed");
    }
    emit(e, ")");
}

static void emit_arithmetic(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    static const char *const names[] = {
        [P2E_CEL_ADD] = "add",           [P2E_CEL_SUBTRACT] = "subtract",
        [P2E_CEL_MULTIPLY] = "multiply", [P2E_CEL_DIVIDE] = "divide",
        [P2E_CEL_MODULO] = "modulo",     [P2E_CEL_NEGATE] = "negate",
    };
    char name[32];
    snprintf(name, sizeof(name), "p2e_%s_%s", number_name(expr->type.kind), names[expr->op]);
    emit_call(e, name, expr, can_overflow(expr) ? ", &failed)" : ")");
}

static bool is_text(const struct p2e_cel_expr *expr)
{
    return expr->type.kind == P2E_CEL_STRING || expr->type.kind == P2E_CEL_BYTES;
}

static void emit_checked_text(struct p2e_emitter *e, const struct p2e_cel_expr *text)
{
    emit(e, "p2e_text_utf8(s, ");
    p2e_emit_expr(e, text);
    emit(e, ", &failed)");
}

// The text of a test that needs one which is UTF-8.
static void emit_string(struct p2e_emitter *e, const struct p2e_cel_expr *test)
{
    if (needs_check(test))
        emit_checked_text(e, test->args[0]);
    else
        p2e_emit_expr(e, test->args[0]);
}

static void emit_matches(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit(e, "p2e_text_regex(s, ");
    emit_string(e, expr);
    emit(e, ", ");
    p2e_regexes_arguments(&e->regexes, expr->regex, e->out);
    emit(e, ")");
}

static void emit_convert(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    char name[32];
    if (expr->type.kind == P2E_CEL_BYTES || expr->type.kind == expr->args[0]->type.kind) {
        p2e_emit_expr(e, expr->args[0]);
        return;
    }
    if (expr->type.kind == P2E_CEL_STRING) {
        emit_checked_text(e, expr->args[0]);
        return;
    }
    if (is_size(expr)) {
        emit(e, "(u64)");
        p2e_emit_expr(e, expr->args[0]);
        return;
    }
    snprintf(name, sizeof(name), "p2e_%s_to_%s", number_name(expr->args[0]->type.kind),
             number_name(expr->type.kind));
    emit_call(e, name, expr, can_overflow(expr) ? ", &failed)" : ")");
}

// An operand of a comparison. A bool that is an error fails the comparison.
static void emit_operand(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    bool uncertain = expr->type.kind == P2E_CEL_BOOL && can_fail(expr);
    emit(e, uncertain ? "p2e_condition(" : "");
    p2e_emit_expr(e, expr);
    emit(e, uncertain ? ", &failed)" : "");
}

static void emit_pattern(struct p2e_emitter *e, enum p2e_cel_pattern pattern)
{
    const struct p2e_regex *regex = p2e_regexes_pattern(&e->regexes, pattern);
    if (!regex)
        return;
    emit(e, "p2e_text_regex(s, text, ");
    p2e_regexes_arguments(&e->regexes, regex, e->out);
    emit(e, ")");
}

// The text is an address of the version that is asked for, or of either where that is 0.
static void emit_versions(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    static const int versions[] = {4, 6};
    const struct p2e_cel_expr *version = expr->args[1];
    bool constant = version->op == P2E_CEL_CONST;
    emit(e, "(0");
    for (int i = 0; i < 2; i++) {
        if (constant && version->value.integer != 0 && version->value.integer != versions[i])
            continue;
        emit(e, " || (");
        if (!constant)
            emit(e, "(version == 0 || version == %d) && ", versions[i]);
        emit_pattern(e, expr->format->patterns[i]);
        emit(e, ")");
    }
    emit(e, ")");
}

// Operands are evaluated once, an error in any is the test's.
static void emit_is_format(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_format *format = expr->format;
    emit(e, "({ u64 text = ");
    emit_string(e, expr);
    if (format->version && expr->args[1]->op != P2E_CEL_CONST) {
        emit(e, "; s64 version = ");
        p2e_emit_expr(e, expr->args[1]);
    }
    if (format->flag) {
        emit(e, "; int flag = ");
        emit_operand(e, expr->args[2]);
    }
    emit(e, "; (void)text; "); // unused where the version is neither
    if (format->version)
        emit_versions(e, expr);
    else
        emit_pattern(e, format->patterns[0]);
    emit(e, "%s%s; })", format->also ? " && " : "", format->also ? format->also : "");
}

static void emit_infix(struct p2e_emitter *e, const struct p2e_cel_expr *expr, const char *operator,
                       void (*emit_one)(struct p2e_emitter *, const struct p2e_cel_expr *))
{
    emit(e, "(");
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (i)
            emit(e, " %s ", operator);
        emit_one(e, expr->args[i]);
    }
    emit(e, ")");
}

// && and || of what may fail: p2e_and(a, p2e_and(b, c)).
static void emit_logic(struct p2e_emitter *e, const struct p2e_cel_expr *expr, const char *operator,
                       const char * function)
{
    if (!can_fail(expr)) {
        emit_infix(e, expr, operator, p2e_emit_expr);
        return;
    }
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (i + 1 < expr->arg_count)
            emit(e, "%s(", function);
        p2e_emit_expr(e, expr->args[i]);
        if (i + 1 < expr->arg_count)
            emit(e, ", ");
    }
    for (size_t i = 0; i + 1 < expr->arg_count; i++)
        emit(e, ")");
}

static void emit_conditional(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *condition = expr->args[0];
    bool fails = can_fail(condition), logical = expr->type.kind == P2E_CEL_BOOL;
    if (fails && logical) {
        emit(e, "({ int condition = ");
        p2e_emit_expr(e, condition);
        emit(e, "; condition == P2E_ERROR ? P2E_ERROR : condition");
    } else {
        emit(e, fails ? "(p2e_condition(" : "(");
        p2e_emit_expr(e, condition);
        emit(e, fails ? ", &failed)" : "");
    }
    emit(e, " ? ");
    p2e_emit_expr(e, expr->args[1]);
    emit(e, " : ");
    p2e_emit_expr(e, expr->args[2]);
    emit(e, fails && logical ? "; })" : ")");
}

// The three-way comparison for operands of these kinds.
static const char *comparison(enum p2e_cel_kind a, enum p2e_cel_kind b)
{
    if (a == P2E_CEL_INT && b == P2E_CEL_INT)
        return "p2e_int_compare(";
    if (a == P2E_CEL_UINT && b == P2E_CEL_UINT)
        return "p2e_uint_compare(";
    if (a == P2E_CEL_DOUBLE && b == P2E_CEL_DOUBLE)
        return "p2e_double_compare(";
    if (a == P2E_CEL_INT && b == P2E_CEL_UINT)
        return "p2e_int_uint_compare(";
    if (a == P2E_CEL_INT && b == P2E_CEL_DOUBLE)
        return "p2e_int_double_compare(";
    if (a == P2E_CEL_UINT && b == P2E_CEL_DOUBLE)
        return "p2e_uint_double_compare(";
    if (a == P2E_CEL_STRING || a == P2E_CEL_BYTES)
        return "p2e_text_compare(s, ";
    if (p2e_cel_is_time(a))
        return "p2e_time_compare(";
    return NULL;
}

static bool is_integer_pair(const struct p2e_cel_expr *expr)
{
    enum p2e_cel_kind kind = expr->args[0]->type.kind;
    return kind == expr->args[1]->type.kind && (kind == P2E_CEL_INT || kind == P2E_CEL_UINT);
}

// The string whose code points `expr` counts, as an int or a uint; NULL for anything else, and
// where the string has to be checked first.
static const struct p2e_cel_expr *counted_text(const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_CONVERT && is_size(expr))
        expr = expr->args[0];
    bool counted = expr->op == P2E_CEL_SIZE && expr->args[0]->type.kind == P2E_CEL_STRING;
    return counted && !needs_check(expr) ? expr->args[0] : NULL;
}

// size(text) against a constant, of which the sides are `expr`'s in this order or the other.
struct counting {
    const struct p2e_cel_expr *text;
    enum p2e_cel_op op; // as if the size stood first
    int64_t count;
};

static enum p2e_cel_op turned(enum p2e_cel_op op)
{
    static const enum p2e_cel_op others[] = {
        [P2E_CEL_LT - P2E_CEL_LT] = P2E_CEL_GT,
        [P2E_CEL_LE - P2E_CEL_LT] = P2E_CEL_GE,
        [P2E_CEL_GT - P2E_CEL_LT] = P2E_CEL_LT,
        [P2E_CEL_GE - P2E_CEL_LT] = P2E_CEL_LE,
    };
    return op == P2E_CEL_EQ || op == P2E_CEL_NE ? op : others[op - P2E_CEL_LT];
}

// A count that no text can have is left to the general way.
static bool find_counting(const struct p2e_cel_expr *expr, struct counting *counting)
{
    const struct p2e_cel_expr *a = expr->args[0], *b = expr->args[1];
    bool swapped = a->op == P2E_CEL_CONST;
    const struct p2e_cel_expr *size = swapped ? b : a, *constant = swapped ? a : b;
    if (constant->op != P2E_CEL_CONST || constant->type.kind != size->type.kind)
        return false;
    *counting = (struct counting){counted_text(size), swapped ? turned(expr->op) : expr->op,
                                  constant->value.integer};
    bool below = counting->op == P2E_CEL_LT || counting->op == P2E_CEL_GE;
    return counting->text && counting->count >= below && counting->count <= COUNTED_MAX;
}

// Mostly the number of bytes settles it (bpf/text.h).
static void emit_counting(struct p2e_emitter *e, const struct counting *c)
{
    bool equality = c->op == P2E_CEL_EQ || c->op == P2E_CEL_NE;
    bool negated = c->op == P2E_CEL_NE || c->op == P2E_CEL_LT || c->op == P2E_CEL_LE;
    bool below = c->op == P2E_CEL_LT || c->op == P2E_CEL_GE; // one less is what must be exceeded
    emit(e, "(%sp2e_text_points_%s(s, ", negated ? "!" : "", equality ? "equal" : "above");
    p2e_emit_expr(e, c->text);
    emit(e, ", %lldull))", (long long)(c->count - below));
}

static void emit_order(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    static const char *const infix[] = {"<", "<=", ">", ">="};
    static const char *const tests[] = {"p2e_below(", "p2e_at_most(", "p2e_above(",
                                        "p2e_at_least("};
    static const char *const swapped[] = {"p2e_above(", "p2e_at_least(", "p2e_below(",
                                          "p2e_at_most("};
    const struct p2e_cel_expr *a = expr->args[0], *b = expr->args[1];
    unsigned op = expr->op - P2E_CEL_LT;
    struct counting counting;
    if (find_counting(expr, &counting)) {
        emit_counting(e, &counting);
        return;
    }
    const char *compare = comparison(a->type.kind, b->type.kind);
    if (is_integer_pair(expr) || a->type.kind == P2E_CEL_BOOL) {
        emit_infix(e, expr, infix[op], emit_operand);
        return;
    }
    emit(e, "%s", compare ? tests[op] : swapped[op]);
    if (!compare) {
        const struct p2e_cel_expr *first = a;
        compare = comparison(b->type.kind, a->type.kind);
        a = b;
        b = first;
    }
    emit(e, "%s", compare);
    p2e_emit_expr(e, a);
    emit(e, ", ");
    p2e_emit_expr(e, b);
    emit(e, "))");
}

// Numbers of two kinds, by value.
static void emit_equal_mixed(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                             const struct p2e_cel_expr *b)
{
    if (a->type.kind > b->type.kind) {
        emit_equal_mixed(e, b, a);
        return;
    }
    emit(e, "p2e_%s_%s_equal(", number_name(a->type.kind), number_name(b->type.kind));
    p2e_emit_expr(e, a);
    emit(e, ", ");
    p2e_emit_expr(e, b);
    emit(e, ")");
}

static void emit_equal(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                       const struct p2e_cel_expr *b);

// Null equals null alone. Both sides are evaluated, for an error on either is the comparison's.
static void emit_equal_nullable(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                                const struct p2e_cel_expr *b)
{
    if (a->op != P2E_CEL_UNWRAP) {
        emit_equal_nullable(e, b, a);
        return;
    }
    emit(e, "(");
    p2e_emit_expr(e, a->args[1]);
    if (b->op == P2E_CEL_UNWRAP) {
        emit(e, " == ");
        p2e_emit_expr(e, b->args[1]);
        emit(e, " && (!");
        p2e_emit_expr(e, a->args[1]);
        emit(e, " || ");
        emit_equal(e, a->args[0], b->args[0]);
        emit(e, "))");
        return;
    }
    emit(e, " & (int)");
    emit_equal(e, a->args[0], b);
    emit(e, ")");
}

static void emit_equal(struct p2e_emitter *e, const struct p2e_cel_expr *a,
                       const struct p2e_cel_expr *b)
{
    const char *open = "(", *between = " == ", *close = ")";
    if (a->op == P2E_CEL_UNWRAP || b->op == P2E_CEL_UNWRAP) {
        emit_equal_nullable(e, a, b);
        return;
    }
    if (a->type.kind != b->type.kind) {
        emit_equal_mixed(e, a, b);
        return;
    }
    if (is_text(a)) {
        bool constant_first = a->op == P2E_CEL_CONST;
        emit_text_test(e, "p2e_text_equal", constant_first ? b : a, constant_first ? a : b);
        return;
    }
    if (a->type.kind == P2E_CEL_DOUBLE || p2e_cel_is_time(a->type.kind)) {
        open = a->type.kind == P2E_CEL_DOUBLE ? "(p2e_double_compare(" : "(p2e_time_compare(";
        between = ", ";
        close = ") == 0)";
    }
    emit(e, "%s", open);
    emit_operand(e, a);
    emit(e, "%s", between);
    emit_operand(e, b);
    emit(e, "%s", close);
}

static void emit_list_equal(struct p2e_emitter *e, const struct p2e_cel_expr *expr);

static void emit_equality(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    struct counting counting;
    if (find_counting(expr, &counting)) {
        emit_counting(e, &counting);
        return;
    }
    emit(e, expr->op == P2E_CEL_NE ? "(!" : "");
    if (expr->args[0]->type.kind == P2E_CEL_LIST)
        emit_list_equal(e, expr);
    else
        emit_equal(e, expr->args[0], expr->args[1]);
    emit(e, expr->op == P2E_CEL_NE ? ")" : "");
}

// An element of a list literal: every one is evaluated, for an error in any is the list's error.
static void emit_in_literal(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_cel_expr *element = expr->args[0], *list = expr->args[1];
    const char *operator= can_fail(expr) ? " | (int)" : " || ";
    emit(e, "((int)");
    for (size_t i = 0; i < list->arg_count; i++) {
        emit(e, "%s", i ? operator : "");
        emit_equal(e, element, list->args[i]);
    }
    emit(e, "%s", list->arg_count ? ")" : "0)");
}

static size_t test_slot(const struct p2e_use *use, const struct p2e_cel_expr *test)
{
    size_t i = 0;
    while (use->tests[i] != test)
        i++;
    return use->slot + 1 + i;
}

// What the tally of a test says in the end; that of an empty list where the path does not lead
// there.
static void emit_tally(struct p2e_emitter *e, const struct p2e_cel_expr *test,
                       const struct p2e_cel_expr *list, const char *verdict)
{
    const struct p2e_use *use = p2e_plan_use(e->plan, list);
    emit(e, "%s(1", verdict);
    emit_path_holds(e, use);
    emit(e, " ? s->value[%zu] : 0)", test_slot(use, test));
}

// An element by its index, a value by its key.
static void emit_at(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const struct p2e_use *use = p2e_plan_use(e->plan, expr->args[0]);
    size_t slot = test_slot(use, expr);
    const char *type = expr->type.kind == P2E_CEL_INT    ? "s64"
                       : expr->type.kind == P2E_CEL_BOOL ? "int"
                                                         : "u64";
    emit(e, "({ if (!(s->present[%zu]", slot);
    emit_path_holds(e, use);
    emit(e, ")) failed = 1; (%s)s->value[%zu]; })", type, slot);
}

// A list of the message that is to be equal to constants.
static void emit_list_equal(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    bool constant_first = expr->args[0]->op == P2E_CEL_LIST_LITERAL;
    const struct p2e_cel_expr *list = expr->args[constant_first],
                              *items = expr->args[!constant_first];
    emit(e, "(count_%u(s) == %zu && ", p2e_plan_use(e->plan, list)->slot, items->arg_count);
    emit_tally(e, expr, list, "p2e_all");
    emit(e, ")");
}

static void emit_macro(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    const char *verdict = expr->op == P2E_CEL_ALL      ? "p2e_all"
                          : expr->op == P2E_CEL_EXISTS ? "p2e_exists"
                                                       : "p2e_exists_one";
    emit_tally(e, expr, expr->args[0], verdict);
}

static void emit_in(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    if (expr->args[1]->op == P2E_CEL_LIST_LITERAL) {
        emit_in_literal(e, expr);
        return;
    }
    emit_tally(e, expr, expr->args[1], "p2e_exists");
}

static void emit_unique(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    emit_tally(e, expr, expr->args[0], "p2e_all");
}

// ---- Whole --------------------------------------------------------------------------------------
static void emit_operator(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_NOT:
        emit_call(e, can_fail(expr) ? "p2e_not" : "(!", expr, can_fail(expr) ? ")" : "))");
        break;
    case P2E_CEL_AND:
        emit_logic(e, expr, "&&", "p2e_and");
        break;
    case P2E_CEL_OR:
        emit_logic(e, expr, "||", "p2e_or");
        break;
    case P2E_CEL_CONDITIONAL:
        emit_conditional(e, expr);
        break;
    case P2E_CEL_EQ:
    case P2E_CEL_NE:
        emit_equality(e, expr);
        break;
    case P2E_CEL_LT:
    case P2E_CEL_LE:
    case P2E_CEL_GT:
    case P2E_CEL_GE:
        emit_order(e, expr);
        break;
    case P2E_CEL_IN:
        emit_in(e, expr);
        break;
    case P2E_CEL_ALL:
    case P2E_CEL_EXISTS:
    case P2E_CEL_EXISTS_ONE:
        emit_macro(e, expr);
        break;
    case P2E_CEL_UNIQUE:
        emit_unique(e, expr);
        break;
    case P2E_CEL_STARTS_WITH:
        emit_text_test(e, "p2e_text_starts_with", expr->args[0], expr->args[1]);
        break;
    case P2E_CEL_ENDS_WITH:
        emit_text_test(e, "p2e_text_ends_with", expr->args[0], expr->args[1]);
        break;
    case P2E_CEL_CONTAINS:
        emit_contains(e, expr);
        break;
    case P2E_CEL_MATCHES:
        emit_matches(e, expr);
        break;
    case P2E_CEL_IS_FORMAT:
        emit_is_format(e, expr);
        break;
    case P2E_CEL_IS_NAN:
        emit_call(e, "p2e_double_is_nan", expr, ")");
        break;
    case P2E_CEL_IS_INF:
        emit_call(e, "p2e_double_is_inf", expr, ")");
        break;
    case P2E_CEL_CONVERT:
        emit_convert(e, expr);
        break;
    default:
        (is_time_part(expr) ? emit_time_part : emit_arithmetic)(e, expr);
        break;
    }
}

static void emit_plain(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_CONST:
        emit_const(e, expr);
        break;
    case P2E_CEL_SELECT:
        emit_select(e, expr);
        break;
    case P2E_CEL_ELEMENT:
        p2e_emit_converted(e, expr->binder->args[0]->field->type, "value");
        break;
    case P2E_CEL_HAS:
        emit_has(e, expr);
        break;
    case P2E_CEL_AT:
        emit_at(e, expr);
        break;
    case P2E_CEL_SIZE:
        emit_size(e, expr);
        break;
    case P2E_CEL_TIME:
        emit_call(e, "p2e_time", expr, ")");
        break;
    case P2E_CEL_NOW:
        emit(e, "p2e_now(s)");
        break;
    case P2E_CEL_UNWRAP:
        emit_unwrap(e, expr);
        break;
    default:
        emit_operator(e, expr);
        break;
    }
}

// Where values that can fail meet a bool: the bool is the error.
static bool is_error_boundary(const struct p2e_cel_expr *expr)
{
    switch (expr->op) {
    case P2E_CEL_EQ:
    case P2E_CEL_NE:
    case P2E_CEL_LT:
    case P2E_CEL_LE:
    case P2E_CEL_GT:
    case P2E_CEL_GE:
    case P2E_CEL_IN:
    case P2E_CEL_STARTS_WITH:
    case P2E_CEL_ENDS_WITH:
    case P2E_CEL_CONTAINS:
    case P2E_CEL_MATCHES:
    case P2E_CEL_IS_FORMAT:
    case P2E_CEL_IS_NAN:
    case P2E_CEL_IS_INF:
        return can_fail(expr);
    case P2E_CEL_AT:
        return expr->type.kind == P2E_CEL_BOOL;
    default:
        return false;
    }
}

void p2e_emit_expr(struct p2e_emitter *e, const struct p2e_cel_expr *expr)
{
    if (!is_error_boundary(expr)) {
        emit_plain(e, expr);
        return;
    }
    emit(e, "({ u32 failed = 0; int result = ");
    emit_plain(e, expr);
    emit(e, "; p2e_settled(s, p2e_checked(failed, result)); })");
}

static bool is_real(const struct p2e_field *field)
{
    return field->type == P2E_TYPE_DOUBLE || field->type == P2E_TYPE_FLOAT;
}

void p2e_emit_is_constant(struct p2e_emitter *e, const struct p2e_field *field, const char *value,
                          const struct p2e_cel_expr *constant)
{
    const char *data = constant->value.text.data;
    size_t size = constant->value.text.size;
    if (is_text(constant) && size <= WORD_SIZE) {
        emit(e, "p2e_text_equal_word(s, %s, 0x%" PRIx64 "ull, %zu)", value, text_word(data, size),
             size);
        return;
    }
    emit(e, is_text(constant) ? "p2e_text_equal(s, "
            : is_real(field)  ? "(p2e_double_compare("
                              : "(");
    p2e_emit_converted(e, field->type, value);
    emit(e, is_text(constant) || is_real(field) ? ", " : " == ");
    emit_const(e, constant);
    emit(e, is_real(field) ? ") == 0)" : ")");
}
