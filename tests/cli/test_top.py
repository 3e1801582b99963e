"""p2e top: what filters pass and drop, live, on a terminal or as lines."""

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest
from first_byte import UNPRIVILEGED
from p2e import COMMAND, note
from running import PYTHON

GOOD, LONG, HIGH, MALFORMED = note("short", 4), note("0123456789"), note("", 5), b"\x0a\x05ab"
SERVER = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
while s.recv(100000):
    pass
"""
ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@contextlib.contextmanager
def serving(home):
    """A filtered server, and what sends to it. Its pins stay."""
    command = [COMMAND, "run", PYTHON, "-c", SERVER, home.socket]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=home.env())
    assert server.stdout.readline() == "ready\n"

    def send(*messages):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            for message in messages:
                client.sendto(message, str(home.socket))

    try:
        yield send
    finally:
        server.kill()
        server.communicate()
        home.socket.unlink()


@contextlib.contextmanager
def log(home, *more):
    command = [COMMAND, "top", "--interval", "0.2", *more]
    top = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=home.env()
    )
    try:
        yield iter(top.stdout.readline, "")
    finally:
        top.kill()
        top.communicate()


def next_with(lines, pattern, limit=100):
    """The first line that matches, of so many."""
    for _ in range(limit):
        line = next(lines)
        if re.search(pattern, line):
            return line
    raise AssertionError(f"no line has {pattern}: {line}")


# ---- Lines ---------------------------------------------------------------------------------------
def test_lines_of_a_filter_that_idles(compiled):
    with serving(compiled), log(compiled, "--batch") as lines:
        for _ in range(2):
            line = next(lines)
            assert re.fullmatch(STAMP + r" note: pinned, in 0\.0/s, passed 0\.0/s, dropped 0\.0/s\n", line)


def test_rates_by_reason(compiled):
    """Each look takes at least its interval: no rate is above what came divided by that."""
    with serving(compiled) as send, log(compiled, "--batch") as lines:
        next(lines)
        send(*[GOOD] * 100, *[LONG] * 30, *[HIGH] * 20, *[MALFORMED] * 10)
        line = next_with(lines, r"rule short [\d.]+, rule small [\d.]+, malformed [\d.]+\n")
        got, passed, dropped = map(float, re.search(r"in (\S+)/s, passed (\S+)/s, dropped (\S+)/s: ", line).groups())
        short, small, malformed = map(float, re.findall(r"(?:short|small|malformed) ([\d.]+)", line))
        assert 0 < passed <= 500 and 0 < dropped <= 300
        assert abs(got - passed - dropped) < 2 and abs(dropped - short - small - malformed) < 2
        assert short > small > malformed
        next_with(lines, r"in 0\.0/s, passed 0\.0/s, dropped 0\.0/s\n")


def test_once(compiled):
    with serving(compiled):
        assert compiled.ok("top", "--once", "--interval", "0.1").count("\n") == 1


def test_no_terminal_is_batch(compiled):
    with log(compiled) as lines:
        assert next(lines).endswith(" note: not loaded\n")


def test_filters_that_are_not_loaded_or_broken(compiled):
    compiled.configure(a={"path": "@a"}, note={}, bad={"path": "@b"})
    compiled.object("bad").write_bytes(b"")
    a, loaded, bad = compiled.ok("top", "--once", "--interval", "0.1").splitlines()
    assert a.endswith(" a: not compiled") and loaded.endswith(" note: not loaded")
    assert " bad: broken: " in bad and "run: p2e compile" in bad


def test_state_of_the_program(compiled):
    with serving(compiled):
        compiled.configure(note={"mode": "monitor"})
        assert " note: stale, in " in compiled.ok("top", "--once", "--interval", "0.1")
        compiled.ok("load")
        assert " note: monitor, in " in compiled.ok("top", "--once", "--interval", "0.1")
        compiled.configure(note={"rules": ["number < 4"]})
        assert " note: stale, in " in compiled.ok("top", "--once", "--interval", "0.1")


def test_filter_that_goes_away_and_comes_back(compiled):
    with log(compiled) as lines:
        next_with(lines, "not loaded")
        with serving(compiled) as send:
            send(*[GOOD] * 5)
            next_with(lines, r"pinned, in [1-9]")
            shutil.rmtree(compiled.pin_dir / "note")
            next_with(lines, "not loaded")
        with serving(compiled) as send:
            send(*[LONG] * 5)
            line = next_with(lines, r"pinned, in [1-9]")
            assert "passed 0.0/s" in line and "rule short" in line


def test_filter_that_is_replaced(compiled):
    """The new one counts from 0, and that is no step back."""
    with serving(compiled) as send, log(compiled) as lines:
        next(lines)
        send(*[GOOD] * 50)
        next_with(lines, r"pinned, in [1-9]")
        compiled.socket.unlink()
        compiled.configure(note={"rules": ["number < 4", "number < 3"]})
        with serving(compiled):
            seen = [next_with(lines, "note: stale, in ") for _ in range(3)]
        compiled.socket.touch()  # which the first server's end removes
    assert all(", in 0.0/s" in line for line in seen), seen


def test_counters_from_before_are_no_rate(compiled):
    with serving(compiled) as send:
        send(*[GOOD] * 50)
        assert "in 0.0/s" in compiled.ok("top", "--once", "--interval", "0.1")


def test_counters_are_for_root(compiled):
    with serving(compiled):
        error = compiled.fails("top", "--once", prefix=UNPRIVILEGED)
    assert error == "p2e top: counters are for root: run p2e top as root\n"


@pytest.mark.parametrize("given", ["0", "0.09", "3601", "nan", "1x", "", "-1"])
def test_interval(home, given):
    assert "--interval is a number of seconds" in home.fails("top", "--interval", given, status=2)


# ---- A terminal ----------------------------------------------------------------------------------
class Terminal:
    """p2e top on a terminal of its own, which it leads the session of."""

    def __init__(self, home, *arguments, term="xterm", columns=100, rows=20):
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(COMMAND, [COMMAND, "top", *arguments], home.env(TERM=term))
        self.before = termios.tcgetattr(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)

    def read_until(self, wanted, since=0):
        """Reads on until it is there after `since`; where it ends."""
        deadline = time.monotonic() + 30
        while (found := self.output.find(wanted, since)) < 0:
            ready, _, _ = select.select([self.master], [], [], max(deadline - time.monotonic(), 0))
            assert ready, self.output
            self.output += os.read(self.master, 65536)
        return found + len(wanted)

    def press(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Waits for its end; how it ended, with the terminal as it was."""
        with contextlib.suppress(OSError):
            while chunk := os.read(self.master, 65536):
                self.output += chunk
        _, status = os.waitpid(self.pid, 0)
        assert self.output.rstrip().endswith(LEAVE), self.output[-200:]
        assert self.output.count(ENTER) == self.output.count(LEAVE)
        return os.waitstatus_to_exitcode(status)

    def is_as_before(self):
        return termios.tcgetattr(self.master) == self.before


