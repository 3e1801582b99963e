#include "cli/sample.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "compiler/print.h"

#define INDENT      2
#define HEX_ROW     16
#define ARENA_LIMIT ((size_t)16 << 20) // a message of P2E_SAMPLE_MAX, decoded
#define SECOND      1000000000ll

// ---- What is known of a message -----------------------------------------------------------------
static const char *reason_name(uint32_t verdict)
{
    static const char *const names[] = {"passed", "malformed", "oversized", "aggregated", "busy"};
    return verdict < P2E_COUNT_RULES ? names[verdict] : "rule";
}

// The number of the rule that the message broke, -1 for none that the filter has.
static int64_t rule_of(const struct p2e_follow *watch, const struct p2e_sample *sample)
{
    int64_t rule = (int64_t)sample->verdict - P2E_COUNT_RULES;
    return rule < watch->description.rule_count ? rule : -1;
}

bool p2e_sample_is_whole(const struct p2e_sample *sample)
{
    bool is_judged = sample->verdict == P2E_COUNT_MALFORMED || sample->verdict >= P2E_COUNT_RULES;
    return is_judged && sample->included == sample->size;
}

// Boot time goes on where the clock is set: what it says now tells what it said then.
static void print_time(uint64_t boot_time, struct p2e_buffer *out)
{
    struct timespec now, boot;
    struct tm tm;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    int64_t at = (now.tv_sec - boot.tv_sec) * SECOND + now.tv_nsec - boot.tv_nsec;
    at += (int64_t)boot_time;
    if (!gmtime_r(&(time_t){at / SECOND}, &tm) ||
        !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    p2e_buffer_printf(out, "%s.%06dZ", text, (int)(at % SECOND / 1000));
}

// False where the transport has no addresses.
static bool print_source(const struct p2e_sample *sample, struct p2e_buffer *out)
{
    char text[INET6_ADDRSTRLEN];
    bool is_ipv6 = sample->family == P2E_SAMPLE_IPV6;
    if (sample->family != P2E_SAMPLE_IPV4 && !is_ipv6)
        return false;
    inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, sample->address, text, sizeof(text));
    p2e_buffer_printf(out, is_ipv6 ? "[%s]:%u" : "%s:%u", text, sample->port);
    return true;
}

// ---- The message, decoded -----------------------------------------------------------------------
// Of a message that was cut short, the fields that are there as a whole are a message, too.
static size_t whole_fields(const void *message, size_t size)
{
    struct p2e_wire wire = p2e_wire_of(message, size);
    const uint8_t *begin = wire.at, *end = begin;
    struct p2e_wire_field field;
    while (wire.at < wire.end && p2e_wire_next(&wire, &field)) {
        if (field.type == P2E_WIRE_GROUP_END)
            break;
        if (field.type == P2E_WIRE_GROUP_BEGIN &&
            !p2e_wire_skip_group(&wire, field.number, P2E_DYNAMIC_DEPTH_MAX))
            break;
        end = wire.at;
    }
    return (size_t)(end - begin);
}

// Appends nothing and returns false where it is to be shown in hex.
static bool print_decoded(const struct p2e_follow *watch, const struct p2e_sample *sample,
                          const void *message, enum p2e_sample_format format,
                          struct p2e_buffer *out)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = ARENA_LIMIT};
    const struct p2e_dynamic *decoded;
    size_t size = sample->included;
    if (!watch->type || sample->verdict < P2E_COUNT_RULES || format == P2E_FORMAT_HEX)
        return false;
    if (size < sample->size)
        size = whole_fields(message, size);
    if (!size && sample->included)
        return false;
    if (p2e_dynamic_decode_all(watch->type, (struct p2e_bytes){message, size}, &arena, &decoded,
                               NULL) < 0)
        return false;
    if (format == P2E_FORMAT_JSON)
        p2e_print_json(watch->type, decoded, out);
    else
        p2e_print_text(decoded, INDENT, out);
    return true;
}

// ---- Hex ----------------------------------------------------------------------------------------
// In front of the byte at `fault` stands a ">"; it may be the one behind the last.
static void print_hex_row(const unsigned char *bytes, size_t from, size_t size, size_t fault,
                          struct p2e_buffer *out)
{
    p2e_buffer_printf(out, "%*s%04zx ", INDENT, "", from);
    for (size_t i = from; i < from + HEX_ROW && i < size; i++)
        p2e_buffer_printf(out, "%s%02x", i == fault ? ">" : " ", bytes[i]);
    p2e_buffer_puts(out, size == fault && size < from + HEX_ROW ? ">\n" : "\n");
}

static void print_hex(const void *message, const struct p2e_sample *sample, struct p2e_buffer *out)
{
    bool has_fault = sample->verdict == P2E_COUNT_MALFORMED && sample->fault <= sample->included;
    size_t fault = has_fault ? sample->fault : SIZE_MAX;
    size_t shown = sample->included + (fault == sample->included);
    for (size_t from = 0; from < shown; from += HEX_ROW)
        print_hex_row(message, from, sample->included, fault, out);
}

