"""Annotations, judged in the kernel: each row is a message type, and wires with what becomes of each.

P passes, M is malformed, anything else is the id of the rule that is broken. Wires are made by protobuf's own
Python library, or by hand where it would not write them.
"""

import random
import re
import struct

import pytest
from google.protobuf import any_pb2, duration_pb2, field_mask_pb2, timestamp_pb2, wrappers_pb2
from judge import DATA, HERE, load_messages, verdicts, wire
from varint import varint

A = load_messages("annotations", "annotations_rules.proto", "buf/validate/validate.proto")
O = load_messages("annotations2")
NAN, INF = float("nan"), float("inf")


# ---- Wires by hand ---------------------------------------------------------------------------------
def number(field, value, extra=0):
    """A varint, longer than it has to be by `extra` bytes, as far as there is room."""
    out = bytearray(varint(value & (1 << 64) - 1))
    for _ in range(min(extra, 10 - len(out))):
        out[-1] |= 128
        out.append(0)
    return varint(field << 3) + bytes(out)


def sub(field, *parts):
    payload = wire(*parts)
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def fixed(field, form, value):
    return varint(field << 3 | (5 if struct.calcsize(form) == 4 else 1)) + struct.pack(form, value)


def group(field, *parts):
    return varint(field << 3 | 3) + wire(*parts) + varint(field << 3 | 4)


def entry(field, key=None, value=None):
    """Of a map of ints; None: it has none."""
    parts = [number(n, part) for n, part in ((1, key), (2, value)) if part is not None]
    return sub(field, *parts)


def packed(field, values):
    return sub(field, b"".join(varint(value) for value in values))


def I(x):
    return A.Inner(x=x)


def but(message, **changes):
    """The message with other fields; None: without it."""
    changed = type(message)()
    changed.CopyFrom(message)
    for name, value in changes.items():
        changed.ClearField(name)
        if value is not None:
            changed.MergeFrom(type(message)(**{name: value}))
            if message.DESCRIPTOR.fields_by_name[name].has_presence and not changed.HasField(name):
                setattr(changed, name, value)
    return changed


GOOD = A.Presence(implicit=6, needed=1, explicit_needed=0, list=[0], map={"": 0}, inner=I(6), some=[0])
T, N, C = A.Tree, A.Node, A.Choice


def deep(make, depth, innermost):
    message = innermost
    for _ in range(depth):
        message = make(message)
    return message


