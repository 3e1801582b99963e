#include "tests/bulk/generate.h"

#include <string.h>

#include "tests/bulk/clean.h"
#include "tests/bulk/wire.h"

struct generator {
    struct p2e_bulk_random *random;
    bool odd;       // legal but unusual: duplicates, splits, unknown fields, long varints, …
    unsigned depth; // of the message that is being written
};

static void put_message(struct generator *g, const ProtobufCMessageDescriptor *message,
                        struct p2e_buffer *out);

// ---- Values -------------------------------------------------------------------------------------

static uint64_t random_integer(struct generator *g)
{
    static const int64_t special[] = {-1,        -2,        INT32_MAX,  INT32_MIN, UINT32_MAX,
                                      INT64_MAX, INT64_MIN, 1LL << 32,  1000000,   4000000001,
                                      65535,     65536,     -5000000000};

    if (p2e_bulk_chance(g->random, 85))
        return p2e_bulk_below(g->random, 50);
    if (p2e_bulk_chance(g->random, 70))
        return (uint64_t)P2E_BULK_PICK(g->random, special);
    return p2e_bulk_next(g->random) >> p2e_bulk_below(g->random, 64);
}

static uint64_t random_double(struct generator *g)
{
    static const double special[] = {0.0,
                                     -0.0,
                                     99.5,
                                     100.0,
                                     -1000.0,
                                     1e300,
                                     -1e40,
                                     5e-324,
                                     __builtin_inf(),
                                     -__builtin_inf(),
                                     __builtin_nan("")};
    double value = p2e_bulk_below(g->random, 60) / 2.0;
    uint64_t bits;

    if (p2e_bulk_chance(g->random, 1))
        return p2e_bulk_next(g->random);
    if (p2e_bulk_chance(g->random, 10))
        value = P2E_BULK_PICK(g->random, special);
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint32_t random_float(struct generator *g)
{
    uint64_t bits = random_double(g);
    double wide;
    float value;
    uint32_t narrow;

    memcpy(&wide, &bits, sizeof(wide));
    value = (float)wide;
    memcpy(&narrow, &value, sizeof(narrow));
    return narrow;
}

static void random_text(struct generator *g, struct p2e_buffer *out)
{
    static const char *const words[] = {"a",          "x",        "bad",    "badge",
                                        "admin",      "eu",       "é",      "日本",
                                        "\U0001F600", ".invalid", "alpha ", "0123456789"};
    static const char *const broken[] = {
        "\xff",     "\xc0\x80", "\xed\xa0\x80",         "\xf4\x90\x80\x80",
        "\xe6\x97", "\x80",     "\xf8\x88\x80\x80\x80", "\xf0\x80\x80\x80"};
    unsigned count = p2e_bulk_chance(g->random, 1) ? p2e_bulk_below(g->random, 300)
                                                   : p2e_bulk_below(g->random, 4);

    while (count--)
        p2e_buffer_puts(out, P2E_BULK_PICK(g->random, words));
    if (p2e_bulk_chance(g->random, 1))
        p2e_buffer_add(out, "\0tail", p2e_bulk_below(g->random, 5));
    if (g->odd && p2e_bulk_chance(g->random, 1))
        p2e_buffer_puts(out, P2E_BULK_PICK(g->random, broken));
}

static void random_noise(struct generator *g, unsigned size, struct p2e_buffer *out)
{
    while (size--) {
        uint8_t byte = (uint8_t)p2e_bulk_next(g->random);
        p2e_buffer_add(out, &byte, 1);
    }
}

static void random_bytes(struct generator *g, struct p2e_buffer *out)
{
    static const uint8_t known[] = {0x01, 0x02, 0x00, 0xff};
    unsigned begin = p2e_bulk_below(g->random, sizeof(known));

    if (p2e_bulk_chance(g->random, 40))
        p2e_buffer_add(out, known + begin,
                       1 + p2e_bulk_below(g->random, (uint32_t)sizeof(known) - begin));
    if (p2e_bulk_chance(g->random, 30))
        random_noise(g, p2e_bulk_below(g->random, 20), out);
}

// ---- Fields -------------------------------------------------------------------------------------

// Now and then longer than it need be, up to ten bytes (and past them, rarely).
static void put_varint(struct generator *g, uint64_t value, struct p2e_buffer *out)
{
    static const uint8_t more = 0x80, last = 0x00;

    if (!g->odd || !p2e_bulk_chance(g->random, 4)) {
        p2e_bulk_put_varint(out, value);
        return;
    }
    p2e_bulk_put_varint(out, value);
    out->data[out->size - 1] = (char)(out->data[out->size - 1] | 0x80);
    for (unsigned i = p2e_bulk_below(g->random, 4); i--;)
        p2e_buffer_add(out, &more, 1);
    p2e_buffer_add(out, &last, 1);
}

static void put_tag(struct generator *g, uint32_t number, uint8_t wire, struct p2e_buffer *out)
{
    if (p2e_bulk_chance(g->random, 95))
        p2e_bulk_put_tag(out, number, wire);
    else
        put_varint(g, (uint64_t)number << 3 | wire, out);
}

static uint64_t zigzag(uint64_t value)
{
    return value << 1 ^ (uint64_t)((int64_t)value >> 63);
}

static uint64_t random_varint(struct generator *g, ProtobufCType type)
{
    static const int64_t enum_values[] = {-1, -2, 0, 3, 4, 5, 16};
    uint64_t value = random_integer(g);

    switch (type) {
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
        return zigzag(value);
    case PROTOBUF_C_TYPE_BOOL:
        return p2e_bulk_chance(g->random, 95) ? value & 1 : value;
    case PROTOBUF_C_TYPE_ENUM:
        if (p2e_bulk_chance(g->random, 85))
            return 1 + p2e_bulk_below(g->random, 2);
        return p2e_bulk_chance(g->random, 70) ? (uint64_t)P2E_BULK_PICK(g->random, enum_values)
                                              : value;
    default:
        return value;
    }
}

static void put_scalar(struct generator *g, ProtobufCType type, struct p2e_buffer *out)
{
    uint64_t bits = type == PROTOBUF_C_TYPE_DOUBLE  ? random_double(g)
                    : type == PROTOBUF_C_TYPE_FLOAT ? random_float(g)
                                                    : random_varint(g, type);

    switch (p2e_bulk_wire_type(type)) {
    case WIRE_FIXED32:
        p2e_buffer_add(out, &bits, 4);
        break;
    case WIRE_FIXED64:
        p2e_buffer_add(out, &bits, 8);
        break;
    default:
        put_varint(g, bits, out);
    }
}

static void put_delimited(struct generator *g, uint32_t number, const struct p2e_buffer *content,
                          struct p2e_buffer *out)
{
    put_tag(g, number, WIRE_DELIMITED, out);
    put_varint(g, content->size, out);
    p2e_buffer_add(out, content->data, content->size);
}

static void put_content(struct generator *g, const ProtobufCFieldDescriptor *field,
                        struct p2e_buffer *content)
{
    unsigned count;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        random_text(g, content);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        random_bytes(g, content);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        g->depth++;
        put_message(g, field->descriptor, content);
        g->depth--;
        break;
    default: // packed
        count = p2e_bulk_below(g->random, p2e_bulk_chance(g->random, 1) ? 400 : 4);
        while (count--)
            put_scalar(g, field->type, content);
    }
}

