#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/sys.h"

#define TEXTS_OF_FILTER 4 // name, message, canonical, digest
#define TEXTS_OF_RULE   3 // id, expression, message

// What is left of the strings that follow a struct p2e_meta.
struct texts {
    const char *next, *end;
};

static const char *take(struct texts *texts)
{
    const char *text = texts->next;
    const char *nul = memchr(text, '\0', (size_t)(texts->end - text));

    if (!nul)
        return NULL;
    texts->next = nul + 1;
    return text;
}

static bool take_rules(struct texts *texts, struct p2e_description *d)
{
    for (uint32_t i = 0; i < d->rule_count; i++) {
        d->rule_ids[i] = take(texts);
        d->rule_expressions[i] = d->rule_ids[i] ? take(texts) : NULL;
        d->rule_messages[i] = d->rule_expressions[i] ? take(texts) : NULL;
        if (!d->rule_messages[i])
            return false;
    }
    return true;
}

static bool take_all(struct texts *texts, struct p2e_description *d)
{
    const char **heads[TEXTS_OF_FILTER] = {&d->name, &d->message, &d->canonical, &d->digest};

    for (size_t i = 0; i < TEXTS_OF_FILTER; i++) {
        *heads[i] = take(texts);
        if (!*heads[i])
            return false;
    }
    return take_rules(texts, d);
}

static int check_header(const struct p2e_meta *meta, size_t size, const char *where,
                        struct p2e_error *err)
{
    if (meta->magic != P2E_MAGIC)
        return p2e_error_set(err, "%s does not hold a p2e filter", where);
    if (meta->abi != P2E_ABI)
        return p2e_error_set(err,
                             "%s is of ABI %u, this p2e is of ABI %u; run: p2e compile (then p2e "
                             "load) with the version of p2e that runs here",
                             where, meta->abi, P2E_ABI);
    if (meta->size < sizeof(*meta) || meta->size > size || meta->rule_count > P2E_MAX_RULES)
        return p2e_error_set(err, "%s is corrupt: bad sizes in its description", where);
    return 0;
}

// One allocation: the rules' three arrays, then the strings.
static const char **allocate(struct p2e_description *d, const void *strings, size_t size,
                             struct texts *texts)
{
    size_t arrays = TEXTS_OF_RULE * d->rule_count * sizeof(char *);
    const char **memory = malloc(arrays + size + 1);

    if (!memory)
        return NULL;
    d->rule_ids = memory;
    d->rule_expressions = memory + d->rule_count;
    d->rule_messages = memory + 2 * d->rule_count;
    texts->next = (char *)memory + arrays;
    texts->end = texts->next + size;
    memcpy((char *)memory + arrays, strings, size);
    return memory;
}

int p2e_description_parse(const void *bytes, size_t size, const char *where,
                          struct p2e_description *description, struct p2e_error *err)
{
    struct p2e_description d = {0};
    struct p2e_meta meta;
    struct texts texts;

    if (size < sizeof(meta))
        return p2e_error_set(err, "%s does not hold a p2e filter", where);
    memcpy(&meta, bytes, sizeof(meta));
    if (check_header(&meta, size, where, err))
        return -1;
    d.rule_count = meta.rule_count;
    d.kernel = meta.kernel;
    d.memory = allocate(&d, (const char *)bytes + sizeof(meta), meta.size - sizeof(meta), &texts);
    if (!d.memory)
        return p2e_error_set(err, "out of memory");
    if (!take_all(&texts, &d)) {
        free(d.memory);
        return p2e_error_set(err, "%s is corrupt: its description is cut short", where);
    }
    *description = d;
    return 0;
}

void p2e_description_free(struct p2e_description *description)
{
    free(description->memory);
    *description = (struct p2e_description){0};
}
