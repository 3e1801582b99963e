#include "config/filter.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/ports.h"

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

// ---- Which socket -------------------------------------------------------------------------------

static int read_name(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    if (p2e_value_copy(r, setting, &filter->name) < 0)
        return -1;
    size_t length = strlen(filter->name);
    if (length > P2E_NAME_MAX || strspn(filter->name, LETTERS DIGITS "_-") != length)
        return p2e_value_fail(r, setting,
                              "filter name \"%s\" cannot be used; a name is up to %d letters, "
                              "digits, _ and -",
                              filter->name, P2E_NAME_MAX);
    return 0;
}

static int read_transport(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    const char *const names[] = {
        p2e_transport_name(P2E_UDP),
        p2e_transport_name(P2E_UNIXGRAM),
        p2e_transport_name(P2E_UNIXSEQ),
    };
    const char *text;
    if (p2e_value_string(r, setting, &text) < 0)
        return -1;
    if (!strcmp(text, "tcp"))
        return p2e_value_fail(r, setting,
                              "transport \"tcp\" is not supported yet; udp, unixgram and unixseq "
                              "are");
    unsigned choice;
    if (p2e_value_choice(r, setting, names, COUNT(names), &choice) < 0)
        return -1;
    filter->transport = (enum p2e_transport)choice;
    return 0;
}

static int read_port(const struct p2e_reader *r, const config_setting_t *setting,
                     struct p2e_port_range *range)
{
    struct p2e_error why;
    if (config_setting_type(setting) == CONFIG_TYPE_STRING) {
        if (p2e_ports_parse(config_setting_get_string(setting), range, &why) < 0)
            return p2e_value_fail(r, setting, "%s", why.text);
        return 0;
    }
    long long port;
    if (p2e_value_integer(r, setting, &port) < 0)
        return -1;
    if (p2e_ports_check(port, &why) < 0)
        return p2e_value_fail(r, setting, "%s", why.text);
    *range = (struct p2e_port_range){(uint16_t)port, (uint16_t)port};
    return 0;
}

static int read_ports(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    bool list = p2e_value_is_list(setting);
    size_t count = list ? (size_t)config_setting_length(setting) : 1;
    if (count == 0)
        return p2e_value_fail(r, setting, "\"port\" is empty; give it at least one port");
    filter->ports = calloc(count, sizeof(*filter->ports));
    if (!filter->ports)
        return p2e_value_fail_memory(r);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *item =
            list ? config_setting_get_elem(setting, (unsigned)i) : setting;
        if (read_port(r, item, &filter->ports[i]) < 0)
            return -1;
    }
    filter->port_count = p2e_ports_normalize(filter->ports, count);
    return 0;
}

static bool parse_address(const char *text, struct in6_addr *address)
{
    struct in_addr v4;
    if (inet_pton(AF_INET6, text, address) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&address->s6_addr[12], &v4, sizeof(v4));
    return true;
}

static int read_address(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    const char *text;
    if (p2e_value_string(r, setting, &text) < 0)
        return -1;
    if (!strcmp(text, "*"))
        return 0;
    if (!parse_address(text, &filter->address))
        return p2e_value_fail(r, setting,
                              "\"%s\" is not an IPv4 or IPv6 address (names are not looked up); "
                              "for every local address leave \"address\" out",
                              text);
    static const struct in6_addr any = {0};
    static const struct in6_addr any_v4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    filter->has_address = !IN6_ARE_ADDR_EQUAL(&filter->address, &any) &&
                          !IN6_ARE_ADDR_EQUAL(&filter->address, &any_v4);
    return 0;
}

static int read_path(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    if (p2e_value_copy(r, setting, &filter->path) < 0)
        return -1;
    const char *path = filter->path;
    size_t length = strlen(path);
    const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);
    if ((*path != '/' && *path != '@') || length < 2 || path[length - 1] == '/')
        return p2e_value_fail(r, setting,
                              "path \"%s\" is not a socket's; it is absolute, like "
                              "\"/run/x.sock\", or \"@name\" for an abstract socket",
                              path);
    if (length > max)
        return p2e_value_fail(r, setting,
                              "path \"%s\" is %zu bytes long; a UNIX socket's can have %zu", path,
                              length, max);
    return 0;
}

static int read_program(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    if (p2e_value_copy(r, setting, &filter->program) < 0)
        return -1;
    if (strchr(filter->program, '/'))
        return p2e_value_fail(r, setting,
                              "program \"%s\" has a / in it; it is the executable's name without "
                              "its folder",
                              filter->program);
    return 0;
}

// ---- What it is judged by -----------------------------------------------------------------------

static int read_schema(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    return p2e_value_path(r, setting, &filter->schema);
}

static int read_includes(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    bool list = p2e_value_is_list(setting);
    size_t count = list ? (size_t)config_setting_length(setting) : 1;
    filter->includes = calloc(count + 1, sizeof(*filter->includes));
    if (!filter->includes)
        return p2e_value_fail_memory(r);
    filter->include_count = count;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *item =
            list ? config_setting_get_elem(setting, (unsigned)i) : setting;
        if (p2e_value_path(r, item, &filter->includes[i]) < 0)
            return -1;
    }
    return 0;
}

// Identifiers with dots between them.
static bool is_full_name(const char *name)
{
    for (;;) {
        size_t length = strspn(name, LETTERS DIGITS "_");
        if (length == 0 || strchr(DIGITS, *name))
            return false;
        if (!name[length])
            return true;
        if (name[length] != '.')
            return false;
        name += length + 1;
    }
}

