"""Servers that run without the library: they bind, and then do what they are asked."""

import random
import signal
import socket
import subprocess

PYTHON = "/usr/bin/python3"

# Evaluates what it is asked and prints what comes of it; `s` is the socket, queued() takes all that waits.
SCRIPT = """
import ctypes, os, socket, sys, time
transport, place = sys.argv[1:]
kind = {"unixseq": socket.SOCK_SEQPACKET, "tcp": socket.SOCK_STREAM}.get(transport, socket.SOCK_DGRAM)
family = {"udp": socket.AF_INET, "tcp": socket.AF_INET, "udp6": socket.AF_INET6}.get(transport, socket.AF_UNIX)
s = socket.socket(family, kind)
s.bind(place.replace("@", "\\0", 1) if family == socket.AF_UNIX else ("", int(place)))
if kind != socket.SOCK_DGRAM:
    s.listen()

def queued(s=s):
    taken = []
    s.setblocking(False)
    try:
        while True:
            taken.append(s.recv(1 << 20).hex())
    except BlockingIOError:
        return " ".join(taken)

def option(level, name, s=s):
    return s.getsockopt(level, name)

def classic(verdict=0xffffffff):
    code = ctypes.create_string_buffer(b"\\x06\\0\\0\\0" + verdict.to_bytes(4, "little"))
    program = (1).to_bytes(8, "little") + ctypes.addressof(code).to_bytes(8, "little")
    s.setsockopt(socket.SOL_SOCKET, 26, program)

print("ready", flush=True)
for line in sys.stdin:
    print(eval(line), flush=True)
"""
CLASSIC = "classic()"  # the server's own filter, which lets all through
LOCK = "s.setsockopt(socket.SOL_SOCKET, 44, 1)"
UDP_GRO = 104


def free_port():
    """A UDP port that nobody has, below those that the kernel hands out."""
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port


class Running:
    """A process that says "ready" and reads its input; `command` is other than a Python server."""

    def __init__(self, *arguments, prefix=(), command=(PYTHON, "-c", SCRIPT), **options):
        self.process = subprocess.Popen(
            [*prefix, *command, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options,
        )
        self.pid = self.process.pid

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.communicate(timeout=60)

    def ask(self, question):
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")
