#include <errno.h>
#include <linux/btf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "loader/pins.h"
#include "loader/socket.h"
#include "loader/sys.h"

// A map of socket storage: its keys are descriptors, and what it holds goes with the socket.
#define PIN_MARKS  "~attached"
#define NAME_MARKS "p2e_attached"

// ---- The map ------------------------------------------------------------------------------------
// The kernel wants the types of such a map described: key and value are an int each.
static int describe_int(void)
{
    struct {
        struct btf_header header;
        struct btf_type type;
        uint32_t encoding;
        char names[sizeof("\0int")];
    } btf = {
        .header = {.magic = BTF_MAGIC,
                   .version = BTF_VERSION,
                   .hdr_len = sizeof(btf.header),
                   .type_len = sizeof(btf.type) + sizeof(btf.encoding),
                   .str_off = sizeof(btf.type) + sizeof(btf.encoding),
                   .str_len = sizeof(btf.names)},
        .type = {.name_off = 1, .info = BTF_KIND_INT << 24, .size = sizeof(int)},
        .encoding = BTF_INT_SIGNED << 24 | 32,
        .names = "\0int",
    };
    union bpf_attr attr = {.btf = (uintptr_t)&btf,
                           .btf_size = offsetof(typeof(btf), names) + sizeof(btf.names)};

    return p2e_bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
}

static int create_map(void)
{
    _cleanup_fd_ int types = describe_int();
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_SK_STORAGE,
                           .key_size = sizeof(int),
                           .value_size = sizeof(int),
                           .map_flags = BPF_F_NO_PREALLOC,
                           .map_name = NAME_MARKS,
                           .btf_fd = (uint32_t)types,
                           .btf_key_type_id = 1,
                           .btf_value_type_id = 1};

    return types < 0 ? -1 : p2e_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static bool is_ours(const char *pin, int map)
{
    struct bpf_map_info info;
    struct stat st;

    return !lstat(pin, &st) && S_ISREG(st.st_mode) && p2e_owner_is_trusted(&st) &&
           !p2e_bpf_map_info(map, &info) && info.type == BPF_MAP_TYPE_SK_STORAGE &&
           !strcmp(info.name, NAME_MARKS);
}

static int open_map(const char *pin_dir, const char *pin)
{
    struct p2e_error ignored;
    _cleanup_fd_ int map = -1;

    if (p2e_folder_check(pin_dir, &ignored) <= 0)
        return -1;
    map = p2e_bpf_open(pin, false);
    return map >= 0 && is_ours(pin, map) ? TAKE_FD(map) : -1;
}

// A pin is made in one step, for its owner alone: of several that make it all open the same.
static int make_map(const char *pin_dir, const char *pin)
{
    struct p2e_error ignored;
    _cleanup_fd_ int map = -1;

    if (p2e_pins_make_dir(pin_dir, &ignored))
        return -1;
    map = create_map();
    if (map < 0 || (p2e_bpf_pin(pin, map) && errno != EEXIST))
        return -1;
    return open_map(pin_dir, pin);
}

static int find_map(const char *pin_dir, bool make)
{
    _cleanup_free_ char *pin = NULL;
    int map;

    if (asprintf(&pin, "%s/" PIN_MARKS, pin_dir) < 0) {
        pin = NULL;
        return -1;
    }
    map = open_map(pin_dir, pin);
    return map < 0 && make ? make_map(pin_dir, pin) : map;
}

// ---- Marks --------------------------------------------------------------------------------------
bool p2e_mark_set(const char *pin_dir, int fd)
{
    _cleanup_fd_ int map = find_map(pin_dir, true);
    const int mark = 1;

    return map >= 0 && !p2e_bpf_map_update(map, (uint32_t)fd, &mark);
}

bool p2e_mark_is_set(const char *pin_dir, int fd)
{
    _cleanup_fd_ int map = find_map(pin_dir, false);
    int mark;

    return map >= 0 && !p2e_bpf_map_lookup(map, (uint32_t)fd, &mark);
}

void p2e_mark_clear(const char *pin_dir, int fd)
{
    _cleanup_fd_ int map = find_map(pin_dir, false);
    union bpf_attr attr = {.map_fd = (uint32_t)map, .key = (uintptr_t)&fd};

    if (map >= 0)
        p2e_bpf(BPF_MAP_DELETE_ELEM, &attr, sizeof(attr));
}
