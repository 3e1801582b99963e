#include "cli/choice.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "bpf/abi.h"
#include "cli/common.h"

static int check_source(const struct p2e_command *command, const struct p2e_choice *choice)
{
    bool given = choice->schema || choice->message || choice->rules.count ||
                 choice->includes.count || choice->depth;
    if (choice->filter_name && given)
        return p2e_usage_error(command, "a filter is given by -f or by --schema, --message and "
                                        "their like, not by both");
    if (!choice->filter_name && (!choice->schema || !choice->message))
        return p2e_usage_error(command, "name a filter: -f NAME, or --schema FILE --message TYPE");
    if (!choice->filter_name && choice->config)
        return p2e_usage_error(command, "-c FILE goes with -f NAME");
    if (choice->rules.count > P2E_MAX_RULES)
        return p2e_usage_error(command, "a filter can have %d rules", P2E_MAX_RULES);
    return -1;
}

static int check_depth(const struct p2e_command *command, struct p2e_choice *choice)
{
    choice->max_depth = P2E_DEFAULT_MAX_DEPTH;
    if (!choice->depth)
        return -1;
    char *end;
    long depth = strtol(choice->depth, &end, 10);
    if (*end || depth < 1 || depth > P2E_MAX_DEPTH_LIMIT)
        return p2e_usage_error(command, "--max-depth is a number from 1 to %d, not %s",
                               P2E_MAX_DEPTH_LIMIT, choice->depth);
    choice->max_depth = depth;
    return -1;
}

int p2e_choice_check(const struct p2e_command *command, struct p2e_choice *choice)
{
    int status = check_source(command, choice);
    return status < 0 ? check_depth(command, choice) : status;
}

typedef int use_filter(void *context, const char *folder, const struct p2e_filter *filter,
                       struct p2e_error *err);

static int open_configured(const struct p2e_choice *choice, use_filter *use, void *context,
                           struct p2e_error *err)
{
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(choice->config, &config, err) < 0)
        return -1;
    const struct p2e_filter *filter = p2e_named_filter(&config, choice->filter_name, err);
    return filter ? use(context, config.object_dir, filter, err) : -1;
}

static int open_given(const struct p2e_choice *choice, use_filter *use, void *context,
                      struct p2e_error *err)
{
    char ids[choice->rules.count + 1][32];
    struct p2e_rule rules[choice->rules.count + 1];
    for (size_t i = 0; i < choice->rules.count; i++) {
        snprintf(ids[i], sizeof(ids[i]), "rule%zu", i + 1);
        rules[i] =
            (struct p2e_rule){.id = ids[i], .expression = choice->rules.values[i], .message = ""};
    }
    struct p2e_filter filter = {
        .name = "eval",
        .schema = (char *)choice->schema,
        .includes = choice->includes.values,
        .include_count = choice->includes.count,
        .message = (char *)choice->message,
        .rules = rules,
        .rule_count = choice->rules.count,
        .max_depth = choice->max_depth,
    };
    return use(context, NULL, &filter, err);
}

int p2e_choice_open(const struct p2e_choice *choice, use_filter *use, void *context,
                    struct p2e_error *err)
{
    return (choice->filter_name ? open_configured : open_given)(choice, use, context, err);
}

void p2e_choice_free(struct p2e_choice *choice)
{
    p2e_option_list_free(&choice->includes);
    p2e_option_list_free(&choice->rules);
}
