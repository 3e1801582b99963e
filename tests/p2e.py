"""The `p2e` command in a home of its own: config, schemas, objects and pins that no other test has."""

import json
import pathlib
import shutil
import subprocess

from first_byte import BUILD, SANITIZED, Site, sanitizer_libraries
from varint import varint

COMMAND = BUILD / "p2e"
LIBRARY = BUILD / "libp2e.so"
TIMEOUT = 60  # seconds; only a broken run meets it

PROTO = """syntax = "proto3";
package test;
message Note {
  string text = 1;
  int32 number = 2;
  Note inner = 3;
}
"""
RULES = [
    {"id": "short", "expression": "size(text) < 10", "message": "ten are too many"},
    {"id": "small", "expression": "number < 5"},
]


def conf_value(value):
    """A Python value as libconfig writes it."""
    if isinstance(value, dict):
        return "{ %s }" % " ".join(f"{key} = {conf_value(item)};" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "( %s )" % ", ".join(map(conf_value, value))
    return json.dumps(value, ensure_ascii=False)


class Home(Site):
    """Without filters given it has one, "note", for a UNIX datagram socket in its folder."""

    DEFAULTS = {"schema": "note.proto", "message": "test.Note", "rules": RULES}

    def __init__(self, **filters):
        super().__init__()
        self.write("note.proto", PROTO)
        self.socket = self.folder / "socket"
        self.scratch = self.folder / "scratch"  # TMPDIR, which must be empty afterwards
        self.scratch.mkdir()
        self.scratch.chmod(0o1777)
        self.configure(**(filters or {"note": {}}))

    def configure(self, **filters):
        """Writes the config; keys that are not given have defaults, keys that are None are left out."""
        self.filters = filters
        groups = []
        for name, keys in filters.items():
            place = {} if "port" in keys else {"path": str(self.folder / "socket")}
            transport = "udp" if "port" in keys else "unixgram"
            merged = {"name": name, "transport": transport, **place, **self.DEFAULTS, **keys}
            groups.append({key: value for key, value in merged.items() if value is not None})
        self.conf.write_text(
            f'object_dir = "objects";\npin_dir = "{self.pin_dir}";\nfilters = {conf_value(groups)};\n'
        )

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def give_to(self, uid):
        """Makes the folders of the home a user's, so that it can compile in them."""
        for path in (self.folder, self.objects):
            shutil.chown(path, uid)

    # ---- Running ---------------------------------------------------------------------------------
    def env(self, **more):
        preload = ":".join(sanitizer_libraries()) or None
        env = self.environment(LD_PRELOAD=preload, TMPDIR=str(self.scratch))
        if SANITIZED:
            env["ASAN_OPTIONS"] = "detect_leaks=0:verify_asan_link_order=0"
        return {key: value for key, value in {**env, **more}.items() if value is not None}

    def p2e(self, *arguments, prefix=(), command=COMMAND, env=None, text=True, **options):
        """Runs p2e to its end; the config is found through P2E_CONFIG."""
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        return subprocess.run(
            [*prefix, command, *map(str, arguments)],
            capture_output=True, text=text, timeout=TIMEOUT, env=self.env(**(env or {})), **options,
        )

    def ok(self, *arguments, **options):
        """The same where all is well: what it printed."""
        done = self.p2e(*arguments, **options)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ("" if options.get("text", True) else b"")
        return done.stdout

    def fails(self, *arguments, status=1, **options):
        """The same where it must fail: what it said of it."""
        done = self.p2e(*arguments, **options)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stderr

    def json(self, *arguments, **options):
        return json.loads(self.p2e(*arguments, "--json", text=False, **options).stdout)

    def compile_all(self):
        self.ok("compile")
        return self


# ---- Messages ------------------------------------------------------------------------------------
def note(text="", number=0, inner=None):
    """A test.Note on the wire."""
    out = b""
    if text:
        out += b"\x0a" + varint(len(text.encode())) + text.encode()
    if number:
        out += b"\x10" + varint(number)
    if inner is not None:
        out += b"\x1a" + varint(len(inner)) + inner
    return out


def sized_note(size, number):
    """A test.Note of so many bytes; its number (below 128) is the last of them."""
    for length in range(max(size - 6, 0), size):
        message = note("x" * length, number)
        if len(message) == size:
            return message
    raise ValueError(f"no note has {size} bytes")


def tools_without(folder, *missing):
    """A folder to be PATH, with what p2e and tests run, but for these."""
    folder.mkdir()
    for tool in ("clang", "llvm-objcopy", "protoc", "sh", "cat"):
        if tool not in missing:
            (folder / tool).symlink_to(shutil.which(tool))
    return pathlib.Path(folder)
