#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/build.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "cli/choice.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"
#include "loader/probe.h"

struct settings {
    struct p2e_choice choice;
    const char *format;
    bool raw, json;
};

// ---- Command line -------------------------------------------------------------------------------
static int check_format(const struct p2e_command *command, struct settings *s)
{
    s->raw = s->format && !strcmp(s->format, "raw");
    if (s->format && !s->raw && strcmp(s->format, "hex"))
        return p2e_usage_error(command, "--format is hex or raw, not %s", s->format);
    return -1;
}

// -1: go on; else an exit status.
static int parse(const struct p2e_command *command, int argc, char **argv, struct settings *s)
{
    const struct p2e_option options[] = {
        P2E_CHOICE_OPTIONS(&s->choice){.name = "format", .value = &s->format},
        {.name = "json", .flag = &s->json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status < 0)
        status = p2e_choice_check(command, &s->choice);
    return status < 0 ? check_format(command, s) : status;
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
        printf("%s%s%s", verdict == P2E_COUNT_PASSED ? "" : "drop ", reason_name(verdict),
               rule ? " " : "");
        p2e_put(stdout, rule ? rule : "", 0);
        putchar('\n');
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

static int eval_filter(void *context, const char *folder, const struct p2e_filter *filter,
                       struct p2e_error *err)
{
    struct p2e_object object;
    if (p2e_build_open(folder, filter, &object, err) < 0)
        return -1;
    int result = judge_all(context, &object, err);
    p2e_object_close(&object);
    return result;
}

static int eval(const struct p2e_command *command, struct settings *s)
{
    struct p2e_error err;
    if (p2e_choice_open(&s->choice, eval_filter, s, &err) < 0)
        return p2e_fail(command, &err);
    return P2E_EXIT_OK;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    int status = parse(command, argc, argv, &s);
    if (status < 0)
        status = eval(command, &s);
    p2e_choice_free(&s.choice);
    return status;
}

const struct p2e_command p2e_eval_command = {
    .name = "eval",
    .usage = P2E_CHOICE_USAGE "[--max-depth N] [--format hex|raw] [--json]",
    .summary = "judge messages with the real program in the kernel",
    .help =
        "Reads messages from standard input and prints a line for each: `pass`, `drop malformed` "
        "or\n"
        "`drop rule ID`.\n\n" P2E_CHOICE_HELP
        "      --format hex     one message in hex a line; an empty line is the empty message\n"
        "      --format raw     binary, each message after its size as a varint\n"
        "      --json           one object a line: {\"verdict\", \"reason\", \"rule\"}\n"
        "      --help           this text\n\n"
        "Needs CAP_BPF and CAP_PERFMON (root has them).\n",
    .run = run,
};
