"""p2e status: where each filter is loaded, and what it has counted."""

import os
import socket
import subprocess

import pytest
from first_byte import NOBODY, UNPRIVILEGED
from p2e import COMMAND, RULES, note

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


# ---- Where it is loaded --------------------------------------------------------------------------
def test_before_anything_is_loaded(home):
    assert state(home) == {
        "filter": "note", "transport": "unixgram", "socket": str(home.socket),
        "mode": "enforce", "state": "not compiled", "stale": False,
    }
    assert home.ok("status").split() == ["note", "unixgram", str(home.socket), "not", "compiled"]
    home.compile_all()
    assert state(home)["state"] == "not loaded"
    assert home.ok("status").endswith(" not loaded\n")


def test_pinned(compiled):
    with Server(compiled):
        entry = state(compiled)
    rules = [{"id": r["id"], "expression": r["expression"], "dropped": 0} for r in RULES]
    assert entry == {
        "filter": "note", "transport": "unixgram", "socket": str(compiled.socket),
        "mode": "enforce", "state": "pinned", "stale": False, **ZERO, "rules": rules,
    }
    text = compiled.ok("status", "--help")
    for key in {**entry, **rules[0]}:
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
    lines = [line.split(None, 1) for line in text.splitlines()[1:]]
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


# ---- What is not as it should be -----------------------------------------------------------------
def test_rules_have_changed(compiled):
    """What runs is not what the config says, and status says which rules those are."""
    with Server(compiled):
        compiled.configure(note={"rules": RULES[:1]})
        entry, text = state(compiled), compiled.ok("status")
    assert filter_of(entry, "state", "stale") == {"state": "pinned", "stale": True}
    assert [rule["id"] for rule in entry["rules"]] == ["short", "small"]
    assert "pinned, of other rules than the configuration has\n" in text


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
