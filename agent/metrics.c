#include "agent/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/survey.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/version.h"

// All filters of a configuration: a metric's lines stand together, so that each is gone over for
// every metric.
struct surveys {
    struct p2e_survey *of;
    size_t count;
};

static const char *const verdicts[] = {"passed", "malformed", "oversized", "aggregated", "busy"};

static void surveys_free(struct surveys *surveys)
{
    for (size_t i = 0; i < surveys->count; i++)
        p2e_survey_free(&surveys->of[i]);
    free(surveys->of);
}

static int surveys_take(const struct p2e_config *config, struct surveys *surveys,
                        struct p2e_error *err)
{
    surveys->of = calloc(config->filter_count + 1, sizeof(*surveys->of));
    if (!surveys->of)
        return p2e_error_set(err, "out of memory");
    for (; surveys->count < config->filter_count; surveys->count++)
        p2e_survey_take(config, &config->filters[surveys->count], &surveys->of[surveys->count]);
    return 0;
}

// ---- Lines --------------------------------------------------------------------------------------
static void print_head(struct p2e_buffer *out, const char *name, const char *type, const char *help)
{
    p2e_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_escaped(struct p2e_buffer *out, const char *text, size_t size)
{
    if (*text == '\n')
        p2e_buffer_puts(out, "\\n");
    else if (*text == '"' || *text == '\\')
        p2e_buffer_printf(out, "\\%c", *text);
    else
        p2e_buffer_add(out, text, size);
}

// A label with its value in quotes. Values are UTF-8, whatever the bytes that went in.
static void print_label(struct p2e_buffer *out, const char *label, const char *value)
{
    size_t left = strlen(value), size;
    uint32_t code;
    p2e_buffer_printf(out, "%s=\"", label);
    for (; left; value += size, left -= size) {
        size = p2e_utf8_decode(value, left, &code);
        if (size)
            print_escaped(out, value, size);
        else
            p2e_buffer_puts(out, "\uFFFD");
        size = size ? size : 1;
    }
    p2e_buffer_puts(out, "\"");
}

static void print_sample(struct p2e_buffer *out, const char *name, const struct p2e_survey *survey,
                         const char *label, const char *value, uint64_t count)
{
    p2e_buffer_printf(out, "%s{", name);
    print_label(out, "filter", survey->filter->name);
    p2e_buffer_puts(out, ",");
    print_label(out, label, value);
    p2e_buffer_printf(out, "} %" PRIu64 "\n", count);
}

// ---- Metrics ------------------------------------------------------------------------------------
static void print_build(struct p2e_buffer *out)
{
    print_head(out, "p2e_build_info", "gauge", "The version of p2e that reports.");
    p2e_buffer_puts(out, "p2e_build_info{");
    print_label(out, "version", P2E_VERSION);
    p2e_buffer_puts(out, "} 1\n");
}

static void print_info(const struct surveys *surveys, struct p2e_buffer *out)
{
    print_head(out, "p2e_filter_info", "gauge", "What is pinned of a filter.");
    for (size_t i = 0; i < surveys->count; i++) {
        const struct p2e_survey *survey = &surveys->of[i];
        if (!survey->is_pinned)
            continue;
        p2e_buffer_puts(out, "p2e_filter_info{");
        print_label(out, "filter", survey->filter->name);
        p2e_buffer_puts(out, ",");
        print_label(out, "transport", p2e_transport_name(survey->filter->transport));
        p2e_buffer_puts(out, ",");
        print_label(out, "message", survey->description.message);
        p2e_buffer_puts(out, ",");
        print_label(out, "mode", survey->options.monitor ? "monitor" : "enforce");
        p2e_buffer_puts(out, ",");
        print_label(out, "digest", survey->description.digest);
        p2e_buffer_puts(out, "} 1\n");
    }
}

static void print_up(const struct surveys *surveys, struct p2e_buffer *out)
{
    print_head(out, "p2e_filter_up", "gauge",
               "Whether the filter is pinned with the rules that the configuration has.");
    for (size_t i = 0; i < surveys->count; i++) {
        p2e_buffer_puts(out, "p2e_filter_up{");
        print_label(out, "filter", surveys->of[i].filter->name);
        p2e_buffer_printf(out, "} %d\n", surveys->of[i].is_up);
    }
}

static void print_messages(const struct surveys *surveys, struct p2e_buffer *out)
{
    static const char name[] = "p2e_messages_total";
    print_head(out, name, "counter",
               "Messages that passed, and that were dropped for another reason than a rule (in "
               "monitor mode: would have been).");
    for (size_t i = 0; i < surveys->count; i++) {
        const struct p2e_survey *survey = &surveys->of[i];
        for (size_t v = 0; survey->counters && v < P2E_COUNT_RULES; v++)
            print_sample(out, name, survey, "verdict", verdicts[v], survey->counters[v]);
    }
}

// Ids from a schema's annotations may be the same in two places; a series stands once.
static bool sum_rules_of_id(const struct p2e_survey *survey, uint32_t rule, uint64_t *sum)
{
    const struct p2e_description *d = &survey->description;
    for (uint32_t i = 0; i < rule; i++) {
        if (!strcmp(d->rule_ids[i], d->rule_ids[rule]))
            return false;
    }
    *sum = 0;
    for (uint32_t i = rule; i < d->rule_count; i++) {
        if (!strcmp(d->rule_ids[i], d->rule_ids[rule]))
            *sum += survey->counters[P2E_COUNT_RULES + i];
    }
    return true;
}

static void print_rules(const struct surveys *surveys, struct p2e_buffer *out)
{
    static const char name[] = "p2e_rule_drops_total";
    print_head(out, name, "counter",
               "Messages that were dropped (in monitor mode: would have been) because this rule, "
               "the first in order, did not hold.");
    for (size_t i = 0; i < surveys->count; i++) {
        const struct p2e_survey *survey = &surveys->of[i];
        uint64_t sum;
        for (uint32_t r = 0; survey->counters && r < survey->description.rule_count; r++) {
            if (sum_rules_of_id(survey, r, &sum))
                print_sample(out, name, survey, "rule", survey->description.rule_ids[r], sum);
        }
    }
}

static void print_reloads(const struct p2e_reloads *reloads, struct p2e_buffer *out)
{
    print_head(out, "p2e_reloads_total", "counter", "Times that the configuration was reloaded.");
    p2e_buffer_printf(out,
                      "p2e_reloads_total{result=\"success\"} %" PRIu64
                      "\np2e_reloads_total{result=\"failure\"} %" PRIu64 "\n",
                      reloads->succeeded, reloads->failed);
}

int p2e_metrics_print(const struct p2e_config *config, const struct p2e_reloads *reloads,
                      struct p2e_buffer *out, struct p2e_error *err)
{
    _cleanup_(surveys_free) struct surveys surveys = {0};
    if (surveys_take(config, &surveys, err))
        return -1;
    print_build(out);
    print_info(&surveys, out);
    print_up(&surveys, out);
    print_messages(&surveys, out);
    print_rules(&surveys, out);
    if (reloads)
        print_reloads(reloads, out);
    return out->failed ? p2e_error_set(err, "out of memory") : 0;
}

// ---- Health -------------------------------------------------------------------------------------
bool p2e_metrics_health(const struct p2e_config *config, struct p2e_buffer *out)
{
    bool healthy = true;
    for (size_t i = 0; i < config->filter_count; i++) {
        _cleanup_(p2e_survey_free) struct p2e_survey survey;
        p2e_survey_take(config, &config->filters[i], &survey);
        if (survey.is_up)
            continue;
        p2e_buffer_printf(out, "%s: %s\n", survey.filter->name, survey.reason.text);
        healthy = false;
    }
    if (healthy)
        p2e_buffer_puts(out, "ok\n");
    return healthy;
}
