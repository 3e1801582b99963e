#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/build.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/sockets.h"
#include "cli/state.h"

// ---- Sockets ------------------------------------------------------------------------------------
// A socket that a filter is for.
struct row {
    const struct p2e_filter *filter;
    pid_t pid;
    uid_t uid;
    int fd;
    enum p2e_filtering filtering;
    char command[sizeof(((struct p2e_process *)0)->command)];
    char place[sizeof(((struct p2e_socket *)0)->place)];
};

struct rows {
    const struct p2e_command *command;
    struct row *rows;
    size_t count;
    bool hidden; // there are processes that may not be looked into
    bool failed;
};

static void rows_free(struct rows *rows)
{
    free(rows->rows);
}

static int add_row(struct rows *rows, const struct p2e_socket *socket)
{
    struct row *grown = reallocarray(rows->rows, rows->count + 1, sizeof(*grown));
    if (!grown) {
        rows->failed = true;
        return 1;
    }
    rows->rows = grown;
    struct row *row = &grown[rows->count++];
    *row = (struct row){socket->filter,
                        socket->process->pid,
                        socket->process->uid,
                        socket->fd,
                        socket->filtering,
                        "",
                        ""};
    strcpy(row->command, socket->process->command);
    strcpy(row->place, socket->place);
    return 0;
}

static int visit_socket(void *context, const struct p2e_socket *socket)
{
    struct rows *rows = context;
    if (socket->found > 0)
        return add_row(rows, socket);
    if (socket->found < 0) {
        rows->failed = true;
        struct p2e_error err = *socket->err;
        p2e_error_prefix(&err, "process %d (%s), %s", (int)socket->process->pid,
                         socket->process->command, socket->place);
        p2e_fail(rows->command, &err);
    }
    return 0;
}

static void read_rows(const struct p2e_config *config, struct rows *rows)
{
    struct p2e_error err;
    if (p2e_sockets_visit(config, visit_socket, rows, &rows->hidden, &err) < 0) {
        rows->failed = true;
        p2e_fail(rows->command, &err);
    }
}

// ---- Text ---------------------------------------------------------------------------------------
static void print_rule(const char *id, const char *expression)
{
    printf("   rule ");
    p2e_put(stdout, id, 0);
    printf(": ");
    p2e_put(stdout, expression, 0);
    putchar('\n');
}

static void print_counters(const struct p2e_state *state)
{
    printf("    %12" PRIu64 " passed\n    %12" PRIu64 " %s\n", state->counters[P2E_COUNT_PASSED],
           p2e_state_dropped(state), state->is_monitor ? "would drop" : "dropped");
    for (uint32_t i = P2E_COUNT_MALFORMED; i < P2E_COUNT_RULES; i++) {
        if (state->counters[i])
            printf("    %12" PRIu64 "   %s\n", state->counters[i], p2e_reasons[i]);
    }
    for (uint32_t i = 0; i < state->description.rule_count; i++) {
        printf("    %12" PRIu64, state->counters[P2E_COUNT_RULES + i]);
        print_rule(state->description.rule_ids[i], state->description.rule_expressions[i]);
    }
}

static void print_row(const struct row *row)
{
    printf("    process %d (", (int)row->pid);
    p2e_put(stdout, row->command, 0);
    printf("), uid %u, ", row->uid);
    p2e_put(stdout, row->place, 0);
    printf(": %s", p2e_filtering_name(row->filtering));
    if (row->filtering == P2E_NOT_FILTERED)
        printf("; p2e attach --pid %d filters it", (int)row->pid);
    putchar('\n');
}

static void print_rows(const struct rows *rows, const struct p2e_filter *filter)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].filter == filter)
            print_row(&rows->rows[i]);
    }
}

// Of what is pinned: an object that is not of the same rules.
static void print_object(const struct p2e_state *state)
{
    if (!strcmp(state->where, "pinned") && strcmp(state->object, "up to date"))
        printf("    its object is %s; run: p2e compile\n", state->object);
}

static const char *const disagreements[] = {
    [P2E_AGREES] = "",
    [P2E_OTHER_RULES] = ", of other rules than the configuration has",
    [P2E_OTHER_OPTIONS] = ", of another mode or transport than the configuration has",
    [P2E_OLDER_SCHEMA] = ", of an older schema than its object",
};

