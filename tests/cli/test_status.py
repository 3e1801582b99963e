"""p2e status: where each filter is loaded, and what it has counted."""

import os
import pathlib
import socket
import subprocess

import pytest
from first_byte import NOBODY, UNPRIVILEGED
from p2e import COMMAND, RULES, note
from running import CLASSIC, Running, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A schema with a rule of its own: its id, its expression.
ANNOTATED = """syntax = "proto3";
package test;
import "buf/validate/validate.proto";
message Note {
  option (buf.validate.message).cel = { id: "%s", expression: "%s" };
  string text = 1;
  int32 number = 2;
}
"""
# Binds each path that it is given and holds the sockets until its input ends.
HOLDER = """
import socket, sys
held = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in sys.argv[1:]]
for each, path in zip(held, sys.argv[1:]):
    each.bind("\\0" + path[1:] if path[0] == "@" else path)
print("ready", flush=True)
sys.stdin.read()
"""
ZERO = {"passed": 0, "malformed": 0, "oversized": 0, "aggregated": 0, "busy": 0, "dropped": 0}


class Server:
    """Has the home's sockets, filtered."""

    def __init__(self, home, *paths):
        command = [COMMAND, "run", "/usr/bin/python3", "-c", HOLDER, *map(str, paths or [home.socket])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=home.env()
        )

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=60)

    def row(self, address, filtering, fd=3):
        return {
            "pid": self.process.pid, "command": "python3", "uid": 0, "fd": fd,
            "address": address, "filtering": filtering,
        }


def send(path, *messages):
    """A UNIX datagram is judged before its sender goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        for message in messages:
            client.sendto(message, str(path))


def state(home, **options):
    (entry,) = home.json("status", **options)
    return entry


def filter_of(entry, *keys):
    return {key: entry[key] for key in keys}


# ---- What others wrote ---------------------------------------------------------------------------
HOSTILE = "\x1b[2J\u009b1m\u202eä"
SHOWN = r"\x1b[2J\u009b1m\u202eä"


def annotated(home):
    """A filter whose only rule is the schema's own, with an id and an expression that are hostile."""
    expression = f"this.number == 0 || this.text == '{HOSTILE}'"
    home.write("note.proto", ANNOTATED % (HOSTILE.replace("\x1b", r"\033"), expression.replace("\x1b", r"\033")))
    home.configure(note={"rules": None, "include": (str(ROOT / "tests/data/buf/validate"), str(ROOT / "tests/data"))})
    return home.compile_all()


def test_a_terminal_obeys_no_rule(home):
    annotated(home).ok("load")
    for verb in ("status", "explain"):
        text = home.ok(verb, *(["-f", "note"] if verb == "explain" else []))
        assert f"{SHOWN}: this.number == 0 || this.text == '{SHOWN}'" in text
        assert all(c in "\n" or c.isprintable() for c in text)
    assert home.ok("eval", "-f", "note", input="1001\n") == f"drop rule {SHOWN}\n"
    assert state(home)["rules"][0]["id"] == HOSTILE


def test_columns_are_of_characters(home):
    home.configure(note={"path": "@äöü€𝄞", "rules": None}, other={"path": "@aouex", "rules": None})
    first, second = home.ok("status").splitlines()
    assert first.index("not compiled") == second.index("not compiled")


# ---- Where it is loaded --------------------------------------------------------------------------
def test_before_anything_is_loaded(home):
    assert state(home) == {
        "filter": "note", "transport": "unixgram", "socket": str(home.socket),
        "mode": "enforce", "state": "not compiled", "stale": False, "object": "missing", "sockets": [],
    }
    assert home.ok("status").split() == ["note", "unixgram", str(home.socket), "not", "compiled"]
    home.compile_all()
    assert state(home)["state"] == "not loaded"
    assert home.ok("status").endswith(" not loaded\n")


def test_pinned(compiled):
    with Server(compiled) as server:
        entry = state(compiled)
    rules = [{"id": r["id"], "expression": r["expression"], "dropped": 0} for r in RULES]
    assert entry == {
        "filter": "note", "transport": "unixgram", "socket": str(compiled.socket),
        "mode": "enforce", "state": "pinned", "stale": False, "object": "up to date",
        "pin": f"{compiled.pin_dir}/note", **ZERO, "rules": rules,
        "sockets": [server.row(str(compiled.socket), "filtered")],
    }
    text = compiled.ok("status", "--help")
    for key in {**entry, **rules[0], **entry["sockets"][0]}:
        assert f'"{key}"' in text


