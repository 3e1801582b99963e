#include "compiler/validate.h"

#include <string.h>

#include "bpf/table.h"
#include "compiler/validate_private.h"

typedef struct p2e_validator validator;
typedef const struct p2e_dynamic dynamic;

// ---- Which messages have annotations ------------------------------------------------------------
static bool has_own(const struct p2e_message *message)
{
    bool found = message->validate.data != NULL;
    for (size_t i = 0; i < message->field_count && !found; i++)
        found = message->fields[i].validate.data != NULL;
    for (size_t i = 0; i < message->oneof_count && !found; i++)
        found = message->oneofs[i].validate.data != NULL;
    return found;
}

// For each message those that hold it: `holders` from begin[index] to begin[index + 1].
struct holders {
    size_t *begin, *holders;
};

static bool find_holders(const struct p2e_schema *schema, struct p2e_arena *arena,
                         struct holders *h)
{
    size_t count = schema->message_count, total = 0;
    h->begin = p2e_arena_array(arena, count + 2, sizeof(size_t));
    if (!h->begin)
        return false;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < schema->messages[i].field_count; k++) {
            const struct p2e_message *held = schema->messages[i].fields[k].message;
            if (held)
                h->begin[held->index + 2]++, total++;
        }
    }
    for (size_t i = 2; i < count + 2; i++)
        h->begin[i] += h->begin[i - 1];
    h->holders = p2e_arena_array(arena, total, sizeof(size_t));
    for (size_t i = 0; h->holders && i < count; i++) {
        for (size_t k = 0; k < schema->messages[i].field_count; k++) {
            const struct p2e_message *held = schema->messages[i].fields[k].message;
            if (held)
                h->holders[h->begin[held->index + 1]++] = i;
        }
    }
    return h->holders;
}

// From those with annotations of their own outwards.
static int find_annotated(validator *v)
{
    struct holders h;
    size_t count = v->schema->message_count, pending = 0;
    size_t *queue = p2e_arena_array(v->arena, count, sizeof(*queue));
    v->annotated = p2e_arena_array(v->arena, count, sizeof(bool));
    if (!queue || !v->annotated || !find_holders(v->schema, v->arena, &h))
        return p2e_validate_out_of_memory(v);
    for (size_t i = 0; i < count; i++) {
        v->annotated[i] = has_own(&v->schema->messages[i]);
        if (v->annotated[i])
            queue[pending++] = i;
    }
    while (pending > 0) {
        size_t index = queue[--pending];
        for (size_t i = h.begin[index]; i < h.begin[index + 1]; i++) {
            if (v->annotated[h.holders[i]])
                continue;
            v->annotated[h.holders[i]] = true;
            queue[pending++] = h.holders[i];
        }
    }
    return 0;
}

static bool is_annotated(const validator *v, const struct p2e_message *message)
{
    return message && v->annotated[message->index];
}

// ---- Messages -----------------------------------------------------------------------------------
static int walk_message(validator *v, const struct p2e_spot *spot,
                        const struct p2e_message *message);

static int decode(const validator *v, const struct p2e_message *type, struct p2e_bytes bytes,
                  const char *path, dynamic **message)
{
    *message = NULL;
    if (!bytes.data)
        return 0;
    if (p2e_dynamic_decode(type, bytes, v->arena, message, v->err) == 0)
        return 0;
    return p2e_error_prefix(v->err, "the rules of %s", path[0] ? path : "the message");
}

static bool is_open(const struct p2e_spot *spot, const struct p2e_message *message)
{
    for (const struct p2e_open *open = spot->open; open; open = open->outer) {
        if (open->message == message)
            return true;
    }
    return false;
}

static struct p2e_cyclic *find_cyclic(const validator *v, const struct p2e_message *message)
{
    struct p2e_cyclic *cyclic = v->cyclic;
    while (cyclic && cyclic->message != message)
        cyclic = cyclic->next;
    return cyclic;
}

