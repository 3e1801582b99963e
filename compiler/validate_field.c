// What the annotation of one field demands of one value.
#include <stdio.h>
#include <string.h>

#include "compiler/cel_view.h"
#include "compiler/validate_private.h"

typedef const struct p2e_validator validator;
typedef const struct p2e_dynamic dynamic;

int p2e_validate_error(validator *v, const char *path, const char *why)
{
    return p2e_error_set(v->err, "the rules of %s: %s", path[0] ? path : "the message", why);
}

// ---- Parts of annotations -----------------------------------------------------------------------
union p2e_dynamic_value p2e_validate_get(const struct p2e_message *type, dynamic *message,
                                         const char *name)
{
    const struct p2e_field *field = p2e_message_field(type, name);
    return field && !field->repeated ? p2e_dynamic_get(message, field)
                                     : (union p2e_dynamic_value){0};
}

bool p2e_validate_is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

enum p2e_ignore p2e_validate_ignore(validator *v, dynamic *rules)
{
    return (enum p2e_ignore)p2e_validate_get(v->field_option->message, rules, "ignore").integer;
}

dynamic *p2e_validate_part(validator *v, dynamic *rules, const char *kind, const char *part)
{
    const struct p2e_field *field = p2e_message_field(v->field_option->message, kind);
    const struct p2e_field *inner =
        field && field->message ? p2e_message_field(field->message, part) : NULL;
    if (!inner || !p2e_dynamic_has(rules, field) || !inner->message)
        return NULL;
    dynamic *outer = p2e_dynamic_get(rules, field).message;
    return p2e_dynamic_has(outer, inner) ? p2e_dynamic_get(outer, inner).message : NULL;
}

// ---- Which kind of rules a value takes ----------------------------------------------------------
static const char *scalar_kind(enum p2e_type type)
{
    static const char *const kinds[] = {
        [P2E_TYPE_DOUBLE] = "double",     [P2E_TYPE_FLOAT] = "float",
        [P2E_TYPE_INT64] = "int64",       [P2E_TYPE_UINT64] = "uint64",
        [P2E_TYPE_INT32] = "int32",       [P2E_TYPE_FIXED64] = "fixed64",
        [P2E_TYPE_FIXED32] = "fixed32",   [P2E_TYPE_BOOL] = "bool",
        [P2E_TYPE_STRING] = "string",     [P2E_TYPE_BYTES] = "bytes",
        [P2E_TYPE_UINT32] = "uint32",     [P2E_TYPE_ENUM] = "enum",
        [P2E_TYPE_SFIXED32] = "sfixed32", [P2E_TYPE_SFIXED64] = "sfixed64",
        [P2E_TYPE_SINT32] = "sint32",     [P2E_TYPE_SINT64] = "sint64",
        [P2E_TYPE_MESSAGE] = NULL,        [P2E_TYPE_GROUP] = NULL,
    };
    return kinds[type];
}

static const struct {
    const char *message, *kind;
} known_messages[] = {
    {"google.protobuf.Any", "any"},
    {"google.protobuf.Duration", "duration"},
    {"google.protobuf.FieldMask", "field_mask"},
    {"google.protobuf.Timestamp", "timestamp"},
};

// NULL for a message that takes CEL alone. `wrapped` is the field of a wrapper's scalar, else NULL.
static const char *kind_of(const struct p2e_field *field, bool element,
                           const struct p2e_field *wrapped)
{
    if (field->repeated && !element)
        return field->map ? "map" : "repeated";
    if (wrapped)
        return scalar_kind(wrapped->type);
    for (size_t i = 0; field->message && i < sizeof(known_messages) / sizeof(known_messages[0]);
         i++) {
        if (strcmp(known_messages[i].message, field->message->full_name) == 0)
            return known_messages[i].kind;
    }
    return scalar_kind(field->type);
}

// ---- CEL of the user's own ----------------------------------------------------------------------
static int add_custom(validator *v, const struct p2e_spot *spot, const struct p2e_message *type,
                      dynamic *rule, size_t index)
{
    char number[32];
    snprintf(number, sizeof(number), "cel[%zu]", index);
    struct p2e_annotation annotation = {
        .id = p2e_validate_get(type, rule, "id").text.data,
        .expression = p2e_validate_get(type, rule, "expression").text.data,
        .message = p2e_validate_get(type, rule, "message").text.data,
    };
    if (!annotation.id[0])
        annotation.id = number;
    return p2e_validate_add(v, spot, &annotation);
}

