// The `p2e` command: one file a verb, a row each in cli/main.c.
#ifndef P2E_CLI_CLI_H
#define P2E_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { P2E_EXIT_OK = 0, P2E_EXIT_FAILED = 1, P2E_EXIT_USAGE = 2 };

struct p2e_command {
    const char *name;
    const char *usage;   // after "p2e NAME "
    const char *summary; // one line
    const char *help;    // the rest of --help, ended by a newline
    bool runs_command;   // its operands are a command, with options of that command's own
    int (*run)(const struct p2e_command *command, int argc, char **argv); // an exit status
};

extern const struct p2e_command p2e_agent_command, p2e_attach_command, p2e_check_command,
    p2e_compile_command, p2e_detach_command, p2e_eval_command, p2e_explain_command,
    p2e_load_command, p2e_metrics_command, p2e_reload_command, p2e_run_command, p2e_status_command,
    p2e_tail_command, p2e_top_command, p2e_unload_command;

// Prints "p2e NAME: TEXT" to standard error and returns P2E_EXIT_FAILED.
int p2e_fail(const struct p2e_command *command, const struct p2e_error *err);
// A fault of the command line: prints it with the usage and returns P2E_EXIT_USAGE.
int p2e_usage_error(const struct p2e_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// --help: prints to standard output and returns P2E_EXIT_OK.
int p2e_print_help(const struct p2e_command *command);

#endif
