#!/bin/sh
# Builds the container image and tries it, from the top of a tree that `make programs` has built:
#
#     tests/container/build.sh [TARGET]
#
# On a base of its own making, in a storage of its own, both gone afterwards. Needs root, bpffs, and the
# packages buildah, debootstrap and uidmap.
set -eu
target=${1:-}
loopback=build/tests/kernels/loopback
port=17199

work=$(mktemp -d /var/tmp/p2e-image.XXXXXX)
pins=/sys/fs/bpf/p2e-image-$$ # bpffs takes no dot in a name
image() {
    buildah --root "$work/storage" --runroot "$work/run" "$@"
}
cleanup() {
    image rm --all >/dev/null 2>&1 || true
    image rmi --all --force >/dev/null 2>&1 || true
    rm -rf "$work" "$pins"
}
trap cleanup EXIT
chmod 0755 "$work"

# ---- Build --------------------------------------------------------------------------------------
debootstrap --variant=minbase bookworm "$work/base" >"$work/log"
base=$(image from scratch)
image add -q "$base" "$work/base" / >/dev/null
image commit -q "$base" docker.io/library/debian:bookworm-slim >/dev/null
image build -q --isolation chroot --network host --pull-never ${target:+--target "$target"} -t p2e .
image images
# Runtimes' usual seccomp profiles keep bpf(2) from containers: one that allows it is needed.
container=$(image from --pull-never --security-opt seccomp=unconfined localhost/p2e)

# ---- The command in the image -------------------------------------------------------------------
image run --isolation chroot "$container" -- p2e --help >"$work/help"
grep -q '^usage: p2e ' "$work/help"
image run --isolation chroot "$container" -- test -r /usr/lib/p2e/musl/libp2e.so

# ---- A server in a container, without any right, filtered by what is pinned outside -------------
site=$work/site
mkdir "$site"
cp "$loopback" "$site"
echo 'syntax = "proto3"; message Note { string text = 1; int32 number = 2; }' >"$site/note.proto"
cat >"$site/p2e.conf" <<EOF
object_dir = "objects";
pin_dir = "$pins";
filters = ( { name = "note"; transport = "udp"; port = $port; schema = "note.proto";
              message = "Note"; rules = ( "number < 5" ); } );
EOF
printf '%s\n' 1001 1007 ff 1004 >"$work/messages"
printf '%s\n' 1001 1004 >"$work/expected"

build/p2e run -c "$site/p2e.conf" -- "$loopback" $port <"$work/messages" >"$work/outside"
diff "$work/expected" "$work/outside"
image run --isolation chroot --user 65534:65534 --cap-drop all \
    -v /sys/fs/bpf:/sys/fs/bpf:ro -v "$site:$site:ro" "$container" -- \
    env LD_PRELOAD=/usr/lib/libp2e.so P2E_CONFIG="$site/p2e.conf" "$site/loopback" $port \
    <"$work/messages" >"$work/inside"
diff "$work/expected" "$work/inside"
echo "the image works"
