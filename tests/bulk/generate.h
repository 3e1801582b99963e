// Random messages of a type: valid, odd but legal, damaged, and noise.
#ifndef P2E_TESTS_BULK_GENERATE_H
#define P2E_TESTS_BULK_GENERATE_H

#include "base/buffer.h"
#include "tests/bulk/random.h"
#include "tests/bulk/schemas.h"

// Appends one message to `out`, which is empty.
void p2e_bulk_generate(struct p2e_bulk_random *random, const struct p2e_bulk_schema *schema,
                       struct p2e_buffer *out);

#endif
