#include "config/match.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "config/ports.h"

#define SUN_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)
#define PATH_SIZE     (SUN_PATH_SIZE + sizeof("./")) // of a path in struct target

// A socket's address in one form for all families.
struct target {
    enum p2e_transport transport;
    const char *program;
    // UDP
    struct in6_addr address;
    uint16_t port;
    bool wildcard_v4, wildcard_v6; // "::" is both
    // UNIX: as in the config, '@' before an abstract name; a file "@x" is "./@x"
    char path[PATH_SIZE];
};

// ---- Reading a socket address -------------------------------------------------------------------

static struct in6_addr map_v4(struct in_addr v4)
{
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&mapped.s6_addr[12], &v4, sizeof(v4));
    return mapped;
}

static bool read_inet(const struct sockaddr *address, socklen_t length, struct target *target)
{
    struct sockaddr_in in;
    if (length < sizeof(in))
        return false;
    memcpy(&in, address, sizeof(in));
    target->address = map_v4(in.sin_addr);
    target->port = ntohs(in.sin_port);
    target->wildcard_v4 = in.sin_addr.s_addr == htonl(INADDR_ANY);
    return true;
}

static bool read_inet6(const struct sockaddr *address, socklen_t length, struct target *target)
{
    // The kernel takes the older, shorter struct too.
    struct sockaddr_in6 in = {0};
    if (length < offsetof(struct sockaddr_in6, sin6_scope_id))
        return false;
    memcpy(&in, address, length < sizeof(in) ? length : sizeof(in));
    const struct in6_addr mapped_any = map_v4((struct in_addr){htonl(INADDR_ANY)});
    target->address = in.sin6_addr;
    target->port = ntohs(in.sin6_port);
    target->wildcard_v6 = IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr);
    target->wildcard_v4 = target->wildcard_v6 || IN6_ARE_ADDR_EQUAL(&in.sin6_addr, &mapped_any);
    return true;
}

// An abstract name is all the bytes there are. A program that hands over its whole zeroed struct
// has a name that ends in NULs; its operator knows it without them. With a NUL elsewhere in it it
// is no name that a config can say.
static bool read_abstract(const char *name, size_t size, char *path)
{
    while (size > 1 && !name[size - 1])
        size--;
    if (size == 1 || memchr(name + 1, '\0', size - 1))
        return false;
    path[0] = '@';
    memcpy(path + 1, name + 1, size - 1);
    return true;
}

static bool read_unix(const struct sockaddr *address, socklen_t length, struct target *target)
{
    // getsockname counts a NUL after a path that fills sun_path.
    const size_t offset = offsetof(struct sockaddr_un, sun_path);
    if (length <= offset || length > offset + SUN_PATH_SIZE + 1)
        return false;
    const char *name = (const char *)address + offset;
    size_t size = length - offset;
    if (!*name)
        return read_abstract(name, size, target->path);
    if (*name == '@')
        strcpy(target->path, "./");
    strncat(target->path, name, size);
    return true;
}

static bool read_address(const struct sockaddr *address, socklen_t length, struct target *target)
{
    sa_family_t family;
    if (!address || length < sizeof(family))
        return false;
    memcpy(&family, address, sizeof(family));
    if (target->transport != P2E_UDP)
        return family == AF_UNIX && read_unix(address, length, target);
    // bind(2) takes AF_UNSPEC for AF_INET.
    if (family == AF_INET || family == AF_UNSPEC)
        return read_inet(address, length, target);
    return family == AF_INET6 && read_inet6(address, length, target);
}

// ---- Who claims a socket ------------------------------------------------------------------------