static void add_hex(const unsigned char *bytes, size_t size, struct p2e_buffer *out)
{
    for (size_t i = 0; i < size; i++)
        p2e_buffer_printf(out, "%02x", bytes[i]);
}

// ---- A block of text ----------------------------------------------------------------------------
static void print_reason(const struct p2e_follow *watch, const struct p2e_sample *sample,
                         struct p2e_buffer *out)
{
    int64_t rule = rule_of(watch, sample);
    p2e_buffer_puts(out, reason_name(sample->verdict));
    if (sample->verdict == P2E_COUNT_MALFORMED)
        p2e_buffer_printf(out, " at offset %u", sample->fault);
    if (rule < 0)
        return;
    p2e_buffer_puts(out, " ");
    p2e_printable_add(out, watch->description.rule_ids[rule]);
    if (!*watch->description.rule_messages[rule])
        return;
    p2e_buffer_puts(out, ": ");
    p2e_printable_add(out, watch->description.rule_messages[rule]);
}

static void print_head(const struct p2e_follow *watch, const struct p2e_sample *sample,
                       struct p2e_buffer *out)
{
    print_time(sample->time, out);
    p2e_buffer_printf(out, " %s ", watch->filter->name);
    if (print_source(sample, out))
        p2e_buffer_puts(out, " ");
    p2e_buffer_printf(out, "%s, %u byte%s", watch->monitor ? "would drop" : "dropped", sample->size,
                      sample->size == 1 ? "" : "s");
    if (sample->included < sample->size)
        p2e_buffer_printf(out, " (cut short: the first %u are known)", sample->included);
    p2e_buffer_puts(out, ", ");
    print_reason(watch, sample, out);
    p2e_buffer_puts(out, "\n");
}

void p2e_sample_print(const struct p2e_follow *watch, const struct p2e_sample *sample,
                      const void *message, enum p2e_sample_format format, struct p2e_buffer *out)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer decoded = {0};
    bool is_json = format == P2E_FORMAT_JSON;
    print_head(watch, sample, out);
    if (!print_decoded(watch, sample, message, format, &decoded))
        print_hex(message, sample, out);
    else if (decoded.data)
        p2e_buffer_printf(out, "%*s%s%s", is_json ? INDENT : 0, "", decoded.data,
                          is_json ? "\n" : "");
    out->failed |= decoded.failed;
}

// ---- A line of JSON -----------------------------------------------------------------------------
static void add_text(const char *key, const char *text, struct p2e_buffer *out)
{
    p2e_buffer_printf(out, ",\"%s\":", key);
    p2e_print_json_string(text, strlen(text), out);
}

static void add_reason(const struct p2e_follow *watch, const struct p2e_sample *sample,
                       struct p2e_buffer *out)
{
    int64_t rule = rule_of(watch, sample);
    add_text("reason", reason_name(sample->verdict), out);
    if (sample->verdict == P2E_COUNT_MALFORMED)
        p2e_buffer_printf(out, ",\"offset\":%u", sample->fault);
    if (rule < 0)
        return;
    add_text("rule", watch->description.rule_ids[rule], out);
    if (*watch->description.rule_messages[rule])
        add_text("rule_message", watch->description.rule_messages[rule], out);
}

static void add_source(const struct p2e_sample *sample, struct p2e_buffer *out)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer source = {0};
    if (print_source(sample, &source) && source.data)
        add_text("source", source.data, out);
}

static void add_message(const struct p2e_follow *watch, const struct p2e_sample *sample,
                        const void *message, enum p2e_sample_format format, struct p2e_buffer *out)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer decoded = {0};
    if (print_decoded(watch, sample, message, format, &decoded) && decoded.data) {
        p2e_buffer_puts(out, ",\"message\":");
        p2e_buffer_add(out, decoded.data, decoded.size);
        return;
    }
    out->failed |= decoded.failed;
    p2e_buffer_puts(out, ",\"hex\":\"");
    add_hex(message, sample->included, out);
    p2e_buffer_puts(out, "\"");
}

void p2e_sample_print_json(const struct p2e_follow *watch, const struct p2e_sample *sample,
                           const void *message, enum p2e_sample_format format,
                           struct p2e_buffer *out)
{
    p2e_buffer_puts(out, "{\"time\":\"");
    print_time(sample->time, out);
    p2e_buffer_puts(out, "\"");
    add_text("filter", watch->filter->name, out);
    add_text("mode", watch->monitor ? "monitor" : "enforce", out);
    add_source(sample, out);
    add_reason(watch, sample, out);
    p2e_buffer_printf(out, ",\"size\":%u,\"included\":%u", sample->size, sample->included);
    add_message(watch, sample, message, format == P2E_FORMAT_HEX ? format : P2E_FORMAT_JSON, out);
    p2e_buffer_puts(out, "}\n");
}
