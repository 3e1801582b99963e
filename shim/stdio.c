// Debian's libconfig.a is not position independent in one thing: it reads stdin, stdout and stderr
// as if they were at a fixed distance. The linker (--wrap) points it to these, which are.
#include <stdio.h>

#include "shim/shim.h"

extern FILE *__real_stdin, *__real_stdout, *__real_stderr;

FILE *__wrap_stdin, *__wrap_stdout, *__wrap_stderr;

void p2e_stdio_init(void)
{
    __wrap_stdin = __real_stdin;
    __wrap_stdout = __real_stdout;
    __wrap_stderr = __real_stderr;
}
