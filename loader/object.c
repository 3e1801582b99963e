#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crc32.h"
#include "loader/sys.h"

#define OBJECT_LIMIT (64 << 20)

// A file in memory.
struct image {
    const uint8_t *data;
    size_t size;
};

static bool inside(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}

// ---- File ---------------------------------------------------------------------------------------
// An object runs in the kernel: whoever may write it may do what the loading process may do.
static int check_file(const struct stat *st, const char *path, struct p2e_error *err)
{
    if (!S_ISREG(st->st_mode))
        return p2e_error_set(err, "object %s is not a file", path);
    if (!p2e_owner_is_trusted(st))
        return p2e_error_set(err, "object %s belongs to user %u: not trusted; run: chown root %s",
                             path, st->st_uid, path);
    if (st->st_mode & 022)
        return p2e_error_set(
            err, "object %s can be written by others: not trusted; run: chmod go-w %s", path, path);
    if (st->st_size > OBJECT_LIMIT)
        return p2e_error_set(err, "object %s is too large to be one", path);
    return 0;
}

static int open_file(const char *path, struct stat *st, struct p2e_error *err)
{
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return p2e_error_set(err, "object %s is missing; run: p2e compile", path);
    if (fd < 0 || fstat(fd, st))
        return p2e_error_set(err, "cannot read object %s: %m", path);
    if (check_file(st, path, err))
        return -1;
    return TAKE_FD(fd);
}

static int read_exactly(int fd, uint8_t *to, size_t size)
{
    while (size) {
        ssize_t got = read(fd, to, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        to += got;
        size -= (size_t)got;
    }
    return 0;
}

static uint8_t *read_file(const char *path, size_t *size, struct p2e_error *err)
{
    struct stat st;
    _cleanup_fd_ int fd = open_file(path, &st, err);
    _cleanup_free_ uint8_t *data = NULL;

    if (fd < 0)
        return NULL;
    *size = (size_t)st.st_size;
    data = malloc(*size + 1);
    if (!data) {
        p2e_error_set(err, "out of memory");
        return NULL;
    }
    if (read_exactly(fd, data, *size)) {
        p2e_error_set(err, "cannot read object %s: it changes while it is read", path);
        return NULL;
    }
    return TAKE_PTR(data);
}

// ---- ELF ----------------------------------------------------------------------------------------
static bool section_at(const struct image *file, const Elf64_Ehdr *header, unsigned index,
                       Elf64_Shdr *section)
{
    uint64_t offset = header->e_shoff + (uint64_t)index * sizeof(*section);

    if (index >= header->e_shnum || !inside(offset, sizeof(*section), file->size))
        return false;
    memcpy(section, file->data + offset, sizeof(*section));
    return section->sh_type == SHT_NOBITS ||
           inside(section->sh_offset, section->sh_size, file->size);
}

static bool section_is(const struct image *file, const Elf64_Shdr *names, const Elf64_Shdr *section,
                       const char *name)
{
    size_t size = strlen(name) + 1;

    return section->sh_type == SHT_PROGBITS && inside(section->sh_name, size, names->sh_size) &&
           !memcmp(file->data + names->sh_offset + section->sh_name, name, size);
}

static bool find_section(const struct image *file, const char *name, struct image *content)
{
    Elf64_Ehdr header;
    Elf64_Shdr names, section;

    if (file->size < sizeof(header))
        return false;
    memcpy(&header, file->data, sizeof(header));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_shentsize != sizeof(section) || header.e_shoff > file->size)
        return false;
    if (!section_at(file, &header, header.e_shstrndx, &names) || names.sh_type != SHT_STRTAB)
        return false;
    for (unsigned i = 1; i < header.e_shnum; i++) {
        if (!section_at(file, &header, i, &section))
            return false;
        if (section_is(file, &names, &section, name)) {
            *content = (struct image){file->data + section.sh_offset, section.sh_size};
            return true;
        }
    }
    return false;
}

// ---- Blob ---------------------------------------------------------------------------------------
static bool part_inside(const struct p2e_blob *blob, uint32_t offset, uint32_t size)
{
    return offset >= sizeof(*blob) && inside(offset, size, blob->size);
}

static bool names_end(const struct p2e_blob *blob)
{
    for (uint32_t i = 0; i < blob->map_count; i++) {
        if (!memchr(blob->maps[i].name, '\0', P2E_BLOB_NAME_SIZE))
            return false;
    }
    for (uint32_t i = 0; i < blob->program_count; i++) {
        if (!memchr(blob->programs[i], '\0', P2E_BLOB_NAME_SIZE))
            return false;
    }
    return true;
}

