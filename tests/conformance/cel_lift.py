"""Lifts the literals of an expression into fields of a message.

A constant is (type, value): the types are ("int",), ("string",), …, ("list", TYPE), ("map", KEY, VALUE) and
("message", NAME), the last with bytes as value.
"""

import datetime
import decimal
import re
import struct

from cel_syntax import dotted, parse
from cel_types import field_name
from google.protobuf import (  # noqa: F401 - they register their types
    any_pb2, descriptor_pool, duration_pb2, empty_pb2, field_mask_pb2, message_factory, struct_pb2,
    timestamp_pb2, wrappers_pb2)
from google.protobuf.descriptor import FieldDescriptor
from varint import varint

DURATION, TIMESTAMP = "google.protobuf.Duration", "google.protobuf.Timestamp"
UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799
# Arguments that must stay literal: a pattern, a time zone, a format.
LITERAL_ARGUMENTS = re.compile(r"matches|get[A-Z]\w*")
MACROS = ("all", "exists", "exists_one", "map", "filter")


class NotConstant(Exception):
    """The expression has no value that a field could hold."""


# ---- Messages --------------------------------------------------------------------------------------
def find_type(name, container):
    """The descriptor of a message type named inside of a container; None if there is none."""
    pool = descriptor_pool.Default()
    scopes = container.split(".") if container and not name.startswith(".") else []
    for size in range(len(scopes), -1, -1):
        try:
            return pool.FindMessageTypeByName(".".join(scopes[:size] + [name.lstrip(".")]))
        except KeyError:
            continue
    return None


def find_enum_value(name, container):
    """The number of an enum's value; None if there is none."""
    scope, _, value = name.rpartition(".")
    pool = descriptor_pool.Default()
    scopes = container.split(".") if container else []
    for size in range(len(scopes), -1, -1):
        try:
            enum = pool.FindEnumTypeByName(".".join(scopes[:size] + [scope]))
        except KeyError:
            continue
        return enum.values_by_name[value].number if value in enum.values_by_name else None
    return None


def new_message(descriptor):
    return message_factory.MessageFactory(descriptor_pool.Default()).GetPrototype(descriptor)()


def message_of(constant):
    kind, value = constant
    message = new_message(descriptor_pool.Default().FindMessageTypeByName(kind[1]))
    message.MergeFromString(value)
    return message


def build(node, container):
    """The message that a message literal constructs."""
    descriptor = find_type(node.value or "", container)
    if not descriptor:
        raise NotConstant(node.value)
    message = new_message(descriptor)
    for name, child in zip(node.fields, node.children):
        if name not in descriptor.fields_by_name:
            raise NotConstant(name)
        set_field(message, descriptor.fields_by_name[name], child, container)
    return message


def set_field(message, field, node, container):
    try:
        if is_map(field):
            set_map(message, field, node, container)
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            set_list(message, field, node, container)
        elif field.message_type:
            set_message(message, field, node, container)
        else:
            setattr(message, field.name, scalar(field, node, container))
    except (TypeError, ValueError) as error:
        raise NotConstant(str(error)) from error


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def set_message(message, field, node, container):
    if node.kind == "literal" and node.value[0] == "null":
        if field.message_type.name in ("Any", "Value", "Struct", "ListValue"):
            raise NotConstant("null is a value there")
        return
    part = as_message(field.message_type, node, container)
    getattr(message, field.name).SetInParent()
    getattr(message, field.name).CopyFrom(part)


def as_message(descriptor, node, container):
    """A value as a message of that type: wrappers take their scalar, the others a literal of theirs."""
    (kind, *_), value = constant(node, container)
    if kind == "message":
        part = message_of(constant(node, container))
        if part.DESCRIPTOR != descriptor:
            raise NotConstant("a message of another type")
        return part
    if not descriptor.full_name.startswith("google.protobuf.") or descriptor.name == "Value" \
            or not descriptor.name.endswith("Value") or descriptor.name == "ListValue":
        raise NotConstant(f"{kind} for {descriptor.full_name}")
    part = new_message(descriptor)
    part.value = checked(part.DESCRIPTOR.fields_by_name["value"], kind, value)
    return part


def scalar(field, node, container):
    if field.enum_type and (name := dotted(node)):
        number = find_enum_value(name, container)
        if number is None:
            raise NotConstant(name)
        return number
    (kind, *_), value = constant(node, container)
    return checked(field, kind, value)


