// Who judges messages in user space, and the checks that all of them make: those of the filters'
// rules (bench/kinds.py).
#ifndef BENCH_JUDGE_H
#define BENCH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/utf8.h"

enum kind { SEARCH, TELEMETRY, BATCH, BLOB, KIND_COUNT };

// true: well-formed, and every rule holds.
typedef bool judge_function(const uint8_t *message, size_t size);

struct judge {
    const char *name;
    judge_function *of_kind[KIND_COUNT];
};

#ifdef __cplusplus
extern "C" {
#endif
extern const struct judge scanner_judge, protobuf_c_judge, cpp_judge, nanopb_judge;
// Unpacks, and checks nothing.
extern const struct judge unpack_judge;
#ifdef __cplusplus
}
#endif

static inline bool name_ok(const char *name, size_t size)
{
    // Never more code points than bytes.
    return size >= 1 && (size <= 64 || utf8_points((const uint8_t *)name, size) <= 64);
}

static inline bool search_ok(const char *query, size_t size, int32_t page, int32_t per_page)
{
    return name_ok(query, size) && page >= 0 && per_page >= 1 && per_page <= 100;
}

static inline bool telemetry_ok(size_t name_size, double latitude, int32_t temperature,
                                uint32_t battery, size_t samples)
{
    return name_size && latitude >= -90 && latitude <= 90 && temperature >= -40000 &&
           temperature <= 85000 && battery <= 100 && samples <= 64;
}

static inline bool metric_ok(const char *name, size_t size, double value)
{
    return name_ok(name, size) && value >= 0;
}

static inline bool batch_ok(size_t metrics)
{
    return metrics <= 100;
}

static inline bool blob_ok(size_t id_size, uint32_t chunk, uint32_t total, size_t payload)
{
    return id_size && chunk < total && payload <= 16384;
}

#endif
