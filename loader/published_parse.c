#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/crc32.h"
#include "bpf/abi.h"
#include "config/match.h"
#include "loader/published.h"

#define NAME_LETTERS                                                                               \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"                                         \
    "0123456789_-"

// A table whose header holds: its parts, which lie within it. They need not be aligned.
struct table {
    struct p2e_published header;
    const char *filters, *ranges, *texts;
    const char *where;
};

static int fail(const struct table *table, const char *what, struct p2e_error *err)
{
    return p2e_error_set(err, "%s is corrupt: %s; let whoever may load publish it anew",
                         table->where, what);
}

// ---- The whole ----------------------------------------------------------------------------------
static uint32_t checksum(const char *bytes, size_t size, char *copy)
{
    struct p2e_published header;

    memcpy(copy, bytes, size);
    memcpy(&header, bytes, sizeof(header));
    header.checksum = 0;
    memcpy(copy, &header, sizeof(header));
    return p2e_crc32(copy, size);
}

static int check_checksum(const struct table *table, const char *bytes, size_t size,
                          struct p2e_error *err)
{
    _cleanup_free_ char *copy = malloc(size);

    if (!copy)
        return p2e_error_set(err, "out of memory");
    if (checksum(bytes, size, copy) != table->header.checksum)
        return fail(table, "its checksum is wrong", err);
    return 0;
}

static int check_header(const struct table *table, size_t size, struct p2e_error *err)
{
    const struct p2e_published *header = &table->header;
    // Counts are 32 bits: the sum fits 64.
    uint64_t parts =
        sizeof(*header) + (uint64_t)header->filter_count * sizeof(struct p2e_published_filter) +
        (uint64_t)header->range_count * sizeof(struct p2e_published_range) + header->text_size;

    if (header->magic != P2E_PUBLISHED_MAGIC)
        return p2e_error_set(err, "%s does not hold a published table", table->where);
    if (header->abi != P2E_ABI)
        return p2e_error_set(err,
                             "%s is of ABI %u, this p2e is of ABI %u; use one version of p2e here "
                             "and where it is published",
                             table->where, header->abi, P2E_ABI);
    if (header->size != size || parts != size || header->filter_count > P2E_MAX_FILTERS)
        return fail(table, "bad sizes", err);
    return 0;
}

// Texts end with a NUL: each that begins within them ends within them.
static int open_table(struct table *table, const char *bytes, size_t size, struct p2e_error *err)
{
    if (size < sizeof(table->header) || size > P2E_PUBLISHED_MAX)
        return p2e_error_set(err, "%s does not hold a published table", table->where);
    memcpy(&table->header, bytes, sizeof(table->header));
    if (check_header(table, size, err) || check_checksum(table, bytes, size, err))
        return -1;
    table->filters = bytes + sizeof(table->header);
    table->ranges =
        table->filters + table->header.filter_count * sizeof(struct p2e_published_filter);
    table->texts = table->ranges + table->header.range_count * sizeof(struct p2e_published_range);
    if (!table->header.text_size || table->texts[0] || bytes[size - 1])
        return fail(table, "bad texts", err);
    return 0;
}

bool p2e_published_name(const char *name)
{
    return *name && strlen(name) <= P2E_NAME_MAX && !name[strspn(name, NAME_LETTERS)];
}

// ---- One filter ---------------------------------------------------------------------------------
// *text is NULL for none.
static int take_text(const struct table *table, uint32_t offset, char **text, struct p2e_error *err)
{
    if (!offset)
        return 0;
    if (offset >= table->header.text_size)
        return fail(table, "a text lies outside", err);
    *text = strdup(table->texts + offset);
    return *text ? 0 : p2e_error_set(err, "out of memory");
}

static int take_texts(const struct table *table, const struct p2e_published_filter *entry,
                      struct p2e_filter *filter, struct p2e_error *err)
{
    if (take_text(table, entry->name, &filter->name, err) ||
        take_text(table, entry->path, &filter->path, err) ||
        take_text(table, entry->program, &filter->program, err))
        return -1;
    if (!filter->name || !p2e_published_name(filter->name))
        return fail(table, "a filter's name is none", err);
    if (filter->program && (!*filter->program || strchr(filter->program, '/')))
        return fail(table, "a program's name is none", err);
    return 0;
}

static int take_choices(const struct table *table, const struct p2e_published_filter *entry,
                        struct p2e_filter *filter, struct p2e_error *err)
{
    if (entry->transport > P2E_UNIXSEQ || entry->mode > P2E_MONITOR || entry->on_error > P2E_OPEN)
        return fail(table, "a transport, mode or on_error is none", err);
    filter->transport = (enum p2e_transport)entry->transport;
    filter->mode = (enum p2e_mode)entry->mode;
    filter->on_error = (enum p2e_on_error)entry->on_error;
    return 0;
}

