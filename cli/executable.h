// Can a library be preloaded into a command? Looked at before it runs.
#ifndef P2E_CLI_EXECUTABLE_H
#define P2E_CLI_EXECUTABLE_H

#include <limits.h>
#include <stddef.h>

#include "base/error.h"

// Finds `command` as execvp would (through PATH unless it has a slash) and puts its path into
// `path`.
int p2e_executable_find(const char *command, char *path, size_t size, struct p2e_error *err);

// 0 when the dynamic loader will honour LD_PRELOAD for this file; else the error says why not: a
// static binary, one of musl's or of another architecture, set-user-ID or with file capabilities.
// A script is judged by its interpreter. `program` becomes the path of what will run, links
// resolved: the interpreter for a script.
int p2e_executable_check(const char *path, char program[PATH_MAX], struct p2e_error *err);

#endif
