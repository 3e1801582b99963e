// Which expressions can be an error when a message is judged.
#include "compiler/cel_failing.h"

typedef struct p2e_cel_expr expr;

bool p2e_cel_is_size(const expr *convert)
{
    return convert->args[0]->op == P2E_CEL_SIZE && convert->type.kind == P2E_CEL_UINT;
}

bool p2e_cel_is_time_part(const expr *e)
{
    return e->op >= P2E_CEL_GET_FULL_YEAR && e->op <= P2E_CEL_GET_MILLISECONDS;
}

bool p2e_cel_can_overflow(const expr *e)
{
    if (e->op == P2E_CEL_CONVERT && p2e_cel_is_size(e))
        return false;
    if (p2e_cel_is_time_part(e))
        return e->args[0]->type.kind == P2E_CEL_TIMESTAMP;
    if (e->op == P2E_CEL_CONVERT)
        return e->type.kind != P2E_CEL_DOUBLE && e->type.kind != P2E_CEL_BYTES;
    return (e->op == P2E_CEL_NEGATE && e->type.kind == P2E_CEL_INT) ||
           (e->op >= P2E_CEL_ADD && e->op <= P2E_CEL_MODULO);
}

// The list that a text is an element of.
static const expr *list_of(const expr *text)
{
    return text->op == P2E_CEL_AT ? text->args[0] : text->binder->args[0];
}

// The field that an element's value is of.
static const struct p2e_field *element_field(const expr *list)
{
    return list->field->map ? &list->field->message->fields[1] : list->field;
}

// A string that the parser did not check for UTF-8 may have no code points.
static bool is_checked_text(const expr *text)
{
    if (text->op == P2E_CEL_CONST || text->op == P2E_CEL_CONVERT)
        return true;
    if (text->op == P2E_CEL_ELEMENT || text->op == P2E_CEL_AT)
        return element_field(list_of(text))->validate_utf8;
    if (text->op == P2E_CEL_UNWRAP)
        return is_checked_text(text->args[0]);
    return text->op == P2E_CEL_SELECT && text->field->validate_utf8;
}

bool p2e_cel_needs_check(const expr *e)
{
    return (e->op == P2E_CEL_SIZE || e->op == P2E_CEL_MATCHES || e->op == P2E_CEL_IS_FORMAT) &&
           e->args[0]->type.kind == P2E_CEL_STRING && !is_checked_text(e->args[0]);
}

bool p2e_cel_can_fail(const expr *e)
{
    if (p2e_cel_can_overflow(e) || p2e_cel_needs_check(e) || e->op == P2E_CEL_AT ||
        e->op == P2E_CEL_UNWRAP)
        return true;
    for (size_t i = 0; i < e->arg_count; i++) {
        if (p2e_cel_can_fail(e->args[i]))
            return true;
    }
    return false;
}
