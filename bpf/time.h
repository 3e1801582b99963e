// CEL's timestamps and durations. Source: the CEL specification; google/protobuf/timestamp.proto
// and duration.proto. Functions that can fail set *failed.
//
// Nanoseconds since 1970 do not fit into 64 bits for all years of a timestamp, so a time stays as
// the wire has it: seconds and nanoseconds. Sent ones may be out of range, or have nanoseconds of
// either sign and size; they are compared as they are. What is computed is in range and in the one
// form that a value has: the nanoseconds of a timestamp count forwards, those of a duration have
// the sign of the whole.
#ifndef P2E_BPF_TIME_H
#define P2E_BPF_TIME_H

#include "number.h"
#include "state.h"

#define P2E_SECOND          1000000000ll     // in nanoseconds
#define P2E_DAY             86400ll          // in seconds
#define P2E_TIMESTAMP_FIRST (-62135596800ll) // 0001-01-01T00:00:00Z
#define P2E_TIMESTAMP_LAST  253402300799ll   // 9999-12-31T23:59:59.999999999Z, without its fraction

// A duration has as many nanoseconds as fit into 64 bits.
#define P2E_DURATION_SECONDS 9223372036ll
#define P2E_DURATION_NANOS   854775807ll

struct p2e_time {
    s64 seconds, nanos;
};

static P2E_INLINE struct p2e_time p2e_time(s64 seconds, s64 nanos)
{
    return (struct p2e_time){seconds, nanos};
}

// The same moment for all that is asked of one message.
static P2E_INLINE struct p2e_time p2e_now(struct p2e_state *s)
{
    return p2e_time((s64)(s->now / P2E_SECOND) - s->options.tai_ahead, s->now % P2E_SECOND);
}

static P2E_INLINE int p2e_time_compare(struct p2e_time a, struct p2e_time b)
{
    if (a.seconds != b.seconds)
        return p2e_int_compare(a.seconds, b.seconds);
    return p2e_int_compare(a.nanos, b.nanos);
}

// ---- Arithmetic ---------------------------------------------------------------------------------
// Nanoseconds that count forwards from the second before them: 0 to 999,999,999. `nanos` is the sum
// of two that were sent, so it is far from what 64 bits hold.
static P2E_INLINE struct p2e_time p2e_time_floor(s64 seconds, s64 nanos, u32 *failed)
{
    u64 shifted = nanos + 16 * P2E_SECOND;
    s64 carry = (s64)(shifted / P2E_SECOND) - 16;
    return p2e_time(p2e_int_add(seconds, carry, failed), shifted % P2E_SECOND);
}

static P2E_INLINE struct p2e_time p2e_time_sum(struct p2e_time a, struct p2e_time b, u32 *failed)
{
    return p2e_time_floor(p2e_int_add(a.seconds, b.seconds, failed), a.nanos + b.nanos, failed);
}

static P2E_INLINE struct p2e_time p2e_time_difference(struct p2e_time a, struct p2e_time b,
                                                      u32 *failed)
{
    return p2e_time_floor(p2e_int_subtract(a.seconds, b.seconds, failed), a.nanos - b.nanos,
                          failed);
}

// 1 where a is above b. Where they are 2^63 or more apart it may be either; then the one that was
// sent fails on one side or the other.
//
// Failures are computed, not branched to: the verifier would follow every way through a condition,
// and multiply it by those through the next.
static P2E_INLINE u32 p2e_is_above(s64 a, s64 b)
{
    u64 difference = (u64)b - (u64)a;
    OPAQUE(difference);
    return difference >> 63;
}

static P2E_INLINE u32 p2e_is_equal(s64 a, s64 b)
{
    return 1 ^ p2e_is_above(a, b) ^ p2e_is_above(b, a);
}

static P2E_INLINE struct p2e_time p2e_timestamp_checked(struct p2e_time t, u32 *failed)
{
    *failed |= p2e_is_above(P2E_TIMESTAMP_FIRST, t.seconds);
    *failed |= p2e_is_above(t.seconds, P2E_TIMESTAMP_LAST);
    return t;
}

static P2E_INLINE struct p2e_time p2e_timestamp_add(struct p2e_time a, struct p2e_time b,
                                                    u32 *failed)
{
    return p2e_timestamp_checked(p2e_time_sum(a, b, failed), failed);
}

static P2E_INLINE struct p2e_time p2e_timestamp_subtract(struct p2e_time a, struct p2e_time b,
                                                         u32 *failed)
{
    return p2e_timestamp_checked(p2e_time_difference(a, b, failed), failed);
}

// From nanoseconds that count forwards to those with the sign of the whole.
static P2E_INLINE struct p2e_time p2e_duration_checked(struct p2e_time t, u32 *failed)
{
    s64 first = -P2E_DURATION_SECONDS - 1, last = P2E_DURATION_SECONDS;
    *failed |= p2e_is_above(first, t.seconds) | p2e_is_above(t.seconds, last);
    *failed |= p2e_is_equal(t.seconds, last) & p2e_is_above(t.nanos, P2E_DURATION_NANOS);
    *failed |=
        p2e_is_equal(t.seconds, first) & p2e_is_above(P2E_SECOND - P2E_DURATION_NANOS - 1, t.nanos);
    s64 carry = p2e_is_above(0, t.seconds) & p2e_is_above(t.nanos, 0);
    return p2e_time(t.seconds + carry, t.nanos - carry * P2E_SECOND);
}

static P2E_INLINE struct p2e_time p2e_duration_add(struct p2e_time a, struct p2e_time b,
                                                   u32 *failed)
{
    return p2e_duration_checked(p2e_time_sum(a, b, failed), failed);
}

