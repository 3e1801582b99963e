#include "compiler/plan_table.h"

#include <string.h>

#include "bpf/table.h"
#include "compiler/plan_straight.h"

// How each protobuf type stands on the wire. Source: protobuf encoding specification.
static const struct {
    uint8_t wire, kind, packed;
} forms[] = {
    [P2E_TYPE_DOUBLE] = {1, P2E_KIND_SCALAR, P2E_KIND_PACKED_64},
    [P2E_TYPE_FLOAT] = {5, P2E_KIND_SCALAR, P2E_KIND_PACKED_32},
    [P2E_TYPE_INT64] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_UINT64] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_INT32] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_FIXED64] = {1, P2E_KIND_SCALAR, P2E_KIND_PACKED_64},
    [P2E_TYPE_FIXED32] = {5, P2E_KIND_SCALAR, P2E_KIND_PACKED_32},
    [P2E_TYPE_BOOL] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_STRING] = {2, P2E_KIND_STRING, 0},
    [P2E_TYPE_GROUP] = {3, P2E_KIND_GROUP, 0},
    [P2E_TYPE_MESSAGE] = {2, P2E_KIND_MESSAGE, 0},
    [P2E_TYPE_BYTES] = {2, P2E_KIND_BYTES, 0},
    [P2E_TYPE_UINT32] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_ENUM] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_SFIXED32] = {5, P2E_KIND_SCALAR, P2E_KIND_PACKED_32},
    [P2E_TYPE_SFIXED64] = {1, P2E_KIND_SCALAR, P2E_KIND_PACKED_64},
    [P2E_TYPE_SINT32] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
    [P2E_TYPE_SINT64] = {0, P2E_KIND_SCALAR, P2E_KIND_PACKED_VARINT},
};

// One row to lay out: a place, or a message type wherever no place is.
struct row {
    const struct p2e_message *message;
    struct p2e_place *place; // NULL for a type
    unsigned node;
    unsigned dense;      // highest field number in the row
    size_t dense_fields; // how many fields that is
    unsigned needs;      // index of the set of required fields
};

struct layout {
    struct p2e_plan *plan;
    const struct p2e_schema *schema;
    struct row *rows;
    size_t row_count, capacity;
    struct p2e_error *err;
};

static struct p2e_use *use_of(const struct row *row, const struct p2e_field *field)
{
    for (size_t i = 0; row->place && i < row->place->use_count; i++) {
        if (row->place->uses[i]->field == field)
            return row->place->uses[i];
    }
    return NULL;
}

// ---- Rows ---------------------------------------------------------------------------------------
static void add_row(struct layout *l, const struct p2e_message *message, struct p2e_place *place)
{
    l->rows[l->row_count++] = (struct row){.message = message, .place = place};
}

// Queues the types that this row's fields lead to.
static void reach_types(struct layout *l, const struct row *row)
{
    for (size_t i = 0; i < row->message->field_count; i++) {
        const struct p2e_field *field = &row->message->fields[i];
        const struct p2e_use *use = field->message ? use_of(row, field) : NULL;
        if (!field->message || (use && use->child) || l->plan->type_nodes[field->message->index])
            continue;
        l->plan->type_nodes[field->message->index] = 1; // queued; numbered later
        add_row(l, field->message, NULL);
    }
}

static int reach_rows(struct layout *l)
{
    struct p2e_plan *plan = l->plan;
    l->capacity = plan->place_count + l->schema->message_count;
    l->rows = p2e_arena_array(&plan->arena, l->capacity, sizeof(*l->rows));
    plan->type_nodes =
        p2e_arena_array(&plan->arena, l->schema->message_count + 1, sizeof(unsigned));
    if (!l->rows || !plan->type_nodes)
        return p2e_error_set(l->err, "out of memory while planning the filter");
    for (size_t i = 0; i < plan->place_count; i++)
        add_row(l, plan->places[i]->message, plan->places[i]);
    for (size_t i = 0; i < l->row_count; i++)
        reach_types(l, &l->rows[i]);
    return 0;
}

// A row is worth its length while at least about half of it is in use.
static void measure_row(struct row *row)
{
    for (size_t i = 0; i < row->message->field_count; i++) {
        uint32_t number = row->message->fields[i].number;
        if (number > 2 * (i + 1) + 32)
            continue;
        row->dense = number;
        row->dense_fields = i + 1;
    }
}

