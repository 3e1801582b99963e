#include "compiler/object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crc32.h"
#include "base/file.h"
#include "bpf/abi.h"
#include "compiler/process.h"

#define OBJCOPY "llvm-objcopy"

// ---- The blob -----------------------------------------------------------------------------------
static uint32_t append(struct p2e_buffer *blob, const void *data, size_t size)
{
    static const char zeros[8];
    uint32_t offset;

    p2e_buffer_add(blob, zeros, -blob->size & 7);
    offset = blob->size;
    p2e_buffer_add(blob, data, size);
    return offset;
}

static int set_name(char *to, const char *name, struct p2e_error *err)
{
    if (strlen(name) >= P2E_BLOB_NAME_SIZE)
        return p2e_error_set(err, "the name %s is too long for an object", name);
    strcpy(to, name);
    return 0;
}

// Constants that a loader looks at or changes; all others are in the loader program's own data.
static bool keeps_value(const char *name)
{
    return !strcmp(name, P2E_MAP_OPTIONS) || !strcmp(name, P2E_MAP_META);
}

static int add_map(struct p2e_buffer *blob, struct p2e_blob *header, const struct bpf_map *map,
                   struct p2e_error *err)
{
    const char *name = bpf_map__name(map);
    struct p2e_blob_map *entry = &header->maps[header->map_count];
    const void *value;
    size_t size = 0;

    if (header->map_count++ == P2E_BLOB_MAX_MAPS)
        return p2e_error_set(err, "more than %d maps", P2E_BLOB_MAX_MAPS);
    if (set_name(entry->name, name, err))
        return -1;
    value = keeps_value(name) ? bpf_map__initial_value((struct bpf_map *)map, &size) : NULL;
    if (value) {
        entry->value_offset = append(blob, value, size);
        entry->value_size = size;
    }
    return 0;
}

static int add_program(struct p2e_blob *header, const char *name, struct p2e_error *err)
{
    if (header->program_count == P2E_BLOB_MAX_PROGRAMS)
        return p2e_error_set(err, "more than %d programs", P2E_BLOB_MAX_PROGRAMS);
    return set_name(header->programs[header->program_count++], name, err);
}

static int add_parts(struct p2e_buffer *blob, struct p2e_blob *header,
                     const struct bpf_object *object, struct p2e_error *err)
{
    const struct bpf_map *map;
    struct bpf_program *program;

    bpf_object__for_each_map(map, object)
    {
        if (add_map(blob, header, map, err))
            return -1;
    }
    bpf_object__for_each_program(program, object)
    {
        if (add_program(header, bpf_program__name(program), err))
            return -1;
    }
    return 0;
}

// libbpf's loader programs close, when they fail, a descriptor for each function of the object,
// from a stack that has room for 32 (MAX_USED_PROGS). Only programs have one, which come first:
// what is read from above the stack, where the verifier would refuse it, is always none.
static void mend_cleanup(struct bpf_insn *insns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (insns[i].code == (BPF_LDX | BPF_MEM | BPF_W) && insns[i].src_reg == BPF_REG_10 &&
            insns[i].off >= 0)
            insns[i] =
                (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = insns[i].dst_reg};
    }
}

static int make_blob(struct bpf_object *object, const struct gen_loader_opts *loader,
                     struct p2e_buffer *blob, struct p2e_error *err)
{
    struct p2e_blob header = {.magic = P2E_MAGIC, .abi = P2E_ABI};

    p2e_buffer_add(blob, &header, sizeof(header));
    if (add_parts(blob, &header, object, err))
        return -1;
    header.insns_offset = append(blob, loader->insns, loader->insns_sz);
    header.insns_size = loader->insns_sz;
    if (!blob->failed)
        mend_cleanup((struct bpf_insn *)(blob->data + header.insns_offset),
                     loader->insns_sz / sizeof(struct bpf_insn));
    header.data_offset = append(blob, loader->data, loader->data_sz);
    header.data_size = loader->data_sz;
    header.size = blob->size;
    if (blob->failed)
        return p2e_error_set(err, "out of memory");
    memcpy(blob->data, &header, sizeof(header));
    header.checksum = p2e_crc32(blob->data, blob->size);
    memcpy(blob->data, &header, sizeof(header));
    return 0;
}

static int libbpf_failed(const char *verb, const char *path, struct p2e_error *err)
{
    char reason[128];

    libbpf_strerror(errno, reason, sizeof(reason));
    return p2e_error_set(err, "libbpf cannot %s %s: %s", verb, path, reason);
}

static int generate(const char *elf_path, struct p2e_buffer *blob, struct p2e_error *err)
{
    LIBBPF_OPTS(gen_loader_opts, loader);
    struct bpf_object *object;
    int result = -1;

    libbpf_set_print(NULL);
    object = bpf_object__open_file(elf_path, NULL);
    if (!object)
        return libbpf_failed("read", elf_path, err);
    if (bpf_object__gen_loader(object, &loader) || bpf_object__load(object))
        libbpf_failed("make a loader of", elf_path, err);
    else
        result = make_blob(object, &loader, blob, err);
    bpf_object__close(object);
    return result;
}

// ---- llvm-objcopy -------------------------------------------------------------------------------
static int add_section(const char *elf_path, const char *blob_path, const char *out_path,
                       struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer said = {0};
    _cleanup_free_ char *section = NULL;

    if (asprintf(&section, "--add-section=%s=%s", P2E_SECTION_LOADER, blob_path) < 0) {
        section = NULL;
        return p2e_error_set(err, "out of memory");
    }
    char *argv[] = {OBJCOPY, "--strip-debug", section, (char *)elf_path, (char *)out_path, NULL};
    int status = p2e_process_run(argv, "install the package llvm", NULL, 0, &said, err);

    if (status > 0)
        return p2e_error_set(err, OBJCOPY " failed: %.1000s", said.data ? said.data : "");
    return status;
}

// Loaders refuse an object that others than its owner may write, whatever the umask was.
static int publish(const char *temporary, const char *path, struct p2e_error *err)
{
    struct stat st;

    if (stat(temporary, &st) || chmod(temporary, st.st_mode & 0644) || rename(temporary, path))
        return p2e_error_set(err, "cannot write %s: %m", path);
    return 0;
}

// ---- Build --------------------------------------------------------------------------------------
struct temporaries {
    char *blob, *object;
};

static void remove_temporaries(struct temporaries *t)
{
    if (t->blob)
        unlink(t->blob);
    if (t->object)
        unlink(t->object);
    free(t->blob);
    free(t->object);
}

static int name_temporaries(struct temporaries *t, const char *out_path, struct p2e_error *err)
{
    if (asprintf(&t->blob, "%s.%d.blob", out_path, getpid()) < 0)
        t->blob = NULL;
    if (asprintf(&t->object, "%s.%d.tmp", out_path, getpid()) < 0)
        t->object = NULL;
    return t->blob && t->object ? 0 : p2e_error_set(err, "out of memory");
}

int p2e_object_build(const char *elf_path, const char *out_path, struct p2e_error *err)
{
    _cleanup_(remove_temporaries) struct temporaries names = {0};
    _cleanup_(p2e_buffer_free) struct p2e_buffer blob = {0};

    if (generate(elf_path, &blob, err) || name_temporaries(&names, out_path, err))
        return -1;
    if (p2e_file_write(names.blob, blob.data, blob.size, err))
        return -1;
    if (add_section(elf_path, names.blob, names.object, err))
        return -1;
    return publish(names.object, out_path, err);
}
