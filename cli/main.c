#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "cli/cli.h"

static const struct p2e_command *const commands[] = {
    &p2e_check_command,   &p2e_compile_command, &p2e_run_command,     &p2e_load_command,
    &p2e_reload_command,  &p2e_unload_command,  &p2e_agent_command,   &p2e_attach_command,
    &p2e_detach_command,  &p2e_eval_command,    &p2e_explain_command, &p2e_status_command,
    &p2e_metrics_command, &p2e_tail_command,    &p2e_top_command,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

int p2e_fail(const struct p2e_command *command, const struct p2e_error *err)
{
    fprintf(stderr, "p2e %s: %s\n", command->name, err->text);
    return P2E_EXIT_FAILED;
}

int p2e_usage_error(const struct p2e_command *command, const char *format, ...)
{
    struct p2e_error err;
    va_list args;
    va_start(args, format);
    p2e_error_vset(&err, format, args);
    va_end(args);
    p2e_fail(command, &err);
    fprintf(stderr, "usage: p2e %s %s\n", command->name, command->usage);
    return P2E_EXIT_USAGE;
}

int p2e_print_help(const struct p2e_command *command)
{
    printf("usage: p2e %s %s\n\n%s\n\n%s", command->name, command->usage, command->summary,
           command->help);
    return P2E_EXIT_OK;
}

static int print_overview(FILE *to)
{
    fprintf(to, "usage: p2e COMMAND [OPTION]…\n\n"
                "Filters the protobuf messages of servers that nobody changes, in the kernel.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n`p2e COMMAND --help` tells more. The configuration is $P2E_CONFIG, else "
                "/etc/p2e/p2e.conf.\n");
    return to == stdout ? P2E_EXIT_OK : P2E_EXIT_USAGE;
}

static int print_version(void)
{
    puts("p2e " P2E_VERSION);
    return P2E_EXIT_OK;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return print_overview(stderr);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return print_overview(stdout);
    if (!strcmp(argv[1], "--version"))
        return print_version();
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!strcmp(argv[1], commands[i]->name))
            return commands[i]->run(commands[i], argc - 1, argv + 1);
    }
    struct p2e_error err;
    p2e_error_set(&err, "there is no command \"%s\"", argv[1]);
    fprintf(stderr, "p2e: %s\n", err.text);
    return print_overview(stderr);
}

int main(int argc, char **argv)
{
    // Ignored by whoever started us, it would hide how the tools that we run end.
    signal(SIGCHLD, SIG_DFL);
    int status = run(argc, argv);
    if (fflush(stdout) == EOF || ferror(stdout)) {
        fprintf(stderr, "p2e: the output could not be written: %s\n", strerror(errno));
        return status == P2E_EXIT_OK ? P2E_EXIT_FAILED : status;
    }
    return status;
}
