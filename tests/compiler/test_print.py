"""Messages as text and as JSON: what protoc --decode and Python's json_format make of the same bytes."""

import importlib
import json
import math
import random
import struct
import subprocess
import sys

import pytest
from first_byte import BUILD, ROOT
from google.protobuf import json_format
from varint import varint

TOOL = BUILD / "tests/compiler/print"
DATA = ROOT / "tests/data/schema"
INCLUDE = DATA / "include"
VARINT, FIXED64, BYTES, GROUP, END, FIXED32 = range(6)

KNOWN = """syntax = "proto3"; package known;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/empty.proto";
message Known {
  google.protobuf.Timestamp at_time = 1;
  google.protobuf.Duration for_time = 2;
  google.protobuf.Int64Value big = 3;
  google.protobuf.StringValue text = 4;
  google.protobuf.BytesValue raw = 5;
  google.protobuf.DoubleValue real = 6;
  google.protobuf.BoolValue flag = 7;
  google.protobuf.Struct object = 8;
  google.protobuf.ListValue list = 9;
  google.protobuf.Value value = 10;
  google.protobuf.Empty empty = 11;
  repeated google.protobuf.UInt32Value many_numbers = 12;
  map<string, google.protobuf.FloatValue> by_name = 13;
  int32 _odd__name_1 = 14;
  string custom = 15 [json_name = "Other \\" Name"];
}
"""


# ---- Bytes ---------------------------------------------------------------------------------------
def tagged(number, wire, content=b""):
    return varint(number << 3 | wire) + content


def delimited(number, content):
    return tagged(number, BYTES, varint(len(content)) + content)


NUMBERS = [0, 1, 2, 5, 127, 300, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 7]
REALS = [0.0, -0.0, 0.1, 1 / 3, -2.5, 1e10, 123456789.0, 1e-7, 1e300, 5e-324, math.inf, -math.inf, math.nan]
TEXTS = ["", "plain", "a\"b'c\\d", "\n\r\t\0\x7f\x1b[2J", "äöü€", "\U0001f600", "\u0085\u2028"]