static int stat_folder(const char *path, const char *name, struct stat *st)
{
    if (name == path)
        return stat(".", st);
    char folder[PATH_SIZE];
    size_t length = (size_t)(name - path);
    if (length >= sizeof(folder))
        return -1;
    memcpy(folder, path, length);
    folder[length] = '\0';
    return stat(folder, st);
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Paths are the same too when they are one name in one folder: /var/run/x and /run/x, or a relative
// path. A socket itself is never reached through a symbolic link by bind.
static bool same_path(const char *a, const char *b)
{
    if (!strcmp(a, b))
        return true;
    const char *a_name = last_component(a), *b_name = last_component(b);
    struct stat x, y;
    if (*a == '@' || *b == '@' || strcmp(a_name, b_name))
        return false;
    if (stat_folder(a, a_name, &x) < 0 || stat_folder(b, b_name, &y) < 0)
        return false;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool same_address(const struct p2e_filter *a, const struct p2e_filter *b)
{
    if (!a->has_address || !b->has_address)
        return a->has_address == b->has_address;
    return IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

static bool claims_address(const struct p2e_filter *filter, const struct target *target)
{
    if (!filter->has_address || IN6_ARE_ADDR_EQUAL(&filter->address, &target->address))
        return true;
    return IN6_IS_ADDR_V4MAPPED(&filter->address) ? target->wildcard_v4 : target->wildcard_v6;
}

static bool is_for(const struct p2e_filter *filter, const struct target *target)
{
    return filter->transport == target->transport &&
           (!filter->program || !target->program || !strcmp(filter->program, target->program));
}

static bool claims(const struct p2e_filter *filter, const struct target *target)
{
    if (!is_for(filter, target))
        return false;
    if (filter->transport != P2E_UDP)
        return same_path(filter->path, target->path);
    return p2e_ports_contain(filter, target->port) && claims_address(filter, target);
}

// Positive when a is more specific than b, 0 when neither is. Addresses aside.
static int compare_specificity(const struct p2e_filter *a, const struct p2e_filter *b)
{
    unsigned a_ports = p2e_ports_count(a), b_ports = p2e_ports_count(b);
    if (a_ports != b_ports)
        return a_ports < b_ports ? 1 : -1;
    return (a->program != NULL) - (b->program != NULL);
}

// The most specific of the filters that claim the target and have an address, or have none.
static const struct p2e_filter *best_claim(const struct p2e_config *config,
                                           const struct target *target, bool with_address)
{
    const struct p2e_filter *best = NULL;
    for (size_t i = 0; i < config->filter_count; i++) {
        const struct p2e_filter *filter = &config->filters[i];
        if (filter->has_address != with_address || !claims(filter, target))
            continue;
        if (!best || compare_specificity(filter, best) > 0)
            best = filter;
    }
    return best;
}

static const struct p2e_filter *rival_claim(const struct p2e_config *config,
                                            const struct target *target,
                                            const struct p2e_filter *best)
{
    for (size_t i = 0; i < config->filter_count; i++) {
        const struct p2e_filter *filter = &config->filters[i];
        if (claims(filter, target) && !same_address(filter, best))
            return filter;
    }
    return NULL;
}

static int match(const struct p2e_config *config, const struct target *target,
                 const struct p2e_filter **filter, struct p2e_error *err)
{
    const struct p2e_filter *general = best_claim(config, target, false);
    const struct p2e_filter *special = best_claim(config, target, true);
    bool wildcard = target->wildcard_v4 || target->wildcard_v6;

    *filter = special && !(wildcard && general) ? special : general;
    if (*filter != special || !wildcard || !special)
        return *filter != NULL;

    const struct p2e_filter *rival = rival_claim(config, target, special);
    if (!rival)
        return 1;
    *filter = NULL;
    return p2e_error_set(err,
                         "a socket on every address, port %u, gets what filter \"%s\" (%s:%u) and "
                         "filter \"%s\" (%s:%u) are for, and one filter must judge it all; add a "
                         "filter without \"address\" for this port",
                         target->port, special->name, special->file, special->line, rival->name,
                         rival->file, rival->line);
}

int p2e_config_match(const struct p2e_config *config, enum p2e_transport transport,
                     const struct sockaddr *address, socklen_t length, const char *program,
                     const struct p2e_filter **filter, struct p2e_error *err)
{
    int saved = errno;
    struct target target = {.transport = transport, .program = program};
    *filter = NULL;
    int found = read_address(address, length, &target) ? match(config, &target, filter, err) : 0;
    errno = saved;
    return found;
}

// ---- Before the kernel has chosen ---------------------------------------------------------------

// Some port, or the abstract names that it gives.
static bool may_claim(const struct p2e_filter *filter, const struct target *target)
{
    if (!is_for(filter, target))
        return false;
    return filter->transport == P2E_UDP ? claims_address(filter, target) : *filter->path == '@';
}

bool p2e_config_may_close(const struct p2e_config *config, enum p2e_transport transport,
                          const struct sockaddr *address, socklen_t length, const char *program)
{
    struct target target = {.transport = transport, .program = program};
    const struct p2e_filter *special = NULL; // with an address: one alone can judge a wildcard
    if (transport == P2E_UDP && !read_address(address, length, &target))
        return false; // bind will fail
    for (size_t i = 0; i < config->filter_count; i++) {
        const struct p2e_filter *filter = &config->filters[i];
        if (!may_claim(filter, &target))
            continue;
        if (filter->on_error == P2E_CLOSED)
            return true;
        if (!filter->has_address)
            continue;
        if (special && !same_address(special, filter))
            return true;
        special = filter;
    }
    return false;
}

bool p2e_filters_conflict(const struct p2e_filter *a, const struct p2e_filter *b)
{
    if (a->transport != b->transport || !a->program != !b->program)
        return false;
    if (a->program && strcmp(a->program, b->program))
        return false;
    if (a->transport != P2E_UDP)
        return same_path(a->path, b->path);
    return same_address(a, b) && p2e_ports_count(a) == p2e_ports_count(b) && p2e_ports_common(a, b);
}
