// bpf(2), raw, and what the other files of this room share.
#ifndef P2E_LOADER_SYS_H
#define P2E_LOADER_SYS_H

#include <linux/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"

// All descriptors that come back are close-on-exec (the kernel makes them so). -1 and errno on
// failure.
int p2e_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size);
int p2e_bpf_pin(const char *path, int fd);
int p2e_bpf_open(const char *path, bool read_only);
int p2e_bpf_map_lookup(int fd, uint32_t key, void *value);
int p2e_bpf_map_update(int fd, uint32_t key, const void *value);
// The kernel answers for whatever BPF object fd is: the name tells that it is what was meant.
int p2e_bpf_map_info(int fd, struct bpf_map_info *info);
int p2e_bpf_program_info(int fd, struct bpf_prog_info *info);

// As the calls of these names, which the shim hooks.
int p2e_sys_socket(int domain, int type);
int p2e_sys_bind(int fd, const void *address, size_t length);
int p2e_sys_setsockopt(int fd, int level, int option, const void *value, size_t length);

// Files and folders that programs come from, or that they are kept in, are root's, or this
// process's own user's.
static inline bool p2e_owner_is_trusted(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == geteuid();
}

// What a loaded filter consists of: its name in the object and in the kernel, its name in a pin
// folder, which handle it is, what the kernel must say of it.
struct p2e_part {
    const char *name, *pin;
    size_t handle; // offset into struct p2e_handles
    bool is_program;
    uint32_t type;       // enum bpf_prog_type or enum bpf_map_type
    uint32_t value_size; // of a map, 0 for any
    bool is_private;     // for its owner alone
};
#define P2E_PART_COUNT 8
extern const struct p2e_part p2e_parts[P2E_PART_COUNT];
int *p2e_part_handle(struct p2e_handles *handles, const struct p2e_part *part);

// Possible CPUs, as the kernel sizes per-CPU values: how many, and the highest number plus one
// (they differ where numbers are left out). -1 when the kernel does not tell.
struct p2e_cpus {
    uint32_t count, end;
};
int p2e_cpus_possible(struct p2e_cpus *cpus);

// A copy of a struct p2e_meta with its strings, checked. `where` is for the error.
int p2e_description_parse(const void *meta, size_t size, const char *where,
                          struct p2e_description *description, struct p2e_error *err);

#endif
