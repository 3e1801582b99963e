#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/build.h"
#include "base/cleanup.h"
#include "base/live.h"
#include "cli/common.h"
#include "cli/executable.h"
#include "cli/options.h"

#define LIBRARY      "libp2e.so"
#define LIVE_SECONDS 10 // how long a loader may take to bring the library to life
#define MISSED_LOOKS 5  // a second apart

// ---- Beforehand ---------------------------------------------------------------------------------
static int compile_stale(const struct p2e_config *config, struct p2e_error *err)
{
    for (size_t i = 0; i < config->filter_count; i++) {
        bool compiled;
        if (p2e_build_update(config->object_dir, &config->filters[i], false, &compiled, err) < 0)
            return -1;
    }
    return 0;
}

static int check_rules(const struct p2e_config *config, const struct p2e_filter *filter,
                       const struct p2e_description *pinned, struct p2e_error *err)
{
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);
    if (!canonical)
        return p2e_error_set(err, "out of memory");
    if (!strcmp(canonical, pinned->canonical))
        return 0;
    return p2e_error_set(err, "what is pinned in %s/%s is of other rules than %s has",
                         config->pin_dir, filter->name, config->path);
}

static int check_pinned(const struct p2e_config *config, const struct p2e_filter *filter,
                        struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description pinned = {0};
    int found = p2e_pins_open(config->pin_dir, filter->name, &handles, &pinned, err);
    if (found < 0)
        return -1;
    if (!found)
        return p2e_error_set(err, "it is not pinned in %s", config->pin_dir);
    return check_rules(config, filter, &pinned, err);
}

// Whoever may not load needs every program pinned. `program` is the path of what will run.
static int check_privilege(const struct p2e_config *config, const char *program,
                           struct p2e_error *err)
{
    const char *missing = p2e_missing_capabilities();
    struct p2e_error reason;
    for (size_t i = 0; missing && i < config->filter_count; i++) {
        const struct p2e_filter *filter = &config->filters[i];
        bool other = filter->program && strcmp(filter->program, basename(program));
        if (other || filter->on_error == P2E_OPEN || check_pinned(config, filter, &reason) == 0)
            continue;
        return p2e_error_set(
            err,
            "filter \"%s\": %s, and this process may not load it (no %s): run it "
            "once with the privilege, which leaves it pinned, or give this one the "
            "capability",
            filter->name, reason.text, missing);
    }
    return 0;
}

// Beside the command when it runs from the tree, else where it was installed.
static int find_library(char *path, size_t size, struct p2e_error *err)
{
    static const char *const places[] = {
        LIBRARY, "../lib/" LIBRARY, "../lib/" P2E_MULTIARCH "/" LIBRARY, "../lib/p2e/" LIBRARY};
    char self[2048];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0)
        return p2e_error_set(err, "cannot read /proc/self/exe: is /proc mounted?");
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    if (strpbrk(self, " :$"))
        return p2e_error_set(err,
                             "LD_PRELOAD takes no path with a blank, a colon or a dollar sign, and "
                             "p2e is in %s: move it",
                             self);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        snprintf(path, size, "%s/%s", self, places[i]);
        if (!access(path, R_OK))
            return 0;
    }
    return p2e_error_set(err, "there is no " LIBRARY " in %s or in %s/../lib", self, self);
}

// ---- The watcher --------------------------------------------------------------------------------
struct watch {
    int command; // a pidfd of the process that becomes the command
    int live;    // where the library reports
    pid_t pid;
};

static bool wait_on(int fd, int seconds)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int ready;
    while ((ready = poll(&waiting, 1, seconds * 1000)) < 0 && errno == EINTR)
        continue;
    return ready > 0;
}

// A command that ends on its own needs no watching; its end of the pipe closes a moment before.
static bool came_alive(const struct watch *w)
{
    char line[64];
    if (wait_on(w->live, LIVE_SECONDS) && read(w->live, line, sizeof(line)) > 0)
        return true;
    return wait_on(w->command, 1);
}

// True as well where the kernel does not let us look.
static bool has_library(const struct watch *w)
{
    char path[64];
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)w->pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return true;
    while (!found && getline(&line, &capacity, maps) >= 0)
        found = strstr(line, "/" LIBRARY);
    found = found || ferror(maps);
    fclose(maps);
    return found;
}

// On the way to the server something (env -i, sudo, chroot) may leave the library behind. Just
// after an exec it is not there for a moment, so it takes several looks to know.
static bool stays_alive(const struct watch *w)
{
    int missed = 0;
    for (int look = 0; look < LIVE_SECONDS && missed < MISSED_LOOKS; look++) {
        if (wait_on(w->command, 1))
            return true;
        missed = has_library(w) ? 0 : missed + 1;
    }
    return missed < MISSED_LOOKS;
}

