#include "compiler/cel_functions.h"

#include <string.h>

#include "base/nearest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// ---- Operators and functions --------------------------------------------------------------------

static const struct p2e_cel_function operators[] = {
    {"!", P2E_CEL_NOT, P2E_SHAPE_NONE, false, 1, NULL},
    {"-", P2E_CEL_NEGATE, P2E_SHAPE_NEGATE, false, 1, NULL},
    {"&&", P2E_CEL_AND, P2E_SHAPE_NONE, false, 2, NULL},
    {"||", P2E_CEL_OR, P2E_SHAPE_NONE, false, 2, NULL},
    {"?:", P2E_CEL_CONDITIONAL, P2E_SHAPE_NONE, false, 3, NULL},
    {"==", P2E_CEL_EQ, P2E_SHAPE_EQUALITY, false, 2, NULL},
    {"!=", P2E_CEL_NE, P2E_SHAPE_EQUALITY, false, 2, NULL},
    {"<", P2E_CEL_LT, P2E_SHAPE_ORDER, false, 2, NULL},
    {"<=", P2E_CEL_LE, P2E_SHAPE_ORDER, false, 2, NULL},
    {">", P2E_CEL_GT, P2E_SHAPE_ORDER, false, 2, NULL},
    {">=", P2E_CEL_GE, P2E_SHAPE_ORDER, false, 2, NULL},
    {"in", P2E_CEL_IN, P2E_SHAPE_NONE, false, 2, NULL},
    {"+", P2E_CEL_ADD, P2E_SHAPE_SUM, false, 2, NULL},
    {"-", P2E_CEL_SUBTRACT, P2E_SHAPE_DIFFERENCE, false, 2, NULL},
    {"*", P2E_CEL_MULTIPLY, P2E_SHAPE_PRODUCT, false, 2, NULL},
    {"/", P2E_CEL_DIVIDE, P2E_SHAPE_PRODUCT, false, 2, NULL},
    {"%", P2E_CEL_MODULO, P2E_SHAPE_REMAINDER, false, 2, NULL},
};

#define REFUSED(name, why)                                                                         \
    {                                                                                              \
        name, P2E_CEL_CONST, P2E_SHAPE_NONE, false, 0, why                                         \
    }
#define MACRO                                                                                      \
    "a rule in the kernel has nowhere to put a new list; all(), exists() and exists_one() are "    \
    "supported"
#define TYPE                                                                                       \
    "what type a value has is known when the rule is compiled; it can be compared: type(a) == int"
#define NEW_TEXT                                                                                   \
    "functions that build a new string are not supported: a rule in the kernel has nowhere to "    \
    "put it"
#define SEARCH                                                                                     \
    "positions in a string are not supported yet; startsWith(), endsWith() and contains() are"
#define MATH      "the math functions are not supported yet"
#define REAL      "write !(x.isNan() || x.isInf())"
#define LISTS     "of a list, size(), unique(), all(), exists() and \"in\" are supported"
#define EXTENSION "CEL's extensions are not supported"

