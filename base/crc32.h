// CRC-32 (IEEE 802.3, as zlib's), to tell a damaged file from a whole one. No defence against a
// forger.
#ifndef P2E_BASE_CRC32_H
#define P2E_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t p2e_crc32(const void *data, size_t size);

#endif
