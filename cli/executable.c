#include "cli/executable.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NO_FILTER    "; its sockets cannot be filtered by a preloaded library"
#define SCRIPT_DEPTH 5 // the kernel's own limit on interpreters of interpreters

// ---- Where it is --------------------------------------------------------------------------------
static bool is_runnable(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

static int find_path(const char *command, char *path, size_t size, struct p2e_error *err)
{
    if (snprintf(path, size, "%s", command) >= (int)size)
        return p2e_error_set(err, "the path %s is too long", command);
    if (is_runnable(path))
        return 0;
    return p2e_error_set(err, "cannot run %s: %s", command,
                         access(path, F_OK) ? strerror(errno) : "it is not an executable file");
}

int p2e_executable_find(const char *command, char *path, size_t size, struct p2e_error *err)
{
    if (strchr(command, '/'))
        return find_path(command, path, size, err);
    const char *folders = getenv("PATH"), *end;
    folders = folders ? folders : "/bin:/usr/bin";
    for (;; folders = end + 1) {
        end = strchrnul(folders, ':');
        // An empty one is the working folder.
        int length = (int)(end - folders);
        int needed =
            snprintf(path, size, "%.*s%s%s", length, folders, length ? "/" : "./", command);
        if (*command && needed < (int)size && is_runnable(path))
            return 0;
        if (!*end)
            return p2e_error_set(err, "there is no command \"%s\" in PATH", command);
    }
}

// ---- What it is ---------------------------------------------------------------------------------
// The dynamic loader ignores LD_PRELOAD where running the file changes who the process is.
static int check_privilege(const char *path, int fd, struct p2e_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return p2e_error_set(err, "cannot look at %s: %s", path, strerror(errno));
    bool user = st.st_mode & S_ISUID && st.st_uid != geteuid();
    bool group = st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getegid();
    if (user || group)
        return p2e_error_set(err, "%s is set-%s-ID: the loader ignores LD_PRELOAD for it" NO_FILTER,
                             path, user ? "user" : "group");
    if (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return p2e_error_set(
            err, "%s has file capabilities: the loader ignores LD_PRELOAD for it" NO_FILTER, path);
    return 0;
}

// The loader's path as far as it fits, "" for none.
static void read_loader(int fd, const Elf64_Ehdr *header, char *loader, size_t size)
{
    *loader = '\0';
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(header->e_phoff + i * sizeof(segment));
        if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
            return;
        if (segment.p_type != PT_INTERP)
            continue;
        ssize_t length = pread(fd, loader, size - 1, (off_t)segment.p_offset);
        loader[length > 0 ? length : 0] = '\0';
        return;
    }
}

static bool is_musl(const char *loader)
{
    return strstr(loader, "/ld-musl-");
}

static int own_header(Elf64_Ehdr *header)
{
    _cleanup_fd_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return pread(fd, header, sizeof(*header), 0) == sizeof(*header) ? 0 : -1;
}

static int check_elf(const char *path, int fd, const Elf64_Ehdr *header, struct p2e_error *err)
{
    Elf64_Ehdr own;
    char loader[64];
    if (own_header(&own) < 0)
        return p2e_error_set(err, "cannot read /proc/self/exe: is /proc mounted?");
    if (header->e_ident[EI_CLASS] != own.e_ident[EI_CLASS] || header->e_machine != own.e_machine)
        return p2e_error_set(err, "%s is of another architecture than libp2e.so" NO_FILTER, path);
    read_loader(fd, header, loader, sizeof(loader));
    if (is_musl(loader))
        return p2e_error_set(err,
                             "%s is linked with musl, and p2e run preloads a library for glibc; "
                             "publish the filters (p2e load, or p2e agent), and start it by "
                             "itself with the library for musl: LD_PRELOAD=…/p2e/musl/libp2e.so",
                             path);
    if (!*loader)
        return p2e_error_set(
            err, "%s is a static binary: there is no loader to preload a library" NO_FILTER, path);
    return 0;
}

static int check_file(const char *path, unsigned depth, char program[PATH_MAX],
                      struct p2e_error *err);

// "#! INTERPRETER [ARGUMENT]". A script's own set-user-ID bit does nothing.
static int check_script(const char *path, char *line, unsigned depth, char program[PATH_MAX],
                        struct p2e_error *err)
{
    char *interpreter = line + 2 + strspn(line + 2, " \t");
    interpreter[strcspn(interpreter, " \t\n")] = '\0';
    if (!*interpreter)
        return p2e_error_set(err, "%s names no interpreter after #!", path);
    return check_file(interpreter, depth + 1, program, err);
}

static int check_binary(const char *path, int fd, const Elf64_Ehdr *header, char program[PATH_MAX],
                        struct p2e_error *err)
{
    if (check_privilege(path, fd, err) < 0 || check_elf(path, fd, header, err) < 0)
        return -1;
    if (!realpath(path, program))
        return p2e_error_set(err, "cannot look at %s: %s", path, strerror(errno));
    return 0;
}

static int check_file(const char *path, unsigned depth, char program[PATH_MAX],
                      struct p2e_error *err)
{
    union {
        Elf64_Ehdr elf;
        char line[257];
    } head = {.line = ""};
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, head.line, sizeof(head.line) - 1) < 0)
        return p2e_error_set(err, "cannot read %s to see whether a library can be preloaded: %s",
                             path, strerror(errno));
    if (!memcmp(head.line, ELFMAG, SELFMAG))
        return check_binary(path, fd, &head.elf, program, err);
    if (memcmp(head.line, "#!", 2))
        return p2e_error_set(err, "%s is neither an ELF binary nor a script with #!", path);
    if (depth == SCRIPT_DEPTH)
        return p2e_error_set(err, "%s: more than %d interpreters of interpreters", path,
                             SCRIPT_DEPTH);
    return check_script(path, head.line, depth, program, err);
}

int p2e_executable_check(const char *path, char program[PATH_MAX], struct p2e_error *err)
{
    return check_file(path, 0, program, err);
}
