// What an error offers instead of what was written.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cel_checker.h"
#include "compiler/cel_time.h"

#define EXCERPT_MAX 64 // bytes of the rule that an offer repeats

// Integers up to here are doubles.
#define EXACT_MAX ((uint64_t)1 << 53)

struct excerpt {
    const char *text;
    int size;
};

static bool excerpt_of(const struct p2e_cel_checker *checker, struct p2e_span span,
                       struct excerpt *excerpt)
{
    *excerpt = (struct excerpt){checker->text + span.begin, (int)(span.end - span.begin)};
    return span.end - span.begin <= EXCERPT_MAX;
}

static bool write_integer(bool negative, uint64_t magnitude, enum p2e_cel_kind wanted, char *offer)
{
    if (wanted == P2E_CEL_BOOL && magnitude <= 1) {
        strcpy(offer, magnitude ? "true" : "false");
        return true;
    }
    const char *suffix = wanted == P2E_CEL_UINT ? "u" : wanted == P2E_CEL_DOUBLE ? ".0" : "";
    snprintf(offer, P2E_CEL_OFFER_SIZE, "%s%" PRIu64 "%s", negative ? "-" : "", magnitude, suffix);
    switch (wanted) {
    case P2E_CEL_INT:
        return magnitude <= (uint64_t)INT64_MAX;
    case P2E_CEL_UINT:
        return !negative;
    case P2E_CEL_DOUBLE:
        return magnitude <= EXACT_MAX;
    default:
        return false;
    }
}

static bool write_real(double value, enum p2e_cel_kind wanted, char *offer)
{
    double magnitude = fabs(value);
    if (magnitude != trunc(magnitude) || magnitude > (double)EXACT_MAX)
        return false;
    return write_integer(value < 0, (uint64_t)magnitude, wanted, offer);
}

static bool write_text(const struct p2e_cel_node *node, const struct excerpt *e,
                       enum p2e_cel_kind wanted, char *offer)
{
    struct p2e_cel_value time;
    if (wanted == P2E_CEL_TIMESTAMP || wanted == P2E_CEL_DURATION) {
        bool timestamp = wanted == P2E_CEL_TIMESTAMP;
        snprintf(offer, P2E_CEL_OFFER_SIZE, "%s(%.*s)", timestamp ? "timestamp" : "duration",
                 e->size, e->text);
        return timestamp ? p2e_cel_parse_timestamp(&node->value, &time)
                         : p2e_cel_parse_duration(&node->value, &time);
    }
    snprintf(offer, P2E_CEL_OFFER_SIZE, "b%.*s", e->size, e->text);
    return wanted == P2E_CEL_BYTES;
}

bool p2e_cel_offer_literal(const struct p2e_cel_checker *checker, const struct p2e_cel_node *node,
                           enum p2e_cel_kind wanted, char offer[P2E_CEL_OFFER_SIZE])
{
    struct excerpt e;
    if (node->kind != P2E_NODE_LITERAL || !excerpt_of(checker, node->span, &e))
        return false;
    int64_t integer = node->value.integer;
    switch (node->literal) {
    case P2E_CEL_INT:
        return write_integer(integer < 0, integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer,
                             wanted, offer);
    case P2E_CEL_UINT:
        return write_integer(false, node->value.uinteger, wanted, offer);
    case P2E_CEL_DOUBLE:
        return write_real(node->value.real, wanted, offer);
    case P2E_CEL_STRING:
        return write_text(node, &e, wanted, offer);
    case P2E_CEL_BYTES:
        snprintf(offer, P2E_CEL_OFFER_SIZE, "%.*s", e.size - 1, e.text + 1);
        return wanted == P2E_CEL_STRING && !memchr(e.text, '\\', (size_t)e.size);
    default:
        return false;
    }
}

bool p2e_cel_offer_enum(const struct p2e_cel_checker *checker, const struct p2e_cel_node *node,
                        const struct p2e_cel_expr *other, char offer[P2E_CEL_OFFER_SIZE])
{
    if (node->kind != P2E_NODE_LITERAL || node->literal != P2E_CEL_STRING || !other->field ||
        other->op != P2E_CEL_SELECT || !other->field->enumeration)
        return false;
    const struct p2e_enum *enumeration = other->field->enumeration;
    const char *name = node->value.text.data;
    if (strlen(name) != node->value.text.size || !p2e_enum_value(enumeration, name))
        return false;
    int size = snprintf(offer, P2E_CEL_OFFER_SIZE, "%s.%s",
                        p2e_cel_short_name(checker, enumeration->full_name), name);
    return size < P2E_CEL_OFFER_SIZE;
}

bool p2e_cel_offer_bool(const struct p2e_cel_checker *checker, const struct p2e_cel_expr *expr,
                        char offer[P2E_CEL_OFFER_SIZE])
{
    static const char *const formats[] = {
        [P2E_CEL_INT] = "%.*s != 0",
        [P2E_CEL_UINT] = "%.*s != 0u",
        [P2E_CEL_DOUBLE] = "%.*s != 0.0",
        [P2E_CEL_STRING] = "%.*s != \"\"",
        [P2E_CEL_BYTES] = "%.*s != b\"\"",
        [P2E_CEL_TIMESTAMP] = "has(%.*s)",
        [P2E_CEL_DURATION] = "has(%.*s)",
        [P2E_CEL_MESSAGE] = "has(%.*s)",
        [P2E_CEL_LIST] = "size(%.*s) > 0",
        [P2E_CEL_MAP] = "size(%.*s) > 0",
        [P2E_CEL_NULL] = NULL,
    };
    struct excerpt e;
    bool field =
        expr->op == P2E_CEL_SELECT || expr->op == P2E_CEL_TIME || expr->op == P2E_CEL_UNWRAP;
    if (!field || !excerpt_of(checker, expr->span, &e) || !formats[expr->type.kind] ||
        p2e_cel_is_special(&expr->type))
        return false;
    snprintf(offer, P2E_CEL_OFFER_SIZE, formats[expr->type.kind], e.size, e.text);
    return true;
}