# fmt: off
ROWS = {
    "Presence": [
        ("P", GOOD),
        ("implicit:int32.gt", but(GOOD, implicit=5)), ("implicit:int32.gt", but(GOOD, implicit=None)),
        ("P", but(GOOD, lenient=6)), ("lenient:int32.gt", but(GOOD, lenient=5)), ("P", wire(GOOD, number(2, 0))),
        ("P", wire(GOOD, number(2, 5), number(2, 0))),
        ("P", but(GOOD, explicit=6)), ("explicit:int32.gt", but(GOOD, explicit=5)), ("explicit:int32.gt", but(GOOD, explicit=0)),
        ("explicit_lenient:int32.gt", but(GOOD, explicit_lenient=5)), ("explicit_lenient:int32.gt", but(GOOD, explicit_lenient=0)),
        ("P", but(GOOD, ignored=1)),
        ("needed:required", but(GOOD, needed=None)), ("needed:required", wire(GOOD, number(6, 0))),
        ("explicit_needed:required", but(GOOD, explicit_needed=None)), ("explicit_needed:int32.not_in", but(GOOD, explicit_needed=3)),
        ("P", but(GOOD, text="ab")), ("text:string.min_len", but(GOOD, text="a")), ("P", wire(GOOD, A.Presence(text="a"), sub(8))),
        ("list:required", but(GOOD, list=None)), ("list:required", wire(but(GOOD, list=None), packed(9, []))),
        ("map:required", but(GOOD, map=None)),
        ("inner:required", but(GOOD, inner=None)), ("inner.x:int32.gt", but(GOOD, inner=I(5))),
        ("P", but(GOOD, unneeded=I(6))), ("unneeded.x:int32.gt", but(GOOD, unneeded=I(0))),
        ("P", but(GOOD, unjudged=I(1))),
        ("P", but(GOOD, few=[1, 2])), ("few:repeated.min_items", but(GOOD, few=[1])), ("few[]:int32.gt", but(GOOD, few=[1, -5])),
        ("P", but(GOOD, few_pairs={1: 1, 2: 2})), ("few_pairs:map.min_pairs", but(GOOD, few_pairs={1: 1})), ("few_pairs[value]:int32.gt", but(GOOD, few_pairs={1: 1, 2: -5})),
        ("some:repeated.min_items", but(GOOD, some=None)),
        ("P", but(GOOD, raw=b"\xff\xff")), ("raw:bytes.min_len", but(GOOD, raw=b"\xff")),
    ],
    "Choice": [
        ("must:required", C()), ("P", C(a=6)), ("a:int32.gt", C(a=5)), ("a:int32.gt", C(a=0)), ("P", C(b="xx")),
        ("b:string.min_len", C(b="")), ("P", C(c=I(6))), ("c.x:int32.gt", C(c=I(5))), ("c.x:int32.gt", C(c=I(0))),
        # the last member stands, and what was said of the others is taken back
        ("P", wire(C(a=5), C(b="xx"))), ("P", wire(C(c=I(5)), C(b="xx"))), ("b:string.min_len", wire(C(c=I(6)), C(b="x"))),
        ("P", wire(C(c=I(5)), C(a=6), C(c=I(6)))), ("c.x:int32.gt", wire(C(c=I(6)), C(a=6), C(c=I(0)))),
        ("P", wire(C(c=I(6)), C(c=I(0)))), ("c.x:int32.gt", wire(C(c=I(6)), C(c=I(5)))),
        # lists of a member
        ("d.xs[]:int32.gt", C(d=A.Listed(xs=[1]))), ("P", wire(C(d=A.Listed(xs=[1])), C(a=6))),
        ("P", wire(C(d=A.Listed(xs=[1])), C(a=6), C(d=A.Listed(xs=[6])))),
        ("d.xs[]:int32.gt", wire(C(d=A.Listed(xs=[1])), C(d=A.Listed(xs=[6])))),
        ("d.xs:repeated.min_items", wire(C(d=A.Listed(xs=[6])), C(a=6), C(d=A.Listed()))),
        # messages of a member
        ("P", wire(C(e=A.Outer(inner=I(5))), C(a=6), C(e=A.Outer()))),
        ("e.inner.x:int32.gt", wire(C(e=A.Outer(inner=I(6))), C(a=6), C(e=A.Outer(inner=I(0))))),
        ("P", wire(C(e=A.Outer(list=A.Listed(xs=[3]))), C(a=6), C(e=A.Outer(list=A.Listed(xs=[7]))))),
    ],
    "Named": [
        ("message.oneof", A.Named()), ("P", A.Named(c="abc")), ("P", A.Named(d=I(6))), ("d.x:int32.gt", A.Named(d=I(5))),
        ("message.oneof", A.Named(c="abc", d=I(6))), ("c:string.min_len", A.Named(c="ab")),
        ("message.oneof", A.Named(a=6, b=0, c="abc")), ("P", A.Named(a=6, c="abc")), ("P", A.Named(b=0, c="abc")),
        ("a:int32.gt", A.Named(a=5, c="abc")), ("P", wire(A.Named(a=5, c="abc"), number(1, 0))),
    ],
    "Nested": [
        ("P", A.Nested()), ("P", A.Nested(inner=I(6))), ("inner.x:int32.gt", A.Nested(inner=I(0))),
        ("inner.x:int32.gt", A.Nested(inner=I(5))), ("P", A.Nested(outer=A.Outer())),
        ("outer.inner.x:int32.gt", A.Nested(outer=A.Outer(inner=I(0)))),
        ("outer.list.xs:repeated.min_items", A.Nested(outer=A.Outer(list=A.Listed()))),
        ("outer.list.xs[]:int32.gt", A.Nested(outer=A.Outer(list=A.Listed(xs=[6, 5, 7])))),
        ("sum", A.Nested(inner=I(60), outer=A.Outer(inner=I(40)))), ("cel_expression[0]", A.Nested(inner=I(50))),
        # in parts
        ("P", wire(A.Nested(inner=I(6)), A.Nested(inner=I(0)))), ("P", wire(A.Nested(inner=I(0)), A.Nested(inner=I(6)))),
        ("inner.x:int32.gt", wire(A.Nested(inner=I(6)), A.Nested(inner=I(5)))),
        ("P", wire(A.Nested(outer=A.Outer(inner=I(6))), A.Nested(outer=A.Outer(list=A.Listed(xs=[6]))), A.Nested(outer=A.Outer(inner=I(0))))),
        ("outer.list.xs[]:int32.gt", wire(A.Nested(outer=A.Outer(list=A.Listed(xs=[5]))), A.Nested(outer=A.Outer(list=A.Listed(xs=[6]))))),
    ],
    "Elements": [
        ("P", A.Elements()), ("P", A.Elements(numbers=[6, 7])), ("numbers[]:int32.gt", A.Elements(numbers=[6, 0, 7])),
        ("numbers[]:int32.gt", number(1, 5)), ("P", number(1, 6) + packed(1, [7])), ("numbers[]:int32.gt", packed(1, [5]) + number(1, 6)),
        ("P", packed(1, [6] * 3000)), ("numbers[]:int32.gt", packed(1, [*[600] * 3000, 5])),
        ("P", A.Elements(texts=["", "ab"])), ("texts[]:string.min_len", A.Elements(texts=["ab", "a", "ab"])),
        ("P", A.Elements(inners=[I(6), I(8)])), ("inners[]:not7", A.Elements(inners=[I(6), I(7), I(8)])),
        # an element has nothing of the one before it
        ("inners[].x:int32.gt", A.Elements(inners=[I(6), I(0)])), ("inners[].x:int32.gt", A.Elements(inners=[I(0), I(6)])),
        ("outers[].inner.x:int32.gt", A.Elements(outers=[A.Outer(inner=I(6)), A.Outer(inner=I(0))])),
        ("P", A.Elements(outers=[A.Outer(inner=I(6), list=A.Listed(xs=[6])), A.Outer(), A.Outer(list=A.Listed(xs=[7, 8]))])),
        ("outers[].list.xs:repeated.min_items", A.Elements(outers=[A.Outer(list=A.Listed(xs=[6])), A.Outer(list=A.Listed())])),
        ("outers[].list.xs[]:int32.gt", A.Elements(outers=[A.Outer(list=A.Listed(xs=[6])), A.Outer(list=A.Listed(xs=[5])), A.Outer(list=A.Listed(xs=[6]))])),
        ("P", sub(4, sub(1, number(1, 5)), sub(1, number(1, 6)))),
        ("outers[].inner.x:int32.gt", sub(4, sub(1, number(1, 6))) + sub(4, sub(1))),
        ("P", A.Elements(colors=[0, 1, 5])), ("colors[]:enum.defined_only", A.Elements(colors=[1, 2])),
        ("P", A.Elements(pairs=[A.Pair(low=1, high=1), A.Pair()])),
        ("pairs[]:order", A.Elements(pairs=[A.Pair(low=1, high=2), A.Pair(low=1)])),
        ("P", A.Elements(choices=[C(a=6), C(b="xx")])), ("choices[].must:required", A.Elements(choices=[C(a=6), C()])),
        ("choices[].a:int32.gt", A.Elements(choices=[C(b="xx"), C(a=5)])),
        ("P", sub(7, C(c=I(5)), C(a=6)) + sub(7, C(a=1), C(c=I(6)))),
        ("choices[].c.x:int32.gt", sub(7, C(c=I(6))) + sub(7, C(c=I(0)))),
        ("P", A.Elements(unjudged=[1])), ("P", A.Elements(flags=[True])), ("flags[]:bool.const", A.Elements(flags=[True, False])),
        ("reals[]:double.gt", A.Elements(reals=[2, NAN])), ("P", A.Elements(reals=[2, INF])), ("reals[]:double.gt", A.Elements(reals=[1.5])),
    ],
    "Maps": [
        ("P", A.Maps()), ("P", A.Maps(counts={"ab": 6})), ("counts[key]:string.min_len", A.Maps(counts={"a": 6})),
        ("counts[value]:int32.gt", A.Maps(counts={"ab": 5, "cd": 6})),
        # a key's last entry stands
        ("P", wire(A.Maps(counts={"ab": 5}), A.Maps(counts={"ab": 6}))), ("counts[value]:int32.gt", wire(A.Maps(counts={"ab": 6}), A.Maps(counts={"ab": 5}))),
        ("counts[value]:int32.gt", wire(A.Maps(counts={"ab": 5}), A.Maps(counts={"ac": 6}), A.Maps(counts={"abc": 6}))),
        ("P", wire(*[A.Maps(counts={"ab": n}) for n in (5, 6, 4, 7)])), ("counts[value]:int32.gt", wire(*[A.Maps(counts={"ab": n}) for n in (6, 5, 7, 4)])),
        # what an entry does not have
        ("counts[key]:string.min_len", sub(1, number(2, 6))), ("counts[value]:int32.gt", sub(1, sub(1, b"ab"))),
        ("counts[key]:string.min_len", A.Maps(counts={"ab": 6}).SerializeToString() + sub(1, number(2, 6))),
        ("counts[value]:int32.gt", A.Maps(counts={"ab": 6}).SerializeToString() + sub(1, sub(1, b"cd"))),
        ("P", sub(1, sub(1, b"ab")) + sub(1, sub(1, b"ab"), number(2, 6))), ("P", sub(1, number(2, 5), sub(1, b"x"), sub(1, b"ab"), number(2, 6))),
        # messages as values
        ("P", A.Maps(inners={1: I(6)})), ("inners[value].x:int32.gt", entry(2, 1)), ("inners[value].x:int32.gt", entry(2)),
        ("inners[value].x:int32.gt", A.Maps(inners={1: I(6), 2: I(0)})), ("P", wire(A.Maps(inners={1: I(0)}), A.Maps(inners={1: I(6)}))),
        ("inners[value].x:int32.gt", wire(A.Maps(inners={1: I(6)}), A.Maps(inners={1: I(0)}))),
        ("inners[value].x:int32.gt", wire(A.Maps(inners={1: I(6)}), entry(2, 1))),
        ("P", sub(2, number(1, 1), sub(2, number(1, 6)), sub(2))), ("P", sub(2, sub(2, I(5)), sub(2, I(6)), number(1, 1))),
        ("outers[key]:int32.gt", A.Maps(outers={-5: A.Outer()})), ("P", A.Maps(outers={-4: A.Outer(list=A.Listed(xs=[6]))})),
        ("outers[value].list.xs:repeated.min_items", A.Maps(outers={-4: A.Outer(list=A.Listed())})),
        ("outers[value].list.xs[]:int32.gt", A.Maps(outers={1: A.Outer(list=A.Listed(xs=[6, 5])), 2: A.Outer(list=A.Listed(xs=[6]))})),
        ("P", A.Maps(colors={1: 5})), ("colors[value]:enum.defined_only", A.Maps(colors={1: 5, 2: 3})),
        ("P", A.Maps(lenient={1: 6, 2: 0})), ("lenient[value]:int32.gt", A.Maps(lenient={1: 6, 2: 1})), ("P", wire(A.Maps(lenient={2: 1}), A.Maps(lenient={2: 0}))),
    ],
    "Keys": [
        # one key, twice: written otherwise it is the same
        *[(f"{name}[value]:int32.gt" if bad else "P", sub(n, a, number(2, 5)) + sub(n, b, number(2, 6)))
          for name, n, a, b, bad in (
              ("i32", 1, number(1, 5), number(1, 5, 2), False), ("i32", 1, number(1, 5 + 2**32), number(1, 5), False),
              ("i32", 1, number(1, -1), number(1, 2**32 - 1), False), ("i32", 1, number(1, 5), number(1, 6), True),
              ("i64", 2, number(1, 5), number(1, 5, 2), False), ("i64", 2, number(1, 5 + 2**32), number(1, 5), True),
              ("u32", 3, number(1, 5 + 2**32), number(1, 5, 1), False), ("u32", 3, number(1, -1), number(1, 2**32 - 1), False),
              ("u64", 4, number(1, 5 + 2**32), number(1, 5), True), ("u64", 4, number(1, -1), number(1, -1), False),
              ("s32", 5, number(1, 5), number(1, 5 + 2**32), False), ("s32", 5, number(1, 5), number(1, 6), True),
              ("s64", 6, number(1, 5), number(1, 5, 3), False), ("s64", 6, number(1, 5), number(1, 5 + 2**32), True),
              ("f32", 7, fixed(1, "<I", 2**32 - 1), fixed(1, "<I", 2**32 - 1), False), ("f32", 7, fixed(1, "<I", 1), fixed(1, "<I", 2**31 + 1), True),
              ("f64", 8, fixed(1, "<Q", 2**64 - 1), fixed(1, "<Q", 2**64 - 1), False), ("f64", 8, fixed(1, "<Q", 1), fixed(1, "<Q", 2**63 + 1), True),
              ("sf32", 9, fixed(1, "<i", -1), fixed(1, "<i", -1), False), ("sf32", 9, fixed(1, "<i", -1), fixed(1, "<i", 1), True),
              ("sf64", 10, fixed(1, "<q", -1), fixed(1, "<q", -1), False), ("sf64", 10, fixed(1, "<q", -1), fixed(1, "<q", 1), True),
              ("b", 11, number(1, 1), number(1, 2), False), ("b", 11, number(1, 2**63), number(1, 1, 3), False), ("b", 11, number(1, 1), number(1, 0), True),
              ("b", 11, number(1, 1), b"", True), ("b", 11, number(1, 0, 2), b"", False), ("i32", 1, b"", number(1, 0, 4), False),
              ("i32", 1, b"", number(1, 2**32), False), ("s", 12, b"", sub(1), False), ("s", 12, sub(1, b"x"), b"", True),
              ("s", 12, sub(1, b"x" * 300), sub(1, b"y"), True), ("s", 12, sub(1, b"x" * 300), sub(1, b"x" * 300), False),
              ("s", 12, sub(1, b"x" * 300), sub(1, b"x" * 299 + b"y"), True))],
        # the same key of another map
        ("i64[value]:int32.gt", entry(2, 5, 5) + entry(1, 5, 6)),
    ],
    "Sizes": [
        ("m:map.min_pairs", A.Sizes()), ("m:map.min_pairs", A.Sizes(m={1: 1})), ("P", A.Sizes(m={1: 1, 2: 1})),
        ("m:map.min_pairs", entry(1, 1, 1) * 3), ("P", entry(1, 1, 1) * 3 + entry(1)), ("m:map.min_pairs", entry(1) + entry(1, 0, 7)),
        ("P", A.Sizes(m={n: 0 for n in range(5000)})), ("m:map.max_pairs", A.Sizes(m={n: 0 for n in range(5001)})),
        ("P", wire(A.Sizes(m={n: 0 for n in range(3000)}), A.Sizes(m={n: 1 for n in range(2000, 5000)}))),
    ],
    "Unique": [
        ("P", A.Unique()),
        *[row for name, good in {
            "d": [0, 1.5, -1.5, INF, -INF], "f": [0, 1.5, -1.5, INF], "i32": [0, -1, 2**31 - 1, -2**31], "i64": [0, -1, 2**63 - 1, 2**32, -2**63],
            "u32": [0, 2**32 - 1, 2**31], "u64": [0, 2**64 - 1, 2**32, 2**32 - 1], "s32": [0, -1, 1, -2**31], "s64": [0, -1, 1, 2**32],
            "f32": [0, 2**32 - 1], "f64": [0, 2**32, 2**64 - 1], "sf32": [0, -1, 1], "sf64": [0, -1, 2**32], "b": [True, False], "s": ["", "a", "b", "ab"],
            "y": [b"", b"\0", b"\0\0", b"\xff"], "e": [0, 1, 5, 77]}.items()
          for row in [("P", A.Unique(**{name: good})), *[(f"{name}:repeated.unique", A.Unique(**{name: [*good, twice]})) for twice in good]]],
        # one by one, and packed; longer than they have to be
        ("P", number(3, 1) + number(3, 2) + packed(3, [3, 4])), ("i32:repeated.unique", number(3, 1) + packed(3, [2, 1])),
        ("i32:repeated.unique", packed(3, [2, 1]) + number(3, 1, 3)), ("i32:repeated.unique", number(3, 1) + number(3, 2**32 + 1)),
        ("i32:repeated.unique", packed(3, [2**64 - 1, 2**32 - 1])), ("P", number(4, 1) + number(4, 2**32 + 1)), ("i64:repeated.unique", number(4, 1) + number(4, 1, 8)),
        ("b:repeated.unique", number(13, 1) + number(13, 5)), ("b:repeated.unique", packed(13, [0, 128, 2**64 - 1])), ("P", packed(13, [0, 128])),
        ("e:repeated.unique", number(16, 2**32) + number(16, 0)), ("s32:repeated.unique", number(7, 3) + number(7, 3 + 2**32)),
        ("f32:repeated.unique", fixed(9, "<I", 7) + sub(9, struct.pack("<III", 8, 9, 7))), ("P", fixed(9, "<I", 7) + sub(9, struct.pack("<III", 8, 9, 6))),
        # a NaN is equal to nothing, a zero to the other one
        ("P", A.Unique(d=[NAN, NAN], f=[NAN, NAN, NAN])), ("d:repeated.unique", A.Unique(d=[0.0, -0.0])), ("d:repeated.unique", A.Unique(d=[-0.0, NAN, -0.0])),
        ("f:repeated.unique", A.Unique(f=[-0.0, 0.0])), ("d:repeated.unique", A.Unique(d=[NAN, 1, NAN, 1])), ("P", A.Unique(d=[5e-324, -5e-324, 0])),
        # long texts
        *[(v, A.Unique(**{name: texts})) for size in (1, 7, 8, 9, 63, 64, 65, 255, 256, 300)
          for name, unit in (("s", "x"), ("y", b"\xfe")) for v, texts in (
              ("P", [unit * size, unit * (size - 1)]), (f"{name}:repeated.unique", [unit * size, unit * (size + 1), unit * size]),
              ("P", [unit * size + ("a" if name == "s" else b"a"), unit * size + ("b" if name == "s" else b"b")]))],
        # each list has a set of its own
        ("P", A.Unique(i32=[1], i64=[1], u32=[1], u64=[1], s=["a"], y=[b"a"])),
    ],
    "Two": [  # more values than can be told apart: such a message is not known to be good
        ("P", packed(1, range(14000)) + packed(2, range(14000))), ("b:repeated.unique", packed(1, range(14000)) + packed(2, range(14001))),
        ("b:repeated.unique", packed(1, range(14000)) + packed(2, [*range(13999), 5])), ("a:repeated.unique", packed(1, [1, 1]) + packed(2, range(14001))),
        ("M", packed(1, range(14000)) + packed(2, range(14000)) + entry(3, 1, 6)), ("P", packed(1, range(14000)) + packed(2, range(13999)) + entry(3, 1, 5) + entry(3, 1, 6)),
    ],
    "Full": [  # nor is it known to be other than good
        ("twice", packed(1, range(14000)) + packed(2, range(14000))), ("P", packed(1, range(14000)) + packed(2, [*range(9), 5])),
        ("twice", packed(1, range(14000)) + packed(2, range(14001))), ("P", packed(1, [*range(14000), 7]) + packed(2, range(14001))),
    ],
    "Sets": [
        ("P", A.Sets(sets=[A.Sets.Set(xs=[1, 2])] * 3)), ("sets[].xs:repeated.unique", A.Sets(sets=[A.Sets.Set(xs=[1]), A.Sets.Set(xs=[2, 2])])),
        ("P", A.Sets(sets=[A.Sets.Set(m={1: 6, 2: 6}), A.Sets.Set(m={3: 6, 2: 7})])), ("sets[].m:map.max_pairs", A.Sets(sets=[A.Sets.Set(m={1: 6}), A.Sets.Set(m={1: 6, 2: 6, 3: 6})])),
        ("sets[].m[value]:int32.gt", A.Sets(sets=[A.Sets.Set(m={1: 5}), A.Sets.Set(m={1: 6})])),
        ("P", A.Sets(sets=[A.Sets.Set(m={1: 6}), A.Sets.Set(m={1: 6})])), ("P", sub(1, entry(2, 1, 5), entry(2, 1, 6)) + sub(1, entry(2, 1, 6))),
        # sets within the value of a key that comes again
        ("P", wire(A.Sets(named={1: A.Sets.Set(xs=[2, 2])}), A.Sets(named={1: A.Sets.Set(xs=[2])}))),
        ("named[value].xs:repeated.unique", wire(A.Sets(named={1: A.Sets.Set(xs=[2])}), A.Sets(named={1: A.Sets.Set(xs=[2, 2], m={1: 6})}))),
        ("named[value].m[value]:int32.gt", wire(A.Sets(named={1: A.Sets.Set(m={1: 6})}), A.Sets(named={2: A.Sets.Set(m={1: 5})}), A.Sets(named={1: A.Sets.Set()}))),
        ("P", wire(A.Sets(named={1: A.Sets.Set(m={7: 5})}), A.Sets(named={1: A.Sets.Set(m={7: 6, 8: 6})}))),
    ],
    "Tree": [
        ("P", T(v=6)), ("v:int32.gt", T()), ("P", T(v=6, left=T(v=6))), ("Tree.v:int32.gt", T(v=6, left=T())),
        ("Tree.v:int32.gt", T(v=6, left=T(v=6, left=T(v=6, left=T(v=5))))), ("Tree.v:int32.gt", T(v=6, left=T(v=5, left=T(v=6, left=T(v=6))))),
        ("Tree.v:int32.gt", T(v=6, kids=[T(v=6), T(v=6, kids=[T(v=6)] * 3 + [T(v=0)]), T(v=6)])), ("Tree.v:int32.gt", T(v=6, kids=[T(v=5, kids=[T(v=6)])])),
        ("Tree.v:int32.gt", T(v=6, named={"a": T(v=6, named={"b": T(v=5)})})), ("P", T(v=6, named={"a": T(v=6, named={"b": T(v=6)})}, kids=[T(v=7, left=T(v=8))])),
        # what is around is as it was: sent before what is within, and after it
        ("P", wire(T(v=6), sub(2, T(v=6), sub(3, T(v=7), sub(2, T(v=8))), sub(3, T(v=9))))), ("P", wire(T(v=6), sub(2, sub(3, sub(2, T(v=8)), T(v=7)), sub(3, T(v=9)), T(v=6)))),
        ("Tree.v:int32.gt", wire(T(v=6), sub(2, T(v=5), sub(3, T(v=7))))), ("Tree.v:int32.gt", wire(T(v=6), sub(3, T(v=6), sub(3)))), ("Tree.v:int32.gt", wire(T(v=6), sub(3, sub(3, T(v=6))))),
        ("P", wire(T(v=6), sub(3, T(v=5), sub(3, T(v=7)), number(1, 6)))),
        # lists and maps of what is around
        ("Tree.xs:repeated.unique", wire(T(v=6), sub(3, T(v=6, xs=[7]), sub(3, T(v=6, xs=[8])), T(xs=[7])))), ("P", wire(T(v=6), sub(3, T(v=6, xs=[7]), sub(3, T(v=6, xs=[7])), T(xs=[8])))),
        ("Tree.xs[]:int32.gt", wire(T(v=6), sub(3, T(v=6, xs=[5]), sub(3, T(v=6, xs=[7])), T(xs=[8])))), ("P", wire(T(v=6, xs=[9]), sub(3, T(v=6, xs=[9])), T(xs=[10]))),
        ("xs:repeated.unique", wire(T(v=6, xs=[9]), sub(3, T(v=6, xs=[9])), T(xs=[9]))),
        ("P", wire(T(v=6), sub(3, T(v=6, m={1: 5}), sub(3, T(v=6, m={1: 6})), T(m={1: 6})))), ("Tree.m[value]:int32.gt", wire(T(v=6), sub(3, T(v=6, m={1: 6}), sub(3, T(v=6, m={1: 6})), T(m={1: 5})))),
        ("m[value]:int32.gt", wire(T(v=6, m={1: 6}), sub(3, T(v=6, m={1: 6})), T(m={1: 5}))), ("P", wire(T(v=6, m={1: 5}), sub(3, T(v=6, m={1: 6})), T(m={1: 6}))),
        # a key's last entry stands
        ("P", wire(T(v=6), T(named={"a": T(v=5)}), T(named={"a": T(v=6)}))), ("Tree.v:int32.gt", wire(T(v=6), T(named={"a": T(v=6)}), T(named={"a": T(v=5)}))),
        ("P", wire(T(v=6), T(named={"a": T(v=6, kids=[T(v=1)])}), T(named={"a": T(v=6)}))),
        # such a value is there
        ("named[value]:required", wire(T(v=6), sub(4, sub(1, b"a")))), ("P", wire(T(v=6), sub(4, sub(1, b"a")), T(named={"a": T(v=6)}))),
        ("named[value]:required", wire(T(v=6), T(named={"a": T(v=6)}), sub(4))), ("Tree.named[value]:required", wire(T(v=6), sub(3, T(v=6), sub(4)))),
        # a message in two parts
        ("M", wire(T(v=6), T(left=T(v=6)), T(left=T(v=6)))), ("M", wire(T(v=6), sub(3, T(v=6), T(left=T(v=6)), T(left=T(v=6))))),
        ("P", wire(T(v=6), T(kids=[T(v=6, left=T(v=6))] * 5))),
        # two kinds that hold each other
        ("P", T(v=6, ping=A.Ping(p=6, pong=A.Pong(q="abc", ping=A.Ping(p=6))))), ("Ping.p:int32.gt", T(v=6, ping=A.Ping())),
        ("Tree.ping.pong.q:string.max_len", T(v=6, left=T(v=6, ping=A.Ping(p=6, pong=A.Pong(q="abcd"))))),
    ],
    "Ping": [
        ("P", A.Ping(p=6)), ("P", A.Ping(p=6, pong=A.Pong())), ("pong.q:string.max_len", A.Ping(p=6, pong=A.Pong(q="abcd"))),
        ("Ping.p:int32.gt", A.Ping(p=6, pong=A.Pong(ping=A.Ping(p=5)))),
        ("Ping.pong.q:string.max_len", A.Ping(p=6, pong=A.Pong(ping=A.Ping(p=6, pong=A.Pong(q="abcd"))))),
        ("P", deep(lambda m: A.Ping(p=6, pong=A.Pong(q="abc", ping=m)), 15, A.Ping(p=6))),
        ("Ping.p:int32.gt", deep(lambda m: A.Ping(p=6, pong=A.Pong(q="abc", ping=m)), 15, A.Ping(p=5))),
    ],
    "Node": [
        ("o:required", N()), ("P", N(v=6)), ("v:int32.gt", N(v=5)), ("Node.o:required", N(next=N())), ("P", N(next=N(v=6))), ("Node.v:int32.gt", N(next=N(next=N(v=5)))),
        # another member takes back what was said, at each depth
        ("P", wire(N(next=N(v=5)), N(v=6))), ("P", wire(N(next=N(v=5)), N(s="x"), N(next=N(v=6)))), ("Node.v:int32.gt", wire(N(next=N(v=6)), N(s="x"), N(next=N(v=5)))),
        ("P", sub(1, N(next=N(v=5)), N(s="x"))), ("P", sub(1, N(next=N(v=5)), N(s="x"), N(next=N(v=6)))), ("Node.v:int32.gt", sub(1, N(next=N(v=5)), N(s="x"), N(next=N(v=6)), N(v=5))),
        ("M", wire(N(next=N(v=6)), N(next=N(v=6)))), ("M", sub(1, N(next=N(v=6)), N(next=N(v=6)))), ("P", sub(1, sub(1, N(next=N(v=5)), N(s="x")))),
    ],
    "Wrapped": [
        ("s:required", A.Wrapped()), ("P", A.Wrapped(s=wrappers_pb2.StringValue(value="ab"))), ("s:string.min_len", A.Wrapped(s=wrappers_pb2.StringValue())),
        ("i:int32.gt", sub(2, sub(1, b"ab")) + sub(1)), ("P", sub(2, sub(1, b"ab")) + sub(1, number(1, 6)) + sub(1)), ("i:int32.gt", sub(2, sub(1, b"ab")) + sub(1, number(1, 5))),
        ("items[]:int32.gt", sub(2, sub(1, b"ab")) + sub(3, number(1, 6)) + sub(3)), ("P", sub(2, sub(1, b"ab")) + sub(3, number(1, 6)) * 2),
        ("m[value]:int32.gt", sub(2, sub(1, b"ab")) + entry(4, 1)), ("P", sub(2, sub(1, b"ab")) + entry(4, 1) + sub(4, number(1, 1), sub(2, number(1, 6)))),
    ],
    "Known": [
        ("P", A.Known()), ("P", A.Known(some=any_pb2.Any(type_url="type/b"))), ("some:any.in", A.Known(some=any_pb2.Any(type_url="type/c"))), ("some:any.in", A.Known(some=any_pb2.Any())),
        ("P", A.Known(other=any_pb2.Any(type_url="type/c"))), ("other:any.not_in", A.Known(other=any_pb2.Any(type_url="type/b"))),
        ("P", A.Known(mask=field_mask_pb2.FieldMask(paths=["a", "b.c", "a"]))), ("mask:field_mask.in", A.Known(mask=field_mask_pb2.FieldMask(paths=["a", "b"]))),
        ("P", wire(A.Known(mask=field_mask_pb2.FieldMask(paths=["a"])), A.Known(mask=field_mask_pb2.FieldMask(paths=["b.c"])))),
        ("mask:field_mask.in", wire(A.Known(mask=field_mask_pb2.FieldMask(paths=["x"])), A.Known(mask=field_mask_pb2.FieldMask(paths=["a"])))),
        ("d:duration.gt", A.Known(d=duration_pb2.Duration(seconds=5, nanos=7))), ("P", A.Known(d=duration_pb2.Duration(seconds=5, nanos=8))),
        ("t:timestamp.gt", A.Known(t=timestamp_pb2.Timestamp())), ("P", A.Known(t=timestamp_pb2.Timestamp(seconds=6))),
        ("ds[]:duration.gt", A.Known(ds=[duration_pb2.Duration(seconds=6), duration_pb2.Duration(nanos=6)])), ("P", A.Known(ds=[duration_pb2.Duration(seconds=6)])),
    ],
    "Macros": [
        ("P", A.Macros()), ("P", A.Macros(m={1: 7, 2: 6})), ("one7", A.Macros(m={1: 7, 2: 7})), ("one7", A.Macros(m={1: 6})),
        ("P", entry(1, 1, 7) * 2), ("P", entry(1, 1, 7) + entry(1, 2, 7) + entry(1, 1, 6)), ("one7", entry(1, 1, 7) + entry(1, 1, 6)),
        ("one7", entry(1, 1, 6) + entry(1, 2, 7) + entry(1, 1, 7)), ("P", entry(1, 1, 6) + entry(1, 1, 7)),
        ("P", A.Macros(d={1: 1})), ("errors", A.Macros(d={1: 0})), ("P", A.Macros(d={1: 0, 2: 1})), ("errors", A.Macros(d={1: 2})), ("P", entry(2, 1) + entry(2, 2, 1)),
        ("errors", entry(2, 1, 1) + entry(2, 1, 0)), ("P", entry(2, 1, 0) + entry(2, 1, 1)), ("errors", entry(2, 1, 1) + entry(2, 1)),
        ("P", A.Macros(s={"a": 3})), ("at", A.Macros(s={"a": 4})), ("P", A.Macros(s={"b": 4, "aa": 4, "": 4})), ("P", wire(A.Macros(s={"a": 4}), A.Macros(s={"a": 3}))),
        ("at", wire(A.Macros(s={"a": 3}), A.Macros(s={"a": 4}))), ("at", wire(A.Macros(s={"a": 3}), sub(3, sub(1, b"a")))), ("P", wire(A.Macros(s={"a": 3}), A.Macros(s={"b": 4}))),
        ("P", A.Macros(l=[1, 3])), ("at0", A.Macros(l=[3])), ("at0", A.Macros(l=[3, 1, 3])), ("P", number(4, 1) + packed(4, [3, 4])), ("P", packed(4, []) + packed(4, [1]) + number(4, 3) + number(4, 1)),
        ("keys", A.Macros(m={9: 7})), ("not", A.Macros(m={8: 7})), ("P", A.Macros(t={"a": "ab", "": "x"})), ("wide", A.Macros(t={"a": "ba"})), ("wide", A.Macros(t={"a": ""})),
        ("P", wire(A.Macros(t={"a": "b"}), A.Macros(t={"a": "a"}))),
    ],
    "Lists": [
        ("P", A.Lists()), ("P", A.Lists(l=[1, 2, 3])), *[("whole", A.Lists(l=l)) for l in ([1, 2], [1, 2, 3, 4], [1, 3, 2], [2, 3, 1], [3, 3, 3])],
        ("P", number(1, 1) + packed(1, [2]) + number(1, 3, 2)), ("P", A.Lists(s=["a"])), ("other", A.Lists(s=["a", "bc"])), ("P", A.Lists(s=["a", "bc", ""])), ("P", A.Lists(s=["a", "b"])),
        ("P", A.Lists(d=[1.5])), ("empty", A.Lists(d=[0])), ("empty", A.Lists(d=[1.5, 1.5])),
        ("P", A.Lists(es=[A.Lists.E(xs=[7]), A.Lists.E(xs=[6, 1]), A.Lists.E(xs=[1, 2, 3])])), ("within", A.Lists(es=[A.Lists.E(xs=[7]), A.Lists.E(xs=[7, 7])])),
        ("within", A.Lists(es=[A.Lists.E(xs=[6]), A.Lists.E()])), ("within", A.Lists(es=[A.Lists.E(xs=[6, 1, 1]), A.Lists.E(xs=[1])])),
        ("written", A.Lists(n=1)), ("written", A.Lists(n=2)), ("P", A.Lists(n=3)), ("P", A.Lists(t="x")), ("wanted", A.Lists(t="z")),
        ("fields", A.Lists(n=4, k=7)), ("P", A.Lists(n=4, k=8)), ("P", A.Lists(n=7, k=4)),
    ],
    "Predefined": [
        ("odd:int32.odd", A.Predefined(even=6)), ("P", A.Predefined(odd=1, even=6)), ("even:int32.parts", A.Predefined(odd=1, even=3)), ("even:int32.parts", A.Predefined(odd=1, even=4)),
        ("P", A.Predefined(odd=1)), ("P", A.Predefined(odd=-1 + 2, items=[1, 3])), ("items[]:int32.odd", A.Predefined(odd=1, items=[1, 2])),
    ],
}

