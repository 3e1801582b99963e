#include <errno.h>
#include <linux/filter.h>
#include <netinet/udp.h>

#include "loader/socket.h"
#include "loader/sys.h"

static int set(int fd, int level, int option, int value)
{
    return p2e_sys_setsockopt(fd, level, option, &value, sizeof(value));
}

// ---- What is there already ----------------------------------------------------------------------
// The kernel gives a classic filter's length, and EACCES for an extended one, which it cannot show.
enum p2e_carried p2e_attach_carried(int fd)
{
    socklen_t length = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &length))
        return errno == EACCES ? P2E_CARRIES_EXTENDED : P2E_CARRIES_NONE;
    return length ? P2E_CARRIES_CLASSIC : P2E_CARRIES_NONE;
}

bool p2e_attach_locked(int fd)
{
    return p2e_endpoint_option(fd, SOL_SOCKET, SO_LOCK_FILTER) == 1;
}

bool p2e_attach_done(int fd)
{
    return p2e_attach_locked(fd) && p2e_attach_carried(fd) == P2E_CARRIES_EXTENDED;
}

int p2e_attach_possible(int fd, struct p2e_error *err)
{
    if (p2e_attach_locked(fd) || p2e_attach_carried(fd) != P2E_CARRIES_NONE)
        return p2e_error_set(err, "the socket has a filter of its own, and can have but one");
    return 0;
}

// ---- Ours ---------------------------------------------------------------------------------------
static int attach_program(int fd, int program, struct p2e_error *err)
{
    if (!set(fd, SOL_SOCKET, SO_ATTACH_BPF, program))
        return 0;
    if (errno == ENOMEM)
        return p2e_error_set(err, "cannot attach the program: it does not fit into "
                                  "net.core.optmem_max, which counts it before Linux 6.7; pin the "
                                  "filter (pin_dir), or raise the sysctl");
    return p2e_error_set(err, "cannot attach the program: %m");
}

int p2e_attach_program(int fd, enum p2e_transport transport, int program,
                       struct p2e_attachment *attachment, struct p2e_error *err)
{
    *attachment = (struct p2e_attachment){.program = program};
    // Several datagrams in one packet cannot be judged one by one.
    attachment->had_gro = transport == P2E_UDP && p2e_endpoint_option(fd, SOL_UDP, UDP_GRO) == 1;
    if (attachment->had_gro && set(fd, SOL_UDP, UDP_GRO, 0))
        return p2e_error_set(err, "cannot turn UDP_GRO off: %m");
    if (!attach_program(fd, program, err))
        return 0;
    if (attachment->had_gro)
        set(fd, SOL_UDP, UDP_GRO, 1);
    return -1;
}

void p2e_attach_undo(int fd, const struct p2e_attachment *attachment)
{
    set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
    if (attachment->had_gro)
        set(fd, SOL_UDP, UDP_GRO, 1);
}

int p2e_attach_remove(int fd)
{
    return set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

void p2e_attach_lock(int fd)
{
    set(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

// ---- A gate that is shut ------------------------------------------------------------------------
int p2e_attach_gate(int fd, struct p2e_error *err)
{
    struct sock_filter drop = {.code = BPF_RET | BPF_K, .k = 0};
    struct sock_fprog gate = {.len = 1, .filter = &drop};

    if (p2e_sys_setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &gate, sizeof(gate)))
        return p2e_error_set(err, "cannot attach a filter: %m");
    return 0;
}

void p2e_attach_ungate(int fd)
{
    set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}
