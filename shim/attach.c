#include "shim/shim.h"

int p2e_attach(int fd, const struct p2e_filter *filter, struct p2e_attachment *attachment,
               struct p2e_error *err)
{
    int program = p2e_program_get(filter, err);

    if (program < 0)
        return -1;
    return p2e_attach_program(fd, filter->transport, program, attachment, err);
}