static void print_text(const struct p2e_filter *filter, const char *place,
                       const struct p2e_state *state, const struct rows *rows)
{
    printf("%-16s %-9s ", filter->name, p2e_transport_name(filter->transport));
    p2e_put(stdout, place, 24);
    printf(" %s%s%s\n", state->where, disagreements[state->agreement],
           state->is_monitor ? ", monitor" : "");
    if (state->has_error)
        printf("    %s\n", state->err.text);
    print_object(state);
    print_rows(rows, filter);
    if (state->counters)
        print_counters(state);
    else if (state->hides_counters)
        printf("    counters are for root: run p2e status as root\n");
}

// ---- JSON ---------------------------------------------------------------------------------------
static void print_json_counters(const struct p2e_state *state)
{
    for (uint32_t i = 0; i < P2E_COUNT_RULES; i++)
        printf(",\"%s\":%" PRIu64, p2e_reasons[i], state->counters[i]);
    printf(",\"dropped\":%" PRIu64 ",\"rules\":[", p2e_state_dropped(state));
    for (uint32_t i = 0; i < state->description.rule_count; i++) {
        printf("%s{", i ? "," : "");
        p2e_json_text("id", state->description.rule_ids[i], true);
        p2e_json_text("expression", state->description.rule_expressions[i], false);
        printf(",\"dropped\":%" PRIu64 "}", state->counters[P2E_COUNT_RULES + i]);
    }
    printf("]");
}

static void print_json_row(const struct row *row, bool first)
{
    printf("%s{\"pid\":%d", first ? "" : ",", (int)row->pid);
    p2e_json_text("command", row->command, false);
    printf(",\"uid\":%u,\"fd\":%d", row->uid, row->fd);
    p2e_json_text("address", row->place, false);
    p2e_json_text("filtering", p2e_filtering_name(row->filtering), false);
    printf("}");
}

static void print_json_rows(const struct rows *rows, const struct p2e_filter *filter)
{
    bool first = true;
    printf(",\"sockets\":[");
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].filter != filter)
            continue;
        print_json_row(&rows->rows[i], first);
        first = false;
    }
    printf("]");
}

static void print_json_pin(const struct p2e_config *config, const char *name)
{
    _cleanup_free_ char *path = NULL;
    if (asprintf(&path, "%s/%s", config->pin_dir, name) < 0)
        path = NULL;
    p2e_json_text("pin", path ? path : "", false);
}

static void print_json(const struct p2e_config *config, const struct p2e_filter *filter,
                       const char *place, const struct p2e_state *state, const struct rows *rows)
{
    printf("{");
    p2e_json_text("filter", filter->name, true);
    p2e_json_text("transport", p2e_transport_name(filter->transport), false);
    p2e_json_text("socket", place, false);
    p2e_json_text("mode", state->is_monitor ? "monitor" : "enforce", false);
    p2e_json_text("state", state->where, false);
    printf(",\"stale\":%s", state->agreement == P2E_AGREES ? "false" : "true");
    p2e_json_text("object", state->object, false);
    if (!strcmp(state->where, "pinned"))
        print_json_pin(config, filter->name);
    if (state->has_error)
        p2e_json_text("error", state->err.text, false);
    if (state->counters)
        print_json_counters(state);
    print_json_rows(rows, filter);
    printf("}");
}

// ---- What is pinned and no filter of the configuration's ----------------------------------------
static void print_orphan(const struct p2e_config *config, const char *name,
                         const struct p2e_state *state, bool json)
{
    if (!json) {
        printf("%-16s pinned in ", name);
        p2e_put(stdout, config->pin_dir, 0);
        printf("/%s, and not in the configuration; servers may still be filtered by it\n", name);
        return;
    }
    printf("{");
    p2e_json_text("filter", name, true);
    p2e_json_text("state", "orphan", false);
    print_json_pin(config, name);
    if (state->has_error)
        p2e_json_text("error", state->err.text, false);
    if (state->counters)
        print_json_counters(state);
    printf("}");
}

