"""p2e tail: messages that are dropped, as they come."""

import calendar
import contextlib
import ctypes
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import threading
import time

import pytest
from first_byte import NO_BPFFS, UNPRIVILEGED
from p2e import COMMAND, PROTO, RULES, Home, note
from varint import varint

READY = "p2e tail: looking at what is dropped; Ctrl-C ends it\n"
DEADLINE = 20  # seconds; only a broken run meets it
UDP_SEGMENT = 103
KEPT = 4096  # P2E_SAMPLE_MAX

# Binds what it is given, a port on this host or a path, and holds the sockets until its input ends.
HOLDER = """
import ctypes, os, socket, sys
held = []
for place in sys.argv[1:]:
    if place.isdigit():
        held.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        held[-1].bind(("::", int(place)))
    elif place == "gro":  # behind the library's back
        number = {"x86_64": 54, "aarch64": 208}[os.uname().machine]
        assert not ctypes.CDLL(None).syscall(number, held[-1].fileno(), 17, 104, ctypes.byref(ctypes.c_int(1)), 4)
    else:
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        held[-1].bind("\\0" + place[1:] if place[0] == "@" else place)
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def serving(home, *places):
    """A server that has these sockets, filtered."""
    command = [COMMAND, "run", "/usr/bin/python3", "-c", HOLDER, *map(str, places or [home.socket])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=home.env()) as server:
        assert server.stdout.readline() == "ready\n"
        yield
        server.communicate(timeout=DEADLINE)
    home.socket.unlink(missing_ok=True)


class Tail:
    """A running tail. Its output is there when it has ended."""

    def __init__(self, home, *options, stdout=subprocess.PIPE):
        self.process = subprocess.Popen(
            [COMMAND, "tail", *map(str, options)], stdout=stdout, stderr=subprocess.PIPE, text=True,
            env=home.env()
        )
        self.said = ""
        while not self.said.endswith(READY):
            line = self.process.stderr.readline()
            assert line, (self.said, self.process.wait())
            self.said += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def output(self):
        """What it printed, where it ends by itself."""
        out, said = self.process.communicate(timeout=DEADLINE)
        self.said += said
        assert self.process.returncode == 0, self.said
        return out

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.output()


def send(path, *messages):
    address = "\0" + path[1:] if str(path)[0] == "@" else str(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        for message in messages:
            client.sendto(message, address)


def send_udp(port, *messages, family=socket.AF_INET, segment=0):
    """The address that they come from."""
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1" if family == socket.AF_INET else "::1", port))
        if segment:
            client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, segment)
        for message in messages:
            client.send(message)
        return client.getsockname()[:2]


def free_port():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::", 0))
        return probe.getsockname()[1]


def blocks(text):
    """[(head without its time, the lines of the message), …]"""
    found = []
    for line in text.splitlines():
        if line.startswith(" "):
            found[-1][1].append(line[2:])
        else:
            found.append((line.split(" ", 1)[1], []))
    return found


def samples(text):
    return [json.loads(line) for line in text.splitlines()]


def without(sample, *keys):
    return {key: value for key, value in sample.items() if key not in keys}


# ---- Reasons -------------------------------------------------------------------------------------
def test_rules_and_malformed(compiled):
    with serving(compiled), Tail(compiled, "--count", 4) as tail:
        send(compiled.socket, note("fine", 4), note("0123456789", 3, note("in")), note("brief", 5), b"\x10\x01\x0a\x05ab")
        send(compiled.socket, b"\x0a")
        assert blocks(tail.output()) == [
            ("note dropped, 20 bytes, rule short: ten are too many",
             ['text: "0123456789"', "number: 3", "inner {", '  text: "in"', "}"]),
            ("note dropped, 9 bytes, rule small", ['text: "brief"', "number: 5"]),
            ("note dropped, 6 bytes, malformed at offset 2", ["0000  10 01>0a 05 61 62"]),
            ("note dropped, 1 byte, malformed at offset 0", ["0000 >0a"]),
        ]


def test_json_lines(compiled):
    with serving(compiled), Tail(compiled, "--count", 2, "--json") as tail:
        before = time.time()
        send(compiled.socket, note("0123456789", 3), b"\x10\x01\x0a\x05ab")
        rule, malformed = samples(tail.output())
    about = time.strptime(rule.pop("time")[:19], "%Y-%m-%dT%H:%M:%S")
    assert abs(before - calendar.timegm(about)) < DEADLINE
    assert rule == {
        "filter": "note", "mode": "enforce", "reason": "rule", "rule": "short", "rule_message": "ten are too many",
        "size": 14, "included": 14, "message": {"text": "0123456789", "number": 3},
    }
    assert without(malformed, "time") == {
        "filter": "note", "mode": "enforce", "reason": "malformed", "offset": 2, "size": 6, "included": 6,
        "hex": "10010a056162",
    }


@pytest.mark.parametrize("form,shown", [
    ("json", ['{"text":"0123456789"}']), ("hex", ["0000  0a 0a 30 31 32 33 34 35 36 37 38 39"]),
    ("text", ['text: "0123456789"'])])
def test_formats(compiled, form, shown):
    with serving(compiled), Tail(compiled, "--count", 1, f"--format={form}") as tail:
        send(compiled.socket, note("0123456789"))
        assert blocks(tail.output())[0][1] == shown


def test_hex_of_json_lines(compiled):
    with serving(compiled), Tail(compiled, "--count", 1, "--json", "--format", "hex") as tail:
        send(compiled.socket, note("0123456789"))
        assert samples(tail.output())[0]["hex"] == note("0123456789").hex()


def test_empty_message(home):
    home.configure(note={"rules": ["number > 0"]})
    home.compile_all()
    with serving(home), Tail(home, "--count", 1) as tail:
        send(home.socket, b"")
        assert blocks(tail.output()) == [("note dropped, 0 bytes, rule rule1", [])]


def test_a_long_text_is_sampled_in_full(home):
    """The walker does not read what no rule asks for; the sample has it all the same."""
    home.write("note.proto", PROTO.replace("string text", "bytes text"))
    home.configure(note={"rules": ["number == 0"]})
    home.compile_all()
    with serving(home), Tail(home, "--count", 2, "--json", "--format", "hex") as tail:
        messages = [note("x" * 3000 + "y" * 1000, 1), note("z" * 3000, 2)]
        send(home.socket, *messages)
        assert [sample["hex"] for sample in samples(tail.output())] == [message.hex() for message in messages]


@pytest.mark.parametrize("size", [KEPT - 1, KEPT, KEPT + 1, 60000])
def test_cut_short(compiled, size):
    """The fields that are there as a whole are shown, and the sizes are told."""
    length = size - (5 if size < 16384 else 6)
    message = b"\x10\x07" + note("x" * length)
    assert len(message) == size
    with serving(compiled), Tail(compiled, "--count", 2, "--json") as tail:
        send(compiled.socket, message, message[:-1])
        rule, malformed = samples(tail.output())
    included = min(size, KEPT)
    assert (rule["size"], rule["included"], rule["rule"]) == (size, included, "short")
    whole = {"number": 7, "text": "x" * length}
    assert rule["message"] == (whole if size <= KEPT else {"number": 7})
    assert (malformed["reason"], malformed["offset"], malformed["size"]) == ("malformed", 2, size - 1)
    assert malformed["hex"] == message[: min(size - 1, KEPT)].hex()


def test_cut_short_is_said(compiled):
    with serving(compiled), Tail(compiled, "--count", 1) as tail:
        send(compiled.socket, note("x" * 5000, 7))
        ((head, shown),) = blocks(tail.output())
    assert "5005 bytes (cut short: the first 4096 are known), rule short" in head
    assert len(shown) == KEPT // 16  # not even one field is there


def test_fault_beyond_what_is_known(compiled):
    with serving(compiled), Tail(compiled, "--count", 1) as tail:
        send(compiled.socket, note("x" * 5000) + b"\x0f")
        ((head, shown),) = blocks(tail.output())
    assert "malformed at offset 5003" in head and not any(">" in line for line in shown)


def test_oversized(compiled):
    with serving(compiled), Tail(compiled, "--count", 1, "--json") as tail:
        message = b"\x0a" + varint(70000) + b"x" * 70000
        send(compiled.socket, message)
        (sample,) = samples(tail.output())
    assert (sample["reason"], sample["size"], sample["included"]) == ("oversized", len(message), KEPT)
    assert sample["hex"] == message[:KEPT].hex()


def test_aggregated(home):
    port = free_port()
    home.configure(note={"port": port})
    home.compile_all()
    with serving(home, port, "gro"), Tail(home, "--count", 1, "--json") as tail:
        sender = send_udp(port, note("", 3) * 3, segment=2)
        (sample,) = samples(tail.output())
    assert without(sample, "time") == {
        "filter": "note", "mode": "enforce", "source": f"127.0.0.1:{sender[1]}", "reason": "aggregated", "size": 6,
        "included": 6, "hex": (note("", 3) * 3).hex(),
    }


def test_busy(compiled):
    """The entry drops what its empty slot lets nobody judge."""
    with serving(compiled), Tail(compiled, "--count", 1, "--json") as tail:
        clear_slot(compiled.pin_dir / "note" / "slot")
        send(compiled.socket, note("fine", 3))
        (sample,) = samples(tail.output())
    assert without(sample, "time", "filter", "mode") == {"reason": "busy", "size": 8, "included": 0, "hex": ""}


def clear_slot(path):
    """BPF_OBJ_GET and BPF_MAP_DELETE_ELEM."""
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    slot = libbpf.bpf_obj_get(str(path).encode())
    assert slot >= 0 and libbpf.bpf_map_delete_elem(slot, ctypes.byref(ctypes.c_uint32(0))) == 0
    os.close(slot)


def test_monitor(compiled):
    compiled.configure(note={"mode": "monitor"})
    with serving(compiled), Tail(compiled, "--count", 1) as tail:
        send(compiled.socket, note("0123456789"))
        assert blocks(tail.output())[0][0].startswith("note would drop, 12 bytes, rule short")


# ---- Whom they come from -------------------------------------------------------------------------
@pytest.mark.parametrize("family,shown", [(socket.AF_INET, "127.0.0.1:{}"), (socket.AF_INET6, "[::1]:{}")])
def test_source(home, family, shown):
    port = free_port()
    home.configure(note={"port": port})
    home.compile_all()
    with serving(home, port), Tail(home, "--count", 1) as tail:
        _, source = send_udp(port, note("0123456789"), family=family)
        assert blocks(tail.output())[0][0].startswith(f"note {shown.format(source)} dropped, 12 bytes, rule short")


# ---- Filters -------------------------------------------------------------------------------------
@pytest.fixture
def two(home):
    home.configure(note={}, other={"path": f"@{home.pin_dir.name}", "rules": ["number == 0"]})
    return home.compile_all()


def test_several_filters(two):
    other = f"@{two.pin_dir.name}"
    with serving(two, two.socket, other), Tail(two, "--count", 2) as tail:
        send(two.socket, note("0123456789"))
        send(other, note("", 7))
        heads = sorted(head for head, _ in blocks(tail.output()))
    assert [head.split(" ")[0] for head in heads] == ["note", "other"]


def test_one_of_several(two):
    other = f"@{two.pin_dir.name}"
    with serving(two, two.socket, other), Tail(two, "other", "--count", 1, "other") as tail:
        send(two.socket, note("0123456789"))
        send(other, note("", 7))
        assert [head.split(" ")[0] for head, _ in blocks(tail.output())] == ["other"]


def test_filter_that_is_pinned_later(home):
    """Without names, whichever are there."""
    port = free_port()
    home.configure(note={}, later={"port": port})
    home.compile_all()
    with serving(home), Tail(home) as tail, serving(home, port):
        deadline = time.monotonic() + DEADLINE
        while not select.select([tail.process.stdout], [], [], 0.05)[0] and time.monotonic() < deadline:
            send_udp(port, note("0123456789"))
        heads = [head for head, _ in blocks(tail.stop())]
    assert heads and all(head.startswith("later 127.0.0.1:") for head in heads)


def test_filter_that_is_replaced(compiled):
    """Other rules, and another schema: both are those of what is pinned now."""
    with serving(compiled), Tail(compiled) as tail:
        send(compiled.socket, note("0123456789"))
        compiled.write("note.proto", PROTO.replace("string text", "string words"))
        compiled.configure(note={"rules": [{"id": "none", "expression": "words == ''", "message": "be silent"}]})
        compiled.compile_all()
        compiled.socket.unlink()
        with serving(compiled):  # loads what is compiled now, in the place of what is pinned
            time.sleep(1)
            send(compiled.socket, note("ten"))
            time.sleep(0.5)
        shown = blocks(tail.stop())
    assert shown == [
        ("note dropped, 12 bytes, rule short: ten are too many", ['text: "0123456789"']),
        ("note dropped, 5 bytes, rule none: be silent", ['words: "ten"']),
    ]


# ---- How many ------------------------------------------------------------------------------------
def flood(path, cpu, until):
    os.sched_setaffinity(0, {cpu})
    while time.monotonic() < until:
        send(path, *[note("0123456789")] * 500)


def test_flood(compiled):
    """What is shown is bounded by the rate and the time, on however many CPUs it comes: a burst, then what is
    due."""
    rate, begin = 30, time.monotonic()
    with serving(compiled), Tail(compiled, "--rate", rate, "--json") as tail:
        senders = [threading.Thread(target=flood, args=(compiled.socket, cpu, time.monotonic() + 2))
                   for cpu in os.sched_getaffinity(0)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        shown = len(samples(tail.stop()))
    assert rate <= shown <= rate * (1.3 + time.monotonic() - begin)


def test_nobody_looks_nothing_is_written(compiled):
    """Neither before, nor once a tail has ended; one that was killed leaves a budget that ends, too."""
    junk = [note("0123456789")] * 200
    with serving(compiled):
        send(compiled.socket, *junk)
        assert produced(compiled) == 0
        with Tail(compiled, "--count", 1) as tail:
            send(compiled.socket, junk[0])
            tail.output()
        before = produced(compiled)
        send(compiled.socket, *junk)
        assert produced(compiled) == before > 0
        with Tail(compiled, "--rate", 7):
            pass  # killed
        for _ in range(2):
            send(compiled.socket, *junk)
        # A state's budget is 7, and a single sender may have used two of them: one a CPU.
        used = (produced(compiled) - before) // record_size(junk[0])
        assert 1 <= used <= 7 * os.cpu_count()


def record_size(message):
    return 8 + (48 + len(message) + 7) // 8 * 8


def produced(home):
    """How far the kernel has come in the ring buffer, in bytes."""
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    ring = libbpf.bpf_obj_get(str(home.pin_dir / "note" / "samples").encode())
    assert ring >= 0
    with mmap.mmap(ring, mmap.PAGESIZE, prot=mmap.PROT_READ, offset=mmap.PAGESIZE) as page:
        position = int.from_bytes(page[:8], "little")
    os.close(ring)
    return position


def test_several_tails_share(compiled):
    messages = [note("0123456789", number) for number in range(1, 41)]
    with serving(compiled), Tail(compiled, "--json", "--rate", 1000) as one, Tail(compiled, "--json", "--rate", 1000) as two:
        for message in messages:
            send(compiled.socket, message)
            time.sleep(0.01)
        time.sleep(0.3)
        shown = [sample["message"]["number"] for tail in (one, two) for sample in samples(tail.stop())]
    assert sorted(shown) == list(range(1, 41))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_at_a_signal(compiled, number):
    with serving(compiled), Tail(compiled) as tail:
        send(compiled.socket, note("0123456789"))
        assert len(blocks(tail.stop(number))) == 1  # what has come is shown


# ---- Record and replay ---------------------------------------------------------------------------
def test_record_and_replay(compiled):
    messages = [note("0123456789", 3), note("brief", 5), b"\x10\x01\x0a\x05ab", note("x" * 2000)]
    record = compiled.folder / "record"
    with serving(compiled), Tail(compiled, "--count", 5, "--json", "--record", record) as tail:
        send(compiled.socket, *messages, note("x" * 5000))
        shown = samples(tail.output())
        assert tail.said == READY + "p2e tail: 1 message was not recorded: cut short, or never judged as a message\n"
    assert record.stat().st_mode & 0o777 == 0o600
    assert record.read_bytes() == b"".join(varint(len(message)) + message for message in messages)
    with record.open("rb") as stream:
        done = compiled.p2e("eval", "-f", "note", "--format", "raw", "--json", stdin=stream, text=False)
    verdicts = [without(json.loads(line), "verdict") for line in done.stdout.splitlines()]
    assert verdicts == [{key: s[key] for key in ("reason", "rule") if key in s} for s in shown[:4]]


def test_record_does_not_overwrite(compiled):
    with serving(compiled):
        error = compiled.fails("tail", "--record", compiled.conf)
        assert f"{compiled.conf} is there already; name a file that is not" in error
        assert "No such file" in compiled.fails("tail", "--record", compiled.folder / "no" / "file")


# ---- What is not as it should be -----------------------------------------------------------------
def test_without_privilege(compiled):
    with serving(compiled):
        error = compiled.fails("tail", prefix=UNPRIVILEGED)
    assert 'the samples of filter "note" hold messages' in error and "as root" in error


def test_not_pinned(compiled):
    assert 'filter "note" is not pinned' in compiled.fails("tail", "note")
    assert "no filter of" in compiled.fails("tail")
    assert 'has no filter "nothing"' in compiled.fails("tail", "nothing")


def test_no_bpffs(compiled):
    for names in ([], ["note"]):
        error = compiled.fails("tail", *names, prefix=NO_BPFFS)
        assert "is not on a bpffs" in error and "run: mount -t bpf bpf /sys/fs/bpf" in error


def test_output_that_cannot_be_written_is_said_once(compiled):
    with serving(compiled), open("/dev/full", "w") as full:
        tail = Tail(compiled, "--count", 1, stdout=full)
        send(compiled.socket, note("0123456789"))
        said = tail.process.communicate(timeout=DEADLINE)[1]
    assert (tail.process.returncode, said) == (1, "p2e: the output could not be written: No space left on device\n")


def test_schema_is_gone(compiled):
    with serving(compiled):
        (compiled.folder / "note.proto").unlink()
        with Tail(compiled, "--count", 1) as tail:
            send(compiled.socket, note("0123456789"))
            assert blocks(tail.output())[0][1] == ["0000  0a 0a 30 31 32 33 34 35 36 37 38 39"]
    assert 'filter "note": its messages are shown in hex: ' in tail.said


@pytest.mark.parametrize("form", ["text", "json", "hex"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_obeys_nothing(home, form, options):
    hostile = "\x1b[2J\x7f\x07\r\n\u009b31m\u202e"
    home.configure(note={"rules": [{"id": "r", "expression": "number == 0", "message": "a \x1b[31m\u009b1m\nb"}]})
    home.compile_all()
    with serving(home), Tail(home, "--count", 1, "--format", form, *options) as tail:
        send(home.socket, note(hostile, 1))
        text = tail.output()
    lines = text.split("\n")
    assert all(c >= " " and not "\x7f" <= c <= "\x9f" for line in lines for c in line)
    assert form != "text" or options or '\\033[2J\\177\\007\\r\\n' in text


@pytest.mark.parametrize("options", [
    ["--rate", "0"], ["--rate", "x"], ["--rate", "10001"], ["--count", "-1"], ["--count", "1x"], ["--format", "xml"]])
def test_command_line(home, options):
    assert options[0] in home.fails("tail", *options, status=2)