static void put_field(struct generator *g, const ProtobufCFieldDescriptor *field,
                      struct p2e_buffer *out)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer content = {0};
    uint8_t wire = p2e_bulk_wire_type(field->type);
    bool packed = field->label == PROTOBUF_C_LABEL_REPEATED && p2e_bulk_chance(g->random, 50);

    if (wire == WIRE_DELIMITED || packed) {
        put_content(g, field, &content);
        put_delimited(g, field->id, &content, out);
    } else {
        put_tag(g, field->id, wire, out);
        put_scalar(g, field->type, out);
    }
}

// ---- Odd fields ---------------------------------------------------------------------------------

// A value of any wire type under a number, known or not. A group ends, mostly, as it began.
static void put_any(struct generator *g, uint32_t number, unsigned depth, struct p2e_buffer *out)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer content = {0};
    static const uint8_t wires[] = {WIRE_VARINT, WIRE_FIXED64, WIRE_DELIMITED, WIRE_START_GROUP,
                                    WIRE_FIXED32};
    uint8_t wire = P2E_BULK_PICK(g->random, wires);

    if (wire == WIRE_DELIMITED) {
        random_noise(g, p2e_bulk_below(g->random, 12), &content);
        put_delimited(g, number, &content, out);
        return;
    }
    put_tag(g, number, wire, out);
    if (wire == WIRE_VARINT)
        put_varint(g, random_integer(g), out);
    else if (wire == WIRE_FIXED64)
        random_noise(g, 8, out);
    else if (wire == WIRE_FIXED32)
        random_noise(g, 4, out);
    else {
        for (unsigned i = p2e_bulk_below(g->random, 3); depth < 6 && i--;)
            put_any(g, 1 + p2e_bulk_below(g->random, 40), depth + 1, out);
        put_tag(g, number + p2e_bulk_chance(g->random, 5), WIRE_END_GROUP, out);
    }
}

static uint32_t unknown_number(struct generator *g)
{
    static const uint32_t numbers[] = {0,    18,   99,    100,       150,
                                       2046, 2048, 19000, 536870910, 536870911};

    return p2e_bulk_chance(g->random, 5) ? P2E_BULK_PICK(g->random, numbers)
                                         : 20 + p2e_bulk_below(g->random, 2000);
}

static void put_odd(struct generator *g, const ProtobufCMessageDescriptor *message,
                    struct p2e_buffer *out)
{
    const ProtobufCFieldDescriptor *field =
        &message->fields[p2e_bulk_below(g->random, message->n_fields)];
    unsigned what = p2e_bulk_below(g->random, 100);

    if (what < 60)
        put_field(g, field, out); // once more: last one wins, parts merge, lists grow
    else if (what < 85)
        put_any(g, unknown_number(g), 0, out);
    else
        put_any(g, field->id, 0, out); // mostly another wire type
}