// Where the folder cannot be read, each filter says so itself.
static size_t print_orphans(const struct p2e_config *config, size_t index, bool json)
{
    struct p2e_names pins;
    struct p2e_error ignored;
    if (p2e_pins_list(config->pin_dir, &pins, &ignored) < 0)
        return index;
    for (size_t i = 0; i < pins.count; i++) {
        _cleanup_(p2e_state_free) struct p2e_state state = {0};
        if (p2e_config_filter(config, pins.names[i]))
            continue;
        p2e_state_read(config, pins.names[i], NULL, &state);
        if (json)
            p2e_json_row(index);
        print_orphan(config, pins.names[i], &state, json);
        index++;
    }
    p2e_names_free(&pins);
    return index;
}

// ---- All ----------------------------------------------------------------------------------------
// 0, or -1 where something is broken.
static int print_one(const struct p2e_config *config, const struct p2e_filter *filter,
                     const struct rows *rows, bool json)
{
    _cleanup_(p2e_state_free) struct p2e_state state;
    _cleanup_free_ char *place = p2e_filter_place(filter);
    const char *shown = place ? place : "";
    p2e_state_read(config, filter->name, filter, &state);
    if (json)
        print_json(config, filter, shown, &state, rows);
    else
        print_text(filter, shown, &state, rows);
    return state.has_error ? -1 : 0;
}

static void print_hidden(const struct p2e_command *command, bool json)
{
    static const char text[] = "sockets of processes that this user may not look into (those of "
                               "other users) are not shown: run p2e status as root";
    if (json)
        fprintf(stderr, "p2e %s: %s\n", command->name, text);
    else
        puts(text);
}

static int print_all(const struct p2e_command *command, const struct p2e_config *config, bool json)
{
    _cleanup_(rows_free) struct rows rows = {.command = command};
    read_rows(config, &rows);
    int status = rows.failed ? P2E_EXIT_FAILED : P2E_EXIT_OK;
    for (size_t i = 0; i < config->filter_count; i++) {
        if (json)
            p2e_json_row(i);
        if (print_one(config, &config->filters[i], &rows, json) < 0)
            status = P2E_EXIT_FAILED;
    }
    size_t count = print_orphans(config, config->filter_count, json);
    if (json)
        p2e_json_end(count);
    if (rows.hidden)
        print_hidden(command, json);
    return status;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &path},
        {.name = "json", .flag = &json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status >= 0)
        return status;
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(path, &config, &err) < 0)
        return p2e_fail(command, &err);
    return print_all(command, &config, json);
}

const struct p2e_command p2e_status_command = {
    .name = "status",
    .usage = "[-c FILE] [--json]",
    .summary = "show the filters, what they count, and which sockets they are on",
    .help =
        "For each filter: whether its program is not compiled, not loaded, pinned (shared by "
        "all its\n"
        "sockets) or broken, whether it is stale (not what the configuration and the object say), "
        "and how\n"
        "many messages passed and were dropped, by reason. Counts of a filter that a server "
        "loaded for\n"
        "itself alone, because there was no bpffs to pin it in, are not visible from here.\n\n"
        "Then the sockets that the filter is for, by their address: filtered, NOT filtered, "
        "not locked\n"
        "(an eBPF program that the server could take off: see p2e attach --no-lock), own filter "
        "(the\n"
        "server's), listener (SOCK_SEQPACKET: its connections are filtered). Last, what is "
        "pinned and not\n"
        "in the configuration.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --json           print as JSON: [{\"filter\", \"transport\", \"socket\", "
        "\"mode\", \"state\",\n"
        "                       \"stale\", \"object\", \"error\"}, …]; of what is pinned "
        "\"pin\", \"passed\",\n"
        "                       \"dropped\", \"malformed\", \"oversized\", "
        "\"aggregated\", \"busy\" and\n"
        "                       \"rules\": [{\"id\", \"expression\", \"dropped\"}, …]; and "
        "\"sockets\":\n"
        "                       [{\"pid\", \"command\", \"uid\", \"fd\", \"address\", "
        "\"filtering\"}, …]\n"
        "      --help           this text\n\n"
        "Exits with 1 if anything is broken.\n",
    .run = run,
};
