// Generates messages of one schema and writes what the oracle says of each:
//
//     differential SCHEMA SEED COUNT MESSAGES VERDICTS
//
// MESSAGES gets a message a line, in hex, as `p2e eval` reads them; VERDICTS a line for each, as
// `p2e eval` writes them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/bulk/clean.h"
#include "tests/bulk/generate.h"

static const struct p2e_bulk_schema *find_schema(const char *name)
{
    for (const struct p2e_bulk_schema *s = p2e_bulk_schemas; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static void write_hex(FILE *file, const struct p2e_buffer *message)
{
    for (size_t i = 0; i < message->size; i++)
        fprintf(file, "%02x", (uint8_t)message->data[i]);
    fputc('\n', file);
}

static void write_all(const struct p2e_bulk_schema *schema, uint64_t seed, unsigned long count,
                      FILE *messages, FILE *verdicts)
{
    struct p2e_bulk_random random = {.state = seed * 2 + 1};

    while (count--) {
        _cleanup_(p2e_buffer_free) struct p2e_buffer message = {0};
        char verdict[128];

        p2e_bulk_generate(&random, schema, &message);
        p2e_bulk_verdict(schema, (const uint8_t *)message.data, message.size, verdict,
                         sizeof(verdict));
        write_hex(messages, &message);
        fprintf(verdicts, "%s\n", verdict);
    }
}

int main(int argc, char **argv)
{
    const struct p2e_bulk_schema *schema = argc == 6 ? find_schema(argv[1]) : NULL;

    if (!schema) {
        fputs("usage: differential SCHEMA SEED COUNT MESSAGES VERDICTS\n", stderr);
        return 2;
    }
    FILE *messages = fopen(argv[4], "we"), *verdicts = fopen(argv[5], "we");
    if (!messages || !verdicts) {
        perror("differential");
        return 1;
    }
    write_all(schema, strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), messages, verdicts);
    if (fclose(messages) || fclose(verdicts)) {
        perror("differential");
        return 1;
    }
    return 0;
}
