#include "agent/agent.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/apply.h"
#include "agent/notify.h"
#include "base/cleanup.h"
#include "loader/published.h"

// A change is applied when nothing has changed for a while, but not put off for ever.
#define QUIET_NS    100000000
#define PATIENCE_NS 1000000000ull
#define ROUNDS_MAX  5 // to find the files that make up the configuration while they change
// Subjects of remarks; no filter is called so.
#define SUBJECT_CONFIG ""
#define SUBJECT_TABLE  "~" // no filter has such a name
#define SUBJECT_WATCH  "."

// ---- Time ---------------------------------------------------------------------------------------
static uint64_t nanoseconds(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static void schedule(struct p2e_agent *agent)
{
    struct itimerspec soon = {.it_value.tv_nsec = QUIET_NS};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!nanoseconds(&agent->change))
        agent->change = now;
    if (nanoseconds(&now) - nanoseconds(&agent->change) < PATIENCE_NS)
        timerfd_settime(agent->timer, 0, &soon, NULL);
}

// As soon as the loop is reached; zero would mean never.
static void schedule_now(struct p2e_agent *agent)
{
    static const struct itimerspec now = {.it_value.tv_nsec = 1};
    timerfd_settime(agent->timer, 0, &now, NULL);
}

static void unschedule(struct p2e_agent *agent)
{
    static const struct itimerspec never = {0};
    timerfd_settime(agent->timer, 0, &never, NULL);
    agent->change = (struct timespec){0};
}

// ---- Signals ------------------------------------------------------------------------------------
static void read_signals(struct p2e_agent *agent)
{
    struct signalfd_siginfo signal;
    while (read(agent->signals, &signal, sizeof(signal)) == sizeof(signal)) {
        if (signal.ssi_signo == SIGHUP)
            schedule_now(agent); // in the midst of applying, too: it is applied once more
        else
            p2e_loop_end(&agent->loop);
    }
}

// ---- Watching -----------------------------------------------------------------------------------
static void on_change(void *context, int fd, short events)
{
    struct p2e_agent *agent = context;
    (void)fd, (void)events;
    if (p2e_watch_read(&agent->watch))
        schedule(agent);
}

static int take_watch(struct p2e_agent *agent, struct p2e_watch *watch, struct p2e_error *err)
{
    if (agent->watch.fd >= 0)
        p2e_loop_remove(&agent->loop, agent->watch.fd);
    p2e_watch_close(&agent->watch);
    agent->watch = *watch;
    *watch = P2E_NO_WATCH;
    return p2e_loop_add(&agent->loop, agent->watch.fd, POLLIN, on_change, agent, err);
}

// 1: nothing new has to be watched; 0: something had to be, and is from now on.
static int watch(struct p2e_agent *agent, const struct p2e_config *config, const char *any_in,
                 struct p2e_error *err)
{
    _cleanup_(p2e_paths_free) struct p2e_paths paths = {0};
    _cleanup_(p2e_watch_close) struct p2e_watch fresh = P2E_NO_WATCH;
    p2e_paths_add(&paths, agent->config_path);
    p2e_depend(config, agent->compile, &paths);
    if (p2e_watch_open(&paths, any_in, &fresh, err) < 0)
        return -1;
    if (p2e_watch_equal(&fresh, &agent->watch))
        return 1;
    return take_watch(agent, &fresh, err);
}

// ---- Reading ------------------------------------------------------------------------------------
// A configuration with a fault does not tell what it consists of: what the last one consisted of is
// watched, and all in its folder, where the names that it includes are looked for.
static void watch_broken(struct p2e_agent *agent)
{
    const char *slash = strrchr(agent->config_path, '/');
    _cleanup_free_ char *folder =
        slash ? strndup(agent->config_path, (size_t)(slash - agent->config_path) + 1) : strdup(".");
    struct p2e_error err;
    int same = folder ? watch(agent, &agent->config, folder, &err) : 1;
    if (same < 0)
        p2e_remark_fault(&agent->remarks, SUBJECT_WATCH, err.text);
    if (same == 0)
        schedule(agent); // it may have been mended before it came under watch
}

// Read again after what it consists of has come under watch: nothing that changes in between is
// missed.
static int read_config(struct p2e_agent *agent, struct p2e_config *config, struct p2e_error *err)
{
    int same = 0;
    for (int round = 0; round < ROUNDS_MAX && same == 0; round++) {
        p2e_config_free(config);
        if (p2e_config_load(agent->config_path, config, err) < 0)
            return -1;
        same = watch(agent, config, NULL, err);
    }
    if (same == 0)
        schedule(agent);
    return same < 0 ? -1 : 0;
}

