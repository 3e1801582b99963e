// CEL's arithmetic and comparison on what a slot holds. A bool that may be an error is 0, 1 or
// P2E_ERROR. Functions that can fail set *failed. Source: the CEL specification, "Values" and
// "Overflow"; IEEE 754 for floating point, which BPF does not have: values stay bit patterns.
#ifndef P2E_BPF_NUMBER_H
#define P2E_BPF_NUMBER_H

#include "kernel.h"

#define P2E_ERROR     2
#define P2E_INT64_MIN ((s64)(1ull << 63))

// ---- Three-valued logic: false && error is false, true || error is true -------------------------
static P2E_INLINE int p2e_not(int a)
{
    return a == P2E_ERROR ? P2E_ERROR : !a;
}

static P2E_INLINE int p2e_and(int a, int b)
{
    if (!a || !b)
        return 0;
    return a == P2E_ERROR || b == P2E_ERROR ? P2E_ERROR : 1;
}

static P2E_INLINE int p2e_or(int a, int b)
{
    if (a == 1 || b == 1)
        return 1;
    return a == P2E_ERROR || b == P2E_ERROR ? P2E_ERROR : 0;
}

static P2E_INLINE int p2e_checked(u32 failed, int result)
{
    return failed ? P2E_ERROR : result;
}

// The condition of a choice between values that are not bool.
static P2E_INLINE int p2e_condition(int a, u32 *failed)
{
    if (a == P2E_ERROR)
        *failed = 1;
    return a == 1;
}

// ---- Conditions on the elements of a list -------------------------------------------------------
// A tally counts results: false ones from bit 0 on, true ones from bit 20, errors from bit 40.
// There are fewer elements than bytes.
#define P2E_TALLY_BITS 20
#define P2E_TALLY_MASK ((1ull << P2E_TALLY_BITS) - 1)

static P2E_INLINE u64 p2e_tally_one(int result)
{
    return 1ull << P2E_TALLY_BITS * (result & 3);
}

static P2E_INLINE void p2e_tally(u64 *tally, int result)
{
    *tally += p2e_tally_one(result);
}

static P2E_INLINE u32 p2e_tally_of(u64 tally, int result)
{
    return tally >> P2E_TALLY_BITS * result & P2E_TALLY_MASK;
}

static P2E_INLINE int p2e_all(u64 tally)
{
    return p2e_tally_of(tally, 0) ? 0 : p2e_tally_of(tally, P2E_ERROR) ? P2E_ERROR : 1;
}

static P2E_INLINE int p2e_exists(u64 tally)
{
    return p2e_tally_of(tally, 1) ? 1 : p2e_tally_of(tally, P2E_ERROR) ? P2E_ERROR : 0;
}

static P2E_INLINE int p2e_exists_one(u64 tally)
{
    return p2e_tally_of(tally, P2E_ERROR) ? P2E_ERROR : p2e_tally_of(tally, 1) == 1;
}

// ---- What the wire holds to what CEL sees -------------------------------------------------------
static P2E_INLINE s64 p2e_zigzag32(u64 wire)
{
    u32 v = wire;
    return (s32)(v >> 1 ^ -(v & 1));
}

static P2E_INLINE s64 p2e_zigzag64(u64 wire)
{
    return (s64)(wire >> 1 ^ -(wire & 1));
}

// float to double, exactly.
static P2E_INLINE u64 p2e_widen(u32 f)
{
    u64 sign = (u64)(f >> 31) << 63;
    u32 exponent = f >> 23 & 0xff;
    u64 mantissa = f & 0x7fffff;
    if (exponent == 0xff)
        return sign | 0x7ffull << 52 | mantissa << 29;
    if (exponent)
        return sign | (u64)(exponent + 896) << 52 | mantissa << 29;
    if (!mantissa)
        return sign;
    // Subnormal: shift the leading one to bit 23, five halving steps.
    exponent = 897;
    for (u32 shift = 16; shift; shift >>= 1) {
        if (mantissa >> (24 - shift))
            continue;
        mantissa <<= shift;
        exponent -= shift;
    }
    return sign | (u64)exponent << 52 | (mantissa & 0x7fffff) << 29;
}

// ---- Integers -----------------------------------------------------------------------------------
static P2E_INLINE s64 p2e_int_add(s64 a, s64 b, u32 *failed)
{
    u64 sum = (u64)a + (u64)b;
    *failed |= ((sum ^ a) & (sum ^ b)) >> 63;
    return sum;
}

