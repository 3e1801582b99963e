#include "compiler/cel_parser.h"

#include <string.h>

#include "compiler/cel_lexer.h"
#include "compiler/cel_literal.h"

struct parser {
    const char *text;
    struct p2e_cel_lexer lexer;
    struct p2e_cel_token token; // the next one
    size_t last_end;            // of the token before it
    struct p2e_arena *arena;
    struct p2e_error *err;
    size_t node_count;
    unsigned depth;
};

// Nodes that wait for the one they are arguments of.
struct list {
    struct p2e_cel_node **nodes;
    size_t count, capacity;
};

typedef struct p2e_cel_node *(*parse_function)(struct parser *);

static struct p2e_cel_node *parse_expr(struct parser *p);
static struct p2e_cel_node *parse_unary(struct parser *p);

// ---- Errors -------------------------------------------------------------------------------------

static struct p2e_cel_node *out_of_memory(struct parser *p)
{
    p2e_error_set(p->err, "out of memory: the expression is too large");
    return NULL;
}

static struct p2e_cel_node *too_deep(struct parser *p, struct p2e_span span)
{
    p2e_error_at(p->err, p->text, span,
                 "the expression is nested too deep: more than %d operators within one another; "
                 "make several rules of it",
                 P2E_CEL_DEPTH_MAX);
    return NULL;
}

// What people write who come from other languages.
static const char *hint_for(const char *word, size_t size)
{
    static const struct {
        const char *word, *hint;
    } hints[] = {
        {"and", "; for \"and\", write &&"},
        {"AND", "; for \"and\", write &&"},
        {"or", "; for \"or\", write ||"},
        {"OR", "; for \"or\", write ||"},
        {"not", "; for \"not in\", write !(a in b)"},
        {"is", "; to compare, write =="},
        {"if", "; a choice is written condition ? a : b"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strlen(hints[i].word) == size && memcmp(hints[i].word, word, size) == 0)
            return hints[i].hint;
    }
    return "";
}

static struct p2e_cel_node *unexpected(struct parser *p, const char *expected)
{
    struct p2e_span span = p->token.span;
    const char *word = p->text + span.begin;
    size_t size = span.end - span.begin;
    if (p->token.kind == P2E_TOKEN_END)
        p2e_error_at(p->err, p->text, (struct p2e_span){p->last_end, p->last_end},
                     "expected %s, but the expression ends here", expected);
    else if (size > 32)
        p2e_error_at(p->err, p->text, span, "expected %s, not this", expected);
    else
        p2e_error_at(p->err, p->text, span, "expected %s, not \"%.*s\"%s", expected, (int)size,
                     word, hint_for(word, size));
    return NULL;
}

// ---- Tokens -------------------------------------------------------------------------------------

static bool at(const struct parser *p, enum p2e_cel_token_kind kind)
{
    return p->token.kind == kind;
}

static int advance(struct parser *p)
{
    p->last_end = p->token.span.end;
    return p2e_cel_lexer_next(&p->lexer, &p->token);
}

// 1: the token was there and is taken; 0: it is another one; -1: what follows it is no token.
static int accept(struct parser *p, enum p2e_cel_token_kind kind)
{
    if (!at(p, kind))
        return 0;
    return advance(p) < 0 ? -1 : 1;
}

static int expect(struct parser *p, enum p2e_cel_token_kind kind, const char *expected)
{
    int accepted = accept(p, kind);
    if (accepted == 0)
        unexpected(p, expected);
    return accepted == 1 ? 0 : -1;
}

// ---- Nodes --------------------------------------------------------------------------------------

static int append(struct parser *p, struct list *list, struct p2e_cel_node *node)
{
    if (!node)
        return -1;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 2;
        struct p2e_cel_node **grown = p2e_arena_array(p->arena, capacity, sizeof(*grown));
        if (!grown) {
            out_of_memory(p);
            return -1;
        }
        if (list->count > 0)
            memcpy(grown, list->nodes, list->count * sizeof(*grown));
        list->nodes = grown;
        list->capacity = capacity;
    }
    list->nodes[list->count++] = node;
    return 0;
}