class Bytes:
    """Messages of a descriptor at random, with fields that it does not have."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self):
        return self.random.choice(NUMBERS + [self.random.getrandbits(self.random.choice([5, 31, 64]))])

    def real(self):
        return self.random.choice([*REALS, self.random.uniform(-1e6, 1e6)])

    def scalar(self, field):
        kind = field.type
        if kind == field.TYPE_DOUBLE:
            return FIXED64, struct.pack("<d", self.real())
        if kind == field.TYPE_FLOAT:
            return FIXED32, struct.pack("<f", max(min(self.real(), 3e38), -3e38) if self.random.random() < 0.9
                                        else self.random.choice([math.inf, -math.inf, math.nan]))
        if kind in (field.TYPE_FIXED64, field.TYPE_SFIXED64):
            return FIXED64, struct.pack("<Q", self.number() % 2**64)
        if kind in (field.TYPE_FIXED32, field.TYPE_SFIXED32):
            return FIXED32, struct.pack("<I", self.number() % 2**32)
        if kind == field.TYPE_ENUM:
            known = [value.number % 2**64 for value in field.enum_type.values]
            # Python keeps a map's entry with an unknown number of a closed enum.
            others = [] if field.containing_type.GetOptions().map_entry else [77]
            return VARINT, varint(self.random.choice([*known, *known, *others]))
        return VARINT, varint(self.number() % 2**64)

    def field(self, field, depth):
        if field.type == field.TYPE_STRING:
            return delimited(field.number, self.random.choice(TEXTS).encode())
        if field.type == field.TYPE_BYTES:
            return delimited(field.number, self.random.randbytes(self.random.randrange(6)))
        if field.type == field.TYPE_GROUP:
            content = self.message(field.message_type, depth + 1)
            return tagged(field.number, GROUP) + content + tagged(field.number, END)
        if field.message_type:
            return delimited(field.number, self.message(field.message_type, depth + 1))
        if field.label == field.LABEL_REPEATED and self.random.random() < 0.5:
            return delimited(field.number, b"".join(self.scalar(field)[1] for _ in range(3)))
        wire, content = self.scalar(field)
        return tagged(field.number, wire, content)

    def unknown(self, depth):
        number = self.random.choice([900, 950, 19999])
        kind = self.random.randrange(6)
        if kind == 0:
            return tagged(number, VARINT, varint(self.number() % 2**64))
        if kind == 1:
            return tagged(number, FIXED64, self.random.randbytes(8))
        if kind == 2:
            return tagged(number, FIXED32, self.random.randbytes(4))
        if kind == 3:
            return delimited(number, self.random.choice([b"", b"\x08\x01", b"\x0a\x02ab", b"text", b"\xff\x00"]))
        inner = self.unknown(depth + 1) if depth < 5 else b""
        return tagged(number, GROUP) + inner + tagged(number, END) if kind == 4 else delimited(number, inner)

    def message(self, descriptor, depth=0, unknown=True):
        fields = list(descriptor.fields) + list(descriptor.file.pool.FindAllExtensions(descriptor))
        out = b"".join(self.field(f, depth) for f in fields if f.label == f.LABEL_REQUIRED)
        if depth > 4:
            return out
        chosen = [self.random.choice(fields) for _ in range(self.random.randrange(1 + len(fields) // (1 + depth)))]
        # protoc shows a map's key as often as it was sent, and what is merged may be a map.
        chosen = [f for i, f in enumerate(chosen) if not f.message_type or f not in chosen[:i]]
        out += b"".join(self.field(field, depth) for field in chosen)
        return out + (self.unknown(0) if unknown and self.random.random() < 0.2 else b"")


# ---- Who prints ----------------------------------------------------------------------------------
class Schema:
    def __init__(self, folder, path, name, module):
        self.path, self.name = path, name
        files = [path.name, "modern.proto"]
        subprocess.run(["protoc", f"-I{path.parent}", f"-I{INCLUDE}", f"--python_out={folder}", *files], check=True)
        sys.path.insert(0, str(folder))
        try:
            self.type = getattr(importlib.import_module(module), name.rpartition(".")[2])
        finally:
            sys.path.remove(str(folder))

    def printed(self, form, messages):
        text = "".join(f"{message.hex()}\n" for message in messages)
        command = [TOOL, self.path, INCLUDE, self.name, form]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.isascii() and all(c >= " " or c == "\n" for c in done.stdout) and "\x7f" not in done.stdout
        blocks = [[]]
        for line in done.stdout.splitlines():
            blocks = [*blocks, []] if line == "." else [*blocks[:-1], [*blocks[-1], line]]
        return ["\n".join(block) for block in blocks[:-1]]

    def protoc(self, message):
        command = ["protoc", f"-I{self.path.parent}", f"-I{INCLUDE}", f"--decode={self.name}", self.path]
        return subprocess.run(command, input=message, capture_output=True, timeout=60, check=True).stdout.decode()


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    path = tmp_path_factory.mktemp("known") / "known.proto"
    path.write_text(KNOWN)
    return Schema(tmp_path_factory.mktemp("python"), path, "known.Known", "known_pb2")


@pytest.fixture(scope="module")
def schemas(tmp_path_factory, known):
    values = Schema(tmp_path_factory.mktemp("python"), DATA / "values.proto", "test.values.Values", "values_pb2")
    return {"values": values, "known": known}


# ---- The same as others --------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["values", "known"])
def test_text_is_that_of_protoc(schemas, name):
    schema, source = schemas[name], Bytes(7)
    messages = [source.message(schema.type.DESCRIPTOR) for _ in range(150)]
    for message, text in zip(messages, schema.printed("text", messages)):
        assert text == schema.protoc(message).rstrip("\n"), message.hex()


def same(ours, theirs):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)


def bracketed(value):
    """Python leaves out the brackets around a list's extension, which all other implementations have."""
    extension = "[test.values.more]"
    if isinstance(value, dict):
        return {extension if key == "more" else key: bracketed(item) for key, item in value.items()}
    return [bracketed(item) for item in value] if isinstance(value, list) else value