static P2E_INLINE s64 p2e_int_subtract(s64 a, s64 b, u32 *failed)
{
    u64 difference = (u64)a - (u64)b;
    *failed |= ((a ^ b) & (a ^ difference)) >> 63;
    return difference;
}

static P2E_INLINE s64 p2e_int_negate(s64 a, u32 *failed)
{
    if (a == P2E_INT64_MIN)
        *failed = 1;
    return -(u64)a;
}

static P2E_INLINE u64 p2e_uint_add(u64 a, u64 b, u32 *failed)
{
    if (a + b < a)
        *failed = 1;
    return a + b;
}

static P2E_INLINE u64 p2e_uint_subtract(u64 a, u64 b, u32 *failed)
{
    if (a < b)
        *failed = 1;
    return a - b;
}

static P2E_INLINE u64 p2e_uint_multiply(u64 a, u64 b, u32 *failed)
{
    u64 limit = ~0ull;
    OPAQUE(limit);
    if (a && limit / a < b)
        *failed = 1;
    return a * b;
}

static P2E_INLINE u64 p2e_uint_divide(u64 a, u64 b, u32 *failed)
{
    if (!b)
        *failed = 1;
    return b ? a / b : 0;
}

static P2E_INLINE u64 p2e_uint_modulo(u64 a, u64 b, u32 *failed)
{
    if (!b)
        *failed = 1;
    return b ? a % b : 0;
}

static P2E_INLINE u64 p2e_magnitude(s64 a)
{
    return a < 0 ? -(u64)a : (u64)a;
}

static P2E_INLINE s64 p2e_int_multiply(s64 a, s64 b, u32 *failed)
{
    u64 x = p2e_magnitude(a), y = p2e_magnitude(b);
    u64 limit = (1ull << 63) - !((a < 0) ^ (b < 0));
    if (x && limit / x < y)
        *failed = 1;
    return (u64)a * (u64)b;
}

// BPF divides unsigned numbers only. Towards zero, as CEL does.
static P2E_INLINE s64 p2e_int_divide(s64 a, s64 b, u32 *failed)
{
    if (!b || (a == P2E_INT64_MIN && b == -1))
        *failed = 1;
    u64 quotient = p2e_uint_divide(p2e_magnitude(a), p2e_magnitude(b), failed);
    return (a < 0) ^ (b < 0) ? -quotient : quotient;
}

// The sign is the dividend's.
static P2E_INLINE s64 p2e_int_modulo(s64 a, s64 b, u32 *failed)
{
    if (a == P2E_INT64_MIN && b == -1)
        *failed = 1;
    u64 rest = p2e_uint_modulo(p2e_magnitude(a), p2e_magnitude(b), failed);
    return a < 0 ? -rest : rest;
}

// ---- Conversions --------------------------------------------------------------------------------
#define P2E_DOUBLE_SIGN     (1ull << 63)
#define P2E_DOUBLE_INFINITY (0x7ffull << 52)
#define P2E_DOUBLE_MANTISSA ((1ull << 52) - 1)

static P2E_INLINE int p2e_double_is_nan(u64 d)
{
    return (d & ~P2E_DOUBLE_SIGN) > P2E_DOUBLE_INFINITY;
}

// Infinite, of this sign; 0 is any.
static P2E_INLINE int p2e_double_is_inf(u64 d, s64 sign)
{
    return (d & ~P2E_DOUBLE_SIGN) == P2E_DOUBLE_INFINITY && (!sign || (sign < 0) == d >> 63);
}

static P2E_INLINE u64 p2e_double_negate(u64 d)
{
    return d ^ P2E_DOUBLE_SIGN;
}

static P2E_INLINE u64 p2e_int_to_uint(s64 a, u32 *failed)
{
    if (a < 0)
        *failed = 1;
    return a;
}

static P2E_INLINE s64 p2e_uint_to_int(u64 a, u32 *failed)
{
    if (a >> 63)
        *failed = 1;
    return a;
}

// What stands before the point, without the sign. Fails from 2^64 on, and for a NaN.
static P2E_INLINE u64 p2e_double_whole(u64 d, u32 *failed)
{
    s32 exponent = (s32)(d >> 52 & 0x7ff) - 1023;
    u64 mantissa = (d & P2E_DOUBLE_MANTISSA) | 1ull << 52;
    if (exponent > 63)
        *failed = 1;
    if (exponent < 0)
        return 0;
    return exponent < 52 ? mantissa >> ((52 - exponent) & 63) : mantissa << ((exponent - 52) & 63);
}