static bool parts_fit(const struct p2e_blob *blob)
{
    for (uint32_t i = 0; i < blob->map_count; i++) {
        const struct p2e_blob_map *map = &blob->maps[i];

        if (map->value_offset && !part_inside(blob, map->value_offset, map->value_size))
            return false;
    }
    return blob->insns_size && blob->insns_size % sizeof(struct bpf_insn) == 0 && blob->data_size &&
           part_inside(blob, blob->insns_offset, blob->insns_size) &&
           part_inside(blob, blob->data_offset, blob->data_size);
}

static bool sum_matches(struct p2e_blob *blob)
{
    uint32_t sum = blob->checksum;

    blob->checksum = 0;
    blob->checksum = p2e_crc32(blob, blob->size);
    return blob->checksum == sum;
}

static const struct p2e_blob_map *find_map(const struct p2e_blob *blob, const char *name)
{
    for (uint32_t i = 0; i < blob->map_count; i++) {
        if (!strcmp(blob->maps[i].name, name))
            return &blob->maps[i];
    }
    return NULL;
}

static bool has_program(const struct p2e_blob *blob, const char *name)
{
    for (uint32_t i = 0; i < blob->program_count; i++) {
        if (!strcmp(blob->programs[i], name))
            return true;
    }
    return false;
}

static bool is_complete(const struct p2e_blob *blob)
{
    const struct p2e_blob_map *options = find_map(blob, P2E_MAP_OPTIONS);
    const struct p2e_blob_map *meta = find_map(blob, P2E_MAP_META);

    return has_program(blob, P2E_PROGRAM_ENTRY) && has_program(blob, P2E_PROGRAM_JUDGE) &&
           find_map(blob, P2E_MAP_SLOT) && find_map(blob, P2E_MAP_EMPTY) &&
           find_map(blob, P2E_MAP_STATE) && find_map(blob, P2E_MAP_SAMPLES) && meta &&
           meta->value_offset && options && options->value_offset &&
           options->value_size == sizeof(struct p2e_options);
}

// Magic and ABI first: of another ABI, nothing else is known to be where it is looked for.
static int check_blob(struct p2e_blob *blob, size_t size, const char *path, struct p2e_error *err)
{
    const char *fault = NULL;

    if (size < 2 * sizeof(uint32_t) || blob->magic != P2E_MAGIC)
        fault = "its loader section is not p2e's";
    else if (blob->abi != P2E_ABI)
        return p2e_error_set(err, "object %s is of ABI %u, this p2e is of ABI %u; run: p2e compile",
                             path, blob->abi, P2E_ABI);
    else if (size < sizeof(*blob) || blob->size != size)
        fault = "it is cut short";
    else if (!sum_matches(blob))
        fault = "its checksum is wrong";
    else if (blob->map_count > P2E_BLOB_MAX_MAPS || blob->program_count > P2E_BLOB_MAX_PROGRAMS ||
             !names_end(blob) || !parts_fit(blob))
        fault = "sizes do not fit";
    else if (!is_complete(blob))
        fault = "a program or a map is missing";
    if (!fault)
        return 0;
    return p2e_error_set(err, "object %s is corrupt (%s); run: p2e compile", path, fault);
}

// ---- Object -------------------------------------------------------------------------------------
static void *copy_blob(const struct image *section)
{
    // Never smaller than the header, so that a short one can be looked at.
    size_t size = section->size > sizeof(struct p2e_blob) ? section->size : sizeof(struct p2e_blob);
    void *blob = calloc(1, size);

    if (blob)
        memcpy(blob, section->data, section->size);
    return blob;
}

static int describe(const char *path, struct p2e_object *object, struct p2e_error *err)
{
    const struct p2e_blob *blob = object->blob;
    const struct p2e_blob_map *meta = find_map(blob, P2E_MAP_META);

    return p2e_description_parse((const char *)blob + meta->value_offset, meta->value_size, path,
                                 &object->description, err);
}

int p2e_object_open(const char *path, struct p2e_object *object, struct p2e_error *err)
{
    struct image file, section;
    _cleanup_free_ uint8_t *data = read_file(path, &file.size, err);

    *object = (struct p2e_object){0};
    if (!data)
        return -1;
    file.data = data;
    if (!find_section(&file, P2E_SECTION_LOADER, &section))
        return p2e_error_set(err, "object %s is not one of p2e's, or corrupt; run: p2e compile",
                             path);
    object->blob = copy_blob(&section);
    if (!object->blob)
        return p2e_error_set(err, "out of memory");
    if (check_blob(object->blob, section.size, path, err) || describe(path, object, err)) {
        p2e_object_close(object);
        return -1;
    }
    return 0;
}

void p2e_object_close(struct p2e_object *object)
{
    p2e_description_free(&object->description);
    free(object->blob);
    object->blob = NULL;
}
