// CEL front end: text to a checked, typed expression tree with source spans.
// Source of syntax and meaning: the CEL specification (github.com/google/cel-spec, doc/langdef.md).
//
//     text ──cel_lexer──▶ tokens ──cel_parser──▶ tree ──cel_checker──▶ types, resolved fields,
//     constants
//
// The tree is owned by struct p2e_cel (one arena); p2e_cel_free releases all of it.
#ifndef P2E_COMPILER_CEL_H
#define P2E_COMPILER_CEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "compiler/arena.h"
#include "compiler/cel_format.h"
#include "compiler/dynamic.h"
#include "compiler/regex.h"
#include "compiler/schema.h"

enum p2e_cel_kind {
    P2E_CEL_BOOL,
    P2E_CEL_INT, // int64; enums too
    P2E_CEL_UINT,
    P2E_CEL_DOUBLE, // float fields widen to it
    P2E_CEL_STRING,
    P2E_CEL_BYTES,
    P2E_CEL_TIMESTAMP, // google.protobuf.Timestamp, and Duration
    P2E_CEL_DURATION,
    P2E_CEL_MESSAGE,
    P2E_CEL_LIST, // a repeated field or a list literal; `element` is the type of what it holds
    P2E_CEL_MAP,  // a map field
    P2E_CEL_NULL,
};

struct p2e_cel_type {
    enum p2e_cel_kind kind;
    enum p2e_cel_kind element; // LIST only
    // MESSAGE, MAP (its entry), LIST of what the wire has as messages (TIMESTAMP, DURATION and the
    // scalars of wrappers, too); else NULL
    const struct p2e_message *message;
    bool dynamic; // out of dyn(): a number equals numbers of other kinds
};

enum p2e_cel_op {
    P2E_CEL_CONST,   // a literal, or an enum value by name; `value`
    P2E_CEL_THIS,    // the message that the rule is about
    P2E_CEL_ELEMENT, // an element of the list (or of the map: an entry) that args[0] of `binder`, a
                     // macro or an EACH, is
    P2E_CEL_SELECT,  // args[0] is the message, `field` what is selected
    P2E_CEL_HAS,     // has(m.f): args[0] is m, `field` is f
    P2E_CEL_TIME,    // a TIMESTAMP or DURATION of a message; args: its seconds, its nanos
    P2E_CEL_UNWRAP,  // a wrapper's scalar, or null; args: the value, whether it is set. As an
                     // operand of EQ, NE and IN it may be null; elsewhere that is an error
    P2E_CEL_NOW,     // the time at which the message is judged, the same wherever it is asked for
    P2E_CEL_LIST_LITERAL, // may be empty
    P2E_CEL_NOT,
    P2E_CEL_NEGATE,
    P2E_CEL_AND, // AND and OR: two args or more, in source order, each of them bool
    P2E_CEL_OR,
    P2E_CEL_CONDITIONAL, // args: condition, then, else
    P2E_CEL_EQ, // EQ and NE: both args are scalars of one kind, or, where one is dynamic, any
                // two numbers, which are equal when their values are, exactly
    P2E_CEL_NE,
    P2E_CEL_LT, // LT to GE: of one kind, or any two of int, uint, double. Against a double, an
                // integer counts as the double nearest to it, as CEL's conformance suite has it
    P2E_CEL_LE,
    P2E_CEL_GT,
    P2E_CEL_GE,
    P2E_CEL_IN,  // args: element, list. Elements are equal to items as EQ has it
    P2E_CEL_ALL, // args: list, condition on the ELEMENT
    P2E_CEL_EXISTS,
    P2E_CEL_EXISTS_ONE,
    P2E_CEL_EACH,   // no part of an expression: the binder of rules about every element of args[0]
    P2E_CEL_UNIQUE, // args: list of scalars. No two elements are equal
    P2E_CEL_ADD,
    P2E_CEL_SUBTRACT,
    P2E_CEL_MULTIPLY,
    P2E_CEL_DIVIDE,
    P2E_CEL_MODULO,
    P2E_CEL_AT,   // args: list or map, index or key: CONST. An error where there is none
    P2E_CEL_SIZE, // of string (code points), bytes, list, map
    P2E_CEL_STARTS_WITH,
    P2E_CEL_ENDS_WITH,
    P2E_CEL_CONTAINS,
    P2E_CEL_CONVERT, // from args[0]'s type to the node's: between int, uint and double, or between
                     // string and bytes, or int and timestamp. Out of range, and bytes that are not
                     // UTF-8, are errors. To the same type: of an UNWRAP, which may not be null
    P2E_CEL_IS_NAN,
    P2E_CEL_IS_INF,        // args: double, int: the sign that counts, 0 for both
    P2E_CEL_MATCHES,       // args: text, pattern: a CONST, which `regex` is made of
    P2E_CEL_IS_FORMAT,     // args: text, version, flag: of what `format` does not have, a 0
    P2E_CEL_GET_FULL_YEAR, // to GET_MILLISECONDS: args: a time, and the seconds that local time is
                           // ahead of UTC, an int CONST (0 for a duration)
    P2E_CEL_GET_MONTH,     // from 0 on, as the days of the month, the year and the week
    P2E_CEL_GET_DATE,      // the day of the month from 1 on
    P2E_CEL_GET_DAY_OF_MONTH,
    P2E_CEL_GET_DAY_OF_WEEK,
    P2E_CEL_GET_DAY_OF_YEAR,
    P2E_CEL_GET_HOURS,
    P2E_CEL_GET_MINUTES,
    P2E_CEL_GET_SECONDS,
    P2E_CEL_GET_MILLISECONDS,
    P2E_CEL_FORMAT, // args: template, values. Never in a checked tree: only its emptiness is judged
};

