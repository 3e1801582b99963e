#include "agent/apply.h"

#include <stdlib.h>
#include <string.h>

#include "agent/build.h"
#include "base/cleanup.h"

int p2e_apply_recover(const struct p2e_config *config, struct p2e_error *err)
{
    struct p2e_recovery recovery;
    if (p2e_missing_capabilities())
        return 0;
    return p2e_pins_recover(config->pin_dir, &recovery, err);
}

static int check_rules(const struct p2e_config *config, const struct p2e_filter *filter,
                       const struct p2e_object *object, struct p2e_error *err)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);
    if (!canonical)
        return p2e_error_set(err, "out of memory");
    if (!strcmp(canonical, object->description.canonical))
        return 0;
    return p2e_error_set(err, "object %s/%s.bpf.o is of other rules than %s has; run: p2e compile",
                         config->object_dir, filter->name, config->path);
}

int p2e_apply_filter(const struct p2e_config *config, const struct p2e_filter *filter, bool compile,
                     enum p2e_pinned *pinned, struct p2e_error *err)
{
    _cleanup_(p2e_object_close) struct p2e_object object = {0};
    char path[4096];
    bool compiled;
    if (compile && p2e_build_update(config->object_dir, filter, false, &compiled, err) < 0)
        return -1; // which names the filter
    if (p2e_build_path(config->object_dir, filter, path, sizeof(path), err) < 0 ||
        p2e_object_open(path, &object, err) < 0 || check_rules(config, filter, &object, err) < 0 ||
        p2e_filter_pin(config->pin_dir, filter, &object, pinned, err) < 0)
        return p2e_error_prefix(err, "filter \"%s\"", filter->name);
    return 0;
}

const char *p2e_apply_name(enum p2e_pinned pinned)
{
    static const char *const names[] = {
        [P2E_PINNED_ALREADY] = "up to date",
        [P2E_PINNED_NEWLY] = "loaded",
        [P2E_PINNED_INSTEAD] = "replaced",
    };
    return names[pinned];
}

int p2e_apply_gone(const struct p2e_config *config, struct p2e_names *gone, struct p2e_error *err)
{
    size_t count = 0;
    if (p2e_pins_list(config->pin_dir, gone, err) < 0)
        return -1;
    for (size_t i = 0; i < gone->count; i++) {
        if (p2e_config_filter(config, gone->names[i]))
            free(gone->names[i]);
        else
            gone->names[count++] = gone->names[i];
    }
    gone->count = count;
    return 0;
}
