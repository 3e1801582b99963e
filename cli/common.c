#include "cli/common.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int p2e_read_config(const char *path, struct p2e_config *config, struct p2e_error *err)
{
    return p2e_config_load(path ? path : p2e_config_find(), config, err);
}

static size_t print_address(const struct p2e_filter *filter, char *buffer, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    bool mapped = IN6_IS_ADDR_V4MAPPED(&filter->address);
    inet_ntop(mapped ? AF_INET : AF_INET6,
              filter->address.s6_addr + (mapped ? sizeof(struct in6_addr) - 4 : 0), text,
              sizeof(text));
    return snprintf(buffer, size, mapped ? "%s:" : "[%s]:", text);
}

const char *p2e_filter_place(const struct p2e_filter *filter, char *buffer, size_t size)
{
    if (filter->path) {
        snprintf(buffer, size, "%s", filter->path);
        return buffer;
    }
    size_t used = filter->has_address ? print_address(filter, buffer, size) : 0;
    for (size_t i = 0; i < filter->port_count && used < size; i++) {
        const struct p2e_port_range *range = &filter->ports[i];
        used += snprintf(buffer + used, size - used, "%s%u", i ? "," : "", range->first);
        if (range->last != range->first && used < size)
            used += snprintf(buffer + used, size - used, "-%u", range->last);
    }
    return buffer;
}

void p2e_json_row(size_t index)
{
    printf("%s", index ? ",\n " : "[");
}

void p2e_json_end(size_t count)
{
    printf("%s]\n", count ? "" : "[");
}

void p2e_json_text(const char *key, const char *text, bool first)
{
    printf("%s\"%s\":", first ? "" : ",", key);
    p2e_print_json_string(text);
}