ENTRY, SEEN = entry(4, 1, 1), number(5, 1)  # what an Old must have
OLD_ROWS = [
    ("P", ENTRY + SEEN), ("closed:map.min_pairs", SEEN), ("one:required", ENTRY),
    # the default of an absent field is not judged
    ("i:int32.gt", ENTRY + SEEN + number(1, 5)), ("P", ENTRY + SEEN + number(1, 6)),
    # groups
    ("P", ENTRY + SEEN + group(2)), ("part.x:int32.gt", ENTRY + SEEN + group(2, number(1, 5))), ("P", ENTRY + SEEN + group(2, number(1, 5)) + group(2, number(1, 6))),
    ("parts[].x:required", ENTRY + SEEN + group(3, number(1, 6)) + group(3)), ("P", ENTRY + SEEN + group(3, number(1, 6)) * 2), ("parts[].x:int32.gt", ENTRY + SEEN + group(3, number(1, 6)) + group(3, number(1, 5))),
    ("parts[].within[].y:int32.gt", ENTRY + SEEN + group(3, number(1, 6), group(2, number(1, 6)), group(2, number(1, 5)))), ("P", ENTRY + SEEN + group(3, number(1, 6), group(2, number(1, 6)), group(2))),
    ("M", ENTRY + SEEN + b"\x1b"),
    # an entry whose value the enum does not have is none, whatever its key
    ("closed:map.min_pairs", SEEN + entry(4, 1, 7)), ("P", SEEN + entry(4, 1, 7) + ENTRY), ("P", SEEN + ENTRY + entry(4, 1, 7)), ("P", SEEN + ENTRY + entry(4, -9, 7)),
    ("closed[key]:int32.gt", SEEN + entry(4, -9, 1)), ("closed[value]:enum.not_in", SEEN + entry(4, 1, 2)), ("closed[value]:enum.not_in", SEEN + entry(4, 1, 2) + entry(4, 1, 7)),
    ("P", SEEN + entry(4, 1, 2) + entry(4, 1, 7) + ENTRY), ("closed[value]:enum.not_in", SEEN + entry(4, 1, 7) + entry(4, 1, 2)), ("closed:map.max_pairs", SEEN + b"".join(entry(4, n, 1) for n in range(3))),
    ("P", SEEN + b"".join(entry(4, n, 1 if n < 2 else 9) for n in range(5))), ("P", SEEN + entry(4, 1)), ("P", SEEN + entry(4)),
    # likewise one that comes with a value that it has, too
    ("closed:map.min_pairs", SEEN + sub(4, number(1, 1), number(2, 7), number(2, 1))),
    # values that a closed enum does not have are no values
    ("one:required", ENTRY + number(5, 7)), ("P", ENTRY + number(5, 7) + SEEN), ("P", ENTRY + SEEN + number(6, 1) + number(6, 7) * 3), ("many[]:enum.not_in", ENTRY + SEEN + number(6, 1) + packed(6, [7, 2])),
    ("many:repeated.unique", ENTRY + SEEN + packed(6, [1, 7, 7, 1])), ("P", ENTRY + SEEN + packed(6, [0, 7, 8, 7, 1])),
    ("P", ENTRY + SEEN + number(9, 6) + number(8, 7)), ("n:int32.gt", ENTRY + SEEN + number(9, 5) + number(8, 7)), ("P", ENTRY + SEEN + number(9, 5) + number(8, 1)), ("c:enum.not_in", ENTRY + SEEN + number(9, 6) + number(8, 2)),
    ("P", ENTRY + SEEN + number(8, 2) + number(9, 6)),
    # extensions
    ("P", ENTRY + SEEN + number(100, 1)),
    # all of it within itself
    ("Old.one:required", ENTRY + SEEN + sub(7, ENTRY)), ("Old.closed:map.min_pairs", ENTRY + SEEN + sub(7, SEEN, entry(4, 1, 7))), ("P", ENTRY + SEEN + sub(7, SEEN, entry(4, 1, 7), ENTRY)),
    ("Old.parts[].x:int32.gt", ENTRY + SEEN + sub(7, SEEN, ENTRY, group(3, number(1, 5)))), ("closed:map.min_pairs", SEEN + entry(4, 1, 7) + sub(7, SEEN, ENTRY)),
    ("P", ENTRY + SEEN + sub(7, SEEN, ENTRY, sub(7, SEEN, ENTRY)) + entry(4, 3, 7)),
]
COUNTED_ROWS = [
    ("m:map.min_pairs", b""), ("P", entry(1, 1, 2)), ("P", entry(1)), ("m:map.min_pairs", entry(1, 1, 7)), ("P", entry(1, 1, 7) + entry(1, 2, 1)),
    ("all", entry(1) + entry(2, 3, 1)), ("P", entry(1) + entry(2, 3, 7)), ("in", entry(1) + entry(3, 3, 1)), ("P", entry(1) + entry(3, 3, 7)),
    ("judged[key]:int32.gt", entry(1) + entry(4, -5, 1)), ("P", entry(1) + entry(4, -5, 7)),
]
# fmt: on


