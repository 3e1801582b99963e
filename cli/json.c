#include "cli/json.h"

#include <stdint.h>
#include <stdio.h>

// Size of the UTF-8 character that `text` begins with, 0 when it is malformed.
static size_t character_size(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = *text < 0x80 ? 1 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
    if (size == 1)
        return 1;
    if (*text < 0xc0 || *text >= 0xf8)
        return 0;
    uint32_t code = *text & (0x7f >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[size] || code > 0x10ffff || surrogate ? 0 : size;
}

static void print_ascii(unsigned char c)
{
    if (c == '"' || c == '\\')
        printf("\\%c", c);
    else if (c < ' ')
        printf("\\u%04x", c);
    else
        putchar(c);
}

void p2e_json_string(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    putchar('"');
    while (*at) {
        size_t size = character_size(at);
        if (size == 0)
            printf("\\ufffd");
        else if (size == 1)
            print_ascii(*at);
        else
            fwrite(at, 1, size, stdout);
        at += size ? size : 1;
    }
    putchar('"');
}

void p2e_json_text(const char *key, const char *text, bool first)
{
    printf("%s\"%s\":", first ? "" : ",", key);
    p2e_json_string(text);
}

void p2e_json_row(size_t index)
{
    printf("%s", index ? ",\n " : "[");
}

void p2e_json_end(size_t count)
{
    printf("%s]\n", count ? "" : "[");
}
