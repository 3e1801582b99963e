// Serialized messages from protobuf's text format, by protoc.
#ifndef P2E_TESTS_COMPILER_ENCODE_H
#define P2E_TESTS_COMPILER_ENCODE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

// Appends message `type` of `file`, which is found in `folder`, to *out.
static inline void encode(const char *folder, const char *file, const char *type, const char *text,
                          struct p2e_buffer *out)
{
    char in[] = "/tmp/p2e-test-XXXXXX", command[512], chunk[4096];
    int fd = mkstemp(in);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snprintf(command, sizeof(command), "protoc -I%s --encode=%s %s < %s", folder, type, file, in);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    for (size_t got; (got = fread(chunk, 1, sizeof(chunk), pipe)) > 0;)
        p2e_buffer_add(out, chunk, got);
    assert_int_equal(pclose(pipe), 0);
    unlink(in);
}

#endif
