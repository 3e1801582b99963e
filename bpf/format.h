// What of a string's format no automaton tells (compiler/cel_format.c): lengths of hosts, whether
// there is a port, whether the host's bits of an address are zero. Each takes a text that the
// format's automaton has accepted.
//
// Before this file the emitted part defines P2E_USES_NETWORK.
#ifndef P2E_BPF_FORMAT_H
#define P2E_BPF_FORMAT_H

#include "text.h"

#define P2E_HOSTNAME_MAX 253 // a dot at the end does not count
#define P2E_PORT_MAX     5   // digits

// ---- host[:port] --------------------------------------------------------------------------------
static P2E_INLINE int p2e_is_digit(u32 c)
{
    return c - '0' < 10;
}

// Size of the ":port" that the text ends with, 0 when there is none.
static P2E_INLINE u32 p2e_text_port(struct p2e_state *s, u64 text)
{
    u32 end = p2e_text_pos(text) + p2e_text_size(text);
    for (u32 size = 1; size <= P2E_PORT_MAX + 1 && size <= p2e_text_size(text); size++) {
        u32 c = p2e_byte(s, end - size);
        if (!p2e_is_digit(c))
            return c == ':' ? size : 0;
    }
    return 0;
}

static P2E_INLINE int p2e_text_host_fits(struct p2e_state *s, u64 text)
{
    u32 pos = p2e_text_pos(text), size = p2e_text_size(text);
    if (size <= P2E_HOSTNAME_MAX || p2e_byte(s, pos) == '[')
        return 1;
    size -= p2e_text_port(s, text);
    size -= p2e_byte(s, pos + size - 1) == '.';
    return size <= P2E_HOSTNAME_MAX;
}

// ---- address/length -----------------------------------------------------------------------------
#if P2E_USES_NETWORK
// No longer text has eight groups or fewer.
#define P2E_NETWORK_SIZE 64

struct p2e_address {
    u32 hex, decimal, digits; // the number that is being read, and how many digits it has
    u32 colon, dots;          // the last character was a colon; there were dots
    u32 bits, last;           // read so far; the end of the last that is set, from 1
    u32 compressed;           // there was a ::, with these before it
    u32 bits_before, last_before;
};

// How many zeros a number that is not 0 ends with.
static P2E_INLINE u32 p2e_trailing_zeros(u32 value)
{
    u32 low = value & -value;
    return !!(low & 0xff00) * 8 + !!(low & 0xf0f0) * 4 + !!(low & 0xcccc) * 2 + !!(low & 0xaaaa);
}

static P2E_INLINE void p2e_address_number(struct p2e_address *a, u32 value, u32 bits)
{
    a->bits += bits;
    if (value)
        a->last = a->bits - p2e_trailing_zeros(value);
}

static P2E_INLINE void p2e_address_compressed(struct p2e_address *a)
{
    a->compressed = 1;
    a->bits_before = a->bits;
    a->last_before = a->last;
    a->bits = 0;
    a->last = 0;
}

static P2E_INLINE void p2e_address_digit(struct p2e_address *a, u32 c)
{
    u32 digit = p2e_is_digit(c) ? c - '0' : (c | 32) - 'a' + 10;
    a->hex = a->hex * 16 + digit;
    a->decimal = a->decimal * 10 + digit;
    a->digits++;
    a->colon = 0;
}

P2E_GLOBAL int p2e_address_step(struct p2e_address *a, u32 c)
{
    if (!a)
        return 0;
    if (c != ':' && c != '.' && c != '/') {
        p2e_address_digit(a, c);
        return 0;
    }
    a->dots |= c == '.';
    if (a->digits && a->dots)
        p2e_address_number(a, a->decimal, 8);
    else if (a->digits)
        p2e_address_number(a, a->hex, 16);
    else if (a->colon && c == ':')
        p2e_address_compressed(a);
    a->hex = 0;
    a->decimal = 0;
    a->digits = 0;
    a->colon = c == ':';
    return 0;
}

// Are the bits of the address beyond the length all zero?
P2E_GLOBAL int p2e_text_is_network(struct p2e_state *s, u64 text)
{
    if (!s)
        return 0;
    struct p2e_address a = {0};
    u32 pos = p2e_text_pos(text), size = p2e_text_size(text);
    for (u32 i = 0; i < P2E_NETWORK_SIZE; i++) {
        if (i < size)
            p2e_address_step(&a, p2e_byte(s, pos + i));
    }
    // The reference takes an address of more groups than there can be for zero.
    if (size > P2E_NETWORK_SIZE || a.bits_before + a.bits > 128)
        return 1;
    u32 last = a.last;
    if (a.compressed)
        last = a.last ? 128 - a.bits + a.last : a.last_before;
    return last <= a.decimal;
}
#endif

#endif
