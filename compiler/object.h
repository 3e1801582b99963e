// From clang's ELF file to an object that loads without libbpf and libelf (struct p2e_blob,
// bpf/abi.h).
#ifndef P2E_COMPILER_OBJECT_H
#define P2E_COMPILER_OBJECT_H

#include "base/error.h"

// Reads clang's output `elf_path`, lets libbpf write the loader program for it, and leaves the
// object in `out_path`: the same file less its DWARF, plus the section P2E_SECTION_LOADER.
// `out_path` is replaced at once or not at all. Needs no privilege; runs llvm-objcopy.
int p2e_object_build(const char *elf_path, const char *out_path, struct p2e_error *err);

#endif
