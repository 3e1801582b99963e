// bpf/utf8.h in user space, against a decoder that goes byte by byte: what takes the kernel minutes
// takes a second here.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// ---- What the header uses of the walker's state -------------------------------------------------
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#define P2E_BPF_VARINT_H
#define P2E_INLINE    inline
#define P2E_GLOBAL    static
#define P2E_HIGH_BITS 0x8080808080808080ull
#define VOLATILE(x)   (*(volatile typeof(x) *)&(x))
#define OPAQUE(x)
#define likely(x) (x)

struct p2e_state {
    u32 at;
    u8 buffer[0x10000 + 16];
};

static u64 p2e_word(struct p2e_state *s, u32 pos)
{
    u64 word;
    memcpy(&word, s->buffer + (pos & 0xffff), sizeof(word));
    return word;
}

static u64 p2e_low_bytes(u64 word, u32 size)
{
    return size >= 8 ? word : word & ~(~0ull << (size & 7) * 8);
}

#include "bpf/utf8.h"

// ---- The plain way ------------------------------------------------------------------------------
// Size of the character that a byte leads, 0 for one that leads none; the second byte's bounds.
static size_t lead(u8 c, u8 *low, u8 *high)
{
    *low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    *high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static bool is_utf8(const u8 *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        u8 low, high;
        length = lead(text[i], &low, &high);
        if (!length || length > size - i)
            return false;
        if (length > 1 && (text[i + 1] < low || text[i + 1] > high))
            return false;
        for (size_t k = 2; k < length; k++)
            if (text[i + k] >> 6 != 2)
                return false;
    }
    return true;
}

#define BEGIN 64 // of the texts: what stands around them must not matter

static struct p2e_state s;

static u8 *clear(void)
{
    memset(s.buffer + BEGIN - 8, 0xe2, 64);
    return s.buffer + BEGIN;
}

static void check(size_t size)
{
    const u8 *text = s.buffer + BEGIN;
    if (!!p2e_utf8(&s, BEGIN, (u32)size) != is_utf8(text, size))
        fail_msg("%zu bytes, %02x %02x %02x %02x …", size, text[0], text[1], text[2], text[3]);
}

// ---- Texts --------------------------------------------------------------------------------------
// Every three bytes, and every fourth that can matter, at every place in a word.
static void test_all_short_sequences(void **state)
{
    (void)state;
    for (size_t place = 0; place < 9; place++) {
        u8 *at = clear() + place;
        memset(at - place, 'a', place);
        for (u32 three = 0; three < 1u << 24; three += place ? 41 : 1) {
            memcpy(at, &three, 3);
            check(place + 3);
        }
    }
}

static void test_all_long_leads(void **state)
{
    static const u8 tails[] = {'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    (void)state;
    for (size_t place = 0; place < 9; place++) {
        u8 *at = clear() + place;
        memset(at - place, 'a', place);
        for (u32 i = 0; i < 0x20 * 0x100 * sizeof(tails) * sizeof(tails); i++) {
            u32 rest = i / (0x20 * 0x100);
            at[0] = (u8)(0xe0 | i % 0x20);
            at[1] = (u8)(i / 0x20);
            at[2] = tails[rest % sizeof(tails)];
            at[3] = tails[rest / sizeof(tails)];
            check(place + 4);
        }
    }
}

static size_t put_character(u8 *at, u32 code)
{
    if (code < 0x80)
        return at[0] = (u8)code, 1;
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; --i; code >>= 6)
        at[i] = (u8)(0x80 | (code & 0x3f));
    at[0] = (u8)(0xf00u >> size | code);
    return size;
}

// Characters, most of them whole, of which one bit may be wrong or the last bytes missing.
static void test_random_texts(void **state)
{
    static const u32 limits[] = {0x80, 0x80, 0x800, 0x10000, 0x110000};
    (void)state;
    srandom(1);
    for (int i = 0; i < 1000000; i++) {
        u8 *text = clear();
        size_t size = 0, room = (size_t)random() % 50;
        while (size + 4 < room)
            size += put_character(text + size, (u32)(random() % limits[random() % 5]));
        if (size && random() % 2)
            text[(size_t)random() % size] ^= (u8)(1 << random() % 8);
        if (size && random() % 4 == 0)
            size--;
        check(size);
    }
}

// ASCII is told by words that overlap: one wrong byte shows wherever it is, and none outside does.
static void test_one_byte_in_ascii(void **state)
{
    (void)state;
    for (size_t size = 0; size < 700; size++) {
        u8 *text = s.buffer + BEGIN;
        memset(text - 8, 0xff, size + 16);
        memset(text, 'a', size);
        check(size);
        for (size_t i = 0; i < size; i++) {
            text[i] = 0xff;
            check(size);
            text[i] = 'a';
        }
    }
}

static void test_long_texts(void **state)
{
    (void)state;
    for (size_t room = 100; room < 60000; room = room * 3 / 2) {
        u8 *text = s.buffer + BEGIN;
        size_t size = 0;
        while (size + 4 < room)
            size += put_character(text + size, size % 7 ? 0x20ac : 'x');
        check(size);
        text[size - 2] ^= 0x40;
        check(size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_short_sequences), cmocka_unit_test(test_all_long_leads),
        cmocka_unit_test(test_random_texts),        cmocka_unit_test(test_one_byte_in_ascii),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
