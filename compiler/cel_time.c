#include "compiler/cel_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND     1000000000ll     // in nanoseconds
#define FIRST      (-62135596800ll) // 0001-01-01T00:00:00Z
#define LAST       253402300799ll   // 9999-12-31T23:59:59Z
#define DIGITS_MAX 18               // that surely fit into 64 bits

typedef __int128 nanoseconds;

// ---- Which messages are times -------------------------------------------------------------------

bool p2e_cel_is_time(enum p2e_cel_kind kind)
{
    return kind == P2E_CEL_TIMESTAMP || kind == P2E_CEL_DURATION;
}

static bool has_field(const struct p2e_message *message, const char *name, enum p2e_type type)
{
    const struct p2e_field *field = p2e_message_field(message, name);
    return field && field->type == type && !field->repeated;
}

enum p2e_cel_kind p2e_cel_time_kind(const struct p2e_message *message)
{
    bool timestamp = strcmp(message->full_name, "google.protobuf.Timestamp") == 0;
    if ((!timestamp && strcmp(message->full_name, "google.protobuf.Duration") != 0) ||
        !has_field(message, "seconds", P2E_TYPE_INT64) ||
        !has_field(message, "nanos", P2E_TYPE_INT32))
        return P2E_CEL_MESSAGE;
    return timestamp ? P2E_CEL_TIMESTAMP : P2E_CEL_DURATION;
}

// ---- Values -------------------------------------------------------------------------------------

static nanoseconds whole(const struct p2e_cel_value *time)
{
    return (nanoseconds)time->time.seconds * SECOND + time->time.nanos;
}

static bool to_timestamp(nanoseconds all, struct p2e_cel_value *to)
{
    if (all < (nanoseconds)FIRST * SECOND || all >= (nanoseconds)(LAST + 1) * SECOND)
        return false;
    int64_t rest = (int64_t)(all % SECOND);
    to->time.nanos = (int32_t)(rest < 0 ? rest + SECOND : rest);
    to->time.seconds = (int64_t)((all - to->time.nanos) / SECOND);
    return true;
}

// As many nanoseconds as fit into 64 bits: about 292 years.
static bool to_duration(nanoseconds all, struct p2e_cel_value *to)
{
    to->time.seconds = (int64_t)(all / SECOND);
    to->time.nanos = (int32_t)(all % SECOND);
    return all >= INT64_MIN && all <= INT64_MAX;
}

int p2e_cel_compare_times(const struct p2e_cel_value *a, const struct p2e_cel_value *b)
{
    nanoseconds x = whole(a), y = whole(b);
    return x < y ? -1 : x > y;
}

bool p2e_cel_timestamp_at(int64_t seconds, struct p2e_cel_value *to)
{
    return to_timestamp((nanoseconds)seconds * SECOND, to);
}

bool p2e_cel_compute_time(enum p2e_cel_op op, enum p2e_cel_kind kind, const struct p2e_cel_value *a,
                          const struct p2e_cel_value *b, struct p2e_cel_value *to)
{
    nanoseconds all = op == P2E_CEL_ADD ? whole(a) + whole(b) : whole(a) - whole(b);
    return kind == P2E_CEL_TIMESTAMP ? to_timestamp(all, to) : to_duration(all, to);
}

// ---- Parts --------------------------------------------------------------------------------------

static int64_t duration_part(enum p2e_cel_op op, const struct p2e_cel_value *duration)
{
    switch (op) {
    case P2E_CEL_GET_HOURS:
        return duration->time.seconds / 3600;
    case P2E_CEL_GET_MINUTES:
        return duration->time.seconds / 60;
    case P2E_CEL_GET_SECONDS:
        return duration->time.seconds;
    default:
        return duration->time.nanos / 1000000;
    }
}

int64_t p2e_cel_time_part(const struct p2e_cel_expr *get)
{
    const struct p2e_cel_value *value = &get->args[0]->value;
    if (get->args[0]->type.kind == P2E_CEL_DURATION)
        return duration_part(get->op, value);
    time_t seconds = value->time.seconds + get->args[1]->value.integer;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    switch (get->op) {
    case P2E_CEL_GET_FULL_YEAR:
        return tm.tm_year + 1900;
    case P2E_CEL_GET_MONTH:
        return tm.tm_mon;
    case P2E_CEL_GET_DATE:
        return tm.tm_mday;
    case P2E_CEL_GET_DAY_OF_MONTH:
        return tm.tm_mday - 1;
    case P2E_CEL_GET_DAY_OF_WEEK:
        return tm.tm_wday;
    case P2E_CEL_GET_DAY_OF_YEAR:
        return tm.tm_yday;
    case P2E_CEL_GET_HOURS:
        return tm.tm_hour;
    case P2E_CEL_GET_MINUTES:
        return tm.tm_min;
    case P2E_CEL_GET_SECONDS:
        return tm.tm_sec;
    default:
        return value->time.nanos / 1000000;
    }
}

// ---- Texts --------------------------------------------------------------------------------------

// Does `text` begin as `form` does, where 0 stands for any digit? Its end is behind that.
static bool has_form(const char *text, const char *form)
{
    for (; *form; text++, form++) {
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
            return false;
    }
    return true;
}

