// Messages that CEL sees as something else: google.protobuf.Timestamp and Duration are times, and
// Int32Value and its kin a scalar that may be null.
//
// What is seen is put together from the message's fields, so that all that comes after the checker
// knows fields alone.
#ifndef P2E_COMPILER_CEL_VIEW_H
#define P2E_COMPILER_CEL_VIEW_H

#include "compiler/cel_checker.h"

// The field that holds a wrapper's scalar; NULL where the message is no wrapper.
const struct p2e_field *p2e_cel_wrapped(const struct p2e_message *message);

// What CEL sees in `expr`, a SELECT, ELEMENT or THIS: `expr` itself where that is what it is. NULL
// is an error.
struct p2e_cel_expr *p2e_cel_view(const struct p2e_cel_checker *checker, struct p2e_cel_expr *expr);

// A constant that is looked up in a list of such messages (IN): exists() asks for the same.
struct p2e_cel_expr *p2e_cel_look_up(const struct p2e_cel_checker *checker,
                                     struct p2e_cel_expr *in);

// Is it sure to have a value? What can be an error has to be evaluated.
bool p2e_cel_is_plain(const struct p2e_cel_expr *expr);

// Turns `equality`, an EQ or NE with null, into what it asks for. NULL is an error.
struct p2e_cel_expr *p2e_cel_null_test(const struct p2e_cel_checker *checker,
                                       struct p2e_cel_expr *equality);

#endif
