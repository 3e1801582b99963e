#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"
#include "config/filter.h"

#define ID_CHARACTERS                                                                              \
    "abcdefghijklmnopqrstuvwxyz"                                                                   \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:"
#define ID_MAX 127

static int read_id(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_rule *rule = target;
    if (p2e_value_copy(r, setting, &rule->id) < 0)
        return -1;
    size_t length = strlen(rule->id);
    if (length > ID_MAX || strspn(rule->id, ID_CHARACTERS) != length)
        return p2e_value_fail(r, setting,
                              "rule id \"%s\" cannot be used; an id is up to %d letters, digits "
                              "and . _ - / :",
                              rule->id, ID_MAX);
    return 0;
}

static int read_expression(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_rule *rule = target;
    struct p2e_source_line place = p2e_value_place(r, setting);
    rule->file = place.file;
    rule->line = place.line;
    return p2e_value_copy(r, setting, &rule->expression);
}

static int read_message(struct p2e_reader *r, const config_setting_t *setting, void *target)
{
    struct p2e_rule *rule = target;
    return p2e_value_copy(r, setting, &rule->message);
}

static const struct p2e_key rule_keys[] = {
    {"id", read_id, NULL},
    {"expression", read_expression, "the condition in CEL that a message must meet to pass"},
    {"message", read_message, NULL},
};

static const struct p2e_keys keys_of_rule = {"a rule", rule_keys,
                                             sizeof(rule_keys) / sizeof(*rule_keys)};

static int read_rule(struct p2e_reader *r, const config_setting_t *item, size_t index,
                     struct p2e_rule *rule)
{
    int result;
    switch (config_setting_type(item)) {
    case CONFIG_TYPE_STRING:
        result = read_expression(r, item, rule);
        break;
    case CONFIG_TYPE_GROUP:
        result = p2e_value_group(r, item, &keys_of_rule, rule);
        break;
    default:
        return p2e_value_fail_type(r, item, "a CEL expression in a string, or a group { }");
    }
    if (result < 0)
        return -1;

    if (!rule->message)
        rule->message = strdup("");
    if (!rule->id && asprintf(&rule->id, "rule%zu", index + 1) < 0)
        rule->id = NULL;
    return rule->message && rule->id ? 0 : p2e_value_fail_memory(r);
}

static int check_unique(const struct p2e_reader *r, const config_setting_t *item,
                        const struct p2e_filter *filter, const struct p2e_rule *rule)
{
    for (const struct p2e_rule *other = filter->rules; other < rule; other++)
        if (!strcmp(other->id, rule->id))
            return p2e_value_fail(r, item,
                                  "two rules of this filter have the id \"%s\"; the other is at "
                                  "%s:%u",
                                  rule->id, other->file, other->line);
    return 0;
}

int p2e_filter_read_rules(struct p2e_reader *r, const config_setting_t *list, void *target)
{
    struct p2e_filter *filter = target;
    if (!p2e_value_is_list(list))
        return p2e_value_fail_type(r, list, "a list ( ) of rules");
    size_t count = (size_t)config_setting_length(list);
    if (count > P2E_MAX_RULES)
        return p2e_value_fail(r, list, "\"rules\" holds %zu rules; a filter can have %d", count,
                              P2E_MAX_RULES);
    filter->rules = calloc(count + 1, sizeof(*filter->rules));
    if (!filter->rules)
        return p2e_value_fail_memory(r);
    filter->rule_count = count;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(list, (unsigned)i);
        if (read_rule(r, item, i, &filter->rules[i]) < 0 ||
            check_unique(r, item, filter, &filter->rules[i]) < 0)
            return -1;
    }
    return 0;
}
