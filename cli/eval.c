#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "cli/build.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"
#include "loader/probe.h"

struct settings {
    const char *config, *filter_name;
    const char *schema, *message;
    struct p2e_option_list includes, rules;
    const char *format, *depth;
    unsigned max_depth;
    bool raw, json;
};

// ---- Command line -------------------------------------------------------------------------------
static int check_source(const struct p2e_command *command, const struct settings *s)
{
    bool given = s->schema || s->message || s->rules.count || s->includes.count || s->depth;
    if (s->filter_name && given)
        return p2e_usage_error(command, "a filter is given by -f or by --schema, --message and "
                                        "their like, not by both");
    if (!s->filter_name && (!s->schema || !s->message))
        return p2e_usage_error(command, "name a filter: -f NAME, or --schema FILE --message TYPE");
    if (!s->filter_name && s->config)
        return p2e_usage_error(command, "-c FILE goes with -f NAME");
    if (s->rules.count > P2E_MAX_RULES)
        return p2e_usage_error(command, "a filter can have %d rules", P2E_MAX_RULES);
    return -1;
}

static int check_format(const struct p2e_command *command, struct settings *s)
{
    s->raw = s->format && !strcmp(s->format, "raw");
    if (s->format && !s->raw && strcmp(s->format, "hex"))
        return p2e_usage_error(command, "--format is hex or raw, not %s", s->format);
    return -1;
}

static int check_depth(const struct p2e_command *command, struct settings *s)
{
    s->max_depth = P2E_DEFAULT_MAX_DEPTH;
    if (!s->depth)
        return -1;
    char *end;
    long depth = strtol(s->depth, &end, 10);
    if (*end || depth < 1 || depth > P2E_MAX_DEPTH_LIMIT)
        return p2e_usage_error(command, "--max-depth is a number from 1 to %d, not %s",
                               P2E_MAX_DEPTH_LIMIT, s->depth);
    s->max_depth = depth;
    return -1;
}

// -1: go on; else an exit status.
static int parse(const struct p2e_command *command, int argc, char **argv, struct settings *s)
{
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &s->config},
        {.name = "filter", .letter = 'f', .value = &s->filter_name},
        {.name = "schema", .value = &s->schema},
        {.name = "include", .letter = 'I', .list = &s->includes},
        {.name = "message", .value = &s->message},
        {.name = "rule", .list = &s->rules},
        {.name = "format", .value = &s->format},
        {.name = "max-depth", .value = &s->depth},
        {.name = "json", .flag = &s->json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status < 0)
        status = check_source(command, s);
    if (status < 0)
        status = check_format(command, s);
    return status < 0 ? check_depth(command, s) : status;
}

// ---- Verdicts -----------------------------------------------------------------------------------
static const char *reason_name(uint32_t verdict)
{
    static const char *const names[] = {"pass", "malformed", "oversized", "aggregated", "busy"};
    return verdict < P2E_COUNT_RULES ? names[verdict] : "rule";
}

static void print_verdict(const struct settings *s, const struct p2e_object *object,
                          uint32_t verdict)
{
    const char *rule =
        verdict >= P2E_COUNT_RULES ? object->description.rule_ids[verdict - P2E_COUNT_RULES] : NULL;
    if (!s->json) {
        printf("%s%s%s%s\n", verdict == P2E_COUNT_PASSED ? "" : "drop ", reason_name(verdict),
               rule ? " " : "", rule ? rule : "");
        return;
    }
    printf("{\"verdict\":\"%s\"", verdict == P2E_COUNT_PASSED ? "pass" : "drop");
    if (verdict != P2E_COUNT_PASSED)
        printf(",\"reason\":\"%s\"", reason_name(verdict));
    if (rule)
        p2e_json_text("rule", rule, false);
    printf("}\n");
}

struct run {
    const struct settings *settings;
    const struct p2e_object *object;
    struct p2e_probe probe;
    struct p2e_error *err;
};

static int judge(struct run *run, const void *message, size_t size)
{
    // What cannot even be put into a datagram is known to be too long.
    uint32_t verdict = P2E_COUNT_OVERSIZED;
    if (size <= P2E_MAX_MESSAGE &&
        p2e_probe_run(&run->probe, message, size, &verdict, run->err) < 0)
        return -1;
    print_verdict(run->settings, run->object, verdict);
    return 0;
}

// ---- Input: one message a line in hex -----------------------------------------------------------
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// In place; -1 when it is not hex.
static ssize_t decode_hex(char *line, size_t length)
{
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (length % 2)
        return -1;
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(line[i]), low = hex_digit(line[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        line[i / 2] = (char)(high << 4 | low);
    }
    return length / 2;
}

static int judge_lines(struct run *run)
{
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0, number = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) >= 0) {
        number++;
        ssize_t size = decode_hex(line, length);
        if (size < 0)
            return p2e_error_set(run->err, "line %zu of the input is not hex", number);
        if (judge(run, line, size) < 0)
            return p2e_error_prefix(run->err, "line %zu", number);
    }
    return 0;
}

