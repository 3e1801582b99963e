#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    const char *slash;

    shim.executable[length > 0 ? length : 0] = '\0';
    slash = strrchr(shim.executable, '/');
    shim.program = slash ? slash + 1 : shim.executable;
}

static void note_wants(void)
{
    for (size_t i = 0; i < shim.config.filter_count; i++) {
        const struct p2e_filter *filter = &shim.config.filters[i];

        if (!filter->program || !strcmp(filter->program, shim.program))
            shim.wants[filter->transport] = true;
    }
}

static void read_config(void)
{
    if (p2e_config_load(p2e_config_find(), &shim.config, &shim.config_error)) {
        p2e_error_prefix(&shim.config_error, "no usable config (P2E_CONFIG, else %s)",
                         P2E_CONFIG_DEFAULT_PATH);
        return;
    }
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
    p2e_stdio_init();
    find_program();
    fstat(STDERR_FILENO, &shim.standard_error);
    read_config();
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
