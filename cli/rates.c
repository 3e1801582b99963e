#include "cli/rates.h"

#include <stdlib.h>
#include <string.h>

static double seconds_since(const struct timespec *then, const struct timespec *now)
{
    return (double)(now->tv_sec - then->tv_sec) + (double)(now->tv_nsec - then->tv_nsec) / 1e9;
}

// ---- From one look to the next ------------------------------------------------------------------
// What a counter was at the last look. Those of another program began at 0 since; of what could not
// be read then nothing is known.
static uint64_t before(const struct p2e_state *last, const struct p2e_state *now, uint32_t counter)
{
    if (last->counting == now->counting && last->counters)
        return last->counters[counter];
    return last->has_error || last->hides_counters ? now->counters[counter] : 0;
}

static int compare_reasons(const void *a, const void *b)
{
    double left = ((const struct p2e_reason *)a)->rate;
    double right = ((const struct p2e_reason *)b)->rate;
    return (left < right) - (left > right);
}

static struct p2e_reason reason_of(const struct p2e_state *state, uint32_t counter, double rate)
{
    if (counter < P2E_COUNT_RULES)
        return (struct p2e_reason){NULL, p2e_reasons[counter], rate};
    return (struct p2e_reason){state->description.rule_ids[counter - P2E_COUNT_RULES], NULL, rate};
}

static int compute(struct p2e_rates *rates, const struct p2e_state *last, double seconds)
{
    const struct p2e_state *now = &rates->state;
    uint32_t count = P2E_COUNT_RULES + now->description.rule_count;
    rates->reasons = calloc(count, sizeof(*rates->reasons));
    if (!rates->reasons)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        double rate = (double)(now->counters[i] - before(last, now, i)) / seconds;
        if (i == P2E_COUNT_PASSED)
            rates->passed = rate;
        else
            rates->dropped += rate;
        if (i != P2E_COUNT_PASSED && rate > 0)
            rates->reasons[rates->reason_count++] = reason_of(now, i, rate);
    }
    qsort(rates->reasons, rates->reason_count, sizeof(*rates->reasons), compare_reasons);
    return 0;
}

static int look(const struct p2e_config *config, struct p2e_rates *rates, double seconds)
{
    const struct p2e_filter *filter = rates->filter;
    struct p2e_state last = rates->state;
    int result = 0;
    free(rates->reasons);
    *rates = (struct p2e_rates){.filter = filter};
    p2e_state_read(config, filter->name, filter, &rates->state);
    if (rates->state.counters && !rates->state.has_error && seconds > 0)
        result = compute(rates, &last, seconds);
    p2e_state_free(&last);
    return result;
}

// ---- All filters --------------------------------------------------------------------------------
int p2e_sampler_open(const struct p2e_config *config, struct p2e_sampler *sampler,
                     struct p2e_error *err)
{
    *sampler = (struct p2e_sampler){.config = config};
    sampler->rates = calloc(config->filter_count + 1, sizeof(*sampler->rates));
    if (!sampler->rates)
        return p2e_error_set(err, "out of memory");
    clock_gettime(CLOCK_MONOTONIC, &sampler->when);
    for (size_t i = 0; i < config->filter_count; i++) {
        sampler->rates[i].filter = &config->filters[i];
        look(config, &sampler->rates[i], 0);
    }
    return 0;
}

int p2e_sampler_look(struct p2e_sampler *sampler, struct p2e_error *err)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = seconds_since(&sampler->when, &now);
    sampler->when = now;
    for (size_t i = 0; i < sampler->config->filter_count; i++) {
        if (look(sampler->config, &sampler->rates[i], seconds) < 0)
            return p2e_error_set(err, "out of memory");
    }
    return 0;
}

void p2e_sampler_close(struct p2e_sampler *sampler)
{
    for (size_t i = 0; sampler->rates && i < sampler->config->filter_count; i++) {
        p2e_state_free(&sampler->rates[i].state);
        free(sampler->rates[i].reasons);
    }
    free(sampler->rates);
}
