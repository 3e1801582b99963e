"""p2e compile: what is compiled again and what is not, and what stands in the folder afterwards."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from first_byte import NOBODY, UNPRIVILEGED
from p2e import COMMAND, PROTO, RULES, tools_without

IMPORTING = """syntax = "proto3";
package test;
import "part.proto";
message Note { string text = 1; int32 number = 2; Part part = 3; }
"""
PART = 'syntax = "proto3"; package test; message Part { int32 size = 1; }\n'


def mark(path):
    """Changes with every write, in place or not."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def files(home):
    return sorted(os.listdir(home.objects))


def said(home, what, name="note"):
    return f"{home.objects}/{name}.bpf.o: {what}\n"


def rules(**changes):
    return [{**RULES[0], **changes}, RULES[1]]


# ---- Up to date, or not --------------------------------------------------------------------------
def test_compiles_once(home):
    assert home.ok("compile") == said(home, "compiled")
    before = mark(home.object("note"))
    assert home.ok("compile") == said(home, "up to date")
    assert mark(home.object("note")) == before
    assert files(home) == ["note.bpf.o"]


CHANGES = {
    "a rule": {"rules": rules(expression="size(text) < 11")},
    "a rule's blanks": {"rules": rules(expression="size(text)<10")},
    "a rule's id": {"rules": rules(id="brief")},
    "a rule's message": {"rules": rules(message="nine are enough")},
    "the order of rules": {"rules": RULES[::-1]},
    "one rule less": {"rules": RULES[:1]},
    "max_depth": {"max_depth": 31},
    "kind of socket": {"port": 17000},
    "message": {"message": "test.Other"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_that_counts(compiled, change):
    compiled.write("note.proto", PROTO + PROTO.split("test;")[1].replace("Note", "Other"))
    compiled.ok("compile")
    compiled.configure(note=CHANGES[change])
    assert compiled.ok("compile") == said(compiled, "compiled")
    assert compiled.ok("compile") == said(compiled, "up to date")


OTHER_CHANGES = {
    "on_error": {"on_error": "open"},
    "mode": {"mode": "monitor"},
    "socket": {"path": "/tmp/elsewhere"},
    "program": {"program": "server"},
}


@pytest.mark.parametrize("change", OTHER_CHANGES)
def test_change_that_does_not_count(compiled, change):
    before = mark(compiled.object("note"))
    compiled.configure(note=OTHER_CHANGES[change])
    assert compiled.ok("compile") == said(compiled, "up to date")
    assert mark(compiled.object("note")) == before


@pytest.mark.parametrize(
    "old,new,result",
    [
        ("int32 number = 2", "int32 number = 4", "compiled"),
        ("int32 number = 2", "sint32 number = 2", "compiled"),
        ("Note inner = 3;", "Note inner = 3; bytes more = 9;", "compiled"),
        ("string text", "/* as sent */ string text", "up to date"),
    ],
)
def test_schema_changes(compiled, old, new, result):
    compiled.write("note.proto", PROTO.replace(old, new))
    assert compiled.ok("compile") == said(compiled, result)


def test_imported_schema_changes(home):
    home.write("note.proto", IMPORTING)
    (home.folder / "parts").mkdir()
    home.write("parts/part.proto", PART)
    home.configure(note={"include": ["parts"]})
    home.compile_all()
    assert home.ok("compile") == said(home, "up to date")
    home.write("parts/part.proto", PART.replace("size = 1", "size = 2"))
    assert home.ok("compile") == said(home, "compiled")


DAMAGES = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "one bit": lambda path: path.write_bytes(path.read_bytes().replace(b"number < 5", b"number < 7")),
    "foreign": lambda path: shutil.copy("/bin/true", path),
    "missing": lambda path: path.unlink(),
    "writable for others": lambda path: path.chmod(0o666),
    "of another user": lambda path: os.chown(path, NOBODY, NOBODY),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_object_that_is_no_good(compiled, damage):
    DAMAGES[damage](compiled.object("note"))
    assert compiled.ok("compile") == said(compiled, "compiled")
    assert compiled.ok("compile") == said(compiled, "up to date")
    assert compiled.object("note").stat().st_mode & 0o777 == 0o644
    assert files(compiled) == ["note.bpf.o"]


def test_object_of_another_filter(compiled):
    compiled.configure(note={}, copy={"path": str(compiled.folder / "other")})
    shutil.copy(compiled.object("note"), compiled.object("copy"))
    assert compiled.ok("compile") == said(compiled, "up to date") + said(compiled, "compiled", "copy")


def test_umask_does_not_matter(home):
    home.ok("compile", umask=0o002)
    assert home.object("note").stat().st_mode & 0o777 == 0o644
    assert home.ok("compile") == said(home, "up to date")


# ---- Where to ------------------------------------------------------------------------------------
def test_folder_is_made(home):
    folder = home.folder / "new/deep"
    assert home.ok("compile", "-o", folder) == f"{folder}/note.bpf.o: compiled\n"
    assert os.listdir(folder) == ["note.bpf.o"]
    assert files(home) == []


def test_object_dir_is_relative_to_the_config(home):
    home.objects.rmdir()
    home.ok("compile", cwd="/")
    assert files(home) == ["note.bpf.o"]


def test_output_is_relative_to_the_working_folder(home):
    for folder in ("here", "-o"):
        expected = f"{folder}/note.bpf.o: compiled\n"
        assert home.ok("compile", "--output", folder, cwd=home.folder) == expected
        assert (home.folder / folder / "note.bpf.o").exists()


def test_kept_source_compiles_alone(home):
    home.ok("compile", "--keep-source")
    assert files(home) == ["note.bpf.c", "note.bpf.o"]
    command = ["clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror", "-nostdinc"]
    alone = home.folder / "alone"
    alone.mkdir()
    shutil.move(home.objects / "note.bpf.c", alone)
    subprocess.run([*command, "-c", "note.bpf.c", "-o", "note.o"], cwd=alone, check=True)


def test_source_of_what_is_up_to_date(compiled):
    before = mark(compiled.object("note"))
    assert compiled.ok("compile", "--keep-source") == said(compiled, "up to date")
    assert files(compiled) == ["note.bpf.c", "note.bpf.o"]
    assert mark(compiled.object("note")) == before


def test_several_at_once(home):
    """Each brings the object up to date, none sees half of another's."""
    command = [COMMAND, "compile"]
    all_at_once = [
        subprocess.Popen(command, env=home.env(), stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in all_at_once:
        assert process.communicate(timeout=60)[0] in (said(home, "compiled"), said(home, "up to date"))
        assert process.returncode == 0
    assert files(home) == ["note.bpf.o"]
    assert home.ok("compile") == said(home, "up to date")


def test_without_privilege(home):
    home.give_to(NOBODY)
    assert home.ok("compile", prefix=UNPRIVILEGED) == said(home, "compiled")


# ---- Failures ------------------------------------------------------------------------------------
def assert_left_alone(home, before):
    """The old object is as it was, with nothing beside it."""
    assert mark(home.object("note")) == before
    assert files(home) == ["note.bpf.o"]
    assert os.listdir(home.scratch) == []


@pytest.mark.parametrize(
    "keys,texts",
    [
        ({"rules": ["txt == 'a'"]}, ['rule "rule1"', 'did you mean "text"?', "    txt == 'a'\n    ^~~"]),
        ({"rules": [{"id": "sum", "expression": "number + 1"}]}, ['rule "sum"', "bool"]),
        ({"message": "test.Note2"}, ['did you mean "test.Note"?']),
        ({"schema": "none.proto"}, ["none.proto", "No such file"]),
        ({"schema": "p2e.conf"}, ["p2e.conf"]),
    ],
)
def test_filter_that_does_not_compile(compiled, keys, texts):
    before = mark(compiled.object("note"))
    compiled.configure(note=keys)
    error = compiled.fails("compile")
    assert error.startswith('p2e compile: filter "note": ')
    for text in texts:
        assert text in error
    assert_left_alone(compiled, before)


def test_schema_that_protoc_refuses(compiled):
    before = mark(compiled.object("note"))
    compiled.write("note.proto", PROTO.replace("int32 number", "int33 number"))
    assert '"int33" is not defined' in compiled.fails("compile")
    assert_left_alone(compiled, before)


PROTOCS = {
    "older": """#!/bin/sh
echo '[libprotobuf WARNING google/protobuf/compiler/parser.cc:646] No syntax specified for the proto file: note.proto.' >&2
echo 'note.proto:1:1: Expected top-level statement (e.g. "message").' >&2
exit 1
""",
    "newer": """#!/bin/sh
echo 'note.proto:4:3: "int33" is not defined.' >&2
exit 1
""",
}


@pytest.mark.parametrize("before", ["", "// edition\n/* of\nothers */ "])
@pytest.mark.parametrize("protoc,edition,old", [
    ("older", 'edition = "2023";', True), ("older", "edition\t=", True), ("newer", 'edition = "2023";', False),
    ("older", "editions = 1;", False), ("older", "message edition {}", False)])
def test_protoc_that_knows_no_editions(home, before, protoc, edition, old):
    tool = home.write("protoc", PROTOCS[protoc], mode=0o755)
    home.write("note.proto", f"{before}{edition}\n")
    error = home.fails("compile", env={"P2E_PROTOC": str(tool)})
    assert "note.proto:" in error
    assert ("this protoc is too old for editions" in error and "FileDescriptorSet" in error) == old


def test_import_that_is_not_found(home):
    home.write("note.proto", PROTO.replace("package", 'import "other.proto";\npackage'))
    error = home.fails("compile")
    assert "other.proto: File not found." in error and '"include" (-I DIR ' in error


def test_others_are_compiled_all_the_same(compiled):
    compiled.configure(
        bad={"path": "@bad", "rules": ["none"]}, note={}, worse={"path": "@worse", "message": "a.B"}
    )
    done = compiled.p2e("compile")
    assert done.returncode == 1
    assert done.stdout == said(compiled, "up to date")
    assert 'filter "bad": rule "rule1"' in done.stderr and 'filter "worse": ' in done.stderr


def test_json(compiled):
    compiled.configure(
        note={}, bad={"path": "@bad", "rules": ["none"]}, more={"path": "@more", "rules": []}
    )
    done = compiled.p2e("compile", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    first, second, third = compiled.json("compile")
    assert first == {"filter": "note", "result": "up to date"}
    assert (second["filter"], second["result"]) == ("bad", "failed")
    assert 'rule "rule1"' in second["error"]
    assert third == {"filter": "more", "result": "up to date"}


def test_clang_that_fails(compiled):
    compiled.configure(note={"max_depth": 5})
    before = mark(compiled.object("note"))
    script = "#!/bin/sh\ncat >/dev/null\necho broken clang >&2\nexit 3\n"
    failing = compiled.write("clang", script, 0o755)
    assert "broken clang" in compiled.fails("compile", env={"P2E_CLANG": str(failing)})
    assert_left_alone(compiled, before)


def test_killed_while_clang_runs(compiled):
    """Clang goes on to its end, which leaves nothing, either."""
    compiled.configure(note={"max_depth": 5})
    before = mark(compiled.object("note"))
    done = compiled.folder / "done"
    script = f'#!/bin/sh\nkill -KILL $PPID\nclang "$@"\ntouch {done}\n'
    compiled.write("clang", script, 0o755)
    assert compiled.p2e("compile", env={"P2E_CLANG": str(compiled.folder / "clang")}).returncode == -signal.SIGKILL
    for _ in range(600):
        if done.exists():
            break
        time.sleep(0.1)
    assert done.exists()
    assert_left_alone(compiled, before)


def test_clang_that_writes_half(compiled):
    """An ELF file that is cut short never takes the object's place."""
    compiled.configure(note={"max_depth": 5})
    before = mark(compiled.object("note"))
    script = '#!/bin/sh\nclang "$@" && for last; do :; done && truncate -s 1000 "$last"\n'
    half = compiled.write("clang", script, 0o755)
    assert "libbpf cannot read" in compiled.fails("compile", env={"P2E_CLANG": str(half)})
    assert_left_alone(compiled, before)


@pytest.mark.parametrize(
    "tool,package", [("clang", "clang"), ("llvm-objcopy", "llvm"), ("protoc", "protobuf-compiler")]
)
def test_tool_that_is_missing(home, tool, package):
    path = tools_without(home.folder / "tools", tool)
    error = home.fails("compile", env={"PATH": str(path)})
    assert tool in error and "install" in error
    assert f"package {package}" in error
    assert files(home) == []


@pytest.mark.parametrize(
    "variable,package", [("P2E_CLANG", "clang"), ("P2E_PROTOC", "protobuf-compiler")]
)
def test_tool_that_was_named_is_missing(home, variable, package):
    error = home.fails("compile", env={variable: "/nowhere/tool"})
    assert "/nowhere/tool" in error and f"install the package {package}" in error


def test_tools_that_were_named(home):
    path = tools_without(home.folder / "tools", "clang", "protoc")
    named = {f"P2E_{tool.upper()}": shutil.which(tool) for tool in ("clang", "protoc")}
    assert home.ok("compile", env={"PATH": str(path), **named}) == said(home, "compiled")


@pytest.mark.parametrize("given", ["x", "0", "-1", "5x", "0x10", "4000", "99999999999999999999", " 5"])
def test_seconds_that_are_none(home, given):
    error = home.fails("compile", env={"P2E_COMPILE_SECONDS": given})
    assert f'P2E_COMPILE_SECONDS is a number from 1 to 3600, not "{given}"' in error


@pytest.mark.parametrize("given", ["", "20", "3600"])
def test_seconds_that_are_some(home, given):
    assert home.ok("compile", env={"P2E_COMPILE_SECONDS": given}).endswith(": compiled\n")


def test_up_to_date_needs_no_clang(compiled):
    path = tools_without(compiled.folder / "tools", "clang", "llvm-objcopy")
    assert compiled.ok("compile", env={"PATH": str(path)}) == said(compiled, "up to date")


def test_descriptor_set_needs_no_protoc(compiled):
    """And it is the same program as the .proto file's."""
    source = compiled.folder / "note.proto"
    subprocess.run(
        ["protoc", f"-I{compiled.folder}", "-o", compiled.folder / "note.bin", source], check=True
    )
    compiled.configure(note={"schema": "note.bin"})
    path = tools_without(compiled.folder / "tools", "protoc")
    assert compiled.ok("compile", env={"PATH": str(path)}) == said(compiled, "up to date")


def test_ends_of_children_that_are_ignored(home):
    """An ignored SIGCHLD is inherited, and hides how clang ends."""
    assert home.ok("compile", prefix=["env", "--ignore-signal=CHLD"]) == said(home, "compiled")


def test_folder_that_cannot_be_written(home):
    home.objects.chmod(0o755)
    error = home.fails("compile", prefix=UNPRIVILEGED)
    assert f"cannot write objects into {home.objects}: Permission denied" in error
    assert files(home) == []


def test_folder_that_cannot_be_made(home):
    home.write("file", "")
    for folder in ("file", "file/below"):
        assert "Not a directory" in home.fails("compile", "-o", home.folder / folder)


def test_object_path_is_taken_by_a_folder(home):
    home.object("note").mkdir()
    assert f"cannot write {home.objects}/note.bpf.o" in home.fails("compile")
    assert files(home) == ["note.bpf.o"]


# ---- Disks ---------------------------------------------------------------------------------------
@pytest.fixture
def disk(compiled):
    """Mounts a small file system on the objects' folder, which holds the object."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    content = compiled.object("note").read_bytes()

    def mount(*options):
        subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", compiled.objects], check=True)
        compiled.object("note").write_bytes(content)

    yield mount
    subprocess.run(["umount", compiled.objects], check=True)


@pytest.mark.parametrize("spare_kib", [0, 8, 48])
def test_disk_is_full(compiled, disk, spare_kib):
    """At any stage of the compilation."""
    size = compiled.object("note").stat().st_size // 1024 + 8
    disk("-o", f"size={size + spare_kib}k")
    before = mark(compiled.object("note"))
    compiled.configure(note={"max_depth": 5})
    assert "No space left on device" in compiled.fails("compile")
    assert_left_alone(compiled, before)


def test_disk_is_read_only(compiled, disk):
    disk()
    subprocess.run(["mount", "-o", "remount,ro", compiled.objects], check=True)
    assert compiled.ok("compile") == said(compiled, "up to date")
    before = mark(compiled.object("note"))
    compiled.configure(note={"max_depth": 5})
    assert "Read-only file system" in compiled.fails("compile")
    assert_left_alone(compiled, before)
