#include "cli/json.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "compiler/print.h"

static void print_string(const char *text)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer b = {0};
    p2e_print_json_string(text, strlen(text), &b);
    fputs(b.failed ? "null" : b.data, stdout);
}

void p2e_json_text(const char *key, const char *text, bool first)
{
    printf("%s\"%s\":", first ? "" : ",", key);
    print_string(text);
}

void p2e_json_row(size_t index)
{
    printf("%s", index ? ",\n " : "[");
}

void p2e_json_end(size_t count)
{
    printf("%s]\n", count ? "" : "[");
}
