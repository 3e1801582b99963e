// The annotations of a schema, buf.validate (protovalidate), as rules.
// Source of their meaning: buf/validate/validate.proto, which the schema brings itself: what a
// standard rule demands is a CEL expression in there, the same way as for rules of the user's own.
// What that file leaves to its implementations is written here.
#ifndef P2E_COMPILER_VALIDATE_H
#define P2E_COMPILER_VALIDATE_H

#include "compiler/rules.h"
#include "compiler/schema.h"

// Appends what the annotations of `message`, and of all that it holds, demand. A schema without
// them adds nothing. An annotation that cannot be judged exactly, does not fit its field, or is not
// known, is an error that names the field and the rule.
int p2e_validate_rules(const struct p2e_message *message, const struct p2e_schema *schema,
                       struct p2e_rules *rules, struct p2e_error *err);

#endif