// A constant. The member that counts goes by the expression's type.
struct p2e_cel_value {
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double real;
        struct {
            int64_t seconds;
            int32_t nanos; // of a duration with the sign of the whole, of a timestamp 0 or above
        } time;
        struct {
            const char *data; // string and bytes, unescaped; may hold NUL
            size_t size;
        } text;
        const struct p2e_dynamic *message;
    };
};

struct p2e_cel_expr {
    enum p2e_cel_op op;
    struct p2e_cel_type type;
    struct p2e_span span;  // the whole expression in the rule's text
    struct p2e_span token; // what an error about this node points at: operator, name, literal
    struct p2e_cel_expr **args;
    size_t arg_count;
    const struct p2e_field *field;       // SELECT, HAS
    const struct p2e_cel_expr *binder;   // ELEMENT
    const struct p2e_regex *regex;       // MATCHES
    const struct p2e_cel_format *format; // IS_FORMAT
    struct p2e_cel_value value;          // CONST
};

struct p2e_cel {
    struct p2e_cel_expr *root; // of type BOOL; of a rule that is a string: is it empty?
    void *arena;               // private
};

// What the names of a rule stand for.
struct p2e_cel_name {
    const char *name;
    const struct p2e_cel_expr *value; // a CONST, or a part of the message: copied where it is named
};

struct p2e_cel_context {
    const struct p2e_message *message; // names of types are looked for from its package outwards
    const struct p2e_schema *schema;
    const struct p2e_cel_name *names;
    size_t name_count;
    bool bare; // a bare identifier may be a field of `this`, which is one of the names
    bool raw;  // Any and its kin are messages with fields, as they are on the wire
};

// Parses and checks `text` as a rule in a context, all of which outlives *cel.
int p2e_cel_compile_in(const char *text, const struct p2e_cel_context *context, struct p2e_cel *cel,
                       struct p2e_error *err);

// Parses and checks `text` as a rule about `message`. A bare identifier is a field of `message`;
// `this` is the message itself. Constant subexpressions are folded, so that "1 + 2" is a CONST; one
// whose folding is an error (1 / 0) stays as it is, for it is an error only when it is evaluated.
//
// Errors carry a caret: syntax, unknown field (with the nearest name offered), type mismatch (with
// both types named and the rewrite that works, `0u` for `0`, where there is one), a function that
// is not supported. Depth and size are bounded: a hostile text gives an error, never a crash.
int p2e_cel_compile(const char *text, const struct p2e_message *message,
                    const struct p2e_schema *schema, struct p2e_cel *cel, struct p2e_error *err);
void p2e_cel_free(struct p2e_cel *cel);

// What `field`, no map, is in a constant message: *expr becomes a CONST, or a LIST_LITERAL of them.
// The memory is the arena's; -1 when there is none.
int p2e_cel_constant(const struct p2e_dynamic *message, const struct p2e_field *field,
                     struct p2e_arena *arena, struct p2e_cel_expr *expr);

// What a value of this message type is in a rule: a MESSAGE, a time, or what a wrapper holds.
enum p2e_cel_kind p2e_cel_kind_of_message(const struct p2e_message *message);

// The type that a field's value has in a rule.
struct p2e_cel_type p2e_cel_type_of_field(const struct p2e_field *field);

// "int", "list(string)", "demo.SearchRequest": as error texts name it. `buffer` is returned.
const char *p2e_cel_type_name(const struct p2e_cel_type *type, char *buffer, size_t size);

#endif
