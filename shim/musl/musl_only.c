// glibc's loader passes over a preloaded library whose libraries it cannot find, and the server
// would run unfiltered. So this one names no library: musl's loader looks symbols up in its libc
// anyway, and glibc's ends a process in which it does not find this one.
#include <stdio_ext.h>

__attribute__((used, retain)) static size_t (*const musl_only)(FILE *) = __freadahead;
