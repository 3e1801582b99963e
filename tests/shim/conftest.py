"""What the shim's tests share: a site, and running a server that the shim is preloaded into."""

import contextlib
import pathlib
import socket
import subprocess

import pytest
from first_byte import Site

SERVERS = pathlib.Path(__file__).parent / "servers"
PYTHON = "/usr/bin/python3"


def server(style, address):
    return [PYTHON, str(SERVERS / "server.py"), style, str(address)]


def udp_ports(count=1):
    """The first of so many ports in a row that nobody has."""
    while True:
        with contextlib.ExitStack() as held:
            first = None
            for i in range(count):
                probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                try:
                    probe.bind(("127.0.0.1", first + i if first else 0))
                except (OSError, OverflowError):
                    break
                first = first or probe.getsockname()[1]
            else:
                return first


class Run:
    """A running server; `lines` is all that it printed, `errors` its standard error."""

    def __init__(self, command, **options):
        options.setdefault("stderr", subprocess.PIPE)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        self.first = self.process.stdout.readline().rstrip("\n")

    def finish(self):
        out, self.errors = self.process.communicate(timeout=60)
        self.lines = out.splitlines()
        return self


def send(address, *messages):
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


@pytest.fixture
def port():
    return udp_ports()


@pytest.fixture
def site(port):
    """One filter, for one UDP port."""
    site = Site(first={"transport": "udp", "port": port}).compile()
    yield site
    site.close()
