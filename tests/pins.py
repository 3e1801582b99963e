"""What is pinned, looked at with bpf(2): programs by their ids, what a slot holds, a socket of our own."""

import contextlib
import ctypes
import os
import platform
import socket
import struct

_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
_MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _OBJ_PIN, _OBJ_GET, _INFO = 1, 2, 3, 6, 7, 15
SO_ATTACH_BPF = 50

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = _libc.syscall(_BPF, command, buffer, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@contextlib.contextmanager
def opened(path):
    """A descriptor of what is pinned there."""
    name = ctypes.create_string_buffer(str(path).encode())
    descriptor = _bpf(_OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pin_again(path, new):
    """What is pinned at `path` under another name, too."""
    name = ctypes.create_string_buffer(str(new).encode())
    with opened(path) as pinned:
        _bpf(_OBJ_PIN, struct.pack("QII", ctypes.addressof(name), pinned, 0))


def program_id(path):
    with opened(path) as program:
        info = ctypes.create_string_buffer(64)
        _bpf(_INFO, struct.pack("IIQ", program, len(info), ctypes.addressof(info)))
        return struct.unpack_from("I", info, 4)[0]


def slot_id(path):
    """The id of the program in a slot, None for none."""
    key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(4)
    where = struct.pack("QQ", ctypes.addressof(key), ctypes.addressof(value))
    with opened(path) as slot, contextlib.suppress(FileNotFoundError):
        _bpf(_MAP_LOOKUP, struct.pack("II", slot, 0) + where)
        return struct.unpack("I", value)[0]
    return None


def empty_slot(path):
    key = ctypes.create_string_buffer(4)
    with opened(path) as slot:
        _bpf(_MAP_DELETE, struct.pack("IIQ", slot, 0, ctypes.addressof(key)))


def set_number(path, number):
    """The value of a map that holds one."""
    key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(struct.pack("I", number))
    with opened(path) as pinned:
        _bpf(_MAP_UPDATE, struct.pack("IIQQQ", pinned, 0, ctypes.addressof(key), ctypes.addressof(value), 0))


def agree(folder):
    """Does the slot hold the pinned judge?"""
    return slot_id(folder / "slot") == program_id(folder / "judge")


class Attached:
    """A socket that a pinned filter judges for."""

    def __init__(self, folder):
        self.sender, self.receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.setblocking(False)
        with opened(folder / "entry") as entry:
            self.receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, entry)

    def passes(self, message):
        self.sender.send(message)
        try:
            return self.receiver.recv(65536) == message
        except BlockingIOError:
            return False

    def close(self):
        self.sender.close()
        self.receiver.close()