// Messages that hold their own kind: one scope, wherever one is met.
static struct p2e_scope *cyclic_scope(validator *v, const struct p2e_spot *spot,
                                      const struct p2e_message *message)
{
    struct p2e_cyclic *cyclic = find_cyclic(v, message);
    if (cyclic)
        return cyclic->scope;
    cyclic = p2e_arena_new(v->arena, struct p2e_cyclic);
    if (!cyclic) {
        p2e_validate_out_of_memory(v);
        return NULL;
    }
    *cyclic =
        (struct p2e_cyclic){message, p2e_rules_scope(v->rules, spot->value, v->err), v->cyclic};
    v->cyclic = cyclic;
    if (!cyclic->scope)
        return NULL;
    cyclic->scope->cyclic = true;
    // Many paths lead there: what is wrong is told by the type's name.
    const char *dot = strrchr(message->full_name, '.');
    struct p2e_spot element = {.scope = cyclic->scope,
                               .value = p2e_validate_element(v, cyclic->scope),
                               .path = dot ? dot + 1 : message->full_name};
    return element.value && walk_message(v, &element, message) == 0 ? cyclic->scope : NULL;
}

// Is the message judged by itself, because it is around this spot already or was met so before?
static bool is_cyclic(const validator *v, const struct p2e_spot *spot,
                      const struct p2e_message *message)
{
    return is_annotated(v, message) && (find_cyclic(v, message) || is_open(spot, message));
}

static int nest_cyclic(validator *v, const struct p2e_spot *spot, const struct p2e_message *message)
{
    struct p2e_scope *scope = cyclic_scope(v, spot, message);
    return scope ? p2e_rules_nest(v->rules, spot->scope, spot->value, scope, v->err) : -1;
}

static int walk_submessage(validator *v, const struct p2e_spot *spot,
                           const struct p2e_message *message)
{
    if (!is_annotated(v, message))
        return 0;
    return is_cyclic(v, spot, message) ? nest_cyclic(v, spot, message)
                                       : walk_message(v, spot, message);
}

// ---- Lists and maps -----------------------------------------------------------------------------
// A value within an element. `zero` is what ignore = IGNORE_IF_ZERO_VALUE means.
static int walk_part(validator *v, const struct p2e_spot *spot, const struct p2e_field *field,
                     bool element, dynamic *rules)
{
    struct p2e_spot part = *spot;
    enum p2e_ignore ignore = p2e_validate_ignore(v, rules);
    if (ignore == P2E_IGNORE_ALWAYS)
        return 0;
    if (ignore == P2E_IGNORE_IF_ZERO && !field->message) {
        int64_t zero = field->enumeration ? field->enumeration->values[0].number : 0;
        part.guard = p2e_validate_not_zero(v, spot->value, zero);
        if (!part.guard)
            return -1;
    }
    if (field->message && walk_submessage(v, &part, field->message) < 0)
        return -1;
    return rules ? p2e_validate_value(v, &part, field, element, rules) : 0;
}

static int nest(validator *v, const struct p2e_spot *list, struct p2e_scope *scope)
{
    if (scope->check_count == 0)
        return 0;
    return p2e_rules_nest(v->rules, list->scope, list->value, scope, v->err);
}

// A list of messages that hold their own kind.
static int walk_cyclic_items(validator *v, const struct p2e_spot *list,
                             const struct p2e_field *field, dynamic *items)
{
    if (items)
        return p2e_validate_error(v, list->path,
                                  "rules for the items of a list are not supported where these are "
                                  "messages that hold one another without end");
    return nest_cyclic(v, list, field->message);
}

