// A message decoded by its type in the schema: what an annotation says, as constants.
#ifndef P2E_COMPILER_DYNAMIC_H
#define P2E_COMPILER_DYNAMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "compiler/arena.h"
#include "compiler/schema.h"
#include "compiler/wire.h"

#define P2E_DYNAMIC_DEPTH_MAX 100 // messages within messages, as protobuf's own parsers have it

// Immutable once it is decoded. Everywhere below NULL stands for the empty message, which is what
// p2e_dynamic_get gives for a message field that is absent.
struct p2e_dynamic;

// The member that counts goes by the field's type.
union p2e_dynamic_value {
    bool boolean;
    int64_t integer;       // signed integers and enums
    uint64_t uinteger;     // unsigned ones
    double real;           // float too
    struct p2e_bytes text; // string and bytes; `data` is never NULL, and a NUL stands behind it
    const struct p2e_dynamic *message; // a map's entries too
};

// Decodes as every conforming parser does: the last occurrence wins, submessages merge, lists may
// be packed or not, a oneof's last member and a map key's last entry stay, unknown fields and
// closed enums' unknown numbers are ignored, extensions that the schema has are decoded.
// Malformed bytes, strings that are not UTF-8 where the field demands it, a required field that is
// missing, and more than `arena` has room for are errors. The memory is that of `arena`, on failure
// too, and it does not refer to `bytes`.
int p2e_dynamic_decode(const struct p2e_message *type, struct p2e_bytes bytes,
                       struct p2e_arena *arena, const struct p2e_dynamic **message,
                       struct p2e_error *err);
// The same, and keeps what the schema does not know, for p2e_dynamic_unknowns.
int p2e_dynamic_decode_all(const struct p2e_message *type, struct p2e_bytes bytes,
                           struct p2e_arena *arena, const struct p2e_dynamic **message,
                           struct p2e_error *err);

// In all of these `field` is a field or an extension of the message's type.

// Is it set? A field without presence is when it is not its default; a list or a map when it is not
// empty.
bool p2e_dynamic_has(const struct p2e_dynamic *message, const struct p2e_field *field);
// The value of a field that is not repeated: its default where it is absent.
union p2e_dynamic_value p2e_dynamic_get(const struct p2e_dynamic *message,
                                        const struct p2e_field *field);
// How many elements a list or a map has; of a single field 1 when it is set, else 0.
size_t p2e_dynamic_size(const struct p2e_dynamic *message, const struct p2e_field *field);
// Element `index`, below the size. A map's are its entries, whose fields are 1, the key, and 2, the
// value, ascending by key.
union p2e_dynamic_value p2e_dynamic_at(const struct p2e_dynamic *message,
                                       const struct p2e_field *field, size_t index);
// The set field that follows `previous` (NULL for the first): the type's own ascending by number,
// then extensions likewise. NULL after the last one.
const struct p2e_field *p2e_dynamic_next(const struct p2e_dynamic *message,
                                         const struct p2e_field *previous);

// What the schema does not know, in the order in which it was sent: fields, numbers of closed enums
// (a map's entry with one: the entry), values of another wire type than the field's. A group's
// content ends with its end tag.
const struct p2e_wire_field *p2e_dynamic_unknowns(const struct p2e_dynamic *message, size_t *count);
// Number of a field of the message itself that the schema does not know; 0 for none.
uint32_t p2e_dynamic_unknown(const struct p2e_dynamic *message);

#endif
