#include "compiler/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SAID_MAX         16384
#define SECONDS_VARIABLE "P2E_COMPILE_SECONDS"

extern char **environ;

// A file rather than a pipe: neither side ever waits for the other.
static int input_file(const void *input, size_t size, struct p2e_error *err)
{
    _cleanup_fd_ int fd = memfd_create("p2e-input", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < size) {
        ssize_t written = write(fd, (const char *)input + done, size - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    if (fd < 0 || done < size || lseek(fd, 0, SEEK_SET) < 0)
        return p2e_error_set(err, "cannot hand over %zu bytes of input: %s", size, strerror(errno));
    return TAKE_FD(fd);
}

static int spawn(char *const argv[], int input, int said, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code)
        return code;
    if (!(code = posix_spawn_file_actions_adddup2(&actions, input, 0)) &&
        !(code = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)) &&
        !(code = posix_spawn_file_actions_adddup2(&actions, said, 2)))
        code = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

// 0 where it is no number in the range.
static unsigned parse_seconds(const char *given)
{
    size_t digits = strspn(given, "0123456789");
    unsigned long seconds = given[digits] ? 0 : strtoul(given, NULL, 10);
    return seconds <= P2E_PROCESS_SECONDS_MOST ? (unsigned)seconds : 0;
}

unsigned p2e_process_seconds(void)
{
    const char *given = getenv(SECONDS_VARIABLE);
    unsigned seconds = given ? parse_seconds(given) : 0;
    return seconds ? seconds : P2E_PROCESS_SECONDS;
}

static int check_seconds(struct p2e_error *err)
{
    const char *given = getenv(SECONDS_VARIABLE);
    if (!given || !*given || parse_seconds(given))
        return 0;
    return p2e_error_set(err, SECONDS_VARIABLE " is a number from 1 to %d, not \"%s\"",
                         P2E_PROCESS_SECONDS_MOST, given);
}

// What is handed to a tool may make it work for hours. It has begun already, and may have ended.
static void limit(pid_t pid)
{
    // LLVM's tools take the first SIGXCPU to tidy up, and end with the one a second later.
    unsigned seconds = p2e_process_seconds();
    const struct rlimit time = {seconds, seconds + 2};
    static const struct rlimit memory = {P2E_PROCESS_MEMORY, P2E_PROCESS_MEMORY};
    static const struct rlimit no_core = {0, 0}; // which SIGXCPU would leave
    prlimit(pid, RLIMIT_CORE, &no_core, NULL);
    prlimit(pid, RLIMIT_CPU, &time, NULL);
    prlimit(pid, RLIMIT_DATA, &memory, NULL);
}

// Reads to the end, so that the writer never blocks; keeps the beginning.
static void drain(int fd, struct p2e_buffer *said)
{
    char chunk[4096];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size_t room = said->size < SAID_MAX ? SAID_MAX - said->size : 0;
        p2e_buffer_add(said, chunk, (size_t)got < room ? (size_t)got : room);
    }
    while (said->size && said->data[said->size - 1] == '\n')
        said->data[--said->size] = '\0';
}

// LLVM's tools may answer SIGXCPU with a report of their own, and the status of an error. The
// kernel compares the limit with what it counts in ticks, which on a busy machine may be more than
// was used.
static bool took_all_its_time(const struct rusage *used)
{
    const int64_t second = 1000000, limit = p2e_process_seconds() * second;
    int64_t time = (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * second +
                   used->ru_utime.tv_usec + used->ru_stime.tv_usec;
    return time >= limit - limit / 4;
}

static int wait_for(pid_t pid)
{
    int status;
    struct rusage used;
    while (wait4(pid, &status, 0, &used) < 0) {
        if (errno != EINTR)
            return 255;
    }
    if (status && took_all_its_time(&used))
        return 128 + SIGXCPU;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int p2e_process_run(char *const argv[], const char *remedy, const void *input, size_t input_size,
                    struct p2e_buffer *said, struct p2e_error *err)
{
    int ends[2];
    pid_t pid;
    if (check_seconds(err) < 0)
        return -1;
    _cleanup_fd_ int from = input_file(input, input_size, err);
    if (from < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return p2e_error_set(err, "cannot run \"%s\": %s", argv[0], strerror(errno));
    _cleanup_fd_ int from_child = ends[0];
    int code = spawn(argv, from, ends[1], &pid);
    close(ends[1]);
    if (code == ENOENT)
        return p2e_error_set(err, "\"%s\" is not installed: %s", argv[0], remedy);
    if (code)
        return p2e_error_set(err, "cannot run \"%s\": %s", argv[0], strerror(code));
    limit(pid);
    drain(from_child, said);
    return wait_for(pid);
}