// ---- Applying -----------------------------------------------------------------------------------
static bool is_pinned(const struct p2e_config *config, const char *name)
{
    struct p2e_handles handles;
    struct p2e_description description;
    int found = p2e_pins_open(config->pin_dir, name, &handles, &description, NULL);
    p2e_handles_close(&handles);
    p2e_description_free(&description);
    return found > 0;
}

static void tell_failure(struct p2e_agent *agent, const struct p2e_filter *filter,
                         struct p2e_error *err)
{
    bool keeps = is_pinned(&agent->config, filter->name);
    p2e_error_prefix(err, "%s", keeps ? "the old program stays" : "not loaded");
    p2e_remark_fault(&agent->remarks, filter->name, err->text);
}

// What was compiled ahead is not compiled again: neither what is current nor what fails.
static int bring(struct p2e_agent *agent, const struct p2e_filter *filter, enum p2e_pinned *pinned,
                 struct p2e_error *err)
{
    size_t index = (size_t)(filter - agent->config.filters);
    enum p2e_ahead_state ahead = p2e_ahead_state(&agent->ahead, index, err);
    if (ahead == P2E_AHEAD_FAILED)
        return -1;
    bool compile = agent->compile && ahead != P2E_AHEAD_CURRENT;
    return p2e_apply_filter(&agent->config, filter, compile, pinned, err);
}

static int apply_filter(struct p2e_agent *agent, const struct p2e_filter *filter)
{
    enum p2e_pinned pinned;
    struct p2e_error err;
    if (bring(agent, filter, &pinned, &err) < 0) {
        tell_failure(agent, filter, &err);
        return -1;
    }
    bool mended = p2e_remark_clear(&agent->remarks, filter->name);
    if (mended || pinned != P2E_PINNED_ALREADY)
        p2e_remark_say("filter \"%s\": %s", filter->name, p2e_apply_name(pinned));
    return 0;
}

static void tell_gone(struct p2e_agent *agent)
{
    _cleanup_(p2e_names_free) struct p2e_names gone = {0};
    struct p2e_error err;
    if (p2e_apply_gone(&agent->config, &gone, &err) < 0)
        return; // the filters' own failures have said it
    for (size_t i = 0; i < gone.count; i++) {
        p2e_error_set(&err,
                      "filter \"%s\" is pinned and not in %s; a server may use it, so it is left "
                      "alone; p2e unload %s removes it",
                      gone.names[i], agent->config_path, gone.names[i]);
        p2e_remark_fault(&agent->remarks, gone.names[i], err.text);
    }
}

// The table for servers that have no configuration: last, so that it names what is pinned.
static void publish(struct p2e_agent *agent)
{
    struct p2e_error err;
    if (p2e_published_write(&agent->config, &err) < 0)
        p2e_remark_fault(&agent->remarks, SUBJECT_TABLE, err.text);
    else
        p2e_remark_clear(&agent->remarks, SUBJECT_TABLE);
}

// How many filters could not be loaded.
static size_t apply_filters(struct p2e_agent *agent)
{
    size_t failed = 0;
    for (size_t i = 0; i < agent->config.filter_count && !agent->loop.ended; i++) {
        failed += apply_filter(agent, &agent->config.filters[i]) < 0;
        read_signals(agent); // compiling takes its time, and ending is not to wait for all of it
    }
    tell_gone(agent);
    // A table without filters is one, too: servers are not to go on with those that are gone.
    if (failed < agent->config.filter_count || !agent->config.filter_count)
        publish(agent);
    return failed;
}

static void count(struct p2e_agent *agent, bool succeeded)
{
    if (succeeded)
        agent->reloads.succeeded++;
    else
        agent->reloads.failed++;
}

static void tell_unread(struct p2e_agent *agent, struct p2e_error *err)
{
    count(agent, false);
    p2e_error_prefix(err, "all stays as it was");
    p2e_remark_fault(&agent->remarks, SUBJECT_CONFIG, err->text);
    watch_broken(agent);
}

// What was read takes the place of what it was.
static void apply(struct p2e_agent *agent)
{
    p2e_config_free(&agent->config);
    agent->config = agent->next;
    agent->next = (struct p2e_config){0};
    count(agent, apply_filters(agent) == 0);
}

// ---- Reloading ----------------------------------------------------------------------------------
// A change that comes before it has ended is applied afterwards.
static void on_compiled(void *context, int fd, short events)
{
    struct p2e_agent *agent = context;
    (void)events;
    p2e_loop_remove(&agent->loop, fd);
    apply(agent);
    p2e_ahead_stop(&agent->ahead);
    p2e_notify("READY=1");
    if (agent->again)
        schedule_now(agent);
    agent->again = false;
}

