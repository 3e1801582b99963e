"""cel-spec's simple tests, their literals lifted into fields of a message, so that the kernel computes.

Each test is tried in several forms, from all constants lifted to none. All forms that compile must give the
right verdict; the test is judged when one of them is. Many tests share one program: the rule of test N is
`f_test != N || (…)`, and a message with f_test = N is for it alone.
"""

import concurrent.futures
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import re
import struct
import tempfile

from cel_lift import Lifter, NotConstant, encode, message_of
from cel_syntax import SyntaxTrouble
from cel_types import Schema, write_types
from evaluate import DATA, judge
from google.protobuf.descriptor import FieldDescriptor
from tally import JUDGED, REFUSED, WRONG, Outcome
from varint import read_varint

FILES = ("comparisons proto2 proto3 fields string integer_math logic macros lists timestamps wrappers "
         "conversions basic parse enums").split()
BATCH = 40  # rules in one program
LIFTED, FOLDED = "lifted", "folded"


def tests():
    """The tests of the named files; of the enums those of the legacy semantics."""
    with (DATA / "cel_tests.jsonl").open() as lines:
        found = [json.loads(line) for line in lines]
    return [test for test in found if test["file"].removesuffix(".textproto") in FILES
            and not test["section"].startswith("strong_")]


# ---- Values: cel.expr.Value ------------------------------------------------------------------------
VALUE = {1: "null", 2: "bool", 3: "int", 4: "uint", 5: "double", 6: "string", 7: "bytes",
         9: "enum", 10: "object", 11: "map", 12: "list", 15: "type"}


def read_fields(data):
    """(number, value) of each field; a value is a number or bytes."""
    while data:
        key, data = read_varint(data)
        if key & 7 == 0:
            value, data = read_varint(data)
        else:
            size, data = (8, data) if key & 7 == 1 else read_varint(data)
            value, data = data[:size], data[size:]
        yield key >> 3, value


def value_of(data):
    """(kind, Python's value); of a list and of a map the same inside."""
    number, value = next(read_fields(data))
    kind = VALUE[number]
    if kind == "int" and value >= 1 << 63:
        value -= 1 << 64
    if kind == "double":
        value = struct.unpack("<d", value)[0]
    if kind in ("string", "type"):
        value = value.decode()
    if kind == "list":
        value = [value_of(item) for _, item in read_fields(value)]
    if kind == "map":
        value = [tuple(value_of(part) for _, part in read_fields(entry)) for _, entry in read_fields(value)]
    if kind == "object":
        parts = dict(read_fields(value))
        value = parts[1].decode().rpartition("/")[2], parts.get(2, b"")
    return kind, value


def constant_of(kind, value):
    """A binding as a value of a field."""
    if kind in ("bool", "int", "uint", "double", "string", "bytes"):
        return (kind,), bool(value) if kind == "bool" else value
    if kind == "object":
        return ("message", value[0]), value[1]
    if kind == "list" and value:
        items = [constant_of(*item) for item in value]
        if len({item for item, _ in items}) == 1 and items[0][0][0] != "list":
            return ("list", items[0][0]), [item for _, item in items]
    if kind == "map" and value:
        pairs = [(constant_of(*key), constant_of(*item)) for key, item in value]
        kinds = {(key[0], item[0]) for key, item in pairs}
        if len(kinds) == 1:
            return ("map", *kinds.pop()), [(key[1], item[1]) for key, item in pairs]
    raise NotConstant(kind)


def bindings(test):
    """What a field can hold of the test's variables; an expression with the others is refused."""
    found = {}
    for name, data in test["bindings"].items():
        try:
            found[name] = constant_of(*value_of(bytes.fromhex(data)))
        except NotConstant:
            pass
    return found


# ---- What must hold: a rule for a test's expression -------------------------------------------------
def text_literal(value):
    """A string or bytes literal; every byte or character that might be special escaped."""
    if isinstance(value, bytes):
        return 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
    return '"' + "".join(
        char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in value) + '"'


def literal(kind, value):
    if kind == "bool":
        return "true" if value else "false"
    if kind == "uint":
        return f"{value}u"
    if kind == "double":
        return repr(float(value))
    return text_literal(value) if kind in ("string", "bytes") else str(value)


