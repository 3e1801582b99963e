#include "compiler/emit_time.h"

static bool uses_now(const struct p2e_cel_expr *expr)
{
    if (expr->op == P2E_CEL_NOW)
        return true;
    for (size_t i = 0; i < expr->arg_count; i++) {
        if (uses_now(expr->args[i]))
            return true;
    }
    return false;
}

bool p2e_emit_uses_now(const struct p2e_plan *plan)
{
    for (size_t i = 0; i < plan->rules.count; i++) {
        if (uses_now(plan->rules.rules[i].cel.root))
            return true;
    }
    return false;
}

// ---- Parts --------------------------------------------------------------------------------------

static const char *duration_part(enum p2e_cel_op op)
{
    switch (op) {
    case P2E_CEL_GET_HOURS:
        return "p2e_duration_hours";
    case P2E_CEL_GET_MINUTES:
        return "p2e_duration_minutes";
    case P2E_CEL_GET_SECONDS:
        return "p2e_duration_seconds";
    default:
        return "p2e_duration_milliseconds";
    }
}

const char *p2e_emit_time_part(const struct p2e_cel_expr *get)
{
    static const char *const names[] = {
        "p2e_timestamp_full_year",    "p2e_timestamp_month",       "p2e_timestamp_date",
        "p2e_timestamp_day_of_month", "p2e_timestamp_day_of_week", "p2e_timestamp_day_of_year",
        "p2e_timestamp_hours",        "p2e_timestamp_minutes",     "p2e_timestamp_seconds",
        "p2e_timestamp_milliseconds",
    };
    if (get->args[0]->type.kind == P2E_CEL_DURATION)
        return duration_part(get->op);
    return names[get->op - P2E_CEL_GET_FULL_YEAR];
}
