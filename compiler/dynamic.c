#include "compiler/dynamic.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

struct slot {
    union p2e_dynamic_value *values;
    size_t count, capacity;
};

struct p2e_dynamic {
    const struct p2e_message *type;
    struct slot *slots; // one a field, then one an extension; NULL as long as none was set
    const struct p2e_field **chosen; // one a oneof: its member that is set
    bool unknown_number;             // of a closed enum was met
    bool keeps_unknown;              // it is a struct whole
    uint32_t unknown_field;          // number of one that was met, 0 for none
};

// With what the schema does not know, which annotations, of which there may be many, do not need.
struct whole {
    struct p2e_dynamic known;
    struct p2e_wire_field *unknowns;
    size_t count, capacity;
};

struct decoder {
    struct p2e_arena *arena;
    struct p2e_error *err;
    const struct p2e_message *type; // of the whole message, for errors
    bool keeps_unknown;
};

// ---- Asking -------------------------------------------------------------------------------------

static struct slot *slot_of(const struct p2e_dynamic *m, const struct p2e_field *field)
{
    const struct p2e_message *type = m->type;
    return &m->slots[field->extension ? type->field_count + (size_t)(field - type->extensions)
                                      : (size_t)(field - type->fields)];
}

size_t p2e_dynamic_size(const struct p2e_dynamic *message, const struct p2e_field *field)
{
    return message && message->slots ? slot_of(message, field)->count : 0;
}

bool p2e_dynamic_has(const struct p2e_dynamic *message, const struct p2e_field *field)
{
    return p2e_dynamic_size(message, field) > 0;
}

union p2e_dynamic_value p2e_dynamic_at(const struct p2e_dynamic *message,
                                       const struct p2e_field *field, size_t index)
{
    return slot_of(message, field)->values[index];
}

const struct p2e_field *p2e_dynamic_next(const struct p2e_dynamic *message,
                                         const struct p2e_field *previous)
{
    if (!message || !message->slots)
        return NULL;
    const struct p2e_message *type = message->type;
    size_t at = previous ? (size_t)(slot_of(message, previous) - message->slots) + 1 : 0;
    for (; at < type->field_count + type->extension_count; at++) {
        if (message->slots[at].count > 0)
            return at < type->field_count ? &type->fields[at]
                                          : &type->extensions[at - type->field_count];
    }
    return NULL;
}

// `bits` as in p2e_field.default_bits; a bool may have any.
static union p2e_dynamic_value number(enum p2e_type type, uint64_t bits)
{
    union p2e_dynamic_value value = {0};
    float narrow;
    switch (type) {
    case P2E_TYPE_BOOL:
        value.boolean = bits != 0;
        break;
    case P2E_TYPE_DOUBLE:
        memcpy(&value.real, &bits, sizeof(value.real));
        break;
    case P2E_TYPE_FLOAT:
        memcpy(&narrow, &(uint32_t){(uint32_t)bits}, sizeof(narrow));
        value.real = narrow;
        break;
    default: // integers; the bits of both kinds are the same
        value.uinteger = bits;
    }
    return value;
}

static bool is_text(const struct p2e_field *field)
{
    return field->type == P2E_TYPE_STRING || field->type == P2E_TYPE_BYTES;
}

union p2e_dynamic_value p2e_dynamic_get(const struct p2e_dynamic *message,
                                        const struct p2e_field *field)
{
    if (p2e_dynamic_has(message, field))
        return p2e_dynamic_at(message, field, 0);
    if (field->message)
        return (union p2e_dynamic_value){.message = NULL};
    if (is_text(field))
        return (union p2e_dynamic_value){
            .text = {field->default_text ? field->default_text : "", field->default_size}};
    return number(field->type, field->default_bits);
}

const struct p2e_wire_field *p2e_dynamic_unknowns(const struct p2e_dynamic *message, size_t *count)
{
    const struct whole *whole = (const struct whole *)message;
    bool is_kept = message && message->keeps_unknown;
    *count = is_kept ? whole->count : 0;
    return is_kept ? whole->unknowns : NULL;
}

uint32_t p2e_dynamic_unknown(const struct p2e_dynamic *message)
{
    return message ? message->unknown_field : 0;
}

