#include "config/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/nearest.h"

// ---- Errors -------------------------------------------------------------------------------------

struct p2e_source_line p2e_value_place(const struct p2e_reader *r, const config_setting_t *setting)
{
    return p2e_source_at(r->source, config_setting_source_line(setting));
}

int p2e_value_fail(const struct p2e_reader *r, const config_setting_t *setting, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    p2e_error_vset(r->err, format, args);
    va_end(args);
    struct p2e_source_line place = p2e_value_place(r, setting);
    return p2e_error_prefix(r->err, "%s:%u", place.file, place.line);
}

int p2e_value_fail_memory(const struct p2e_reader *r)
{
    return p2e_error_set(r->err, "out of memory");
}

static const char *type_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_LIST:
        return "a list ( )";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ]";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "a boolean";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    default:
        return "a number";
    }
}

int p2e_value_fail_type(const struct p2e_reader *r, const config_setting_t *setting,
                        const char *wanted)
{
    const char *name = config_setting_name(setting);
    if (name)
        return p2e_value_fail(r, setting, "\"%s\" must be %s, not %s", name, wanted,
                              type_name(setting));
    const char *list = config_setting_name(config_setting_parent(setting));
    return p2e_value_fail(r, setting, "item %d of \"%s\" must be %s, not %s",
                          config_setting_index(setting) + 1, list ? list : "a list", wanted,
                          type_name(setting));
}

// ---- Values -------------------------------------------------------------------------------------

bool p2e_value_is_list(const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    return type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY;
}

int p2e_value_string(const struct p2e_reader *r, const config_setting_t *setting, const char **out)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        return p2e_value_fail_type(r, setting, "a string");
    *out = config_setting_get_string(setting);
    if (!(*out)[strspn(*out, " \t\r\n\f\v")]) {
        const char *name = config_setting_name(setting);
        if (!name)
            name = config_setting_name(config_setting_parent(setting));
        return p2e_value_fail(r, setting, "a string of \"%s\" is empty", name ? name : "a list");
    }
    return 0;
}

int p2e_value_copy(const struct p2e_reader *r, const config_setting_t *setting, char **out)
{
    const char *text;
    if (p2e_value_string(r, setting, &text) < 0)
        return -1;
    free(*out);
    *out = strdup(text);
    return *out ? 0 : p2e_value_fail_memory(r);
}

int p2e_value_path(const struct p2e_reader *r, const config_setting_t *setting, char **out)
{
    const char *path;
    if (p2e_value_string(r, setting, &path) < 0)
        return -1;
    struct p2e_buffer b = {0};
    if (*path != '/')
        p2e_buffer_printf(&b, "%s/", strcmp(r->folder, "/") ? r->folder : "");
    p2e_buffer_puts(&b, path);
    if (b.failed) {
        p2e_buffer_free(&b);
        return p2e_value_fail_memory(r);
    }
    free(*out);
    *out = b.data;
    return 0;
}

int p2e_value_integer(const struct p2e_reader *r, const config_setting_t *setting, long long *out)
{
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return p2e_value_fail_type(r, setting, "a number");
    *out = config_setting_get_int64(setting);
    return 0;
}

static void list_names(struct p2e_buffer *b, const void *items, size_t count, size_t stride)
{
    for (size_t i = 0; i < count; i++)
        p2e_buffer_printf(b, "%s%s", i ? ", " : "",
                          *(const char *const *)((const char *)items + i * stride));
}

// "…; did you mean X?", or all that there is.
static int fail_unknown(const struct p2e_reader *r, const config_setting_t *setting,
                        const char *what, const char *name, const void *items, size_t count,
                        size_t stride)
{
    const char *nearest = p2e_nearest(name, items, count, stride);
    if (nearest)
        return p2e_value_fail(r, setting, "unknown %s \"%s\"; did you mean \"%s\"?", what, name,
                              nearest);
    _cleanup_(p2e_buffer_free) struct p2e_buffer all = {0};
    list_names(&all, items, count, stride);
    return p2e_value_fail(r, setting, "unknown %s \"%s\"; possible here: %s", what, name,
                          all.failed ? "" : all.data);
}

int p2e_value_choice(const struct p2e_reader *r, const config_setting_t *setting,
                     const char *const *names, size_t count, unsigned *out)
{
    const char *text;
    if (p2e_value_string(r, setting, &text) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(text, names[i])) {
            *out = i;
            return 0;
        }
    return fail_unknown(r, setting, config_setting_name(setting), text, names, count,
                        sizeof(*names));
}

// ---- Groups -------------------------------------------------------------------------------------

static int check_known(const struct p2e_reader *r, const config_setting_t *setting,
                       const struct p2e_keys *keys)
{
    const char *name = config_setting_name(setting);
    for (size_t i = 0; i < keys->count; i++)
        if (!strcmp(name, keys->keys[i].name))
            return 0;
    char what[64];
    snprintf(what, sizeof(what), "key in %s,", keys->where);
    return fail_unknown(r, setting, what, name, keys->keys, keys->count, sizeof(*keys->keys));
}

int p2e_value_group(struct p2e_reader *r, const config_setting_t *group,
                    const struct p2e_keys *keys, void *target)
{
    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return p2e_value_fail_type(r, group, "a group { }");
    for (int i = 0; i < config_setting_length(group); i++)
        if (check_known(r, config_setting_get_elem(group, (unsigned)i), keys) < 0)
            return -1;
    for (size_t i = 0; i < keys->count; i++) {
        const struct p2e_key *key = &keys->keys[i];
        const config_setting_t *setting = config_setting_get_member(group, key->name);
        if (!setting && key->required)
            return p2e_value_fail(r, group, "%s needs \"%s\", %s", keys->where, key->name,
                                  key->required);
        if (setting && key->read(r, setting, target) < 0)
            return -1;
    }
    return 0;
}
