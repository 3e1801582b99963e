#!/usr/bin/python3
"""What a verdict costs a message: the filter in the kernel beside what a server could do for itself.

Three ways to run the corpus. *repeated*: each message many times before the next. *cycled*: one after
another in a tight loop, in user space only. *live*: each has just come through a socket. And *whole*: all
of a message's way from send to verdict, of a server that validates for itself and of one behind a filter.
"""

import collections

import common
import kinds

JUDGES = ("p2e", "scanner", "nanopb", "protobuf-c", "C++")
MODES = ("repeated", "cycled", "live")


def measure(kind, rounds):
    """{(class, judge, mode): nanoseconds of each round}, and the size of a message."""
    times = collections.defaultdict(list)
    output = common.run(common.OUTPUT / "verdict", kind, common.OUTPUT / f"{kind}-udp.bpf.o", common.OUTPUT,
                        common.cores()[1], rounds)
    for line in output.splitlines():
        *key, value = line.split()
        times[tuple(key)].append(float(value))
    size = times.pop(("size", "-", "-"))[0]
    return times, size


def rows_of(kind, rounds):
    times, size = measure(kind, rounds)
    return [{"kind": kind, "bytes": size, "class": which, "judge": judge, "mode": mode, **common.spread(values)}
            for (which, judge, mode), values in times.items()]


def print_table(rows):
    found = {(r["kind"], r["class"], r["mode"], r["judge"]): r["median"] for r in rows}
    size = {r["kind"]: r["bytes"] for r in rows}
    lines = []
    for key in ((k, c, m) for k in kinds.KINDS for c in kinds.CLASSES for m in MODES):
        if key[0] not in size:
            continue
        values = [found.get((*key, judge)) for judge in JUDGES]
        lines.append([*key, size[key[0]], *("-" if v is None else v for v in values)])
    lines = [[cell if not isinstance(cell, float) else f"{cell:,.0f}" for cell in line] for line in lines]
    common.table(["kind", "class", "mode", "bytes", *JUDGES], lines)


def print_whole(rows):
    found = {(r["kind"], r["judge"]): r["median"] for r in rows if r["mode"] == "whole"}
    lines = []
    for kind in dict.fromkeys(kind for kind, _ in found):
        own, byte, p2e = (found[kind, judge] for judge in ("protobuf-c", "byte", "p2e"))
        lines.append([kind, own, byte, p2e, byte / own, p2e / own])
    print("\nAll of a valid message's way, ns of CPU: sent, filtered, received, unpacked and, without a filter, checked.\n")
    common.table(["kind", "validating itself", "byte", "p2e", "byte ratio", "p2e ratio"], lines)


def draw(rows):
    found = {(r["kind"], r["judge"]): r["median"] for r in rows if r["class"] == "valid" and r["mode"] == "live"}
    used = [kind for kind in kinds.KINDS if (kind, "p2e") in found]
    common.bars("verdict", "Nanoseconds a valid message, each just received", "ns (logarithmic)",
                ["kind", *JUDGES], [[kind, *(found[kind, judge] for judge in JUDGES)] for kind in used],
                "set logscale y\nset yrange [5:*]")


def main():
    options = common.options(__doc__)
    common.prepare()
    rows = [row for kind in options.kinds for row in rows_of(kind, options.rounds)]
    common.announce(f"Nanoseconds a message, medians of {options.rounds} rounds; p2e above the empty program.")
    print_table(rows)
    print_whole(rows)
    common.save("verdict", rows)
    draw(rows)


if __name__ == "__main__":
    main()
