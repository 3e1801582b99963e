#include "cli/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/program.h"
#include "loader/socket.h"

const char *p2e_filtering_name(enum p2e_filtering filtering)
{
    static const char *const names[] = {
        [P2E_NOT_FILTERED] = "NOT filtered", [P2E_FILTERED] = "filtered",
        [P2E_UNLOCKED] = "not locked",       [P2E_OWN] = "own filter",
        [P2E_LISTENER] = "listener",
    };
    return names[filtering];
}

// ---- A process ----------------------------------------------------------------------------------
// What there is of a file of /proc/PID that fits, without the newline at its end.
static void read_text(int folder, const char *name, char *text, size_t size)
{
    _cleanup_fd_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
}

// Not the folder's owner, who is root where a process has changed its user.
static uid_t read_user(int folder)
{
    char text[1024];
    uid_t uid = (uid_t)-1;
    read_text(folder, "status", text, sizeof(text));
    const char *line = strstr(text, "\nUid:");
    if (line)
        sscanf(line, "\nUid: %*u %u", &uid);
    return uid;
}

static void read_program(int folder, char *program, size_t size)
{
    char path[PATH_MAX];
    ssize_t length = readlinkat(folder, "exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    snprintf(program, size, "%s", p2e_program_name(path));
}

static int no_process(pid_t pid, struct p2e_error *err)
{
    switch (errno) {
    case EINVAL:
    case ENOENT:
        return p2e_error_set(err, "%d is a thread, not a process: name its process", (int)pid);
    case ESRCH:
        return p2e_error_set(err, "there is no process %d", (int)pid);
    case ENOSYS:
        return p2e_error_set(err, "looking at other processes' sockets needs Linux 5.6");
    default:
        return p2e_error_set(err, "cannot look at process %d: %m", (int)pid);
    }
}

int p2e_process_open(pid_t pid, struct p2e_process *process, struct p2e_error *err)
{
    char folder[32];
    *process = (struct p2e_process){.pid = pid, .pidfd = -1, .proc = -1};
    process->pidfd = pidfd_open(pid, 0);
    if (process->pidfd < 0)
        return no_process(pid, err);
    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    process->proc = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process->proc < 0) {
        p2e_error_set(err, "cannot open %s: %m; is /proc mounted?", folder);
        p2e_process_close(process);
        return -1;
    }
    process->uid = read_user(process->proc);
    read_text(process->proc, "comm", process->command, sizeof(process->command));
    read_program(process->proc, process->program, sizeof(process->program));
    return 0;
}

void p2e_process_close(struct p2e_process *process)
{
    p2e_cleanup_fd(&process->pidfd);
    p2e_cleanup_fd(&process->proc);
    process->pidfd = process->proc = -1;
}

// ---- A socket's address -------------------------------------------------------------------------
struct address {
    struct sockaddr_storage name;
    socklen_t length;
};

static size_t path_size(const struct address *address)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    return address->length > offset ? address->length - offset : 0;
}

// An abstract name may end in NULs, as that of a program that hands over its whole zeroed struct.
static void read_path(const struct address *address, struct p2e_socket *found)
{
    const char *name = ((const struct sockaddr_un *)&address->name)->sun_path;
    size_t size = path_size(address);
    if (size >= sizeof(found->path))
        size = sizeof(found->path) - 1;
    while (size > 1 && !name[size - 1])
        size--;
    memcpy(found->path, name, size);
    found->path[size] = '\0';
    if (size && !found->path[0])
        found->path[0] = '@';
    snprintf(found->place, sizeof(found->place), "%s", found->path);
}

static void read_inet(const struct address *address, struct p2e_socket *found)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->name;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->name;
    bool is_v6 = address->name.ss_family == AF_INET6;
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(address->name.ss_family, is_v6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr,
              text, sizeof(text));
    found->port = ntohs(in->sin_port); // sin6_port is in the same place
    snprintf(found->place, sizeof(found->place), is_v6 ? "[%s]:%u" : "%s:%u", text, found->port);
}