def test_several_filters(compiled):
    compiled.configure(
        note={}, other={"path": "@p2e-other"}, udp={"port": [17001, "17005-17009"], "address": "127.0.0.1"}
    )
    with Server(compiled):
        entries = compiled.json("status")
    assert [(e["filter"], e["transport"], e["socket"], e["state"]) for e in entries] == [
        ("note", "unixgram", str(compiled.socket), "pinned"),
        ("other", "unixgram", "@p2e-other", "pinned"),  # the library loads all of a transport at once
        ("udp", "udp", "127.0.0.1:17001,17005-17009", "not loaded"),
    ]


@pytest.mark.parametrize(
    "keys,place",
    [
        ({"port": 17000}, "17000"),
        ({"port": 17000, "address": "::1"}, "[::1]:17000"),
        ({"port": 17000, "address": "10.1.2.3"}, "10.1.2.3:17000"),
        ({"port": list(range(10000, 10400, 2))}, ",".join(map(str, range(10000, 10400, 2)))),
        ({"transport": "unixseq", "path": "/run/x y.sock"}, "/run/x y.sock"),
    ],
)
def test_socket_is_shown_in_full(home, keys, place):
    home.configure(note=keys)
    assert state(home)["socket"] == place
    assert f" {place} " in home.ok("status")


# ---- What it has counted -------------------------------------------------------------------------
MIX = [note("short", 4)] * 3 + [note("0123456789")] * 2 + [note("", 5)] + [b"\x0a\x05ab"] * 4
MIX += [b"\x0a\xf0\xa2\x04" + b"x" * 70000]
COUNTS = {"passed": 3, "malformed": 4, "oversized": 1, "dropped": 8}


def test_counters(compiled):
    with Server(compiled):
        send(compiled.socket, *MIX)
        entry = state(compiled)
        text = compiled.ok("status")
    assert filter_of(entry, *COUNTS) == COUNTS
    assert [(r["id"], r["dropped"]) for r in entry["rules"]] == [("short", 2), ("small", 1)]
    lines = [line.split(None, 1) for line in text.splitlines()[2:]]
    assert [(int(count), what) for count, what in lines] == [
        (3, "passed"), (8, "dropped"), (4, "malformed"), (1, "oversized"),
        (2, "rule short: size(text) < 10"), (1, "rule small: number < 5"),
    ]


def test_counters_outlive_the_server(compiled):
    with Server(compiled):
        send(compiled.socket, *MIX)
    compiled.socket.unlink()
    with Server(compiled):
        send(compiled.socket, note("short"))
    assert filter_of(state(compiled), *COUNTS) == {**COUNTS, "passed": 4}


def test_monitor(compiled):
    compiled.configure(note={"mode": "monitor"})
    with Server(compiled):
        send(compiled.socket, note(), note("0123456789"))
        entry, text = state(compiled), compiled.ok("status")
    assert filter_of(entry, "mode", "passed", "dropped") == {"mode": "monitor", "passed": 1, "dropped": 1}
    assert "pinned, monitor\n" in text and " 1 would drop\n" in text


def test_without_privilege(compiled):
    with Server(compiled):
        send(compiled.socket, *MIX)
        entry = state(compiled, prefix=UNPRIVILEGED)
        text = compiled.ok("status", prefix=UNPRIVILEGED)
    assert filter_of(entry, "state") == {"state": "pinned"} and "passed" not in entry
    assert "counters are for root" in text


def test_rule_of_several_lines_is_one_line(compiled):
    compiled.configure(note={"rules": ["number <\n\t5"]})
    with Server(compiled):
        assert compiled.ok("status").endswith("rule rule1: number <  5\n")


# ---- Sockets -------------------------------------------------------------------------------------
def rows(home, **options):
    return [
        (row["pid"], row["address"], row["filtering"])
        for entry in home.json("status", **options)
        for row in entry["sockets"]
    ]


def test_sockets_that_are_filtered(compiled):
    with Server(compiled) as server:
        first, second = compiled.ok("status").splitlines()[:2]
    assert first.endswith(" pinned")
    assert second == f"    process {server.process.pid} (python3), uid 0, {compiled.socket}: filtered"


