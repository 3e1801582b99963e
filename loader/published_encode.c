#include <string.h>

#include "base/cleanup.h"
#include "base/crc32.h"
#include "bpf/abi.h"
#include "loader/published.h"

// The table's parts, put together one behind the other at the end.
struct parts {
    struct p2e_buffer filters, ranges, texts;
    uint32_t range_count;
};

static void parts_free(struct parts *parts)
{
    p2e_buffer_free(&parts->filters);
    p2e_buffer_free(&parts->ranges);
    p2e_buffer_free(&parts->texts);
}

// The text's offset; none is the first, which is empty.
static uint32_t add_text(struct parts *parts, const char *text)
{
    uint32_t offset = (uint32_t)parts->texts.size;

    if (!text)
        return 0;
    p2e_buffer_add(&parts->texts, text, strlen(text) + 1);
    return offset;
}

static void set_address(struct p2e_published_filter *entry, const struct p2e_filter *filter)
{
    if (!filter->has_address)
        return;
    if (IN6_IS_ADDR_V4MAPPED(&filter->address)) {
        entry->family = P2E_IPV4_ADDRESS;
        memcpy(entry->address, &filter->address.s6_addr[12], 4);
    } else {
        entry->family = P2E_IPV6_ADDRESS;
        memcpy(entry->address, &filter->address, 16);
    }
}

static void add_ranges(struct parts *parts, const struct p2e_filter *filter)
{
    for (size_t i = 0; i < filter->port_count; i++) {
        struct p2e_published_range range = {filter->ports[i].first, filter->ports[i].last};

        p2e_buffer_add(&parts->ranges, &range, sizeof(range));
    }
    parts->range_count += (uint32_t)filter->port_count;
}

static void add_filter(struct parts *parts, const struct p2e_filter *filter)
{
    struct p2e_published_filter entry = {
        .name = add_text(parts, filter->name),
        .path = add_text(parts, filter->path),
        .program = add_text(parts, filter->program),
        .first_range = parts->range_count,
        .range_count = (uint32_t)filter->port_count,
        .transport = (uint8_t)filter->transport,
        .mode = (uint8_t)filter->mode,
        .on_error = (uint8_t)filter->on_error,
    };

    set_address(&entry, filter);
    add_ranges(parts, filter);
    p2e_buffer_add(&parts->filters, &entry, sizeof(entry));
}

static int join(const struct parts *parts, size_t filter_count, struct p2e_buffer *out,
                struct p2e_error *err)
{
    size_t begin = out->size, size = sizeof(struct p2e_published) + parts->filters.size +
                                     parts->ranges.size + parts->texts.size;
    struct p2e_published header = {
        .magic = P2E_PUBLISHED_MAGIC,
        .abi = P2E_ABI,
        .size = (uint32_t)size,
        .filter_count = (uint32_t)filter_count,
        .range_count = parts->range_count,
        .text_size = (uint32_t)parts->texts.size,
    };

    if (size > P2E_PUBLISHED_MAX)
        return p2e_error_set(err,
                             "the table of these filters has %zu bytes, and %u can be published; "
                             "use fewer port ranges or filters",
                             size, P2E_PUBLISHED_MAX);
    p2e_buffer_add(out, &header, sizeof(header));
    p2e_buffer_add(out, parts->filters.data, parts->filters.size);
    p2e_buffer_add(out, parts->ranges.data, parts->ranges.size);
    p2e_buffer_add(out, parts->texts.data, parts->texts.size);
    if (out->failed)
        return p2e_error_set(err, "out of memory");
    header.checksum = p2e_crc32(out->data + begin, size);
    memcpy(out->data + begin, &header, sizeof(header));
    return 0;
}

int p2e_published_encode(const struct p2e_config *config, struct p2e_buffer *out,
                         struct p2e_error *err)
{
    _cleanup_(parts_free) struct parts parts = {0};

    p2e_buffer_add(&parts.texts, "", 1);
    for (size_t i = 0; i < config->filter_count; i++)
        add_filter(&parts, &config->filters[i]);
    if (parts.filters.failed || parts.ranges.failed || parts.texts.failed)
        return p2e_error_set(err, "out of memory");
    return join(&parts, config->filter_count, out, err);
}
