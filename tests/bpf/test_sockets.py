"""Real sockets: what a filter sees of each kind, up to its largest message."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import uuid

import pytest
from judge import BUILD, HERE

UDP_SEGMENT, UDP_GRO = 103, 104
SYS_SETSOCKOPT = {"x86_64": 54, "aarch64": 208}

# Binds, tells that it is ready, and for each line of its input prints the sizes of what is there.
SERVER = """
import ctypes, os, socket, sys
family, address, gro = eval(sys.argv[1])
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
sock.bind(address)
if gro:
    value = ctypes.c_int(1)  # past the library: a system call of its own
    number = {"x86_64": 54, "aarch64": 208}[os.uname().machine]
    assert not ctypes.CDLL(None).syscall(number, sock.fileno(), 17, 104, ctypes.byref(value), 4)
print("ready", flush=True)
for line in sys.stdin:
    sizes = []
    sock.settimeout(1)
    try:
        while True:
            sizes.append(len(sock.recv(1 << 17)))
            sock.settimeout(0.2)
    except OSError:
        print(sizes, flush=True)
"""


class Site:
    """A folder with a config of one filter, and its pins."""

    def __init__(self, folder, transport, place):
        self.config = folder / "p2e.conf"
        self.pins = pathlib.Path(f"/sys/fs/bpf/p2e-test-{uuid.uuid4().hex[:8]}")
        self.config.write_text(
            f'object_dir = "{folder}"; pin_dir = "{self.pins}";\n'
            f'filters = ({{ name = "it"; transport = "{transport}"; {place};\n'
            f'  schema = "{HERE}/rules.proto"; message = "rules.M"; rules = ( "i32 != 7" ); }});\n')

    def start(self, family, address, gro=False):
        command = [BUILD / "p2e", "run", "-c", self.config, "--", sys.executable, "-c", SERVER,
                   repr((int(family), address, gro))]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "ready\n"
        return server

    def counts(self):
        command = [BUILD / "p2e", "status", "-c", self.config, "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]


@pytest.fixture
def make_site(tmp_path):
    sites = []

    def make(transport, place):
        sites.append(Site(tmp_path, transport, place))
        return sites[-1]

    yield make
    for site in sites:
        shutil.rmtree(site.pins, ignore_errors=True)


def received(server):
    server.stdin.write("\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def stop(server):
    server.stdin.close()
    server.wait(timeout=10)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def of_size(size):
    """A well-formed message of so many bytes."""
    return b"\x08\x01" * (size // 2 - 1) + (b"\x08\x01" if size % 2 == 0 else b"\x08\x81\x00")


@pytest.mark.parametrize("family, address, largest", [
    (socket.AF_INET, "127.0.0.1", 65507), (socket.AF_INET6, "::1", 65527)])
def test_udp(make_site, family, address, largest):
    port = free_port()
    site = make_site("udp", f"port = {port}")
    server = site.start(family, (address, port))
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect((address, port))
        for message in (b"", b"\x08\x01", b"\x08\x07", b"\x08", of_size(3001), of_size(largest),
                        of_size(largest - 2) + b"\x08\x07", of_size(largest - 1) + b"\x08"):
            sender.send(message)
    assert received(server) == [0, 2, 3001, largest]
    counts = site.counts()
    assert (counts["passed"], counts["malformed"], counts["rules"][0]["dropped"]) == (4, 2, 2)
    stop(server)


def test_unix_datagrams(make_site, tmp_path):
    path = str(tmp_path / "socket")
    site = make_site("unixgram", f'path = "{path}"')
    server = site.start(socket.AF_UNIX, path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(path)
        for message in (b"", b"\x08\x07", b"\x08", of_size(65535), of_size(65536)):
            sender.send(message)
    assert received(server) == [0, 65535]
    counts = site.counts()
    assert (counts["passed"], counts["malformed"], counts["oversized"]) == (2, 1, 1)
    stop(server)


def test_datagrams_that_the_kernel_has_joined(make_site):
    """A server that turns UDP_GRO on behind the library's back gets none of what cannot be told apart."""
    if os.uname().machine not in SYS_SETSOCKOPT:
        pytest.skip("setsockopt's number is not known here")
    port = free_port()
    site = make_site("udp", f"port = {port}")
    server = site.start(socket.AF_INET, ("127.0.0.1", port), gro=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 2)
        sender.send(b"\x08\x01" * 3)
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
        sender.send(b"\x08\x01\x08\x01")
    assert received(server) == [4]
    counts = site.counts()
    assert (counts["passed"], counts["aggregated"]) == (1, 1)
    stop(server)