static int walk_items(validator *v, const struct p2e_spot *list, const struct p2e_field *field,
                      dynamic *rules)
{
    dynamic *items = p2e_validate_part(v, rules, "repeated", "items");
    if (!items && !is_annotated(v, field->message))
        return 0;
    if (is_cyclic(v, list, field->message))
        return walk_cyclic_items(v, list, field, items);
    struct p2e_scope *scope = p2e_rules_scope(v->rules, list->value, v->err);
    struct p2e_spot item = *list;
    if (!scope)
        return -1;
    item.scope = scope;
    item.guard = NULL;
    item.value = p2e_validate_element(v, scope);
    item.path = p2e_validate_path(v, list->path, "[]");
    if (!item.value || !item.path || walk_part(v, &item, field, true, items) < 0)
        return -1;
    return nest(v, list, scope);
}

static int walk_entry(validator *v, const struct p2e_spot *entry, const struct p2e_field *field,
                      const char *name, dynamic *rules)
{
    struct p2e_spot part = *entry;
    part.value = p2e_validate_select(v, entry->value, field);
    part.path = p2e_validate_path(v, entry->path, name);
    if (!part.value || !part.path)
        return -1;
    return walk_part(v, &part, field, false, rules);
}

static int walk_entries(validator *v, const struct p2e_spot *map, const struct p2e_field *field,
                        dynamic *rules)
{
    dynamic *keys = p2e_validate_part(v, rules, "map", "keys");
    dynamic *values = p2e_validate_part(v, rules, "map", "values");
    const struct p2e_field *fields = field->message->fields;
    if (!keys && !values && !is_annotated(v, fields[1].message))
        return 0;
    struct p2e_scope *scope = p2e_rules_scope(v->rules, map->value, v->err);
    struct p2e_spot entry = *map;
    if (!scope)
        return -1;
    entry.scope = scope;
    entry.guard = NULL;
    entry.value = p2e_validate_element(v, scope);
    if (!entry.value || walk_entry(v, &entry, &fields[0], "[key]", keys) < 0 ||
        walk_entry(v, &entry, &fields[1], "[value]", values) < 0)
        return -1;
    // A message that holds its own kind is judged when it ends, so it has to be there.
    if (is_cyclic(v, &entry, fields[1].message) &&
        p2e_validate_add_required(v, &entry, &fields[1]) < 0)
        return -1;
    return nest(v, map, scope);
}

// ---- Fields -------------------------------------------------------------------------------------
static bool has_guard(const struct p2e_field *field, enum p2e_ignore ignore)
{
    return ignore == P2E_IGNORE_IF_ZERO ||
           (!field->repeated && field->presence != P2E_PRESENCE_IMPLICIT);
}

static int walk_value(validator *v, const struct p2e_spot *spot, const struct p2e_field *field,
                      dynamic *rules)
{
    int result = 0;
    if (field->map)
        result = walk_entries(v, spot, field, rules);
    else if (field->repeated)
        result = walk_items(v, spot, field, rules);
    else if (field->message)
        result = walk_submessage(v, spot, field->message);
    if (result < 0 || !rules)
        return result;
    return p2e_validate_value(v, spot, field, false, rules);
}

// What is said of a field: its rules, and whether the rules of its message have it in a oneof.
static int walk_field(validator *v, const struct p2e_spot *spot, const struct p2e_field *field,
                      bool in_oneof)
{
    dynamic *rules;
    struct p2e_spot value = *spot;
    value.path = p2e_validate_path(v, spot->path, field->name);
    const struct p2e_message *type = v->field_option->message;
    if (!value.path || decode(v, type, field->validate, value.path, &rules) < 0)
        return -1;
    const struct p2e_field *ignore_field = p2e_message_field(type, "ignore");
    enum p2e_ignore ignore = p2e_validate_ignore(v, rules);
    if (in_oneof && !(ignore_field && p2e_dynamic_has(rules, ignore_field)))
        ignore = P2E_IGNORE_IF_ZERO;
    if (ignore == P2E_IGNORE_ALWAYS)
        return 0;
    if (ignore > P2E_IGNORE_IF_ZERO)
        return p2e_validate_error(v, value.path, "this value of \"ignore\" is not supported");
    if (p2e_validate_get(type, rules, "required").boolean &&
        p2e_validate_add_required(v, spot, field) < 0)
        return -1;
    value.value = p2e_validate_select(v, spot->value, field);
    if (value.value && has_guard(field, ignore)) {
        value.guard = p2e_validate_has(v, spot->value, field);
        if (!value.guard)
            return -1;
    }
    return value.value ? walk_value(v, &value, field, rules) : -1;
}

