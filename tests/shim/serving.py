"""Running a server that the shim is preloaded into, and talking to it."""

import contextlib
import pathlib
import random
import socket
import subprocess
import tempfile
import threading

from first_byte import UNPRIVILEGED, Site

SERVERS = pathlib.Path(__file__).parent / "servers"
PYTHON = "/usr/bin/python3"


def server(style, address):
    return [PYTHON, str(SERVERS / "server.py"), style, str(address)]


def udp_ports(count=1):
    """The first of so many ports in a row that nobody has, below those that the kernel hands out."""
    while True:
        first = random.randrange(10000, 30000)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind(("127.0.0.1", port))
            return first


def with_default_config(site, prepare):
    """A command prefix: a mount namespace in which /etc/p2e/p2e.conf is what `prepare` writes."""
    folder = site.folder / "etc" / "p2e"
    folder.mkdir(parents=True)
    prepare(folder / "p2e.conf")
    script = f'mount -t overlay overlay -o lowerdir={site.folder}/etc:/etc /etc && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", *UNPRIVILEGED]


def pinned(**filters):
    """A site whose filters are pinned and published; `agent` is where one may listen."""
    site = Site(**filters).compile()
    for name in filters:
        assert site.tool("program", site.conf, name).returncode == 0
    assert site.tool("publish", site.conf).returncode == 0
    site.agent = site.folder / "run" / "agent.sock"
    return site


class Run:
    """A running server: `first` is its first line, `lines` all others, `errors` its standard error."""

    def __init__(self, command, stderr=None, **options):
        self.stderr = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr or self.stderr, text=True, **options
        )
        self.watchdog = threading.Timer(60, self.process.kill)
        self.watchdog.start()
        self.first = self.line()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, text):
        self.process.stdin.write(text)
        self.process.stdin.close()

    def finish(self):
        # Not communicate(), which knows nothing of what readline() has read ahead.
        self.lines = self.process.stdout.read().splitlines()
        self.process.wait()
        self.watchdog.cancel()
        self.stderr.seek(0)
        self.errors = self.stderr.read()
        self.stderr.close()
        return self


def send(address, *messages):
    """To a UDP port of 127.0.0.1, or a UNIX name (an abstract one begins with NUL)."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    target = address if family == socket.AF_UNIX else ("127.0.0.1", address)
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        for message in messages:
            client.sendto(message, target)


MESSAGES = [b"A0", b"B0", b"A1", b"\xff", b"C1", b"Dx" * 500]
GOOD = ["B0", "C1", "Dx" * 500]
ALL = [m.decode("latin-1") for m in MESSAGES]


def converse(command, address, ends=1, **options):
    """Starts the server, sends MESSAGES and the end, and returns what it did."""
    run = Run(command, **options)
    if run.first == "ready":
        send(address, *MESSAGES, *[b"end"] * ends)
    return run.finish()
