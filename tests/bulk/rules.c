// bulk.conf's rules as C on what protobuf-c has unpacked, in the same order.
#include <string.h>

#include "choices.pb-c.h"
#include "legacy.pb-c.h"
#include "lists.pb-c.h"
#include "nested.pb-c.h"
#include "scalars.pb-c.h"
#include "tests/bulk/schemas.h"

#define RULE(id, holds)                                                                            \
    if (!(holds))                                                                                  \
        return id;

// An absent submessage reads as an empty one.
#define OR_EMPTY(pointer, empty) ((pointer) ? (pointer) : &(empty))

// Whether a repeated field has this element.
#define HAS_ELEMENT(array, count, element)                                                         \
    ({                                                                                             \
        bool found_ = false;                                                                       \
        for (size_t i_ = 0; i_ < (count); i_++)                                                    \
            found_ |= (array)[i_] == (element);                                                    \
        found_;                                                                                    \
    })

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t size = strlen(text), tail = strlen(suffix);

    return size >= tail && strcmp(text + size - tail, suffix) == 0;
}

static size_t code_points(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static bool equals(ProtobufCBinaryData bytes, const char *data, size_t size)
{
    return bytes.len == size && memcmp(bytes.data, data, size) == 0;
}

static bool has_string(char **strings, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(strings[i], text) == 0)
            return true;
    return false;
}

static bool has_bytes(const ProtobufCBinaryData *blobs, size_t count, const char *data, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (equals(blobs[i], data, size))
            return true;
    return false;
}

// An expression that overflows is an error, and a rule that is an error does not hold.
static bool difference_below(int64_t a, int64_t b, int64_t limit)
{
    int64_t difference;

    return !__builtin_sub_overflow(a, b, &difference) && difference < limit;
}

static const char *judge_scalars(const ProtobufCMessage *message)
{
    const Bulk__Scalars *m = (const Bulk__Scalars *)message;
    const char *os = m->has_os_case ? m->os : "";

    RULE("double", m->d < 100.0)
    RULE("float", m->f >= -1000.0)
    RULE("int32", m->i32 != 13)
    RULE("int64", m->i64 > -5000000000)
    RULE("uint32", m->u32 <= 4000000000)
    RULE("modulo", m->u64 % 50 != 7)
    RULE("sum", (int64_t)m->s32 + 5 < 1000000)
    RULE("difference", difference_below(m->s64, 1, 1000000000000))
    RULE("fixed32", m->x32 == 0 || m->x32 >= 2)
    RULE("in", m->sx32 != 3 && m->sx32 != 16 && m->sx32 != -1)
    RULE("either", m->sx64 <= 1000 || m->x64 > 5)
    RULE("prefix", !m->b || !starts_with(m->s, "bad"))
    RULE("length", code_points(m->s) <= 24)
    RULE("bytes", !m->y.len || !memmem(m->y.data, m->y.len, "\x00\xff", 2))
    RULE("optional", !m->has_oi_case || m->oi >= 0)
    RULE("present", !m->has_os_case || strcmp(os, "") != 0)
    RULE("far", m->far / 7 != 2)
    return NULL;
}

static const char *judge_nested(const ProtobufCMessage *message)
{
    static const Bulk__Header no_header = BULK__HEADER__INIT;
    static const Bulk__Address no_address = BULK__ADDRESS__INIT;
    static const Bulk__Body no_body = BULK__BODY__INIT;
    static const Bulk__Node no_node = BULK__NODE__INIT;
    const Bulk__Envelope *m = (const Bulk__Envelope *)message;
    const Bulk__Header *header = OR_EMPTY(m->header, no_header);
    const Bulk__Address *address = OR_EMPTY(header->address, no_address);
    const Bulk__Body *body = OR_EMPTY(m->body, no_body);
    const Bulk__Node *root = OR_EMPTY(m->root, no_node);
    const Bulk__Node *left = OR_EMPTY(root->left, no_node);
    const Bulk__Node *right = OR_EMPTY(root->right, no_node);
    int64_t left_right = OR_EMPTY(left->right, no_node)->value;
    int64_t right_left = OR_EMPTY(right->left, no_node)->value;

    RULE("hops", header->hops < 60)
    RULE("from", strcmp(header->from, "bad") != 0)
    RULE("port", address->port >= 0 && address->port < 65536)
    RULE("host", !ends_with(address->host, ".invalid"))
    RULE("data", body->data.len < 2 || memcmp(body->data.data, "\x01\x02", 2) != 0)
    RULE("inner", !body->inner || body->inner->hops <= (uint64_t)header->hops + 1000)
    RULE("weight", body->weight >= -1.0)
    RULE("trail", m->n_trail <= 3)
    RULE("values", root->value != 13 && left->value != 7)
    RULE("compared", left_right <= right_left + 2000000)
    RULE("absent", !OR_EMPTY(right->right, no_node)->right)
    RULE("limit", m->limit <= 1 || header->hops <= m->limit)
    return NULL;
}