# ---- Tests -----------------------------------------------------------------------------------------
def judge(module, message, messages, *options):
    """P, M, or the id of a rule, for each."""
    schema = HERE / f"{module}.proto"
    lines = verdicts(schema, f"{module}.{message}", messages, "-I", DATA, *options)
    letters = {"pass": "P", "drop malformed": "M"}
    return [letters.get(line, line.removeprefix("drop rule ")) for line in lines]


def check(module, message, rows):
    got = judge(module, message, [each for _, each in rows])
    assert len(got) == len(rows)
    wrong = [(n, want, verdict, wire(each)[:80].hex()) for n, ((want, each), verdict) in enumerate(zip(rows, got)) if want != verdict]
    assert not wrong, f"{message}: row, expected, got, message: " + "\n".join(map(str, wrong))


@pytest.mark.parametrize("message", ROWS)
def test_rows(message):
    check("annotations", message, ROWS[message])


def test_proto2():
    check("annotations2", "Old", OLD_ROWS)
    check("annotations2", "Counted", COUNTED_ROWS)


@pytest.mark.parametrize("depth", [1, 5, 32, 100])
def test_depth(depth):
    """What is judged is judged as deep as messages may be."""
    makers = [lambda m: T(v=6, left=m), lambda m: T(v=6, kids=[m]), lambda m: T(v=6, kids=[T(v=7), m, T(v=8)])]
    rows = [(want, deep(make, depth + more, T(v=v))) for make in makers
            for want, more, v in (("P", 0, 6), ("Tree.v:int32.gt", 0, 5), ("M", 1, 6))]
    got = judge("annotations", "Tree", [each for _, each in rows], "--max-depth", str(depth))
    assert got == [want for want, _ in rows]