// ---- Errors -------------------------------------------------------------------------------------

static int malformed(const struct decoder *d)
{
    return p2e_error_set(d->err, "the bytes are no valid %s", d->type->full_name);
}

static int too_large(const struct decoder *d)
{
    return p2e_error_set(d->err, "the %s is too large", d->type->full_name);
}

// ---- Keeping values -----------------------------------------------------------------------------

static bool make_slots(const struct decoder *d, struct p2e_dynamic *m)
{
    const struct p2e_message *type = m->type;
    if (m->slots)
        return true;
    m->chosen = p2e_arena_array(d->arena, type->oneof_count, sizeof(const struct p2e_field *));
    m->slots =
        p2e_arena_array(d->arena, type->field_count + type->extension_count, sizeof(*m->slots));
    return m->slots && m->chosen;
}

// Unsets the member of the field's oneof that was set before.
static void choose(struct p2e_dynamic *m, const struct p2e_field *field)
{
    if (!field->oneof)
        return;
    const struct p2e_field **chosen = &m->chosen[field->oneof - m->type->oneofs];
    if (*chosen && *chosen != field)
        slot_of(m, *chosen)->count = 0;
    *chosen = field;
}

static bool make_room(const struct decoder *d, struct slot *slot, bool repeated)
{
    if (slot->count < slot->capacity)
        return true;
    size_t capacity = !repeated ? 1 : slot->capacity ? 2 * slot->capacity : 4;
    union p2e_dynamic_value *grown =
        p2e_arena_array(d->arena, capacity, sizeof(union p2e_dynamic_value));
    if (!grown)
        return false;
    if (slot->count > 0)
        memcpy(grown, slot->values, slot->count * sizeof(*grown));
    slot->values = grown;
    slot->capacity = capacity;
    return true;
}

static int keep(const struct decoder *d, struct p2e_dynamic *m, const struct p2e_field *field,
                union p2e_dynamic_value value)
{
    if (!make_slots(d, m))
        return too_large(d);
    choose(m, field);
    struct slot *slot = slot_of(m, field);
    if (!field->repeated)
        slot->count = 0;
    if (!make_room(d, slot, field->repeated))
        return too_large(d);
    slot->values[slot->count++] = value;
    return 0;
}

static bool make_unknown_room(const struct decoder *d, struct whole *m)
{
    if (m->count < m->capacity)
        return true;
    size_t capacity = m->capacity ? 2 * m->capacity : 4;
    struct p2e_wire_field *grown = p2e_arena_array(d->arena, capacity, sizeof(*grown));
    if (!grown)
        return false;
    if (m->count > 0)
        memcpy(grown, m->unknowns, m->count * sizeof(*grown));
    m->unknowns = grown;
    m->capacity = capacity;
    return true;
}

// `sent` refers to what is being decoded.
static int keep_unknown(const struct decoder *d, struct p2e_dynamic *m, struct p2e_wire_field sent)
{
    struct whole *whole = (struct whole *)m;
    size_t size = 0;
    if (!m->keeps_unknown)
        return 0;
    if (sent.type == P2E_WIRE_BYTES || sent.type == P2E_WIRE_GROUP_BEGIN) {
        size = p2e_wire_size(&sent.content);
        char *copy = p2e_arena_copy(d->arena, sent.content.at, size);
        if (!copy)
            return too_large(d);
        sent.content = p2e_wire_of(copy, size);
    }
    if (!make_unknown_room(d, whole))
        return too_large(d);
    whole->unknowns[whole->count++] = sent;
    return 0;
}

// A field without presence that is sent as its default is as good as absent.
static int keep_default(struct p2e_dynamic *m, const struct p2e_field *field)
{
    if (m->slots)
        slot_of(m, field)->count = 0;
    return 0;
}

static bool has_presence(const struct p2e_field *field)
{
    return field->repeated || field->presence != P2E_PRESENCE_IMPLICIT;
}

// ---- Scalars ------------------------------------------------------------------------------------

