// A terminal that shows one page at a time, and is given back as it was.
#ifndef P2E_CLI_SCREEN_H
#define P2E_CLI_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

#include "base/error.h"

struct p2e_screen {
    struct termios before;
    sigset_t signals_before;
    int signals; // a signalfd: signals would end us with the terminal in disorder
    int columns, rows;
};

enum p2e_screen_event {
    P2E_SCREEN_TIME,   // the time is up
    P2E_SCREEN_REDRAW, // the terminal's size has changed, or we were stopped
    P2E_SCREEN_QUIT,   // q, or the end of the input
    P2E_SCREEN_SIGNAL, // *signal is to end us
};

// Are standard input and output a terminal that can do it?
bool p2e_screen_possible(void);
int p2e_screen_open(struct p2e_screen *screen, struct p2e_error *err);
// Safe to call twice.
void p2e_screen_close(struct p2e_screen *screen);

// Puts a page of lines onto the screen; what does not fit is cut off.
void p2e_screen_show(const struct p2e_screen *screen, const char *page);
// Waits for a key, a signal, or so many milliseconds.
enum p2e_screen_event p2e_screen_wait(struct p2e_screen *screen, int milliseconds, int *signal);

#endif
