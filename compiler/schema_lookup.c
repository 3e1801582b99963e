#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "compiler/schema.h"

// Messages, enums, fields and enum values all begin with their name.
static int compare_item(const void *name, const void *item)
{
    return strcmp(name, *(const char *const *)item);
}

static int compare_pointer(const void *name, const void *pointer)
{
    return compare_item(name, *(const void *const *)pointer);
}

static const char *without_dot(const char *name)
{
    return name + (name[0] == '.');
}

static void *find(const char *name, const void *items, size_t count, size_t size,
                  int (*compare)(const void *, const void *))
{
    return count > 0 ? bsearch(name, items, count, size, compare) : NULL;
}

const struct p2e_message *p2e_schema_message(const struct p2e_schema *schema, const char *name)
{
    return find(without_dot(name), schema->messages, schema->message_count,
                sizeof(schema->messages[0]), compare_item);
}

const struct p2e_enum *p2e_schema_enum(const struct p2e_schema *schema, const char *name)
{
    return find(without_dot(name), schema->enums, schema->enum_count, sizeof(schema->enums[0]),
                compare_item);
}

const struct p2e_field *p2e_message_field(const struct p2e_message *message, const char *name)
{
    struct p2e_field **found = find(name, message->by_name, message->field_count,
                                    sizeof(message->by_name[0]), compare_pointer);
    return found ? *found : NULL;
}

static int compare_number(const void *number, const void *item)
{
    uint32_t wanted = *(const uint32_t *)number, has = ((const struct p2e_field *)item)->number;
    return (wanted > has) - (wanted < has);
}

static const struct p2e_field *find_number(uint32_t number, const struct p2e_field *fields,
                                           size_t count)
{
    return count > 0 ? bsearch(&number, fields, count, sizeof(*fields), compare_number) : NULL;
}

const struct p2e_field *p2e_message_number(const struct p2e_message *message, uint32_t number)
{
    return find_number(number, message->fields, message->field_count);
}

const struct p2e_field *p2e_message_extension(const struct p2e_message *message, uint32_t number)
{
    return find_number(number, message->extensions, message->extension_count);
}

const struct p2e_enum_value *p2e_enum_value(const struct p2e_enum *enumeration, const char *name)
{
    struct p2e_enum_value **found = find(name, enumeration->by_name, enumeration->value_count,
                                         sizeof(enumeration->by_name[0]), compare_pointer);
    return found ? *found : NULL;
}

static int compare_value(const void *number, const void *pointer)
{
    int32_t wanted = *(const int32_t *)number;
    int32_t has = (*(const struct p2e_enum_value *const *)pointer)->number;
    return (wanted > has) - (wanted < has);
}

const struct p2e_enum_value *p2e_enum_number(const struct p2e_enum *enumeration, int32_t number)
{
    struct p2e_enum_value **found =
        bsearch(&number, enumeration->by_number, enumeration->value_count,
                sizeof(enumeration->by_number[0]), compare_value);
    return found ? *found : NULL;
}

// The message that `name` is the end of: "SearchRequest" for "demo.SearchRequest".
static const char *find_by_tail(const struct p2e_schema *schema, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < schema->message_count; i++) {
        const char *full_name = schema->messages[i].full_name;
        size_t full_size = strlen(full_name);
        if (full_size > size && full_name[full_size - size - 1] == '.' &&
            strcmp(full_name + full_size - size, name) == 0)
            return full_name;
    }
    return NULL;
}

const struct p2e_message *p2e_schema_require(const struct p2e_schema *schema, const char *name,
                                             struct p2e_error *err)
{
    const struct p2e_message *message = p2e_schema_message(schema, name);
    if (message)
        return message;

    const char *offer = find_by_tail(schema, without_dot(name));
    if (!offer)
        offer = p2e_nearest(without_dot(name), schema->messages, schema->message_count,
                            sizeof(schema->messages[0]));
    if (offer)
        p2e_error_set(err, "the schema has no message \"%s\"; did you mean \"%s\"?", name, offer);
    else
        p2e_error_set(err, "the schema has no message \"%s\"", name);
    return NULL;
}
