#include "compiler/print.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
    const struct p2e_field *const *left = a, *const *right = b;
    return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

const struct p2e_field **p2e_print_fields(const struct p2e_dynamic *message, size_t *count)
{
    const struct p2e_field *field = NULL;
    *count = 0;
    while ((field = p2e_dynamic_next(message, field)))
        (*count)++;
    const struct p2e_field **fields = *count ? calloc(*count, sizeof(*fields)) : NULL;
    if (!fields) {
        *count = 0;
        return NULL;
    }
    for (size_t i = 0; i < *count; i++)
        fields[i] = field = p2e_dynamic_next(message, field);
    qsort(fields, *count, sizeof(*fields), compare_numbers);
    return fields;
}

const char *p2e_print_enum_name(const struct p2e_enum *enumeration, int64_t number)
{
    for (size_t i = 0; i < enumeration->value_count; i++) {
        if (enumeration->values[i].number == number)
            return enumeration->values[i].name;
    }
    return NULL;
}

void p2e_print_real(double value, bool is_float, bool is_shortest, struct p2e_buffer *out)
{
    int least = is_float ? 6 : 15, most = is_float ? 9 : 17;
    char text[32];
    for (int n = least; n <= most; n += is_shortest ? 1 : most - least) {
        snprintf(text, sizeof(text), "%.*g", n, value);
        if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    p2e_buffer_puts(out, text);
}
