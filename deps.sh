#!/bin/sh
# Installs the Debian 12 packages that are missing: deps.sh build|musl|demo|test|kernels|bench|deb
#
# As root it installs them; otherwise it names the command. With everything there it says nothing.
set -eu

build='gcc libc6-dev make clang llvm libbpf-dev libelf-dev zlib1g-dev libconfig-dev
    libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev libmd-dev
    libmicrohttpd-dev unicode-data'
musl="$build musl-tools"
demo="$build python3 util-linux"
test="$demo musl-tools libcmocka-dev python3-pytest python3-protobuf libcap2-bin iproute2
    collectd-core php8.2-cli php8.2-pinba nodejs default-jdk-headless strace ltrace
    clang-format shellcheck libclang-rt-14-dev g++ libre2-dev
    mandoc zsh python3-yaml jq podman crun debootstrap"

# npm may have come with node, from elsewhere.
command -v npm >/dev/null || test="$test npm"
bench="$demo g++ python3-protobuf nanopb libnanopb-dev gnuplot-nox"
deb="$musl debhelper dpkg-dev fakeroot lintian python3-pytest"
kernels="$test qemu-system-x86 busybox-static cpio"

case ${1:-} in
build) wanted=$build ;;
musl) wanted=$musl ;;
demo) wanted=$demo ;;
test) wanted=$test ;;
kernels) wanted=$kernels ;;
bench) wanted=$bench ;;
deb) wanted=$deb ;;
*)
    echo "usage: deps.sh build|musl|demo|test|kernels|bench|deb" >&2
    exit 2
    ;;
esac

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "These packages are missing. As root: $command" >&2
    exit 1
fi
apt-get update -q
# shellcheck disable=SC2086 # the list is a list
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