static int add_bare(validator *v, const struct p2e_spot *spot, const char *expression, size_t index)
{
    char number[48];
    snprintf(number, sizeof(number), "cel_expression[%zu]", index);
    return p2e_validate_add(v, spot,
                            &(struct p2e_annotation){.id = number, .expression = expression});
}

int p2e_validate_cel(validator *v, const struct p2e_spot *spot, const struct p2e_message *type,
                     dynamic *rules)
{
    const struct p2e_field *cel = p2e_message_field(type, "cel");
    const struct p2e_field *bare = p2e_message_field(type, "cel_expression");
    for (size_t i = 0; cel && cel->message && i < p2e_dynamic_size(rules, cel); i++) {
        if (add_custom(v, spot, cel->message, p2e_dynamic_at(rules, cel, i).message, i) < 0)
            return -1;
    }
    for (size_t i = 0; bare && i < p2e_dynamic_size(rules, bare); i++) {
        if (add_bare(v, spot, p2e_dynamic_at(rules, bare, i).text.data, i) < 0)
            return -1;
    }
    return 0;
}

// ---- Standard and predefined rules --------------------------------------------------------------
// What a value is to be judged by: one field of a message like buf.validate.StringRules.
struct standard {
    const struct p2e_spot *spot;
    const struct p2e_field *field; // whose value it is
    const char *kind;
    const struct p2e_cel_expr *rules; // the constant message
    const struct p2e_field *rule;     // the field of it that is set
};

// Rules that validate.proto leaves to its implementations. An empty expression: nothing to add,
// it is read elsewhere.
static const struct {
    const char *kind, *name, *expression;
} native_rules[] = {
    {"repeated", "items", ""},
    {"map", "keys", ""},
    {"map", "values", ""},
    {"string", "strict", ""},
    {"any", "in", "this.type_url in getField(rules, 'in')"},
    {"any", "not_in", "!(this.type_url in rules.not_in)"},
};

static int add_native(validator *v, const struct standard *s)
{
    char id[128];
    dynamic *rules = s->rules->value.message;
    snprintf(id, sizeof(id), "%s.%s", s->kind, s->rule->name);
    if (strcmp(id, "enum.defined_only") == 0)
        return p2e_dynamic_get(rules, s->rule).boolean
                   ? p2e_validate_add_defined(v, s->spot, s->field->enumeration)
                   : 0;
    for (size_t i = 0; i < sizeof(native_rules) / sizeof(native_rules[0]); i++) {
        const char *text = native_rules[i].expression;
        if (strcmp(native_rules[i].kind, s->kind) != 0 ||
            strcmp(native_rules[i].name, s->rule->name) != 0)
            continue;
        if (!text[0])
            return 0;
        struct p2e_annotation annotation = {
            .id = id, .expression = text, .rules = s->rules, .raw = true};
        annotation.shown = p2e_validate_show(v, rules, s->rule);
        return annotation.shown ? p2e_validate_add(v, s->spot, &annotation) : -1;
    }
    return p2e_error_set(v->err,
                         "the rules of %s: what %s demands is not in this schema's "
                         "validate.proto; p2e reads that of protovalidate 1.0 and later",
                         s->spot->path, id);
}

static const struct p2e_cel_expr *make_rule_value(validator *v, const struct standard *s)
{
    struct p2e_cel_expr *e = p2e_arena_new(v->arena, struct p2e_cel_expr);
    if (s->rule->map) {
        p2e_validate_error(v, s->spot->path, "a predefined rule's value is no map");
        return NULL;
    }
    if (e && p2e_cel_constant(s->rules->value.message, s->rule, v->arena, e) == 0)
        return e;
    p2e_validate_out_of_memory(v);
    return NULL;
}

