// One writer of a pin folder at a time. Readers need no lock: what they see is replaced in one
// step.
#ifndef P2E_LOADER_LOCK_H
#define P2E_LOADER_LOCK_H

#include "base/error.h"

// Waits, some seconds at most, for the exclusive lock (flock) on pin_dir, which exists. Closing *fd
// gives it back. A lock that another process keeps is an error, not a wait without end: any process
// that can read the folder can take it.
int p2e_pins_lock(const char *pin_dir, int *fd, struct p2e_error *err);

#endif
