// Command lines as tables: a verb names its options and where their values go.
#ifndef P2E_CLI_OPTIONS_H
#define P2E_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

struct p2e_option_list {
    char **values; // owned by whoever parses; the strings are argv's
    size_t count;
};

// A row has one of: a value, a flag, a list of values. --help is every verb's.
struct p2e_option {
    const char *name;
    char letter; // 0 for none
    const char **value;
    bool *flag;
    struct p2e_option_list *list;
};

#define P2E_OPTIONS_MAX 16

void p2e_option_list_free(struct p2e_option_list *list);

// Parses argv by the table, whose last row is {0}. Options may stand behind operands, but not
// behind "--" nor, where the verb runs a command, behind the first operand. If `operands` is given,
// the operands are argv[*operands] up to argc (and NULL) afterwards; else an operand is an error.
// Returns -1 to go on, or the exit status to end with, all said.
int p2e_parse_options(const struct p2e_command *command, int argc, char **argv,
                      const struct p2e_option *options, int *operands);

#endif
