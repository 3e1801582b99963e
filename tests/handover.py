"""The hand-over's socket, from both sides: the layouts of bpf/abi.h, the tool that plays the agent, and an
agent that says what a test wants it to."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading

from first_byte import TOOL

MAGIC, ABI = 0x31683270, 4
TABLE, PROGRAM = 1, 2  # kinds
GIVEN, NONE, REFUSED = 0, 1, 2  # states of a reply
REQUEST = struct.Struct("<5I64s")
REPLY = struct.Struct("<3I500s")


def request(kind=TABLE, name=b"", transport=0, mode=0, magic=MAGIC, abi=ABI):
    return REQUEST.pack(magic, abi, kind, transport, mode, name)


def reply(status=GIVEN, text=b"", magic=MAGIC, abi=ABI):
    return REPLY.pack(magic, abi, status, text)


@contextlib.contextmanager
def agent(path, pin_dir, prefix=()):
    """The tool as an agent."""
    command = [*prefix, TOOL, "handover", str(path), str(pin_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "listening\n"
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(60)


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(60)
    client.connect(str(path))
    return client


def ask(path, message):
    """(status, text, descriptors), or None where there is no reply."""
    with connect(path) as client:
        client.send(message)
        data, descriptors, _, _ = socket.recv_fds(client, 1000, 4)
    if not data:
        return None
    magic, abi, status, text = REPLY.unpack(data)
    assert (magic, abi) == (MAGIC, ABI)
    return status, text.split(b"\0")[0].decode(), descriptors


def open_pin(path):
    """A descriptor of what is pinned."""
    name = ctypes.create_string_buffer(str(path).encode())
    attributes = struct.pack("QIIQ", ctypes.addressof(name), 0, 8, 0)  # BPF_F_RDONLY
    bpf = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    fd = ctypes.CDLL(None).syscall(bpf, 7, attributes, len(attributes))  # BPF_OBJ_GET
    assert fd > 0
    return fd


class Liar:
    """An agent of this process's: `table` and `program` are functions that do with a connection what they
    like once it has asked."""

    def __init__(self, path, table, program):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        os.chmod(path, 0o666)
        self.listener.listen()
        self.answers = {TABLE: table, PROGRAM: program}
        self.asked = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            with connection:
                asked = connection.recv(1000)
                if asked == b"end":
                    return
                self.asked.append(REQUEST.unpack(asked))
                self.answers[self.asked[-1][2]](connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with connect(self.listener.getsockname()) as client:
            client.send(b"end")
        self.thread.join(60)
        self.listener.close()
