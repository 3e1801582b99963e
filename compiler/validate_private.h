// How reading annotations is split; used by compiler/validate*.c alone.
//
//     validate: messages, their fields and what these hold ──validate_field──▶ what holds of one
//     value ──validate_rule──▶ rules in scopes
#ifndef P2E_COMPILER_VALIDATE_PRIVATE_H
#define P2E_COMPILER_VALIDATE_PRIVATE_H

#include "compiler/dynamic.h"
#include "compiler/validate.h"

// buf.validate.Ignore
enum p2e_ignore { P2E_IGNORE_UNSPECIFIED = 0, P2E_IGNORE_IF_ZERO = 1, P2E_IGNORE_ALWAYS = 3 };

// A message that holds its own kind, which is then judged by itself wherever it is met.
struct p2e_cyclic {
    const struct p2e_message *message;
    struct p2e_scope *scope;
    struct p2e_cyclic *next;
};

struct p2e_validator {
    const struct p2e_schema *schema;
    struct p2e_rules *rules;
    struct p2e_error *err;
    struct p2e_arena *arena; // that of the rules
    const struct p2e_field *message_option, *field_option, *oneof_option, *predefined_option;
    bool *annotated; // by message index: it, or what it holds, has annotations
    struct p2e_cyclic *cyclic;
};

// Messages that are open around a place, the innermost first.
struct p2e_open {
    const struct p2e_message *message;
    const struct p2e_open *outer;
    unsigned depth;
};

// Something that rules are about.
struct p2e_spot {
    struct p2e_scope *scope;
    const struct p2e_cel_expr *value; // `this`
    const struct p2e_cel_expr *guard; // a bool: rules hold where it is true; NULL for always
    const char *path;                 // as a person knows it: "items[].price"
    const struct p2e_message *owner;  // whose annotation it is
    const struct p2e_open *open;
};

// ---- Expressions (validate_rule.c) --------------------------------------------------------------

// All give NULL, with the error set, when there is no memory.
const struct p2e_cel_expr *p2e_validate_select(const struct p2e_validator *v,
                                               const struct p2e_cel_expr *message,
                                               const struct p2e_field *field);
const struct p2e_cel_expr *p2e_validate_has(const struct p2e_validator *v,
                                            const struct p2e_cel_expr *message,
                                            const struct p2e_field *field);
// An element of a scope.
const struct p2e_cel_expr *p2e_validate_element(const struct p2e_validator *v,
                                                const struct p2e_scope *scope);
// What CEL sees in a value: of a message, maybe a time.
const struct p2e_cel_expr *p2e_validate_view(const struct p2e_validator *v,
                                             const struct p2e_cel_expr *value);
// "value is other than zero": a number, a bool, an empty text.
const struct p2e_cel_expr *p2e_validate_not_zero(const struct p2e_validator *v,
                                                 const struct p2e_cel_expr *value, int64_t zero);
// The path with a name behind it.
const char *p2e_validate_path(const struct p2e_validator *v, const char *path, const char *name);

// ---- Rules (validate_rule.c) --------------------------------------------------------------------

// A rule out of an annotation.
struct p2e_annotation {
    const char *id, *expression, *message;
    const char *shown; // instead of the expression; NULL for that
    // What `rules` and `rule` are; NULL where they have no meaning.
    const struct p2e_cel_expr *rules, *rule;
    bool raw; // an expression of p2e's own (struct p2e_cel_context)
};

int p2e_validate_add(const struct p2e_validator *v, const struct p2e_spot *spot,
                     const struct p2e_annotation *annotation);
// "One of these fields of the spot's message is set", or "at most one is".
int p2e_validate_add_one_of(const struct p2e_validator *v, const struct p2e_spot *spot,
                            const struct p2e_field *const *fields, size_t count, bool at_most,
                            const char *id);
// "The spot's message has this field".
int p2e_validate_add_required(const struct p2e_validator *v, const struct p2e_spot *spot,
                              const struct p2e_field *field);
// "The spot's value is a number of the enum".
int p2e_validate_add_defined(const struct p2e_validator *v, const struct p2e_spot *spot,
                             const struct p2e_enum *enumeration);

// Field `rule` of `rules`, and what it is judged together with, as a person writes it
// (validate_show.c). NULL is an error.
const char *p2e_validate_show(const struct p2e_validator *v, const struct p2e_dynamic *rules,
                              const struct p2e_field *rule);

// ---- Values (validate_field.c) ------------------------------------------------------------------

int p2e_validate_error(const struct p2e_validator *v, const char *path, const char *why);
int p2e_validate_out_of_memory(const struct p2e_validator *v);

// Is the name one of these?
bool p2e_validate_is_among(const char *name, const char *const *names, size_t count);
// The CEL rules of the user's own in `rules`, of message type `type`.
int p2e_validate_cel(const struct p2e_validator *v, const struct p2e_spot *spot,
                     const struct p2e_message *type, const struct p2e_dynamic *rules);
// What `rules`, a buf.validate.FieldRules, demands of a value of the type that `field` has; of one
// element where that is repeated and `element` is set. Its own rules are not followed further.
int p2e_validate_value(const struct p2e_validator *v, const struct p2e_spot *spot,
                       const struct p2e_field *field, bool element,
                       const struct p2e_dynamic *rules);
// Fields of a message by name; of one that does not have them, the default.
union p2e_dynamic_value p2e_validate_get(const struct p2e_message *type,
                                         const struct p2e_dynamic *message, const char *name);
// The rules of the kind that a value of this type takes: of a list's or map's parts, whose name is
// `part`, a buf.validate.FieldRules, NULL for none.
const struct p2e_dynamic *p2e_validate_part(const struct p2e_validator *v,
                                            const struct p2e_dynamic *rules, const char *kind,
                                            const char *part);
enum p2e_ignore p2e_validate_ignore(const struct p2e_validator *v, const struct p2e_dynamic *rules);

#endif
