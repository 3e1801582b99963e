// The files that what is pinned was made from: what has to be watched.
#ifndef P2E_AGENT_DEPEND_H
#define P2E_AGENT_DEPEND_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct p2e_paths {
    char **paths;
    size_t count;
    bool failed; // out of memory: paths are missing
};

// Adds the configuration's file and all that it includes; where `compile`, each filter's schema and
// the files that it imports, at every place where protoc would look for them first; else the
// objects. Files that are missing are added, too: they may come. The paths may repeat.
void p2e_depend(const struct p2e_config *config, bool compile, struct p2e_paths *paths);

void p2e_paths_add(struct p2e_paths *paths, const char *path);
void p2e_paths_free(struct p2e_paths *paths);

#endif
