// The check values that everybody has, and every length of a tail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crc32.h"

static void test_check_values(void **state)
{
    (void)state;
    assert_int_equal(p2e_crc32("", 0), 0);
    assert_int_equal(p2e_crc32("123456789", 9), 0xcbf43926);
    assert_int_equal(p2e_crc32("a", 1), 0xe8b7be43);
    assert_int_equal(p2e_crc32("The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
}

// Bit by bit, as the polynomial says.
static uint32_t plain_crc32(const uint8_t *bytes, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void test_lengths(void **state)
{
    uint8_t bytes[300];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 ^ i >> 3);
    for (size_t size = 0; size <= sizeof(bytes); size++)
        assert_int_equal(p2e_crc32(bytes, size), plain_crc32(bytes, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_values),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