def test_too_much_to_save(tmp_path):
    """What is remembered of messages within messages is bounded; the depth that is offered would do."""
    fields = "\n".join(f"  int32 f{n} = {n} [(buf.validate.field).int32.gt = 5];" for n in range(2, 202))
    schema = tmp_path / "wide.proto"
    schema.write_text('syntax = "proto3";\npackage wide;\nimport "buf/validate/validate.proto";\n'
                      f"message W {{\n  W w = 1;\n{fields}\n}}\n")
    good = b"".join(number(n, 6) for n in range(2, 202))
    messages = [good + sub(1, good), good + sub(1, good[:-1] + b"\x05"), good + sub(1, good) * 2]
    options = ("-I", DATA, "--max-depth")
    with pytest.raises(AssertionError, match="are remembered 100 levels deep") as caught:
        verdicts(schema, "wide.W", messages, *options, "100")
    offered = re.search("a max_depth of ([0-9]+) would do", str(caught.value))[1]
    assert verdicts(schema, "wide.W", messages, *options, offered) \
        == ["pass", "drop rule W.f201:int32.gt", "drop malformed"]


# ---- At random -------------------------------------------------------------------------------------
def pick(rng, usual, rare):
    return rng.choice(usual if rng.random() < 0.93 else rare)


class Writer:
    """Wires of annotations.Mixed with all that a wire may have: duplicates, parts, long forms."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.split = False  # a message that holds its own kind came in two parts

    def ints(self):
        key, value = pick(self.rng, range(5), [-3, -2, 9]), pick(self.rng, [3, 4, 5], [2, 0, -1])
        fields = [number(1, key, self.rng.choice([0, 0, 1])), number(2, value)]
        if self.rng.random() < 0.3:
            fields = fields[::-1]
        if self.rng.random() < 0.1:
            fields.insert(0, number(2, 7))
        return sub(1, *(fields if self.rng.random() < 0.95 else fields[:1]))

    def seven(self):
        return entry(1, self.rng.randrange(2), 7)

    def numbers(self):
        values = [pick(self.rng, range(900), [1, -9, -8]) for _ in range(self.rng.randrange(4))]
        if self.rng.random() < 0.5:
            return b"".join(number(2, value, self.rng.choice([0, 0, 3])) for value in values)
        return packed(2, [value & (1 << 64) - 1 for value in values])

    def texts(self):
        fields = [sub(n, pick(self.rng, good, bad)) for n, good, bad in (
            (1, [b"", b"a", b"bb", "\u00e4\u00f6".encode()], [b"ccc", b"d"]), (2, [b"x", b"yy"], [b""]))]
        self.rng.shuffle(fields)
        return sub(7, *fields[:2 if self.rng.random() < 0.95 else 1])

    def member(self, depth, last):
        kind = self.rng.choice("abc" if depth < 4 else "ab")
        if kind == "a":
            return kind, number(4, pick(self.rng, [6, 7], [5]))
        if kind == "b":
            return kind, sub(5, pick(self.rng, [b"xx", b"yyy"], [b"z"]))
        self.split |= last == "c"
        return kind, sub(6, self.message(depth + 1))

    def message(self, depth=0):
        parts, last = [], None
        for _ in range(self.rng.choice([1, 2, 2, 3, 5])):
            kind = self.rng.choice(["m", "u", "t", "o"] + ["kids"] * (depth < 4))
            if kind == "m":
                parts += [self.ints() for _ in range(self.rng.randrange(3))] + [self.seven()]
            elif kind == "u":
                parts.append(self.numbers())
            elif kind == "t":
                parts += [self.texts() for _ in range(self.rng.randrange(1, 4))]
            elif kind == "kids":
                parts.append(sub(3, self.message(depth + 1)))
            elif last != "c" or self.rng.random() < 0.5:
                last, part = self.member(depth, last)
                parts.append(part)
        return b"".join(parts)


def is_good(message):
    """What the annotations of annotations.Mixed say, in Python."""
    values, member = list(message.m.values()), message.WhichOneof("o")
    return all((
        not values or values.count(7) == 1,
        len(values) <= 4 and all(value > 2 for value in values) and all(key > -3 for key in message.m),
        len(set(message.u)) == len(message.u) and all(value > -9 for value in message.u),
        len(message.t) <= 3 and all(message.t.values()) and all(len(key) <= 2 for key in message.t),
        member != "a" or message.a > 5,
        member != "b" or len(message.b) >= 2,
        member != "c" or is_good(message.c),
        all(map(is_good, message.kids)),
    ))


@pytest.mark.parametrize("seed", range(2))
def test_random_messages(seed):
    wires, want = [], []
    for n in range(5000):
        writer = Writer(seed * 1000000 + n)
        wires.append(writer.message())
        want.append("M" if writer.split else "P" if is_good(A.Mixed.FromString(wires[-1])) else "r")
    got = [verdict if verdict in "PM" else "r" for verdict in judge("annotations", "Mixed", wires)]
    assert min(map(want.count, "PMr")) > 50, [want.count(each) for each in "PMr"]
    wrong = [(n, w, g, wires[n].hex()) for n, (w, g) in enumerate(zip(want, got)) if w != g]
    assert len(got) == len(want) and not wrong, wrong[:3]


class WebWriter:
    """Wires of annotations.Web, deep and in any order."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def few(self, make, most):
        return [make() for _ in range(self.rng.randrange(most + 1))]

    def web(self, depth=0):
        rng, most = self.rng, max(0, 2 - depth // 2)
        parts = [number(1, pick(rng, [3, 4], [2])) for _ in range(pick(rng, [1, 2], [0]))]
        parts += self.few(lambda: sub(2, self.net(depth + 1)), most)
        parts += self.few(lambda: sub(3, number(1, rng.randrange(2)), sub(2, self.web(depth + 1))), most)
        parts += self.few(lambda: sub(4, self.web(depth + 1)), min(most, 1))
        parts += self.few(lambda: number(5, pick(rng, range(100), [1])), 3)
        rng.shuffle(parts)
        return b"".join(parts)

    def net(self, depth):
        rng, most = self.rng, max(0, 2 - depth // 2)
        parts = self.few(lambda: sub(1, pick(rng, [b"", b"abc"], [b"abcd"])), 2)
        parts += self.few(lambda: sub(2, self.web(depth + 1)), most)
        parts += self.few(lambda: sub(3, self.net(depth + 1)), min(most, 1))
        parts += self.few(lambda: entry(4, pick(rng, [0, 1], [2]), pick(rng, [3, 4], [2])), 3)
        parts += self.few(lambda: number(6, pick(rng, [3, 4], [2])), 1)
        parts.append(self.members(depth) if most else b"")
        rng.shuffle(parts)
        return b"".join(parts)

    def members(self, depth):
        """Another member stands between, lest the message be in two parts."""
        webs = self.few(lambda: sub(5, self.web(depth + 1)), 2)
        return number(6, 3).join(webs)


def is_good_web(web):
    return (web.v > 2 and len(set(web.u)) == len(web.u) and all(map(is_good_net, web.nets))
            and all(map(is_good_web, web.webs.values())) and (not web.HasField("one") or is_good_web(web.one)))


def is_good_net(net):
    member = net.WhichOneof("o")
    return (len(net.s) <= 3 and len(net.m) <= 2 and all(value > 2 for value in net.m.values())
            and all(map(is_good_web, net.webs)) and (not net.HasField("net") or is_good_net(net.net))
            and (member != "w" or is_good_web(net.w)) and (member != "n" or net.n > 2))


def test_random_webs():
    wires = [WebWriter(n).web() for n in range(5000)]
    want = ["P" if is_good_web(A.Web.FromString(each)) else "r" for each in wires]
    got = [verdict if verdict in "PM" else "r" for verdict in judge("annotations", "Web", wires)]
    assert want.count("P") > 500 and want.count("r") > 500, want.count("P")
    wrong = [(n, w, g, wires[n].hex()) for n, (w, g) in enumerate(zip(want, got)) if w != g]
    assert len(got) == len(want) and not wrong, wrong[:3]
