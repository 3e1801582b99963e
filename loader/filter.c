#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "loader/published.h"
#include "loader/sys.h"

// What is asked for, and where it may be.
struct request {
    const struct p2e_config *config;
    const struct p2e_filter *filter;
    char *canonical;
    struct p2e_options options;
};

// ---- What is asked for, and what there is -------------------------------------------------------
static int open_object(const struct p2e_config *config, const struct p2e_filter *filter,
                       struct p2e_object *object, struct p2e_error *err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s.bpf.o", config->object_dir, filter->name) < 0) {
        path = NULL;
        return p2e_error_set(err, "out of memory");
    }
    return p2e_object_open(path, object, err);
}

static bool is_of_rules(const struct p2e_filter *filter, const struct p2e_description *pinned)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);

    return canonical && !strcmp(canonical, pinned->canonical);
}

static bool is_of_older_schema(const struct p2e_config *config, const struct p2e_filter *filter,
                               const struct p2e_description *pinned)
{
    _cleanup_(p2e_object_close) struct p2e_object object = {0};

    return !open_object(config, filter, &object, NULL) &&
           !strcmp(object.description.canonical, pinned->canonical) &&
           strcmp(object.description.digest, pinned->digest);
}

enum p2e_agreement p2e_filter_agreement(const struct p2e_config *config,
                                        const struct p2e_filter *filter,
                                        const struct p2e_description *pinned,
                                        const struct p2e_options *options, bool by_object)
{
    struct p2e_options wanted;

    p2e_options_for(filter->transport, filter->mode, &wanted);
    if (!is_of_rules(filter, pinned))
        return P2E_OTHER_RULES;
    if (!p2e_options_match(&wanted, options))
        return P2E_OTHER_OPTIONS;
    return by_object && is_of_older_schema(config, filter, pinned) ? P2E_OLDER_SCHEMA : P2E_AGREES;
}

// ---- Pinned -------------------------------------------------------------------------------------
// PINNED_SAME: *program is the entry. PINNED_OTHER: there are pins, of other rules or options, or
// of an older schema. PINNED_HIDDEN: whether there are any is not for this process to see.
enum pinned { PINNED_ERROR, PINNED_HIDDEN, PINNED_NONE, PINNED_OTHER, PINNED_SAME };

// Whoever may load goes by the object. All others take what is pinned.
static bool agrees(const struct p2e_config *config, const struct p2e_filter *filter, int options_fd,
                   const struct p2e_description *pinned)
{
    struct p2e_options options;

    return !p2e_options_read(options_fd, &options, NULL) &&
           p2e_filter_agreement(config, filter, pinned, &options, !p2e_missing_capabilities()) ==
               P2E_AGREES;
}

// A server may have read the configuration before it was changed, and the filter pinned anew. What
// the file says now counts then, as it does for sockets that are attached. A relative path may be
// another file's by now.
static bool agrees_by_now(const struct request *request, int options_fd,
                          const struct p2e_description *pinned)
{
    _cleanup_(p2e_config_free) struct p2e_config now = {0};
    const struct p2e_filter *filter;
    struct p2e_error ignored;

    if (*request->config->path != '/' || p2e_config_load(request->config->path, &now, &ignored))
        return false;
    filter = p2e_config_filter(&now, request->filter->name);
    return filter && filter->transport == request->filter->transport &&
           agrees(&now, filter, options_fd, pinned);
}

static enum pinned open_pinned(const struct request *request, int *program, struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description description = {0};
    int found =
        p2e_pins_open(request->config->pin_dir, request->filter->name, &handles, &description, err);

    if (found < 0)
        return errno == EACCES ? PINNED_HIDDEN : PINNED_ERROR;
    if (!found)
        return PINNED_NONE;
    if (!agrees(request->config, request->filter, handles.options, &description) &&
        !agrees_by_now(request, handles.options, &description))
        return PINNED_OTHER;
    *program = TAKE_FD(handles.entry);
    return PINNED_SAME;
}

static int reopen_pinned(const struct request *request, int *program, struct p2e_error *err)
{
    switch (open_pinned(request, program, err)) {
    case PINNED_SAME:
        return 0;
    case PINNED_ERROR:
    case PINNED_HIDDEN:
        return -1;
    default:
        return p2e_error_set(err,
                             "the pinned program in %s/%s was replaced or removed meanwhile; "
                             "try again",
                             request->config->pin_dir, request->filter->name);
    }
}

// ---- Loaded -------------------------------------------------------------------------------------
static int load(const struct request *request, struct p2e_handles *handles, struct p2e_error *err)
{
    _cleanup_(p2e_object_close) struct p2e_object object = {0};

    if (open_object(request->config, request->filter, &object, err))
        return -1;
    if (strcmp(object.description.canonical, request->canonical))
        return p2e_error_set(
            err, "object %s/%s.bpf.o is of other rules than %s has; run: p2e compile",
            request->config->object_dir, request->filter->name, request->config->path);
    return p2e_object_load(&object, &request->options, NULL, handles, err);
}

