// The five schemas of the differential test, each with its rules written a second time, as plain C.
#ifndef P2E_TESTS_BULK_SCHEMAS_H
#define P2E_TESTS_BULK_SCHEMAS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct p2e_bulk_schema {
    const char *name; // as in bulk.conf
    const ProtobufCMessageDescriptor *message;
    bool proto3; // strings must be UTF-8, enums are open
    // The id of the first rule that does not hold, NULL when all do.
    const char *(*judge)(const ProtobufCMessage *message);
};

extern const struct p2e_bulk_schema p2e_bulk_schemas[]; // ended by a row of NULLs

#endif