static P2E_INLINE u64 p2e_double_to_uint(u64 d, u32 *failed)
{
    if (d > P2E_DOUBLE_SIGN)
        *failed = 1;
    return p2e_double_whole(d, failed);
}

// The least integer fails, too, as CEL's conformance suite has it.
static P2E_INLINE s64 p2e_double_to_int(u64 d, u32 *failed)
{
    u64 whole = p2e_double_whole(d, failed);
    if (whole >> 63)
        *failed = 1;
    return d >> 63 ? -whole : whole;
}

// The nearest double, to even where two are as near.
static P2E_INLINE u64 p2e_uint_to_double(u64 a)
{
    if (!a)
        return 0;
    u32 top = 0; // index of the highest bit, six halving steps
    for (u32 step = 32; step; step >>= 1) {
        if (a >> (top + step))
            top += step;
    }
    u64 exponent = (u64)(1022 + top) << 52; // one less: the mantissa's leading bit adds it back
    if (top <= 52)
        return exponent + (a << ((52 - top) & 63));
    u32 shift = (top - 52) & 63;
    u64 kept = a >> shift, lost = a & ((1ull << shift) - 1), half = 1ull << ((shift - 1) & 63);
    return exponent + kept + (lost > half || (lost == half && kept & 1));
}

static P2E_INLINE u64 p2e_int_to_double(s64 a)
{
    return ((u64)a & P2E_DOUBLE_SIGN) | p2e_uint_to_double(p2e_magnitude(a));
}

// ---- Order: -1, 0, 1; P2E_UNORDERED with a NaN --------------------------------------------------
#define P2E_UNORDERED 2

// What a comparison says of a < b, a <= b, a > b, a >= b.
static P2E_INLINE int p2e_below(int order)
{
    return order == -1;
}

static P2E_INLINE int p2e_at_most(int order)
{
    return order <= 0;
}

static P2E_INLINE int p2e_above(int order)
{
    return order == 1;
}

static P2E_INLINE int p2e_at_least(int order)
{
    return order == 0 || order == 1;
}

static P2E_INLINE int p2e_int_compare(s64 a, s64 b)
{
    return a < b ? -1 : a > b;
}

static P2E_INLINE int p2e_uint_compare(u64 a, u64 b)
{
    return a < b ? -1 : a > b;
}

static P2E_INLINE int p2e_int_uint_compare(s64 a, u64 b)
{
    return a < 0 ? -1 : p2e_uint_compare(a, b);
}

// Bit patterns in the order of the numbers; both zeros are equal.
static P2E_INLINE s64 p2e_double_key(u64 d)
{
    return (s64)d < 0 ? (s64)((1ull << 63) - d) : (s64)d;
}

static P2E_INLINE int p2e_double_compare(u64 a, u64 b)
{
    if (p2e_double_is_nan(a) || p2e_double_is_nan(b))
        return P2E_UNORDERED;
    return p2e_int_compare(p2e_double_key(a), p2e_double_key(b));
}

// CEL orders an integer against a double as the double nearest to it.
static P2E_INLINE int p2e_uint_double_compare(u64 a, u64 d)
{
    return p2e_double_compare(p2e_uint_to_double(a), d);
}

static P2E_INLINE int p2e_int_double_compare(s64 a, u64 d)
{
    return p2e_double_compare(p2e_int_to_double(a), d);
}

// ---- Equality of numbers of two kinds, by value: exact, unlike the order ------------------------
static P2E_INLINE int p2e_int_uint_equal(s64 a, u64 b)
{
    return a >= 0 && (u64)a == b;
}

static P2E_INLINE int p2e_uint_double_equal(u64 a, u64 d)
{
    u32 failed = 0;
    u64 whole = p2e_double_whole(d, &failed);
    return !failed && whole == a && !p2e_uint_double_compare(a, d);
}

static P2E_INLINE int p2e_int_double_equal(s64 a, u64 d)
{
    u32 failed = 0;
    u64 whole = p2e_double_whole(d, &failed);
    return !failed && whole == p2e_magnitude(a) && !p2e_int_double_compare(a, d);
}

#endif
