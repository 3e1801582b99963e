#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/shim.h"

// A write to a pipe that nobody reads any more must not end the server: its SIGPIPE is taken back.
static void write_quietly(const char *line, size_t size)
{
    sigset_t pipe_signal, before, pending;
    bool was_pending;
    ssize_t written;

    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    written = write(STDERR_FILENO, line, size);
    if (written < 0 && errno == EPIPE && !was_pending)
        sigtimedwait(&pipe_signal, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

// A server may have closed its standard error and opened a connection in its place.
static bool is_writable(void)
{
    const struct stat *first = &p2e_shim()->standard_error;
    struct stat now;

    if (fstat(STDERR_FILENO, &now))
        return false;
    return !S_ISSOCK(now.st_mode) || (now.st_dev == first->st_dev && now.st_ino == first->st_ino);
}

static void say(const char *what, const struct p2e_error *err, const char *outcome)
{
    char line[sizeof(err->text) + 256];
    int length = snprintf(line, sizeof(line), "p2e: %s%s; %s\n", what, err->text, outcome);

    if (is_writable())
        write_quietly(line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

int p2e_policy(const struct p2e_filter *filter, const struct p2e_error *err)
{
    bool open = filter->on_error == P2E_OPEN;
    char what[P2E_NAME_MAX + 16];

    snprintf(what, sizeof(what), "filter \"%s\": ", filter->name);
    say(what, err,
        open ? "the socket goes on unfiltered (on_error = \"open\")" : "the socket is refused");
    errno = EACCES;
    return open ? 0 : -1;
}

int p2e_policy_closed(const struct p2e_error *err)
{
    say("", err, "the socket is refused");
    errno = EACCES;
    return -1;
}
