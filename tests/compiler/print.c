// print SCHEMA INCLUDE TYPE text|json: prints the messages of standard input, one in hex a line,
// and a line "." behind each; "refused" for what cannot be decoded.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/print.h"

static size_t decode_hex(char *line)
{
    size_t size = 0;
    unsigned byte;
    while (sscanf(line + 2 * size, "%2x", &byte) == 1)
        line[size++] = (char)byte;
    return size;
}

static void print(const struct p2e_message *type, struct p2e_bytes bytes, bool json)
{
    _cleanup_(p2e_arena_free) struct p2e_arena arena = {.limit = (size_t)64 << 20};
    _cleanup_(p2e_buffer_free) struct p2e_buffer out = {0};
    const struct p2e_dynamic *message;
    if (p2e_dynamic_decode_all(type, bytes, &arena, &message, NULL) < 0)
        p2e_buffer_puts(&out, "refused\n");
    else if (json)
        p2e_print_json(type, message, &out);
    else
        p2e_print_text(message, 0, &out);
    printf("%s%s.\n", out.data ? out.data : "", json ? "\n" : "");
}

int main(int argc, char **argv)
{
    _cleanup_(p2e_schema_free) struct p2e_schema schema = {0};
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0;
    struct p2e_error err;
    if (argc != 5 || p2e_schema_load(argv[1], &argv[2], 1, &schema, &err) < 0)
        return 2;
    const struct p2e_message *type = p2e_schema_message(&schema, argv[3]);
    while (type && getline(&line, &capacity, stdin) >= 0)
        print(type, (struct p2e_bytes){line, decode_hex(line)}, !strcmp(argv[4], "json"));
    return type ? 0 : 2;
}