def other(kind, value):
    """Another value of the type."""
    if kind in ("int", "uint"):
        return value - 1 if value else value + 1
    if kind == "double":
        return 2.0 if value == 1.0 else 1.0
    return value + (b"x" if kind == "bytes" else "x")


def equals(text, kind, value):
    """The conditions under which `text` is that value and no other."""
    if kind == "bool":
        return [f"({text})" if value else f"!({text})"]
    if kind in ("int", "uint", "double", "string", "bytes"):
        return [f"({text}) == {literal(kind, value)}", f"!(({text}) == {literal(kind, other(kind, value))})"]
    if kind == "null":
        return [f"({text}) == null"]
    if kind == "type":
        return [f"({text}) == {value}"]
    if kind == "list":
        parts = [equals(f"({text})[{place}]", *item) for place, item in enumerate(value)]
        return [f"size({text}) == {len(value)}", *itertools.chain(*parts)]
    if kind == "map":
        parts = [equals(f"({text})[{literal(*key)}]", *item) for key, item in value]
        return [f"size({text}) == {len(value)}", *itertools.chain(*parts)]
    return equal_message(text, message_of((("message", value[0]), value[1])))


def equal_message(text, message):
    """Field by field: what is set is set and equal; an empty message has nothing set."""
    name = message.DESCRIPTOR.full_name
    if name.startswith("google.protobuf.") and name.endswith("Value") and name != "google.protobuf.Value":
        field = message.DESCRIPTOR.fields_by_name["value"]
        return equals(text, *field_value(field, message.value))
    if name == "google.protobuf.Duration":
        return [f'({text}) == duration("{message.ToNanoseconds() / 10**9:.9f}s")']
    if name == "google.protobuf.Timestamp":
        return [f'({text}) == timestamp("{message.ToJsonString()}")']
    if len(message.UnknownFields()):
        raise NotConstant("an unknown field in an expected message")
    present = [equal_field(f"({text}).{quoted(field.name)}", field, value) for field, value in message.ListFields()]
    if present:
        return list(itertools.chain(*present))
    return [f"!has(({text}).{quoted(field.name)})" for field in message.DESCRIPTOR.fields]


def quoted(name):
    return f"`{name}`" if name == "in" else name


def equal_field(text, field, value):
    if field.label == FieldDescriptor.LABEL_REPEATED and not hasattr(value, "keys"):
        parts = [equal_field_value(f"{text}[{place}]", field, item) for place, item in enumerate(value)]
        return [f"size({text}) == {len(value)}", *itertools.chain(*parts)]
    if hasattr(value, "keys"):
        raise NotConstant("a map in an expected message")
    return [f"has({text})", *equal_field_value(text, field, value)]


def equal_field_value(text, field, value):
    if field.message_type:
        return equal_message(text, value)
    return equals(text, *field_value(field, value))


def field_value(field, value):
    """CEL's type of a scalar field, and the value."""
    kinds = {FieldDescriptor.CPPTYPE_BOOL: "bool", FieldDescriptor.CPPTYPE_DOUBLE: "double",
             FieldDescriptor.CPPTYPE_FLOAT: "double", FieldDescriptor.CPPTYPE_UINT32: "uint",
             FieldDescriptor.CPPTYPE_UINT64: "uint"}
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return ("bytes" if isinstance(value, bytes) else "string"), value
    return kinds.get(field.cpp_type, "int"), value


# The data's expected strings come from protobuf's text format, read by a parser that leaves these as they are.
TEXT_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\?))")


def expected_value(test):
    kind, value = value_of(bytes.fromhex(test["value"]))
    if not test["section"].endswith("_literals") or "raw_" in test["name"]:
        return kind, value
    if kind == "string":
        return kind, TEXT_ESCAPE.sub(
            lambda found: found.group(3) or chr(int(found.group(1) or found.group(2), 16)), value)
    return kind, value.replace(rb"\?", b"?") if "_unescaped_" in test["name"] else value


def rule_of(test, text):
    """A rule that the expression's value satisfies. An error has no value: it drops even where it equals itself."""
    if test["matcher"] == "eval_error":
        return f"({text}) == ({text})"
    if test["matcher"] == "true":
        return f"({text})"
    return " && ".join(equals(text, *expected_value(test)))


