// What verbs that go over the filters of a configuration have in common.
#ifndef P2E_CLI_COMMON_H
#define P2E_CLI_COMMON_H

#include <stddef.h>
#include <stdio.h>

#include "cli/cli.h"
#include "config/config.h"

// The configuration's file: `given` by an option, NULL for where one is looked for. NULL and *err
// where what was given is none.
const char *p2e_config_path(const char *given, struct p2e_error *err);
// Reads it.
int p2e_read_config(const char *given, struct p2e_config *config, struct p2e_error *err);

// The filter of that name; NULL, and an error that tells of one that may be meant, when there is
// none.
const struct p2e_filter *p2e_named_filter(const struct p2e_config *config, const char *name,
                                          struct p2e_error *err);

// Prints what others wrote as base/printable.h has it, and blanks up to `width` columns.
void p2e_put(FILE *to, const char *text, size_t width);

// "8000-8010,9000", "127.0.0.1:53", "/run/x.sock": where a filter's sockets are. The caller frees;
// NULL when out of memory.
char *p2e_filter_place(const struct p2e_filter *filter);

#endif
