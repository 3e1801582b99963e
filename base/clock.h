// Time that only goes forward.
#ifndef P2E_BASE_CLOCK_H
#define P2E_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

// Milliseconds of CLOCK_MONOTONIC.
static inline int64_t p2e_clock_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}

#endif
