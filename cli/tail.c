#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/options.h"
#include "cli/sample.h"

#define RATE_DEFAULT 20
#define RATE_MAX     10000
#define TICK         (1000 / P2E_FOLLOW_TICKS) // milliseconds

struct settings {
    const char *config, *format_name, *rate_text, *count_text, *record;
    bool json;
    enum p2e_sample_format format;
    unsigned long rate, count; // count: 0 for no end
};

// What is looked at, and how far it has come.
struct tail {
    const struct settings *settings;
    struct p2e_config config;
    struct p2e_follow *watches;
    size_t watch_count;
    FILE *record;
    unsigned long shown, unrecorded;
};

// ---- Command line -------------------------------------------------------------------------------
static int parse_number(const struct p2e_command *command, const char *option, const char *text,
                        unsigned long most, unsigned long *number)
{
    char *end;
    if (!text)
        return -1;
    errno = 0;
    *number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || *number < 1 || *number > most)
        return p2e_usage_error(command, "--%s is a number from 1 to %lu, not %s", option, most,
                               text);
    return -1;
}

static int parse_format(const struct p2e_command *command, struct settings *s)
{
    static const char *const names[] = {"text", "json", "hex"};
    if (!s->format_name)
        return -1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        s->format = (enum p2e_sample_format)i;
        if (!strcmp(s->format_name, names[i]))
            return -1;
    }
    return p2e_usage_error(command, "--format is text, json or hex, not %s", s->format_name);
}

// -1: go on; else an exit status.
static int parse(const struct p2e_command *command, int argc, char **argv, struct settings *s,
                 int *names)
{
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &s->config},
        {.name = "rate", .value = &s->rate_text},
        {.name = "count", .value = &s->count_text},
        {.name = "format", .value = &s->format_name},
        {.name = "record", .value = &s->record},
        {.name = "json", .flag = &s->json},
        {0},
    };
    s->rate = RATE_DEFAULT;
    int status = p2e_parse_options(command, argc, argv, options, names);
    if (status < 0)
        status = parse_number(command, "rate", s->rate_text, RATE_MAX, &s->rate);
    if (status < 0)
        status = parse_number(command, "count", s->count_text, LONG_MAX, &s->count);
    return status < 0 ? parse_format(command, s) : status;
}

// ---- Filters ------------------------------------------------------------------------------------
static void add_filter(struct tail *t, const struct p2e_filter *filter)
{
    for (size_t i = 0; i < t->watch_count; i++) {
        if (t->watches[i].filter == filter)
            return;
    }
    t->watches[t->watch_count++] = (struct p2e_follow){
        .config = &t->config, .filter = filter, .credit = (double)t->settings->rate};
}

static int add_named(struct tail *t, const char *name, struct p2e_error *err)
{
    const struct p2e_filter *filter = p2e_named_filter(&t->config, name, err);
    if (!filter)
        return -1;
    add_filter(t, filter);
    return 0;
}

// Those that are named; without a name, all.
static int choose(struct tail *t, char **names, struct p2e_error *err)
{
    t->watches = calloc(t->config.filter_count + 1, sizeof(*t->watches));
    if (!t->watches)
        return p2e_error_set(err, "out of memory");
    for (size_t i = 0; !*names && i < t->config.filter_count; i++)
        add_filter(t, &t->config.filters[i]);
    for (; *names; names++) {
        if (add_named(t, *names, err) < 0)
            return -1;
    }
    return 0;
}

static void say_decoding(const struct p2e_follow *watch)
{
    if (!watch->type)
        fprintf(stderr, "p2e tail: filter \"%s\": its messages are shown in hex: %s\n",
                watch->filter->name, watch->no_type.text);
}

static int open_first(struct tail *t, bool are_named, struct p2e_error *err)
{
    size_t found = 0;
    if (p2e_pins_check_dir(t->config.pin_dir, err) < 0)
        return -1;
    for (size_t i = 0; i < t->watch_count; i++) {
        struct p2e_follow *watch = &t->watches[i];
        int result = p2e_follow_look(watch, err);
        if (result < 0)
            return -1;
        if (!result && are_named)
            return p2e_error_set(err,
                                 "filter \"%s\" is not pinned in %s: start its server first (p2e "
                                 "run)",
                                 watch->filter->name, t->config.pin_dir);
        if (!result)
            continue;
        found++;
        say_decoding(watch);
    }
    if (!found)
        return p2e_error_set(err, "no filter of %s is pinned in %s: start a server first (p2e run)",
                             t->config.path, t->config.pin_dir);
    return 0;
}

// ---- The record: binary, each message after its size as a varint, as p2e eval takes it ----------
static int open_record(struct tail *t, struct p2e_error *err)
{
    const char *path = t->settings->record;
    if (!path)
        return 0;
    // It holds messages: for its owner alone. What is there already may be somebody's.
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return p2e_error_set(err, "%s is there already; name a file that is not", path);
    t->record = fd < 0 ? NULL : fdopen(fd, "w");
    return t->record ? 0 : p2e_error_set(err, "cannot write %s: %m", path);
}

static void record(struct tail *t, const struct p2e_sample *sample, const void *message)
{
    if (!t->record)
        return;
    if (!p2e_sample_is_whole(sample)) {
        t->unrecorded++;
        return;
    }
    uint32_t size = sample->size;
    for (; size > 0x7f; size >>= 7)
        putc((int)(size & 0x7f) | 0x80, t->record);
    putc((int)size, t->record);
    fwrite(message, 1, sample->size, t->record);
}

