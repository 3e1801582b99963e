// From a tree without types to a checked one: names resolved, overloads found, constants folded.
#ifndef P2E_COMPILER_CEL_CHECKER_H
#define P2E_COMPILER_CEL_CHECKER_H

#include "compiler/cel_functions.h"
#include "compiler/cel_parser.h"

// A name that stands for `value`, looked for from the innermost outwards.
struct p2e_cel_variable {
    const char *name;
    const struct p2e_cel_expr *value;
    const struct p2e_cel_variable *outer;
};

struct p2e_cel_checker {
    const char *text;
    const struct p2e_cel_context *context;
    const struct p2e_message *message; // the context's
    const struct p2e_schema *schema;
    struct p2e_arena *arena;
    struct p2e_error *err;
    const struct p2e_cel_variable *variables;
};

// The rule's tree, of type bool; NULL is an error.
struct p2e_cel_expr *p2e_cel_check(const struct p2e_cel_checker *checker,
                                   const struct p2e_cel_node *node);

// ---- For the checker's own parts ----------------------------------------------------------------

#define P2E_CEL_NAME_SIZE 256 // of a type, as an error shows it

// The tree of a node and what is below it; NULL is an error.
struct p2e_cel_expr *p2e_cel_check_node(const struct p2e_cel_checker *checker,
                                        const struct p2e_cel_node *node);
// A new tree node with room for its arguments; NULL when there is no memory, which is an error.
struct p2e_cel_expr *p2e_cel_make(const struct p2e_cel_checker *checker,
                                  const struct p2e_cel_node *node, enum p2e_cel_op op,
                                  struct p2e_cel_type type, size_t arg_count);
// Sets the error, with a caret under `span`. Returns NULL.
__attribute__((format(printf, 3, 4))) struct p2e_cel_expr *p2e_cel_fail(
    const struct p2e_cel_checker *checker, struct p2e_span span, const char *format, ...);
// Is it a bool? If not, the error begins with `what`: "! takes".
bool p2e_cel_is_bool(const struct p2e_cel_checker *checker, const struct p2e_cel_expr *expr,
                     const char *what);

// ---- Names and selections (cel_select.c) --------------------------------------------------------

// a.b.c: the IDENT first, then a SELECT each.
struct p2e_cel_path {
    const struct p2e_cel_node *parts[P2E_CEL_DEPTH_MAX];
    size_t count;
};

// False when the node is not names with dots between them.
bool p2e_cel_collect_path(const struct p2e_cel_node *node, struct p2e_cel_path *path);
// The variable that an IDENT names; NULL for none.
const struct p2e_cel_variable *p2e_cel_find_variable(const struct p2e_cel_checker *checker,
                                                     const struct p2e_cel_node *node);
// An IDENT or a SELECT.
struct p2e_cel_expr *p2e_cel_check_name(const struct p2e_cel_checker *checker,
                                        const struct p2e_cel_node *node);
struct p2e_cel_expr *p2e_cel_check_has(const struct p2e_cel_checker *checker,
                                       const struct p2e_cel_node *node);
// operand.name, the node's name.
struct p2e_cel_expr *p2e_cel_select_field(const struct p2e_cel_checker *checker,
                                          struct p2e_cel_expr *operand,
                                          const struct p2e_cel_node *node);
// The error for a message that p2e_cel_is_special(). Returns NULL.
struct p2e_cel_expr *p2e_cel_special_message(const struct p2e_cel_checker *checker,
                                             struct p2e_span span, const struct p2e_cel_type *type);

// ---- Overloads (cel_apply.c) --------------------------------------------------------------------

// An operator or a function, applied to the node's arguments.
struct p2e_cel_expr *p2e_cel_apply(const struct p2e_cel_checker *checker,
                                   const struct p2e_cel_node *node,
                                   const struct p2e_cel_function *function);
// Points at the literal among two nodes that would have to be written otherwise, and says how.
// False when there is none. `function`: NULL, or the other way must be an overload of it.
bool p2e_cel_offer_rewrite(const struct p2e_cel_checker *checker,
                           const struct p2e_cel_node *const *nodes,
                           struct p2e_cel_expr *const *args, const char *sentence,
                           const struct p2e_cel_function *function);