// A node over `args`, from `begin` to the last token that was taken.
static struct p2e_cel_node *make(struct parser *p, enum p2e_cel_node_kind kind, size_t begin,
                                 struct p2e_span token, const struct list *args)
{
    if (++p->node_count > P2E_CEL_NODES_MAX) {
        p2e_error_at(p->err, p->text, token, "the expression is too large: more than %d parts",
                     P2E_CEL_NODES_MAX);
        return NULL;
    }
    struct p2e_cel_node *node = p2e_arena_new(p->arena, struct p2e_cel_node);
    if (!node)
        return out_of_memory(p);
    *node = (struct p2e_cel_node){.kind = kind,
                                  .span = {begin, p->last_end},
                                  .token = token,
                                  .args = args->nodes,
                                  .arg_count = args->count};
    for (size_t i = 0; i < args->count; i++) {
        if (args->nodes[i]->depth > node->depth)
            node->depth = args->nodes[i]->depth;
    }
    node->depth++;
    return node->depth > P2E_CEL_DEPTH_MAX ? too_deep(p, token) : node;
}

static struct p2e_cel_node *make_operator(struct parser *p, enum p2e_cel_op op, size_t begin,
                                          struct p2e_span token, const struct list *args)
{
    struct p2e_cel_node *node = make(p, P2E_NODE_OPERATOR, begin, token, args);
    if (node)
        node->op = op;
    return node;
}

static struct p2e_cel_node *name_node(struct parser *p, struct p2e_cel_node *node,
                                      struct p2e_span name)
{
    if (!node)
        return NULL;
    node->name = p2e_arena_copy(p->arena, p->text + name.begin, name.end - name.begin);
    return node->name ? node : out_of_memory(p);
}

// ---- Lists of expressions -----------------------------------------------------------------------

// [1, ?2], where `optional` values are allowed.
static struct p2e_cel_node *parse_item(struct parser *p, bool optional)
{
    int question = optional ? accept(p, P2E_TOKEN_QUESTION) : 0;
    struct p2e_cel_node *node = question < 0 ? NULL : parse_expr(p);
    if (node && question)
        node->optional = true;
    return node;
}

// The items of (…) or […], up to and with `close`. A literal's may end in a comma.
static int parse_items(struct parser *p, enum p2e_cel_token_kind close, const char *expected,
                       bool literal, struct list *items)
{
    while (!at(p, close)) {
        if (append(p, items, parse_item(p, literal)) < 0)
            return -1;
        int comma = accept(p, P2E_TOKEN_COMMA);
        if (comma < 0)
            return -1;
        if (!comma)
            break;
        if (!literal && at(p, close)) {
            unexpected(p, "another argument after \",\"");
            return -1;
        }
    }
    return expect(p, close, expected);
}

// The name of a message's field, with or without a question mark before it.
static int parse_entry_name(struct parser *p)
{
    if (accept(p, P2E_TOKEN_QUESTION) < 0)
        return -1;
    if (at(p, P2E_TOKEN_QUOTED_IDENT))
        return advance(p);
    return expect(p, P2E_TOKEN_IDENT, "a field's name");
}

// key: value, … of a map, or name: value, … of a message, up to and with "}".
static int parse_entries(struct parser *p, bool map, struct list *entries)
{
    while (!at(p, P2E_TOKEN_BRACE_CLOSE)) {
        int key = map ? append(p, entries, parse_item(p, true)) : parse_entry_name(p);
        if (key < 0 || expect(p, P2E_TOKEN_COLON, "\":\"") < 0 ||
            append(p, entries, parse_expr(p)) < 0)
            return -1;
        int comma = accept(p, P2E_TOKEN_COMMA);
        if (comma < 0)
            return -1;
        if (!comma)
            break;
    }
    return expect(p, P2E_TOKEN_BRACE_CLOSE, "\",\" or \"}\"");
}

// ---- Primary expressions ------------------------------------------------------------------------

static struct p2e_cel_node *parse_literal(struct parser *p, size_t begin, bool negative)
{
    static const enum p2e_cel_kind kinds[] = {
        [P2E_TOKEN_INT] = P2E_CEL_INT,       [P2E_TOKEN_UINT] = P2E_CEL_UINT,
        [P2E_TOKEN_DOUBLE] = P2E_CEL_DOUBLE, [P2E_TOKEN_STRING] = P2E_CEL_STRING,
        [P2E_TOKEN_BYTES] = P2E_CEL_BYTES,   [P2E_TOKEN_TRUE] = P2E_CEL_BOOL,
        [P2E_TOKEN_FALSE] = P2E_CEL_BOOL,    [P2E_TOKEN_NULL] = P2E_CEL_NULL,
    };
    struct p2e_cel_token token = p->token;
    struct p2e_cel_value value = {0};

    if (token.kind == P2E_TOKEN_TRUE)
        value.boolean = true;
    else if (token.kind <= P2E_TOKEN_BYTES &&
             p2e_cel_literal(p->text, &token, negative, p->arena, &value, p->err) < 0)
        return NULL;
    if (advance(p) < 0)
        return NULL;
    struct p2e_cel_node *node = make(p, P2E_NODE_LITERAL, begin,
                                     (struct p2e_span){begin, token.span.end}, &(struct list){0});
    if (!node)
        return NULL;
    node->literal = kinds[token.kind];
    node->value = value;
    return node;
}

