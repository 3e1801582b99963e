// The cheapest judge that a server could have: one pass over the bytes by hand, full
// well-formedness, nothing allocated. What a wire type or field is not known for is skipped.
#include "bench/judge.h"

#define DEPTH_MAX         32
#define TAG(number, wire) ((number) << 3 | (wire))
enum { VARINT, FIXED64, DELIMITED, START_GROUP, END_GROUP, FIXED32 };

struct cursor {
    const uint8_t *at, *end;
};

struct text {
    const uint8_t *data;
    size_t size;
};

static __attribute__((noinline)) bool long_varint(struct cursor *c, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 10 && c->at < c->end; i++) {
        uint8_t byte = *c->at++;
        if (i == 9 && byte > 1)
            return false;
        sum |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80)
            return *value = sum, true;
    }
    return false;
}

static inline bool varint(struct cursor *c, uint64_t *value)
{
    if (c->at < c->end && *c->at < 0x80)
        return *value = *c->at++, true;
    if (c->end - c->at >= 2 && c->at[1] < 0x80) {
        *value = (c->at[0] & 0x7f) | (uint64_t)c->at[1] << 7;
        return c->at += 2, true;
    }
    return long_varint(c, value);
}

static inline bool tag(struct cursor *c, uint32_t *tag)
{
    const uint8_t *begin = c->at;
    uint64_t value;
    if (!varint(c, &value) || value >> 32 || value < 8 || c->at - begin > 5)
        return false;
    *tag = (uint32_t)value;
    return true;
}

static inline bool fixed(struct cursor *c, void *value, size_t size)
{
    if ((size_t)(c->end - c->at) < size)
        return false;
    memcpy(value, c->at, size);
    c->at += size;
    return true;
}

static inline bool delimited(struct cursor *c, struct text *text)
{
    uint64_t size;
    if (!varint(c, &size) || size > (size_t)(c->end - c->at))
        return false;
    *text = (struct text){c->at, size};
    c->at += size;
    return true;
}

static inline bool string(struct cursor *c, struct text *text)
{
    return delimited(c, text) && utf8_ok(text->data, text->size);
}

static bool skip(struct cursor *c, uint32_t head, unsigned depth);

static bool skip_group(struct cursor *c, uint32_t number, unsigned depth)
{
    uint32_t head;
    if (depth >= DEPTH_MAX)
        return false;
    while (tag(c, &head)) {
        if ((head & 7) == END_GROUP)
            return head >> 3 == number;
        if (!skip(c, head, depth + 1))
            return false;
    }
    return false;
}

static bool skip(struct cursor *c, uint32_t head, unsigned depth)
{
    uint64_t value;
    struct text text;
    switch (head & 7) {
    case VARINT:
        return varint(c, &value);
    case FIXED64:
        return fixed(c, &value, 8);
    case FIXED32:
        return fixed(c, &value, 4);
    case DELIMITED:
        return delimited(c, &text);
    case START_GROUP:
        return skip_group(c, head >> 3, depth);
    default:
        return false;
    }
}

// ---- search -------------------------------------------------------------------------------------
static bool search(const uint8_t *message, size_t size)
{
    struct cursor c = {message, message + size};
    struct text query = {0};
    uint64_t page = 0, per_page = 0;
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        bool ok = head == TAG(1, DELIMITED) ? string(&c, &query)
                  : head == TAG(2, VARINT)  ? varint(&c, &page)
                  : head == TAG(3, VARINT)  ? varint(&c, &per_page)
                                            : skip(&c, head, 0);
        if (!ok)
            return false;
    }
    return search_ok((const char *)query.data, query.size, (int32_t)page, (int32_t)per_page);
}

// ---- telemetry ----------------------------------------------------------------------------------
struct telemetry {
    struct text name;
    double latitude;
    uint64_t temperature, battery;
    size_t samples;
};

static bool position(struct text text, struct telemetry *t)
{
    struct cursor c = {text.data, text.data + text.size};
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        if (head == TAG(1, FIXED64) ? !fixed(&c, &t->latitude, 8) : !skip(&c, head, 1))
            return false;
    }
    return true;
}

static bool link_ok(struct text text)
{
    struct cursor c = {text.data, text.data + text.size};
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        if (head == TAG(2, DELIMITED) ? !string(&c, &text) : !skip(&c, head, 1))
            return false;
    }
    return true;
}

