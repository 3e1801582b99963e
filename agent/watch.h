// "Has any of these files changed?", by inotify.
//
// Folders are watched, for editors and configuration management put a new file in the place of the
// old; and the files in them, for one that is a mount of its own is written to in another folder.
// Every symbolic link on the way to a file is watched where it stands, so that turning one
// (Kubernetes turns ..data) is a change, too; a folder on the way that is moved or removed is one
// as well; and a file that is missing is waited for.
#ifndef P2E_AGENT_WATCH_H
#define P2E_AGENT_WATCH_H

#include <stdbool.h>

#include "agent/depend.h"
#include "base/buffer.h"
#include "base/error.h"

struct p2e_watch {
    int fd;                     // becomes readable; -1 for none
    bool lost;                  // what was watched is gone, some of it; private
    struct p2e_buffer names;    // what is looked for where; private
    struct p2e_buffer identity; // equal to another watch's: the same folders, files, names; private
};
#define P2E_NO_WATCH ((struct p2e_watch){.fd = -1})

// Watches all that is there and all that is missing now. Every change from here on is noticed.
// `any_in`, unless NULL: every file of this folder, too.
int p2e_watch_open(const struct p2e_paths *paths, const char *any_in, struct p2e_watch *watch,
                   struct p2e_error *err);
// Takes what has happened: is there anything in it that is watched?
bool p2e_watch_read(struct p2e_watch *watch);
// Do both see the same? One that has lost something sees less than any new one.
bool p2e_watch_equal(const struct p2e_watch *a, const struct p2e_watch *b);
void p2e_watch_close(struct p2e_watch *watch);

#endif