def test_sockets_that_are_not_filtered(compiled):
    with Running("unixgram", compiled.socket) as server:
        assert rows(compiled) == [(server.pid, str(compiled.socket), "NOT filtered")]
        line = compiled.ok("status").splitlines()[1]
    assert line.endswith(f": NOT filtered; p2e attach --pid {server.pid} filters it")


def test_socket_with_a_filter_of_its_own(compiled):
    with Running("unixgram", compiled.socket) as server:
        server.ask(CLASSIC)
        assert rows(compiled) == [(server.pid, str(compiled.socket), "own filter")]


def test_sequenced_listener_and_its_connections(home):
    home.configure(note={"transport": "unixseq", "path": str(home.socket)})
    with Running("unixseq", home.socket) as server:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(home.socket))
            server.ask("globals().update(connection=s.accept()[0])")
            found = rows(home)
    assert found == [
        (server.pid, str(home.socket), "listener"), (server.pid, str(home.socket), "NOT filtered"),
    ]


def test_sockets_of_other_filters_and_streams_are_not_shown(home):
    port = free_port()
    home.configure(note={"port": port})
    with Running("udp", free_port()), Running("tcp", port), Running("unixgram", home.socket):
        assert rows(home) == []


@pytest.mark.parametrize("transport", ["udp", "udp6"])
def test_sockets_in_another_network_namespace(home, transport):
    port = free_port()
    home.configure(note={"port": port})
    with Running(transport, port, prefix=["unshare", "--net"]) as server:
        place = f"0.0.0.0:{port}" if transport == "udp" else f"[::]:{port}"
        assert rows(home) == [(server.pid, place, "NOT filtered")]


def test_abstract_and_relative_paths(home):
    name = f"@p2e-{os.getpid()}"
    home.configure(a={"path": name}, b={})
    with Running("unixgram", name) as a, Running("unixgram", "socket", cwd=home.folder) as b:
        assert rows(home) == [(a.pid, name, "NOT filtered"), (b.pid, "socket", "NOT filtered")]


def test_a_relative_path_is_not_of_our_own_folder(home):
    with Running("unixgram", "socket", cwd=home.scratch):
        assert rows(home, cwd=home.folder) == []
    (home.scratch / "socket").unlink()


def test_filter_of_another_program(home):
    home.configure(note={"program": "other"})
    with Running("unixgram", home.socket):
        assert rows(home) == []


def test_user_and_name_of_the_process(home):
    home.folder.chmod(0o777)
    with Running("unixgram", home.socket, prefix=UNPRIVILEGED) as server:
        server.ask("open('/proc/self/comm', 'w').write('\\x1b[31m')")
        (row,) = state(home)["sockets"]
        assert (row["uid"], row["command"]) == (NOBODY, "\x1b[31m")
        assert f"process {server.pid} (\\x1b[31m), uid {NOBODY}, " in home.ok("status")


def test_a_socket_is_shown_once_a_process(home):
    with Running("unixgram", home.socket) as server:
        server.ask("globals().update(again=s.dup())")
        assert len(rows(home)) == 1


def test_processes_that_may_not_be_looked_into(home):
    with Running("unixgram", home.socket):
        text = home.ok("status", prefix=UNPRIVILEGED)
        done = home.p2e("status", "--json", prefix=UNPRIVILEGED)
    assert text.count("are not shown: run p2e status as root\n") == 1
    assert done.stderr.count("are not shown: run p2e status as root\n") == 1
    assert '"sockets":[]' in done.stdout
    assert "not shown" not in home.ok("status")
    without = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all"]
    with Running("unixgram", "@p2e-hidden", prefix=UNPRIVILEGED):
        assert "not shown" in home.ok("status", prefix=without)


def test_socket_that_no_filter_can_be_told_for(home):
    port = free_port()
    home.configure(a={"port": port, "address": "127.0.0.1"}, b={"port": port, "address": "127.0.0.2"})
    with Running("udp", port) as server:
        done = home.p2e("status")
    assert done.returncode == 1
    assert done.stderr.startswith(f"p2e status: process {server.pid} (python3), 0.0.0.0:{port}: ")


# ---- What is not as it should be -----------------------------------------------------------------
def test_rules_have_changed(compiled):
    """What runs is not what the config says, and status says which rules those are."""
    with Server(compiled):
        compiled.configure(note={"rules": RULES[:1]})
        entry, text = state(compiled), compiled.ok("status")
    assert filter_of(entry, "state", "stale") == {"state": "pinned", "stale": True}
    assert [rule["id"] for rule in entry["rules"]] == ["short", "small"]
    assert "pinned, of other rules than the configuration has\n" in text