// Of timestamps, too.
static P2E_INLINE struct p2e_time p2e_duration_subtract(struct p2e_time a, struct p2e_time b,
                                                        u32 *failed)
{
    return p2e_duration_checked(p2e_time_difference(a, b, failed), failed);
}

// ---- Conversions --------------------------------------------------------------------------------
static P2E_INLINE struct p2e_time p2e_int_to_timestamp(s64 seconds, u32 *failed)
{
    return p2e_timestamp_checked(p2e_time(seconds, 0), failed);
}

static P2E_INLINE s64 p2e_timestamp_to_int(struct p2e_time t, u32 *failed)
{
    return t.seconds;
}

// ---- Parts of a duration: towards zero ----------------------------------------------------------
static P2E_INLINE s64 p2e_divide_by(s64 a, u64 b)
{
    u64 sign = a >> 63; // all bits of it
    return ((((u64)a ^ sign) - sign) / b ^ sign) - sign;
}

static P2E_INLINE s64 p2e_duration_hours(struct p2e_time t)
{
    return p2e_divide_by(t.seconds, 3600);
}

static P2E_INLINE s64 p2e_duration_minutes(struct p2e_time t)
{
    return p2e_divide_by(t.seconds, 60);
}

static P2E_INLINE s64 p2e_duration_seconds(struct p2e_time t)
{
    return t.seconds;
}

static P2E_INLINE s64 p2e_duration_milliseconds(struct p2e_time t)
{
    return p2e_divide_by(t.nanos, 1000000);
}

// ---- Parts of a timestamp, `ahead` seconds east of UTC ------------------------------------------
// Years are counted from March on: the day that leap years add is then the last of its year.
// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (public domain).
#define P2E_DAYS_BEFORE_1970 719468 // from 0000-03-01, a Wednesday
#define P2E_DAYS_OF_ERA      146097 // of 400 years

struct p2e_date {
    u64 year, day_of_year; // from March on, both
    u64 month;             // 0 is March
};

// Seconds since 0000-03-01. A time that is out of range has no date: it fails.
static P2E_INLINE u64 p2e_local(struct p2e_time t, s64 ahead, u32 *failed)
{
    p2e_timestamp_checked(t, failed);
    *failed |= p2e_is_above(0, t.nanos) | p2e_is_above(t.nanos, P2E_SECOND - 1);
    return t.seconds + ahead + P2E_DAYS_BEFORE_1970 * P2E_DAY;
}

static P2E_INLINE struct p2e_date p2e_date(struct p2e_time t, s64 ahead, u32 *failed)
{
    u64 days = p2e_local(t, ahead, failed) / P2E_DAY;
    u64 day = days % P2E_DAYS_OF_ERA; // of the era
    u64 year = (day - day / 1460 + day / 36524 - day / (P2E_DAYS_OF_ERA - 1)) / 365;
    u64 day_of_year = day - (365 * year + year / 4 - year / 100);
    return (struct p2e_date){days / P2E_DAYS_OF_ERA * 400 + year, day_of_year,
                             (5 * day_of_year + 2) / 153};
}

static P2E_INLINE s64 p2e_timestamp_full_year(struct p2e_time t, s64 ahead, u32 *failed)
{
    struct p2e_date date = p2e_date(t, ahead, failed);
    return date.year + date.month / 10;
}

static P2E_INLINE s64 p2e_timestamp_month(struct p2e_time t, s64 ahead, u32 *failed)
{
    struct p2e_date date = p2e_date(t, ahead, failed);
    return (date.month + 2) % 12;
}

static P2E_INLINE s64 p2e_timestamp_day_of_month(struct p2e_time t, s64 ahead, u32 *failed)
{
    struct p2e_date date = p2e_date(t, ahead, failed);
    return date.day_of_year - (153 * date.month + 2) / 5;
}

static P2E_INLINE s64 p2e_timestamp_date(struct p2e_time t, s64 ahead, u32 *failed)
{
    return p2e_timestamp_day_of_month(t, ahead, failed) + 1;
}

static P2E_INLINE s64 p2e_timestamp_day_of_week(struct p2e_time t, s64 ahead, u32 *failed)
{
    return (p2e_local(t, ahead, failed) / P2E_DAY + 3) % 7;
}

static P2E_INLINE u64 p2e_divides(u64 a, u64 b)
{
    return (b % a - 1) >> 63;
}

static P2E_INLINE s64 p2e_timestamp_day_of_year(struct p2e_time t, s64 ahead, u32 *failed)
{
    struct p2e_date date = p2e_date(t, ahead, failed);
    u64 leap =
        p2e_divides(4, date.year) - p2e_divides(100, date.year) + p2e_divides(400, date.year);
    u64 next = date.month / 10; // January and February are of the next year
    return date.day_of_year + (1 - next) * (59 + leap) - next * 306;
}

static P2E_INLINE s64 p2e_timestamp_hours(struct p2e_time t, s64 ahead, u32 *failed)
{
    return p2e_local(t, ahead, failed) % P2E_DAY / 3600;
}

static P2E_INLINE s64 p2e_timestamp_minutes(struct p2e_time t, s64 ahead, u32 *failed)
{
    return p2e_local(t, ahead, failed) % 3600 / 60;
}

static P2E_INLINE s64 p2e_timestamp_seconds(struct p2e_time t, s64 ahead, u32 *failed)
{
    return p2e_local(t, ahead, failed) % 60;
}

static P2E_INLINE s64 p2e_timestamp_milliseconds(struct p2e_time t, s64 ahead, u32 *failed)
{
    p2e_local(t, ahead, failed);
    return (u64)t.nanos / 1000000;
}

#endif
