#include <string.h>

#include "base/buffer.h"
#include "config/config.h"

// Items carry their length, so that none can be taken for two.
static void add_item(struct p2e_buffer *b, const char *name, const char *text)
{
    p2e_buffer_printf(b, "%s %zu %s\n", name, strlen(text), text);
}

char *p2e_filter_canonical(const struct p2e_filter *filter)
{
    struct p2e_buffer b = {0};
    add_item(&b, "message", filter->message);
    p2e_buffer_printf(&b, "max_depth %u\n", filter->max_depth);
    // A program that may be preempted shares its states out in another way (bpf/state.h).
    if (filter->transport != P2E_UDP)
        p2e_buffer_printf(&b, "states shared\n");
    if (filter->annotations == P2E_ANNOTATIONS_IGNORE)
        p2e_buffer_printf(&b, "annotations ignore\n");
    p2e_buffer_printf(&b, "rules %zu\n", filter->rule_count);
    for (size_t i = 0; i < filter->rule_count; i++) {
        const struct p2e_rule *rule = &filter->rules[i];
        add_item(&b, "id", rule->id);
        add_item(&b, "expression", rule->expression);
        add_item(&b, "message", rule->message);
    }
    if (b.failed)
        p2e_buffer_free(&b);
    return b.data;
}