def test_page(compiled):
    with serving(compiled) as send, Terminal(compiled, "--interval", "0.2") as top:
        assert top.read_until(b"FILTER") and top.output.startswith(ENTER)
        top.read_until(b"note   pinned ")
        send(*[LONG] * 5)
        top.read_until(b"rule short")
        top.read_until(b"total")
        assert not top.is_as_before()  # keys come at once
        top.press(b"q")
        assert top.end() == 0


def test_reasons_on_a_small_terminal(compiled):
    """A terminal has 80 columns, a name may have more than are its own."""
    name = "n" * 20
    compiled.configure(**{name: {}, "n": {"path": "@other"}})
    with serving(compiled) as send, Terminal(compiled, "--interval", "0.2", columns=80) as top:
        heading = top.read_until(b"WHY")
        top.read_until(name.encode() + b" pinned  ")
        send(*[LONG] * 5)
        top.read_until(b"rule short ", heading)


@pytest.mark.parametrize("key", [b"Q", b"\x04", b"xyzq"])
def test_keys_that_end_it(home, key):
    with Terminal(home) as top:
        top.read_until(b"total")
        top.press(key)
        assert top.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_that_end_it(home, number):
    """It dies of the signal, as its parent may want to know, but not before the terminal is restored."""
    with Terminal(home) as top:
        top.read_until(b"total")
        os.kill(top.pid, number)
        assert top.end() == -number


def test_interrupt_key(home):
    with Terminal(home) as top:
        top.read_until(b"total")
        top.press(b"\x03")
        assert top.end() == -signal.SIGINT


def test_stopped_and_continued(home):
    with Terminal(home) as top:
        top.read_until(b"total")
        top.press(b"\x1a")
        _, status = os.waitpid(top.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        left = top.read_until(LEAVE)
        assert top.is_as_before()
        os.kill(top.pid, signal.SIGCONT)
        top.read_until(b"total", top.read_until(ENTER, left))
        top.press(b"q")
        assert top.end() == 0


def lines_of(page):
    return [re.sub(rb"\x1b\[\w", b"", line).decode() for line in page.split(b"\r\n")]


def test_what_does_not_fit_is_cut_off(home):
    home.configure(**{f"filter{i}": {"path": f"@p2e-{i}"} for i in range(20)})
    with Terminal(home, columns=30, rows=10) as top:
        top.read_until(b"\x1b[J")
        lines = lines_of(top.output[len(ENTER):])
        assert len(lines) == 10 and max(map(len, lines)) == 30
        assert lines[-2].startswith("… and 15 more") and lines[-1].startswith("total")
        fcntl.ioctl(top.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        top.read_until(b"filter19")


def test_terminal_that_cannot_do_it(home):
    with Terminal(home, "--interval", "0.1", term="dumb") as top:
        top.read_until(b" note: not compiled\r\n")
        assert ENTER not in top.output