// ---- Oneofs -------------------------------------------------------------------------------------
static int walk_oneof(validator *v, const struct p2e_spot *spot, const struct p2e_oneof *oneof)
{
    dynamic *rules;
    struct p2e_spot named = *spot;
    named.path = p2e_validate_path(v, spot->path, oneof->name);
    if (!named.path || decode(v, v->oneof_option->message, oneof->validate, named.path, &rules) < 0)
        return -1;
    if (!p2e_validate_get(v->oneof_option->message, rules, "required").boolean)
        return 0;
    return p2e_validate_add_one_of(v, &named, (const struct p2e_field *const *)oneof->fields,
                                   oneof->field_count, false, "required");
}

// A oneof that the rules of a message make of its fields.
static int find_members(validator *v, const struct p2e_spot *spot,
                        const struct p2e_message *message, const struct p2e_field *names,
                        dynamic *rule, const struct p2e_field **members)
{
    size_t count = p2e_dynamic_size(rule, names);
    if (count == 0)
        return p2e_validate_error(v, spot->path, "a oneof without fields");
    for (size_t i = 0; i < count; i++) {
        const char *name = p2e_dynamic_at(rule, names, i).text.data;
        members[i] = p2e_message_field(message, name);
        if (!members[i])
            return p2e_error_set(v->err, "the rules of %s: a oneof names \"%s\", which is no field",
                                 message->full_name, name);
        for (size_t k = 0; k < i; k++) {
            if (members[k] == members[i])
                return p2e_error_set(v->err, "the rules of %s: a oneof names \"%s\" twice",
                                     message->full_name, name);
        }
    }
    return 0;
}

static int walk_message_oneof(validator *v, const struct p2e_spot *spot,
                              const struct p2e_message *message, const struct p2e_message *type,
                              dynamic *rule)
{
    const struct p2e_field *names = p2e_message_field(type, "fields");
    size_t count = names ? p2e_dynamic_size(rule, names) : 0;
    const struct p2e_field **members = p2e_arena_array(v->arena, count + 1, sizeof(*members));
    if (!members || !names)
        return p2e_validate_out_of_memory(v);
    if (find_members(v, spot, message, names, rule, members) < 0 ||
        p2e_validate_add_one_of(v, spot, members, count, true, "message.oneof") < 0)
        return -1;
    if (!p2e_validate_get(type, rule, "required").boolean)
        return 0;
    return p2e_validate_add_one_of(v, spot, members, count, false, "message.oneof");
}

// Is the field named in a oneof that the rules of its message make?
static bool is_in_oneof(const validator *v, dynamic *rules, const struct p2e_field *field)
{
    const struct p2e_field *oneofs = p2e_message_field(v->message_option->message, "oneof");
    for (size_t i = 0; oneofs && oneofs->message && i < p2e_dynamic_size(rules, oneofs); i++) {
        dynamic *rule = p2e_dynamic_at(rules, oneofs, i).message;
        const struct p2e_field *names = p2e_message_field(oneofs->message, "fields");
        for (size_t k = 0; names && k < p2e_dynamic_size(rule, names); k++) {
            if (strcmp(p2e_dynamic_at(rule, names, k).text.data, field->name) == 0)
                return true;
        }
    }
    return false;
}