static void read_place(const struct address *address, struct p2e_socket *found)
{
    if (address->name.ss_family == AF_UNIX)
        read_path(address, found);
    else
        read_inet(address, found);
}

// A relative path is one of the process's working folder, not of ours. False when it cannot be said
// as an absolute one.
static bool make_absolute(const struct p2e_process *process, struct address *address)
{
    struct sockaddr_un *name = (struct sockaddr_un *)&address->name;
    if (name->sun_family != AF_UNIX || !path_size(address) || !*name->sun_path ||
        *name->sun_path == '/')
        return true;
    char folder[PATH_MAX], path[PATH_MAX + sizeof(name->sun_path) + 2];
    ssize_t length = readlinkat(process->proc, "cwd", folder, sizeof(folder) - 1);
    if (length <= 0)
        return false;
    int size = snprintf(path, sizeof(path), "%.*s/%.*s", (int)length, folder,
                        (int)path_size(address), name->sun_path);
    if (size >= (int)sizeof(name->sun_path))
        return false;
    strcpy(name->sun_path, path);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return true;
}

// ---- A socket -----------------------------------------------------------------------------------
static enum p2e_filtering look_at_filter(int fd)
{
    if (p2e_endpoint_listens(fd))
        return P2E_LISTENER;
    switch (p2e_attach_carried(fd)) {
    case P2E_CARRIES_EXTENDED:
        return p2e_attach_locked(fd) ? P2E_FILTERED : P2E_UNLOCKED;
    case P2E_CARRIES_CLASSIC:
        return P2E_OWN;
    default:
        return P2E_NOT_FILTERED;
    }
}

static bool is_stream(int fd)
{
    int domain = p2e_endpoint_option(fd, SOL_SOCKET, SO_DOMAIN);
    return p2e_endpoint_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
           (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX);
}

static int match(const struct p2e_config *config, const struct p2e_socket *socket,
                 struct address *address, const struct p2e_filter **filter, struct p2e_error *err)
{
    const char *program = socket->process->program;
    if (socket->is_stream || !make_absolute(socket->process, address))
        return 0;
    return p2e_config_match(config, socket->transport, (struct sockaddr *)&address->name,
                            address->length, program, filter, err);
}

struct seen {
    uintmax_t *inodes;
    size_t count;
};

static void seen_free(struct seen *seen)
{
    free(seen->inodes);
}

// 1: it was there before; 0: it is now; -1: out of memory.
static int note(struct seen *seen, uintmax_t inode)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->inodes[i] == inode)
            return 1;
    }
    uintmax_t *grown = reallocarray(seen->inodes, seen->count + 1, sizeof(*grown));
    if (!grown)
        return -1;
    seen->inodes = grown;
    seen->inodes[seen->count++] = inode;
    return 0;
}

struct walk {
    const struct p2e_process *process;
    const struct p2e_config *config;
    p2e_socket_visit *visit;
    void *context;
    struct seen *seen; // what may be filtered; of streams there may be very many
};

static int visit_bound(const struct walk *walk, struct p2e_socket *socket, struct address *address)
{
    struct p2e_error err;
    read_place(address, socket);
    socket->filtering = look_at_filter(socket->copy);
    socket->found = match(walk->config, socket, address, &socket->filter, &err);
    socket->err = &err;
    return walk->visit(walk->context, socket);
}

static int look_at(const struct walk *walk, int fd, int copy, uintmax_t inode)
{
    struct p2e_socket socket = {.process = walk->process, .fd = fd, .copy = copy};
    struct address address;
    socket.is_stream = !p2e_endpoint_transport(copy, &socket.transport);
    if ((socket.is_stream && !is_stream(copy)) ||
        !p2e_endpoint_bound(copy, &address.name, &address.length))
        return 0;
    int before = socket.is_stream ? 0 : note(walk->seen, inode);
    return before ? (before < 0 ? -1 : 0) : visit_bound(walk, &socket, &address);
}

