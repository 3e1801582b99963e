#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/printable.h"

#define ENTER      "\033[?1049h\033[?25l" // the alternate screen, no cursor
#define LEAVE      "\033[?25h\033[?1049l"
#define HOME       "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"

#define CONTROL_D 4

// ---- To the terminal and back -------------------------------------------------------------------
static void measure(struct p2e_screen *screen)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    screen->columns = size.ws_col;
    screen->rows = size.ws_row;
}

// Keys come at once and are not shown; those that make signals still do.
static void enter(struct p2e_screen *screen)
{
    struct termios raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    fputs(ENTER, stdout);
    fflush(stdout);
    measure(screen);
}

static void leave(const struct p2e_screen *screen)
{
    fputs(LEAVE, stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

bool p2e_screen_possible(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal && *terminal &&
           strcmp(terminal, "dumb");
}

int p2e_screen_open(struct p2e_screen *screen, struct p2e_error *err)
{
    static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        sigaddset(&set, taken[i]);
    screen->signals = -1;
    if (!tcgetattr(STDIN_FILENO, &screen->before))
        screen->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (screen->signals < 0)
        return p2e_error_set(err, "cannot use the terminal: %m; --batch needs none");
    sigprocmask(SIG_BLOCK, &set, &screen->signals_before);
    enter(screen);
    return 0;
}

void p2e_screen_close(struct p2e_screen *screen)
{
    if (screen->signals < 0)
        return;
    leave(screen);
    close(screen->signals);
    screen->signals = -1;
    sigprocmask(SIG_SETMASK, &screen->signals_before, NULL);
}

// ---- Showing ------------------------------------------------------------------------------------
// How many bytes of a line fit. It is printable, so that each character is its own form.
static size_t fitting(const char *line, size_t size, int columns)
{
    char form[P2E_PRINTABLE_SIZE];
    size_t fits = 0;
    while (fits < size) {
        size_t length = p2e_printable_next(line + fits, size - fits, form);
        columns -= (int)p2e_printable_columns(line + fits, length);
        if (columns < 0)
            break;
        fits += length;
    }
    return fits;
}

void p2e_screen_show(const struct p2e_screen *screen, const char *page)
{
    fputs(HOME, stdout);
    for (int row = 0; *page && row < screen->rows; row++) {
        size_t size = strcspn(page, "\n");
        // No newline after the last row, which would scroll.
        fputs(row ? "\n" : "", stdout);
        fwrite(page, 1, fitting(page, size, screen->columns), stdout);
        fputs(CLEAR_LINE, stdout);
        page += size + (page[size] == '\n');
    }
    fputs(CLEAR_REST, stdout);
    fflush(stdout);
}

// ---- Waiting ------------------------------------------------------------------------------------
static bool wants_to_quit(void)
{
    char keys[64];
    ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
    if (count <= 0)
        return count == 0 || errno != EINTR;
    return memchr(keys, 'q', (size_t)count) || memchr(keys, 'Q', (size_t)count) ||
           memchr(keys, CONTROL_D, (size_t)count);
}

static enum p2e_screen_event take_signal(struct p2e_screen *screen, int *signal)
{
    struct signalfd_siginfo info;
    if (read(screen->signals, &info, sizeof(info)) != sizeof(info))
        return P2E_SCREEN_QUIT;
    *signal = (int)info.ssi_signo;
    switch (*signal) {
    case SIGTSTP:
        leave(screen);
        raise(SIGSTOP);
        enter(screen);
        return P2E_SCREEN_REDRAW;
    case SIGWINCH:
        measure(screen);
        return P2E_SCREEN_REDRAW;
    default:
        return P2E_SCREEN_SIGNAL;
    }
}

enum p2e_screen_event p2e_screen_wait(struct p2e_screen *screen, int milliseconds, int *signal)
{
    struct pollfd waiting[] = {{screen->signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    int ready = poll(waiting, 2, milliseconds);
    if (ready == 0)
        return P2E_SCREEN_TIME;
    if (ready < 0)
        return errno == EINTR ? P2E_SCREEN_REDRAW : P2E_SCREEN_QUIT;
    if (waiting[0].revents)
        return take_signal(screen, signal);
    return wants_to_quit() ? P2E_SCREEN_QUIT : P2E_SCREEN_REDRAW;
}
