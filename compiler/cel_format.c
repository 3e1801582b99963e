#include "compiler/cel_format.h"

#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"

// ---- Functions ----------------------------------------------------------------------------------

static const struct p2e_cel_format formats[] = {
    {.name = "isEmail", .takes = "no argument", .patterns = {P2E_PATTERN_EMAIL}},
    {.name = "isHostname",
     .takes = "no argument",
     .patterns = {P2E_PATTERN_HOSTNAME},
     .also = "p2e_text_host_fits(s, text)"},
    {.name = "isHostAndPort",
     .takes = "one argument, whether there must be a port: true or false",
     .flag = true,
     .flag_needed = true,
     .patterns = {P2E_PATTERN_HOST_AND_PORT},
     .also = "p2e_text_host_fits(s, text) && (!flag || p2e_text_port(s, text))"},
    {.name = "isIp",
     .takes = "at most one argument, the version: 4, 6, or 0 for both",
     .version = true,
     .patterns = {P2E_PATTERN_IP4, P2E_PATTERN_IP6}},
    {.name = "isIpPrefix",
     .takes = "at most two arguments, the version and whether the host's bits must be zero: "
              "a.isIpPrefix(4, true)",
     .version = true,
     .flag = true,
     .patterns = {P2E_PATTERN_PREFIX4, P2E_PATTERN_PREFIX6},
     .also = "(!flag || p2e_text_is_network(s, text))"},
    {.name = "isUri", .takes = "no argument", .patterns = {P2E_PATTERN_URI}},
    {.name = "isUriRef", .takes = "no argument", .patterns = {P2E_PATTERN_URI_REF}},
};