// ---- All of a process ---------------------------------------------------------------------------
// 1: a socket; 0: something else, or closed meanwhile; -1: not for this process to see.
static int find_inode(int folder, const char *name, uintmax_t *inode)
{
    char target[64];
    ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);
    if (length < 0)
        return errno == EACCES || errno == EPERM ? -1 : 0;
    target[length] = '\0';
    return sscanf(target, "socket:[%" SCNuMAX "]", inode) == 1;
}

static bool has_ended(const struct p2e_process *process)
{
    int saved = errno;
    struct pollfd state = {process->pidfd, POLLIN, 0};
    bool ended = poll(&state, 1, 0) == 1;
    errno = saved;
    return ended;
}

// What cannot be looked into because it is not there any more is not hidden: 0.
static int may_not(const struct p2e_process *process, struct p2e_error *err)
{
    if (has_ended(process))
        return 0;
    const char *why = errno == ENOSYS ? "it needs Linux 5.6"
                                      : "it needs root, or the process's own user and leave to "
                                        "trace it (CAP_SYS_PTRACE, kernel.yama.ptrace_scope)";
    return p2e_error_set(err, "cannot look into process %d (%s): %m; %s", (int)process->pid,
                         process->command, why);
}

static int visit_descriptor(const struct walk *walk, int folder, const char *name,
                            struct p2e_error *err)
{
    uintmax_t inode;
    int is_socket = find_inode(folder, name, &inode);
    if (is_socket <= 0)
        return is_socket ? may_not(walk->process, err) : 0;
    _cleanup_fd_ int copy = pidfd_getfd(walk->process->pidfd, atoi(name), 0);
    // Closed meanwhile, or the process is gone.
    if (copy < 0)
        return errno == EBADF || errno == ESRCH ? 0 : may_not(walk->process, err);
    int result = look_at(walk, atoi(name), copy, inode);
    return result < 0 ? p2e_error_set(err, "out of memory") : result;
}

static DIR *open_folder(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        p2e_cleanup_fd(&fd);
    return folder;
}

static void close_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

int p2e_process_sockets(const struct p2e_process *process, const struct p2e_config *config,
                        p2e_socket_visit *visit, void *context, struct p2e_error *err)
{
    _cleanup_(seen_free) struct seen seen = {0};
    const struct walk walk = {process, config, visit, context, &seen};
    _cleanup_(close_folder) DIR *folder = open_folder(process->proc, "fd");
    if (!folder)
        return errno == ENOENT || errno == ESRCH ? 0 : may_not(process, err);
    struct dirent *entry;
    int result = 0;
    while (!result && (entry = readdir(folder)))
        result = visit_descriptor(&walk, dirfd(folder), entry->d_name, err);
    return result;
}

// ---- All processes ------------------------------------------------------------------------------
static bool may_trace_all(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    return !syscall(SYS_capget, &header, data) && data[0].effective >> CAP_SYS_PTRACE & 1;
}

static int visit_process(pid_t pid, const struct walk *walk, bool *hidden, struct p2e_error *err)
{
    _cleanup_(p2e_process_close) struct p2e_process process;
    struct p2e_error ended;
    if (p2e_process_open(pid, &process, &ended) < 0)
        return 0;
    int result = p2e_process_sockets(&process, walk->config, walk->visit, walk->context, err);
    if (result >= 0 || (errno != EACCES && errno != EPERM))
        return result;
    *hidden = !may_trace_all();
    return 0;
}

int p2e_sockets_visit(const struct p2e_config *config, p2e_socket_visit *visit, void *context,
                      bool *hidden, struct p2e_error *err)
{
    const struct walk walk = {.config = config, .visit = visit, .context = context};
    _cleanup_(close_folder) DIR *folder = open_folder(AT_FDCWD, "/proc");
    *hidden = false;
    if (!folder)
        return p2e_error_set(err, "cannot read /proc: %m; is it mounted?");
    struct dirent *entry;
    int result = 0;
    while (!result && (entry = readdir(folder))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != getpid())
            result = visit_process(pid, &walk, hidden, err);
    }
    return result;
}
