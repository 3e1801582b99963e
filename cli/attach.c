// p2e attach and p2e detach: filters on sockets of a server that runs already.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/options.h"
#include "cli/sockets.h"
#include "loader/loader.h"
#include "loader/socket.h"

// What was asked for, and what has come of it.
struct request {
    const struct p2e_command *command;
    const struct p2e_config *config;
    const struct p2e_filter *filter; // NULL for any
    long pid, port;                  // port 0 for any
    const char *path;                // NULL for any
    bool no_lock, force;
    // Does the verb to one socket, and says what it did; -1 where it may not.
    int (*act)(const struct request *request, const struct p2e_socket *socket,
               struct p2e_buffer *said, struct p2e_error *err);

    size_t done, refused;
    bool saw_stream; // at the given port or path
    bool saw_other;  // there too: one that no filter is for
};

// ---- Attaching ----------------------------------------------------------------------------------
static int check_free(const struct p2e_socket *socket, struct p2e_error *err)
{
    switch (socket->filtering) {
    case P2E_FILTERED:
        return p2e_error_set(err, "it is filtered already, and the filter is locked");
    case P2E_UNLOCKED:
        return p2e_error_set(err, "it has an eBPF filter already: p2e's, which p2e detach takes "
                                  "off, or the server's own");
    case P2E_LISTENER:
        return p2e_error_set(err, "it is a SOCK_SEQPACKET listener, and connections that it "
                                  "accepts later do not inherit a filter: start the server with "
                                  "p2e run");
    case P2E_NOT_FILTERED:
        if (p2e_attach_locked(socket->copy))
            return p2e_error_set(err, "the server has locked it (SO_LOCK_FILTER), and it takes no "
                                      "filter any more");
        return 0;
    default:
        return p2e_attach_possible(socket->copy, err);
    }
}

// Locked first: the server may not be quicker than the queue is long.
static size_t settle(const struct request *request, const struct p2e_socket *socket,
                     const struct p2e_attachment *attachment)
{
    if (!request->no_lock)
        p2e_attach_lock(socket->copy);
    if (socket->filter->mode == P2E_MONITOR)
        return 0;
    return p2e_queue_clean(socket->copy, attachment, socket->transport);
}

static int attach(const struct request *request, const struct p2e_socket *socket,
                  struct p2e_buffer *said, struct p2e_error *err)
{
    struct p2e_attachment attachment;
    enum p2e_origin origin;
    _cleanup_fd_ int program = -1;
    if (check_free(socket, err) < 0 ||
        p2e_filter_program(request->config, socket->filter, &program, &origin, err) < 0 ||
        p2e_attach_program(socket->copy, socket->transport, program, &attachment, err) < 0)
        return -1;
    size_t taken = settle(request, socket, &attachment);
    p2e_buffer_printf(said, "attached%s", request->no_lock ? ", not locked" : "");
    if (request->no_lock && !p2e_mark_set(request->config->pin_dir, socket->copy))
        p2e_buffer_puts(said, " (nor marked as p2e's: p2e detach needs --force)");
    if (attachment.had_gro)
        p2e_buffer_puts(said, ", UDP_GRO turned off");
    if (taken)
        p2e_buffer_printf(said, ", %zu message%s that waited taken out", taken,
                          taken == 1 ? "" : "s");
    return 0;
}

// ---- Detaching ----------------------------------------------------------------------------------
static int take_off(const struct request *request, const struct p2e_socket *socket,
                    struct p2e_buffer *said, struct p2e_error *err)
{
    const char *pin_dir = request->config->pin_dir;
    if (!request->force && !p2e_mark_is_set(pin_dir, socket->copy))
        return p2e_error_set(err,
                             "it has an eBPF filter that may be the server's own: p2e attach has "
                             "left no mark in %s that it is p2e's; --force takes it off",
                             pin_dir);
    if (p2e_attach_remove(socket->copy))
        return p2e_error_set(err, "cannot take the filter off: %m");
    p2e_mark_clear(pin_dir, socket->copy);
    p2e_buffer_puts(said, "detached");
    return 0;
}

