#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/sys.h"

// ---- Is it still what is pinned? ----------------------------------------------------------------
static int look(const char *pin_dir, const char *name, struct p2e_pin *pin)
{
    char path[PATH_MAX];
    struct stat st;

    *pin = (struct p2e_pin){0};
    if ((size_t)snprintf(path, sizeof(path), "%s/%s/" P2E_PIN_ENTRY, pin_dir, name) >=
        sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (stat(path, &st))
        return -1;
    *pin = (struct p2e_pin){st.st_dev, st.st_ino};
    return 0;
}

void p2e_current_find(const char *pin_dir, const char *name, struct p2e_pin *pin)
{
    look(pin_dir, name, pin);
}

bool p2e_current_is(const char *pin_dir, const char *name, const struct p2e_pin *pin)
{
    struct p2e_pin now;

    if (!look(pin_dir, name, &now))
        return now.device == pin->device && now.inode == pin->inode;
    // Nothing was pinned then either; or the pins are hidden, or out of reach.
    return !pin->inode || errno != ENOENT || p2e_folder_check(pin_dir, NULL) <= 0;
}

// ---- Opening it again ---------------------------------------------------------------------------
static bool is_of_transport(const struct p2e_filter *filter, int options_fd)
{
    struct p2e_options wanted, pinned;

    p2e_options_for(filter->transport, filter->mode, &wanted);
    return !p2e_options_read(options_fd, &pinned, NULL) && !pinned.probe &&
           pinned.payload_offset == wanted.payload_offset;
}

int p2e_current_program(const char *pin_dir, const struct p2e_filter *filter, int *program,
                        struct p2e_error *err)
{
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    _cleanup_(p2e_description_free) struct p2e_description description = {0};
    int found = p2e_pins_open(pin_dir, filter->name, &handles, &description, err);

    if (found <= 0)
        return found;
    if (!is_of_transport(filter, handles.options))
        return p2e_error_set(err,
                             "the pinned program in %s/%s is for another transport than this "
                             "process's configuration says; start this server again",
                             pin_dir, filter->name);
    *program = TAKE_FD(handles.entry);
    return 1;
}
