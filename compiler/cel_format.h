// Formats that a string may have: protovalidate's isEmail(), isHostname(), isIp() and their kin.
// Nearly all of each is a regular language; bpf/format.h has the rest.
#ifndef P2E_COMPILER_CEL_FORMAT_H
#define P2E_COMPILER_CEL_FORMAT_H

#include <stdbool.h>

#include "base/error.h"
#include "compiler/regex.h"

enum p2e_cel_pattern {
    P2E_PATTERN_NONE,
    P2E_PATTERN_EMAIL,
    P2E_PATTERN_HOSTNAME,
    P2E_PATTERN_HOST_AND_PORT,
    P2E_PATTERN_IP4,
    P2E_PATTERN_IP6,
    P2E_PATTERN_PREFIX4,
    P2E_PATTERN_PREFIX6,
    P2E_PATTERN_URI,
    P2E_PATTERN_URI_REF,
    P2E_PATTERN_COUNT,
};

struct p2e_cel_format {
    const char *name;
    const char *takes;                // its arguments, as an error says it
    bool version, flag;               // the parameters it has, an int and a bool
    bool flag_needed;                 // all others may be left out
    enum p2e_cel_pattern patterns[2]; // of IP versions 4 and 6, or the one of them all
    const char *also; // what else must hold: C over bpf/format.h, of `s`, `text` and `flag`
};

// The format that the function `name` tests; NULL when there is none.
const struct p2e_cel_format *p2e_cel_format(const char *name);

int p2e_cel_pattern_compile(enum p2e_cel_pattern pattern, struct p2e_regex *regex,
                            struct p2e_error *err);

#endif