WANTED = {
    FieldDescriptor.CPPTYPE_INT32: "int", FieldDescriptor.CPPTYPE_INT64: "int",
    FieldDescriptor.CPPTYPE_UINT32: "uint", FieldDescriptor.CPPTYPE_UINT64: "uint",
    FieldDescriptor.CPPTYPE_FLOAT: "double", FieldDescriptor.CPPTYPE_DOUBLE: "double",
    FieldDescriptor.CPPTYPE_BOOL: "bool", FieldDescriptor.CPPTYPE_ENUM: "int",
}


def checked(field, kind, value):
    wanted = WANTED.get(field.cpp_type, "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "string")
    if kind != wanted:
        raise NotConstant(f"{kind} for {field.name}")
    return value


def set_list(message, field, node, container):
    if node.kind != "list":
        raise NotConstant("not a list literal")
    items = getattr(message, field.name)
    for child in node.children:
        if not field.message_type:
            items.append(scalar(field, child, container))
        elif child.kind != "literal" or child.value[0] != "null":
            items.add().CopyFrom(as_message(field.message_type, child, container))
        elif field.message_type.name in ("Any", "Value"):
            raise NotConstant("null is a value there")


def set_map(message, field, node, container):
    if node.kind != "map":
        raise NotConstant("not a map literal")
    key_field, value_field = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    entries = getattr(message, field.name)
    for key, value in zip(node.children[::2], node.children[1::2]):
        at = scalar(key_field, key, container)
        if not value_field.message_type:
            entries[at] = scalar(value_field, value, container)
        elif value.kind != "literal" or value.value[0] != "null":
            entries[at].CopyFrom(as_message(value_field.message_type, value, container))
        elif value_field.message_type.name in ("Any", "Value"):
            raise NotConstant("null is a value there")


# ---- Durations and timestamps ----------------------------------------------------------------------
def duration_of(text):
    if not re.fullmatch(r"-?(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|ns|m|s))+", text):
        raise NotConstant(text)
    total = sum(decimal.Decimal(number) * UNITS[unit]
                for number, unit in re.findall(r"([\d.]+)(h|ms|us|ns|m|s)", text))
    nanos = int(total)
    if nanos > 315576000000 * 10**9:
        raise NotConstant("out of range")
    sign = -1 if text.startswith("-") else 1
    return duration_pb2.Duration(seconds=sign * (nanos // 10**9), nanos=sign * (nanos % 10**9))


def timestamp_of(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text)
    if not match:
        raise NotConstant(text)
    try:
        moment = datetime.datetime.fromisoformat(match.group(1) + match.group(3).replace("Z", "+00:00"))
    except ValueError as error:
        raise NotConstant(text) from error
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    seconds = (moment - epoch) // datetime.timedelta(seconds=1)
    return timestamp_at(seconds, int((match.group(2) or "").ljust(9, "0")))


def timestamp_at(seconds, nanos=0):
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise NotConstant("out of range")
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)


def time_constant(node):
    """duration('…'), timestamp('…') and timestamp(seconds)."""
    if node.method or len(node.children) != 1 or node.children[0].kind != "literal":
        raise NotConstant(node.value)
    kind, value = node.children[0].value
    if node.value == "duration" and kind == "string":
        return duration_of(value)
    if node.value == "timestamp" and kind in ("string", "int"):
        return timestamp_of(value) if kind == "string" else timestamp_at(value)
    raise NotConstant(node.value)


# ---- Constants -------------------------------------------------------------------------------------
def message_constant(message):
    return ("message", message.DESCRIPTOR.full_name), message.SerializePartialToString()


def fits(kind, value):
    """An int or uint literal may be too large to be one."""
    if kind == "int":
        return -(1 << 63) <= value < 1 << 63
    return kind != "uint" or 0 <= value < 1 << 64


def constant(node, container):
    """The value of a node that is constant as a whole; raises NotConstant."""
    if node.kind == "literal" and node.value[0] != "null" and fits(*node.value):
        return (node.value[0],), node.value[1]
    if node.kind == "message":
        return message_constant(build(node, container))
    if node.kind == "call":
        return message_constant(time_constant(node))
    if node.kind == "list":
        items = [constant(child, container) for child in node.children]
        return ("list", one_kind(items)), [value for _, value in items]
    if node.kind == "map":
        keys = [constant(child, container) for child in node.children[::2]]
        values = [constant(child, container) for child in node.children[1::2]]
        kinds = one_kind(keys), one_kind(values)
        if kinds[0][0] not in ("int", "uint", "string", "bool") or kinds[1][0] in ("list", "map"):
            raise NotConstant("no map of that type")
        if len({value for _, value in keys}) < len(keys):
            raise NotConstant("a key that comes twice")
        return ("map", *kinds), [(key, value) for (_, key), (_, value) in zip(keys, values)]
    raise NotConstant(node.kind)


def one_kind(constants):
    """The type of all; an empty list or map is one of ints, as good as any."""
    kinds = {kind for kind, _ in constants} or {("int",)}
    if len(kinds) != 1 or (kind := kinds.pop())[0] in ("list", "map"):
        raise NotConstant("no list of that type")
    return kind


# ---- The wire ----------------------------------------------------------------------------------------
def encode(number, kind, value):
    """A field with its value."""
    if kind[0] == "list":
        return b"".join(encode(number, kind[1], item) for item in value)
    if kind[0] == "map":
        entries = [encode(1, kind[1], key) + encode(2, kind[2], item) for key, item in value]
        return b"".join(encode(number, ("bytes",), entry) for entry in entries)
    if kind[0] in ("int", "uint", "bool"):
        return varint(number << 3) + varint(int(value))
    if kind[0] == "double":
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if kind[0] == "string" else value
    return varint(number << 3 | 2) + varint(len(data)) + data


# ---- Lifting -----------------------------------------------------------------------------------------
class Lifter:
    """Rewrites one expression: `mode` says which of its constants become fields."""

    MODES = ("all", "scalars", "structures", "first", "none")

    def __init__(self, text, test, mode, keep_dyn):
        self.text, self.mode, self.keep_dyn = text, mode, keep_dyn
        self.container, self.bindings = test["container"], test["constants"]
        self.used = {}  # type: how many fields
        self.fields = []  # (type, index, value)
        self.names = {}  # a binding's field
        self.bound = []  # variables of the macros around
        self.edits = []  # (start, end, replacement)

    def lift(self):
        """The expression over fields."""
        self.visit(parse(self.text))
        text, shift = self.text, 0
        for start, end, replacement in sorted(self.edits):
            text = text[:start + shift] + replacement + text[end + shift:]
            shift += len(replacement) - (end - start)
        return text

    def take(self, constant_value):
        kind, value = constant_value
        index = self.used[kind] = self.used.get(kind, 0) + 1
        self.fields.append((kind, index, value))
        return field_name(kind, index)

    def wanted(self, node):
        if self.mode == "none":
            return False
        scalar_like = node.kind in ("literal", "call")
        if self.mode == "first" and self.fields:
            return node.kind == "message"
        return self.mode in ("all", "first") or node.kind == "message" or \
            scalar_like == (self.mode == "scalars")

    def visit(self, node):
        if (name := dotted(node)) and self.replace_binding(node, name):
            return
        if node.kind in ("literal", "call", "list", "map", "message") and self.wanted(node):
            try:
                self.edits.append((node.start, node.end, self.take(constant(node, self.container))))
                return
            except NotConstant:
                pass
        if node.kind == "call" and node.value == "dyn" and not node.method and not self.keep_dyn:
            self.strip(node)
        for child in self.inner(node):
            self.visit(child)

    def replace_binding(self, node, name):
        if name not in self.bindings or name in self.bound:
            return False
        if name not in self.names:
            self.names[name] = self.take(self.bindings[name])
        self.edits.append((node.start, node.end, self.names[name]))
        return True

    def strip(self, node):
        """dyn(x) means x: it only keeps the checker from looking."""
        child = node.children[0]
        self.edits += [(node.start, child.start, "("), (child.end, node.end, ")")]

    def inner(self, node):
        """The parts whose literals may be lifted, each visited before the next is asked for."""
        if node.kind == "index":
            return node.children[:1]
        if node.kind == "map":
            return node.children[1::2]
        if node.kind == "call" and node.method and LITERAL_ARGUMENTS.fullmatch(node.value):
            return node.children[:1]
        if node.kind == "call" and not node.method and node.value in ("duration", "timestamp"):
            return []
        if node.kind == "call" and node.method and node.value in MACROS:
            return self.inside_macro(*node.children)
        return node.children

    def inside_macro(self, target, variable, *body):
        yield target
        self.bound.append(dotted(variable))
        yield from body
        self.bound.pop()
