// Messages as people read them. What is printed is ASCII without control characters but the ends of
// lines, whatever the message holds: a terminal obeys none of it.
//
// All append to `out`, whose `failed` tells of a lack of memory. NULL is the empty message.
#ifndef P2E_COMPILER_PRINT_H
#define P2E_COMPILER_PRINT_H

#include "base/buffer.h"
#include "compiler/dynamic.h"

// Protobuf's text format, as protoc --decode prints it: a field a line, unknown ones by their
// numbers. Each line begins with `indent` spaces.
void p2e_print_text(const struct p2e_dynamic *message, unsigned indent, struct p2e_buffer *out);

// The JSON that protobuf maps messages to, on one line. Unknown fields are left out, and an Any is
// shown as it was sent.
void p2e_print_json(const struct p2e_message *type, const struct p2e_dynamic *message,
                    struct p2e_buffer *out);

// A JSON string, quotes included; what is not UTF-8 becomes U+FFFD.
void p2e_print_json_string(const char *text, size_t size, struct p2e_buffer *out);

// ---- What both formats share --------------------------------------------------------------------
// The set fields, extensions among them, ascending by number: `count` of them, which the caller
// frees. NULL when there are none or no memory.
const struct p2e_field **p2e_print_fields(const struct p2e_dynamic *message, size_t *count);
// The first name of a number, NULL when it has none.
const char *p2e_print_enum_name(const struct p2e_enum *enumeration, int64_t number);
// A finite value, in as few digits as tell it from all others, or in as many as any may need.
void p2e_print_real(double value, bool is_float, bool is_shortest, struct p2e_buffer *out);

#endif