const struct p2e_cel_format *p2e_cel_format(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

// ---- Hosts --------------------------------------------------------------------------------------

#define ALL(x)      "^(?:" x ")$"
#define MAYBE(x)    "(?:" x ")?"
#define ANY_OF(x)   "(?:" x ")*"
#define SOME(x)     "(?:" x ")+"
#define EITHER(...) "(?:" __VA_ARGS__ ")"
#define OR          "|"

#define DIGIT "[0-9]"
#define HEX   "[0-9A-Fa-f]"
#define ALNUM "[0-9A-Za-z]"

#define LABEL ALNUM MAYBE("[0-9A-Za-z-]{0,61}" ALNUM)
// Stands for a label that is not of digits alone, which no short pattern tells: add_last_label().
#define LAST_LABEL "<last>"
#define HOSTNAME   ANY_OF(LABEL "\\.") LAST_LABEL "\\.?"

#define PORT_LOW  "0|[1-9][0-9]{0,3}|[1-5][0-9]{4}"
#define PORT_HIGH "6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]" // to 65535
#define PORT      EITHER(PORT_LOW OR PORT_HIGH)

// https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
#define EMAIL "[0-9A-Za-z.!#$%&'*+/=?^_`{|}~-]+@" LABEL ANY_OF("\\." LABEL)

// ---- Addresses ----------------------------------------------------------------------------------

#define OCTET EITHER("25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]")
#define IP4   OCTET "(?:\\." OCTET "){3}"

#define GROUP     HEX "{1,4}"
#define GROUPS(n) GROUP "(?::" GROUP "){" n "}"
#define EIGHT     GROUPS("7")
#define BEFORE(n) GROUPS(n) "::"
#define UP_TO(n)  GROUPS("0," n)
// Groups on both sides of ::, seven at most.
#define FEW_BEFORE(end)                                                                            \
    "::" UP_TO("6") end OR BEFORE("0") UP_TO("5") end OR BEFORE("1") UP_TO("4") end
#define MORE_BEFORE(end)                                                                           \
    BEFORE("2") UP_TO("3") end OR BEFORE("3") UP_TO("2") end OR BEFORE("4") UP_TO("1") end
#define WITHIN(end)                                                                                \
    FEW_BEFORE(end) OR MORE_BEFORE(end)                                                            \
    OR BEFORE("5") GROUP end
#define AT_END "::" OR BEFORE("0,6")

// As protovalidate's parser has it: a colon too many is one only at the text's end, and groups next
// to an IPv4 address are not counted.
#define IP6_HEX   EITHER(EIGHT OR WITHIN("") OR AT_END)
#define IP6_COLON EITHER(EIGHT ":?" OR WITHIN(":?") OR AT_END)
#define IP6_DOTS  EITHER(GROUPS("5") ":" IP4 OR MAYBE(GROUPS("0,")) "::" ANY_OF(GROUP ":") IP4)
#define IP6       EITHER(IP6_HEX OR IP6_COLON "%(?s:.+)" OR IP6_DOTS)

#define BITS4   EITHER("3[0-2]|[12][0-9]|[0-9]")
#define BITS6   EITHER("12[0-8]|1[01][0-9]|[1-9][0-9]|[0-9]")
#define PREFIX6 EITHER(IP6_COLON OR IP6_DOTS) "/" BITS6

// ---- URIs: RFC 3986, RFC 6874 -------------------------------------------------------------------

#define UNRESERVED "0-9A-Za-z._~-" // in brackets; the hyphen stands last
#define SUB_DELIMS "!$&'()*+,;="
#define PERCENT    "%" HEX HEX

// In a host, what is written as %XX is UTF-8.
#define TAIL "%[89ABab]" HEX
#define PERCENT_UTF8                                                                               \
    EITHER("%[0-7]" HEX OR "%[Cc][2-9A-Fa-f]" TAIL OR "%[Dd]" HEX TAIL OR                          \
           "%[Ee]0%[ABab]" HEX TAIL OR "%[Ee][1-9A-Ca-cE-Fe-f]" TAIL TAIL OR                       \
           "%[Ee][Dd]%[89]" HEX TAIL OR "%[Ff]0%[9ABab]" HEX TAIL TAIL OR                          \
           "%[Ff][1-3]" TAIL TAIL TAIL OR "%[Ff]4%8" HEX TAIL TAIL)

#define PCHAR    EITHER("[:@" SUB_DELIMS UNRESERVED "]" OR PERCENT)
#define NO_COLON EITHER("[@" SUB_DELIMS UNRESERVED "]" OR PERCENT)
#define QUERY    ANY_OF("[/?:@" SUB_DELIMS UNRESERVED "]" OR PERCENT)

#define ZONE       "%25" SOME("[" UNRESERVED "]" OR PERCENT_UTF8)
#define IP_FUTURE  "v" HEX "+\\.[:" SUB_DELIMS UNRESERVED "]+"
#define IP_LITERAL "\\[" EITHER(IP6_HEX MAYBE(ZONE) OR IP_FUTURE) "\\]"
#define REG_NAME   ANY_OF("[" SUB_DELIMS UNRESERVED "]" OR PERCENT_UTF8)
#define USER       ANY_OF("[:" SUB_DELIMS UNRESERVED "]" OR PERCENT) "@"
#define AUTHORITY  MAYBE(USER) EITHER(IP_LITERAL OR REG_NAME) MAYBE(":" DIGIT "*")

#define SEGMENTS      ANY_OF("/" PCHAR "*")
#define ANYWHERE      "//" AUTHORITY SEGMENTS OR "/" MAYBE(PCHAR "+" SEGMENTS) OR
#define AFTER_SCHEME  EITHER(ANYWHERE PCHAR "+" SEGMENTS OR)
#define RELATIVE_PART EITHER(ANYWHERE NO_COLON "+" SEGMENTS OR)
#define SCHEME        "[A-Za-z][0-9A-Za-z+.-]*:"

#define URI          SCHEME AFTER_SCHEME MAYBE("\\?" QUERY) MAYBE("#" QUERY)
#define RELATIVE_REF RELATIVE_PART MAYBE("\\?" QUERY) MAYBE("#" QUERY)
// Where a query or a fragment is none, protovalidate's parser takes what is there for a reference.
#define LATE_REF SCHEME AFTER_SCHEME EITHER("\\?" OR MAYBE("\\?" QUERY) "#") RELATIVE_REF
#define URI_REF  EITHER(URI OR RELATIVE_REF OR LATE_REF)

// ---- Automata -----------------------------------------------------------------------------------

static const char *const patterns[P2E_PATTERN_COUNT] = {
    [P2E_PATTERN_EMAIL] = ALL(EMAIL),
    [P2E_PATTERN_HOSTNAME] = ALL(HOSTNAME),
    [P2E_PATTERN_HOST_AND_PORT] = ALL(EITHER(IP4 OR "\\[" IP6 "\\]" OR HOSTNAME) MAYBE(":" PORT)),
    [P2E_PATTERN_IP4] = ALL(IP4),
    [P2E_PATTERN_IP6] = ALL(IP6),
    [P2E_PATTERN_PREFIX4] = ALL(IP4 "/" BITS4),
    [P2E_PATTERN_PREFIX6] = ALL(PREFIX6),
    [P2E_PATTERN_URI] = ALL(URI),
    [P2E_PATTERN_URI_REF] = ALL(URI_REF),
};

// A label whose first character that is no digit has `digits` digits before it.
static void add_label(struct p2e_buffer *out, int digits)
{
    const char *rest = "[0-9A-Za-z-]{0,%d}" ALNUM;
    p2e_buffer_printf(out, "[0-9]{%d}(?:[A-Za-z]", digits);
    if (digits < 62) {
        p2e_buffer_printf(out, "(?:");
        p2e_buffer_printf(out, rest, 61 - digits);
        p2e_buffer_printf(out, ")?");
    }
    if (digits > 0 && digits < 62) {
        p2e_buffer_printf(out, "|-");
        p2e_buffer_printf(out, rest, 61 - digits);
    }
    p2e_buffer_printf(out, ")");
}

static void add_last_label(struct p2e_buffer *out)
{
    for (int digits = 0; digits < 63; digits++) {
        p2e_buffer_printf(out, digits ? "|" : "(?:");
        add_label(out, digits);
    }
    p2e_buffer_printf(out, ")");
}

int p2e_cel_pattern_compile(enum p2e_cel_pattern pattern, struct p2e_regex *regex,
                            struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    const char *rest = patterns[pattern], *hole = strstr(rest, LAST_LABEL);
    if (hole) {
        p2e_buffer_add(&text, rest, (size_t)(hole - rest));
        add_last_label(&text);
        rest = hole + strlen(LAST_LABEL);
    }
    p2e_buffer_add(&text, rest, strlen(rest));
    if (text.failed)
        return p2e_error_set(err, "out of memory");
    struct p2e_span fault;
    return p2e_regex_compile(text.data, text.size, regex, &fault, err);
}