static int read_message(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    const char *text;
    if (p2e_value_string(r, setting, &text) < 0)
        return -1;
    const char *name = *text == '.' ? text + 1 : text;
    if (!is_full_name(name))
        return p2e_value_fail(r, setting,
                              "message \"%s\" is not a message type's name; write its package "
                              "before it, like \"demo.SearchRequest\"",
                              text);
    filter->message = strdup(name);
    return filter->message ? 0 : p2e_value_fail_memory(r);
}

static int read_annotations(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    static const char *const names[] = {
        [P2E_ANNOTATIONS_ENFORCE] = "enforce", [P2E_ANNOTATIONS_IGNORE] = "ignore"};
    struct p2e_filter *filter = target;
    unsigned choice;
    if (p2e_value_choice(r, setting, names, COUNT(names), &choice) < 0)
        return -1;
    filter->annotations = (enum p2e_annotations)choice;
    return 0;
}

static int read_max_depth(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_filter *filter = target;
    long long depth;
    if (p2e_value_integer(r, setting, &depth) < 0)
        return -1;
    if (depth < 1 || depth > P2E_MAX_DEPTH_LIMIT)
        return p2e_value_fail(r, setting, "\"max_depth\" must be from 1 to %d, not %lld",
                              P2E_MAX_DEPTH_LIMIT, depth);
    filter->max_depth = (unsigned)depth;
    return 0;
}

static int read_on_error(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    static const char *const names[] = {[P2E_CLOSED] = "closed", [P2E_OPEN] = "open"};
    struct p2e_filter *filter = target;
    unsigned choice;
    if (p2e_value_choice(r, setting, names, COUNT(names), &choice) < 0)
        return -1;
    filter->on_error = (enum p2e_on_error)choice;
    return 0;
}

static int read_mode(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    static const char *const names[] = {[P2E_ENFORCE] = "enforce", [P2E_MONITOR] = "monitor"};
    struct p2e_filter *filter = target;
    unsigned choice;
    if (p2e_value_choice(r, setting, names, COUNT(names), &choice) < 0)
        return -1;
    filter->mode = (enum p2e_mode)choice;
    return 0;
}

// ---- The groups ---------------------------------------------------------------------------------

static const struct p2e_key filter_keys[] = {
    {"name", read_name, "letters, digits, _ and - that name it in commands and logs"},
    {"transport", read_transport, "which is udp, unixgram or unixseq"},
    {"port", read_ports, NULL},
    {"address", read_address, NULL},
    {"path", read_path, NULL},
    {"schema", read_schema, "the .proto file or FileDescriptorSet that its messages are in"},
    {"include", read_includes, NULL},
    {"message", read_message, "the full name of the message type, like demo.SearchRequest"},
    {"rules", p2e_filter_read_rules, NULL},
    {"annotations", read_annotations, NULL},
    {"max_depth", read_max_depth, NULL},
    {"on_error", read_on_error, NULL},
    {"mode", read_mode, NULL},
    {"program", read_program, NULL},
};
static const struct p2e_keys keys_of_filter = {"a filter", filter_keys, COUNT(filter_keys)};

static const struct p2e_key default_keys[] = {
    {"include", read_includes, NULL},    {"annotations", read_annotations, NULL},
    {"max_depth", read_max_depth, NULL}, {"on_error", read_on_error, NULL},
    {"mode", read_mode, NULL},
};
static const struct p2e_keys keys_of_defaults = {"\"defaults\"", default_keys, COUNT(default_keys)};

int p2e_filter_read_defaults(struct p2e_reader *r, const config_setting_t *group)
{
    return p2e_value_group(r, group, &keys_of_defaults, &r->defaults);
}

static int check_keys_of_transport(const struct p2e_reader *r, const config_setting_t *group,
                                   const struct p2e_filter *filter)
{
    static const struct {
        const char *key;
        bool udp, required;
    } table[] = {{"port", true, true}, {"address", true, false}, {"path", false, true}};

    bool udp = filter->transport == P2E_UDP;
    const char *transport = p2e_transport_name(filter->transport);
    for (size_t i = 0; i < COUNT(table); i++) {
        const config_setting_t *setting = config_setting_get_member(group, table[i].key);
        if (setting && table[i].udp != udp)
            return p2e_value_fail(
                r, setting, "\"%s\" does not go with transport \"%s\", which has %s", table[i].key,
                transport, udp ? "\"port\" and \"address\"" : "\"path\"");
        if (!setting && table[i].udp == udp && table[i].required)
            return p2e_value_fail(r, group, "a filter with transport \"%s\" needs \"%s\"",
                                  transport, table[i].key);
    }
    return 0;
}

static int inherit_includes(const struct p2e_reader *r, struct p2e_filter *filter)
{
    const struct p2e_filter *defaults = &r->defaults;
    filter->includes = calloc(defaults->include_count + 1, sizeof(*filter->includes));
    if (!filter->includes)
        return p2e_value_fail_memory(r);
    filter->include_count = defaults->include_count;
    for (size_t i = 0; i < defaults->include_count; i++) {
        filter->includes[i] = strdup(defaults->includes[i]);
        if (!filter->includes[i])
            return p2e_value_fail_memory(r);
    }
    return 0;
}

int p2e_filter_read(struct p2e_reader *r, const config_setting_t *group, struct p2e_filter *filter)
{
    struct p2e_source_line place = p2e_value_place(r, group);
    filter->file = place.file;
    filter->line = place.line;
    filter->annotations = r->defaults.annotations;
    filter->max_depth = r->defaults.max_depth;
    filter->on_error = r->defaults.on_error;
    filter->mode = r->defaults.mode;
    if (p2e_value_group(r, group, &keys_of_filter, filter) < 0)
        return -1;
    if (!filter->includes && inherit_includes(r, filter) < 0)
        return -1;
    return check_keys_of_transport(r, group, filter);
}
