// The published table: which socket belongs to which filter, for servers without a configuration
// file. Whoever may load writes it; any process may read it, and attach what is pinned.
#ifndef P2E_LOADER_PUBLISHED_H
#define P2E_LOADER_PUBLISHED_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"

// ---- In the kernel ------------------------------------------------------------------------------
// Puts the table of config's filters into config->pin_dir, in one step, in place of an older one;
// one that says the same stays.
// Needs what loading needs (CAP_BPF). The filters themselves are pinned before, or servers find
// them missing.
int p2e_published_write(const struct p2e_config *config, struct p2e_error *err);
// Removes it; that there is none is no failure.
int p2e_published_remove(const char *pin_dir, struct p2e_error *err);

// Appends the table's bytes to *out. 1: they are whole, of this ABI and sound; 0: there is no such
// pin; -1: there is something, and it is not trusted.
int p2e_published_bytes(const char *pin_dir, struct p2e_buffer *out, struct p2e_error *err);

// The same as a config: `published` is set, and filters have neither schema nor rules.
// p2e_config_free releases what 1 filled.
int p2e_published_read(const char *pin_dir, struct p2e_config *config, struct p2e_error *err);

// The entry of what is pinned under a published filter's name. Of the filter, its name, transport
// and mode count; pins that are for other ones are refused. Nothing is ever loaded.
int p2e_published_program(const char *pin_dir, const struct p2e_filter *filter, int *program,
                          struct p2e_error *err);

// Whether it can be a filter's name, and so a pin folder's.
bool p2e_published_name(const char *name);

// ---- As bytes (bpf/abi.h) -----------------------------------------------------------------------
// Fails where a table would be larger than P2E_PUBLISHED_MAX.
int p2e_published_encode(const struct p2e_config *config, struct p2e_buffer *out,
                         struct p2e_error *err);

// Untrusted bytes to a config; `where` is its path. What a config file could not say is refused.
int p2e_published_parse(const void *bytes, size_t size, const char *where,
                        struct p2e_config *config, struct p2e_error *err);

#endif
