// Objects that are of the configuration's present rules, compiled where they are not.
#ifndef P2E_AGENT_BUILD_H
#define P2E_AGENT_BUILD_H

#include <stdbool.h>

#include "base/error.h"
#include "compiler/compile.h"
#include "config/config.h"
#include "loader/loader.h"

// folder/NAME.bpf.o, where a filter's object stands.
int p2e_build_path(const char *folder, const struct p2e_filter *filter, char *path, size_t size,
                   struct p2e_error *err);

// Brings folder/NAME.bpf.o up to date; *compiled tells whether clang had to run. With keep_source
// the program's C stands beside it as NAME.bpf.c.
int p2e_build_update(const char *folder, const struct p2e_filter *filter, bool keep_source,
                     bool *compiled, struct p2e_error *err);

// Opens an object of the filter without leaving anything behind: the one in `folder` (NULL: none)
// if it is up to date, else one compiled for the occasion.
int p2e_build_open(const char *folder, const struct p2e_filter *filter, struct p2e_object *object,
                   struct p2e_error *err);

#endif