static int number_rows(struct layout *l)
{
    size_t next = 1; // row 0 is the empty message
    for (size_t i = 0; i < l->row_count; i++) {
        struct row *row = &l->rows[i];
        measure_row(row);
        row->node = next;
        next += 1 + row->dense;
        l->plan->sparse_count += row->message->field_count - row->dense_fields;
        l->plan->field_count += row->message->field_count;
        if (next > P2E_TABLE_MAX || l->plan->sparse_count > P2E_TABLE_MAX)
            return p2e_error_set(l->err,
                                 "message %s reaches too many fields for one filter (about %d in "
                                 "all of its submessages)",
                                 l->plan->message->full_name, P2E_TABLE_MAX);
        if (row->place)
            row->place->node = row->node;
        else
            l->plan->type_nodes[row->message->index] = row->node;
    }
    l->plan->table_size = next;
    return 0;
}

// ---- Required fields ----------------------------------------------------------------------------
static bool is_marked_required(const struct p2e_field *field)
{
    return field->presence == P2E_PRESENCE_REQUIRED && !field->repeated;
}

// An entry of a map without its value has an empty one, which may lack what its type requires.
static bool is_required(const struct p2e_message *message, const struct p2e_field *field)
{
    if (!message->map_entry || field->number != 2 || !field->message)
        return is_marked_required(field);
    for (size_t i = 0; i < field->message->field_count; i++) {
        if (is_marked_required(&field->message->fields[i]))
            return true;
    }
    return false;
}

static int count_required(struct layout *l, struct row *row)
{
    unsigned count = 0;
    for (size_t i = 0; i < row->message->field_count; i++)
        count += is_required(row->message, &row->message->fields[i]);
    if (!count)
        return 0;
    if (count > P2E_REQUIRED_MAX)
        return p2e_error_set(l->err, "message %s has more than %d required fields",
                             row->message->full_name, P2E_REQUIRED_MAX);
    row->needs = l->plan->needs_count;
    l->plan->needs[l->plan->needs_count++] = (~0ull >> (63 - count)) & ~1ull;
    l->plan->has_required = true;
    return 0;
}

static int lay_required(struct layout *l)
{
    l->plan->needs = p2e_arena_array(&l->plan->arena, l->row_count + 1, sizeof(uint64_t));
    if (!l->plan->needs)
        return p2e_error_set(l->err, "out of memory while planning the filter");
    l->plan->needs_count = 1;
    for (size_t i = 0; i < l->row_count; i++) {
        if (count_required(l, &l->rows[i]) < 0)
            return -1;
    }
    return 0;
}

// ---- Entries ------------------------------------------------------------------------------------
static uint64_t part(unsigned shift, uint64_t value)
{
    return value << shift;
}

static uint64_t entry_form(const struct p2e_field *field)
{
    unsigned kind = forms[field->type].kind;
    if (field->repeated && forms[field->type].packed)
        kind = forms[field->type].packed;
    if (kind == P2E_KIND_STRING && !field->validate_utf8)
        kind = P2E_KIND_BYTES;
    return part(P2E_ENTRY_WIRE, forms[field->type].wire) | part(P2E_ENTRY_KIND, kind) |
           part(P2E_ENTRY_REPEATED, field->repeated);
}

static uint64_t entry_oneof(struct layout *l, const struct row *row, const struct p2e_field *field)
{
    if (!row->place || !field->oneof)
        return 0;
    unsigned slot = row->place->oneof_slots[field->oneof - row->message->oneofs];
    if (!slot)
        return 0;
    l->plan->has_oneofs = true;
    return part(P2E_ENTRY_ONEOF, slot) | part(P2E_ENTRY_MEMBER, p2e_plan_member(field));
}

// Hooks are told apart by what else would be the child's node: of messages it is that, of scalars a
// number above all nodes.
static uint64_t entry_hook(struct layout *l, unsigned *hook)
{
    if (!*hook)
        *hook = l->plan->table_size + l->plan->hook_count++;
    l->plan->has_hooks = true;
    return part(P2E_ENTRY_HOOK, 1) | part(P2E_ENTRY_CHILD, *hook);
}

static uint64_t entry_use(struct layout *l, struct p2e_use *use)
{
    bool text = use->field->type == P2E_TYPE_STRING || use->field->type == P2E_TYPE_BYTES;
    uint64_t entry =
        part(P2E_ENTRY_SLOT, use->slot) |
        part(P2E_ENTRY_KEEP, text && (use->content || use->test_count || use->elements));
    if (!p2e_use_is_hooked(use))
        return entry;
    l->plan->has_hooks = true;
    return entry | (use->child ? part(P2E_ENTRY_HOOK, 1) : entry_hook(l, &use->hook));
}

static bool is_closed_enum(const struct p2e_field *field)
{
    return field->enumeration && field->enumeration->closed;
}

