"""Filters of all shapes, and messages for them: what makes programs differ to a verifier."""

import pathlib
import random
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/bpf"))
SEED = 1
BULK = ["scalars", "nested", "lists", "legacy", "choices"]  # with an oracle's messages

NEEDLE = "a needle that is longer than a word"
VALUES = {
    "int32": [0, 5, -1, 100, 2**31 - 1],
    "uint64": [0, 7, 8, 2**64 - 1],
    "sint32": [0, 5, -2000, 2**31 - 1],
    "string": ["", "plain", "\u65e5\u672c", NEEDLE, "before " + NEEDLE, "x" * 40],
    "bytes": [b"", b"\x00", b"\x01\x02", bytes(40)],
    "double": [0.0, 9.5, 10.0, float("nan")],
    "float": [0.0, -0.5, 2.5],
    "fixed32": [0, 1, 2**32 - 1],
    "sfixed64": [0, -1, 2**40],
    "bool": [False, True],
}
TYPES = [*VALUES, "repeated int32", "repeated string"]

# Rules with a filter each: what one of them drops would never come to the others.
FORMATS = ["s.isEmail()", "s.isHostAndPort(true)", "s.isIp(i32)", "s.isIpPrefix(i64, b)", "s.isIpPrefix(6, true)",
           "s.isUriRef()"]


# ---- Schemas and rules ---------------------------------------------------------------------------
def level(number, fields, step):
    lines = [f"  {kind} f{i} = {1 + i * step};" for i, kind in enumerate(fields)]
    return "message Level%d {\n%s\n}\n" % (number, "\n".join(lines))


def schema(package, levels, step):
    """Messages of twelve fields, each message in the last field of the one before."""
    text = f'syntax = "proto3";\npackage {package};\n'
    for number in range(levels):
        last = number == levels - 1
        text += level(number, TYPES if last else [*TYPES[:-1], f"Level{number + 1}"], step)
    return text


def rules(depth):
    """Eight rules for the fields of the message that lies so deep."""
    at = "f11." * depth
    return [
        f"{at}f0 < 100",
        f"{at}f1 != 7u",
        f"{at}f2 + {at}f0 > -1000",
        f'!{at}f3.contains("{NEEDLE}")',
        f'!{at}f4.startsWith(b"\\x01")',
        f"{at}f5 < 10.0",
        f"{at}f9 || {at}f6 >= 0.0",
        f"!(100 in {at}f10)",
    ]


# ---- Messages ------------------------------------------------------------------------------------
def message_class(text, name, folder):
    """The Python class of a message of a .proto text."""
    source, target = folder / f"{name}.proto", folder / f"{name}.set"
    source.write_text(text)
    subprocess.run(["protoc", f"-I{folder}", f"-o{target}", source], check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(files.file[0])
    return message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName(f"{name}.Level0")
    )


def fill(message, rng, share):
    """Sets this share of the fields."""
    for field, kind in zip(message.DESCRIPTOR.fields, TYPES):
        if rng.random() > share:
            continue
        if field.message_type:
            fill(getattr(message, field.name), rng, share)
        elif kind.startswith("repeated "):
            values = VALUES[kind.removeprefix("repeated ")]
            getattr(message, field.name).extend(rng.choices(values, k=rng.choice([1, 3, 40])))
        else:
            setattr(message, field.name, rng.choice(VALUES[kind]))


def mutate(wire, rng):
    """Mostly nothing; else a byte less or another byte."""
    if not wire or rng.random() < 0.7:
        return wire
    if rng.random() < 0.5:
        return wire[: rng.randrange(len(wire))]
    place = rng.randrange(len(wire))
    return wire[:place] + bytes([rng.randrange(256)]) + wire[place + 1 :]


def messages(cls, count):
    rng = random.Random(SEED)
    for number in range(count):
        message = cls()
        fill(message, rng, rng.choice([0.1, 0.3, 0.9]))
        if number % 100 == 0:  # too long to be loaded at once, or to be run without a socket
            message.f3 = "long " * rng.choice([500, 3000])
        yield mutate(message.SerializeToString(), rng)


# ---- Filters -------------------------------------------------------------------------------------
class Shape:
    """One filter: its schema, its rules, and messages in hex."""

    def __init__(self, name, text, message, rule_list, wires):
        self.name, self.text, self.message, self.rules = name, text, message, rule_list
        self.lines = [wire.hex() for wire in wires]


def tree(name, levels, step, folder):
    text = schema(name, levels, step)
    all_rules = [rule for depth in range(levels) for rule in rules(depth)]
    wires = messages(message_class(text, name, folder), 400)
    return Shape(name, text, f"{name}.Level0", all_rules, wires)


def rule_tables():
    """The tables of tests/bpf, eight rules a filter."""
    folder = ROOT / "tests/bpf"
    import judge
    import test_rules

    for name, rows in (("rules", test_rules.ROWS), ("legacy", test_rules.LEGACY_ROWS)):
        text = (folder / f"{name}.proto").read_text()
        for first in range(0, len(rows), 8):
            some = rows[first : first + 8]
            wires = [judge.wire(each) for row in some for each in row[2:]]
            yield Shape(f"{name}{first}", text, f"{name}.M", [row[0] for row in some], wires)


def formats():
    import judge
    import test_text_formats

    text = (ROOT / "tests/bpf/rules.proto").read_text()
    for number, (rule, _, *messages) in enumerate(test_text_formats.ROWS):
        if rule in FORMATS:
            yield Shape(f"format{number}", text, "rules.M", [rule], map(judge.wire, messages))


def times():
    """The table of times and wrappers, and the clock: sixteen rules a filter, each for messages of its own."""
    import judge
    import test_times

    text = (ROOT / "tests/bpf/times.proto").read_text()
    clock = ('now > timestamp("2020-01-01T00:00:00Z") && rt.all(x, x < now)', "Pr", test_times.M(),
             test_times.M(rt=[test_times.T(test_times.LAST)]))
    table = [clock, *test_times.TIME_ROWS, *test_times.WRAPPER_ROWS]
    rows = [row for row in table if "format" not in row[0]]  # those are strings
    for first in range(0, len(rows), 16):
        some = list(enumerate(rows[first : first + 16]))
        wires = [judge.wire(each, test_times.M(rule=n)) for n, row in some for each in row[2:]]
        rule_list = [f"rule != {n} || ({row[0]})" for n, row in some]
        yield Shape(f"times{first}", text, "times.M", rule_list, wires)


def shapes(folder):
    """60 fields in 5 levels with 40 rules; fields with numbers far apart; the tables."""
    return [tree("large", 5, 1, folder), tree("sparse", 3, 500, folder), *rule_tables(), *formats(), *times()]


def bulk_messages(build, name, count, folder):
    """(messages, verdicts) of the oracle of tests/bulk."""
    files = [folder / f"{name}.messages", folder / f"{name}.verdicts"]
    command = [build / "tests/bulk/differential", name, str(SEED), str(count), *files]
    subprocess.run(command, check=True)
    return [file.read_text().splitlines() for file in files]
