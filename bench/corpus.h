// Files of messages as bench/kinds.py writes them: each after its size, four bytes.
#ifndef BENCH_CORPUS_H
#define BENCH_CORPUS_H

#include <stddef.h>
#include <stdint.h>

struct message {
    const uint8_t *data;
    size_t size;
};

struct corpus {
    struct message *messages;
    size_t count;
    double mean_size;
};

// Ends the program when there is no such file.
struct corpus corpus_read(const char *path);

#endif
