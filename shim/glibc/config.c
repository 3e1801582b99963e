// The config file is read with libconfig, and what is not pinned yet is loaded.
#include <stdio.h>

#include "loader/loader.h"
#include "shim/shim.h"

// Debian's libconfig.a is not position independent in one thing: it reads stdin, stdout and stderr
// as if they were at a fixed distance. The linker (--wrap) points it to these, which are.
extern FILE *__real_stdin, *__real_stdout, *__real_stderr;

FILE *__wrap_stdin, *__wrap_stdout, *__wrap_stderr;

static void set_up_libconfig(void)
{
    __wrap_stdin = __real_stdin;
    __wrap_stdout = __real_stdout;
    __wrap_stderr = __real_stderr;
}

int p2e_file_config(struct p2e_config *config, struct p2e_error *err)
{
    set_up_libconfig();
    if (p2e_config_load(p2e_config_find(), config, err))
        return p2e_error_prefix(err, "no usable config (P2E_CONFIG, else %s)",
                                P2E_CONFIG_DEFAULT_PATH);
    return 0;
}

int p2e_file_program(const struct p2e_config *config, const struct p2e_filter *filter, int *program,
                     struct p2e_error *err)
{
    enum p2e_origin origin;

    return p2e_filter_program(config, filter, program, &origin, err);
}
