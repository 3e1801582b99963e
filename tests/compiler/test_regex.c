// Regular expressions by table: what matches, what does not, what is refused and where.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "compiler/regex.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// The longest pattern that is taken, and a little more.
struct pattern {
    char data[P2E_REGEX_MAX_PATTERN + 64];
    size_t size;
};

static void append(struct pattern *pattern, const char *text, size_t times)
{
    for (; times > 0; times--) {
        assert_true(pattern->size + strlen(text) < sizeof(pattern->data));
        memcpy(pattern->data + pattern->size, text, strlen(text) + 1);
        pattern->size += strlen(text);
    }
}

// ---- What every table must be -------------------------------------------------------------------

static bool is_final(const struct p2e_regex *regex, size_t state)
{
    for (size_t class = 0; class < regex->class_count; class ++) {
        if (regex->next[state * regex->class_count + class] != state)
            return false;
    }
    return true;
}

static bool columns_differ(const struct p2e_regex *regex, size_t a, size_t b)
{
    for (size_t state = 0; state < regex->state_count; state++) {
        const uint16_t *row = regex->next + state * regex->class_count;
        if (row[a] != row[b])
            return true;
    }
    return false;
}

static void check_table(const struct p2e_regex *regex)
{
    size_t states = regex->state_count, classes = regex->class_count;
    assert_in_range(states, 2, P2E_REGEX_MAX_STATES);
    assert_in_range(classes, 1, 256);
    assert_true(states * classes <= P2E_REGEX_MAX_ENTRIES);
    assert_true(regex->start < states);
    assert_in_range(regex->accepting, 1, states - 1);
    for (size_t i = 0; i < 256; i++)
        assert_true(regex->class_of[i] < classes);
    for (size_t i = 0; i < states * classes; i++)
        assert_true(regex->next[i] < states);
    for (size_t state = 0; state < states; state++)
        assert_int_equal(is_final(regex, state), state == P2E_REGEX_DEAD || state == states - 1);
    for (size_t a = 0; a < classes; a++) {
        for (size_t b = 0; b < a; b++)
            assert_true(columns_differ(regex, a, b));
    }
}

static void compile(const char *pattern, size_t size, struct p2e_regex *regex)
{
    struct p2e_span fault;
    struct p2e_error err;
    if (p2e_regex_compile(pattern, size, regex, &fault, &err) < 0)
        fail_msg("%s: %s", pattern, err.text);
}

// ---- Matches ------------------------------------------------------------------------------------

struct match {
    const char *pattern;
    const char *yes[8], *no[8];
};

static void check_match(const struct match *row)
{
    _cleanup_(p2e_regex_free) struct p2e_regex regex;
    compile(row->pattern, strlen(row->pattern), &regex);
    check_table(&regex);
    for (size_t i = 0; i < LENGTH(row->yes) && row->yes[i]; i++) {
        if (!p2e_regex_matches(&regex, row->yes[i], strlen(row->yes[i])))
            fail_msg("%s does not match \"%s\"", row->pattern, row->yes[i]);
    }
    for (size_t i = 0; i < LENGTH(row->no) && row->no[i]; i++) {
        if (p2e_regex_matches(&regex, row->no[i], strlen(row->no[i])))
            fail_msg("%s matches \"%s\"", row->pattern, row->no[i]);
    }
}

#define CHECK_MATCHES(rows)                                                                        \
    do {                                                                                           \
        for (size_t i = 0; i < LENGTH(rows); i++)                                                  \
            check_match(&(rows)[i]);                                                               \
    } while (0)

