#include "base/program.h"

#include <string.h>

#define DELETED " (deleted)"

const char *p2e_program_name(char *link)
{
    size_t length = strlen(link), suffix = strlen(DELETED);
    if (length > suffix && !strcmp(link + length - suffix, DELETED))
        link[length - suffix] = '\0';
    const char *slash = strrchr(link, '/');
    return slash ? slash + 1 : link;
}
