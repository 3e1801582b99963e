#include "loader/sys.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

#define POSSIBLE_CPUS "/sys/devices/system/cpu/possible"

int p2e_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
    return (int)syscall(__NR_bpf, command, attr, size);
}

int p2e_sys_socket(int domain, int type)
{
    return (int)syscall(__NR_socket, domain, type, 0);
}

int p2e_sys_bind(int fd, const void *address, size_t length)
{
    return (int)syscall(__NR_bind, fd, address, length);
}

int p2e_sys_setsockopt(int fd, int level, int option, const void *value, size_t length)
{
    return (int)syscall(__NR_setsockopt, fd, level, option, value, length);
}

int p2e_bpf_pin(const char *path, int fd)
{
    union bpf_attr attr = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)fd};

    return p2e_bpf(BPF_OBJ_PIN, &attr, sizeof(attr));
}

int p2e_bpf_open(const char *path, bool read_only)
{
    union bpf_attr attr = {.pathname = (uintptr_t)path, .file_flags = read_only ? BPF_F_RDONLY : 0};

    return p2e_bpf(BPF_OBJ_GET, &attr, sizeof(attr));
}

int p2e_bpf_map_lookup(int fd, uint32_t key, void *value)
{
    union bpf_attr attr = {
        .map_fd = (uint32_t)fd, .key = (uintptr_t)&key, .value = (uintptr_t)value};

    return p2e_bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
}

int p2e_bpf_map_update(int fd, uint32_t key, const void *value)
{
    union bpf_attr attr = {
        .map_fd = (uint32_t)fd, .key = (uintptr_t)&key, .value = (uintptr_t)value};

    return p2e_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
}

static int object_info(int fd, void *info, uint32_t size)
{
    union bpf_attr attr = {
        .info = {.bpf_fd = (uint32_t)fd, .info_len = size, .info = (uintptr_t)info}};

    return p2e_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

int p2e_bpf_map_info(int fd, struct bpf_map_info *info)
{
    memset(info, 0, sizeof(*info));
    return object_info(fd, info, sizeof(*info));
}

int p2e_bpf_program_info(int fd, struct bpf_prog_info *info)
{
    memset(info, 0, sizeof(*info));
    return object_info(fd, info, sizeof(*info));
}

int p2e_program_id(int program, uint32_t *id)
{
    struct bpf_prog_info info;

    if (p2e_bpf_program_info(program, &info))
        return -1;
    *id = info.id;
    return 0;
}

int p2e_program_size(int program, uint32_t *instructions, uint32_t *verified)
{
    struct bpf_prog_info info;

    if (p2e_bpf_program_info(program, &info))
        return -1;
    *instructions = info.xlated_prog_len / sizeof(struct bpf_insn);
    *verified = info.verified_insns;
    return 0;
}

// ---- Parts --------------------------------------------------------------------------------------
#define HANDLE(member) offsetof(struct p2e_handles, member)

const struct p2e_part p2e_parts[P2E_PART_COUNT] = {
    {P2E_PROGRAM_ENTRY, P2E_PIN_ENTRY, HANDLE(entry), true, BPF_PROG_TYPE_SOCKET_FILTER, 0, false},
    {P2E_PROGRAM_JUDGE, P2E_PIN_JUDGE, HANDLE(judge), true, BPF_PROG_TYPE_SOCKET_FILTER, 0, false},
    {P2E_MAP_SLOT, P2E_PIN_SLOT, HANDLE(slot), false, BPF_MAP_TYPE_PROG_ARRAY, 4, false},
    {P2E_MAP_EMPTY, P2E_PIN_EMPTY, HANDLE(empty), false, BPF_MAP_TYPE_ARRAY, 4, false},
    {P2E_MAP_STATE, P2E_PIN_STATE, HANDLE(state), false, BPF_MAP_TYPE_ARRAY, 0, true},
    {P2E_MAP_META, P2E_PIN_META, HANDLE(meta), false, BPF_MAP_TYPE_ARRAY, 0, false},
    {P2E_MAP_OPTIONS, P2E_PIN_OPTIONS, HANDLE(options), false, BPF_MAP_TYPE_ARRAY,
     sizeof(struct p2e_options), false},
    {P2E_MAP_SAMPLES, P2E_PIN_SAMPLES, HANDLE(samples), false, BPF_MAP_TYPE_RINGBUF, 0, true},
};

int *p2e_part_handle(struct p2e_handles *handles, const struct p2e_part *part)
{
    return (int *)((char *)handles + part->handle);
}

void p2e_handles_close(struct p2e_handles *handles)
{
    for (size_t i = 0; i < P2E_PART_COUNT; i++) {
        int fd = *p2e_part_handle(handles, &p2e_parts[i]);

        if (fd >= 0)
            close(fd);
    }
    *handles = P2E_NO_HANDLES;
}

// ---- CPUs ---------------------------------------------------------------------------------------
// "0-3,8-11"
static int parse_ranges(const char *text, struct p2e_cpus *cpus)
{
    *cpus = (struct p2e_cpus){0};
    for (;;) {
        unsigned first, last;
        int used;

        if (sscanf(text, "%u%n", &first, &used) != 1)
            return -1;
        text += used;
        last = first;
        if (*text == '-' && sscanf(text + 1, "%u%n", &last, &used) == 1)
            text += 1 + used;
        if (last < first || last >= 1u << 20)
            return -1;
        cpus->count += last - first + 1;
        cpus->end = last + 1;
        if (*text != ',')
            return *text == '\n' || !*text ? 0 : -1;
        text++;
    }
}

int p2e_cpus_possible(struct p2e_cpus *cpus)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};

    if (p2e_file_read(POSSIBLE_CPUS, 4096, &text, NULL) || !text.data)
        return -1;
    return parse_ranges(text.data, cpus);
}

// ---- Capabilities -------------------------------------------------------------------------------
const char *p2e_missing_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    uint64_t held;
    bool bpf, perfmon;

    if (syscall(__NR_capget, &header, data))
        return NULL;
    held = data[0].effective | (uint64_t)data[1].effective << 32;
    if (held >> CAP_SYS_ADMIN & 1)
        return NULL;
    bpf = held >> CAP_BPF & 1;
    perfmon = held >> CAP_PERFMON & 1;
    if (bpf)
        return perfmon ? NULL : "CAP_PERFMON";
    return perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
}
