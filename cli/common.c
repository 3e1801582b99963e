#include "cli/common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/nearest.h"
#include "base/printable.h"

// What there is to say of a file that an option names is not about the environment.
const char *p2e_config_path(const char *given, struct p2e_error *err)
{
    struct stat st;
    if (!given)
        return p2e_config_find();
    bool is_there = stat(given, &st) == 0;
    if (!*given)
        p2e_error_set(err, "-c needs the name of a file");
    else if (!is_there && errno == ENOENT)
        p2e_error_set(err, "there is no config file %s", given);
    else if (is_there && S_ISDIR(st.st_mode))
        p2e_error_set(err, "the config file %s is a directory; name the file, like %s/p2e.conf",
                      given, given);
    else
        return given;
    return NULL;
}

int p2e_read_config(const char *given, struct p2e_config *config, struct p2e_error *err)
{
    const char *path = p2e_config_path(given, err);
    return path ? p2e_config_load(path, config, err) : -1;
}

const struct p2e_filter *p2e_named_filter(const struct p2e_config *config, const char *name,
                                          struct p2e_error *err)
{
    const struct p2e_filter *filter = p2e_config_filter(config, name);
    if (filter)
        return filter;
    const char *near =
        p2e_nearest(name, config->filters, config->filter_count, sizeof(*config->filters));
    p2e_error_set(err, "%s has no filter \"%s\"%s%s%s", config->path, name,
                  near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

void p2e_put(FILE *to, const char *text, size_t width)
{
    char form[P2E_PRINTABLE_SIZE];
    size_t columns = p2e_printable_columns(text, strlen(text));
    for (size_t size = strlen(text), length; size; text += length, size -= length) {
        length = p2e_printable_next(text, size, form);
        fputs(form, to);
    }
    for (; columns < width; columns++)
        fputc(' ', to);
}

static void add_address(struct p2e_buffer *b, const struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];
    bool mapped = IN6_IS_ADDR_V4MAPPED(address);
    size_t skipped = mapped ? sizeof(*address) - sizeof(struct in_addr) : 0;
    inet_ntop(mapped ? AF_INET : AF_INET6, address->s6_addr + skipped, text, sizeof(text));
    p2e_buffer_printf(b, mapped ? "%s:" : "[%s]:", text);
}

char *p2e_filter_place(const struct p2e_filter *filter)
{
    struct p2e_buffer b = {0};
    if (filter->path)
        p2e_buffer_puts(&b, filter->path);
    if (filter->has_address)
        add_address(&b, &filter->address);
    for (size_t i = 0; i < filter->port_count; i++) {
        const struct p2e_port_range *range = &filter->ports[i];
        p2e_buffer_printf(&b, "%s%u", i ? "," : "", range->first);
        if (range->last != range->first)
            p2e_buffer_printf(&b, "-%u", range->last);
    }
    if (b.failed)
        p2e_buffer_free(&b);
    return b.data;
}