static int flush_record(const struct tail *t, struct p2e_error *err)
{
    if (t->record && (fflush(t->record) == EOF || ferror(t->record)))
        return p2e_error_set(err, "cannot write %s: %m", t->settings->record);
    return 0;
}

// ---- Samples ------------------------------------------------------------------------------------
static int show(struct tail *t, const struct p2e_follow *watch, const struct p2e_sample *sample,
                const void *message, struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer out = {0};
    if (t->settings->json)
        p2e_sample_print_json(watch, sample, message, t->settings->format, &out);
    else
        p2e_sample_print(watch, sample, message, t->settings->format, &out);
    if (out.failed || !out.data)
        return p2e_error_set(err, "out of memory");
    fwrite(out.data, 1, out.size, stdout);
    record(t, sample, message);
    t->shown++;
    return 0;
}

static bool is_done(const struct tail *t)
{
    return t->settings->count && t->shown >= t->settings->count;
}

static int show_all(struct tail *t, struct p2e_follow *watch, struct p2e_error *err)
{
    struct p2e_sample sample;
    char message[P2E_SAMPLE_MAX];
    while (!is_done(t) && p2e_follow_next(watch, &sample, message)) {
        if (show(t, watch, &sample, message, err) < 0)
            return -1;
    }
    return 0;
}

// A filter that is replaced is followed. What stands in the way now may be gone with the next look.
static void follow(struct p2e_follow *watch)
{
    struct p2e_error ignored;
    if (p2e_follow_look(watch, &ignored) > 0)
        say_decoding(watch);
}

static int tick(struct tail *t, struct p2e_error *err)
{
    for (size_t i = 0; i < t->watch_count; i++) {
        if (show_all(t, &t->watches[i], err) < 0)
            return -1;
        follow(&t->watches[i]);
        p2e_follow_refill(&t->watches[i], (double)t->settings->rate);
    }
    if (fflush(stdout) == EOF)
        return p2e_error_set(err, "the output could not be written: %m");
    return flush_record(t, err);
}

// ---- Until a signal comes -----------------------------------------------------------------------
static int catch_signals(struct p2e_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? p2e_error_set(err, "cannot wait for signals: %m") : fd;
}

static int watch_all(struct tail *t, struct p2e_error *err)
{
    _cleanup_fd_ int signals = catch_signals(err);
    if (signals < 0)
        return -1;
    struct pollfd waiting = {.fd = signals, .events = POLLIN};
    for (bool first = true; !is_done(t); first = false) {
        if (tick(t, err) < 0)
            return -1;
        if (first)
            fprintf(stderr, "p2e tail: looking at what is dropped; Ctrl-C ends it\n");
        if (poll(&waiting, 1, TICK) > 0)
            break;
    }
    return tick(t, err);
}

static int run_tail(struct tail *t, char **names, struct p2e_error *err)
{
    if (p2e_read_config(t->settings->config, &t->config, err) < 0 || choose(t, names, err) < 0 ||
        open_first(t, *names, err) < 0 || open_record(t, err) < 0 || watch_all(t, err) < 0)
        return -1;
    if (t->unrecorded)
        fprintf(stderr,
                "p2e tail: %lu message%s not recorded: cut short, or never judged as a message\n",
                t->unrecorded, t->unrecorded == 1 ? " was" : "s were");
    return 0;
}

static void tail_free(struct tail *t)
{
    for (size_t i = 0; i < t->watch_count; i++)
        p2e_follow_close(&t->watches[i]);
    free(t->watches);
    if (t->record)
        fclose(t->record);
    p2e_config_free(&t->config);
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    struct p2e_error err;
    int names, status = parse(command, argc, argv, &s, &names);
    if (status >= 0)
        return status;
    _cleanup_(tail_free) struct tail t = {.settings = &s};
    if (run_tail(&t, argv + names, &err) == 0)
        return P2E_EXIT_OK;
    // Of the output, main says it.
    return ferror(stdout) ? P2E_EXIT_FAILED : p2e_fail(command, &err);
}

const struct p2e_command p2e_tail_command = {
    .name = "tail",
    .usage = "[-c FILE] [--rate N] [--count N] [--format text|json|hex] [--record FILE] [--json] "
             "[FILTER]…",
    .summary = "show dropped messages as they come, and why",
    .help =
        "For each message that one of the filters drops (or, in monitor mode, would drop): when, "
        "from\n"
        "whom, why, and the message itself, decoded by its schema; in hex where it is malformed, "
        "with a\n"
        "\">\" in front of the field at fault. Without a FILTER, all that are pinned. A filter "
        "that is\n"
        "replaced meanwhile is followed. Under a flood, some of the messages are shown. Ends at "
        "SIGINT\n"
        "and SIGTERM.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --rate N         at most so many messages a second of each filter (20)\n"
        "      --count N        end after so many messages\n"
        "      --format text    the message in protobuf's text format\n"
        "      --format json    in the JSON that protobuf maps it to\n"
        "      --format hex     as it was sent\n"
        "      --record FILE    keep the messages in a new file, for: p2e eval --format raw\n"
        "      --json           one object a line: {\"time\", \"filter\", \"mode\", \"source\", "
        "\"reason\",\n"
        "                       \"offset\", \"rule\", \"rule_message\", \"size\", \"included\", "
        "\"message\" or\n"
        "                       \"hex\"}\n"
        "      --help           this text\n\n"
        "Needs root: the samples hold messages.\n",
    .run = run,
};