static bool packed(struct text text, size_t *count)
{
    struct cursor c = {text.data, text.data + text.size};
    uint64_t value;
    for (; c.at < c.end; ++*count)
        if (!varint(&c, &value))
            return false;
    return true;
}

static bool telemetry_field(struct cursor *c, uint32_t head, struct telemetry *t)
{
    struct text text;
    uint64_t value;
    switch (head) {
    case TAG(1, DELIMITED):
        return string(c, &t->name);
    case TAG(4, DELIMITED):
        return delimited(c, &text) && position(text, t);
    case TAG(5, VARINT):
        return varint(c, &t->temperature);
    case TAG(6, VARINT):
        return varint(c, &t->battery);
    case TAG(14, DELIMITED):
        return delimited(c, &text) && packed(text, &t->samples);
    case TAG(14, VARINT):
        return t->samples++, varint(c, &value);
    case TAG(15, DELIMITED):
        return string(c, &text);
    case TAG(16, DELIMITED):
        return delimited(c, &text) && link_ok(text);
    default:
        return skip(c, head, 0);
    }
}

static bool telemetry(const uint8_t *message, size_t size)
{
    struct cursor c = {message, message + size};
    struct telemetry t = {0};
    uint32_t head;
    while (c.at < c.end)
        if (!tag(&c, &head) || !telemetry_field(&c, head, &t))
            return false;
    uint32_t zigzag = (uint32_t)t.temperature;
    int32_t temperature = (int32_t)(zigzag >> 1 ^ -(zigzag & 1));
    return telemetry_ok(t.name.size, t.latitude, temperature, (uint32_t)t.battery, t.samples);
}

// ---- batch --------------------------------------------------------------------------------------
static bool label(struct text text)
{
    struct cursor c = {text.data, text.data + text.size};
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        bool known = head == TAG(1, DELIMITED) || head == TAG(2, DELIMITED);
        if (known ? !string(&c, &text) : !skip(&c, head, 2))
            return false;
    }
    return true;
}

// *holds: whether the metric keeps the rules; false is returned for a malformed one.
static bool metric(struct text text, bool *holds)
{
    struct cursor c = {text.data, text.data + text.size};
    struct text name = {0}, labels;
    double value = 0;
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        bool ok = head == TAG(1, DELIMITED)   ? string(&c, &name)
                  : head == TAG(3, FIXED64)   ? fixed(&c, &value, 8)
                  : head == TAG(4, DELIMITED) ? delimited(&c, &labels) && label(labels)
                                              : skip(&c, head, 1);
        if (!ok)
            return false;
    }
    *holds &= metric_ok((const char *)name.data, name.size, value);
    return true;
}

static bool batch(const uint8_t *message, size_t size)
{
    struct cursor c = {message, message + size};
    struct text text;
    size_t metrics = 0;
    bool holds = true;
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        metrics += head == TAG(3, DELIMITED);
        bool ok = head == TAG(3, DELIMITED)   ? delimited(&c, &text) && metric(text, &holds)
                  : head == TAG(1, DELIMITED) ? string(&c, &text)
                                              : skip(&c, head, 0);
        if (!ok)
            return false;
    }
    return holds && batch_ok(metrics);
}

// ---- blob ---------------------------------------------------------------------------------------
static bool blob(const uint8_t *message, size_t size)
{
    struct cursor c = {message, message + size};
    struct text id = {0}, payload = {0};
    uint64_t chunk = 0, total = 0;
    uint32_t head;
    while (c.at < c.end) {
        if (!tag(&c, &head))
            return false;
        bool ok = head == TAG(1, DELIMITED)   ? string(&c, &id)
                  : head == TAG(2, VARINT)    ? varint(&c, &chunk)
                  : head == TAG(3, VARINT)    ? varint(&c, &total)
                  : head == TAG(5, DELIMITED) ? delimited(&c, &payload)
                                              : skip(&c, head, 0);
        if (!ok)
            return false;
    }
    return blob_ok(id.size, (uint32_t)chunk, (uint32_t)total, payload.size);
}

const struct judge scanner_judge = {"scanner", {search, telemetry, batch, blob}};