// ---- All of it ----------------------------------------------------------------------------------
// Rules of the message as a whole.
static int walk_whole(validator *v, const struct p2e_spot *spot, const struct p2e_message *message,
                      dynamic *rules)
{
    static const char *const known[] = {"cel", "cel_expression", "oneof"};
    const struct p2e_message *type = v->message_option->message;
    for (const struct p2e_field *f = NULL; (f = p2e_dynamic_next(rules, f));) {
        if (!p2e_validate_is_among(f->name, known, sizeof(known) / sizeof(known[0])))
            return p2e_error_set(v->err, "the rules of %s: \"%s\" is not supported",
                                 message->full_name, f->name);
    }
    if (p2e_dynamic_unknown(rules))
        return p2e_validate_error(v, message->full_name,
                                  "there are some that the schema does not know");
    const struct p2e_field *oneofs = p2e_message_field(type, "oneof");
    if (p2e_validate_cel(v, spot, type, rules) < 0)
        return -1;
    for (size_t i = 0; oneofs && oneofs->message && i < p2e_dynamic_size(rules, oneofs); i++) {
        if (walk_message_oneof(v, spot, message, oneofs->message,
                               p2e_dynamic_at(rules, oneofs, i).message) < 0)
            return -1;
    }
    return 0;
}

static int walk_message(validator *v, const struct p2e_spot *spot,
                        const struct p2e_message *message)
{
    struct p2e_open open = {message, spot->open, spot->open ? spot->open->depth + 1 : 0};
    struct p2e_spot inner = *spot;
    dynamic *rules;
    // What is nested deeper is malformed.
    if (open.depth > P2E_FRAMES_MAX)
        return 0;
    inner.open = &open;
    inner.owner = message;
    if (decode(v, v->message_option->message, message->validate, spot->path, &rules) < 0)
        return -1;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct p2e_field *field = &message->fields[i];
        bool in_oneof = is_in_oneof(v, rules, field);
        if ((field->validate.data || is_annotated(v, field->message)) &&
            walk_field(v, &inner, field, in_oneof) < 0)
            return -1;
    }
    if (walk_whole(v, &inner, message, rules) < 0)
        return -1;
    for (size_t i = 0; i < message->oneof_count; i++) {
        if (walk_oneof(v, &inner, &message->oneofs[i]) < 0)
            return -1;
    }
    return 0;
}

// The option of that kind of options, as the schema declares it.
static const struct p2e_field *find_option(const struct p2e_schema *schema, const char *options,
                                           uint32_t number)
{
    const struct p2e_message *type = p2e_schema_message(schema, options);
    const struct p2e_field *option = type ? p2e_message_extension(type, number) : NULL;
    return option && option->message && !option->repeated ? option : NULL;
}

int p2e_validate_rules(const struct p2e_message *message, const struct p2e_schema *schema,
                       struct p2e_rules *rules, struct p2e_error *err)
{
    validator v = {
        .schema = schema,
        .rules = rules,
        .err = err,
        .arena = &rules->arena,
        .message_option =
            find_option(schema, "google.protobuf.MessageOptions", P2E_OPTION_VALIDATE),
        .field_option = find_option(schema, "google.protobuf.FieldOptions", P2E_OPTION_VALIDATE),
        .oneof_option = find_option(schema, "google.protobuf.OneofOptions", P2E_OPTION_VALIDATE),
        .predefined_option =
            find_option(schema, "google.protobuf.FieldOptions", P2E_OPTION_PREDEFINED),
    };
    if (!v.message_option || !v.field_option || !v.oneof_option || !v.predefined_option)
        return 0;
    if (find_annotated(&v) < 0)
        return -1;
    struct p2e_cel_expr *this = p2e_arena_new(v.arena, struct p2e_cel_expr);
    if (!this)
        return p2e_validate_out_of_memory(&v);
    *this = (struct p2e_cel_expr){.op = P2E_CEL_THIS,
                                  .type = {.kind = P2E_CEL_MESSAGE, .message = message}};
    struct p2e_spot root = {.scope = rules->root, .value = this, .path = ""};
    return is_annotated(&v, message) ? walk_message(&v, &root, message) : 0;
}
