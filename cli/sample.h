// A sample of a dropped message, as it is shown.
#ifndef P2E_CLI_SAMPLE_H
#define P2E_CLI_SAMPLE_H

#include "base/buffer.h"
#include "cli/follow.h"

enum p2e_sample_format { P2E_FORMAT_TEXT, P2E_FORMAT_JSON, P2E_FORMAT_HEX };

// Appends a line of what is known of the message, and then the message: decoded, where it is one of
// a known schema, else in hex. Nothing in it is a character that a terminal would obey.
void p2e_sample_print(const struct p2e_follow *watch, const struct p2e_sample *sample,
                      const void *message, enum p2e_sample_format format, struct p2e_buffer *out);
// The same as one line of JSON.
void p2e_sample_print_json(const struct p2e_follow *watch, const struct p2e_sample *sample,
                           const void *message, enum p2e_sample_format format,
                           struct p2e_buffer *out);

// Is it a whole message that a program can be asked about again?
bool p2e_sample_is_whole(const struct p2e_sample *sample);

#endif
