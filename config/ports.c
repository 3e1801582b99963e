#include "config/ports.h"

#include <stdlib.h>
#include <string.h>

#define PORT_MAX   65535
#define DIGITS_MAX 9 // more would not fit the number

int p2e_ports_check(long long port, struct p2e_error *err)
{
    if (port >= 1 && port <= PORT_MAX)
        return 0;
    return p2e_error_set(err, "port %lld is out of range; a port is a number from 1 to %d", port,
                         PORT_MAX);
}

// Reads digits at *at, moves past them. -1 when there are none or too many.
static long long parse_number(const char **at)
{
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX)
        return -1;
    long long number = strtoll(*at, NULL, 10);
    *at += digits;
    return number;
}

int p2e_ports_parse(const char *text, struct p2e_port_range *range, struct p2e_error *err)
{
    const char *at = text;
    long long first = parse_number(&at);
    long long last = first;
    if (first >= 0 && *at == '-') {
        at++;
        last = parse_number(&at);
    }
    if (first < 0 || last < 0 || *at)
        return p2e_error_set(
            err, "port \"%s\" is neither a number nor a range; write it like 8000 or \"8000-8010\"",
            text);
    if (p2e_ports_check(first, err) < 0 || p2e_ports_check(last, err) < 0)
        return -1;
    if (first > last)
        return p2e_error_set(err, "port range \"%s\" runs backwards; write \"%lld-%lld\"", text,
                             last, first);
    *range = (struct p2e_port_range){(uint16_t)first, (uint16_t)last};
    return 0;
}

static int compare_first(const void *a, const void *b)
{
    const struct p2e_port_range *x = a, *y = b;
    return (int)x->first - (int)y->first;
}

size_t p2e_ports_normalize(struct p2e_port_range *ranges, size_t count)
{
    qsort(ranges, count, sizeof(*ranges), compare_first);
    size_t last = 0;
    for (size_t i = 1; i < count; i++) {
        if ((unsigned)ranges[i].first > ranges[last].last + 1u)
            ranges[++last] = ranges[i];
        else if (ranges[i].last > ranges[last].last)
            ranges[last].last = ranges[i].last;
    }
    return last + 1;
}

unsigned p2e_ports_count(const struct p2e_filter *filter)
{
    unsigned count = 0;
    for (size_t i = 0; i < filter->port_count; i++)
        count += filter->ports[i].last - filter->ports[i].first + 1u;
    return count;
}

bool p2e_ports_contain(const struct p2e_filter *filter, uint16_t port)
{
    for (size_t i = 0; i < filter->port_count; i++)
        if (filter->ports[i].first <= port && port <= filter->ports[i].last)
            return true;
    return false;
}

uint16_t p2e_ports_common(const struct p2e_filter *a, const struct p2e_filter *b)
{
    size_t i = 0, j = 0;
    while (i < a->port_count && j < b->port_count) {
        struct p2e_port_range x = a->ports[i], y = b->ports[j];
        if (x.last < y.first)
            i++;
        else if (y.last < x.first)
            j++;
        else
            return x.first > y.first ? x.first : y.first;
    }
    return 0;
}