def expected_json(schema, message):
    """None for what Python refuses: times out of range, a Value without one."""
    decoded = schema.type.FromString(message)
    if schema.name == "known.Known" and not (0 <= decoded.at_time.nanos < 10**9 and abs(decoded.for_time.nanos) < 10**9):
        return None
    try:
        return bracketed(json.loads(json_format.MessageToJson(decoded)))
    except (json_format.Error, ValueError, OverflowError):
        return None


@pytest.mark.parametrize("name", ["values", "known"])
def test_json_is_that_of_python(schemas, name):
    schema, source, compared = schemas[name], Bytes(8), 0
    messages = [source.message(schema.type.DESCRIPTOR, unknown=False) for _ in range(400)]
    for message, text in zip(messages, schema.printed("json", messages)):
        expected = expected_json(schema, message)
        if expected is not None:
            compared += 1
            assert same(json.loads(text), expected), (message.hex(), text, expected)
    assert compared > 100


@pytest.mark.parametrize("seconds,nanos", [
    (0, 0), (1700000000, 120000000), (1700000000, 1500), (-1, 999999999), (253402300799, 0), (-62135596800, 1)])
def test_timestamps(known, seconds, nanos):
    message = known.type()
    message.at_time.seconds, message.at_time.nanos = seconds, nanos
    data = message.SerializeToString()
    assert json.loads(known.printed("json", [data])[0]) == expected_json(known, data)


@pytest.mark.parametrize("seconds,nanos", [(0, 0), (3, 500000000), (-3, -1), (0, -1000), (315576000000, 0)])
def test_durations(known, seconds, nanos):
    message = known.type()
    message.for_time.seconds, message.for_time.nanos = seconds, nanos
    data = message.SerializeToString()
    assert json.loads(known.printed("json", [data])[0]) == expected_json(known, data)


@pytest.mark.parametrize("seconds,nanos", [(253402300800, 0), (0, 1000000000), (0, -1)])
def test_times_that_are_none(known, seconds, nanos):
    """They are shown as they were sent."""
    message = known.type()
    message.at_time.seconds, message.at_time.nanos = seconds, nanos
    shown = json.loads(known.printed("json", [message.SerializeToString()])[0])["atTime"]
    assert (int(shown.get("seconds", 0)), shown.get("nanos", 0)) == (seconds, nanos)


def test_struct(known):
    message = known.type()
    content = {"a": [1, "two", None, True, {"b": {}}], "c": 1.5, "": []}
    json_format.ParseDict(content, message.object)
    json_format.ParseDict(content["a"], message.list)
    json_format.ParseDict("x", message.value)
    shown = json.loads(known.printed("json", [message.SerializeToString()])[0])
    assert shown == {"object": content, "list": content["a"], "value": "x"}


def test_names(known):
    message = known.type(_odd__name_1=3, custom="x")
    data = message.SerializeToString()
    assert json.loads(known.printed("json", [data])[0]) == expected_json(known, data)
    assert known.printed("text", [data])[0].split("\n") == ["_odd__name_1: 3", 'custom: "x"']


def test_invalid_utf8_is_json_all_the_same(schemas):
    """proto2's strings may hold anything."""
    (text,) = schemas["values"].printed("json", [delimited(9, b"a\xff\xc3b\xed\xa0\x80")])
    assert json.loads(text)["text"] == "a\ufffd\ufffdb\ufffd\ufffd\ufffd"


def test_what_a_closed_enum_does_not_know(schemas):
    """An unknown field, and in a map the whole entry is (protoc --decode, which has maps as lists, shows its
    key)."""
    data = tagged(14, VARINT, varint(77)) + delimited(26, b"\x08\x01\x10\x4d") + delimited(26, b"\x08\x02\x10\x02")
    (text,) = schemas["values"].printed("text", [data])
    assert text == 'by_number {\n  key: 2\n  value: BLUE\n}\n14: 77\n26 {\n  1: 1\n  2: 77\n}'
    assert json.loads(schemas["values"].printed("json", [data])[0]) == {"byNumber": {"2": "BLUE"}}
