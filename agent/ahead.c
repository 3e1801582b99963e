#include "agent/ahead.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/build.h"
#include "base/cleanup.h"

#define PATIENCE 5000 // milliseconds for the child to end when it is told to

// In memory that the child shares: there is nothing to be read in pieces.
struct p2e_ahead_result {
    enum p2e_ahead_state state;
    struct p2e_error err;
};

// ---- The child ----------------------------------------------------------------------------------
// What it runs ends, so that it finds its tool failed and tidies up. From then on it ignores the
// signal, which is how it knows.
static void on_end(int signal)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    sigaction(signal, &ignored, NULL);
    kill(0, signal);
}

static bool is_to_end(void)
{
    struct sigaction now;
    return sigaction(SIGTERM, NULL, &now) < 0 || now.sa_handler == SIG_IGN;
}

// A group of its own, for what it runs to be ended with it. It must not keep the agent's sockets
// open, which a successor takes for a sign of life.
static int part_from(pid_t parent)
{
    const struct sigaction end = {.sa_handler = on_end};
    sigset_t none;
    sigemptyset(&none);
    if (setpgid(0, 0) < 0 || sigaction(SIGTERM, &end, NULL) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent ||
        syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) < 0)
        return -1;
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static void build(const struct p2e_config *config, const struct p2e_filter *filter,
                  struct p2e_ahead_result *result)
{
    bool compiled;
    int failed = p2e_build_update(config->object_dir, filter, false, &compiled, &result->err);
    result->state = failed < 0 ? P2E_AHEAD_FAILED : P2E_AHEAD_CURRENT;
}

static _Noreturn void work(pid_t parent, const struct p2e_config *config,
                           struct p2e_ahead_result *results)
{
    if (part_from(parent) < 0)
        _exit(1);
    for (size_t i = 0; i < config->filter_count && !is_to_end(); i++)
        build(config, &config->filters[i], &results[i]);
    _exit(0);
}

// ---- The parent ---------------------------------------------------------------------------------
static int start_child(const struct p2e_config *config, struct p2e_ahead *ahead)
{
    pid_t parent = getpid();
    ahead->child = fork();
    if (ahead->child == 0)
        work(parent, config, ahead->all);
    if (ahead->child < 0)
        return -1;
    ahead->ended = (int)syscall(SYS_pidfd_open, ahead->child, 0);
    return ahead->ended < 0 ? -1 : 0;
}

int p2e_ahead_start(const struct p2e_config *config, struct p2e_ahead *ahead, struct p2e_error *err)
{
    size_t size = config->filter_count * sizeof(*ahead->all);
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *ahead = P2E_NOT_AHEAD;
    if (shared == MAP_FAILED)
        return p2e_error_set(err, "cannot share memory with a process that compiles: %m");
    ahead->all = shared;
    ahead->count = config->filter_count;
    if (start_child(config, ahead) == 0)
        return 0;
    p2e_error_set(err, "cannot start a process that compiles: %m");
    p2e_ahead_stop(ahead);
    return -1;
}

enum p2e_ahead_state p2e_ahead_state(const struct p2e_ahead *ahead, size_t filter,
                                     struct p2e_error *err)
{
    if (filter >= ahead->count)
        return P2E_AHEAD_UNKNOWN;
    *err = ahead->all[filter].err;
    return ahead->all[filter].state;
}

// It cannot refuse the second signal; what it runs is of its group.
static void end_child(const struct p2e_ahead *ahead)
{
    struct pollfd wait = {.fd = ahead->ended, .events = POLLIN};
    kill(ahead->child, SIGTERM);
    if (ahead->ended < 0 || poll(&wait, 1, PATIENCE) <= 0) {
        kill(ahead->child, SIGKILL);
        kill(-ahead->child, SIGKILL);
    }
    waitpid(ahead->child, NULL, 0);
}

void p2e_ahead_stop(struct p2e_ahead *ahead)
{
    if (ahead->child > 0)
        end_child(ahead);
    p2e_cleanup_fd(&ahead->ended);
    if (ahead->all)
        munmap(ahead->all, ahead->count * sizeof(*ahead->all));
    *ahead = P2E_NOT_AHEAD;
}
