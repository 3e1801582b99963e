#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/printable.h"
#include "cli/common.h"
#include "cli/options.h"
#include "cli/rates.h"
#include "cli/screen.h"

#define SHOWN_REASONS 3 // on the screen; a log has them all
#define OTHER_ROWS    4 // the heading and the sums
#define NAME_MOST     20
#define STATE_WIDTH   7 // "monitor"; what is longer has no numbers behind it

struct top {
    const struct p2e_command *command;
    struct p2e_sampler sampler;
    double interval; // seconds
    bool once;
};

// ---- Texts --------------------------------------------------------------------------------------
// On one line: an error may have more, with an excerpt.
static void add_error(struct p2e_buffer *b, const struct p2e_state *state)
{
    if (state->has_error)
        p2e_printable_add(b, state->err.text);
}

static void add_rate(struct p2e_buffer *b, double rate, int width)
{
    p2e_buffer_printf(b, "%*.*f", width, rate < 1000 ? 1 : 0, rate);
}

static void add_reasons(struct p2e_buffer *b, const struct p2e_rates *rates, size_t most,
                        const char *between)
{
    for (size_t i = 0; i < rates->reason_count && i < most; i++) {
        const struct p2e_reason *reason = &rates->reasons[i];
        p2e_buffer_puts(b, i ? between : "");
        p2e_buffer_puts(b, reason->rule ? "rule " : "");
        p2e_printable_add(b, reason->rule ? reason->rule : reason->name);
        p2e_buffer_puts(b, " ");
        add_rate(b, reason->rate, 0);
    }
}

static const char *state_name(const struct p2e_rates *rates)
{
    const struct p2e_state *state = &rates->state;
    if (strcmp(state->where, "pinned"))
        return state->where;
    if (state->agreement != P2E_AGREES)
        return "stale";
    return state->is_monitor ? "monitor" : "pinned";
}

static void add_time(struct p2e_buffer *b)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    p2e_buffer_puts(b, text);
}

static bool is_counting(const struct p2e_rates *rates)
{
    return rates->state.counters && !rates->state.has_error;
}

// ---- A page -------------------------------------------------------------------------------------
// Of the names, as far as they leave room for the reasons on a terminal of 80 columns.
static int name_width(const struct p2e_config *config)
{
    size_t width = strlen("FILTER");
    for (size_t i = 0; i < config->filter_count; i++) {
        size_t length = strlen(config->filters[i].name);
        width = length > width ? length : width;
    }
    return width < NAME_MOST ? (int)width : NAME_MOST;
}

static void add_numbers(struct p2e_buffer *b, double passed, double dropped, unsigned long all)
{
    const double rates[] = {passed + dropped, passed, dropped};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        p2e_buffer_puts(b, " ");
        add_rate(b, rates[i], 7);
    }
    p2e_buffer_printf(b, " %10lu", all);
}

static void add_heading(struct p2e_buffer *b, int width)
{
    p2e_buffer_printf(b, "%-*s %-*s %7s %7s %7s %10s  %s\n", width, "FILTER", STATE_WIDTH, "STATE",
                      "IN/s", "PASS/s", "DROP/s", "DROPPED", "WHY");
}

static void add_row(struct p2e_buffer *b, const struct p2e_rates *rates, int width)
{
    p2e_buffer_printf(b, "%-*s %-*s", width, rates->filter->name, STATE_WIDTH, state_name(rates));
    if (!is_counting(rates)) {
        p2e_buffer_puts(b, " ");
        add_error(b, &rates->state);
        p2e_buffer_puts(b, "\n");
        return;
    }
    add_numbers(b, rates->passed, rates->dropped, p2e_state_dropped(&rates->state));
    p2e_buffer_puts(b, "  ");
    add_reasons(b, rates, SHOWN_REASONS, ", ");
    p2e_buffer_puts(b, "\n");
}

// The filters that fit between the heading and the sums.
static void add_rows(struct p2e_buffer *b, const struct p2e_sampler *sampler, int width,
                     size_t most)
{
    size_t count = sampler->config->filter_count;
    size_t shown = count <= most ? count : most ? most - 1 : 0;
    for (size_t i = 0; i < shown; i++)
        add_row(b, &sampler->rates[i], width);
    if (shown < count)
        p2e_buffer_printf(b, "… and %zu more\n", count - shown);
}

static void add_sums(struct p2e_buffer *b, const struct p2e_sampler *sampler, int width)
{
    double passed = 0, dropped = 0;
    unsigned long all = 0;
    for (size_t i = 0; i < sampler->config->filter_count; i++) {
        const struct p2e_rates *rates = &sampler->rates[i];
        if (!is_counting(rates))
            continue;
        passed += rates->passed;
        dropped += rates->dropped;
        all += p2e_state_dropped(&rates->state);
    }
    p2e_buffer_printf(b, "%-*s", width + 1 + STATE_WIDTH, "total");
    add_numbers(b, passed, dropped, all);
    p2e_buffer_puts(b, "\n");
}

static void show_page(const struct top *top, const struct p2e_screen *screen)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer b = {0};
    int width = name_width(top->sampler.config);
    p2e_buffer_puts(&b, "p2e top  ");
    add_time(&b);
    p2e_buffer_printf(&b, "  every %g s, messages a second; q ends it\n\n", top->interval);
    add_heading(&b, width);
    add_rows(&b, &top->sampler, width,
             screen->rows > OTHER_ROWS ? (size_t)screen->rows - OTHER_ROWS : 0);
    add_sums(&b, &top->sampler, width);
    if (!b.failed)
        p2e_screen_show(screen, b.data);
}

