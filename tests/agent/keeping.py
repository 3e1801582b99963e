"""Configurations with one of two rules, messages that tell them apart, and running an agent."""

import json
import os
import select
import signal
import socket
import subprocess
import time

from p2e import COMMAND, conf_value, note

# A configuration of each has an object_dir of its own: to change over is not to compile.
RULES = {"A": ["number < 5"], "B": ["size(text) < 10"]}
GOOD, BREAKS_A, BREAKS_B, BAD = note("ok", 1), note("ok", 5), note("0123456789", 1), note("0123456789", 5)
TIMEOUT = 30  # seconds; only a broken run meets it


def schema_set(home):
    """A schema that takes no protoc to read."""
    command = ["protoc", f"-I{home.folder}", "-o", home.folder / "note.set", home.folder / "note.proto"]
    subprocess.run(command, check=True)


def text_of(home, rule, **keys):
    """The configuration with one rule: {} for no filter."""
    if rule in RULES:
        keys = {"rules": RULES[rule], "schema": "note.set", **keys}
    place = {} if "port" in keys else {"path": str(home.socket)}
    transport = "udp" if "port" in keys else "unixgram"
    filters = [{"name": "note", "transport": transport, "message": "test.Note", **place, **keys}]
    return (
        f'object_dir = "objects-{rule}";\npin_dir = "{home.pin_dir}";\n'
        f"filters = {conf_value(filters)};\n"
    )


def replace_file(path, text):
    """As editors and configuration management do: a new file in the place of the old."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.rename(new, path)


def keep(home, rule, **keys):
    replace_file(home.conf, text_of(home, rule, **keys))


def verdicts(attached):
    """Which of the four messages pass, in their order."""
    return "".join("+" if attached.passes(message) else "-" for message in (GOOD, BREAKS_A, BREAKS_B, BAD))


JUDGED = {"A": "+-+-", "B": "++--"}


class Agent:
    """A running `p2e agent`."""

    def __init__(self, home, *options, prefix=(), wait=True):
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(b"\0p2e-notify-%d-%d" % (os.getpid(), time.monotonic_ns()))
        self.manager.settimeout(TIMEOUT)
        env = home.env(NOTIFY_SOCKET="@" + self.manager.getsockname()[1:].decode())
        self.process = subprocess.Popen(
            [*prefix, COMMAND, "agent", *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, env=env,
        )
        self.rest = b""
        if wait:
            assert self.told() == "READY=1"

    def told(self):
        """The next thing that the service manager is told."""
        return self.manager.recv(4096).decode()

    def line(self):
        """The next line that it says."""
        deadline = time.monotonic() + TIMEOUT
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            assert ready, "it says nothing"
            chunk = os.read(self.process.stderr.fileno(), 65536)
            assert chunk, f"it has ended: {self.rest}"
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode().removeprefix("p2e agent: ")

    def silent(self):
        """It has applied all, and has nothing more to say."""
        self.hang_up()
        ready, _, _ = select.select([self.process.stderr], [], [], 0)
        return not ready and not self.rest

    def hang_up(self):
        """Has it apply now."""
        self.drain()
        self.process.send_signal(signal.SIGHUP)
        assert self.told().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert self.told() == "READY=1"

    def drain(self):
        """Changes that it has just told of are applied when it is READY."""
        self.manager.settimeout(0.3)
        try:
            while True:
                self.told()
        except TimeoutError:
            self.manager.settimeout(TIMEOUT)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(TIMEOUT)
        said = self.rest + self.process.stderr.read()
        assert self.process.stdout.read() == b""
        for held in (self.manager, self.process.stderr, self.process.stdout):
            held.close()
        return self.process.returncode, said.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end()


HELD_CLANG = """#!/bin/sh
cd "$(dirname "$0")"
echo $$ >compiling.new
mv compiling.new compiling
n=0
while [ ! -e go ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.05; done
rm -f compiling
exec clang "$@"
"""


class HeldClang:
    """A clang that goes on when it is told to."""

    def __init__(self, home):
        self.folder = home.folder / "held"
        self.folder.mkdir()
        path = home.write("held/clang", HELD_CLANG, 0o755)
        self.prefix = ["env", f"P2E_CLANG={path}"]

    def wait(self):
        """Until it compiles."""
        deadline = time.monotonic() + TIMEOUT
        while not (self.folder / "compiling").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def process(self):
        """The number of the one that is held."""
        return int((self.folder / "compiling").read_text())

    def go(self):
        """From now on it is not held up."""
        (self.folder / "go").touch()


def results(text):
    return [(row["filter"], row["result"]) for row in json.loads(text)]