// ---- Input: binary, each message after its size as a varint (protobuf's delimited streams) ------
// 1: read; 0: the stream ends here; -1: it is broken.
static int read_size(size_t *size)
{
    *size = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        int byte = getchar();
        if (byte == EOF)
            return shift ? -1 : 0;
        *size |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 1;
    }
    return -1;
}

static int judge_stream(struct run *run)
{
    size_t size, number = 0;
    int more;
    while ((more = read_size(&size)) > 0) {
        number++;
        if (size > 64 << 20)
            return p2e_error_set(run->err, "message %zu claims %zu bytes", number, size);
        _cleanup_free_ char *message = malloc(size + 1);
        if (!message)
            return p2e_error_set(run->err, "out of memory");
        if (fread(message, 1, size, stdin) != size)
            return p2e_error_set(run->err, "the input ends inside of message %zu", number);
        if (judge(run, message, size) < 0)
            return p2e_error_prefix(run->err, "message %zu", number);
    }
    return more == 0 ? 0 : p2e_error_set(run->err, "the size of message %zu is broken", number + 1);
}

// ---- Whole --------------------------------------------------------------------------------------
static int judge_all(const struct settings *s, const struct p2e_object *object,
                     struct p2e_error *err)
{
    struct run run = {.settings = s, .object = object, .err = err};
    if (p2e_probe_open(object, "/tmp/p2e-verifier.log", &run.probe, err) < 0)
        return -1;
    int result = s->raw ? judge_stream(&run) : judge_lines(&run);
    p2e_probe_close(&run.probe);
    if (result == 0 && ferror(stdin))
        return p2e_error_set(err, "cannot read the input: %s", strerror(errno));
    return result;
}

static int eval_filter(const struct settings *s, const char *folder,
                       const struct p2e_filter *filter, struct p2e_error *err)
{
    struct p2e_object object;
    if (p2e_build_open(folder, filter, &object, err) < 0)
        return -1;
    int result = judge_all(s, &object, err);
    p2e_object_close(&object);
    return result;
}

static int eval_configured(const struct settings *s, struct p2e_error *err)
{
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(s->config, &config, err) < 0)
        return -1;
    const struct p2e_filter *filter = p2e_config_filter(&config, s->filter_name);
    if (!filter)
        return p2e_error_set(err, "%s has no filter \"%s\"", config.path, s->filter_name);
    return eval_filter(s, config.object_dir, filter, err);
}

static int eval_given(const struct settings *s, struct p2e_error *err)
{
    char ids[s->rules.count + 1][32];
    struct p2e_rule rules[s->rules.count + 1];
    for (size_t i = 0; i < s->rules.count; i++) {
        snprintf(ids[i], sizeof(ids[i]), "rule%zu", i + 1);
        rules[i] = (struct p2e_rule){.id = ids[i], .expression = s->rules.values[i], .message = ""};
    }
    struct p2e_filter filter = {
        .name = "eval",
        .schema = (char *)s->schema,
        .includes = s->includes.values,
        .include_count = s->includes.count,
        .message = (char *)s->message,
        .rules = rules,
        .rule_count = s->rules.count,
        .max_depth = s->max_depth,
    };
    return eval_filter(s, NULL, &filter, err);
}

static int eval(const struct p2e_command *command, struct settings *s)
{
    struct p2e_error err;
    if ((s->filter_name ? eval_configured(s, &err) : eval_given(s, &err)) < 0)
        return p2e_fail(command, &err);
    return P2E_EXIT_OK;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    int status = parse(command, argc, argv, &s);
    if (status < 0)
        status = eval(command, &s);
    p2e_option_list_free(&s.includes);
    p2e_option_list_free(&s.rules);
    return status;
}

const struct p2e_command p2e_eval_command = {
    .name = "eval",
    .usage = "(-c FILE -f NAME | --schema FILE [-I DIR]… --message TYPE [--rule EXPR]…) "
             "[--max-depth N] [--format hex|raw] [--json]",
    .summary = "judge messages with the real program in the kernel",
    .help =
        "Reads messages from standard input and prints a line for each: `pass`, `drop malformed` "
        "or\n"
        "`drop rule ID`.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "  -f, --filter NAME    the filter in it\n"
        "      --schema FILE    a .proto file or a FileDescriptorSet, instead of -c and -f\n"
        "  -I, --include DIR    where the .proto file's imports are\n"
        "      --message TYPE   the message type\n"
        "      --rule EXPR      a CEL expression that must hold; they are called rule1, rule2, …\n"
        "      --max-depth N    how deep submessages may nest (32)\n"
        "      --format hex     one message in hex a line; an empty line is the empty message\n"
        "      --format raw     binary, each message after its size as a varint\n"
        "      --json           one object a line: {\"verdict\", \"reason\", \"rule\"}\n"
        "      --help           this text\n\n"
        "Needs CAP_BPF and CAP_PERFMON (root has them).\n",
    .run = run,
};
