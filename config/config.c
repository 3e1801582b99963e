#include "config/config.h"

#include <stdlib.h>
#include <string.h>

const char *p2e_config_find(void)
{
    const char *path = secure_getenv("P2E_CONFIG");
    return path && *path ? path : P2E_CONFIG_DEFAULT_PATH;
}

// ---- Release ------------------------------------------------------------------------------------

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}

void p2e_filter_free(struct p2e_filter *filter)
{
    for (size_t i = 0; i < filter->rule_count; i++) {
        free(filter->rules[i].id);
        free(filter->rules[i].expression);
        free(filter->rules[i].message);
    }
    free(filter->rules);
    free_strings(filter->includes, filter->include_count);
    free(filter->name);
    free(filter->ports);
    free(filter->path);
    free(filter->schema);
    free(filter->message);
    free(filter->program);
    *filter = (struct p2e_filter){0};
}

void p2e_config_free(struct p2e_config *config)
{
    for (size_t i = 0; i < config->filter_count; i++)
        p2e_filter_free(&config->filters[i]);
    free(config->filters);
    free_strings(config->files, config->file_count);
    free(config->path);
    free(config->object_dir);
    free(config->pin_dir);
    *config = (struct p2e_config){0};
}

// ---- Asking -------------------------------------------------------------------------------------

const struct p2e_filter *p2e_config_filter(const struct p2e_config *config, const char *name)
{
    for (size_t i = 0; i < config->filter_count; i++)
        if (!strcmp(config->filters[i].name, name))
            return &config->filters[i];
    return NULL;
}

const char *p2e_transport_name(enum p2e_transport transport)
{
    static const char *const names[] = {
        [P2E_UDP] = "udp", [P2E_UNIXGRAM] = "unixgram", [P2E_UNIXSEQ] = "unixseq"};
    return names[transport];
}
