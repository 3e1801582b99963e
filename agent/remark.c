#include "agent/remark.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct p2e_remark {
    char *subject, *text; // text: NULL for none
};

static struct p2e_remark *find(const struct p2e_remarks *remarks, const char *subject)
{
    for (size_t i = 0; i < remarks->count; i++) {
        if (!strcmp(remarks->list[i].subject, subject))
            return &remarks->list[i];
    }
    return NULL;
}

static struct p2e_remark *add(struct p2e_remarks *remarks, const char *subject)
{
    char *copy = strdup(subject);
    struct p2e_remark *more =
        copy ? reallocarray(remarks->list, remarks->count + 1, sizeof(*more)) : NULL;
    if (!more) {
        free(copy);
        return NULL;
    }
    remarks->list = more;
    more[remarks->count] = (struct p2e_remark){.subject = copy};
    return &more[remarks->count++];
}

void p2e_remark_say(const char *format, ...)
{
    struct p2e_error said; // what it quotes is safe there
    va_list args;
    va_start(args, format);
    p2e_error_vset(&said, format, args);
    va_end(args);
    fprintf(stderr, "p2e agent: %s\n", said.text);
}

// Without memory it is said once too often.
void p2e_remark_fault(struct p2e_remarks *remarks, const char *subject, const char *text)
{
    struct p2e_remark *last = find(remarks, subject);
    size_t length = strcspn(text, "\n");
    if (last && last->text && !strcmp(last->text, text))
        return;
    p2e_remark_say("%.*s%s", (int)length, text, text[length] ? " (p2e check tells more)" : "");
    last = last ? last : add(remarks, subject);
    if (!last)
        return;
    free(last->text);
    last->text = strdup(text);
}

bool p2e_remark_clear(struct p2e_remarks *remarks, const char *subject)
{
    struct p2e_remark *last = find(remarks, subject);
    bool stood = last && last->text;
    if (stood) {
        free(last->text);
        last->text = NULL;
    }
    return stood;
}

void p2e_remarks_free(struct p2e_remarks *remarks)
{
    for (size_t i = 0; i < remarks->count; i++) {
        free(remarks->list[i].subject);
        free(remarks->list[i].text);
    }
    free(remarks->list);
    *remarks = (struct p2e_remarks){0};
}
