// Elements that are told apart: unique() and the keys of maps.
#ifndef P2E_BPF_ELEMENT_H
#define P2E_BPF_ELEMENT_H

#include "distinct.h"
#include "number.h"

#if P2E_HAS_DISTINCT

static P2E_INLINE u64 p2e_set(struct p2e_state *s, u64 *set)
{
    if (!*set)
        *set = p2e_distinct_new(s);
    return *set;
}

// Of the result of a look-up: 1 for a value that was not there yet, 0 for one that was.
static P2E_INLINE int p2e_is_first(int result)
{
    return result == P2E_DISTINCT_FULL ? P2E_ERROR : result == P2E_DISTINCT_NEW;
}

static P2E_INLINE int p2e_first_time(struct p2e_state *s, u64 *set, u64 value)
{
    return p2e_is_first(p2e_distinct_scalar(s, p2e_set(s, set), value));
}

static P2E_INLINE int p2e_first_time_double(struct p2e_state *s, u64 *set, u64 value)
{
    if (p2e_double_is_nan(value))
        return 1;
    return p2e_first_time(s, set, value == P2E_DOUBLE_SIGN ? 0 : value);
}

#if P2E_USES_COMPARE
static P2E_INLINE int p2e_first_time_text(struct p2e_state *s, u64 *set, u64 value)
{
    return p2e_is_first(p2e_distinct_text(s, p2e_set(s, set), value));
}
#endif

// What became of a map's key: enum p2e_distinct_result. Counts the keys behind the set; *was is
// what an earlier entry had come to.
static P2E_INLINE int p2e_met_key(struct p2e_state *s, u64 *set, int result, u32 *was)
{
    if (result == P2E_DISTINCT_NEW)
        set[1]++;
    if (result == P2E_DISTINCT_KNOWN)
        *was = p2e_distinct_bits(s);
    return result;
}

static P2E_INLINE int p2e_meet_key(struct p2e_state *s, u64 *set, u64 key, u32 *was)
{
    return p2e_met_key(s, set, p2e_distinct_scalar(s, p2e_set(s, set), key), was);
}

#if P2E_USES_COMPARE
static P2E_INLINE int p2e_meet_key_text(struct p2e_state *s, u64 *set, u64 key, u32 *was)
{
    return p2e_met_key(s, set, p2e_distinct_text(s, p2e_set(s, set), key), was);
}
#endif

// Tallies a result in place of the one that an entry with the same key had. Returns its two bits.
static P2E_INLINE u32 p2e_retally(u64 *tally, int known, u32 was, int result, u32 shift)
{
    if (known == P2E_DISTINCT_KNOWN)
        *tally -= p2e_tally_one(was >> shift);
    p2e_tally(tally, result);
    return (u32)(result & 3) << shift;
}

#endif

#endif