# ---- Forms -----------------------------------------------------------------------------------------
@dataclasses.dataclass
class Form:
    """A test's expression, lifted in one way."""

    test: int
    text: str
    rule: str
    fields: list  # (type, index, value)
    passes: bool
    verdict: str = ""
    refusal: str = ""

    @property
    def right(self):
        return self.verdict == "pass" if self.passes else self.verdict.startswith("drop rule ")

    def complaint(self):
        must = "pass" if self.passes else "drop"
        return f"{self.rule[:400]}: {self.verdict.split(' rule')[0]}, but must {must}; fields {self.fields}"


def forms_of(number, test):
    """The ways to write the test, the one that has the kernel do most first."""
    test["constants"] = bindings(test)
    found = {}
    for keep_dyn, mode in itertools.product((True, False), Lifter.MODES):
        lifter = Lifter(test["expr"] + ("\n" if "//" in test["expr"] else ""), test, mode, keep_dyn)
        text = lifter.lift()
        rule = rule_of(test, text)
        # No command line can hold a NUL.
        if text not in found and "\0" not in rule:
            found[text] = Form(number, text, rule, lifter.fields, test["matcher"] != "eval_error")
    return list(found.values())


def all_forms(found):
    """The forms of each test; what this module cannot write down is refused by it."""
    forms, unwritten = [], {}
    for number, test in enumerate(found):
        try:
            forms += forms_of(number, test)
        except (SyntaxTrouble, NotConstant) as error:
            unwritten[number] = f"the test cannot be written as a rule: {error}"
    return forms, unwritten


# ---- Judging ---------------------------------------------------------------------------------------
def wire(schema, number, form):
    parts = [encode(schema.number(kind, index), kind, value) for kind, index, value in form.fields]
    return encode(1, ("int",), number) + b"".join(parts)


def attempt(schema, path, batch):
    rules = [f"{schema.SELECTOR} != {number} || ({form.rule})" for number, form in enumerate(batch, 1)]
    wires = [wire(schema, number, form) for number, form in enumerate(batch, 1)]
    return judge(path, schema.message, wires, rules)


def judge_batch(schema, path, batch):
    """Fills in verdicts and refusals. A rule that is refused is taken out, and the others tried again."""
    while batch:
        result = attempt(schema, path, batch)
        if result.verdicts is not None:
            for form, verdict in zip(batch, result.verdicts):
                form.verdict = verdict
            return
        if not result.rule and len(batch) > 1:
            half = len(batch) // 2
            judge_batch(schema, path, batch[:half])
            batch = batch[half:]
            continue
        place = int(result.rule.removeprefix("rule")) - 1 if result.rule else 0
        batch[place].refusal = result.refusal
        batch = batch[:place] + batch[place + 1:]


def judge_container(folder, container, forms, pool):
    schema = Schema(container)
    for form in forms:
        for kind, index, _ in form.fields:
            schema.number(kind, index)
    path = schema.compile(folder)
    batches = [forms[start:start + BATCH] for start in range(0, len(forms), BATCH)]
    list(pool.map(functools.partial(judge_batch, schema, path), batches))


def judge_forms(folder, found, forms):
    by_container = {}
    for form in forms:
        by_container.setdefault(found[form.test]["container"], []).append(form)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for container, members in by_container.items():
            judge_container(folder, container, members, pool)


# ---- Outcomes --------------------------------------------------------------------------------------
def outcome(test, forms, unwritten):
    file, name = test["file"].removesuffix(".textproto"), f"{test['section']}/{test['name']}"
    make = functools.partial(Outcome, file, name, example=test["expr"].strip())
    bad = [form for form in forms if form.verdict and not form.right]
    if bad:
        return make(WRONG, bad[0].complaint())
    good = [form for form in forms if form.verdict]
    if good:
        return make(JUDGED, LIFTED if any(form.fields for form in good) else FOLDED)
    return make(REFUSED, unwritten or forms[0].refusal)


def run():
    """An outcome for each test."""
    found = tests()
    with tempfile.TemporaryDirectory() as folder:
        write_types(pathlib.Path(folder))
        forms, unwritten = all_forms(found)
        judge_forms(pathlib.Path(folder), found, forms)
    grouped = {}
    for form in forms:
        grouped.setdefault(form.test, []).append(form)
    return [outcome(test, grouped.get(number, []), unwritten.get(number, ""))
            for number, test in enumerate(found)]