static void test_literals(void **state)
{
    static const struct match rows[] = {
        {"", {"", "a", "\n"}, {NULL}},
        {"a", {"a", "xa", "ax", "xax"}, {"", "b", "A"}},
        {"abc", {"abc", "ababc", "aabcc"}, {"ab", "acb", "abbc", "ab c"}},
        {"aab", {"aab", "aaab", "aaaab"}, {"ab", "aba"}},
        {"ä", {"ä", "xäx"}, {"a", "Ä", "\xc3", "\xa4", "ö"}},
        {"€", {"€", "1€"}, {"\xe2\x82", "₠"}},
        {"😀", {"😀", "a😀b"}, {"😁", "\xf0\x9f\x98"}},
        {"ab ", {"ab "}, {"ab"}},
        {"}", {"}"}, {"{"}},
        {"]", {"]"}, {"["}},
        {"{", {"{"}, {""}},
        {"a{", {"a{"}, {"a"}},
        {"a{,2}", {"a{,2}"}, {"a", "aa"}},
        {"a{1", {"a{1"}, {"a"}},
        {"a{1,", {"a{1,"}, {"a"}},
        {"a{1,2", {"a{1,2"}, {"aa"}},
        {"a{01}", {"a{01}"}, {"a"}},
        {"a{1,02}", {"a{1,02}"}, {"a"}},
        {"a{x}", {"a{x}"}, {"a"}},
        {"a{ 1}", {"a{ 1}"}, {"a"}},
        {"-", {"-"}, {"a"}},
        {":", {":"}, {"a"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_escapes(void **state)
{
    static const struct match rows[] = {
        {"\\n", {"\n"}, {"n", "\\n", "\r"}},
        {"\\t\\r\\f\\v\\a", {"\t\r\f\v\a"}, {"trfva"}},
        {"\\x41", {"A"}, {"a", "x41"}},
        {"\\x7F", {"\x7f"}, {"7F"}},
        {"\\xe4", {"ä"}, {"\xe4", "a"}},
        {"\\x{e4}", {"ä"}, {"\xe4"}},
        {"\\x{0000e4}", {"ä"}, {"a"}},
        {"\\x{10FFFF}", {"\xf4\x8f\xbf\xbf"}, {"\xf4\x8f\xbf\xbe", "\xf4\x90\x80\x80"}},
        {"\\x{10000}", {"\xf0\x90\x80\x80"}, {"\xef\xbf\xbf"}},
        {"\\x{ffff}", {"\xef\xbf\xbf"}, {"\xf0\x90\x80\x80"}},
        {"\\x{7ff}\\x{800}", {"\xdf\xbf\xe0\xa0\x80"}, {"\xdf\xbf"}},
        {"\\101", {"A"}, {"101"}},
        {"\\1011", {"A1"}, {"A"}},
        {"\\07", {"\a"}, {"7"}},
        {"\\0608", {"08"}, {"\x06"}},
        {"\\12", {"\n"}, {"12"}},
        {"\\777", {"ǿ"}, {"?7"}},
        {"\\.", {"."}, {"a", ""}},
        {"\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\^\\$\\\\", {"*+?()[]{}|^$\\"}, {"*"}},
        {"\\-\\_\\/\\ \\\"\\~", {"-_/ \"~"}, {"-"}},
        {"\\Qa.b*\\E", {"a.b*", "xa.b*x"}, {"axb", "a.bb"}},
        {"\\Qa.b\\E+", {"a.b", "a.bb"}, {"axb"}},
        {"^\\Qab\\E+$", {"ab", "abb"}, {"abab"}},
        {"\\Q(", {"("}, {""}},
        {"\\Q\\E", {"", "a"}, {NULL}},
        {"\\Qa\\b\\E", {"a\\b"}, {"ab"}},
        {"^a*\\Q\\E*$", {"", "aa"}, {"b"}},
        {"\\Q\\\\E", {"\\"}, {"E"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_dot(void **state)
{
    static const struct match rows[] = {
        {".", {"a", "ä", "😀", "\r", "\na"}, {"", "\n", "\n\n"}},
        {"^.$", {"a", "ä", "€", "😀", "\x7f"}, {"", "aa", "\n", "ä\xcc\x88"}},
        {"^...$", {"abc", "äöü", "a€😀"}, {"ab", "äö", "abcd"}},
        {"(?s).", {"a", "\n"}, {""}},
        {"(?s)^.$", {"\n", "ä"}, {"", "\n\n"}},
        {"(?s:.)$", {"\n"}, {""}},
        {"(?s)a(?-s).", {"ab"}, {"a\n"}},
        {"(?s:a.)b.", {"a\nbc"}, {"a\nb\n"}},
        {"^.*$", {"", "abc", "äöü"}, {"a\nb", "\n"}},
        {"a.c", {"abc", "aäc", "a😀c"}, {"ac", "a\nc", "abbc"}},
        // What is not UTF-8 has no characters.
        {"^.$",
         {"\xc3\xa4"},
         {"\xc3", "\xa4", "\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
          "\xf4\x90\x80\x80"}},
        {"b",
         {"\xff"
          "b",
          "\xc3"
          "b"},
         {"\xff"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_classes(void **state)
{
    static const struct match rows[] = {
        {"[abc]", {"a", "b", "c", "xbx"}, {"", "d", "A"}},
        {"[a-c]", {"a", "b", "c"}, {"d", "-", "`"}},
        {"[^a-c]", {"d", "-", "ä", "\n"}, {"a", "b", "c", "", "abc"}},
        {"^[^a]$", {"b", "ä", "😀", "\n"}, {"a", "", "bb"}},
        {"[a-]", {"a", "-"}, {"b"}},
        {"[-a]", {"a", "-"}, {"b"}},
        {"[a-c-e]", {"b", "-", "e"}, {"d"}},
        {"[--/]", {"-", ".", "/"}, {",", "0"}},
        {"[+--]", {"+", ",", "-"}, {"*", "."}},
        {"[\\d-z]", {"1", "-", "z"}, {"y"}},
        {"[]a]", {"]", "a"}, {"[", "b"}},
        {"[^]a]", {"b"}, {"]", "a"}},
        {"[[]", {"["}, {"]"}},
        {"[[a]", {"[", "a"}, {"]"}},
        {"[a^]", {"a", "^"}, {"b"}},
        {"[.*+?|()${}]", {".", "*", "+", "?", "|", "(", "$", "{"}, {"a", "^"}},
        {"[\\]\\[\\\\]", {"]", "[", "\\"}, {"a"}},
        {"[\\n\\t]", {"\n", "\t"}, {"n", "t", "\\"}},
        {"[\\x41-\\x{43}]", {"A", "B", "C"}, {"D", "x"}},
        {"[\\101-\\103]", {"A", "B", "C"}, {"D", "1"}},
        {"[\\-\\_]", {"-", "_"}, {"\\"}},
        {"[a-\\x{7a}]", {"a", "z"}, {"{"}},
        {"[ä-ü]", {"ä", "ö", "ü", "å"}, {"a", "ý", "ã", "\xc3"}},
        {"[^ä]", {"a", "ö", "Ω"}, {"ä", "ää"}},
        {"[α-ω]", {"β", "ς"}, {"Α", "ϊ", "a"}},
        {"[😀-😂]", {"😀", "😁", "😂"}, {"😃", "\xf0\x9f\x98"}},
        {"[\\x{7f}-\\x{800}]",
         {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80"},
         {"~", "\xe0\xa0\x81"}},
        {"[\\x{ffff}-\\x{10000}]",
         {"\xef\xbf\xbf", "\xf0\x90\x80\x80"},
         {"\xef\xbf\xbe", "\xf0\x90\x80\x81"}},
        {"^[\\x{d7ff}-\\x{e000}]$",
         {"\xed\x9f\xbf", "\xee\x80\x80"},
         {"\xed\xa0\x80", "\xed\xbf\xbf", "\xed\x9f\xbe", "\xee\x80\x81"}},
        {"[\\x{d800}-\\x{dfff}]", {NULL}, {"a", "\xed\xa0\x80", "\xee\x80\x80"}},
        {"^[^\\x{d800}]$", {"a", "\xed\x9f\xbf"}, {"\xed\xa0\x80", "\xed\xa0\x81"}},
        {"^[\\x00-\\x{10FFFF}]$", {"a", "ä", "\n", "\xf4\x8f\xbf\xbf"}, {"", "\xff"}},
        {"[^\\x00-\\x{10FFFF}]", {NULL}, {"", "a", "\xff", "ä"}},
        {"a[^\\x00-\\x{10FFFF}]?b", {"ab"}, {"axb"}},
        {"[a\\d]", {"a", "5"}, {"b", "d"}},
        {"[^\\d]", {"a", "ä"}, {"5", "55"}},
        {"[\\D]", {"a"}, {"5"}},
        {"[\\D5]", {"a", "5"}, {"6"}},
        {"[^\\D5]", {"6"}, {"a", "5"}},
        {"[[:alpha:]]", {"a", "Z"}, {"1", "ä", ":", "["}},
        {"[[:alpha:]1:]", {"a", "1", ":"}, {"2", "["}},
        {"[^[:alpha:]]", {"1", "ä"}, {"a"}},
        {"[[:^alpha:]]", {"1", "ä"}, {"a"}},
        {"[^[:^alpha:]]", {"a"}, {"1", "ä"}},
        {"[[:foo]", {"[", ":", "f", "o"}, {"a", "]"}},
        {"[:alpha:]", {"a", ":", "l", "p"}, {"b"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_named_classes(void **state)
{
    static const struct match rows[] = {
        {"\\d", {"0", "9"}, {"", "/", ":", "a", "\u0660"}},
        {"^\\D$", {"a", "/", ":", "\u0660", "\n"}, {"0", "9"}},
        {"\\s", {" ", "\t", "\n", "\f", "\r"}, {"\v", "a", "\u00a0", ""}},
        {"^\\S$", {"\v", "a", "\u00a0"}, {" ", "\t", "\n", "\f", "\r"}},
        {"\\w", {"a", "Z", "0", "_"}, {"-", "ä", " ", "@", "[", "`", "{"}},
        {"^\\W$", {"-", "ä", " ", "\n"}, {"a", "Z", "0", "_"}},
        {"[[:alnum:]]", {"a", "Z", "0"}, {"_", "-"}},
        {"[[:ascii:]]", {"a", "\x01", "\x7f"}, {"ä", ""}},
        {"[[:blank:]]", {" ", "\t"}, {"\n", "\v"}},
        {"[[:cntrl:]]", {"\x01", "\x1f", "\x7f"}, {" ", "a", "\xc2\x80"}},
        {"[[:digit:]]", {"0", "9"}, {"a"}},
        {"[[:graph:]]", {"!", "~", "a"}, {" ", "\x7f", "ä"}},
        {"[[:lower:]]", {"a", "z"}, {"A", "ä"}},
        {"[[:print:]]", {" ", "~"}, {"\x1f", "\x7f"}},
        {"[[:punct:]]", {"!", "/", ":", "@", "[", "`", "{", "~"}, {"a", "0", " "}},
        {"[[:space:]]", {" ", "\t", "\v", "\r"}, {"a", "\u00a0"}},
        {"[[:upper:]]", {"A", "Z"}, {"a", "Ä"}},
        {"[[:word:]]", {"a", "_", "0"}, {"-"}},
        {"[[:xdigit:]]", {"0", "a", "F"}, {"g", "G"}},
        {"\\pL", {"a", "ä", "Ω", "中", "ж"}, {"1", "_", " ", "\u0301", "😀"}},
        {"^\\PL$", {"1", "_", "😀"}, {"a", "ä", "中"}},
        {"\\p{L}", {"a"}, {"1"}},
        {"\\P{L}", {"1"}, {"a"}},
        {"\\p{^L}", {"1"}, {"a"}},
        {"\\P{^L}", {"a"}, {"1"}},
        {"\\p{Lu}", {"A", "Ä", "Ж"}, {"a", "ä", "ǅ"}},
        {"\\p{Ll}", {"a", "ß"}, {"A", "ª"}},
        {"\\p{Lt}", {"ǅ"}, {"A"}},
        {"\\pN", {"1", "\u0660", "½", "Ⅷ"}, {"a"}},
        {"\\p{Nd}", {"1", "\u0660"}, {"½"}},
        {"\\pP", {"!", "«"}, {"+", "a"}},
        {"\\pS", {"+", "€", "😀"}, {"!", "a"}},
        {"\\pZ", {" ", "\u00a0", "\u2028"}, {"\n", "a"}},
        {"\\pC", {"\x01", "\u200b", "\ue000"}, {"a", " ", "\u0378"}},
        {"\\p{Co}", {"\ue000", "\uf8ff"}, {"a", "\uf900"}},
        {"\\p{Greek}", {"α", "Ω", "ἀ"}, {"a", "ж"}},
        {"\\p{Han}", {"中", "一", "鿿", "𠀀"}, {"a", "あ"}},
        {"\\p{Old_Italic}", {"\U00010300"}, {"a"}},
        {"\\p{Any}", {"a", "\n", "😀"}, {""}},
        {"[\\pN\\p{Greek}_]", {"1", "α", "_"}, {"a"}},
        {"[^\\pL\\pN]", {"_", " "}, {"a", "1"}},
        {"[\\PL]", {"1"}, {"a"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_case(void **state)
{
    static const struct match rows[] = {
        {"(?i)abc", {"abc", "ABC", "aBc"}, {"ab"}},
        {"(?i)k", {"k", "K", "\u212a"}, {"x"}},
        {"(?i)\u212a", {"k", "K", "\u212a"}, {"x"}},
        {"(?i)s", {"s", "S", "\u017f"}, {"x"}},
        {"(?i)ä", {"ä", "Ä"}, {"a", "A"}},
        {"(?i)\\xe4", {"ä", "Ä"}, {"a"}},
        {"(?i)σ", {"σ", "Σ", "ς"}, {"s"}},
        {"(?i)ß", {"ß", "ẞ"}, {"ss"}},
        {"(?i)µ", {"µ", "μ", "Μ"}, {"m"}},
        {"(?i)ǆ", {"ǆ", "ǅ", "Ǆ"}, {"d"}},
        {"(?i)i", {"i", "I"}, {"ı", "İ"}},
        {"(?i)[a-c]", {"a", "B", "C"}, {"d", "D"}},
        {"(?i)[^a-c]", {"d", "D"}, {"a", "B"}},
        {"(?i)[^k]", {"x"}, {"k", "K", "\u212a"}},
        {"(?i)[k-l]", {"K", "\u212a", "L"}, {"m"}},
        {"(?i)[_-a]", {"_", "`", "a", "A"}, {"^", "b"}},
        {"(?i)\\w", {"a", "\u017f", "\u212a"}, {"ä"}},
        {"(?i)\\W", {"ä", "-"}, {"a", "\u017f", "\u212a"}},
        {"(?i)[\\w]", {"\u017f"}, {"-"}},
        {"(?i)[^\\w]", {"-"}, {"\u017f"}},
        {"(?i)[\\W]", {"-"}, {"\u017f", "a"}},
        {"(?i)[[:lower:]]", {"a", "A", "\u212a"}, {"1"}},
        {"(?i)\\p{Lu}", {"A", "a", "ä"}, {"1", "ª"}},
        {"(?i)\\P{Lu}", {"1", "ª"}, {"A", "a"}},
        {"(?i)\\Qa.\\E", {"A.", "a."}, {"ab"}},
        {"(?i)1", {"1"}, {"!"}},
        {"a(?i)b", {"ab", "aB"}, {"AB", "Ab"}},
        {"(?i:a)b", {"ab", "Ab"}, {"AB"}},
        {"a(?i:b)c", {"aBc"}, {"aBC", "ABc"}},
        {"(?i)a(?-i)b", {"Ab"}, {"AB"}},
        {"(?i:a(?-i:b)c)", {"AbC"}, {"ABC"}},
        {"^(?:a(?i)b|c)$", {"ab", "aB", "c", "C"}, {"Ab"}},
        {"^(?:(?i)a)b$", {"Ab", "ab"}, {"aB"}},
        {"^((?i)a|b)c$", {"Ac", "Bc"}, {"aC"}},
        {"\\x{1e9e}", {"ẞ"}, {"ß"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_repetition(void **state)
{
    static const struct match rows[] = {
        {"^a*$", {"", "a", "aaaa"}, {"b", "ab", "ba"}},
        {"^a+$", {"a", "aaaa"}, {"", "b", "ab"}},
        {"^a?$", {"", "a"}, {"aa"}},
        {"^ab*$", {"a", "ab", "abb"}, {"", "abab"}},
        {"^(ab)*$", {"", "ab", "abab"}, {"a", "aba"}},
        {"^(?:ab)+$", {"ab", "abab"}, {"", "abb"}},
        {"^a{2}$", {"aa"}, {"", "a", "aaa"}},
        {"^a{2,}$", {"aa", "aaa", "aaaa"}, {"", "a"}},
        {"^a{2,4}$", {"aa", "aaa", "aaaa"}, {"a", "aaaaa"}},
        {"^a{0}$", {""}, {"a"}},
        {"^a{0}b$", {"b"}, {"ab"}},
        {"^a{0,1}$", {"", "a"}, {"aa"}},
        {"^a{0,}$", {"", "aaa"}, {"b"}},
        {"^a{1}$", {"a"}, {"", "aa"}},
        {"^(ab){2}$", {"abab"}, {"ab", "ababab"}},
        {"^(a|bc){2,3}$", {"aa", "abc", "bcbc", "bcabc"}, {"a", "bc", "aaaa"}},
        {"^(a{2}){2}$", {"aaaa"}, {"aa", "aaa", "aaaaa"}},
        {"^(?:a{2,3}){2}$", {"aaaa", "aaaaa", "aaaaaa"}, {"aaa", "aaaaaaa"}},
        {"^(?:(?:a{10}){10}){10}$", {NULL}, {"aaaaaaaaaa"}},
        {"^(?:a*)*$", {"", "aaa"}, {"b"}},
        {"^(?:a*)+$", {"", "aaa"}, {"b"}},
        {"^(?:a?){3}$", {"", "a", "aaa"}, {"aaaa"}},
        {"^(?:a|b*)*$", {"", "abba"}, {"c"}},
        {"^()*$", {""}, {"a"}},
        {"^(|a)+$", {"", "aa"}, {"b"}},
        {"^a*?$", {"", "aa"}, {"b"}},
        {"^a+?b??$", {"a", "aab"}, {"", "b", "abb"}},
        {"^a{2,3}?$", {"aa", "aaa"}, {"a", "aaaa"}},
        {"^(?U)a+$", {"a", "aa"}, {""}},
        {"^(?U:a*?)b$", {"b", "aab"}, {"a"}},
        {"^ä{2}$", {"ää"}, {"ä", "äää", "\xc3\xa4\xa4"}},
        {"^[ä€]+$", {"ä€ä"}, {"", "ö"}},
        {"^.{2}$", {"ab", "äö"}, {"a", "ä", "abc"}},
        {"a{3}", {"aaa", "baaab"}, {"aa", "aabaa"}},
        {"x*", {"", "a"}, {NULL}},
        {"^*", {"", "a"}, {NULL}},
        {"$*a", {"a"}, {"b"}},
        {"^(?:^)*a", {"a"}, {"ba"}},
        {"^(?:\\b)+a", {"a"}, {"ba"}},
        {"(?:^){3}a", {"a"}, {"ba"}},
        {"^a(?i)*$", {"", "a", "aa"}, {"A"}},
        {"^a*(?i)*$", {"", "aa"}, {"A"}},
        {"^a{,}$", {"a{,}"}, {"a", ""}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_groups(void **state)
{
    static const struct match rows[] = {
        {"a|b", {"a", "b", "xb"}, {"", "c"}},
        {"^(a|b)$", {"a", "b"}, {"", "ab"}},
        {"^a|b$", {"ax", "xb", "a", "b"}, {"xa", "bx"}},
        {"^(abc|abd|x)$", {"abc", "abd", "x"}, {"ab", "abx"}},
        {"|a", {"", "b"}, {NULL}},
        {"a|", {"", "b"}, {NULL}},
        {"^(a|)$", {"", "a"}, {"b"}},
        {"^(|a|b)c$", {"c", "ac", "bc"}, {"abc"}},
        {"()", {"", "a"}, {NULL}},
        {"(?:)", {"", "a"}, {NULL}},
        {"(?)a", {"a"}, {""}},
        {"(?i)", {""}, {NULL}},
        {"((((a))))", {"a"}, {"b"}},
        {"^(a(b(c)?)?)?$", {"", "a", "ab", "abc"}, {"ac", "b"}},
        {"(?P<name>a)b", {"ab"}, {"b"}},
        {"(?<name_1>a)b", {"ab"}, {"b"}},
        {"(?P<a>x)(?P<b>y)", {"xy"}, {"x"}},
        {"(?P<n>a)|(?P<m>b)", {"b"}, {"c"}},
        {"(?ims-U)A", {"a"}, {"b"}},
        {"(?i-s:A.)", {"ab"}, {"a\n"}},
        {"(?is)a.", {"A\n"}, {"b\n"}},
        {"^(?:foo|bar)+baz$", {"foobaz", "barfoobaz"}, {"baz", "foobar"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_assertions(void **state)
{
    static const struct match rows[] = {
        {"^a", {"a", "ab"}, {"ba", "\na", ""}},
        {"a$", {"a", "ba"}, {"ab", "a\n", ""}},
        {"^$", {""}, {"a", "\n"}},
        {"$^", {""}, {"a", "\n"}},
        {"a^b", {NULL}, {"ab", "a\nb"}},
        {"a$b", {NULL}, {"ab", "a\nb"}},
        {"^", {"", "a"}, {NULL}},
        {"$", {"", "a"}, {NULL}},
        {"\\Aa", {"a"}, {"ba", "b\na"}},
        {"a\\z", {"a"}, {"ab", "a\n"}},
        {"(?m)^a", {"a", "b\na", "\n\na"}, {"ba", "b\nba"}},
        {"(?m)a$", {"a", "a\nb", "ba\n"}, {"ab", "ab\n"}},
        {"(?m)^$", {"", "\n", "a\n", "a\n\nb"}, {"a", "a\nb"}},
        {"(?m)^a$", {"a", "b\na\nc"}, {"ab", "b\nac"}},
        {"(?m)a$\n^b", {"a\nb"}, {"ab", "a\n\nb"}},
        {"(?m)\\Aa", {"a"}, {"b\na"}},
        {"(?m)a\\z", {"a"}, {"a\nb"}},
        {"(?m:^)a$", {"b\na"}, {"a\nb"}},
        {"(?m)(?-m:^)a", {"a"}, {"b\na"}},
        {"(?s)^.*a$", {"a", "b\na"}, {"a\n"}},
        {"\\ba", {"a", "b a", "-a", "äa"}, {"ba", "_a", "1a"}},
        {"a\\b", {"a", "a b", "a-", "aä"}, {"ab", "a_"}},
        {"\\bfoo\\b", {"foo", "a foo b", "(foo)", "foo\n"}, {"food", "afoo", "foo_"}},
        {"\\b", {"a", " a", "_"}, {"", " ", "-", "ä"}},
        {"\\B", {"", "aa", " ", "-", "ä"}, {"a"}},
        {"\\Ba", {"ba", "_a"}, {"a", "-a", "äa"}},
        {"a\\B", {"ab"}, {"a", "a-", "aä"}},
        {"a\\Bb", {"ab"}, {"a b"}},
        {"a\\bb", {NULL}, {"ab"}},
        {"a\\b-", {"a-"}, {"ab-"}},
        {"-\\B-", {"--"}, {"-a-"}},
        {"^\\B$", {""}, {"a"}},
        {"^\\b$", {NULL}, {"", "a"}},
        {"^\\B", {"", "-a", "ä"}, {"a"}},
        // A place within a character is no place.
        {"\\B", {"ää", "äaa"}, {"aäa"}},
        {"a\\B.", {"ab"}, {"aä"}},
        {"ä\\B", {"ä", "ää", "ä-"}, {"äa"}},
        {"ä\\bä", {NULL}, {"ää"}},
        {"^(?:\\b|x)a", {"a", "xa"}, {"ya"}},
        {"(?:^|,)a(?:,|$)", {"a", "a,b", "b,a", "b,a,c"}, {"ab", "ba"}},
        {"(?m)\\b$", {"a", "a\n-"}, {"-", "-\n"}},
        {"(?m)\n\\B", {"\n", "a\n-"}, {"\na"}},
        {"(?i)\\bk", {"K", "-K"}, {"-\u212a", "ak"}},
        {"(?i)a\\b\u017f", {"a\u017f"}, {"as", "aS"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

// What schemas really use.
static void test_everyday(void **state)
{
    static const struct match rows[] = {
        {"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
         {"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"},
         {"", "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-4266141740000",
          "123e4567-e89b-12d3-a456_426614174000", "g23e4567-e89b-12d3-a456-426614174000"}},
        {"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$",
         {"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
         {"81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01ARZ3NDEKTSV4RRFFQ69G5FA"}},
        {"^[A-Za-z_][A-Za-z_0-9]*(\\.[A-Za-z_][A-Za-z_0-9]*)*$",
         {"a", "buf.validate", "a.b.c_1"},
         {"", ".a", "a.", "a..b", "1a", "a.1"}},
        {"^:?[0-9a-zA-Z!#$%&\\'*+-.^_|~\\x60]+$",
         {"foo", ":path", "x-y", "a`"},
         {"", ":", "foo bar", "::a", "a\n"}},
        {"^[^\\x00-\\x08\\x0A-\\x1F\\x7F]*$", {"", "text\t", "ä"}, {"a\n", "\x7f", "\x01"}},
        {"^([^/.][^/]?|[^/][^/.]|[^/]{3,})(/([^/.][^/]?|[^/][^/.]|[^/]{3,}))*$",
         {"a", "a/b", ".a", "...", "a/..."},
         {"", ".", "..", "a/..", "../a", "a//b", "/a", "a/"}},
        {"^(\\+\\d{1,2}\\s)?\\(?\\d{3}\\)?[\\s.-]\\d{3}[\\s.-]\\d{4}$",
         {"123-456-7890", "(123) 456-7890", "+91 123.456.7890"},
         {"1234567890", "123-456-789"}},
        {"^((25[0-5]|2[0-4]\\d|1?\\d?\\d)(\\.|$)){4}$",
         {"1.2.3.4.", "255.255.255.255", "0.0.0.0"},
         {"256.1.1.1", "1.2.3", "1.2.3.4.5"}},
        {"(?i)^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,}$",
         {"Foo@example.com", "a.b+c@d.co"},
         {"foo@", "@example.com", "foo@example", "foo bar@example.com"}},
        {"^\\pL+(?:[ '-]\\pL+)*$", {"Zoë", "Jean-Luc", "O'Neill", "李 明"}, {"", "a1", "-a", "a-"}},
        {"^(ab|cd)*ef?$", {"e", "abe", "abcdef"}, {"", "ab", "abf"}},
        {"^1?$|^(11+?)1+$", {"", "1", "111"}, {"11", "2"}},
    };
    (void)state;
    CHECK_MATCHES(rows);
}

static void test_nul(void **state)
{
    _cleanup_(p2e_regex_free) struct p2e_regex regex, escaped;
    (void)state;
    compile("a\0b", 3, &regex);
    compile("a\\x00b", 6, &escaped);
    assert_true(p2e_regex_matches(&regex, "xa\0b", 4));
    assert_true(p2e_regex_matches(&escaped, "xa\0b", 4));
    assert_false(p2e_regex_matches(&regex, "ab", 2));
    assert_false(p2e_regex_matches(&regex, "a", 1));
    assert_false(p2e_regex_matches(&regex, "a\0c", 3));
}

// ---- Tables -------------------------------------------------------------------------------------

static void test_tables_are_minimal(void **state)
{
    static const struct {
        const char *pattern;
        unsigned states, classes;
    } rows[] = {
        {"", 2, 1},
        {"[^\\x00-\\x{10ffff}]", 2, 1},
        {"a", 3, 2},
        {"^a$", 4, 2},
        {"^a", 3, 2},
        {"(a|b|c|d)e", 4, 3},
        {"[0-9a-f]", 3, 2},
        {"(?:a|b)|(?:b|a)", 3, 2},
        {"^(?:a*)*b|a*b", 3, 2},
        {"^(?:aa|ab|ba|bb)*$", 4, 2},
        {"(a?){100}a{100}", 102, 2},
        {".*.*.*x", 3, 2},
        {"(x+x+)+y", 5, 3},
        {"(?s)^.*$", 10, 12}, // of a text that is UTF-8
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        _cleanup_(p2e_regex_free) struct p2e_regex regex;
        compile(rows[i].pattern, strlen(rows[i].pattern), &regex);
        check_table(&regex);
        if (regex.state_count != rows[i].states || regex.class_count != rows[i].classes)
            fail_msg("%s: %u states, %u classes", rows[i].pattern, regex.state_count,
                     regex.class_count);
    }
}

static void test_a_runner_may_stop(void **state)
{
    _cleanup_(p2e_regex_free) struct p2e_regex everything, nothing, anchored;
    (void)state;
    compile("x*", 2, &everything);
    assert_int_equal(everything.start, everything.state_count - 1);
    compile("a\\bb", 4, &nothing);
    assert_int_equal(nothing.start, P2E_REGEX_DEAD);
    compile("^a", 2, &anchored);
    const uint16_t *row = anchored.next + anchored.start * anchored.class_count;
    assert_int_equal(row[anchored.class_of['a']], anchored.state_count - 1);
    assert_int_equal(row[anchored.class_of['b']], P2E_REGEX_DEAD);
}

// ---- Refusals -----------------------------------------------------------------------------------

struct refusal {
    const char *pattern;
    size_t begin, end;
    const char *reason; // part of the sentence
};

static void check_refusal(const char *pattern, size_t size, const struct refusal *expected)
{
    struct p2e_regex regex = {.state_count = 1};
    struct p2e_span fault = {SIZE_MAX, SIZE_MAX};
    struct p2e_error err;
    if (p2e_regex_compile(pattern, size, &regex, &fault, &err) == 0)
        fail_msg("%s was taken", pattern);
    assert_null(regex.next);
    assert_int_equal(regex.state_count, 0);
    if (!strstr(err.text, expected->reason))
        fail_msg("%s: %s", pattern, err.text);
    if (fault.begin != expected->begin || fault.end != expected->end)
        fail_msg("%s: [%zu, %zu)", pattern, fault.begin, fault.end);
}

static void test_refusals(void **state)
{
    static const struct refusal rows[] = {
        {"a(b", 1, 2, "group is not closed"},
        {"(a(b)", 0, 1, "group is not closed"},
        {"(?i:a", 0, 1, "group is not closed"},
        {"(", 0, 1, "group is not closed"},
        {"(?P<n>a", 0, 1, "group is not closed"},
        {"a)", 1, 2, "closes no group"},
        {"a|)b", 2, 3, "closes no group"},
        {"(a))", 3, 4, "closes no group"},
        {"(?i))", 4, 5, "closes no group"},
        {"[a", 0, 1, "class is not closed"},
        {"x[]", 1, 2, "class is not closed"},
        {"x[^]", 1, 2, "class is not closed"},
        {"[a\\]", 0, 1, "class is not closed"},
        {"[", 0, 1, "class is not closed"},
        {"[a-", 0, 1, "class is not closed"},
        {"[[:alpha:]", 0, 1, "class is not closed"},
        {"[b-a]", 1, 4, "range is empty"},
        {"[ä-a]", 1, 5, "range is empty"},
        {"[a-\\x41]", 1, 7, "range is empty"},
        {"[a-\\d]", 3, 5, "no such escape"},
        {"[[:foo:]]", 1, 8, "no such class"},
        {"[[:Alpha:]]", 1, 10, "no such class"},
        {"[[::]]", 1, 5, "no such class"},
        {"[[:^:]]", 1, 6, "no such class"},
        {"[[:d:]]", 1, 6, "no such class"},
        {"*", 0, 1, "nothing to repeat"},
        {"+a", 0, 1, "nothing to repeat"},
        {"?", 0, 1, "nothing to repeat"},
        {"{2}", 0, 3, "nothing to repeat"},
        {"a|*", 2, 3, "nothing to repeat"},
        {"(*)", 1, 2, "nothing to repeat"},
        {"(?:+)", 3, 4, "nothing to repeat"},
        {"(?i)*", 4, 5, "nothing to repeat"},
        {"(|{1})", 2, 5, "nothing to repeat"},
        {"a**", 2, 3, "cannot be repeated"},
        {"a+*", 2, 3, "cannot be repeated"},
        {"a*{2}", 2, 5, "cannot be repeated"},
        {"a{2}{3}", 4, 7, "cannot be repeated"},
        {"a???", 3, 4, "cannot be repeated"},
        {"a{2}?*", 5, 6, "cannot be repeated"},
        {"a*+", 2, 3, "possessive"},
        {"a++", 2, 3, "possessive"},
        {"a?+", 2, 3, "possessive"},
        {"a{2}+", 4, 5, "possessive"},
        {"a{1001}", 1, 7, "at most 1000"},
        {"a{1001,}", 1, 8, "at most 1000"},
        {"a{0,1001}", 1, 9, "at most 1000"},
        {"a{99999999999999999999}", 1, 23, "at most 1000"},
        {"a{1,99999999999999999999}", 1, 25, "at most 1000"},
        {"a{65535}", 1, 8, "at most 1000"},
        {"a{0,65535}", 1, 10, "at most 1000"},
        {"a{2,1}", 1, 6, "fewer times"},
        {"(a{100}){11}", 8, 12, "more than RE2's 1000"},
        {"((a{10}){10}b){11}", 14, 18, "more than RE2's 1000"},
        {"(a|b{500}){3}", 10, 13, "more than RE2's 1000"},
        {"(a{1000}){2}", 9, 12, "more than RE2's 1000"},
        {"(a{501,}){2,}", 9, 13, "more than RE2's 1000"},
        {"\\", 0, 1, "backslash ends"},
        {"ab\\", 2, 3, "backslash ends"},
        {"[\\", 1, 2, "backslash ends"},
        {"a\\1", 1, 3, "backreference"},
        {"(a)\\1", 3, 5, "backreference"},
        {"\\7", 0, 2, "backreference"},
        {"\\18", 0, 2, "backreference"},
        {"[\\1]", 1, 3, "backreference"},
        {"\\8", 0, 2, "no such escape"},
        {"\\9", 0, 2, "no such escape"},
        {"\\e", 0, 2, "no such escape"},
        {"\\y", 0, 2, "no such escape"},
        {"\\Z", 0, 2, "no such escape"},
        {"\\G", 0, 2, "no such escape"},
        {"\\K", 0, 2, "no such escape"},
        {"\\E", 0, 2, "no such escape"},
        {"\\u0041", 0, 2, "no such escape"},
        {"\\h", 0, 2, "no such escape"},
        {"a\\ä", 1, 4, "no such escape"},
        {"[\\b]", 1, 3, "no such escape"},
        {"[\\A]", 1, 3, "no such escape"},
        {"[\\z]", 1, 3, "no such escape"},
        {"[\\Qa\\E]", 1, 3, "no such escape"},
        {"a\\Cb", 1, 3, "\\C"},
        {"[\\C]", 1, 3, "\\C"},
        {"\\x", 0, 2, "two hex digits"},
        {"\\x4", 0, 3, "two hex digits"},
        {"\\x4g", 0, 4, "two hex digits"},
        {"\\xä", 0, 4, "two hex digits"},
        {"\\x{", 0, 3, "two hex digits"},
        {"\\x{}", 0, 4, "two hex digits"},
        {"\\x{41", 0, 5, "two hex digits"},
        {"\\x{41g}", 0, 6, "two hex digits"},
        {"\\x{110000}", 0, 9, "10FFFF"},
        {"\\x{fffffffffffffffff}", 0, 9, "10FFFF"},
        {"[\\x{110000}]", 1, 10, "10FFFF"},
        {"\\p", 0, 2, "Unicode class"},
        {"\\p{", 0, 3, "Unicode class"},
        {"\\p{Greek", 0, 8, "Unicode class"},
        {"\\p{}", 0, 4, "Unicode class"},
        {"\\p{^}", 0, 5, "Unicode class"},
        {"\\p{Greeek}", 0, 10, "did you mean Greek?"},
        {"\\p{greek}", 0, 9, "did you mean Greek?"},
        {"a\\pq", 1, 4, "no Unicode class"},
        {"\\pä", 0, 4, "no Unicode class"},
        {"\\p^L", 0, 3, "no Unicode class"},
        {"\\p{IsGreek}", 0, 11, "no Unicode class"},
        {"\\p{Script=Greek}", 0, 16, "no Unicode class"},
        {"\\p{Lx}", 0, 6, "no Unicode class"},
        {"\\p{Cn}", 0, 6, "no Unicode class"},
        {"[\\p{Nope}]", 1, 9, "no Unicode class"},
        {"a(?=b)", 1, 4, "lookahead"},
        {"a(?!b)", 1, 4, "lookahead"},
        {"(?<=b)a", 0, 4, "lookbehind"},
        {"(?<!b)a", 0, 4, "lookbehind"},
        {"(?>a)", 0, 3, "atomic"},
        {"(?P<n>a)(?P=n)", 8, 12, "backreference"},
        {"(?P>n)", 0, 4, "recursion"},
        {"(?#x)", 0, 3, "comments"},
        {"(?|a)", 0, 3, "branch reset"},
        {"(?(1)a)", 0, 3, "conditions"},
        {"(?P<>a)", 0, 5, "named group"},
        {"(?P<n", 0, 5, "named group"},
        {"(?P<n-m>a)", 0, 6, "named group"},
        {"(?<ä>a)", 0, 5, "named group"},
        {"(?P<n>a)(?P<n>b)", 12, 13, "two groups"},
        {"(?<nn>a)|(?P<nn>b)", 13, 15, "two groups"},
        {"(?x)a", 0, 3, "none of RE2's"},
        {"(?i", 0, 3, "none of RE2's"},
        {"(?", 0, 2, "none of RE2's"},
        {"(?-)a", 0, 4, "none of RE2's"},
        {"(?i-)a", 0, 5, "none of RE2's"},
        {"(?i-:a)", 0, 5, "none of RE2's"},
        {"(?i--s)a", 0, 5, "none of RE2's"},
        {"(?P)", 0, 3, "none of RE2's"},
        {"(?Pn)", 0, 3, "none of RE2's"},
        {"(?'n'a)", 0, 3, "none of RE2's"},
        {"(?1)", 0, 3, "none of RE2's"},
        {"(?R)", 0, 3, "none of RE2's"},
        {"(?ä)", 0, 4, "none of RE2's"},
        {"a\xff", 1, 2, "UTF-8"},
        {"\xc3", 0, 1, "UTF-8"},
        {"\xed\xa0\x80", 0, 1, "UTF-8"},
        {"ab\xc0\x80", 2, 3, "UTF-8 (byte 3)"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        check_refusal(rows[i].pattern, strlen(rows[i].pattern), &rows[i]);
}

// ---- Bounds -------------------------------------------------------------------------------------

static void check_large(const struct pattern *pattern, const char *reason)
{
    const struct refusal expected = {.end = pattern->size, .reason = reason};
    check_refusal(pattern->data, pattern->size, &expected);
}

static void check_taken(const struct pattern *pattern, unsigned states)
{
    _cleanup_(p2e_regex_free) struct p2e_regex regex;
    compile(pattern->data, pattern->size, &regex);
    check_table(&regex);
    assert_int_equal(regex.state_count, states);
}

static void test_bound_of_size(void **state)
{
    struct pattern pattern = {.size = 0};
    (void)state;
    append(&pattern, "[", 1);
    append(&pattern, "a", P2E_REGEX_MAX_PATTERN - 2);
    append(&pattern, "]", 1);
    check_taken(&pattern, 3);
    append(&pattern, "b", 1);
    check_large(&pattern, "at most 16384");
}

static void test_bound_of_depth(void **state)
{
    struct pattern pattern = {.size = 0};
    const struct refusal expected = {
        .begin = P2E_REGEX_MAX_DEPTH, .end = P2E_REGEX_MAX_DEPTH + 1, .reason = "deeper than 1000"};
    (void)state;
    append(&pattern, "(", P2E_REGEX_MAX_DEPTH);
    append(&pattern, "a", 1);
    append(&pattern, ")+", P2E_REGEX_MAX_DEPTH);
    check_taken(&pattern, 3);

    pattern.size = 0;
    append(&pattern, "()", 4 * P2E_REGEX_MAX_DEPTH);
    check_taken(&pattern, 2);

    pattern.size = 0;
    append(&pattern, "(", 10000);
    check_refusal(pattern.data, pattern.size, &expected);
}

static void test_bound_of_states(void **state)
{
    struct pattern pattern = {.size = 0};
    (void)state;
    append(&pattern, "^", 1);
    append(&pattern, "a", P2E_REGEX_MAX_STATES - 2);
    check_taken(&pattern, P2E_REGEX_MAX_STATES);
    append(&pattern, "a", 1);
    check_large(&pattern, "at most 4096 states");
}

static void test_bound_of_entries(void **state)
{
    struct pattern pattern = {.size = 0};
    (void)state;
    append(&pattern, "^\\pL{2}", 1);
    check_taken(&pattern, 582);
    append(&pattern, "\\pL", 1);
    check_large(&pattern, "65536 transitions");
}

static void test_bound_of_instructions(void **state)
{
    struct pattern pattern = {.size = 0};
    (void)state;
    append(&pattern, "(?:abcdefghijklmnopqrstuvwxyzabcdefg){1000}", 1);
    check_large(&pattern, "more than 32768 characters");
}

static void test_bound_of_work(void **state)
{
    struct pattern pattern = {.size = 0};
    (void)state;
    append(&pattern, "(?i)[", 1);
    append(&pattern, "\\PL", 100);
    append(&pattern, "]", 1);
    check_taken(&pattern, 294);

    pattern.size--;
    append(&pattern, "\\PL", 5000);
    append(&pattern, "]", 1);
    check_large(&pattern, "too large");
}

// Each of them is small to write and large to build in one way or another.
static const char *const hostile[] = {
    "(a|b)*a(a|b){12}$",
    "^.*a.{12}$",
    "^(?:.*a.{3}|.*b.{4}|.*c.{5}|.*d.{6}|.*e.{7})$",
    "^(.?){1000}(a?){1000}(b?){1000}(\\w?){1000}x$",
    "(?m)(\\b|\\B|^|$|a|.){1000}\\b(.|\\n|\\b){900}x",
    "(?:(?:a*b*c*d*e*f*g*h*)*x){900}$",
    "^\\pL{1000}\\PL{1000}$",
    "(?i)^\\pL{1000}\\PL{1000}$",
    "^(?:a?b?c?d?e?f?g?h?i?j?){800}$",
    "(?s)^.*(?:(?:(?:a{9}){9}){9}|b.{9}c)$",
    "^([\\pL\\d]+\\s?){500}[^\\p{Han}]{500}$",
};

#ifdef __SANITIZE_ADDRESS__
#define MEMORY_LIMIT RLIM_INFINITY // ASan takes more for itself
#else
#define MEMORY_LIMIT ((rlim_t)64 << 20)
#endif

static void limit_memory(struct rlimit *before)
{
    assert_int_equal(getrlimit(RLIMIT_DATA, before), 0);
    struct rlimit limit = *before;
    if (MEMORY_LIMIT < limit.rlim_cur)
        limit.rlim_cur = MEMORY_LIMIT;
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
}

static void check_hostile(const char *pattern, size_t size)
{
    struct p2e_regex regex;
    struct p2e_span fault;
    struct p2e_error err;
    if (p2e_regex_compile(pattern, size, &regex, &fault, &err) == 0)
        p2e_regex_free(&regex);
    else if (strstr(err.text, "memory"))
        fail_msg("%.60s: %s", pattern, err.text);
}

static void test_hostile_patterns(void **state)
{
    static const char *const parts[] = {"\\pL", "(?i)\\PL", "[\\pL\\PN]", "a?",          "(.*a)",
                                        "(a|",  ".{9}",     "\\b.",       "[[:^alpha:]", "{1",
                                        "a*b*", "(?i)k",    "|a",         "\\Q",         "[^a]",
                                        "^a$",  "(?i:",     "\\p{",       "x{999}",      "\\"};
    struct rlimit before;
    (void)state;
    limit_memory(&before);
    for (size_t i = 0; i < LENGTH(hostile); i++)
        check_hostile(hostile[i], strlen(hostile[i]));
    for (size_t i = 0; i < LENGTH(parts); i++) {
        struct pattern pattern = {.size = 0};
        append(&pattern, parts[i], P2E_REGEX_MAX_PATTERN / strlen(parts[i]));
        check_hostile(pattern.data, pattern.size);
    }
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
}

static void test_blow_ups_are_refused(void **state)
{
    struct pattern pattern = {.size = 0};
    (void)state;
    for (size_t i = 0; i < LENGTH(hostile) - 1; i++) {
        pattern.size = 0;
        append(&pattern, hostile[i], 1);
        check_large(&pattern, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_named_classes),
        cmocka_unit_test(test_case),
        cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_assertions),
        cmocka_unit_test(test_everyday),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_tables_are_minimal),
        cmocka_unit_test(test_a_runner_may_stop),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bound_of_size),
        cmocka_unit_test(test_bound_of_depth),
        cmocka_unit_test(test_bound_of_states),
        cmocka_unit_test(test_bound_of_entries),
        cmocka_unit_test(test_bound_of_instructions),
        cmocka_unit_test(test_bound_of_work),
        cmocka_unit_test(test_hostile_patterns),
        cmocka_unit_test(test_blow_ups_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
