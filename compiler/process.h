// Runs the tools that the compiler stands on: protoc, clang, llvm-objcopy.
#ifndef P2E_COMPILER_PROCESS_H
#define P2E_COMPILER_PROCESS_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

// What a tool may use: seconds of CPU time, bytes of memory.
#define P2E_PROCESS_SECONDS      3
#define P2E_PROCESS_SECONDS_MOST 3600
#ifndef __SANITIZE_ADDRESS__
#define P2E_PROCESS_MEMORY ((size_t)400 << 20)
#else // which comes along into the tools, and whose shadow counts
#define P2E_PROCESS_MEMORY ((size_t)1 << 60)
#endif

// The seconds: $P2E_COMPILE_SECONDS, where that is set. What is no number from 1 to
// P2E_PROCESS_SECONDS_MOST is an error of p2e_process_run.
unsigned p2e_process_seconds(void);

// Runs argv[0], found through PATH, with `input` as its standard input (NULL: empty) and nothing on
// its standard output; waits for it. The beginning of what it writes to standard error is appended
// to *said, trailing newlines cut. Returns its exit status (128 + the signal that ended it, which
// is what comes of using too much); -1 with *err when it could not be run. If it is not installed
// the error ends with `remedy`, "install the package clang".
int p2e_process_run(char *const argv[], const char *remedy, const void *input, size_t input_size,
                    struct p2e_buffer *said, struct p2e_error *err);

#endif
