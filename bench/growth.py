#!/usr/bin/python3
"""How the cost grows: with a message's size, its fields, the rules, the nesting.

A verdict's time, and what the verifier and loading take, at each point.
"""

import collections

import common
import kinds

STEPS = (1, 2, 5, 10, 20, 50, 100, 200)
SIZES = (16, 64, 256, 1024, 4096, 16384, 65000)
DEPTHS = (0, 1, 2, 4, 8, 16, 31)
FOLDER = common.OUTPUT / "growth"

# One point of a series: a filter (message type and rules) and a message of that type.
Point = collections.namedtuple("Point", "series x filter type rules message")


# ---- Messages, by hand ------------------------------------------------------------------------
def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def number(field, value):
    return varint(field << 3) + varint(value)


def delimited(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def nested(depth):
    return delimited(1, nested(depth - 1)) if depth else number(2, 7)


# ---- Schema -----------------------------------------------------------------------------------
def flat_type(count):
    body = " ".join(f"int32 f{i} = {i};" for i in range(1, count + 1))
    return f"message Flat{count} {{ {body} }}"


def nested_type(level):
    child = f"Nested{level + 1} a = 1; " if level < max(DEPTHS) else ""
    return f"message Nested{level} {{ {child}int32 value = 2; }}"


def schema():
    types = [flat_type(count) for count in STEPS] + [nested_type(level) for level in range(max(DEPTHS) + 1)]
    types.append("message Sized { bytes data = 1; string text = 2; int32 number = 3; }")
    return 'syntax = "proto3";\n' + "\n".join(types) + "\n"


# ---- Points -----------------------------------------------------------------------------------
def sized(series, field, last=False):
    rest = number(3, 1)
    for size in SIZES:
        data = b"a" * (size - len(rest) - (2 if size < 132 else 3 if size < 16400 else 4))
        message = rest + delimited(field, data) if last else delimited(field, data) + rest
        yield Point(series, size, "sized", "Sized", ["number >= 0"], message)


def flat(count):
    return b"".join(number(i, 7) for i in range(1, count + 1))


def in_range(i):
    return f"f{i} >= 0 && f{i} <= 1000000"


def points():
    yield from sized("bytes at the end, unread", 1, last=True)
    yield from sized("bytes in a message, unread", 1)
    yield from sized("bytes in a message, text", 2)
    for count in STEPS:
        yield Point("fields", count, f"fields{count}", f"Flat{count}", [in_range(1)], flat(count))
    for count in STEPS:
        rules = [in_range(i) for i in range(1, count + 1)]
        yield Point("rules", count, f"rules{count}", f"Flat{max(STEPS)}", rules, flat(max(STEPS)))
    for depth in DEPTHS:
        yield Point("nesting", depth, f"nesting{depth}", "Nested0", ["a." * depth + "value >= 0"], nested(depth))


# ---- Measuring --------------------------------------------------------------------------------
def filter_text(index, point):
    rules = ", ".join(f'"{rule}"' for rule in point.rules)
    return (f'  {{ name = "{point.filter}"; transport = "udp"; port = {20000 + index}; schema = "growth.proto";\n'
            f'    message = "{point.type}"; rules = ( {rules} ); }}')


def compile_all(found):
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "growth.proto").write_text(schema())
    filters = {point.filter: point for point in found}
    texts = ",\n".join(filter_text(i, point) for i, point in enumerate(filters.values()))
    config = FOLDER / "p2e.conf"
    config.write_text(f'object_dir = ".";\npin_dir = "{common.PINS}";\nfilters = (\n{texts}\n);\n')
    common.run(common.P2E, "compile", "-c", config)


def measure(point, rounds):
    path = FOLDER / "message"
    kinds.write_messages(path, [point.message])
    values = collections.defaultdict(list)
    output = common.run(common.OUTPUT / "cost", FOLDER / f"{point.filter}.bpf.o", path, common.cores()[1], rounds)
    for line in output.splitlines():
        name, value = line.split()
        values[name].append(float(value))
    return {"series": point.series, "x": point.x, "bytes": len(point.message),
            **{name: common.spread(found) for name, found in values.items()}}


COLUMNS = ("repeated", "live", "instructions", "verified", "load_ms")


def median(row, name):
    return row[name]["median"] if name in row else "-"


def draw(rows):
    by_series = collections.defaultdict(list)
    for row in rows:
        by_series[row["series"]].append(row)
    for series, found in by_series.items():
        name = "growth-" + series.replace(", ", "-").replace(" ", "-")
        used = [[max(r["x"], 0.5), median(r, "repeated"), median(r, "live")] for r in found]
        common.lines(name, "A verdict's cost", series, "ns above the empty program", ["x", "repeated", "live"],
                     used, "set logscale xy\nset datafile missing '-'")
    used = [[r["x"], r["verified"]["median"]] for r in by_series["rules"]]
    common.lines("growth-verifier", "What the verifier looks at", "rules", "instructions", ["x", "verified"], used,
                 "set yrange [0:*]")


def main():
    options = common.options(__doc__)
    found = list(points())
    compile_all(found)
    rows = [measure(point, options.rounds) for point in found]
    common.announce(f"Medians of {options.rounds} rounds; nanoseconds above the empty program.")
    common.table(["series", "at", "bytes", *COLUMNS],
                 [[r["series"], r["x"], r["bytes"], *(median(r, c) for c in COLUMNS)] for r in rows])
    common.save("growth", rows)
    draw(rows)


if __name__ == "__main__":
    main()