// A required closed enum with an unknown number is a missing field: it needs a hook.
static uint64_t entry_hooked_required(struct layout *l, const struct p2e_field *field)
{
    struct p2e_plan *plan = l->plan;
    size_t i = 0;
    while (i < plan->hooked_count && plan->hooked[i].field != field)
        i++;
    if (i == plan->hooked_count)
        plan->hooked[plan->hooked_count++] = (struct p2e_hooked_field){.field = field};
    return entry_hook(l, &plan->hooked[i].hook);
}

static uint64_t entry_child(struct layout *l, const struct p2e_field *field,
                            const struct p2e_use *use)
{
    if (!field->message)
        return 0;
    unsigned node =
        use && use->child ? use->child->node : l->plan->type_nodes[field->message->index];
    return part(P2E_ENTRY_CHILD, node);
}

static uint64_t make_entry(struct layout *l, const struct row *row, const struct p2e_field *field,
                           unsigned required)
{
    struct p2e_use *use = use_of(row, field);
    uint64_t entry = part(P2E_ENTRY_KNOWN, 1) | entry_form(field) | entry_oneof(l, row, field) |
                     entry_child(l, field, use) | part(P2E_ENTRY_REQUIRED, required);
    if (use)
        entry |= entry_use(l, use);
    else if (required && is_closed_enum(field))
        entry |= entry_hooked_required(l, field);
    return entry;
}

static void lay_row(struct layout *l, const struct row *row)
{
    struct p2e_plan *plan = l->plan;
    bool sparse = row->dense_fields < row->message->field_count;
    unsigned required = 0;
    plan->table[row->node] = part(P2E_ROW_DENSE, row->dense) | part(P2E_ROW_SPARSE, sparse) |
                             part(P2E_ROW_NEEDS, row->needs) |
                             part(P2E_ROW_ELEMENT, row->place && row->place->element);
    for (size_t i = 0; i < row->message->field_count; i++) {
        const struct p2e_field *field = &row->message->fields[i];
        unsigned place = is_required(row->message, field) ? ++required : 0;
        uint64_t entry = make_entry(l, row, field, place);
        if (i < row->dense_fields) {
            plan->table[row->node + field->number] = entry;
            continue;
        }
        // Rows and their fields ascend, so the keys do.
        plan->sparse_keys[plan->sparse_count] = (uint64_t)row->node << 32 | field->number;
        plan->sparse_entries[plan->sparse_count++] = entry;
    }
}

static size_t count_closed_required(const struct p2e_schema *schema)
{
    size_t count = 0;
    for (size_t i = 0; i < schema->message_count; i++) {
        for (size_t k = 0; k < schema->messages[i].field_count; k++) {
            const struct p2e_field *field = &schema->messages[i].fields[k];
            count += field->presence == P2E_PRESENCE_REQUIRED && is_closed_enum(field);
        }
    }
    return count;
}

static int lay_tables(struct layout *l)
{
    struct p2e_plan *plan = l->plan;
    plan->table = p2e_arena_array(&plan->arena, plan->table_size, sizeof(uint64_t));
    plan->sparse_keys = p2e_arena_array(&plan->arena, plan->sparse_count + 1, sizeof(uint64_t));
    plan->sparse_entries = p2e_arena_array(&plan->arena, plan->sparse_count + 1, sizeof(uint64_t));
    plan->hooked = p2e_arena_array(&plan->arena, count_closed_required(l->schema) + 1,
                                   sizeof(struct p2e_hooked_field));
    if (!plan->table || !plan->sparse_keys || !plan->sparse_entries || !plan->hooked)
        return p2e_error_set(l->err, "out of memory while planning the filter");
    plan->sparse_count = 0;
    for (size_t i = 0; i < l->row_count; i++)
        lay_row(l, &l->rows[i]);
    if (plan->table_size + plan->hook_count > P2E_TABLE_MAX)
        return p2e_error_set(l->err, "message %s reaches too many fields for one filter",
                             plan->message->full_name);
    return 0;
}

static int check_oneofs(struct layout *l)
{
    for (size_t i = 0; i < l->plan->place_count; i++) {
        const struct p2e_message *message = l->plan->places[i]->message;
        for (size_t k = 0; k < message->oneof_count; k++) {
            if (message->oneofs[k].field_count > P2E_MEMBERS_MAX)
                return p2e_error_set(l->err, "oneof %s of %s has more than %d members",
                                     message->oneofs[k].name, message->full_name, P2E_MEMBERS_MAX);
        }
    }
    return 0;
}

int p2e_plan_tables(struct p2e_plan *plan, const struct p2e_schema *schema, struct p2e_error *err)
{
    struct layout l = {.plan = plan, .schema = schema, .err = err};
    if (check_oneofs(&l) < 0 || reach_rows(&l) < 0 || number_rows(&l) < 0 || lay_required(&l) < 0)
        return -1;
    return lay_tables(&l) < 0 ? -1 : p2e_plan_straight(plan, err);
}
