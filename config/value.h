// Single values and groups of p2e.conf, as libconfig parsed them, into C types. Whatever is not of
// the right type is an error with file, line and what would be right.
#ifndef P2E_CONFIG_VALUE_H
#define P2E_CONFIG_VALUE_H

#include <libconfig.h>

#include "config/config.h"
#include "config/source.h"

struct p2e_reader {
    const struct p2e_source *source;
    const char *folder;         // what relative paths are relative to
    struct p2e_filter defaults; // what each filter starts from
    struct p2e_error *err;
};

// Fails with "FILE:LINE: " and the sentence.
int p2e_value_fail(const struct p2e_reader *r, const config_setting_t *setting, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));
// `setting` is not `wanted` ("a number"), but something else.
int p2e_value_fail_type(const struct p2e_reader *r, const config_setting_t *setting,
                        const char *wanted);
int p2e_value_fail_memory(const struct p2e_reader *r);

struct p2e_source_line p2e_value_place(const struct p2e_reader *r, const config_setting_t *setting);
bool p2e_value_is_list(const config_setting_t *setting); // ( … ) or [ … ]

// The string stays libconfig's. Blank ones are refused.
int p2e_value_string(const struct p2e_reader *r, const config_setting_t *setting, const char **out);
// *out, freed before, becomes the caller's copy.
int p2e_value_copy(const struct p2e_reader *r, const config_setting_t *setting, char **out);
// As p2e_value_copy, and a relative path is made absolute.
int p2e_value_path(const struct p2e_reader *r, const config_setting_t *setting, char **out);
int p2e_value_integer(const struct p2e_reader *r, const config_setting_t *setting, long long *out);
// One of `count` names; *out is which.
int p2e_value_choice(const struct p2e_reader *r, const config_setting_t *setting,
                     const char *const *names, size_t count, unsigned *out);

// ---- Groups -------------------------------------------------------------------------------------

struct p2e_key {
    const char *name;
    int (*read)(struct p2e_reader *r, const config_setting_t *setting, void *target);
    const char *required; // what it is, for the error when it is missing; NULL: it may be
};

struct p2e_keys {
    const char *where; // "a filter"
    const struct p2e_key *keys;
    size_t count;
};

// Refuses keys that are not in the table, then reads those that are, in the table's order.
int p2e_value_group(struct p2e_reader *r, const config_setting_t *group,
                    const struct p2e_keys *keys, void *target);

#endif