static const struct p2e_cel_function functions[] = {
    {"has", P2E_CEL_HAS, P2E_SHAPE_NONE, false, 1, NULL},
    {"size", P2E_CEL_SIZE, P2E_SHAPE_SIZE, false, 1, NULL},
    {"startsWith", P2E_CEL_STARTS_WITH, P2E_SHAPE_TEXT, true, 2, NULL},
    {"endsWith", P2E_CEL_ENDS_WITH, P2E_SHAPE_TEXT, true, 2, NULL},
    {"contains", P2E_CEL_CONTAINS, P2E_SHAPE_TEXT, true, 2, NULL},
    {"matches", P2E_CEL_MATCHES, P2E_SHAPE_MATCHES, false, 2, NULL},
    REFUSED("len", "CEL's name for a length is size()"),
    REFUSED("length", "CEL's name for a length is size()"),
    {"all", P2E_CEL_ALL, P2E_SHAPE_NONE, true, 3, NULL},
    {"exists", P2E_CEL_EXISTS, P2E_SHAPE_NONE, true, 3, NULL},
    {"exists_one", P2E_CEL_EXISTS_ONE, P2E_SHAPE_NONE, true, 3, NULL},
    {"existsOne", P2E_CEL_EXISTS_ONE, P2E_SHAPE_NONE, true, 3, NULL},
    {"getField", P2E_CEL_SELECT, P2E_SHAPE_NONE, false, 2, NULL},
    {"unique", P2E_CEL_UNIQUE, P2E_SHAPE_UNIQUE, true, 1, NULL},
    {"map", P2E_CEL_LIST_LITERAL, P2E_SHAPE_MAP, true, 3, NULL},
    {"filter", P2E_CEL_LIST_LITERAL, P2E_SHAPE_FILTER, true, 3, NULL},
    REFUSED("transformList", MACRO),
    REFUSED("transformMap", MACRO),
    REFUSED("transformMapEntry", MACRO),
    {"bool", P2E_CEL_CONVERT, P2E_SHAPE_TO_BOOL, false, 1, NULL},
    {"bytes", P2E_CEL_CONVERT, P2E_SHAPE_TO_BYTES, false, 1, NULL},
    {"double", P2E_CEL_CONVERT, P2E_SHAPE_TO_DOUBLE, false, 1, NULL},
    {"dyn", P2E_CEL_CONVERT, P2E_SHAPE_DYN, false, 1, NULL},
    {"int", P2E_CEL_CONVERT, P2E_SHAPE_TO_INT, false, 1, NULL},
    {"string", P2E_CEL_CONVERT, P2E_SHAPE_TO_STRING, false, 1, NULL},
    {"uint", P2E_CEL_CONVERT, P2E_SHAPE_TO_UINT, false, 1, NULL},
    REFUSED("type", TYPE),
    {"duration", P2E_CEL_CONVERT, P2E_SHAPE_TO_DURATION, false, 1, NULL},
    {"timestamp", P2E_CEL_CONVERT, P2E_SHAPE_TO_TIMESTAMP, false, 1, NULL},
    {"getDate", P2E_CEL_GET_DATE, P2E_SHAPE_DATE, true, 2, NULL},
    {"getDayOfMonth", P2E_CEL_GET_DAY_OF_MONTH, P2E_SHAPE_DATE, true, 2, NULL},
    {"getDayOfWeek", P2E_CEL_GET_DAY_OF_WEEK, P2E_SHAPE_DATE, true, 2, NULL},
    {"getDayOfYear", P2E_CEL_GET_DAY_OF_YEAR, P2E_SHAPE_DATE, true, 2, NULL},
    {"getFullYear", P2E_CEL_GET_FULL_YEAR, P2E_SHAPE_DATE, true, 2, NULL},
    {"getHours", P2E_CEL_GET_HOURS, P2E_SHAPE_CLOCK, true, 2, NULL},
    {"getMilliseconds", P2E_CEL_GET_MILLISECONDS, P2E_SHAPE_CLOCK, true, 2, NULL},
    {"getMinutes", P2E_CEL_GET_MINUTES, P2E_SHAPE_CLOCK, true, 2, NULL},
    {"getMonth", P2E_CEL_GET_MONTH, P2E_SHAPE_DATE, true, 2, NULL},
    {"getSeconds", P2E_CEL_GET_SECONDS, P2E_SHAPE_CLOCK, true, 2, NULL},
    {"isEmail", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isHostname", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isHostAndPort", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isIp", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isIpPrefix", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isUri", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isUriRef", P2E_CEL_IS_FORMAT, P2E_SHAPE_NONE, true, 1, NULL},
    {"isInf", P2E_CEL_IS_INF, P2E_SHAPE_IS_INF, true, 2, NULL},
    {"isNan", P2E_CEL_IS_NAN, P2E_SHAPE_IS_NAN, true, 1, NULL},
    REFUSED("isFinite", REAL),
    REFUSED("distinct", LISTS),
    REFUSED("first", LISTS),
    REFUSED("flatten", LISTS),
    REFUSED("last", LISTS),
    REFUSED("lists", LISTS),
    REFUSED("range", LISTS),
    REFUSED("slice", LISTS),
    REFUSED("sort", LISTS),
    REFUSED("sortBy", LISTS),
    REFUSED("charAt", SEARCH),
    REFUSED("indexOf", SEARCH),
    REFUSED("lastIndexOf", SEARCH),
    {"format", P2E_CEL_FORMAT, P2E_SHAPE_FORMAT, true, 2, NULL},
    REFUSED("join", NEW_TEXT),
    REFUSED("lowerAscii", NEW_TEXT),
    REFUSED("quote", NEW_TEXT),
    REFUSED("replace", NEW_TEXT),
    REFUSED("reverse", NEW_TEXT),
    REFUSED("split", NEW_TEXT),
    REFUSED("substring", NEW_TEXT),
    REFUSED("trim", NEW_TEXT),
    REFUSED("upperAscii", NEW_TEXT),
    REFUSED("abs", MATH),
    REFUSED("bitAnd", MATH),
    REFUSED("bitNot", MATH),
    REFUSED("bitOr", MATH),
    REFUSED("bitShiftLeft", MATH),
    REFUSED("bitShiftRight", MATH),
    REFUSED("bitXor", MATH),
    REFUSED("ceil", MATH),
    REFUSED("floor", MATH),
    REFUSED("greatest", MATH),
    REFUSED("isNaN", MATH),
    REFUSED("least", MATH),
    REFUSED("round", MATH),
    REFUSED("sign", MATH),
    REFUSED("sqrt", MATH),
    REFUSED("trunc", MATH),
    REFUSED("bind", EXTENSION),
    REFUSED("block", EXTENSION),
    REFUSED("decode", EXTENSION),
    REFUSED("encode", EXTENSION),
    REFUSED("getExt", EXTENSION),
    REFUSED("hasExt", EXTENSION),
    REFUSED("hasValue", EXTENSION),
    REFUSED("ip", EXTENSION),
    REFUSED("cidr", EXTENSION),
    REFUSED("none", EXTENSION),
    REFUSED("of", EXTENSION),
    REFUSED("ofNonZeroValue", EXTENSION),
    REFUSED("optFlatMap", EXTENSION),
    REFUSED("optMap", EXTENSION),
    REFUSED("or", EXTENSION),
    REFUSED("orValue", EXTENSION),
    REFUSED("value", EXTENSION),
};