static int take_ranges(const struct table *table, const struct p2e_published_filter *entry,
                       struct p2e_filter *filter, struct p2e_error *err)
{
    unsigned next = 1; // the lowest port that the next range may begin with

    if (entry->first_range > table->header.range_count ||
        entry->range_count > table->header.range_count - entry->first_range)
        return fail(table, "port ranges lie outside", err);
    filter->ports = calloc(entry->range_count + 1ul, sizeof(*filter->ports));
    if (!filter->ports)
        return p2e_error_set(err, "out of memory");
    filter->port_count = entry->range_count;
    for (size_t i = 0; i < entry->range_count; i++) {
        struct p2e_published_range range;

        memcpy(&range, table->ranges + (entry->first_range + i) * sizeof(range), sizeof(range));
        if (range.first < next || range.last < range.first)
            return fail(table, "port ranges are out of order", err);
        next = range.last + 2u;
        filter->ports[i] = (struct p2e_port_range){range.first, range.last};
    }
    return 0;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

// "Every address" has a family of its own: the wildcards of the others are not for here.
static int take_address(const struct table *table, const struct p2e_published_filter *entry,
                        struct p2e_filter *filter, struct p2e_error *err)
{
    size_t used = entry->family == P2E_IPV4_ADDRESS   ? 4
                  : entry->family == P2E_IPV6_ADDRESS ? 16
                                                      : 0;

    if (entry->family > P2E_IPV6_ADDRESS ||
        !is_zero(entry->address + used, sizeof(entry->address) - used) ||
        (used && is_zero(entry->address, used)))
        return fail(table, "an address is none", err);
    filter->has_address = used != 0;
    if (used == 4)
        filter->address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&filter->address.s6_addr[16 - used], entry->address, used);
    if (used == 16 && IN6_IS_ADDR_V4MAPPED(&filter->address))
        return fail(table, "an address is none", err);
    return 0;
}

static bool is_path(const char *path)
{
    size_t length = path ? strlen(path) : 0;

    return length >= 2 && length <= sizeof(((struct sockaddr_un *)0)->sun_path) &&
           (*path == '/' || *path == '@') && path[length - 1] != '/';
}

static int check_place(const struct table *table, const struct p2e_filter *filter,
                       struct p2e_error *err)
{
    if (filter->transport == P2E_UDP ? !filter->port_count || filter->path
                                     : filter->port_count || filter->has_address)
        return fail(table, "a filter's socket is not one of its transport", err);
    if (filter->transport != P2E_UDP && !is_path(filter->path))
        return fail(table, "a path is not a socket's", err);
    return 0;
}

static int check_against_others(const struct table *table, const struct p2e_config *config,
                                const struct p2e_filter *filter, struct p2e_error *err)
{
    for (const struct p2e_filter *other = config->filters; other < filter; other++) {
        if (!strcmp(filter->name, other->name))
            return fail(table, "two filters have one name", err);
        if (p2e_filters_conflict(filter, other))
            return p2e_error_set(err,
                                 "%s: filter \"%s\" and filter \"%s\" claim one socket here; give "
                                 "each a \"path\" of its own",
                                 table->where, other->name, filter->name);
    }
    return 0;
}

static int take_filter(const struct table *table, const struct p2e_config *config,
                       struct p2e_filter *filter, struct p2e_error *err)
{
    size_t index = (size_t)(filter - config->filters);
    struct p2e_published_filter entry;

    memcpy(&entry, table->filters + index * sizeof(entry), sizeof(entry));
    filter->file = config->path;
    filter->line = (unsigned)index + 1;
    if (take_texts(table, &entry, filter, err) || take_choices(table, &entry, filter, err) ||
        take_ranges(table, &entry, filter, err) || take_address(table, &entry, filter, err) ||
        check_place(table, filter, err))
        return -1;
    return check_against_others(table, config, filter, err);
}

// ---- All filters --------------------------------------------------------------------------------
static int take_filters(const struct table *table, struct p2e_config *config, struct p2e_error *err)
{
    config->published = true;
    config->path = strdup(table->where);
    config->filters = calloc(table->header.filter_count + 1ul, sizeof(*config->filters));
    if (!config->path || !config->filters)
        return p2e_error_set(err, "out of memory");
    while (config->filter_count < table->header.filter_count) {
        if (take_filter(table, config, &config->filters[config->filter_count++], err))
            return -1;
    }
    return 0;
}

int p2e_published_parse(const void *bytes, size_t size, const char *where,
                        struct p2e_config *config, struct p2e_error *err)
{
    struct table table = {.where = where};

    *config = (struct p2e_config){0};
    if (!open_table(&table, bytes, size, err) && !take_filters(&table, config, err))
        return 0;
    p2e_config_free(config);
    return -1;
}
