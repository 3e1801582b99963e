#include "base/width.h"

#include <stdlib.h>

struct range {
    uint32_t first, last;
};

#include "width_tables.h"

static int compare(const void *wanted, const void *element)
{
    uint32_t code = *(const uint32_t *)wanted;
    const struct range *range = element;
    return code < range->first ? -1 : code > range->last;
}

#define IS_IN(code, table)                                                                         \
    (bsearch(&(code), table, sizeof(table) / sizeof(*(table)), sizeof(*(table)), compare) != NULL)

int p2e_width(uint32_t code)
{
    if (code < 0x300)
        return 1;
    if (IS_IN(code, without_width))
        return 0;
    return IS_IN(code, wide) ? 2 : 1;
}
