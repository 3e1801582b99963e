// Random patterns and texts, judged by p2e and by the RE2 library: regex_differential COUNT SEED
//
// Prints each difference, then "pairs N matched N refused N large N": texts judged and how many of
// them matched, patterns that both refuse, patterns that only p2e's bounds refuse.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <re2/re2.h>

extern "C" {
#include "compiler/regex.h"
}

namespace
{

const int texts_each = 8;

std::mt19937 random_bits;

unsigned below(unsigned bound)
{
    return random_bits() % bound;
}

const char *const characters[] = {
    "a", "b",  "k", "K", "s", "S",  "z",      "0",      "7",      "_",      "-",      " ",
    "/", "\n", ".", "@", "!", "]",  "\t",     "\u00e9", "\u00c9", "\u017f", "\u212a", "\u00b5",
    "β", "ς",  "σ", "Ж", "ж", "中", "\u0301", "😀",      "\u00df", "\u1e9e", "\x7f"};

// With a text that matches.
const struct {
    const char *pattern, *text;
} atoms[] = {
    {".", "\u212a"},
    {".", "x"},
    {"\\d", "7"},
    {"\\D", "\u00e9"},
    {"\\s", "\t"},
    {"\\S", "_"},
    {"\\w", "k"},
    {"\\W", "\u017f"},
    {"\\pL", "\u00e9"},
    {"\\PL", "7"},
    {"\\p{Greek}", "\u03b2"},
    {"\\p{Lu}", "K"},
    {"\\P{Ll}", "\u4e2d"},
    {"\\p{^Nd}", "\U0001f600"},
    {"\\pZ", " "},
    {"\\x41", "A"},
    {"\\x{3b2}", "\u03b2"},
    {"\\141", "a"},
    {"\\n", "\n"},
    {"\\.", "."},
    {"\\_", "_"},
    {"[a-k]", "k"},
    {"[^a-k]", "s"},
    {"[[:alpha:]]", "z"},
    {"[^\\s0]", "\u00df"},
    {"[[:^word:]]", "-"},
    {"[]a]", "]"},
    {"[^]a]", "\n"},
    {"[\\d-]", "-"},
    {"[a\\pN]", "0"},
    {"[^\\PL]", "\u0436"},
    {"[k-\u212a]", "\u017f"},
    {"[\u00e0-\u00ff]", "\u00e9"},
    {"[^\u4e00-\u9fff]", "\U0001f600"},
    {"[\\W]", "\u00b5"},
    {"[S-s]", "_"},
    {"\\Qa.\\E", "a."},
    {"[\\x00-\\x{10ffff}]", "\x7f"},
    {"[^\\x00-\\x{10ffff}]", ""},
};

const char *const assertions[] = {"^", "$", "\\A", "\\z", "\\b"};
const char *const repetitions[] = {"*",   "+",     "?",    "*?",     "+?",  "??",
                                   "{2}", "{0,2}", "{1,}", "{2,3}?", "{0}", "{1}"};
const char *const openings[] = {
    "(", "(?:", "(?i:", "(?s:", "(?m:", "(?i)(", "(?-i:", "(?im-s:", "(?m)(", "(?U:"};

// What is put together without regard to syntax.
const char *const tokens[] = {
    "a",    "k",      "\u00e9", "0",         "(",        ")",    "[",     "]",    "^",
    "$",    ".",      "*",      "+",         "?",        "{2}",  "{2,1}", "{1,",  "{,2}",
    "{01}", "{1001}", "|",      "\\",        "\\b",      "\\pL", "\\p{",  "}",    "\\p{Nope}",
    "\\d",  "[^",     "-",      "[:alpha:]", "[:nope:]", ":]",   "\\Q",   "\\E",  "\\x",
    "\\x4", "\\x{",   "\\1",    "\\08",      "\\8",      "\\z",  "\\Z",   "(?i)", "(?",
    "(?-)", "(?i-",   "(?P<n>", "(?P<",      "(?P=n)",   "(?=",  "(?#",   ":",    ">",
    "\\c",  "\\_",    "\\e",    "\n",        "{1000}",   "z-a",  "[[:",   "&&",   "\\\u00e9"};

template <size_t N> const char *any(const char *const (&list)[N])
{
    return list[below(N)];
}

// A few characters, for patterns and texts that have something to do with each other.
struct pool {
    const char *characters[4];
};

pool make_pool()
{
    pool pool;
    for (const char *&character : pool.characters)
        character = any(characters);
    return pool;
}

const char *pick(const pool &pool)
{
    return below(8) ? any(pool.characters) : any(characters);
}

// A pattern, and a text that it may well match.
struct sample {
    std::string pattern, text;
};

sample make_sample(const pool &pool, int depth);

sample make_item(const pool &pool, int depth)
{
    unsigned choice = below(19);
    if (choice < 1)
        return {any(assertions), ""};
    if (choice < 6 && depth > 0) {
        sample inner = make_sample(pool, depth - 1);
        return {any(openings) + inner.pattern + ")", inner.text};
    }
    if (choice < 8 && depth > 0) {
        sample one = make_sample(pool, depth - 1), other = make_sample(pool, depth - 1);
        return {"(?:" + one.pattern + "|" + other.pattern + ")", below(2) ? one.text : other.text};
    }
    if (choice < 12) {
        auto atom = atoms[below(sizeof(atoms) / sizeof(*atoms))];
        return {atom.pattern, atom.text};
    }
    std::string character = pick(pool);
    return {RE2::QuoteMeta(character), character};
}

sample make_sample(const pool &pool, int depth)
{
    sample whole;
    for (int items = 1 + below(3); items > 0; items--) {
        sample item = make_item(pool, depth);
        whole.pattern += item.pattern;
        int times = 1;
        if (below(3) == 0) {
            whole.pattern += any(repetitions);
            times = below(4);
        }
        for (; times > 0; times--)
            whole.text += item.text;
    }
    return whole;
}

std::string make_soup()
{
    std::string pattern;
    for (int items = 1 + below(8); items > 0; items--)
        pattern += any(tokens);
    return pattern;
}

// \B is for texts of ASCII: between the bytes of a character the library sees a place, p2e none.
bool is_ascii(const std::string &text)
{
    for (unsigned char byte : text)
        if (byte & 0x80)
            return false;
    return true;
}

// Characters one by one, as strings.
std::vector<std::string> split(const std::string &text)
{
    std::vector<std::string> characters;
    for (char byte : text) {
        if ((byte & 0xc0) != 0x80)
            characters.emplace_back();
        characters.back() += byte;
    }
    return characters;
}

// The text with a few characters left out, added or replaced.
std::string vary(const std::string &text, const pool &pool, bool ascii)
{
    std::string varied;
    for (const std::string &character : split(text + "\n")) {
        unsigned choice = below(24);
        if (choice == 0)
            varied += pick(pool);
        if (choice > 1)
            varied += character;
    }
    if (below(2))
        varied = varied.substr(0, varied.rfind('\n'));
    std::string kept;
    for (const std::string &character : split(varied)) {
        if (!ascii || is_ascii(character))
            kept += character;
    }
    return kept;
}

std::string quote(const std::string &text)
{
    std::string quoted = "\"";
    char byte[8];
    for (unsigned char c : text) {
        snprintf(byte, sizeof(byte), c < ' ' || c >= 0x7f ? "\\x%02x" : "%c", c);
        quoted += c == '"' || c == '\\' ? std::string("\\") + (char)c : byte;
    }
    return quoted + "\"";
}

struct tally {
    unsigned long pairs, matched, refused, large, differences;
};

bool exceeds_bounds(const p2e_error &err)
{
    return std::string(err.text).find("too large") != std::string::npos;
}

// Same verdict on whether this is a pattern? Only then there is a `regex`.
bool compile(const std::string &pattern, const RE2 &oracle, p2e_regex *regex, tally *tally)
{
    p2e_span fault;
    p2e_error err;
    bool compiled = p2e_regex_compile(pattern.data(), pattern.size(), regex, &fault, &err) == 0;
    if (compiled == oracle.ok()) {
        tally->refused += !compiled;
        return compiled;
    }
    if (!compiled && exceeds_bounds(err)) {
        tally->large++;
        return false;
    }
    tally->differences++;
    printf("%s: p2e: %s; RE2: %s\n", quote(pattern).c_str(), compiled ? "taken" : err.text,
           oracle.ok() ? "taken" : oracle.error().c_str());
    if (compiled)
        p2e_regex_free(regex);
    return false;
}

void judge(const std::string &pattern, const std::string &text, const RE2 &oracle,
           const p2e_regex *regex, tally *tally)
{
    bool matched = p2e_regex_matches(regex, text.data(), text.size());
    tally->pairs++;
    tally->matched += matched;
    if (matched == RE2::PartialMatch(text, oracle))
        return;
    tally->differences++;
    printf("%s on %s: p2e: %s\n", quote(pattern).c_str(), quote(text).c_str(),
           matched ? "match" : "no match");
}

void compare(const sample &sample, const pool &pool, bool ascii, tally *tally)
{
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(64 << 20);
    RE2 oracle(sample.pattern, options);
    p2e_regex regex;
    if (!compile(sample.pattern, oracle, &regex, tally))
        return;
    for (int i = 0; i < texts_each; i++)
        judge(sample.pattern, vary(sample.text, pool, ascii), oracle, &regex, tally);
    p2e_regex_free(&regex);
}

void compare_some(tally *tally)
{
    pool pool = make_pool();
    sample sample = make_sample(pool, 3);
    compare(sample, pool, false, tally);
    compare({"^(?:" + sample.pattern + ")$", sample.text}, pool, false, tally);
    struct sample before = make_sample(pool, 1), after = make_sample(pool, 1);
    compare({before.pattern + "\\B" + after.pattern, before.text + after.text}, pool, true, tally);
    compare({make_soup(), sample.text}, pool, false, tally);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    tally tally = {};
    random_bits.seed(strtoul(argv[2], nullptr, 10));
    for (unsigned long left = strtoul(argv[1], nullptr, 10); left > 0; left--)
        compare_some(&tally);
    printf("pairs %lu matched %lu refused %lu large %lu\n", tally.pairs, tally.matched,
           tally.refused, tally.large);
    return tally.differences > 0;
}