static void end_command(const struct watch *w, const char *command, const char *what)
{
    fprintf(stderr, "p2e run: " LIBRARY " %s ", what);
    p2e_put(stderr, command, 0);
    fprintf(stderr, " (process %d); it is ended, for it would run unfiltered\n", (int)w->pid);
    syscall(SYS_pidfd_send_signal, w->command, SIGKILL, NULL, 0);
}

// Holds nothing open that the command's readers and writers could wait for, but standard error.
static void let_go(struct watch *w)
{
    w->live = dup2(w->live, STDIN_FILENO);
    w->command = dup2(w->command, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
}

// Outlives the exec: a child of init, so that the command has no child that it does not know.
static void watch(struct watch *w, const char *command)
{
    let_go(w);
    if (!came_alive(w))
        end_command(w, command, "did not come alive in");
    else if (!stays_alive(w))
        end_command(w, command, "was left behind by");
}

// A signal to the command's group is not for the watcher.
static void block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

static int fork_watcher(struct watch *w, const char *command)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        block_signals();
        pid_t watcher = fork();
        if (watcher == 0)
            watch(w, command);
        _exit(watcher < 0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return child > 0 && status == 0 ? 0 : -1;
}

// Leaves the writing end of a pipe in the environment for the library (base/live.h).
static int start_watcher(const char *command, struct p2e_error *err)
{
    int ends[2];
    struct stat st;
    char value[64];
    if (pipe(ends) < 0 || fstat(ends[1], &st) < 0)
        return p2e_error_set(err, "cannot make a pipe: %s", strerror(errno));
    struct watch w = {.live = ends[0], .pid = getpid()};
    w.command = (int)syscall(SYS_pidfd_open, w.pid, 0);
    if (w.command < 0 || fork_watcher(&w, command) < 0)
        return p2e_error_set(err, "cannot start the watcher: %s", strerror(errno));
    close(w.live);
    close(w.command);
    snprintf(value, sizeof(value), "%d:%ju", ends[1], (uintmax_t)st.st_ino);
    return setenv(P2E_LIVE_VARIABLE, value, 1) ? p2e_error_set(err, "out of memory") : 0;
}

// ---- The command --------------------------------------------------------------------------------
static int set_environment(const struct p2e_config *config, const char *library,
                           struct p2e_error *err)
{
    const char *others = getenv("LD_PRELOAD");
    _cleanup_free_ char *config_path = realpath(config->path, NULL), *preload = NULL;
    bool more = others && *others;
    if (!config_path ||
        asprintf(&preload, "%s%s%s", library, more ? ":" : "", more ? others : "") < 0 ||
        setenv("LD_PRELOAD", preload, 1) || setenv("P2E_CONFIG", config_path, 1))
        return p2e_error_set(err, "cannot set up the environment: %s", strerror(errno));
    return 0;
}

static int prepare(const char *config_path, const char *command, char *path, size_t size,
                   struct p2e_error *err)
{
    char library[4096], program[PATH_MAX];
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_executable_find(command, path, size, err) < 0 ||
        p2e_executable_check(path, program, err) < 0 ||
        find_library(library, sizeof(library), err) < 0 ||
        p2e_read_config(config_path, &config, err) < 0)
        return -1;
    if (check_privilege(&config, program, err) < 0)
        return -1;
    // Without privilege only what is pinned counts, and that is compiled.
    if (!p2e_missing_capabilities() && compile_stale(&config, err) < 0)
        return -1;
    if (set_environment(&config, library, err) < 0)
        return -1;
    return start_watcher(command, err);
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    const char *config = NULL;
    char path[4096];
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &config},
        {0},
    };
    int first, status = p2e_parse_options(command, argc, argv, options, &first);
    if (status >= 0)
        return status;
    if (first == argc)
        return p2e_usage_error(command, "which command?");
    if (prepare(config, argv[first], path, sizeof(path), &err) < 0)
        return p2e_fail(command, &err);
    execv(path, argv + first);
    p2e_error_set(&err, "cannot run %s: %s", path, strerror(errno));
    return p2e_fail(command, &err);
}

const struct p2e_command p2e_run_command = {
    .name = "run",
    .usage = "[-c FILE] [--] COMMAND [ARGUMENT]…",
    .summary = "run a server with its sockets filtered",
    .help =
        "Compiles what is stale, preloads libp2e.so into COMMAND and becomes it: the process, its\n"
        "signals and its exit status are COMMAND's own. If the library does not come alive in it, "
        "or\n"
        "is left behind in its first ten seconds (env -i), it is ended. What cannot work is said\n"
        "beforehand: a static or set-user-ID binary, no privilege to load and nothing pinned.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --help           this text\n",
    .runs_command = true,
    .run = run,
};
