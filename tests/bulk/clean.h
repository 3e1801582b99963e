// What is well formed, and what protobuf-c makes of it: a plain recursive reader of the wire
// format.
//
// Unpacking by protobuf-c is the oracle's verdict. Where protobuf-c is not a standard parser, the
// reader decides instead, or hands protobuf-c a message that means the same and that it
// understands. Those places are the list below, and no others: see p2e_bulk_verdict.
#ifndef P2E_TESTS_BULK_CLEAN_H
#define P2E_TESTS_BULK_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "tests/bulk/schemas.h"

// How protobuf-c 1.4 differs from a standard parser.
enum p2e_bulk_deviation {
    // accepts proto3 strings that are not UTF-8
    P2E_BULK_UTF8 = 1 << 0,
    // accepts field number 0 when the tag is longer than a byte, and drops what a tag has over 32
    // bits
    P2E_BULK_TAG = 1 << 1,
    // knows no limit of nesting
    P2E_BULK_DEPTH = 1 << 2,
    // rejects a known field of another wire type, which is an unknown field
    P2E_BULK_WIRE_TYPE = 1 << 3,
    // rejects groups, which are legal as unknown fields
    P2E_BULK_GROUP = 1 << 4,
    // stores a closed enum's unknown number, which is an unknown field
    P2E_BULK_CLOSED_ENUM = 1 << 5,
    // merges a submessage that comes in several parts wrongly, or fails: a proto3 scalar of an
    // earlier
    // part is lost, a oneof's submessage is replaced, a oneof that is not set is an error
    P2E_BULK_MERGE = 1 << 6,
    // accepts a varint of ten bytes whose last one is above 1: more than 64 bits
    P2E_BULK_VARINT = 1 << 7,
    // One more never changes what is well formed: a string ends at its first NUL. A NUL becomes
    // 0x01,
    // which no rule mentions and which sorts as NUL does.
};

#define P2E_BULK_MAX_DEPTH 32 // submessages and groups, the message itself not counted

// Appends to `clean` a message of the same meaning that protobuf-c reads as a standard parser reads
// the original. False when the message is malformed. *deviations names what was met on the way.
bool p2e_bulk_clean(const struct p2e_bulk_schema *schema, const uint8_t *data, size_t size,
                    struct p2e_buffer *clean, unsigned *deviations);

// "pass", "drop malformed" or "drop rule ID", into `verdict`. Ends the program when protobuf-c and
// the reader disagree with none of the deviations met: one of them is wrong then.
void p2e_bulk_verdict(const struct p2e_bulk_schema *schema, const uint8_t *data, size_t size,
                      char *verdict, size_t verdict_size);

#endif
