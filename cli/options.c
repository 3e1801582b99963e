#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What getopt_long takes; the index of an option is its row's.
struct parser {
    struct option longs[P2E_OPTIONS_MAX + 2];
    char shorts[2 * P2E_OPTIONS_MAX + 8];
};

#define OPERAND       1 // getopt's own
#define HELP          1000
#define ROW(i)        (2000 + (i))
#define IS_ROW(value) ((value) >= 2000)

// With "-" operands come in their turn whatever POSIXLY_CORRECT says, with "+" the first is the
// end.
static void prepare(struct parser *parser, const struct p2e_option *options, bool stops_at_operand)
{
    int i = 0;
    char *shorts = parser->shorts;
    shorts += sprintf(shorts, "%s:h", stops_at_operand ? "+" : "-");
    for (; options[i].name; i++) {
        int argument = options[i].flag ? no_argument : required_argument;
        parser->longs[i] = (struct option){options[i].name, argument, NULL, ROW(i)};
        if (options[i].letter)
            shorts += sprintf(shorts, "%c%s", options[i].letter, options[i].flag ? "" : ":");
    }
    parser->longs[i] = (struct option){"help", no_argument, NULL, HELP};
    parser->longs[i + 1] = (struct option){0};
}

static const struct p2e_option *find_row(const struct p2e_option *options, int found)
{
    if (IS_ROW(found))
        return &options[found - ROW(0)];
    for (; options->name; options++) {
        if (options->letter && options->letter == found)
            return options;
    }
    return NULL;
}

static int append(const struct p2e_command *command, struct p2e_option_list *list, char *value)
{
    char **grown = reallocarray(list->values, list->count + 1, sizeof(*grown));
    if (!grown)
        return p2e_usage_error(command, "out of memory");
    list->values = grown;
    list->values[list->count++] = value;
    return -1;
}

static int take(const struct p2e_command *command, const struct p2e_option *row)
{
    if (row->list)
        return append(command, row->list, optarg);
    if (row->flag)
        *row->flag = true;
    else
        *row->value = optarg;
    return -1;
}

// optopt names a short option, and a long one that is known.
static int refuse(const struct p2e_command *command, int found, char **argv)
{
    bool is_short = optopt > 0 && optopt < HELP;
    char name[] = {'-', (char)optopt, '\0'};
    const char *option = is_short ? name : argv[optind - 1];
    if (found == ':')
        return p2e_usage_error(command, "%s needs a value", option);
    return p2e_usage_error(
        command, optopt >= HELP ? "%s: this option has no value" : "unknown option %s", option);
}

void p2e_option_list_free(struct p2e_option_list *list)
{
    free(list->values);
    *list = (struct p2e_option_list){0};
}

// Operands are put at the front of argv, which has been read, and in the end before those that were
// not looked at. Returns where they begin then.
static int gather(char **argv, int count)
{
    int first = optind - count;
    memmove(argv + first, argv + 1, (size_t)count * sizeof(*argv));
    return first;
}

int p2e_parse_options(const struct p2e_command *command, int argc, char **argv,
                      const struct p2e_option *options, int *operands)
{
    struct parser parser;
    int found, count = 0, status = -1;
    prepare(&parser, options, command->runs_command);
    opterr = 0;
    while (status < 0 &&
           (found = getopt_long(argc, argv, parser.shorts, parser.longs, NULL)) != -1) {
        if (found == OPERAND) {
            argv[++count] = optarg;
            continue;
        }
        const struct p2e_option *row = find_row(options, found);
        if (found == HELP || found == 'h')
            return p2e_print_help(command);
        status = row ? take(command, row) : refuse(command, found, argv);
    }
    if (status >= 0)
        return status;
    int first = gather(argv, count);
    if (operands)
        *operands = first;
    else if (first < argc)
        return p2e_usage_error(command, "unexpected argument %s", argv[first]);
    return -1;
}
