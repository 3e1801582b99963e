"""Runs a command that may not call bpf(2), as in a container: no_bpf.py errno|kill COMMAND..."""

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ACTIONS = {"errno": 0x00050001, "kill": 0x80000000}  # SECCOMP_RET_ERRNO | EPERM, …_KILL_PROCESS
BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]


def instruction(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)


def main():
    program = b"".join(
        [
            instruction(0x20, 0, 0, 0),  # the number of the call
            instruction(0x15, 0, 1, BPF),
            instruction(0x06, 0, 0, ACTIONS[sys.argv[1]]),
            instruction(0x06, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
        ]
    )
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) == 0
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
