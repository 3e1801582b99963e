// Whole files, read and written so that nobody ever sees half of one.
#ifndef P2E_BASE_FILE_H
#define P2E_BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"

// Appends the file's content to *out. Refuses more than `limit` bytes.
int p2e_file_read(const char *path, size_t limit, struct p2e_buffer *out, struct p2e_error *err);

// Writes `size` bytes to a temporary file beside `path` and renames it over `path` (mode 0644 less
// the umask). On failure (a full disk included) the old file stands as it was and the temporary is
// gone.
int p2e_file_write(const char *path, const void *data, size_t size, struct p2e_error *err);

// Makes the folder and its parents where they are missing (mode 0755 less the umask).
int p2e_file_make_dir(const char *path, struct p2e_error *err);

#endif
