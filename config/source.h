// The text of p2e.conf and of what it includes, as one text for libconfig, with a way back from its
// lines to files and lines.
//
// Includes are resolved here and not by libconfig, which (1.5) ends the process when asked to
// include a directory, writes to standard output on some include names, and takes an absolute name
// for a relative one: this code runs inside other people's servers. What libconfig would accept in
// silence and get wrong is refused too: a string or comment that never ends, and "\x00", which cuts
// a string.
#ifndef P2E_CONFIG_SOURCE_H
#define P2E_CONFIG_SOURCE_H

#include "base/buffer.h"
#include "base/error.h"

struct p2e_source_line {
    const char *file;
    unsigned line;
};

struct p2e_source {
    struct p2e_buffer text;
    struct p2e_buffer lines; // a struct p2e_source_line for each line of the text
    char **files;
    size_t file_count;
};

// Names in @include are relative to the folder of `path`. When `path` itself cannot be read
// file_count stays 0 and errno tells why. *source is to be freed after a failure too.
int p2e_source_read(const char *path, struct p2e_source *source, struct p2e_error *err);
void p2e_source_free(struct p2e_source *source);

// Where a line of the text (from 1) came from.
struct p2e_source_line p2e_source_at(const struct p2e_source *source, unsigned line);

#endif
