// From an object file to programs in the kernel, pins in bpffs, and counters back out.
//
// The shim lives inside other people's servers, so this room uses raw bpf(2) (through libbpf's
// header-only bpf/skel_internal.h) and no library: no libelf, no thread, no output.
//
// Trusted: the kernel. Not trusted: object files (each offset is checked) and pin folders (types,
// ABI and owner are checked; a symbolic link is never followed).
#ifndef P2E_LOADER_LOADER_H
#define P2E_LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "config/config.h"

// ---- What an object says of itself --------------------------------------------------------------
struct p2e_description {
    const char *name, *message, *canonical, *digest;
    uint32_t rule_count;
    uint32_t kernel;                                            // as struct p2e_meta has it
    const char **rule_ids, **rule_expressions, **rule_messages; // arrays of rule_count
    void *memory;                                               // owns all of the above
};

void p2e_description_free(struct p2e_description *description);

// ---- Object files -------------------------------------------------------------------------------
struct p2e_object {
    void *blob; // a checked struct p2e_blob, owned
    struct p2e_description description;
};

// Reads and checks object_dir/NAME.bpf.o (or any path): magic, ABI, every offset. The error says
// which: missing ("run: p2e compile"), corrupt, other ABI.
int p2e_object_open(const char *path, struct p2e_object *object, struct p2e_error *err);
void p2e_object_close(struct p2e_object *object);

// ---- Programs in the kernel ---------------------------------------------------------------------
// Descriptors of one loaded filter, -1 for what is not held. All are close-on-exec.
struct p2e_handles {
    int entry, judge, slot, empty, state, meta, options, samples;
};
#define P2E_NO_HANDLES ((struct p2e_handles){-1, -1, -1, -1, -1, -1, -1, -1})

void p2e_handles_close(struct p2e_handles *handles);

// Loads an object. The verifier's refusal is an error that names the filter and says what to do;
// the verifier's log is then written to `log_path` (NULL: nowhere) and the error says so. EPERM:
// which capability is missing.
int p2e_object_load(const struct p2e_object *object, const struct p2e_options *options,
                    const char *log_path, struct p2e_handles *handles, struct p2e_error *err);

// Capabilities that loading needs and this process has not got in effect: "CAP_BPF and
// CAP_PERFMON", "CAP_BPF", "CAP_PERFMON", or NULL.
const char *p2e_missing_capabilities(void);

// The kernel's id of a program, by which to know it again.
int p2e_program_id(int program, uint32_t *id);
// How many instructions it has, and how many the verifier looked at. -1 and errno on failure.
int p2e_program_size(int program, uint32_t *instructions, uint32_t *verified);

// The options for a filter on a live socket.
void p2e_options_for(enum p2e_transport transport, enum p2e_mode mode, struct p2e_options *options);
// The options of what is loaded or pinned, by its handle `options`.
int p2e_options_read(int options_fd, struct p2e_options *options, struct p2e_error *err);
// Whether pinned options are for the same kind of transport, and the same mode.
bool p2e_options_match(const struct p2e_options *wanted, const struct p2e_options *pinned);

// ---- Pins ---------------------------------------------------------------------------------------
// Whoever writes holds an exclusive flock(2) on pin_dir/~lock meanwhile, which death releases;
// the functions that write take it, and wait for some seconds. Readers need none: they see all of a
// filter's pins or none.
// Opens pin_dir/NAME read-only (no privilege needed, but for the states and the samples, which
// hold messages: they stay -1 where this process may not read them). 1: opened, *handles and
// *description filled; 0: there is no such pin; -1: there is something, and it is not a filter of
// ours of this ABI.
int p2e_pins_open(const char *pin_dir, const char *name, struct p2e_handles *handles,
                  struct p2e_description *description, struct p2e_error *err);
// Puts the judge into the slot and pins all (0755 folder, 0444 pins, 0600 states and samples),
// under a temporary name first, then renamed. Fails if NAME is pinned already (errno EEXIST).
int p2e_pins_create(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                    struct p2e_error *err);
// Puts another program in the place of a pinned one, in one step. Where the kind of transport is
// the same, sockets that are attached already go over to it too; else they receive nothing more, or
// everything in monitor mode.
int p2e_pins_replace(const char *pin_dir, const char *name, const struct p2e_handles *handles,
                     struct p2e_error *err);
// Sockets that are attached to a program whose pins are gone receive nothing more: its slot is
// emptied. In monitor mode they receive everything. A folder that holds others' pins and none of
// p2e's stays, which is an error.
int p2e_pins_remove(const char *pin_dir, const char *name, struct p2e_error *err);

