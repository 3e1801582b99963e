// Which filter a verb is about: one of the configuration, or one given on the command line.
#ifndef P2E_CLI_CHOICE_H
#define P2E_CLI_CHOICE_H

#include "cli/options.h"
#include "config/config.h"

struct p2e_choice {
    const char *config, *filter_name;
    const char *schema, *message;
    struct p2e_option_list includes, rules;
    const char *depth;
    unsigned max_depth;
};

// Rows of the table of options.
#define P2E_CHOICE_OPTIONS(choice)                                                                 \
    {.name = "config", .letter = 'c', .value = &(choice)->config},                                 \
        {.name = "filter", .letter = 'f', .value = &(choice)->filter_name},                        \
        {.name = "schema", .value = &(choice)->schema},                                            \
        {.name = "include", .letter = 'I', .list = &(choice)->includes},                           \
        {.name = "message", .value = &(choice)->message},                                          \
        {.name = "rule", .list = &(choice)->rules},                                                \
        {.name = "max-depth", .value = &(choice)->depth},

#define P2E_CHOICE_USAGE                                                                           \
    "(-c FILE -f NAME | --schema FILE [-I DIR]… --message TYPE [--rule EXPR]…) "
#define P2E_CHOICE_HELP                                                                            \
    "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"             \
    "  -f, --filter NAME    the filter in it\n"                                                    \
    "      --schema FILE    a .proto file or a FileDescriptorSet, instead of -c and -f\n"          \
    "  -I, --include DIR    where the .proto file's imports are\n"                                 \
    "      --message TYPE   the message type\n"                                                    \
    "      --rule EXPR      a CEL expression that must hold; they are called rule1, rule2, …\n"  \
    "      --max-depth N    how deep submessages may nest (32)\n"

// After parsing: -1 to go on, or the exit status to end with, all said.
int p2e_choice_check(const struct p2e_command *command, struct p2e_choice *choice);

// Calls `use` with the chosen filter, and the folder of its object (NULL for a filter of the
// command line). Returns what it returns; -1 when there is no such filter.
int p2e_choice_open(const struct p2e_choice *choice,
                    int (*use)(void *context, const char *folder, const struct p2e_filter *filter,
                               struct p2e_error *err),
                    void *context, struct p2e_error *err);

void p2e_choice_free(struct p2e_choice *choice);

#endif