static int compile_ahead(struct p2e_agent *agent)
{
    struct p2e_error ignored; // it is compiled here then
    if (!agent->compile || !agent->next.filter_count)
        return -1;
    if (p2e_ahead_start(&agent->next, &agent->ahead, &ignored) < 0)
        return -1;
    if (p2e_loop_add(&agent->loop, agent->ahead.ended, POLLIN, on_compiled, agent, &ignored) == 0)
        return 0;
    p2e_ahead_stop(&agent->ahead);
    return -1;
}

static void reload(struct p2e_agent *agent)
{
    struct p2e_error err;
    p2e_notify_reloading();
    unschedule(agent);
    if (read_config(agent, &agent->next, &err) < 0) {
        tell_unread(agent, &err);
    } else {
        if (p2e_remark_clear(&agent->remarks, SUBJECT_CONFIG))
            p2e_remark_say("%s: read", agent->config_path);
        if (compile_ahead(agent) == 0)
            return; // on_compiled goes on
        apply(agent);
    }
    p2e_notify("READY=1");
}

// ---- Callbacks ----------------------------------------------------------------------------------
static void on_time(void *context, int fd, short events)
{
    struct p2e_agent *agent = context;
    uint64_t expirations;
    (void)events;
    if (read(fd, &expirations, sizeof(expirations)) != sizeof(expirations))
        return;
    if (agent->ahead.ended >= 0)
        agent->again = true;
    else
        reload(agent);
}

static void on_signal(void *context, int fd, short events)
{
    (void)fd, (void)events;
    read_signals(context);
}

// ---- From begin to end --------------------------------------------------------------------------
static int open_signals(struct p2e_agent *agent, struct p2e_error *err)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    agent->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (agent->signals < 0)
        return p2e_error_set(err, "cannot wait for signals: %m");
    return p2e_loop_add(&agent->loop, agent->signals, POLLIN, on_signal, agent, err);
}

static int open_timer(struct p2e_agent *agent, struct p2e_error *err)
{
    agent->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (agent->timer < 0)
        return p2e_error_set(err, "cannot make a timer: %m");
    return p2e_loop_add(&agent->loop, agent->timer, POLLIN, on_time, agent, err);
}

static int check_privilege(struct p2e_error *err)
{
    const char *missing = p2e_missing_capabilities();
    if (!missing)
        return 0;
    return p2e_error_set(err,
                         "loading programs needs %s, which this process has not got; run it as "
                         "root, or give it the capability (systemd: AmbientCapabilities)",
                         missing);
}

static int recover(struct p2e_agent *agent, struct p2e_error *err)
{
    struct p2e_recovery done;
    if (p2e_pins_recover(agent->config.pin_dir, &done, err) < 0)
        return -1;
    if (done.refused)
        p2e_remark_say("%s", err->text);
    if (done.removed || done.finished || done.refilled)
        p2e_remark_say("mended what a process that died had left in %s: %zu folders removed, %zu "
                       "replacements finished, %zu slots filled",
                       agent->config.pin_dir, done.removed, done.finished, done.refilled);
    return 0;
}

static int begin(struct p2e_agent *agent, struct p2e_error *err)
{
    if (check_privilege(err) < 0 || open_signals(agent, err) < 0 || open_timer(agent, err) < 0 ||
        read_config(agent, &agent->config, err) < 0 || recover(agent, err) < 0)
        return -1;
    size_t failed = apply_filters(agent);
    if (failed && failed == agent->config.filter_count)
        return p2e_error_set(err, "none of the filters in %s could be loaded", agent->config_path);
    return 0;
}

int p2e_agent_open(const char *config_path, bool compile, struct p2e_agent *agent,
                   struct p2e_error *err)
{
    *agent = P2E_NO_AGENT;
    agent->config_path = config_path;
    agent->compile = compile;
    if (begin(agent, err) == 0)
        return 0;
    p2e_agent_close(agent);
    return -1;
}

int p2e_agent_run(struct p2e_agent *agent, struct p2e_error *err)
{
    p2e_notify("READY=1");
    int result = p2e_loop_run(&agent->loop, err);
    p2e_notify("STOPPING=1");
    return result;
}

void p2e_agent_close(struct p2e_agent *agent)
{
    p2e_ahead_stop(&agent->ahead);
    p2e_watch_close(&agent->watch);
    p2e_cleanup_fd(&agent->timer);
    p2e_cleanup_fd(&agent->signals);
    p2e_loop_free(&agent->loop);
    p2e_remarks_free(&agent->remarks);
    p2e_config_free(&agent->next);
    p2e_config_free(&agent->config);
    *agent = P2E_NO_AGENT;
}