// What to say where no literal is to blame.
const char *p2e_cel_mismatch_hint(const struct p2e_cel_type *a, const struct p2e_cel_type *b);
// With dyn(), a number can be equal to one of another kind.
bool p2e_cel_are_comparable(const struct p2e_cel_type *a, const struct p2e_cel_type *b);
// Does the function take a time zone?
bool p2e_cel_takes_zone(const struct p2e_cel_function *function);

// ---- Calls, in, types ---------------------------------------------------------------------------

struct p2e_cel_expr *p2e_cel_check_call(const struct p2e_cel_checker *checker,
                                        const struct p2e_cel_node *node); // cel_call.c
struct p2e_cel_expr *p2e_cel_check_in(const struct p2e_cel_checker *checker,
                                      const struct p2e_cel_node *node); // cel_in.c
// type(a) == int (cel_type.c)
bool p2e_cel_is_type_test(const struct p2e_cel_checker *checker, const struct p2e_cel_node *node);
struct p2e_cel_expr *p2e_cel_check_type_test(const struct p2e_cel_checker *checker,
                                             const struct p2e_cel_node *node);

// ---- Macros (cel_macro.c) -----------------------------------------------------------------------

struct p2e_cel_expr *p2e_cel_check_macro(const struct p2e_cel_checker *checker,
                                         const struct p2e_cel_node *node,
                                         const struct p2e_cel_function *function);

// map() and filter(), which make a new list.
struct p2e_cel_expr *p2e_cel_check_transform(const struct p2e_cel_checker *checker,
                                             const struct p2e_cel_node *node,
                                             const struct p2e_cel_function *function);

// ---- Lists and maps (cel_list.c) ----------------------------------------------------------------

// [a, b] anywhere but on the right of "in".
struct p2e_cel_expr *p2e_cel_check_list(const struct p2e_cel_checker *checker,
                                        const struct p2e_cel_node *node);
// a[b]
struct p2e_cel_expr *p2e_cel_check_index(const struct p2e_cel_checker *checker,
                                         const struct p2e_cel_node *node);
// What stands in brackets or braces at `index`. NULL is an error.
struct p2e_cel_expr *p2e_cel_check_item(const struct p2e_cel_checker *checker,
                                        const struct p2e_cel_node *list, size_t index);
// Sets the type of a list in brackets from what is in it. NULL is an error: of two types.
struct p2e_cel_expr *p2e_cel_finish_list(const struct p2e_cel_checker *checker,
                                         const struct p2e_cel_node *node,
                                         struct p2e_cel_expr *list);
// map.name, and has(map.name), which the node `select` is the argument of.
struct p2e_cel_expr *p2e_cel_select_key(const struct p2e_cel_checker *checker,
                                        const struct p2e_cel_node *node, struct p2e_cel_expr *map);
struct p2e_cel_expr *p2e_cel_has_key(const struct p2e_cel_checker *checker,
                                     const struct p2e_cel_node *node,
                                     const struct p2e_cel_node *select, struct p2e_cel_expr *map);
bool p2e_cel_is_empty_list(const struct p2e_cel_expr *expr);
// Are the two arguments of == a list of the message and one of constants that it can be equal to?
bool p2e_cel_is_list_test(struct p2e_cel_expr *const args[2]);
// size(), unique() and comparisons of a list in brackets, which is not constant or not compared
// with a list of the message.
struct p2e_cel_expr *p2e_cel_apply_to_list(const struct p2e_cel_checker *checker,
                                           const struct p2e_cel_node *node,
                                           const struct p2e_cel_function *function,
                                           struct p2e_cel_expr *const *args);
// The type of an element of a list, or of a map's entry.
struct p2e_cel_type p2e_cel_element_type(const struct p2e_cel_type *list);

// Is it one of protobuf's own messages that CEL sees as something else: a time, a number, JSON?
bool p2e_cel_is_special(const struct p2e_cel_type *type);