static int detach(const struct request *request, const struct p2e_socket *socket,
                  struct p2e_buffer *said, struct p2e_error *err)
{
    switch (socket->filtering) {
    case P2E_UNLOCKED:
        return take_off(request, socket, said, err);
    case P2E_FILTERED:
        return p2e_error_set(err, "its filter is locked, and nobody can take it off any more: "
                                  "restart the server without p2e");
    case P2E_OWN:
        return p2e_error_set(err, "its filter is the server's own");
    default:
        return p2e_error_set(err, "it has no filter");
    }
}

// ---- The sockets of the process -----------------------------------------------------------------
static bool is_chosen(const struct request *request, const struct p2e_socket *socket)
{
    if (request->port && socket->port != request->port)
        return false;
    return !request->path || !strcmp(request->path, socket->path);
}

static void print_place(const struct p2e_socket *socket)
{
    printf("process %d (", (int)socket->process->pid);
    p2e_put(stdout, socket->process->command, 0);
    printf("), fd %d, ", socket->fd);
    p2e_put(stdout, socket->place, 0);
    printf(": ");
}

static void refuse(struct request *request, const struct p2e_socket *socket,
                   const struct p2e_error *why)
{
    struct p2e_error err = *why;
    p2e_error_prefix(&err, "process %d (%s), fd %d, %s", (int)socket->process->pid,
                     socket->process->command, socket->fd, socket->place);
    p2e_fail(request->command, &err);
    request->refused++;
}

static void act(struct request *request, const struct p2e_socket *socket)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer said = {0};
    struct p2e_error err;
    if (request->act(request, socket, &said, &err) < 0) {
        refuse(request, socket, &err);
        return;
    }
    print_place(socket);
    printf("filter \"%s\" %s\n", socket->filter->name, said.data ? said.data : "");
    request->done++;
}

static int visit(void *context, const struct p2e_socket *socket)
{
    struct request *request = context;
    if (!is_chosen(request, socket))
        return 0;
    if (socket->found < 0)
        refuse(request, socket, socket->err);
    else if (socket->is_stream)
        request->saw_stream = true;
    else if (!socket->filter || (request->filter && request->filter != socket->filter))
        request->saw_other = true;
    else
        act(request, socket);
    return 0;
}

static int say_none(const struct request *request, const struct p2e_process *process)
{
    struct p2e_error err;
    bool chosen = request->port || request->path;
    if (chosen && request->saw_stream && !request->saw_other)
        p2e_error_set(&err,
                      "the socket of process %d (%s) there is a stream, and messages in streams "
                      "are not filtered",
                      (int)process->pid, process->command);
    else if (request->filter)
        p2e_error_set(&err, "process %d (%s) has no socket%s that filter \"%s\" is for",
                      (int)process->pid, process->command, chosen ? " there" : "",
                      request->filter->name);
    else
        p2e_error_set(&err, "process %d (%s) has no socket%s that a filter of %s is for",
                      (int)process->pid, process->command, chosen ? " there" : "",
                      request->config->path);
    return p2e_fail(request->command, &err);
}

static int run_on_process(struct request *request)
{
    _cleanup_(p2e_process_close) struct p2e_process process;
    struct p2e_error err;
    if (p2e_process_open((pid_t)request->pid, &process, &err) < 0 ||
        p2e_process_sockets(&process, request->config, visit, request, &err) < 0)
        return p2e_fail(request->command, &err);
    if (!request->done && !request->refused)
        return say_none(request, &process);
    return request->refused ? P2E_EXIT_FAILED : P2E_EXIT_OK;
}

// ---- The command line ---------------------------------------------------------------------------
static int read_number(const struct p2e_command *command, const char *name, const char *text,
                       long most, long *number)
{
    char *end;
    *number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *number < 1 || *number > most)
        return p2e_usage_error(command, "--%s is a number from 1 to %ld, not %s", name, most, text);
    return -1;
}