// 1: pin_dir is there; 0: it is not, and can be; -1: it is not on a bpffs, or not trusted.
int p2e_pins_check_dir(const char *pin_dir, struct p2e_error *err);

// The names of the filters pinned in pin_dir, ascending; none where there is no such folder. What
// of a filter's pins is there may be incomplete, or another version's; folders with none are
// others'. The caller frees with p2e_names_free.
struct p2e_names {
    char **names;
    size_t count;
};
int p2e_pins_list(const char *pin_dir, struct p2e_names *names, struct p2e_error *err);
void p2e_names_free(struct p2e_names *names);

// Mends what processes left that died while they wrote: removes their temporary folders, brings a
// replacement that was under way to its end or back to its begin, and puts the pinned judge into
// each slot that holds another one or none, or would be of another mode when empty. What cannot be
// trusted is left as it is, counted as refused, and *err then tells of the first. -1 when nothing
// could be looked at.
struct p2e_recovery {
    size_t removed;  // temporary folders
    size_t finished; // replacements brought to their end
    size_t refilled; // slots
    size_t refused;
};
int p2e_pins_recover(const char *pin_dir, struct p2e_recovery *recovery, struct p2e_error *err);

// ---- What is pinned, and what is asked for ------------------------------------------------------
enum p2e_agreement {
    P2E_AGREES,
    P2E_OTHER_RULES,
    P2E_OTHER_OPTIONS, // the mode, or the kind of transport
    // Annotations are the schema's, which the configuration's text does not show; the object that
    // was compiled since does. One that is not there, or is not whole, says nothing.
    P2E_OLDER_SCHEMA,
};

// Compares what is pinned of a filter with the configuration and, with `by_object`, with the object
// in object_dir.
enum p2e_agreement p2e_filter_agreement(const struct p2e_config *config,
                                        const struct p2e_filter *filter,
                                        const struct p2e_description *pinned,
                                        const struct p2e_options *options, bool by_object);

// ---- The one way in (DESIGN decision 9) ---------------------------------------------------------
enum p2e_origin { P2E_FROM_PIN, P2E_LOADED_AND_PINNED, P2E_LOADED_UNPINNED };

// The program for a filter: pinned and of this filter's canonical text, or of that which the config
// file has by now; else loaded from object_dir and pinned; else loaded and not pinned (no bpffs).
// *program is the descriptor to attach: the entry when pinned, the judge when not. Of a published
// config (loader/published.h) it is what is pinned under that name, whatever its text, and nothing
// else.
int p2e_filter_program(const struct p2e_config *config, const struct p2e_filter *filter,
                       int *program, enum p2e_origin *origin, struct p2e_error *err);

// ---- What is pinned now, for who has opened it before (current.c) -------------------------------
// The inode of an entry's pin; all 0 where none is seen.
struct p2e_pin {
    dev_t device;
    ino_t inode;
};
void p2e_current_find(const char *pin_dir, const char *name, struct p2e_pin *pin);
// Whether it is still the same; true where that cannot be told, as in a chroot. Costs one system
// call, and some more where the pin is gone. Pins that were replaced are others, too.
bool p2e_current_is(const char *pin_dir, const char *name, const struct p2e_pin *pin);
// The entry of what is pinned now. 1; 0: nothing is; -1. Its rules and its mode may be newer than
// the configuration of this process, as they may be on the sockets that it has already.
int p2e_current_program(const char *pin_dir, const struct p2e_filter *filter, int *program,
                        struct p2e_error *err);

// Makes the pins of a filter those of this object with the filter's own options, for who may load.
// On failure what was pinned stays, and goes on judging.
enum p2e_pinned { P2E_PINNED_ALREADY, P2E_PINNED_NEWLY, P2E_PINNED_INSTEAD };
int p2e_filter_pin(const char *pin_dir, const struct p2e_filter *filter,
                   const struct p2e_object *object, enum p2e_pinned *pinned, struct p2e_error *err);

// ---- Counters -----------------------------------------------------------------------------------
// Sums over the walker states into out[0 … P2E_COUNT_RULES + rule_count).
int p2e_counters_read(int state_fd, uint32_t rule_count, uint64_t *out, struct p2e_error *err);
// The kernel's id of what holds them, never 0: another one counts from 0 again. -1 and errno on
// failure.
int p2e_counters_id(int state_fd, uint32_t *id);

#endif