@pytest.mark.parametrize("pinned,said,verb", [("enforce", "", "dropped"), ("monitor", ", monitor", "would drop")])
def test_mode_has_changed(compiled, pinned, said, verb):
    """What is shown is how the program that runs behaves."""
    modes = {"enforce", "monitor"}
    compiled.configure(note={"mode": pinned})
    with Server(compiled):
        compiled.configure(note={"mode": (modes - {pinned}).pop()})
        entry, text = state(compiled), compiled.ok("status")
    assert filter_of(entry, "state", "stale", "mode") == {"state": "pinned", "stale": True, "mode": pinned}
    assert f"pinned, of another mode or transport than the configuration has{said}\n" in text
    assert f" 0 {verb}\n" in text


def test_schema_has_changed(compiled):
    """The rules' text is the same, and what is pinned has other fields than the object."""
    with Server(compiled):
        proto = compiled.folder / "note.proto"
        proto.write_text(proto.read_text().replace("Note inner = 3", "Note inner = 4"))
        assert state(compiled)["stale"] is False  # as far as anyone knows
        compiled.compile_all()
        assert filter_of(state(compiled), "state", "stale") == {"state": "pinned", "stale": True}
        assert "pinned, of an older schema than its object\n" in compiled.ok("status")
        compiled.ok("load")
        assert state(compiled)["stale"] is False


def test_object_beside_what_is_pinned(compiled):
    with Server(compiled):
        compiled.object("note").rename(compiled.folder / "away")
        assert filter_of(state(compiled), "state", "object") == {"state": "pinned", "object": "missing"}
        assert "\n    its object is missing; run: p2e compile\n" in compiled.ok("status")
        compiled.object("note").write_bytes(b"")
        assert state(compiled)["object"] == "broken"


def test_pins_of_no_filter(compiled):
    with Server(compiled):
        send(compiled.socket, *MIX)
    compiled.configure(other={"path": "@p2e-other"})
    (compiled.pin_dir / "~note~0123456789abcdef").mkdir()  # what is on its way is not shown
    _, entry = compiled.json("status")
    assert filter_of(entry, "filter", "state", "pin") == {
        "filter": "note", "state": "orphan", "pin": f"{compiled.pin_dir}/note"
    }
    assert filter_of(entry, *COUNTS) == COUNTS
    line = compiled.ok("status").splitlines()[-1]
    assert line.startswith(f"note             pinned in {compiled.pin_dir}/note, and not in the ")


def test_object_is_of_other_rules(compiled):
    compiled.configure(note={"rules": RULES[:1]})
    assert filter_of(state(compiled), "state", "stale") == {"state": "not loaded", "stale": True}


def assert_broken(home, said):
    entry = state(home)
    assert entry["state"] == "broken"
    assert said in entry["error"]
    done = home.p2e("status")
    assert (done.returncode, done.stderr) == (1, "")
    assert "broken\n" in done.stdout and said in done.stdout
    assert home.p2e("status", "--json").returncode == 1


def test_object_is_corrupt(compiled):
    os.truncate(compiled.object("note"), 1000)
    assert_broken(compiled, "run: p2e compile")


def test_object_is_not_trusted(compiled):
    os.chown(compiled.object("note"), NOBODY, NOBODY)
    assert_broken(compiled, "not trusted")


def test_pins_are_not_trusted(compiled):
    with Server(compiled):
        os.chown(compiled.pin_dir, NOBODY, NOBODY)
        assert_broken(compiled, "not trusted")


def test_pins_are_incomplete(compiled):
    with Server(compiled):
        (compiled.pin_dir / "note" / "state").unlink()
        assert_broken(compiled, f"{compiled.pin_dir}/note/state")


def test_pin_dir_is_not_on_a_bpffs(compiled):
    text = compiled.conf.read_text()
    compiled.conf.write_text(text.replace(str(compiled.pin_dir), str(compiled.folder)))
    assert_broken(compiled, "not on a bpffs")


def test_others_are_shown_all_the_same(compiled):
    compiled.configure(bad={"path": "@bad"}, note={})
    compiled.object("bad").write_bytes(b"")
    first, second = compiled.json("status")
    assert (first["state"], second["state"]) == ("broken", "not loaded")