static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
        "let", "loop",  "package", "namespace", "return", "var", "void",     "while",
    };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(reserved[i], name) == 0)
            return true;
    }
    return false;
}

static struct p2e_cel_node *reserved_word(struct parser *p, const struct p2e_cel_node *node)
{
    const char *hint = hint_for(node->name, strlen(node->name));
    if (hint[0])
        p2e_error_at(p->err, p->text, node->token, "\"%s\" is a reserved word of CEL%s", node->name,
                     hint);
    else
        p2e_error_at(p->err, p->text, node->token,
                     "\"%s\" is a reserved word of CEL; for a field of that name, write this.%s",
                     node->name, node->name);
    return NULL;
}

// a, .a, a(…)
static struct p2e_cel_node *parse_name(struct parser *p)
{
    size_t begin = p->token.span.begin;
    int dot = accept(p, P2E_TOKEN_DOT);
    struct p2e_span name = p->token.span;
    if (dot < 0 || expect(p, P2E_TOKEN_IDENT, "a name") < 0)
        return NULL;
    int call = accept(p, P2E_TOKEN_PAREN_OPEN);
    struct list args = {0};
    if (call < 0 ||
        (call && parse_items(p, P2E_TOKEN_PAREN_CLOSE, "\",\" or \")\"", false, &args) < 0))
        return NULL;

    struct p2e_cel_node *node = make(p, call ? P2E_NODE_CALL : P2E_NODE_IDENT, begin, name, &args);
    node = name_node(p, node, name);
    if (!node)
        return NULL;
    node->absolute = dot;
    return is_reserved(node->name) ? reserved_word(p, node) : node;
}

static struct p2e_cel_node *parse_parentheses(struct parser *p)
{
    if (advance(p) < 0)
        return NULL;
    struct p2e_cel_node *node = parse_expr(p);
    if (!node || expect(p, P2E_TOKEN_PAREN_CLOSE, "\")\"") < 0)
        return NULL;
    return node;
}

static struct p2e_cel_node *parse_list(struct parser *p)
{
    struct p2e_span open = p->token.span;
    struct list items = {0};
    if (advance(p) < 0 ||
        parse_items(p, P2E_TOKEN_BRACKET_CLOSE, "\",\" or \"]\"", true, &items) < 0)
        return NULL;
    return make(p, P2E_NODE_LIST, open.begin, open, &items);
}

static struct p2e_cel_node *parse_map(struct parser *p)
{
    struct p2e_span open = p->token.span;
    struct list entries = {0};
    if (advance(p) < 0 || parse_entries(p, true, &entries) < 0)
        return NULL;
    return make(p, P2E_NODE_MAP, open.begin, open, &entries);
}

static struct p2e_cel_node *parse_primary(struct parser *p)
{
    switch (p->token.kind) {
    case P2E_TOKEN_INT:
    case P2E_TOKEN_UINT:
    case P2E_TOKEN_DOUBLE:
    case P2E_TOKEN_STRING:
    case P2E_TOKEN_BYTES:
    case P2E_TOKEN_TRUE:
    case P2E_TOKEN_FALSE:
    case P2E_TOKEN_NULL:
        return parse_literal(p, p->token.span.begin, false);
    case P2E_TOKEN_IDENT:
    case P2E_TOKEN_DOT:
        return parse_name(p);
    case P2E_TOKEN_PAREN_OPEN:
        return parse_parentheses(p);
    case P2E_TOKEN_BRACKET_OPEN:
        return parse_list(p);
    case P2E_TOKEN_BRACE_OPEN:
        return parse_map(p);
    default:
        return unexpected(p, "a value");
    }
}

// ---- What follows a primary expression ----------------------------------------------------------

static struct p2e_cel_node *parse_method(struct parser *p, struct p2e_cel_node *target,
                                         size_t begin, struct p2e_span name)
{
    struct list args = {0};
    if (append(p, &args, target) < 0 || advance(p) < 0 ||
        parse_items(p, P2E_TOKEN_PAREN_CLOSE, "\",\" or \")\"", false, &args) < 0)
        return NULL;
    struct p2e_cel_node *node = make(p, P2E_NODE_CALL, begin, name, &args);
    if (node)
        node->receiver = true;
    return name_node(p, node, name);
}