static int add_predefined(validator *v, const struct standard *s)
{
    dynamic *predefined;
    const struct p2e_message *type = v->predefined_option->message;
    const struct p2e_field *cel = p2e_message_field(type, "cel");
    const struct p2e_cel_expr *value = make_rule_value(v, s);
    const char *shown = value ? p2e_validate_show(v, s->rules->value.message, s->rule) : NULL;
    if (!shown || p2e_dynamic_decode(type, s->rule->predefined, v->arena, &predefined, v->err) < 0)
        return -1;
    for (size_t i = 0; cel && cel->message && i < p2e_dynamic_size(predefined, cel); i++) {
        dynamic *rule = p2e_dynamic_at(predefined, cel, i).message;
        struct p2e_annotation annotation = {
            .id = p2e_validate_get(cel->message, rule, "id").text.data,
            .expression = p2e_validate_get(cel->message, rule, "expression").text.data,
            .message = p2e_validate_get(cel->message, rule, "message").text.data,
            .shown = shown,
            .rules = s->rules,
            .rule = value,
        };
        if (p2e_validate_add(v, s->spot, &annotation) < 0)
            return -1;
    }
    return 0;
}

static int add_standard(validator *v, struct standard *s)
{
    dynamic *rules = s->rules->value.message;
    if (p2e_dynamic_unknown(rules))
        return p2e_error_set(v->err,
                             "the rules of %s: field %u of %s is not in the schema; a predefined "
                             "rule's file belongs to the imports",
                             s->spot->path, p2e_dynamic_unknown(rules),
                             s->rules->type.message->full_name);
    for (s->rule = NULL; (s->rule = p2e_dynamic_next(rules, s->rule));) {
        int result = s->rule->predefined.data ? add_predefined(v, s) : add_native(v, s);
        if (result < 0)
            return -1;
    }
    return 0;
}

// ---- All of it ----------------------------------------------------------------------------------
// The field of FieldRules, among those of its oneof, that is set: which kind of rules it has.
static int find_kind(validator *v, const struct p2e_spot *spot, dynamic *rules,
                     const struct p2e_field **kind)
{
    static const char *const others[] = {"cel", "cel_expression", "required", "ignore"};
    *kind = NULL;
    if (p2e_dynamic_unknown(rules))
        return p2e_validate_error(v, spot->path, "there are some that the schema does not know");
    for (const struct p2e_field *f = NULL; (f = p2e_dynamic_next(rules, f));) {
        bool other = p2e_validate_is_among(f->name, others, sizeof(others) / sizeof(others[0]));
        if (f->oneof && f->message)
            *kind = f;
        else if (!other)
            return p2e_error_set(v->err,
                                 "the rules of %s: \"%s\" is not supported; p2e reads the rules of "
                                 "protovalidate 1.0 and later",
                                 spot->path, f->name);
    }
    return 0;
}

static int check_kind(validator *v, const struct p2e_spot *spot, const struct p2e_field *kind,
                      const char *expected)
{
    if (expected && strcmp(kind->name, expected) == 0)
        return 0;
    if (!expected)
        return p2e_error_set(v->err, "the rules of %s: a message of its type takes no \"%s\" rules",
                             spot->path, kind->name);
    return p2e_error_set(v->err, "the rules of %s: it takes \"%s\" rules, not \"%s\"", spot->path,
                         expected, kind->name);
}

int p2e_validate_value(validator *v, const struct p2e_spot *spot, const struct p2e_field *field,
                       bool element, dynamic *rules)
{
    bool single = !field->repeated || element;
    const struct p2e_field *wrapped =
        field->message && single ? p2e_cel_wrapped(field->message) : NULL;
    const char *expected = kind_of(field, element, wrapped);
    const struct p2e_field *kind;
    struct p2e_spot inner = *spot;
    inner.value =
        wrapped ? p2e_validate_select(v, spot->value, wrapped) : p2e_validate_view(v, spot->value);
    if (!inner.value || p2e_validate_cel(v, &inner, v->field_option->message, rules) < 0 ||
        find_kind(v, spot, rules, &kind) < 0)
        return -1;
    if (!kind)
        return 0;
    struct p2e_cel_expr constant = {
        .op = P2E_CEL_CONST,
        .type = {.kind = P2E_CEL_MESSAGE, .message = kind->message},
        .value = {.message = p2e_dynamic_get(rules, kind).message},
    };
    struct standard s = {&inner, field, expected, &constant, NULL};
    return check_kind(v, spot, kind, expected) == 0 ? add_standard(v, &s) : -1;
}