static int load_and_pin(const struct request *request, int *program, enum p2e_origin *origin,
                        struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    const char *pin_dir = request->config->pin_dir, *name = request->filter->name;

    if (load(request, &handles, err))
        return -1;
    *origin = P2E_LOADED_AND_PINNED;
    if (!p2e_pins_create(pin_dir, name, &handles, NULL)) {
        *program = TAKE_FD(handles.entry);
        return 0;
    }
    if (errno == EEXIST) { // another process was faster
        *origin = P2E_FROM_PIN;
        return reopen_pinned(request, program, err);
    }
    // Without a pin nothing keeps the slot filled once our descriptors go: attach the judge itself.
    *origin = P2E_LOADED_UNPINNED;
    *program = TAKE_FD(handles.judge);
    return 0;
}

static int load_and_replace(const struct request *request, int *program, enum p2e_origin *origin,
                            struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    const char *pin_dir = request->config->pin_dir, *name = request->filter->name;

    if (load(request, &handles, err) || p2e_pins_replace(pin_dir, name, &handles, err))
        return p2e_error_prefix(err,
                                "the pinned program in %s/%s is of other rules than %s has; "
                                "whoever may load replaces it: p2e load; where that was done since "
                                "this process began, start it again. Replacing it here failed",
                                pin_dir, name, request->config->path);
    *origin = P2E_LOADED_AND_PINNED;
    return reopen_pinned(request, program, err);
}

static int load_unseen(const struct request *request, int *program, enum p2e_origin *origin,
                       struct p2e_error *err)
{
    struct p2e_error hidden = *err;

    if (!load_and_pin(request, program, origin, err))
        return 0;
    return p2e_error_prefix(err, "%s. Loading it here failed", hidden.text);
}

// ---- The way in ---------------------------------------------------------------------------------
int p2e_filter_program(const struct p2e_config *config, const struct p2e_filter *filter,
                       int *program, enum p2e_origin *origin, struct p2e_error *err)
{
    struct request request = {.config = config, .filter = filter};
    _cleanup_free_ char *canonical = NULL;

    *program = -1;
    if (config->published) {
        *origin = P2E_FROM_PIN;
        return p2e_published_program(config->pin_dir, filter, program, err);
    }
    canonical = p2e_filter_canonical(filter);
    if (!canonical)
        return p2e_error_set(err, "out of memory");
    request.canonical = canonical;
    p2e_options_for(filter->transport, filter->mode, &request.options);
    switch (open_pinned(&request, program, err)) {
    case PINNED_SAME:
        *origin = P2E_FROM_PIN;
        return 0;
    case PINNED_HIDDEN:
        return load_unseen(&request, program, origin, err);
    case PINNED_NONE:
        return load_and_pin(&request, program, origin, err);
    case PINNED_OTHER:
        return load_and_replace(&request, program, origin, err);
    default:
        return -1;
    }
}

// ---- Pinning beforehand -------------------------------------------------------------------------
static bool is_of_object(const struct p2e_object *object, const struct p2e_options *wanted,
                         const struct p2e_description *pinned, int options_fd)
{
    struct p2e_options options;

    return !strcmp(pinned->canonical, object->description.canonical) &&
           !strcmp(pinned->digest, object->description.digest) &&
           !p2e_bpf_map_lookup(options_fd, 0, &options) &&
           !memcmp(&options, wanted, sizeof(options));
}

static enum pinned compare_pinned(const char *pin_dir, const char *name,
                                  const struct p2e_object *object,
                                  const struct p2e_options *options, struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description pinned = {0};
    int found = p2e_pins_open(pin_dir, name, &handles, &pinned, err);

    if (!found)
        return PINNED_NONE;
    if (found > 0)
        return is_of_object(object, options, &pinned, handles.options) ? PINNED_SAME : PINNED_OTHER;
    p2e_error_prefix(err,
                     "what is pinned for filter \"%s\" cannot be used; to pin it anew, run: p2e "
                     "unload %s, then: p2e load",
                     name, name);
    return PINNED_ERROR;
}

static int pin_new(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                   enum p2e_pinned *pinned, struct p2e_error *err)
{
    *pinned = P2E_PINNED_NEWLY;
    if (!p2e_pins_create(pin_dir, name, handles, err))
        return 0;
    if (errno != EEXIST)
        return -1;
    *pinned = P2E_PINNED_INSTEAD; // another process was faster
    return p2e_pins_replace(pin_dir, name, handles, err);
}

int p2e_filter_pin(const char *pin_dir, const struct p2e_filter *filter,
                   const struct p2e_object *object, enum p2e_pinned *pinned, struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    struct p2e_options options;
    enum pinned before;

    p2e_options_for(filter->transport, filter->mode, &options);
    before = compare_pinned(pin_dir, filter->name, object, &options, err);
    *pinned = P2E_PINNED_ALREADY;
    if (before == PINNED_SAME)
        return 0;
    if (before == PINNED_ERROR || p2e_object_load(object, &options, NULL, &handles, err))
        return -1;
    if (before == PINNED_NONE)
        return pin_new(pin_dir, filter->name, &handles, pinned, err);
    *pinned = P2E_PINNED_INSTEAD;
    return p2e_pins_replace(pin_dir, filter->name, &handles, err);
}
