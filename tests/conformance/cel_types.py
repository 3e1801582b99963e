"""The message types that cel-spec's tests speak of, and the schema that lifted literals are fields of."""

import importlib
import subprocess
import sys

SCALARS = ["int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
           "sfixed64", "float", "double", "bool", "string", "bytes"]
DEFAULTS = {"int32": "-32", "int64": "-64", "uint32": "32", "uint64": "64", "float": "3.0",
            "double": "6.4", "bool": "true", "string": '"empty"', "bytes": '"none"'}
WRAPPERS = ["Int64", "Int32", "Double", "Float", "UInt64", "UInt32", "String", "Bool", "Bytes"]
OTHERS = [("Any", "any"), ("Duration", "duration"), ("Timestamp", "timestamp"), ("Struct", "struct"),
          ("Value", "value")]
WORDS = ("as break const continue else for function if import let loop package namespace return var "
         "void while").split()
IMPORTS = "".join(f'import "google/protobuf/{name}.proto";\n' for name in
                  ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"])
ALL_TYPES = "cel.expr.conformance.proto{}.TestAllTypes"
FILES = {2: "test_types2.proto", 3: "test_types3.proto"}


# ---- The types that the tests construct --------------------------------------------------------------
def fields(version):
    """Fields of TestAllTypes; the tests hold 1, 2, 24 and the words in binary."""
    label = "optional " if version == 2 else ""
    well_known = [(f"google.protobuf.{kind}", name) for kind, name in OTHERS]
    well_known += [(f"google.protobuf.{kind}Value", f"{kind.lower()}_wrapper") for kind in WRAPPERS]
    for number, kind in enumerate(SCALARS):
        default = DEFAULTS.get(kind) if version == 2 else None
        yield f"{label}{kind} single_{kind} = {number + 1}" + (f" [default = {default}]" if default else "")
        yield f"repeated {kind} repeated_{kind} = {number + 31}"
    for number, (kind, name) in enumerate(well_known):
        yield f"{label}{kind} single_{name} = {number + 100}"
        yield f"repeated {kind} repeated_{name} = {number + 120}"
        yield f"map<bool, {kind}> map_bool_{name} = {number + 200}"
    yield f"{label}bool in = 18"
    yield f"{label}google.protobuf.ListValue list_value = 114"
    yield f"{label}NestedMessage standalone_message = 23"
    yield f"{label}NestedEnum standalone_enum = 24"
    yield "repeated NestedMessage repeated_nested_message = 51"
    yield "repeated NestedEnum repeated_nested_enum = 52"
    yield "map<string, string> map_string_string = 61"
    for number, word in enumerate(WORDS):
        yield f"{label}bool {word} = {number + 500}"


def test_types(version):
    label = "optional " if version == 2 else ""
    default = " [default = BAR]" if version == 2 else ""
    required = "message TestRequired { required int32 required_int32 = 1; }\n" if version == 2 else ""
    body = "".join(f"  {field};\n" for field in fields(version))
    return f"""\
syntax = "proto{version}";
package cel.expr.conformance.proto{version};
{IMPORTS}
enum GlobalEnum {{ GOO = 0; GAR = 1; GAZ = 2; }}
message TestAllTypes {{
  message NestedMessage {{ {label}int32 bb = 1; }}
  enum NestedEnum {{ FOO = 0; BAR = 1; BAZ = 2; }}
  oneof nested_type {{
    NestedMessage single_nested_message = 21;
    NestedEnum single_nested_enum = 22{default};
  }}
{body}}}
message NestedTestAllTypes {{ {label}NestedTestAllTypes child = 1; {label}TestAllTypes payload = 2; }}
{required}"""


def run_protoc(folder, *arguments):
    done = subprocess.run(
        ["protoc", "-I.", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write_types(folder):
    """Writes the schemas into the folder and loads them into Python's protobuf."""
    for version, name in FILES.items():
        (folder / name).write_text(test_types(version))
    run_protoc(folder, "--python_out=.", *FILES.values())
    sys.path.insert(0, str(folder))
    for name in FILES.values():
        importlib.import_module(name.replace(".proto", "_pb2"))


# ---- The schema of the lifted literals -------------------------------------------------------------
SCALAR_FIELDS = {"int": "int64", "uint": "uint64", "double": "double", "string": "string",
                 "bytes": "bytes", "bool": "bool"}


def field_type(kind):
    """How a .proto file spells the type of a lifted value."""
    if kind[0] == "list":
        return "repeated " + field_type(kind[1])
    if kind[0] == "map":
        return f"map<{field_type(kind[1])}, {field_type(kind[2])}>"
    if kind[0] == "message":
        return "." + kind[1]
    return SCALAR_FIELDS[kind[0]]


def spelled(kind):
    return "_".join(part if isinstance(part, str) else spelled(part) for part in kind)


def field_name(kind, index):
    """A name that no test uses."""
    return f"f_{spelled(kind).replace('.', '_')}_{index}".lower()


class Schema:
    """One message whose fields are handed out by type, so that many tests share them."""

    SELECTOR = "f_test"  # which of the rules a message is for

    def __init__(self, package):
        self.package = package
        self.numbers = {}  # (kind, index): field number

    @property
    def message(self):
        return f"{self.package}.Lifted" if self.package else "Lifted"

    def number(self, kind, index):
        return self.numbers.setdefault((kind, index), len(self.numbers) + 2)

    def compile(self, folder):
        """The descriptor set, in the folder where the types are."""
        name = f"lifted_{self.package.replace('.', '_')}"
        (folder / f"{name}.proto").write_text(self.text())
        run_protoc(folder, "--include_imports", f"-o{name}.desc", f"{name}.proto")
        return folder / f"{name}.desc"

    def text(self):
        package = f"package {self.package};\n" if self.package else ""
        imports = IMPORTS + "".join(f'import "{name}";\n' for name in FILES.values())
        rows = "".join(f"  {field_type(kind)} {field_name(kind, index)} = {number};\n"
                       for (kind, index), number in self.numbers.items())
        return f"syntax = \"proto3\";\n{package}{imports}message Lifted {{\n" \
               f"  int64 {self.SELECTOR} = 1;\n{rows}}}\n"
