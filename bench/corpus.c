#include "bench/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// The whole file; what it holds stays for as long as the program runs.
static uint8_t *read_file(const char *path, size_t *size)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &status))
        exit((perror(path), 1));
    uint8_t *data = malloc((size_t)status.st_size + 1);
    *size = data ? fread(data, 1, (size_t)status.st_size, file) : 0;
    fclose(file);
    return data;
}

struct corpus corpus_read(const char *path)
{
    struct corpus corpus = {0};
    size_t size, capacity = 0;
    uint32_t length;
    uint8_t *data = read_file(path, &size);
    for (size_t at = 0; at + 4 <= size; at += 4 + length) {
        memcpy(&length, data + at, 4);
        if (corpus.count == capacity) {
            capacity = capacity ? capacity * 2 : 256;
            corpus.messages = reallocarray(corpus.messages, capacity, sizeof(struct message));
        }
        corpus.messages[corpus.count++] = (struct message){data + at + 4, length};
        corpus.mean_size += length;
    }
    if (!corpus.count)
        exit((fprintf(stderr, "%s: no messages\n", path), 1));
    corpus.mean_size /= corpus.count;
    return corpus;
}
