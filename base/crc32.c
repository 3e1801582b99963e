#include "base/crc32.h"

// Of four bits.
static const uint32_t table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

// Of a byte that is followed by 0 to 3 more: four bytes are then taken at a time. To make them
// takes less than a file of some kB would take otherwise.
static void make_tables(uint32_t tables[4][256])
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t crc = i >> 4 ^ table[i & 15];
        tables[0][i] = crc >> 4 ^ table[crc & 15];
    }
    for (unsigned i = 0; i < 3 * 256; i++) {
        uint32_t crc = tables[i / 256][i % 256];
        tables[i / 256 + 1][i % 256] = crc >> 8 ^ tables[0][crc & 255];
    }
}

uint32_t p2e_crc32(const void *data, size_t size)
{
    const uint8_t *bytes = data, *end = bytes + size;
    uint32_t crc = ~0u, tables[4][256];

    make_tables(tables);
    for (; end - bytes >= 4; bytes += 4) {
        crc ^= bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
               (uint32_t)bytes[3] << 24;
        crc = tables[3][crc & 255] ^ tables[2][crc >> 8 & 255] ^ tables[1][crc >> 16 & 255] ^
              tables[0][crc >> 24];
    }
    for (; bytes < end; bytes++)
        crc = crc >> 8 ^ tables[0][(crc ^ *bytes) & 255];
    return ~crc;
}