static enum p2e_wire_type wire_type_of(enum p2e_type type)
{
    switch (type) {
    case P2E_TYPE_DOUBLE:
    case P2E_TYPE_FIXED64:
    case P2E_TYPE_SFIXED64:
        return P2E_WIRE_FIXED64;
    case P2E_TYPE_FLOAT:
    case P2E_TYPE_FIXED32:
    case P2E_TYPE_SFIXED32:
        return P2E_WIRE_FIXED32;
    case P2E_TYPE_STRING:
    case P2E_TYPE_BYTES:
    case P2E_TYPE_MESSAGE:
        return P2E_WIRE_BYTES;
    case P2E_TYPE_GROUP:
        return P2E_WIRE_GROUP_BEGIN;
    default:
        return P2E_WIRE_VARINT;
    }
}

static uint64_t unzigzag(uint64_t raw)
{
    return raw >> 1 ^ -(raw & 1);
}

// What was sent, cut to the type's size, as number() takes it.
static uint64_t bits_of(enum p2e_type type, uint64_t raw)
{
    switch (type) {
    case P2E_TYPE_INT32:
    case P2E_TYPE_SFIXED32:
    case P2E_TYPE_ENUM:
        return (uint64_t)(int32_t)(uint32_t)raw;
    case P2E_TYPE_UINT32:
        return (uint32_t)raw;
    case P2E_TYPE_SINT32:
        return unzigzag((uint32_t)raw);
    case P2E_TYPE_SINT64:
        return unzigzag(raw);
    default:
        return raw;
    }
}

static int decode_number(const struct decoder *d, struct p2e_dynamic *m,
                         const struct p2e_field *field, uint64_t raw)
{
    uint64_t bits = bits_of(field->type, raw);
    if (field->enumeration && field->enumeration->closed &&
        !p2e_enum_number(field->enumeration, (int32_t)bits)) {
        m->unknown_number = true;
        return keep_unknown(d, m,
                            (struct p2e_wire_field){
                                .number = field->number, .type = P2E_WIRE_VARINT, .value = bits});
    }
    if (bits == 0 && !has_presence(field))
        return keep_default(m, field);
    return keep(d, m, field, number(field->type, bits));
}

static bool is_utf8(const char *text, size_t size)
{
    uint32_t code;
    for (size_t length; size > 0; text += length, size -= length) {
        length = p2e_utf8_decode(text, size, &code);
        if (length == 0)
            return false;
    }
    return true;
}

static int decode_text(const struct decoder *d, struct p2e_dynamic *m,
                       const struct p2e_field *field, struct p2e_wire content)
{
    size_t size = p2e_wire_size(&content);
    if (field->validate_utf8 && !is_utf8((const char *)content.at, size))
        return p2e_error_set(d->err, "the bytes are no valid %s: field %s is not UTF-8",
                             d->type->full_name, field->name);
    if (size == 0 && !has_presence(field))
        return keep_default(m, field);
    char *copy = p2e_arena_copy(d->arena, content.at, size);
    if (!copy)
        return too_large(d);
    return keep(d, m, field, (union p2e_dynamic_value){.text = {copy, size}});
}

static int decode_packed(const struct decoder *d, struct p2e_dynamic *m,
                         const struct p2e_field *field, struct p2e_wire content)
{
    while (content.at < content.end) {
        uint64_t raw;
        if (!p2e_wire_scalar(&content, wire_type_of(field->type), &raw))
            return malformed(d);
        if (decode_number(d, m, field, raw) < 0)
            return -1;
    }
    return 0;
}

// ---- Messages -----------------------------------------------------------------------------------

static int decode_message(const struct decoder *d, struct p2e_wire *wire, uint32_t group,
                          unsigned depth, struct p2e_dynamic *m);

static struct p2e_dynamic *new_message(const struct decoder *d, const struct p2e_message *type)
{
    struct p2e_dynamic *m = d->keeps_unknown ? (void *)p2e_arena_new(d->arena, struct whole)
                                             : p2e_arena_new(d->arena, struct p2e_dynamic);
    if (!m)
        return NULL;
    m->type = type;
    m->keeps_unknown = d->keeps_unknown;
    return m;
}

// The field's message so far, to be merged into; a new one where there is none.
static struct p2e_dynamic *open_message(const struct decoder *d, const struct p2e_dynamic *m,
                                        const struct p2e_field *field)
{
    if (!field->repeated && p2e_dynamic_has(m, field))
        return (struct p2e_dynamic *)p2e_dynamic_at(m, field, 0).message;
    return new_message(d, field->message);
}

