#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static const struct {
    const char *text, *shown;
    size_t columns;
} texts[] = {
    {"", "", 0},
    {"a\\x1b \"~", "a\\x1b \"~", 8},
    {"äöü € 𝄞 日本", "äöü € 𝄞 日本", 12},
    {"a\tb\nc\r", "a b c ", 6},
    {"\033[31m", "\\x1b[31m", 8},
    {"\1\a\x7f", "\\x01\\x07\\x7f", 12},
    {"\xc2\x80\xc2\x9b\xc2\x9f\u00a0", "\\u0080\\u009b\\u009f\u00a0", 19},
    {"\u061c\u200e\u200f", "\\u061c\\u200e\\u200f", 18},              // marks of direction
    {"\u202a\u202e\u2066\u2069", "\\u202a\\u202e\\u2066\\u2069", 24}, // embeddings and isolates
    {"\u2028\ufeff\u200b", "\\u2028\\ufeff\\u200b", 18},
    {"\u2027\u202f\u200d", "\u2027\u202f\u200d", 2}, // their neighbours stay; the last is a joiner
    {"日本語", "日本語", 6},
    {"e\u0301", "e\u0301", 1},
    {"e\u0301\u0323o\u0308", "e\u0301\u0323o\u0308", 2},
    {"ｶﾅ ＡＢ", "ｶﾅ ＡＢ", 7},                       // halfwidth and fullwidth
    {"\u1112\u1161\u11ab", "\u1112\u1161\u11ab", 2}, // a syllable of Hangul
    {"한국", "한국", 4},
    {"😀", "😀", 2},
    {"\U000e0041", "\\U000e0041", 10},
    {"\x9b\xff", "\\x9b\\xff", 8},
    {"\xc3", "\\xc3", 4},                    // cut short
    {"\xc0\x9b", "\\xc0\\x9b", 8},           // overlong
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", 12}, // a surrogate
    {"\xe2\x82"
     "a",
     "\\xe2\\x82"
     "a",
     9},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct p2e_buffer b = {0};
        p2e_buffer_puts(&b, "");
        p2e_printable_add(&b, texts[i].text);
        assert_string_equal(b.data, texts[i].shown);
        assert_int_equal(p2e_printable_columns(texts[i].text, strlen(texts[i].text)),
                         texts[i].columns);
        p2e_buffer_free(&b);
    }
}

// Errors hold other errors: what is safe stays as it is.
static void test_a_form_is_its_own_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct p2e_buffer b = {0};
        p2e_buffer_puts(&b, "");
        p2e_printable_add(&b, texts[i].shown);
        assert_string_equal(b.data, texts[i].shown);
        p2e_buffer_free(&b);
    }
}

// Nothing behind `size` is looked at, and a form fits in its room, whatever the bytes.
static void test_every_lead_byte_alone(void **state)
{
    (void)state;
    for (unsigned lead = 0; lead < 256; lead++) {
        const char text[] = {(char)lead, (char)0x82, (char)0x82, (char)0x82};
        char form[P2E_PRINTABLE_SIZE];
        for (size_t size = 1; size <= sizeof(text); size++) {
            memset(form, 'x', sizeof(form));
            assert_in_range(p2e_printable_next(text, size, form), 1, size);
            assert_non_null(memchr(form, '\0', sizeof(form)));
            assert_true(strlen(form) >= 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_a_form_is_its_own_form),
        cmocka_unit_test(test_every_lead_byte_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
