#!/bin/sh
# Judges and receives messages, the same on every kernel, and leaves in a folder what came of it:
# work.sh FOLDER. Stands beside p2e, the library, configurations, objects and messages.
set -u
out=$1
cd "$(dirname "$0")" || exit 1

# judge CONFIG FILTER
judge() {
    ./p2e eval -c "$1" -f "$2" <"messages/$2" >"$out/$2.verdicts" 2>"$out/$2.errors" ||
        tail -n 40 /tmp/p2e-verifier.log >>"$out/$2.errors"
}

# receive FILTER ADDRESS RESULT [PREFIX]
receive() {
    messages=messages/$1 address=$2 result=$out/$3
    shift 3
    "$@" ./p2e run -c p2e.conf -- ./loopback "$address" <"$messages" \
        >"$result.received" 2>"$result.errors"
}

while read -r config filter; do
    judge "$config" "$filter"
done <filters

read -r port path <addresses
receive udp "$port" udp
receive unix "$path" unix
# With both pinned, no privilege is needed.
receive udp "$port" udp-unprivileged \
    /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all
./p2e status -c p2e.conf --json >"$out/status" 2>"$out/status.errors"