// ---- Messages -----------------------------------------------------------------------------------

static bool is_recursive(const ProtobufCMessageDescriptor *message,
                         const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE && field->descriptor == message;
}

static unsigned occurrences(struct generator *g, const ProtobufCMessageDescriptor *message,
                            const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return !p2e_bulk_chance(g->random, 1);
    if (is_recursive(message, field))
        return p2e_bulk_chance(g->random, g->depth < 4 ? 40 : 0);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return p2e_bulk_chance(g->random, 50) ? p2e_bulk_below(g->random, 4) : 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return p2e_bulk_chance(g->random, 25);
    return p2e_bulk_chance(g->random, 70);
}

// The fields in turn, from a random one on where order is to be unusual.
static void put_message(struct generator *g, const ProtobufCMessageDescriptor *message,
                        struct p2e_buffer *out)
{
    unsigned first = g->odd ? p2e_bulk_below(g->random, message->n_fields) : 0;

    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->fields[(first + i) % message->n_fields];

        for (unsigned n = occurrences(g, message, field); n--;)
            put_field(g, field, out);
    }
    for (unsigned n = g->odd && g->depth < 5 ? p2e_bulk_below(g->random, 3) : 0; n--;)
        put_odd(g, message, out);
}

// A chain of submessages about as deep as the limit, in a field that leads to a recursive message.
static void put_chain(struct generator *g, const ProtobufCMessageDescriptor *message,
                      unsigned levels, struct p2e_buffer *out)
{
    for (unsigned i = 0; i < message->n_fields; i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer content = {0};
        const ProtobufCFieldDescriptor *field = &message->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REQUIRED)
            put_field(g, field, out);
        if (!levels || field->type != PROTOBUF_C_TYPE_MESSAGE ||
            field->label == PROTOBUF_C_LABEL_REPEATED ||
            !(is_recursive(message, field) || g->depth == 0))
            continue;
        g->depth++;
        put_chain(g, field->descriptor, levels - 1, &content);
        g->depth--;
        put_delimited(g, field->id, &content, out);
        if (g->depth)
            return;
    }
}

static void put_group_chain(struct generator *g, unsigned levels, struct p2e_buffer *out)
{
    for (unsigned i = 0; i < levels; i++)
        put_tag(g, 1000 + i, WIRE_START_GROUP, out);
    while (levels--)
        put_tag(g, 1000 + levels, WIRE_END_GROUP, out);
}

static void put_deep(struct generator *g, const ProtobufCMessageDescriptor *message,
                     struct p2e_buffer *out)
{
    unsigned levels = P2E_BULK_MAX_DEPTH - 3 + p2e_bulk_below(g->random, 6);

    if (p2e_bulk_chance(g->random, 50)) {
        put_message(g, message, out);
        put_group_chain(g, levels, out);
    } else {
        put_chain(g, message, levels, out);
    }
}

// ---- Damage -------------------------------------------------------------------------------------

static void flip_bit(struct generator *g, struct p2e_buffer *out)
{
    uint32_t at = p2e_bulk_below(g->random, (uint32_t)out->size);

    out->data[at] = (char)(out->data[at] ^ (1 << p2e_bulk_below(g->random, 8)));
}

static void insert_byte(struct generator *g, struct p2e_buffer *out)
{
    uint32_t at = p2e_bulk_below(g->random, (uint32_t)out->size);
    char byte = (char)p2e_bulk_next(g->random);

    p2e_buffer_add(out, &byte, 1);
    memmove(out->data + at + 1, out->data + at, out->size - 1 - at);
    out->data[at] = byte;
}

static void delete_byte(struct generator *g, struct p2e_buffer *out)
{
    uint32_t at = p2e_bulk_below(g->random, (uint32_t)out->size);

    memmove(out->data + at, out->data + at + 1, out->size - 1 - at);
    out->size--;
}

static void mutate(struct generator *g, struct p2e_buffer *out)
{
    static void (*const damages[])(struct generator *,
                                   struct p2e_buffer *) = {flip_bit, insert_byte, delete_byte};

    for (unsigned n = 1 + p2e_bulk_below(g->random, 3); n-- && out->size;)
        P2E_BULK_PICK(g->random, damages)(g, out);
}

void p2e_bulk_generate(struct p2e_bulk_random *random, const struct p2e_bulk_schema *schema,
                       struct p2e_buffer *out)
{
    struct generator g = {.random = random};
    unsigned kind = p2e_bulk_below(random, 100);

    if (kind < 3) {
        random_noise(&g, p2e_bulk_below(random, 40), out);
        return;
    }
    if (kind < 6) {
        put_deep(&g, schema->message, out);
        return;
    }
    g.odd = kind >= 45;
    put_message(&g, schema->message, out);
    if (kind >= 75 && kind < 78) // two messages in a row are their merger
        put_message(&g, schema->message, out);
    if (kind >= 78 && kind < 84 && out->size)
        out->size = p2e_bulk_below(random, (uint32_t)out->size);
    if (kind >= 84)
        mutate(&g, out);
}
