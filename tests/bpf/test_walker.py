"""Well-formedness: what protobuf's parsers accept passes, nothing else does."""

import json
import os
import pathlib
import random

import pytest
from judge import HERE, ROOT, judge, load_messages
from varint import varint

M = load_messages("rules").M
SCHEMA = HERE / "rules.proto"
CONFORMANCE = pathlib.Path(os.environ.get("P2E_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
CHUNK = 2048  # P2E_CHUNK: how much of a message is loaded at once


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def walk(messages, *options):
    return judge(SCHEMA, "rules.M", messages, *options)


def expect(rows, *options):
    """rows: (verdict, message)"""
    verdicts = walk([message for _, message in rows], *options)
    wrong = [(want, got, message[:40].hex(), len(message))
             for (want, message), got in zip(rows, verdicts) if want != got]
    assert not wrong, wrong[:10]


def test_conformance_suite():
    """Binary inputs of protobuf's own conformance suite."""
    if not CONFORMANCE.is_dir():
        if os.environ.get("P2E_REQUIRE") == "1":
            pytest.fail(f"no conformance data in {CONFORMANCE}")
        pytest.skip(f"no conformance data in {CONFORMANCE}; P2E_CONFORMANCE names its folder")
    inputs = {}
    for line in (CONFORMANCE / "pb_conformance.jsonl").read_text().splitlines():
        case = json.loads(line)
        inputs.setdefault(case["message"], []).append(case)
    for message, cases in inputs.items():
        wires = [bytes.fromhex(case["wire"]) for case in cases]
        verdicts = judge(CONFORMANCE / "pb_conformance.desc", message, wires)
        wrong = [case["name"] for case, verdict in zip(cases, verdicts)
                 if verdict != ("P" if case["expected"] == "accept" else "M")]
        assert not wrong, wrong


@pytest.mark.parametrize("character", ["a", "é", "€", "😀"])
def test_text_across_chunks(character):
    """A string that is checked over the edge of what is loaded, with each alignment to the edge."""
    one = character.encode()
    rows = []
    for lead in range(CHUNK - 40, CHUNK + 8):
        before = field(1000, bytes(lead))
        text = one * 40
        rows.append(("P", before + field(10, text)))
        rows.append(("M", before + field(10, text[:-1] + b"\xff")))
        rows.append(("M", before + field(10, b"\x80" + text)))
        if len(one) > 1:
            rows.append(("M", before + field(10, text[:-1])))
    expect(rows)


def test_bad_byte_anywhere_in_a_long_text():
    text = "é€😀".encode() * 1000
    rows = [("P", field(10, text))]
    for place in [0, 1, 7, 8, 9, CHUNK - 5, CHUNK - 4, CHUNK - 3, CHUNK, 2 * CHUNK - 4, len(text) - 1]:
        rows.append(("M", field(10, text[:place] + b"\xc0" + text[place + 1:])))
    expect(rows)


@pytest.mark.parametrize("text, verdict", [
    (b"\x00", "P"), (b"\x7f", "P"), (b"\x80", "M"), (b"\xc0\x80", "M"), (b"\xc1\xbf", "M"),
    (b"\xc2\x80", "P"), (b"\xdf\xbf", "P"), (b"\xe0\x9f\xbf", "M"), (b"\xe0\xa0\x80", "P"),
    (b"\xed\x9f\xbf", "P"), (b"\xed\xa0\x80", "M"), (b"\xed\xbf\xbf", "M"), (b"\xee\x80\x80", "P"),
    (b"\xef\xbf\xbf", "P"), (b"\xf0\x8f\xbf\xbf", "M"), (b"\xf0\x90\x80\x80", "P"),
    (b"\xf4\x8f\xbf\xbf", "P"), (b"\xf4\x90\x80\x80", "M"), (b"\xf5\x80\x80\x80", "M"),
    (b"\xf8\x88\x80\x80\x80", "M"), (b"\xfe", "M"), (b"\xe2\x82", "M"), (b"\xf0\x9f\x98", "M"),
    (b"\xe2\x28\xa1", "M"), (b"\xf0\x9f\x28\x80", "M"), (b"\xf0\x28\x8c\xbc", "M"),
])
def test_utf8(text, verdict):
    """Unicode 15, table 3-7, its edges; on each path: short, up to 32 bytes, longer."""
    rows = []
    for before in (0, 1, 5, 9, 20, 30, 100):
        for after in (0, 3, 12, 30):
            rows.append((verdict, field(10, b"a" * before + text + b"z" * after)))
    expect(rows)


def test_varints():
    rows = [("P", bytes.fromhex("08") + bytes([0x80] * n) + b"\x01") for n in range(10)]
    rows += [
        ("M", bytes.fromhex("08") + bytes([0x80] * 10) + b"\x01"),
        ("M", bytes.fromhex("08") + bytes([0x80] * 9) + b"\x02"),  # more than 64 bits
        ("M", bytes.fromhex("08")), ("M", bytes.fromhex("0880")),
        ("M", bytes.fromhex("0801") + bytes([0x80] * 5)),
        ("M", bytes.fromhex("00")), ("M", bytes.fromhex("0001")),  # field number 0
        ("P", bytes.fromhex("8880808000 01".replace(" ", ""))),  # a tag may be overlong, up to five bytes
        ("M", bytes.fromhex("888080808000 01".replace(" ", ""))),
        ("P", bytes.fromhex("f8ffffff0f01")), ("M", bytes.fromhex("f8ffffff1f01")),  # 29-bit numbers
        ("M", bytes.fromhex("0e")), ("M", bytes.fromhex("0f")),  # wire types 6 and 7
        ("M", bytes.fromhex("0900")), ("M", bytes.fromhex("0d000000")),
        ("P", bytes.fromhex("090000000000000000")), ("P", bytes.fromhex("0d00000000")),
    ]
    expect(rows)


def test_lengths():
    huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    expect([
        ("P", b"\x52\x83\x80\x80\x80\x00abc"), ("M", b"\x52\x83\x80\x80\x80\x80\x00abc"),
        ("P", field(10, b"")), ("M", b"\x52\x01"), ("M", b"\x52\x05abcd"), ("M", b"\x52" + huge),
        ("M", b"\x52\xff\xff\xff\xff\x0f"), ("M", b"\x52\x80"),
        ("P", field(24, field(2, b"abc"))), ("M", b"\xc2\x01\x04\x12\x03ab"),
        ("M", b"\xc2\x01\x04\x12\x03abc"),  # the string ends beyond its message
    ])


def test_packed_lists():
    rng = random.Random(5)
    rows = []
    for lead in list(range(CHUNK - 30, CHUNK + 4, 3)) + [0, 4 * CHUNK - 7]:
        before = field(1000, bytes(lead))
        for _ in range(4):
            numbers = [varint(rng.getrandbits(rng.choice([1, 7, 14, 35, 64]))) for _ in range(rng.choice([1, 9, 300]))]
            place = rng.randrange(len(numbers))
            good = b"".join(numbers)
            rows.append(("P", before + field(17, good)))
            rows.append(("M", before + field(17, good + b"\x80")))
            for bad in (b"\x80" * 9 + b"\x02", b"\x80" * 10 + b"\x01", b"\xff" * 9 + b"\x7f"):
                rows.append(("M", before + field(17, b"".join(numbers[:place] + [bad] + numbers[place:]))))
        rows.append(("P", before + field(27, bytes(8 * 700))))
        rows.append(("M", before + field(27, bytes(8 * 700 + 4))))
    expect(rows)


def test_what_the_message_before_left():
    """Bytes beyond the end are of earlier messages: they must not count."""
    garbage = field(1000, b"\xff" * 400)
    rows = []
    for _ in range(20):
        rows.append(("P", bytes.fromhex("a306a406")))
        rows.append(("M", bytes.fromhex("a306a4")))  # what is missing stands behind the end
        for count in range(8):
            rows.append(("P", garbage))
            rows.append(("P", field(17, b"\x01" * count + b"\x80" * 9 + b"\x01")))
            rows.append(("P", field(10, b"a" * (count + 1))))
            rows.append(("M", b"\x08" + b"\x80" * count))
    expect(rows)


def nest(depth, inner=b""):
    for _ in range(depth):
        inner = field(4, inner)
    return field(24, inner)


def groups(depth):
    return b"\xa3\x06" * depth + b"\xa4\x06" * depth


def test_depth():
    expect([("P", nest(31)), ("M", nest(32)), ("P", groups(32)), ("M", groups(33))])
    expect([("P", nest(99)), ("M", nest(100)), ("P", groups(100)), ("M", groups(101))], "--max-depth", "100")
    expect([("P", nest(0)), ("M", nest(1)), ("P", groups(1)), ("M", groups(2))], "--max-depth", "1")


def test_groups():
    expect([
        ("P", bytes.fromhex("a306a406")), ("M", bytes.fromhex("a306")), ("M", bytes.fromhex("a406")),
        ("M", bytes.fromhex("a306ac06")), ("P", bytes.fromhex("a3060801a406")),
        ("M", field(24, bytes.fromhex("a306")) + bytes.fromhex("a406")),
        ("M", bytes.fromhex("a306") + field(24, bytes.fromhex("a406"))),
        ("M", bytes.fromhex("a306a4")),  # the end tag is cut
    ])


def test_every_truncation():
    """A message that is cut anywhere is malformed, but where the cut is between two fields."""
    message = M(i32=300, s="héllo" * 9, y=b"x" * 40, ri=range(200), d=1.5, f=2.5, far=7)
    message.inner.s = "x"
    message.inner.inner.x = 5
    message.m["key"] = 1
    whole = message.SerializeToString()
    rows = []
    for size in range(len(whole) + 1):
        try:
            M.FromString(whole[:size])
            rows.append(("P", whole[:size]))
        except Exception:  # noqa: BLE001 - protobuf's DecodeError has no stable home
            rows.append(("M", whole[:size]))
    expect(rows)


def test_sizes():
    """Up to the largest message, of the most fields and of the fewest."""
    rows = [("P", b"")]
    for size in (1, 2, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3000, 3001, 4096, 65507, 65535):
        rows.append(("P", (b"\x08\x01" * (size // 2 + 1))[: size // 2 * 2]))
        rows.append(("M", b"\x08\x01" * (size // 2) + b"\x08"))
    rows += [("P", field(10, b"a" * 65503)), ("P", b"\x9a\x01\x00" * 21845), ("O", bytes(65536)),
             ("P", field(11, b"\xff" * 65500)), ("P", b"\x8a\x01\x00" * 21845)]
    expect([row for row in rows if len(row[1]) <= 65535 or row[0] == "O"])
