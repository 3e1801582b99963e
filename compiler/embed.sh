#!/bin/sh
# Prints a C file that holds the named files as strings: p2e_bpf_sources[] of {name, text}, ended by a
# row of NULLs. Names lose their folder.
set -eu
printf '#include "compiler/bpf_sources.h"\n\nconst struct p2e_bpf_source p2e_bpf_sources[] = {\n'
for file in "$@"; do
    printf '    {"%s",\n' "$(basename "$file")"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
    printf '    },\n'
done
printf '    {0, 0},\n};\n'
