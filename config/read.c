#include "config/read.h"

#include <libconfig.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/filter.h"
#include "config/match.h"
#include "config/ports.h"
#include "config/value.h"

// ---- Filters ------------------------------------------------------------------------------------

static int fail_conflict(const struct p2e_reader *r, const config_setting_t *group,
                         const struct p2e_filter *filter, const struct p2e_filter *other)
{
    if (filter->transport != P2E_UDP)
        return p2e_value_fail(
            r, group,
            "filter \"%s\" and filter \"%s\" (%s:%u) claim one socket, %s %s; give "
            "one of them another \"path\", or each a \"program\" of its own",
            filter->name, other->name, other->file, other->line,
            p2e_transport_name(filter->transport), filter->path);
    return p2e_value_fail(r, group,
                          "filter \"%s\" and filter \"%s\" (%s:%u) claim one socket, udp port %u; "
                          "give one of them another \"port\" or \"address\", or each a \"program\" "
                          "of its own",
                          filter->name, other->name, other->file, other->line,
                          p2e_ports_common(filter, other));
}

static int check_against_others(const struct p2e_reader *r, const config_setting_t *group,
                                const struct p2e_config *config, const struct p2e_filter *filter)
{
    for (const struct p2e_filter *other = config->filters; other < filter; other++) {
        if (!strcmp(filter->name, other->name))
            return p2e_value_fail(r, group,
                                  "two filters have the name \"%s\"; the other is at %s:%u",
                                  filter->name, other->file, other->line);
        if (p2e_filters_conflict(filter, other))
            return fail_conflict(r, group, filter, other);
    }
    return 0;
}

static int read_filters(struct p2e_reader *r, const config_setting_t *list, void *target)
{
    struct p2e_config *config = target;
    if (config_setting_type(list) != CONFIG_TYPE_LIST)
        return p2e_value_fail_type(r, list, "a list ( ) of groups { }");
    size_t count = (size_t)config_setting_length(list);
    if (count > P2E_MAX_FILTERS)
        return p2e_value_fail(r, list, "\"filters\" holds %zu filters; there can be %d", count,
                              P2E_MAX_FILTERS);
    config->filters = calloc(count + 1, sizeof(*config->filters));
    if (!config->filters)
        return p2e_value_fail_memory(r);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        struct p2e_filter *filter = &config->filters[config->filter_count++];
        if (p2e_filter_read(r, group, filter) < 0 ||
            check_against_others(r, group, config, filter) < 0)
            return -1;
    }
    return 0;
}

// ---- The file -----------------------------------------------------------------------------------

static int read_object_dir(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_config *config = target;
    return p2e_value_path(r, setting, &config->object_dir);
}

static int read_pin_dir(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_config *config = target;
    if (p2e_value_copy(r, setting, &config->pin_dir) < 0)
        return -1;
    if (*config->pin_dir != '/')
        return p2e_value_fail(
            r, setting,
            "pin_dir \"%s\" is not absolute; it is a folder in a BPF file system, "
            "like " P2E_DEFAULT_PIN_DIR,
            config->pin_dir);
    return 0;
}

static int read_defaults(struct p2e_reader *r, const config_setting_t *group, void *target)
{
    (void)target;
    return p2e_filter_read_defaults(r, group);
}

// In the order of reading: filters want the defaults.
static const struct p2e_key file_keys[] = {
    {"object_dir", read_object_dir, NULL},
    {"pin_dir", read_pin_dir, NULL},
    {"defaults", read_defaults, NULL},
    {"filters", read_filters, "a list of them: filters = ( { name = \"…\"; … } );"},
};
static const struct p2e_keys keys_of_file = {"the config", file_keys,
                                             sizeof(file_keys) / sizeof(*file_keys)};

static int fill_in_folders(const struct p2e_reader *r, struct p2e_config *config)
{
    if (!config->object_dir)
        config->object_dir = strdup(P2E_DEFAULT_OBJECT_DIR);
    if (!config->pin_dir)
        config->pin_dir = strdup(P2E_DEFAULT_PIN_DIR);
    return config->object_dir && config->pin_dir ? 0 : p2e_value_fail_memory(r);
}

// libconfig sets the thread's locale while it parses and leaves it at the process's.
static int parse(const struct p2e_source *source, config_t *parsed, struct p2e_error *err)
{
    locale_t locale = uselocale((locale_t)0);
    int done = config_read_string(parsed, source->text.data);
    uselocale(locale);
    if (done)
        return 0;
    struct p2e_source_line place = p2e_source_at(source, (unsigned)config_error_line(parsed));
    return p2e_error_set(err,
                         "%s:%u: %s; look at this line and the one before it for a missing ; , = "
                         "\" or bracket",
                         place.file, place.line, config_error_text(parsed));
}

int p2e_config_read(const struct p2e_source *source, const char *folder, struct p2e_config *config,
                    struct p2e_error *err)
{
    _cleanup_(config_destroy) config_t parsed;
    config_init(&parsed);
    if (parse(source, &parsed, err) < 0)
        return -1;

    struct p2e_reader r = {
        .source = source,
        .folder = folder,
        .defaults = {.max_depth = P2E_DEFAULT_MAX_DEPTH},
        .err = err,
    };
    int result = p2e_value_group(&r, config_root_setting(&parsed), &keys_of_file, config);
    if (result == 0)
        result = fill_in_folders(&r, config);
    p2e_filter_free(&r.defaults);
    return result;
}
