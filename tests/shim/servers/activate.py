"""Hands a bound socket over as systemd and inetd do: activate.py HOW ADDRESS MESSAGES COMMAND...

HOW is "listen" (descriptors 3 and up, LISTEN_FDS), "inetd" (descriptor 0), "stranger" (LISTEN_FDS for
another process), "gro" (listen, with UDP_GRO on), "lonely" (listen, and loopback is down by then),
"peeked" and "walked" (listen, and the first message, or each of them, has been peeked at), or "stream"
(listen, TCP beside it). MESSAGES, with commas between, each in hex with "*" and how many times
over, wait in the queue by then. The environment of the command is this one's, with LATER_PRELOAD for
LD_PRELOAD."""

import os
import socket
import subprocess
import sys

SO_PEEK_OFF = 42

def bind(address, how):
    family = socket.AF_INET if address.isdigit() else socket.AF_UNIX
    kind = socket.SOCK_SEQPACKET if how == "sequenced" else socket.SOCK_DGRAM
    server = socket.socket(family, kind)
    if family == socket.AF_INET:
        server.bind(("127.0.0.1", int(address)))
    else:
        server.bind("\0" + address[1:] if address[0] == "@" else address)
    if how == "gro":
        server.setsockopt(socket.IPPROTO_UDP, 104, 1)
    if how == "sequenced":
        server.listen()
    return server


def fill(server, messages):
    if not messages:
        return
    with socket.socket(server.family, server.type) as client:
        client.connect(server.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        for message in messages.split(","):
            pattern, times = message.split("*")
            client.send(bytes.fromhex(pattern) * int(times))


def peek(server, how):
    if how == "walked":
        server.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)
    try:
        for _ in range({"peeked": 1, "walked": 100}.get(how, 0)):
            server.recv(1 << 17, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass
    server.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, -1)


def main():
    how, address, messages, *command = sys.argv[1:]
    if how == "lonely":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = bind(address, how)
    fill(server, messages)
    peek(server, how)
    if how == "lonely":
        subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    env = {**os.environ, "LD_PRELOAD": os.environ["LATER_PRELOAD"]}
    if how == "inetd":
        os.dup2(server.fileno(), 0)
    else:
        handed = [server.fileno()]
        if how == "stream":
            stream = socket.create_server(("127.0.0.1", 0))
            handed.insert(0, stream.fileno())
        for i, fd in enumerate([os.dup(fd) for fd in handed]):
            os.dup2(fd, 3 + i)
        env["LISTEN_FDS"] = str(len(handed))
        env["LISTEN_PID"] = str(os.getpid() + (how == "stranger"))
    os.execvpe(command[0], command, env)


main()