// .name, .?name, .`name`, .name(…)
static struct p2e_cel_node *parse_selection(struct parser *p, struct p2e_cel_node *operand,
                                            size_t begin)
{
    if (advance(p) < 0)
        return NULL;
    int question = accept(p, P2E_TOKEN_QUESTION);
    bool quoted = at(p, P2E_TOKEN_QUOTED_IDENT);
    struct p2e_span name = p->token.span, inner = name;
    if (question < 0 || expect(p, quoted ? P2E_TOKEN_QUOTED_IDENT : P2E_TOKEN_IDENT,
                               "a field's or function's name after \".\"") < 0)
        return NULL;
    if (!question && !quoted && at(p, P2E_TOKEN_PAREN_OPEN))
        return parse_method(p, operand, begin, name);

    struct list args = {0};
    if (append(p, &args, operand) < 0)
        return NULL;
    inner.begin += quoted;
    inner.end -= quoted;
    struct p2e_cel_node *node = make(p, P2E_NODE_SELECT, begin, name, &args);
    if (node)
        node->optional = question;
    return name_node(p, node, inner);
}

static struct p2e_cel_node *parse_index(struct parser *p, struct p2e_cel_node *operand,
                                        size_t begin)
{
    struct p2e_span open = p->token.span;
    struct list args = {0};
    if (append(p, &args, operand) < 0 || advance(p) < 0 ||
        append(p, &args, parse_item(p, true)) < 0 ||
        expect(p, P2E_TOKEN_BRACKET_CLOSE, "\"]\"") < 0)
        return NULL;
    struct p2e_cel_node *node = make(p, P2E_NODE_INDEX, begin, open, &args);
    if (node)
        node->optional = args.nodes[1]->optional;
    return node;
}

static struct p2e_cel_node *parse_struct(struct parser *p, struct p2e_cel_node *type, size_t begin)
{
    struct p2e_span open = p->token.span;
    struct list args = {0};
    if (append(p, &args, type) < 0 || advance(p) < 0 || parse_entries(p, false, &args) < 0)
        return NULL;
    return make(p, P2E_NODE_STRUCT, begin, open, &args);
}

static struct p2e_cel_node *parse_suffixes(struct parser *p, struct p2e_cel_node *node,
                                           size_t begin)
{
    while (node) {
        if (at(p, P2E_TOKEN_DOT))
            node = parse_selection(p, node, begin);
        else if (at(p, P2E_TOKEN_BRACKET_OPEN))
            node = parse_index(p, node, begin);
        else if (at(p, P2E_TOKEN_BRACE_OPEN) &&
                 (node->kind == P2E_NODE_IDENT || node->kind == P2E_NODE_SELECT))
            node = parse_struct(p, node, begin);
        else
            return node;
    }
    return NULL;
}

// ---- Operators ----------------------------------------------------------------------------------

// A minus right before a number is part of it: -9223372036854775808 is an int.
static struct p2e_cel_node *parse_sign(struct parser *p, enum p2e_cel_op op)
{
    struct p2e_span token = p->token.span;
    if (advance(p) < 0)
        return NULL;
    if (op == P2E_CEL_NEGATE && (at(p, P2E_TOKEN_INT) || at(p, P2E_TOKEN_DOUBLE)))
        return parse_suffixes(p, parse_literal(p, token.begin, true), token.begin);

    struct list args = {0};
    if (append(p, &args, parse_unary(p)) < 0)
        return NULL;
    return make_operator(p, op, token.begin, token, &args);
}

static struct p2e_cel_node *parse_unary(struct parser *p)
{
    size_t begin = p->token.span.begin;
    bool minus = at(p, P2E_TOKEN_MINUS);
    if (!minus && !at(p, P2E_TOKEN_NOT))
        return parse_suffixes(p, parse_primary(p), begin);
    if (++p->depth > P2E_CEL_DEPTH_MAX)
        return too_deep(p, p->token.span);
    struct p2e_cel_node *node = parse_sign(p, minus ? P2E_CEL_NEGATE : P2E_CEL_NOT);
    p->depth--;
    return node;
}

enum { RELATION, ADDITION, MULTIPLICATION, UNARY };

static const struct {
    enum p2e_cel_token_kind token;
    int level;
    enum p2e_cel_op op;
} binary_operators[] = {
    {P2E_TOKEN_EQ, RELATION, P2E_CEL_EQ},
    {P2E_TOKEN_NE, RELATION, P2E_CEL_NE},
    {P2E_TOKEN_LT, RELATION, P2E_CEL_LT},
    {P2E_TOKEN_LE, RELATION, P2E_CEL_LE},
    {P2E_TOKEN_GT, RELATION, P2E_CEL_GT},
    {P2E_TOKEN_GE, RELATION, P2E_CEL_GE},
    {P2E_TOKEN_IN, RELATION, P2E_CEL_IN},
    {P2E_TOKEN_PLUS, ADDITION, P2E_CEL_ADD},
    {P2E_TOKEN_MINUS, ADDITION, P2E_CEL_SUBTRACT},
    {P2E_TOKEN_STAR, MULTIPLICATION, P2E_CEL_MULTIPLY},
    {P2E_TOKEN_SLASH, MULTIPLICATION, P2E_CEL_DIVIDE},
    {P2E_TOKEN_PERCENT, MULTIPLICATION, P2E_CEL_MODULO},
};