// `wire` goes on behind the tag of `sent`.
static int decode_submessage(const struct decoder *d, struct p2e_wire *wire,
                             const struct p2e_wire_field *sent, unsigned depth,
                             struct p2e_dynamic *m, const struct p2e_field *field)
{
    bool is_group = sent->type == P2E_WIRE_GROUP_BEGIN;
    struct p2e_wire content = sent->content;
    struct p2e_dynamic *inner = open_message(d, m, field);

    if (!inner)
        return too_large(d);
    if (decode_message(d, is_group ? wire : &content, is_group ? sent->number : 0, depth + 1,
                       inner) < 0)
        return -1;
    if (field->map && inner->unknown_number)
        return keep_unknown(d, m, *sent); // the whole entry
    return keep(d, m, field, (union p2e_dynamic_value){.message = inner});
}

static const struct p2e_field *find_field(const struct p2e_message *type, uint32_t number)
{
    const struct p2e_field *field = p2e_message_number(type, number);
    return field ? field : p2e_message_extension(type, number);
}

static int decode_unknown(const struct decoder *d, struct p2e_wire *wire,
                          const struct p2e_wire_field *sent, unsigned depth, struct p2e_dynamic *m)
{
    struct p2e_wire_field unknown = *sent;
    if (sent->type != P2E_WIRE_GROUP_BEGIN)
        return keep_unknown(d, m, unknown);
    unknown.content.at = wire->at;
    if (depth >= P2E_DYNAMIC_DEPTH_MAX ||
        !p2e_wire_skip_group(wire, sent->number, P2E_DYNAMIC_DEPTH_MAX - depth - 1))
        return malformed(d);
    unknown.content.end = wire->at;
    return keep_unknown(d, m, unknown);
}

static int decode_field(const struct decoder *d, struct p2e_wire *wire,
                        const struct p2e_wire_field *sent, unsigned depth, struct p2e_dynamic *m)
{
    const struct p2e_field *field = find_field(m->type, sent->number);
    if (!field) {
        m->unknown_field = sent->number;
        return decode_unknown(d, wire, sent, depth, m);
    }
    enum p2e_wire_type expected = wire_type_of(field->type);
    bool is_number = !field->message && !is_text(field);
    if (field->repeated && is_number && sent->type == P2E_WIRE_BYTES)
        return decode_packed(d, m, field, sent->content);
    if (sent->type != expected)
        return decode_unknown(d, wire, sent, depth, m);
    if (field->message)
        return decode_submessage(d, wire, sent, depth, m, field);
    if (is_number)
        return decode_number(d, m, field, sent->value);
    return decode_text(d, m, field, sent->content);
}

// Up to the end of `wire`, or of the group of that number (0 for none).
static int decode_message(const struct decoder *d, struct p2e_wire *wire, uint32_t group,
                          unsigned depth, struct p2e_dynamic *m)
{
    if (depth > P2E_DYNAMIC_DEPTH_MAX)
        return p2e_error_set(d->err, "the %s is nested more than %d deep", d->type->full_name,
                             P2E_DYNAMIC_DEPTH_MAX);
    while (wire->at < wire->end) {
        struct p2e_wire_field sent;
        if (!p2e_wire_next(wire, &sent))
            return malformed(d);
        if (sent.type == P2E_WIRE_GROUP_END)
            return sent.number == group ? 0 : malformed(d);
        if (decode_field(d, wire, &sent, depth, m) < 0)
            return -1;
    }
    return group ? malformed(d) : 0;
}

// ---- When all is read ---------------------------------------------------------------------------