// ---- A log --------------------------------------------------------------------------------------
static void add_line(struct p2e_buffer *b, const struct p2e_rates *rates)
{
    add_time(b);
    p2e_buffer_printf(b, " %s: %s", rates->filter->name, state_name(rates));
    if (rates->state.has_error) {
        p2e_buffer_puts(b, ": ");
        add_error(b, &rates->state);
    }
    if (is_counting(rates)) {
        p2e_buffer_puts(b, ", in ");
        add_rate(b, rates->passed + rates->dropped, 0);
        p2e_buffer_puts(b, "/s, passed ");
        add_rate(b, rates->passed, 0);
        p2e_buffer_puts(b, "/s, dropped ");
        add_rate(b, rates->dropped, 0);
        p2e_buffer_puts(b, rates->reason_count ? "/s: " : "/s");
        add_reasons(b, rates, rates->reason_count, ", ");
    }
    p2e_buffer_puts(b, "\n");
}

static void print_lines(const struct p2e_sampler *sampler)
{
    for (size_t i = 0; i < sampler->config->filter_count; i++) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer b = {0};
        add_line(&b, &sampler->rates[i]);
        if (!b.failed)
            fputs(b.data, stdout);
    }
    fflush(stdout);
}

// ---- Looking, again and again -------------------------------------------------------------------
static int check_readable(const struct p2e_sampler *sampler, struct p2e_error *err)
{
    for (size_t i = 0; i < sampler->config->filter_count; i++) {
        if (sampler->rates[i].state.hides_counters)
            return p2e_error_set(err, "counters are for root: run p2e top as root");
    }
    return 0;
}

static int look(struct top *top, struct p2e_error *err)
{
    return p2e_sampler_look(&top->sampler, err) < 0 ? -1 : check_readable(&top->sampler, err);
}

static void pause_for(double seconds)
{
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left))
        continue;
}

static int run_batch(struct top *top, struct p2e_error *err)
{
    do {
        pause_for(top->interval);
        if (look(top, err) < 0)
            return -1;
        print_lines(&top->sampler);
    } while (!top->once && !ferror(stdout));
    return 0;
}

// How long to wait until a full interval is over since the last look.
static int milliseconds_left(const struct top *top)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double gone = (double)(now.tv_sec - top->sampler.when.tv_sec) +
                  (double)(now.tv_nsec - top->sampler.when.tv_nsec) / 1e9;
    return gone < top->interval ? (int)((top->interval - gone) * 1e3) + 1 : 0;
}

// 0 when its user has had enough, a signal that is to end us, or -1.
static int run_pages(struct top *top, struct p2e_screen *screen, struct p2e_error *err)
{
    int signal = 0;
    for (;;) {
        show_page(top, screen);
        if (ferror(stdout))
            return 0;
        switch (p2e_screen_wait(screen, milliseconds_left(top), &signal)) {
        case P2E_SCREEN_TIME:
            if (look(top, err) < 0)
                return -1;
            break;
        case P2E_SCREEN_REDRAW:
            break;
        case P2E_SCREEN_SIGNAL:
            return signal;
        case P2E_SCREEN_QUIT:
            return 0;
        }
    }
}

// A signal ends us after all, once the terminal is as it was.
static int run_screen(struct top *top, struct p2e_error *err)
{
    _cleanup_(p2e_screen_close) struct p2e_screen screen = {.signals = -1};
    if (p2e_screen_open(&screen, err) < 0)
        return -1;
    int ended = run_pages(top, &screen, err);
    p2e_screen_close(&screen);
    if (ended > 0) {
        signal(ended, SIG_DFL);
        raise(ended);
    }
    return ended < 0 ? -1 : 0;
}

static int run_top(struct top *top, const struct p2e_config *config, bool batch)
{
    struct p2e_error err;
    int result = p2e_sampler_open(config, &top->sampler, &err);
    if (result == 0)
        result = check_readable(&top->sampler, &err);
    if (result == 0)
        result = batch ? run_batch(top, &err) : run_screen(top, &err);
    p2e_sampler_close(&top->sampler);
    return result < 0 ? p2e_fail(top->command, &err) : P2E_EXIT_OK;
}

static int read_interval(const struct p2e_command *command, const char *text, double *interval)
{
    char *end;
    *interval = 1;
    if (!text)
        return -1;
    *interval = strtod(text, &end);
    if (end == text || *end || !(*interval >= 0.1 && *interval <= 3600))
        return p2e_usage_error(command,
                               "--interval is a number of seconds from 0.1 to 3600, not %s", text);
    return -1;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    const char *path = NULL, *interval = NULL;
    bool batch = false;
    struct p2e_error err;
    struct top top = {.command = command};
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &path},
        {.name = "interval", .value = &interval},
        {.name = "once", .flag = &top.once},
        {.name = "batch", .flag = &batch},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status < 0)
        status = read_interval(command, interval, &top.interval);
    if (status >= 0)
        return status;
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(path, &config, &err) < 0)
        return p2e_fail(command, &err);
    return run_top(&top, &config, batch || top.once || !p2e_screen_possible());
}

const struct p2e_command p2e_top_command = {
    .name = "top",
    .usage = "[-c FILE] [--interval S] [--once] [--batch]",
    .summary = "show what filters pass and drop, live",
    .help = "For each filter: messages a second that came in, passed and were dropped, how many "
            "were\n"
            "dropped since it was loaded, and the reasons that drop the most. Filters that are "
            "loaded,\n"
            "replaced or removed meanwhile are followed. q ends it.\n\n"
            "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
            "      --interval S     look every so many seconds (1), 0.1 to 3600\n"
            "      --once           print lines for one interval, and end\n"
            "      --batch          print lines, for a log; so it is where there is no terminal\n"
            "      --help           this text\n",
    .run = run,
};
