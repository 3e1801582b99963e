#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/width.h"

// Beyond ASCII: C1 controls, marks of direction, separators of lines, what has no width and no
// glyph. The joiners U+200C and U+200D are letters' business, and stay.
static const struct {
    uint32_t first, last;
} unprintable[] = {
    {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},     {0x200b, 0x200b},
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0xfeff, 0xfeff},
    {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe007f},
};

static bool is_printable(uint32_t code)
{
    for (size_t i = 0; i < sizeof(unprintable) / sizeof(*unprintable); i++) {
        if (code >= unprintable[i].first && code <= unprintable[i].last)
            return false;
    }
    return code >= ' ';
}

static const char *escape_format(uint32_t code)
{
    if (code < 0x80)
        return "\\x%02x";
    return code < 0x10000 ? "\\u%04x" : "\\U%08x";
}

size_t p2e_printable_next(const char *text, size_t size, char form[P2E_PRINTABLE_SIZE])
{
    uint32_t code;
    size_t length = p2e_utf8_decode(text, size, &code);
    if (length == 0) {
        snprintf(form, P2E_PRINTABLE_SIZE, "\\x%02x", (unsigned char)*text);
        return 1;
    }
    if (code == '\t' || code == '\n' || code == '\r')
        strcpy(form, " ");
    else if (is_printable(code))
        snprintf(form, P2E_PRINTABLE_SIZE, "%.*s", (int)length, text);
    else
        snprintf(form, P2E_PRINTABLE_SIZE, escape_format(code), code);
    return length;
}

void p2e_printable_add(struct p2e_buffer *out, const char *text)
{
    char form[P2E_PRINTABLE_SIZE];
    for (size_t size = strlen(text), length; size; text += length, size -= length) {
        length = p2e_printable_next(text, size, form);
        p2e_buffer_puts(out, form);
    }
}

size_t p2e_printable_columns(const char *text, size_t size)
{
    char form[P2E_PRINTABLE_SIZE];
    uint32_t code;
    size_t columns = 0;
    for (size_t length; size; text += length, size -= length) {
        length = p2e_printable_next(text, size, form);
        bool is_itself = (unsigned char)*form >= 0x80 && p2e_utf8_decode(text, size, &code);
        columns += is_itself ? (size_t)p2e_width(code) : strlen(form);
    }
    return columns;
}