static int number(const char *text, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

// "+02:00"
static bool parse_offset(const char *text, int64_t *ahead)
{
    int hours = number(text + 1, 2), minutes = number(text + 4, 2);
    *ahead = (hours * 60 + minutes) * (text[0] == '-' ? -60 : 60);
    return hours < 24 && minutes < 60;
}

static bool is_offset(const char *text)
{
    return has_form(text, "+00:00") || has_form(text, "-00:00");
}

// ".5": up to nine digits. Returns what is behind them, NULL for an error.
static const char *parse_fraction(const char *text, int32_t *nanos)
{
    *nanos = 0;
    if (*text != '.')
        return text;
    size_t digits = strspn(++text, "0123456789");
    if (digits < 1 || digits > 9)
        return NULL;
    for (size_t i = 0; i < 9; i++)
        *nanos = *nanos * 10 + (i < digits ? text[i] - '0' : 0);
    return text + digits;
}

// "2024-02-29T23:59:59", as if it were UTC.
static bool parse_date(const char *text, int64_t *seconds)
{
    struct tm tm = {.tm_year = number(text, 4) - 1900,
                    .tm_mon = number(text + 5, 2) - 1,
                    .tm_mday = number(text + 8, 2),
                    .tm_hour = number(text + 11, 2),
                    .tm_min = number(text + 14, 2),
                    .tm_sec = number(text + 17, 2)};
    if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 59 || tm.tm_mday > days_of(tm.tm_year + 1900, tm.tm_mon + 1))
        return false;
    *seconds = timegm(&tm);
    return true;
}

static bool is_whole(const struct p2e_cel_value *text)
{
    return strlen(text->text.data) == text->text.size;
}

bool p2e_cel_parse_timestamp(const struct p2e_cel_value *text, struct p2e_cel_value *to)
{
    const char *at = text->text.data;
    int64_t seconds, ahead = 0;
    int32_t nanos;
    if (!is_whole(text) || !has_form(at, "0000-00-00T00:00:00") || !parse_date(at, &seconds))
        return false;
    at = parse_fraction(at + strlen("0000-00-00T00:00:00"), &nanos);
    if (!at || (strcmp(at, "Z") != 0 && (!is_offset(at) || at[6] || !parse_offset(at, &ahead))))
        return false;
    return to_timestamp((nanoseconds)(seconds - ahead) * SECOND + nanos, to);
}

bool p2e_cel_parse_zone(const struct p2e_cel_value *text, int64_t *ahead)
{
    char offset[8];
    *ahead = 0;
    if (!is_whole(text) || strcmp(text->text.data, "UTC") == 0)
        return is_whole(text);
    bool bare = has_form(text->text.data, "00:00");
    snprintf(offset, sizeof(offset), "%s%s", bare ? "+" : "", text->text.data);
    return is_offset(offset) && !offset[6] && parse_offset(offset, ahead);
}

static nanoseconds parse_digits(const char *text, size_t count)
{
    nanoseconds value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

// "h", "ms": how many nanoseconds it is, and what is behind it; 0 for none.
static int64_t parse_unit(const char **text)
{
    static const struct {
        const char *name;
        int64_t size;
    } units[] = {
        {"ns", 1},     {"us", 1000},       {"ms", 1000000},
        {"s", SECOND}, {"m", 60 * SECOND}, {"h", 3600 * SECOND},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(*text, units[i].name, length) == 0) {
            *text += length;
            return units[i].size;
        }
    }
    return 0;
}

// "1.5h": what is smaller than a nanosecond falls away.
static const char *parse_term(const char *text, nanoseconds *all)
{
    size_t digits = strspn(text, "0123456789"), places = 0;
    const char *fraction = text + digits + 1;
    nanoseconds scale = 1;
    if (text[digits] == '.')
        places = strspn(fraction, "0123456789");
    if (digits + places == 0 || digits > DIGITS_MAX || places > DIGITS_MAX)
        return NULL;
    const char *unit = text[digits] == '.' ? fraction + places : text + digits;
    int64_t size = parse_unit(&unit);
    if (!size)
        return NULL;
    for (size_t i = 0; i < places; i++)
        scale *= 10;
    *all += parse_digits(text, digits) * size + parse_digits(fraction, places) * size / scale;
    return unit;
}

bool p2e_cel_parse_duration(const struct p2e_cel_value *text, struct p2e_cel_value *to)
{
    const char *at = text->text.data;
    bool negative = *at == '-';
    nanoseconds all = 0;
    at += negative || *at == '+';
    if (!is_whole(text) || text->text.size > 128)
        return false;
    if (strcmp(at, "0") == 0)
        return to_duration(0, to);
    if (!*at)
        return false;
    while (at && *at)
        at = parse_term(at, &all);
    return at && to_duration(negative ? -all : all, to);
}

// ".5" without zeros at its end, in thousandths, millionths or billionths: JSON writes it so, too.
static bool print_fraction(int32_t nanos, char *text, size_t size)
{
    int digits = 9;
    for (; nanos && nanos % 10 == 0; digits--)
        nanos /= 10;
    if (nanos)
        snprintf(text, size, ".%0*" PRId32, digits, nanos);
    return !nanos || digits % 3 == 0;
}

bool p2e_cel_print_time(const struct p2e_cel_expr *e, char *text, size_t size)
{
    const struct p2e_cel_value *value = &e->value;
    char fraction[16] = "";
    struct tm tm;
    if (e->type.kind == P2E_CEL_DURATION) {
        snprintf(text, size, "%" PRId64 "s", value->time.seconds);
        return value->time.nanos == 0;
    }
    time_t seconds = value->time.seconds;
    if (!print_fraction(value->time.nanos, fraction, sizeof(fraction)))
        return false;
    gmtime_r(&seconds, &tm);
    snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
    return true;
}