static int compare_keys(const void *a, const void *b)
{
    const union p2e_dynamic_value *const *left = a, *const *right = b;
    const struct p2e_field *key = (*left)->message->type->fields;
    union p2e_dynamic_value x = p2e_dynamic_get((*left)->message, key);
    union p2e_dynamic_value y = p2e_dynamic_get((*right)->message, key);

    if (key->type == P2E_TYPE_STRING) {
        size_t size = x.text.size < y.text.size ? x.text.size : y.text.size;
        int order = memcmp(x.text.data, y.text.data, size);
        return order ? order : (x.text.size > y.text.size) - (x.text.size < y.text.size);
    }
    if (key->type == P2E_TYPE_BOOL)
        return x.boolean - y.boolean;
    switch (key->type) {
    case P2E_TYPE_UINT32:
    case P2E_TYPE_UINT64:
    case P2E_TYPE_FIXED32:
    case P2E_TYPE_FIXED64:
        return (x.uinteger > y.uinteger) - (x.uinteger < y.uinteger);
    default:
        return (x.integer > y.integer) - (x.integer < y.integer);
    }
}

// The pointers are into one array, in the order in which the entries were sent.
static int compare_entries(const void *a, const void *b)
{
    const union p2e_dynamic_value *const *left = a, *const *right = b;
    int order = compare_keys(a, b);
    return order ? order : (*left > *right) - (*left < *right);
}

// Sorts a map's entries by key and keeps the last one of each.
static int finish_map(const struct decoder *d, struct slot *slot)
{
    if (slot->count < 2)
        return 0;
    union p2e_dynamic_value *entries = p2e_arena_array(d->arena, slot->count, sizeof(*entries));
    _cleanup_free_ const union p2e_dynamic_value **sorted = calloc(slot->count, sizeof(*sorted));
    if (!entries || !sorted)
        return too_large(d);
    for (size_t i = 0; i < slot->count; i++)
        sorted[i] = &slot->values[i];
    qsort(sorted, slot->count, sizeof(*sorted), compare_entries);

    size_t count = 0;
    for (size_t i = 0; i < slot->count; i++) {
        if (i + 1 == slot->count || compare_keys(&sorted[i], &sorted[i + 1]) != 0)
            entries[count++] = *sorted[i];
    }
    *slot = (struct slot){entries, count, count};
    return 0;
}

static int finish(const struct decoder *d, const struct p2e_dynamic *m);

static int finish_field(const struct decoder *d, const struct p2e_dynamic *m,
                        const struct p2e_field *field)
{
    struct slot *slot = slot_of(m, field);
    if (field->map && finish_map(d, slot) < 0)
        return -1;
    for (size_t i = 0; field->message && i < slot->count; i++) {
        if (finish(d, slot->values[i].message) < 0)
            return -1;
    }
    return 0;
}

// Recursion is bounded by decode_message.
static int finish(const struct decoder *d, const struct p2e_dynamic *m)
{
    for (size_t i = 0; m->type->has_required && i < m->type->field_count; i++) {
        const struct p2e_field *field = &m->type->fields[i];
        if (field->presence == P2E_PRESENCE_REQUIRED && !p2e_dynamic_has(m, field))
            return p2e_error_set(d->err,
                                 "the bytes are no valid %s: required field %s.%s is missing",
                                 d->type->full_name, m->type->full_name, field->name);
    }
    for (const struct p2e_field *field = NULL; (field = p2e_dynamic_next(m, field));) {
        if (finish_field(d, m, field) < 0)
            return -1;
    }
    return 0;
}

static int decode(struct decoder d, struct p2e_bytes bytes, const struct p2e_dynamic **message)
{
    struct p2e_wire wire = p2e_wire_of(bytes.data, bytes.size);
    struct p2e_dynamic *m = new_message(&d, d.type);
    if (!m)
        return too_large(&d);
    *message = m;
    if (decode_message(&d, &wire, 0, 0, m) < 0)
        return -1;
    return finish(&d, m);
}

int p2e_dynamic_decode(const struct p2e_message *type, struct p2e_bytes bytes,
                       struct p2e_arena *arena, const struct p2e_dynamic **message,
                       struct p2e_error *err)
{
    return decode((struct decoder){.arena = arena, .err = err, .type = type}, bytes, message);
}

int p2e_dynamic_decode_all(const struct p2e_message *type, struct p2e_bytes bytes,
                           struct p2e_arena *arena, const struct p2e_dynamic **message,
                           struct p2e_error *err)
{
    return decode((struct decoder){.arena = arena, .err = err, .type = type, .keeps_unknown = true},
                  bytes, message);
}
