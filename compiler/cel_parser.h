// CEL's full grammar, from text to a tree without types. What p2e cannot judge is parsed all the
// same, so that the checker can say which part of the rule that is.
#ifndef P2E_COMPILER_CEL_PARSER_H
#define P2E_COMPILER_CEL_PARSER_H

#include "compiler/arena.h"
#include "compiler/cel.h"

#define P2E_CEL_TEXT_MAX  ((size_t)1 << 20)
#define P2E_CEL_NODES_MAX 100000
#define P2E_CEL_DEPTH_MAX 250 // of the tree, and of what is nested in the text

enum p2e_cel_node_kind {
    P2E_NODE_LITERAL,  // `literal` and `value`
    P2E_NODE_IDENT,    // `name`
    P2E_NODE_SELECT,   // args[0].name
    P2E_NODE_CALL,     // name(args), or args[0].name(the others) when `receiver`
    P2E_NODE_OPERATOR, // `op`; AND and OR have two args or more, the others as many as they take
    P2E_NODE_LIST,     // [args]
    P2E_NODE_INDEX,    // args[0][args[1]]
    P2E_NODE_MAP,      // {args[0]: args[1], …}
    P2E_NODE_STRUCT,   // a.b{name: args[1], …}; args[0] is the type's name
};

struct p2e_cel_node {
    enum p2e_cel_node_kind kind;
    enum p2e_cel_op op;
    enum p2e_cel_kind literal;
    bool absolute; // an IDENT or CALL with a dot before it
    bool optional; // a.?b, a[?b], [?a]: CEL's optional values
    bool receiver;
    unsigned depth; // of the tree below, itself included
    struct p2e_span span, token;
    const char *name;
    struct p2e_cel_node **args;
    size_t arg_count;
    struct p2e_cel_value value;
};

// The tree is the arena's, and NULL is an error. No path in it is longer than P2E_CEL_DEPTH_MAX.
struct p2e_cel_node *p2e_cel_parse(const char *text, struct p2e_arena *arena,
                                   struct p2e_error *err);

#endif
