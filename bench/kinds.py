"""The kinds of messages that all parts of the benchmark use: rules, random messages, broken ones.

Rules and checks say the same: bench/judge.h has them once more, in C.
"""

import os
import random
import struct
import subprocess
import sys

CLASSES = ("valid", "breaking", "malformed")
UDP_PORT = 17200  # of the first kind

RULES = {
    "search": (
        "query.size() >= 1 && query.size() <= 64",
        "page_number >= 0",
        "result_per_page >= 1 && result_per_page <= 100",
    ),
    "telemetry": (
        "name != ''",
        "position.latitude >= -90.0 && position.latitude <= 90.0",
        "temperature >= -40000 && temperature <= 85000",
        "battery <= 100u",
        "samples.size() <= 64",
    ),
    "batch": (
        "metrics.all(m, m.name.size() >= 1 && m.name.size() <= 64)",
        "metrics.all(m, m.value >= 0.0)",
        "metrics.size() <= 100",
    ),
    "blob": ("id != ''", "chunk < total", "payload.size() <= 16384"),
}
KINDS = tuple(RULES)
COUNT = {"search": 256, "telemetry": 256, "batch": 256, "blob": 64}  # messages of a class

ASCII = "abcdefghijklmnopqrstuvwxyz0123456789._-"
OTHER = "äéøßλжя中文字€"


def load_messages(build):
    """The generated Python module of bench.proto."""
    subprocess.run(["protoc", f"--python_out={build}", "-Ibench", "bench/bench.proto"], check=True)
    # The other implementation writes a line for every malformed string.
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    sys.path.insert(0, str(build))
    import bench_pb2

    return bench_pb2


# ---- Random messages --------------------------------------------------------------------------
def text(rng, low, high):
    letters = ASCII + OTHER if rng.random() < 0.1 else ASCII
    return "".join(rng.choice(letters) for _ in range(rng.randint(low, high)))


def search(rng, pb):
    return pb.Search(query=text(rng, 24, 40), page_number=rng.randint(1, 999),
                     result_per_page=rng.randint(1, 100))


def telemetry(rng, pb):
    return pb.Telemetry(
        name=text(rng, 10, 16), device=rng.getrandbits(40), time=rng.getrandbits(60),
        position=pb.Position(latitude=rng.uniform(-90, 90), longitude=rng.uniform(-180, 180),
                             altitude=rng.uniform(0, 9000)),
        temperature=rng.randint(-20000, 60000), battery=rng.randint(1, 100), charging=True,
        speed=rng.uniform(0, 40), heading=rng.uniform(0, 360), status=rng.randint(1, 3),
        uptime=rng.getrandbits(30), sequence=rng.getrandbits(20), checksum=rng.getrandbits(32),
        samples=[rng.randint(1, 2000) for _ in range(rng.randint(16, 24))], firmware=text(rng, 6, 8),
        link=pb.Link(rssi=rng.randint(1, 100), interface="wlan0", received=rng.getrandbits(32),
                     sent=rng.getrandbits(32)))


def metric(rng, pb):
    return pb.Metric(name=text(rng, 12, 20), time=rng.getrandbits(40), value=rng.uniform(0, 1e6),
                     labels=[pb.Label(key=text(rng, 4, 6), value=text(rng, 5, 9))])


def batch(rng, pb):
    return pb.Batch(host=text(rng, 8, 12), time=rng.getrandbits(60), sequence=rng.getrandbits(20) + 1,
                    metrics=[metric(rng, pb) for _ in range(20)])


def blob(rng, pb):
    total = rng.randint(2, 1000)
    return pb.Blob(id=text(rng, 16, 24), chunk=rng.randrange(1, total), total=total,
                   payload=rng.randbytes(16000 + rng.randrange(300)), checksum=rng.getrandbits(32))


MAKE = {"search": search, "telemetry": telemetry, "batch": batch, "blob": blob}