static int read_numbers(struct request *request, const char *pid, const char *port)
{
    if (!pid)
        return p2e_usage_error(request->command, "name the process: --pid PID");
    int status = read_number(request->command, "pid", pid, INT_MAX, &request->pid);
    if (status < 0 && port)
        status = read_number(request->command, "port", port, UINT16_MAX, &request->port);
    return status;
}

static int run_with_config(struct request *request, const char *path, const char *filter)
{
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    struct p2e_error err;
    if (p2e_read_config(path, &config, &err) < 0)
        return p2e_fail(request->command, &err);
    request->config = &config;
    request->filter = filter ? p2e_named_filter(&config, filter, &err) : NULL;
    if (filter && !request->filter)
        return p2e_fail(request->command, &err);
    return run_on_process(request);
}

static int run(struct request *request, int argc, char **argv)
{
    const char *config = NULL, *pid = NULL, *port = NULL;
    const struct p2e_option own =
        request->act == attach ? (struct p2e_option){.name = "no-lock", .flag = &request->no_lock}
                               : (struct p2e_option){.name = "force", .flag = &request->force};
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &config},
        {.name = "pid", .value = &pid},
        {.name = "port", .value = &port},
        {.name = "path", .value = &request->path},
        own,
        {0},
    };
    int operands, status = p2e_parse_options(request->command, argc, argv, options, &operands);
    if (status >= 0)
        return status;
    status = read_numbers(request, pid, port);
    if (status >= 0)
        return status;
    if (argc - operands > 1)
        return p2e_usage_error(request->command, "unexpected argument %s", argv[operands + 1]);
    return run_with_config(request, config, argc > operands ? argv[operands] : NULL);
}

static int run_attach(const struct p2e_command *command, int argc, char **argv)
{
    return run(&(struct request){.command = command, .act = attach}, argc, argv);
}

static int run_detach(const struct p2e_command *command, int argc, char **argv)
{
    return run(&(struct request){.command = command, .act = detach}, argc, argv);
}

#define CHOICE_HELP                                                                                \
    "      --pid PID        the process\n"                                                         \
    "      --port N         its UDP sockets of this port alone\n"                                  \
    "      --path PATH      its UNIX socket of this path, or @name, alone\n"                       \
    "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"

const struct p2e_command p2e_attach_command = {
    .name = "attach",
    .usage = "--pid PID [--port N] [--path PATH] [-c FILE] [--no-lock] [FILTER]",
    .summary = "filter the sockets of a server that runs already",
    .help = "For servers that preload nothing: static binaries, Go, those that were started "
            "without p2e.\n"
            "Each bound socket of the process that a filter of the configuration (or FILTER alone) "
            "is for\n"
            "gets it, for good: it is locked. A socket that has a filter already keeps that.\n\n"
            "What waited in the socket before is judged too. If any of it would be dropped, it is "
            "taken out\n"
            "together with all before it.\n\n" CHOICE_HELP
            "      --no-lock        p2e detach, and the server, can take the filter off again\n"
            "      --help           this text\n\n"
            "Prints a line for each socket. Exits with 1 if one was refused, or there was none.\n",
    .run = run_attach,
};

const struct p2e_command p2e_detach_command = {
    .name = "detach",
    .usage = "--pid PID [--port N] [--path PATH] [-c FILE] [--force] [FILTER]",
    .summary = "take a filter off that was attached with --no-lock",
    .help =
        "Takes filters that p2e attach --no-lock has attached off the sockets of the process "
        "that a\n"
        "filter of the configuration (or FILTER alone) is for. The kernel does not say whose a "
        "filter is:\n"
        "p2e attach leaves a mark on the socket, where it may load programs and pin_dir is on a "
        "bpffs.\n\n" CHOICE_HELP
        "      --force          take off what has no mark, too: any eBPF filter that is not "
        "locked, be it\n"
        "                       the server's own\n"
        "      --help           this text\n\n"
        "Prints a line for each socket. Exits with 1 if one was refused, or there was none.\n",
    .run = run_detach,
};
