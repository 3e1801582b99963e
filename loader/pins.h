// What the files that write pin folders share.
#ifndef P2E_LOADER_PINS_H
#define P2E_LOADER_PINS_H

#include <linux/fs.h> // RENAME_…

#include "loader/loader.h"

// ---- Names in a pin_dir -------------------------------------------------------------------------
// NAME is a pinned filter. "~NAME~RANDOM" is a folder that is being made, "~NAME~RANDOM~" one that
// is being taken down: '~' is in no filter's name, and bpffs takes no dots. Both belong to whoever
// holds the lock; without the lock they are what the dead left behind.
struct p2e_folder {
    char *path, *making, *doomed;
};

// Paths for a new random name. *folder is to be freed after a failure too.
int p2e_folder_name(const char *pin_dir, const char *name, struct p2e_folder *folder,
                    struct p2e_error *err);
void p2e_folder_free(struct p2e_folder *folder);

// 1: a folder on a bpffs that only root or this user can have filled; 0: there is nothing; -1:
// refused, a symbolic link included.
int p2e_folder_check(const char *path, struct p2e_error *err);
// Makes pin_dir where it is not there yet, and checks it.
int p2e_pins_make_dir(const char *pin_dir, struct p2e_error *err);
// Removes a folder of pins, as far as it can. Keeps errno. Follows no symbolic link.
void p2e_folder_remove(const char *path);
// Without `flags` or with those of renameat2.
int p2e_folder_rename(const char *from, const char *to, unsigned flags, struct p2e_error *err);

// ---- The lock of a pin_dir ----------------------------------------------------------------------
// An flock(2) on this folder in it, which is made where it is not there and stays: of mode 0700, so
// that nobody else can hold it.
#define P2E_PINS_LOCK "~lock"
// The descriptor that holds it, -1 on failure. Waits for some seconds; the error then tells who
// has it. Death releases it.
int p2e_pins_lock(const char *pin_dir, struct p2e_error *err);
// For _cleanup_. Not close alone: a process that was forked meanwhile has the descriptor, too.
void p2e_pins_unlock(const int *lock);

// ---- The pins of one folder ---------------------------------------------------------------------
// All of them, or none and an error.
int p2e_pins_open_all(const char *folder, bool read_only, struct p2e_handles *handles,
                      struct p2e_error *err);
// Brings a replacement of NAME that was under way, and left no NAME, to its end: who holds the lock
// and creates NAME anew would leave the sockets of the old one behind.
void p2e_pins_finish(const char *pin_dir, const char *name);
// Whether any of them is there: pin_dir may have other tools' folders, too.
bool p2e_pins_are_ours(const char *folder);
// Puts the judge into the slot, and says by the options what is to be once it is empty.
int p2e_pins_fill_slot(const struct p2e_handles *handles, int judge, struct p2e_error *err);

#endif