# ---- Messages that break a rule ---------------------------------------------------------------
BREAK = {
    "search": (
        lambda m, rng: setattr(m, "query", text(rng, 65, 90)),
        lambda m, rng: setattr(m, "page_number", -rng.randint(1, 99)),
        lambda m, rng: setattr(m, "result_per_page", rng.randint(101, 9999)),
    ),
    "telemetry": (
        lambda m, rng: setattr(m.position, "latitude", rng.uniform(91, 180)),
        lambda m, rng: setattr(m, "temperature", rng.randint(85001, 200000)),
        lambda m, rng: setattr(m, "battery", rng.randint(101, 1000)),
        lambda m, rng: m.samples.extend([1] * 64),
    ),
    "batch": (
        lambda m, rng: setattr(rng.choice(m.metrics), "value", -rng.uniform(1, 99)),
        lambda m, rng: setattr(rng.choice(m.metrics), "name", text(rng, 65, 80)),
    ),
    "blob": (
        lambda m, rng: setattr(m, "chunk", m.total + rng.randrange(99)),
        lambda m, rng: setattr(m, "id", ""),
    ),
}


# ---- Malformed ones ---------------------------------------------------------------------------
TAILS = (b"\x0f", b"\x0e\x01", b"\x0c", b"\x08" + b"\xff" * 10 + b"\x01", b"\x0a\x7f", b"\x80")


def cut(rng, data):
    return data[: rng.randrange(len(data) // 2, len(data))]


def end_badly(rng, data):
    return data + rng.choice(TAILS)


def spoil_text(rng, data):
    """A byte of a string, where a string begins."""
    at = data.index(b"\x0a") + 2
    return data[: at + 1] + b"\xff" + data[at + 2 :]


def malformed(kind, rng, pb, data):
    parse = getattr(pb, kind.capitalize()).FromString
    while True:
        broken = rng.choice((cut, end_badly, spoil_text))(rng, data)
        try:
            parse(broken)
        except Exception:  # DecodeError, and UnicodeDecodeError of the pure Python one
            return broken


# ---- Whole ------------------------------------------------------------------------------------
def serialized(message, valid):
    """Valid messages begin with field 1, the others do not: one byte tells them apart."""
    head, rest = type(message)(), type(message)()
    rest.CopyFrom(message)
    first = message.DESCRIPTOR.fields_by_number[1].name
    setattr(head, first, getattr(message, first))
    rest.ClearField(first)
    parts = [part.SerializeToString() for part in (head, rest)]
    return b"".join(parts if valid else reversed(parts))


def one(kind, which, rng, pb):
    message = MAKE[kind](rng, pb)
    if which == "breaking":
        rng.choice(BREAK[kind])(message, rng)
    data = serialized(message, which == "valid")
    return malformed(kind, rng, pb, data) if which == "malformed" else data


def messages(kind, which, pb):
    rng = random.Random(f"{kind} {which}")
    return [one(kind, which, rng, pb) for _ in range(COUNT[kind])]


def write_messages(path, messages):
    """Each after its size, four bytes."""
    path.write_bytes(b"".join(struct.pack("<I", len(m)) + m for m in messages))


def write_corpus(build):
    pb = load_messages(build)
    for kind in KINDS:
        for which in CLASSES:
            write_messages(build / f"{kind}.{which}", messages(kind, which, pb))


# ---- Configuration ----------------------------------------------------------------------------
def where(kind, transport):
    if transport == "udp":
        return f'address = "127.0.0.1"; port = {UDP_PORT + KINDS.index(kind)};'
    return f'path = "@p2e-bench-{kind}";'


def filter_text(kind, transport, more=""):
    rules = ", ".join(f'"{rule}"' for rule in RULES[kind])
    return (f'  {{ name = "{kind}-{transport}"; transport = "{transport}"; {where(kind, transport)} {more}\n'
            f'    schema = "../../bench/bench.proto"; message = "bench.{kind.capitalize()}";\n'
            f"    rules = ( {rules} ); }}")


def write_config(path, filters):
    text = ",\n".join(filters)
    path.write_text(f'object_dir = ".";\npin_dir = "/sys/fs/bpf/p2e-bench";\nfilters = (\n{text}\n);\n')
    return path


def all_filters():
    return [filter_text(kind, transport) for kind in KINDS for transport in ("udp", "unixgram")]
