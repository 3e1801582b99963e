// From p2e.conf's text to structs.
#ifndef P2E_CONFIG_READ_H
#define P2E_CONFIG_READ_H

#include "config/config.h"
#include "config/source.h"

// Fills *config (but for path and files) from the text. `folder` is what relative paths in it are
// relative to. On failure *config holds what was read until then; p2e_config_free releases it.
int p2e_config_read(const struct p2e_source *source, const char *folder, struct p2e_config *config,
                    struct p2e_error *err);

#endif
