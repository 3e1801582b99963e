"""Where the oracle is known to be wrong, each place with its reason; docs/decisions.md has those about bytes."""

import dataclasses

from varint import read_varint


@dataclasses.dataclass
class Message:
    """A mutated message, what the oracle says of it, and what the kernel says."""

    type: str
    wire: bytes
    expected: str  # pass, rule, malformed, refused, unknown
    why: str  # deviations of the oracle's parser, the rules that do not hold, the error
    actual: str = ""  # pass, rule, malformed, refused


# ---- The wire, of well-formed messages -----------------------------------------------------------
def fields(data):
    """(number, wire type, content) of each field; groups are not looked into."""
    while data:
        tag, data = read_varint(data)
        size = {1: 8, 5: 4}.get(tag & 7, 0)
        if tag & 7 == 2:
            size, data = read_varint(data)
        elif tag & 7 == 0:
            size = len(data) - len(read_varint(data)[1])
        yield tag >> 3, tag & 7, data[:size]
        data = data[size:]


def parts(data, number):
    """The occurrences of a message field."""
    return [content for found, wire, content in fields(data) if (found, wire) == (number, 2)]


# ---- Disagreements -------------------------------------------------------------------------------
def trailing_dot(message):
    """A hostname may have 253 characters and a dot at its end; the oracle counts the dot."""
    name = message.wire.find(b"\xfe\x01")
    return message.expected == "rule" and message.actual == "pass" \
        and message.why.split(" ")[-1].endswith("hostname") \
        and name >= 0 and message.wire[name + 255:name + 256] == b"."


# Singular fields of messages that hold their own kind, by the field that leads there.
RECURSIVE = {"TestMsg": [2], "ComplexTestMsg": [2, 8]}
ROOTS = {
    "Message": "TestMsg", "MessageRequired": "TestMsg", "MessageRequiredButOptional": "TestMsg",
    "MessageRequiredOneof": "TestMsg", "MessageOneofIgnoreOverride": "TestMsg",
    "KitchenSinkMessage": "ComplexTestMsg",
}


def is_split(kind, data):
    """Is a message of its own kind within it sent in parts?"""
    found = [parts(data, number) for number in RECURSIVE[kind]]
    return any(len(each) > 1 or is_split(kind, b"".join(each)) for each in found if each)


def split_recursion(message):
    """A message that holds its own kind is malformed when that is sent in two parts (docs/decisions.md)."""
    name = message.type.rsplit(".", 1)[-1]
    kind = name if name in RECURSIVE else ROOTS.get(name)
    if not kind or message.actual != "malformed" or message.expected not in ("pass", "rule"):
        return False
    whole = message.wire if name in RECURSIVE else b"".join(parts(message.wire, 1))
    return is_split(kind, whole)


def unknown_in_time(message):
    """Times are equal when seconds and nanos are; the oracle compares unknown fields, too."""
    name = message.type.rsplit(".", 1)[-1]
    if not name.startswith(("Duration", "Timestamp")) or not name.endswith(("Const", "In", "NotIn")):
        return False
    inner = b"".join(parts(message.wire, 1))
    unknown = any((number, wire) not in ((1, 0), (2, 0)) for number, wire, _ in fields(inner))
    return unknown and {message.expected, message.actual} == {"pass", "rule"}


def host_with_dot(verdict, text):
    """The same, of a string whose verdict is the oracle's, with a port or without."""
    host = text.rsplit(b":", 1)[0]
    return verdict == "invalid" and len(host) == 254 and host.endswith(b".")


DOCUMENTED = [trailing_dot, split_recursion, unknown_in_time]

# Cases that the oracle judges otherwise than the suite says.
SUITE = {
    "compilation/incorrect_type": "a wrong type is found when the rule is evaluated",
    "compilation/missing_field": "an unknown field is found when the rule is evaluated",
    "valid/name_253_characters_plus_trailing_dot": trailing_dot.__doc__,
}