const struct p2e_cel_function *p2e_cel_function(const char *name)
{
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    }
    return NULL;
}

const struct p2e_cel_function *p2e_cel_operator(enum p2e_cel_op op)
{
    for (size_t i = 0; i < COUNT(operators); i++) {
        if (operators[i].op == op)
            return &operators[i];
    }
    return NULL;
}

const char *p2e_cel_function_nearest(const char *name)
{
    return p2e_nearest(name, functions, COUNT(functions), sizeof(functions[0]));
}

// ---- Overloads ----------------------------------------------------------------------------------

#define BOOL      P2E_CEL_BOOL
#define INT       P2E_CEL_INT
#define UINT      P2E_CEL_UINT
#define DOUBLE    P2E_CEL_DOUBLE
#define STRING    P2E_CEL_STRING
#define BYTES     P2E_CEL_BYTES
#define TIMESTAMP P2E_CEL_TIMESTAMP
#define DURATION  P2E_CEL_DURATION
#define LIST      P2E_CEL_LIST
#define MAP       P2E_CEL_MAP
#define NONE      (P2E_CEL_NULL + 1) // no second argument
#define ANY       (P2E_CEL_NULL + 2)

#define NULL_WHY                                                                                   \
    "a comparison with null is not supported; whether a field is set is asked with "               \
    "has(this.field)"
#define MESSAGE_WHY "messages cannot be compared as a whole; compare their fields"
#define LIST_WHY    "a list is compared with constants of its elements' type alone: list == [1, 2]"
#define MAP_WHY     "maps cannot be compared as a whole; size() of a map is supported"
#define REAL_WHY    "arithmetic on doubles is not supported: the kernel has no floating point"
#define CONCAT_WHY                                                                                 \
    "joining bytes is not supported: a rule in the kernel has nowhere to put the result"
#define PARSE_WHY                                                                                  \
    "a conversion from string is judged only of a constant, written as numbers and bools mostly "  \
    "are"
