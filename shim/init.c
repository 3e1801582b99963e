#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/program.h"
#include "loader/handover.h"
#include "loader/published.h"
#include "shim/shim.h"

static struct p2e_shim shim;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void resolve(struct p2e_real *real)
{
    *(void **)&real->socket = next("socket");
    *(void **)&real->bind = next("bind");
    *(void **)&real->setsockopt = next("setsockopt");
    *(void **)&real->accept = next("accept");
    *(void **)&real->accept4 = next("accept4");
}

static void find_program(void)
{
    ssize_t length = readlink("/proc/self/exe", shim.executable, sizeof(shim.executable) - 1);

    shim.executable[length > 0 ? length : 0] = '\0';
    shim.program = p2e_program_name(shim.executable);
}

static void note_wants(void)
{
    for (size_t i = 0; i < shim.config.filter_count; i++) {
        const struct p2e_filter *filter = &shim.config.filters[i];

        if (!filter->program || !strcmp(filter->program, shim.program))
            shim.wants[filter->transport] = true;
    }
}

// ---- What is filtered ---------------------------------------------------------------------------
// A config that is named and missing is a mistake; one that nobody speaks of is not. Whatever else
// keeps the default one from being read, it may be there.
bool p2e_no_config_file(void)
{
    const char *named = secure_getenv("P2E_CONFIG");
    struct stat st;

    return !(named && *named) && lstat(P2E_CONFIG_DEFAULT_PATH, &st) && errno == ENOENT;
}

static int read_config(void)
{
    return p2e_file_config(&shim.config, &shim.config_error);
}

// An absolute path from the environment: the server may change its folder.
static const char *path_variable(const char *name, const char *otherwise)
{
    const char *value = secure_getenv(name);

    if (!value || !*value)
        return otherwise;
    if (*value == '/')
        return value;
    p2e_error_set(&shim.config_error, "%s \"%s\" is not absolute; it has to begin with /", name,
                  value);
    return NULL;
}

// 1, 0: there is none, -1.
static int read_pinned(void)
{
    const char *pin_dir = path_variable("P2E_PIN_DIR", P2E_DEFAULT_PIN_DIR);

    return pin_dir ? p2e_published_read(pin_dir, &shim.config, &shim.config_error) : -1;
}

// The agent is asked again for each program: its path is ours.
static int read_handed_over(void)
{
    const char *agent = path_variable("P2E_AGENT_SOCKET", P2E_DEFAULT_AGENT_SOCKET);
    int found = agent ? p2e_handover_table(agent, &shim.config, &shim.config_error) : -1;

    if (found <= 0)
        return found;
    shim.agent = strdup(agent);
    return shim.agent ? 1 : p2e_error_set(&shim.config_error, "out of memory");
}

// Where there is nothing at all, it is the config that is missed.
static int read_published(void)
{
    int found = read_pinned();

    if (!found)
        found = read_handed_over();
    if (found < 0)
        return p2e_error_prefix(&shim.config_error, "no config, and no usable published table");
    return found ? 0 : read_config();
}

static void read_filters(void)
{
    if (p2e_no_config_file() ? read_published() : read_config())
        return;
    shim.programs = calloc(shim.config.filter_count + 1, sizeof(*shim.programs));
    shim.has_config = shim.programs != NULL;
    if (!shim.has_config)
        p2e_error_set(&shim.config_error, "out of memory");
    note_wants();
}

// All of it here and not at the first bind: a server may be in a chroot by then, or have lost the
// right to read the config.
static void init(void)
{
    resolve(&shim.real);
    find_program();
    fstat(STDERR_FILENO, &shim.standard_error);
    read_filters();
}

const struct p2e_shim *p2e_shim(void)
{
    pthread_once(&once, init);
    return &shim;
}

__attribute__((constructor)) static void construct(void)
{
    int saved = errno;

    p2e_shim();
    p2e_live();
    p2e_adopt();
    errno = saved;
}