// ---- Names (cel_names.c) ------------------------------------------------------------------------

// The enum value that the path names, looked for in the message's package, then outwards. NULL when
// there is none.
const struct p2e_enum_value *p2e_cel_enum_value(const struct p2e_cel_checker *checker,
                                                const struct p2e_cel_path *path);
// Fills the error for a path that names nothing: what was near enough to be meant. Returns -1.
int p2e_cel_unknown_name(const struct p2e_cel_checker *checker, const struct p2e_cel_path *path);
// As a rule about the checker's message would write the full name of a type.
const char *p2e_cel_short_name(const struct p2e_cel_checker *checker, const char *full_name);

// ---- Types as values (cel_type.c) ---------------------------------------------------------------

#define P2E_CEL_TYPE_OF_TYPES "type"

// The full name of the type that `expr` has, NULL when only a message tells.
const char *p2e_cel_type_of(const struct p2e_cel_expr *expr);
// The full name of the type that the path names: int, google.protobuf.Timestamp. NULL for none.
const char *p2e_cel_type_named(const struct p2e_cel_checker *checker,
                               const struct p2e_cel_path *path);

// ---- Offers (cel_offer.c) -----------------------------------------------------------------------

#define P2E_CEL_OFFER_SIZE 160

// How the literal `node` is written as a value of type `wanted`. False when it cannot be.
bool p2e_cel_offer_literal(const struct p2e_cel_checker *checker, const struct p2e_cel_node *node,
                           enum p2e_cel_kind wanted, char offer[P2E_CEL_OFFER_SIZE]);
// The enum value that the string `node` was meant for, next to the enum field `other`.
bool p2e_cel_offer_enum(const struct p2e_cel_checker *checker, const struct p2e_cel_node *node,
                        const struct p2e_cel_expr *other, char offer[P2E_CEL_OFFER_SIZE]);
// How one asks of `expr`, which is no bool, whether it is there: "this.count != 0".
bool p2e_cel_offer_bool(const struct p2e_cel_checker *checker, const struct p2e_cel_expr *expr,
                        char offer[P2E_CEL_OFFER_SIZE]);

// ---- Constants (cel_fold.c) ---------------------------------------------------------------------

// The constant that `expr` is, where its arguments are folded already; else `expr`. What would be
// an error when evaluated (overflow, division by zero) is left as it is.
struct p2e_cel_expr *p2e_cel_fold(struct p2e_cel_expr *expr);
// Is it a list in brackets that holds constants alone?
bool p2e_cel_is_constant_list(const struct p2e_cel_expr *expr);
// `expr` itself as a constant of its type.
struct p2e_cel_expr *p2e_cel_become(struct p2e_cel_expr *expr, struct p2e_cel_value value);

// `select`, of a constant message: its field's value, as constants. NULL is an error.
struct p2e_cel_expr *p2e_cel_fold_select(const struct p2e_cel_checker *checker,
                                         struct p2e_cel_expr *select);

// The same for what makes new values (cel_convert.c): a CONVERT, and an ADD of strings or bytes.
// Texts that not every implementation of CEL reads or writes alike are left as they are.
struct p2e_cel_expr *p2e_cel_fold_convert(struct p2e_arena *arena, struct p2e_cel_expr *expr);
struct p2e_cel_expr *p2e_cel_fold_join(struct p2e_arena *arena, struct p2e_cel_expr *expr);

// ---- Rules that are strings (cel_result.c) ------------------------------------------------------

// A rule's tree of type bool: of a string, whether it is empty. NULL is an error: strings are built
// elsewhere in the tree, too.
struct p2e_cel_expr *p2e_cel_result(const struct p2e_cel_checker *checker,
                                    struct p2e_cel_expr *expr);
// The next verb of format()'s template from *at on, which moves behind it; NULL when there is none.
// Sets *literal when there is text before it, or before the end.
const char *p2e_cel_template_verb(const struct p2e_cel_value *template, size_t *at, bool *literal);

#endif