static bool operator_at(const struct parser *p, int level, enum p2e_cel_op *op)
{
    for (size_t i = 0; i < sizeof(binary_operators) / sizeof(binary_operators[0]); i++) {
        if (binary_operators[i].level == level && at(p, binary_operators[i].token)) {
            *op = binary_operators[i].op;
            return true;
        }
    }
    return false;
}

static struct p2e_cel_node *parse_binary(struct parser *p, int level)
{
    if (level == UNARY)
        return parse_unary(p);

    size_t begin = p->token.span.begin;
    struct p2e_cel_node *left = parse_binary(p, level + 1);
    enum p2e_cel_op op;
    while (left && operator_at(p, level, &op)) {
        struct p2e_span token = p->token.span;
        struct list args = {0};
        if (advance(p) < 0 || append(p, &args, left) < 0 ||
            append(p, &args, parse_binary(p, level + 1)) < 0)
            return NULL;
        left = make_operator(p, op, begin, token, &args);
    }
    return left;
}

static struct p2e_cel_node *parse_relation(struct parser *p)
{
    return parse_binary(p, RELATION);
}

// a && b && c is one node, so that a long chain is not a deep tree.
static struct p2e_cel_node *parse_chain(struct parser *p, enum p2e_cel_token_kind kind,
                                        enum p2e_cel_op op, parse_function parse_operand)
{
    struct p2e_span first = p->token.span;
    struct p2e_cel_node *node = parse_operand(p);
    if (!node || !at(p, kind))
        return node;

    struct p2e_span token = p->token.span;
    struct list args = {0};
    if (append(p, &args, node) < 0)
        return NULL;
    while (at(p, kind)) {
        if (advance(p) < 0 || append(p, &args, parse_operand(p)) < 0)
            return NULL;
    }
    return make_operator(p, op, first.begin, token, &args);
}

static struct p2e_cel_node *parse_and(struct parser *p)
{
    return parse_chain(p, P2E_TOKEN_AND, P2E_CEL_AND, parse_relation);
}

static struct p2e_cel_node *parse_or(struct parser *p)
{
    return parse_chain(p, P2E_TOKEN_OR, P2E_CEL_OR, parse_and);
}

static struct p2e_cel_node *parse_conditional(struct parser *p)
{
    size_t begin = p->token.span.begin;
    struct p2e_cel_node *condition = parse_or(p);
    if (!condition || !at(p, P2E_TOKEN_QUESTION))
        return condition;

    struct p2e_span token = p->token.span;
    struct list args = {0};
    if (advance(p) < 0 || append(p, &args, condition) < 0 || append(p, &args, parse_or(p)) < 0 ||
        expect(p, P2E_TOKEN_COLON, "\":\" of the \"?\" before") < 0 ||
        append(p, &args, parse_expr(p)) < 0)
        return NULL;
    return make_operator(p, P2E_CEL_CONDITIONAL, begin, token, &args);
}

// All recursion comes through here or through parse_unary.
static struct p2e_cel_node *parse_expr(struct parser *p)
{
    if (++p->depth > P2E_CEL_DEPTH_MAX)
        return too_deep(p, p->token.span);
    struct p2e_cel_node *node = parse_conditional(p);
    p->depth--;
    return node;
}

struct p2e_cel_node *p2e_cel_parse(const char *text, struct p2e_arena *arena, struct p2e_error *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    size_t size = strlen(text);
    if (size > P2E_CEL_TEXT_MAX) {
        p2e_error_set(err, "the expression is longer than %zu bytes", P2E_CEL_TEXT_MAX);
        return NULL;
    }
    if (p2e_cel_lexer_begin(&p.lexer, text, size, err) < 0 || advance(&p) < 0)
        return NULL;
    if (at(&p, P2E_TOKEN_END)) {
        p2e_error_set(err, "the expression is empty");
        return NULL;
    }
    struct p2e_cel_node *node = parse_expr(&p);
    if (node && !at(&p, P2E_TOKEN_END))
        return unexpected(&p, "an operator or the end");
    return node;
}