#define PRINT_WHY                                                                                  \
    "a conversion to string is judged only of bytes, and of constants that are written alike "     \
    "everywhere: a rule in the kernel has nowhere to put a new string"
#define NEGATE_WHY "CEL does not negate durations; write duration(\"0s\") - a"
#define DURATION_WHY                                                                               \
    "implementations of CEL disagree whether a duration's number counts seconds or nanoseconds; "  \
    "a.getSeconds() gives seconds, duration(\"5s\") makes a duration"
#define TIMESTAMP_WHY                                                                              \
    "a timestamp is made of a constant as RFC 3339 has it, from the year 1 to 9999: "              \
    "timestamp(\"2024-02-29T23:59:59.5Z\"), or of unix seconds: timestamp(a)"
#define SPAN_WHY                                                                                   \
    "a duration is made of a constant, of at most 292 years: duration(\"1h30m\"), with the "       \
    "units h, m, s, ms, us and ns"
#define LIST_TEXT_WHY                                                                              \
    "lists have no such function; whether a value is in a list is asked with: value in list"

static const struct p2e_cel_overload overloads[] = {
    {P2E_SHAPE_EQUALITY, {BOOL, BOOL}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {INT, INT}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {UINT, UINT}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {DOUBLE, DOUBLE}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {STRING, STRING}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {BYTES, BYTES}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {TIMESTAMP, TIMESTAMP}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {DURATION, DURATION}, BOOL, NULL},
    {P2E_SHAPE_EQUALITY, {P2E_CEL_NULL, ANY}, BOOL, NULL_WHY},
    {P2E_SHAPE_EQUALITY, {ANY, P2E_CEL_NULL}, BOOL, NULL_WHY},
    {P2E_SHAPE_EQUALITY, {P2E_CEL_MESSAGE, P2E_CEL_MESSAGE}, BOOL, MESSAGE_WHY},
    {P2E_SHAPE_EQUALITY, {LIST, LIST}, BOOL, LIST_WHY},
    {P2E_SHAPE_EQUALITY, {MAP, MAP}, BOOL, MAP_WHY},

    {P2E_SHAPE_ORDER, {BOOL, BOOL}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {INT, INT}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {INT, UINT}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {INT, DOUBLE}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {UINT, INT}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {UINT, UINT}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {UINT, DOUBLE}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {DOUBLE, INT}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {DOUBLE, UINT}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {DOUBLE, DOUBLE}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {STRING, STRING}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {BYTES, BYTES}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {TIMESTAMP, TIMESTAMP}, BOOL, NULL},
    {P2E_SHAPE_ORDER, {DURATION, DURATION}, BOOL, NULL},

    {P2E_SHAPE_SUM, {INT, INT}, INT, NULL},
    {P2E_SHAPE_SUM, {UINT, UINT}, UINT, NULL},
    {P2E_SHAPE_SUM, {DOUBLE, ANY}, DOUBLE, REAL_WHY},
    {P2E_SHAPE_SUM, {STRING, STRING}, STRING, NULL},
    {P2E_SHAPE_SUM, {BYTES, BYTES}, BYTES, CONCAT_WHY},
    {P2E_SHAPE_SUM, {LIST, LIST}, LIST, "joining lists is not supported"},
    {P2E_SHAPE_SUM, {TIMESTAMP, DURATION}, TIMESTAMP, NULL},
    {P2E_SHAPE_SUM, {DURATION, TIMESTAMP}, TIMESTAMP, NULL},
    {P2E_SHAPE_SUM, {DURATION, DURATION}, DURATION, NULL},

    {P2E_SHAPE_DIFFERENCE, {INT, INT}, INT, NULL},
    {P2E_SHAPE_DIFFERENCE, {UINT, UINT}, UINT, NULL},
    {P2E_SHAPE_DIFFERENCE, {DOUBLE, ANY}, DOUBLE, REAL_WHY},
    {P2E_SHAPE_DIFFERENCE, {TIMESTAMP, TIMESTAMP}, DURATION, NULL},
    {P2E_SHAPE_DIFFERENCE, {TIMESTAMP, DURATION}, TIMESTAMP, NULL},
    {P2E_SHAPE_DIFFERENCE, {DURATION, DURATION}, DURATION, NULL},

    {P2E_SHAPE_PRODUCT, {INT, INT}, INT, NULL},
    {P2E_SHAPE_PRODUCT, {UINT, UINT}, UINT, NULL},
    {P2E_SHAPE_PRODUCT, {DOUBLE, ANY}, DOUBLE, REAL_WHY},

    {P2E_SHAPE_REMAINDER, {INT, INT}, INT, NULL},
    {P2E_SHAPE_REMAINDER, {UINT, UINT}, UINT, NULL},

    {P2E_SHAPE_NEGATE, {INT, NONE}, INT, NULL},
    {P2E_SHAPE_NEGATE, {UINT, NONE}, UINT, "a uint is never negative"},
    {P2E_SHAPE_NEGATE, {DOUBLE, NONE}, DOUBLE, NULL},
    {P2E_SHAPE_NEGATE, {DURATION, NONE}, DURATION, NEGATE_WHY},

    {P2E_SHAPE_SIZE, {STRING, NONE}, INT, NULL},
    {P2E_SHAPE_SIZE, {BYTES, NONE}, INT, NULL},
    {P2E_SHAPE_SIZE, {LIST, NONE}, INT, NULL},
    {P2E_SHAPE_SIZE, {MAP, NONE}, INT, NULL},

    {P2E_SHAPE_UNIQUE, {LIST, NONE}, BOOL, NULL},

    {P2E_SHAPE_TEXT, {STRING, STRING}, BOOL, NULL},
    {P2E_SHAPE_TEXT, {BYTES, BYTES}, BOOL, NULL},
    {P2E_SHAPE_TEXT, {LIST, ANY}, BOOL, LIST_TEXT_WHY},

    {P2E_SHAPE_MATCHES, {STRING, STRING}, BOOL, NULL},
    {P2E_SHAPE_MATCHES,
     {BYTES, STRING},
     BOOL,
     "bytes are matched as a string: string(a).matches(b)"},

    {P2E_SHAPE_TO_BOOL, {BOOL, NONE}, BOOL, NULL},
    {P2E_SHAPE_TO_BOOL, {STRING, NONE}, BOOL, PARSE_WHY},

    {P2E_SHAPE_TO_INT, {INT, NONE}, INT, NULL},
    {P2E_SHAPE_TO_INT, {UINT, NONE}, INT, NULL},
    {P2E_SHAPE_TO_INT, {DOUBLE, NONE}, INT, NULL},
    {P2E_SHAPE_TO_INT, {STRING, NONE}, INT, PARSE_WHY},
    {P2E_SHAPE_TO_INT, {TIMESTAMP, NONE}, INT, NULL},
    {P2E_SHAPE_TO_INT, {DURATION, NONE}, INT, DURATION_WHY},

    {P2E_SHAPE_TO_UINT, {INT, NONE}, UINT, NULL},
    {P2E_SHAPE_TO_UINT, {UINT, NONE}, UINT, NULL},
    {P2E_SHAPE_TO_UINT, {DOUBLE, NONE}, UINT, NULL},
    {P2E_SHAPE_TO_UINT, {STRING, NONE}, UINT, PARSE_WHY},

    {P2E_SHAPE_TO_DOUBLE, {INT, NONE}, DOUBLE, NULL},
    {P2E_SHAPE_TO_DOUBLE, {UINT, NONE}, DOUBLE, NULL},
    {P2E_SHAPE_TO_DOUBLE, {DOUBLE, NONE}, DOUBLE, NULL},
    {P2E_SHAPE_TO_DOUBLE, {STRING, NONE}, DOUBLE, PARSE_WHY},

    {P2E_SHAPE_TO_STRING, {STRING, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {BYTES, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {BOOL, NONE}, STRING, PRINT_WHY},
    {P2E_SHAPE_TO_STRING, {INT, NONE}, STRING, PRINT_WHY},
    {P2E_SHAPE_TO_STRING, {UINT, NONE}, STRING, PRINT_WHY},
    {P2E_SHAPE_TO_STRING, {DOUBLE, NONE}, STRING, PRINT_WHY},
    {P2E_SHAPE_TO_STRING, {TIMESTAMP, NONE}, STRING, PRINT_WHY},
    {P2E_SHAPE_TO_STRING, {DURATION, NONE}, STRING, PRINT_WHY},

    {P2E_SHAPE_TO_BYTES, {BYTES, NONE}, BYTES, NULL},
    {P2E_SHAPE_TO_BYTES, {STRING, NONE}, BYTES, NULL},

    {P2E_SHAPE_TO_TIMESTAMP, {TIMESTAMP, NONE}, TIMESTAMP, NULL},
    {P2E_SHAPE_TO_TIMESTAMP, {INT, NONE}, TIMESTAMP, NULL},
    {P2E_SHAPE_TO_TIMESTAMP, {STRING, NONE}, TIMESTAMP, TIMESTAMP_WHY},

    {P2E_SHAPE_TO_DURATION, {DURATION, NONE}, DURATION, NULL},
    {P2E_SHAPE_TO_DURATION, {STRING, NONE}, DURATION, SPAN_WHY},
    {P2E_SHAPE_TO_DURATION, {INT, NONE}, DURATION, DURATION_WHY},

    {P2E_SHAPE_DATE, {TIMESTAMP, INT}, INT, NULL},
    {P2E_SHAPE_CLOCK, {TIMESTAMP, INT}, INT, NULL},
    {P2E_SHAPE_CLOCK, {DURATION, INT}, INT, NULL},

    {P2E_SHAPE_IS_NAN, {DOUBLE, NONE}, BOOL, NULL},
    {P2E_SHAPE_IS_INF, {DOUBLE, INT}, BOOL, NULL},
};

// Of constants alone.
static const struct p2e_cel_overload constant_overloads[] = {
    {P2E_SHAPE_SUM, {DOUBLE, DOUBLE}, DOUBLE, NULL},
    {P2E_SHAPE_SUM, {BYTES, BYTES}, BYTES, NULL},
    {P2E_SHAPE_PRODUCT, {DOUBLE, DOUBLE}, DOUBLE, NULL},
    {P2E_SHAPE_DIFFERENCE, {DOUBLE, DOUBLE}, DOUBLE, NULL},
    {P2E_SHAPE_TO_BOOL, {STRING, NONE}, BOOL, NULL},
    {P2E_SHAPE_TO_INT, {STRING, NONE}, INT, NULL},
    {P2E_SHAPE_TO_UINT, {STRING, NONE}, UINT, NULL},
    {P2E_SHAPE_TO_DOUBLE, {STRING, NONE}, DOUBLE, NULL},
    {P2E_SHAPE_TO_STRING, {BOOL, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {INT, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {UINT, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {DOUBLE, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {TIMESTAMP, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_STRING, {DURATION, NONE}, STRING, NULL},
    {P2E_SHAPE_TO_TIMESTAMP, {STRING, NONE}, TIMESTAMP, NULL},
    {P2E_SHAPE_TO_DURATION, {STRING, NONE}, DURATION, NULL},
};

static const struct p2e_cel_overload *find_overload(const struct p2e_cel_overload *table,
                                                    size_t count,
                                                    const struct p2e_cel_function *function,
                                                    const struct p2e_cel_type *types)
{
    unsigned first = types[0].kind, second = function->arg_count > 1 ? types[1].kind : NONE;
    for (size_t i = 0; i < count; i++) {
        const struct p2e_cel_overload *o = &table[i];
        if (o->shape == function->shape && (o->args[0] == first || o->args[0] == ANY) &&
            (o->args[1] == second || o->args[1] == ANY))
            return o;
    }
    return NULL;
}

const struct p2e_cel_overload *p2e_cel_overload(const struct p2e_cel_function *function,
                                                const struct p2e_cel_type *types)
{
    return find_overload(overloads, COUNT(overloads), function, types);
}

const struct p2e_cel_overload *p2e_cel_constant_overload(const struct p2e_cel_function *function,
                                                         const struct p2e_cel_type *types)
{
    return find_overload(constant_overloads, COUNT(constant_overloads), function, types);
}