static const char *judge_lists(const ProtobufCMessage *message)
{
    static const Bulk__Item no_item = BULK__ITEM__INIT;
    const Bulk__Lists *m = (const Bulk__Lists *)message;
    const Bulk__Item *first = OR_EMPTY(m->first, no_item);

    RULE("count", m->n_packed <= 6)
    RULE("packed", !HAS_ELEMENT(m->packed, m->n_packed, 13))
    RULE("plain", !HAS_ELEMENT(m->plain, m->n_plain, 7))
    RULE("doubles", !HAS_ELEMENT(m->doubles, m->n_doubles, 99.5))
    RULE("bools", m->n_bools < 4 || !HAS_ELEMENT(m->bools, m->n_bools, 1))
    RULE("grades", !HAS_ELEMENT(m->grades, m->n_grades, BULK__GRADE__GRADE_UGLY))
    RULE("strings", !has_string(m->strings, m->n_strings, "bad"))
    RULE("blobs", !has_bytes(m->blobs, m->n_blobs, "\x01\x02", 2))
    RULE("words", !HAS_ELEMENT(m->words, m->n_words, 5))
    RULE("signeds", !HAS_ELEMENT(m->signeds, m->n_signeds, -1))
    RULE("sizes", m->n_uints + m->n_plain <= 9)
    RULE("longs", !HAS_ELEMENT(m->longs, m->n_longs, 16))
    RULE("items", m->n_items != 3)
    RULE("grade", first->grade != BULK__GRADE__GRADE_BAD)
    RULE("codes", !HAS_ELEMENT(first->codes, first->n_codes, 2))
    RULE("names", first->n_names < 3)
    return NULL;
}

static const char *judge_legacy(const ProtobufCMessage *message)
{
    static const Bulk__Line no_line = BULK__LINE__INIT;
    const Bulk__Order *m = (const Bulk__Order *)message;
    const Bulk__Line *line = OR_EMPTY(m->line, no_line);
    const Bulk__Line *child = OR_EMPTY(line->child, no_line);

    RULE("id", m->id != 13)
    RULE("customer", strcmp(m->customer, "bad") != 0)
    RULE("source", m->source != BULK__KIND__KIND_INTERNAL)
    RULE("priority", m->priority <= 1000)
    RULE("default", m->priority != 5 || m->id != 1)
    RULE("region", !strstr(m->region, "admin") &&
                       (strcmp(m->region, "eu") != 0 || strcmp(m->customer, "x") != 0))
    RULE("kind", !m->has_kind || m->kind != BULK__KIND__KIND_NEGATIVE)
    RULE("kinds", !HAS_ELEMENT(m->kinds, m->n_kinds, BULK__KIND__KIND_INTERNAL))
    RULE("packed", m->n_packed_kinds <= 3)
    RULE("sku", line->sku != 7)
    RULE("amount", line->amount == -1 || line->amount > -100)
    RULE("lines", m->n_lines <= 4)
    RULE("express", m->express || m->price < 50.0)
    RULE("token", m->token.len <= 24 && !equals(m->token, "\x01\x02\x00", 3))
    RULE("codes", !HAS_ELEMENT(m->codes, m->n_codes, 7))
    RULE("child", !child->child || child->amount != 5)
    return NULL;
}

// The member when it is the one that is set, else what an absent one reads as.
#define MEMBER(m, oneof, CASE, member, absent) ((m)->oneof == (CASE) ? (m)->member : (absent))

static const char *judge_choices(const ProtobufCMessage *message)
{
    static const Bulk__Point no_point = BULK__POINT__INIT;
    static const Bulk__Circle no_circle = BULK__CIRCLE__INIT;
    const Bulk__Choice *m = (const Bulk__Choice *)message;
    const char *text = MEMBER(m, what_case, BULK__CHOICE__WHAT_TEXT, text, "");
    const Bulk__Point *point = MEMBER(m, what_case, BULK__CHOICE__WHAT_POINT, point, &no_point);
    const Bulk__Circle *circle =
        MEMBER(m, what_case, BULK__CHOICE__WHAT_CIRCLE, circle, &no_circle);
    bool has_title = point->label_case == BULK__POINT__LABEL_TITLE;

    RULE("number", m->what_case != BULK__CHOICE__WHAT_NUMBER || m->number > 1)
    RULE("text", strcmp(text, "bad") != 0 && !strstr(text, "admin"))
    RULE("point", point->x < 1000)
    RULE("compared", point->x <= (int64_t)point->y + 50)
    RULE("color", m->what_case != BULK__CHOICE__WHAT_COLOR || m->color != BULK__COLOR__COLOR_RED)
    RULE("raw", m->what_case != BULK__CHOICE__WHAT_RAW || m->raw.len <= 16)
    RULE("flag",
         m->what_case != BULK__CHOICE__WHAT_FLAG || !m->flag || m->shade != BULK__COLOR__COLOR_RED)
    RULE("circle", OR_EMPTY(circle->center, no_point)->x != 7)
    RULE("radius", circle->radius < 100.0)
    RULE("shade", m->shade != BULK__COLOR__COLOR_BELOW)
    RULE("hue", !m->has_hue_case || m->hue != BULK__COLOR__COLOR_GREEN)
    RULE("name", m->who_case != BULK__CHOICE__WHO_NAME || strcmp(m->name, "") != 0)
    RULE("account", MEMBER(m, who_case, BULK__CHOICE__WHO_ACCOUNT, account, 0) % 20 != 3)
    RULE("title", !has_title || strlen(point->title) > 0)
    RULE("code", MEMBER(point, label_case, BULK__POINT__LABEL_CODE, code, 0) < 30)
    return NULL;
}

const struct p2e_bulk_schema p2e_bulk_schemas[] = {
    {"scalars", &bulk__scalars__descriptor, true, judge_scalars},
    {"nested", &bulk__envelope__descriptor, true, judge_nested},
    {"lists", &bulk__lists__descriptor, true, judge_lists},
    {"legacy", &bulk__order__descriptor, false, judge_legacy},
    {"choices", &bulk__choice__descriptor, true, judge_choices},
    {0},
};
