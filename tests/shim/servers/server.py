"""Servers that know nothing of p2e: server.py STYLE ADDRESS. ADDRESS is a UDP port of 127.0.0.1, a path,
or "@name". Each says "ready" once it is bound (or why it is not), prints what it receives, a message a
line, and ends at "end"."""

import array
import asyncio
import ctypes
import errno
import os
import signal
import socket
import socketserver
import struct
import sys
import threading

NOBODY = 65534


def say(text):
    os.write(1, text.encode() + b"\n")


def show(message):
    """False at the end."""
    if message == b"end":
        return False
    say(message.decode("latin-1"))
    return True


def family_and_name(address):
    if address.isdigit():
        return socket.AF_INET, ("127.0.0.1", int(address))
    return socket.AF_UNIX, "\0" + address[1:] if address[0] == "@" else address


def bound(address, between=lambda: None, kind=socket.SOCK_DGRAM):
    family, name = family_and_name(address)
    server = socket.socket(family, kind)
    between()
    try:
        server.bind(name)
    except OSError as error:
        say(f"bind: {errno.errorcode[error.errno]}")
        sys.exit(1)
    return server


def receive(server):
    while show(server.recv(70000)):
        pass


def drop_privileges():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


# ---- Styles ------------------------------------------------------------------------------------------


def plain(address):
    server = bound(address)
    say("ready")
    receive(server)


def forking(address):
    server = bound(address)
    say("ready")
    while True:
        message = server.recv(2000)
        pid = os.fork()
        if pid == 0:
            show(message)
            os._exit(0)
        os.waitpid(pid, 0)
        if message == b"end":
            return


def preforking(address):
    """Workers that inherit the socket and receive on it, as nginx's do."""
    server = bound(address)
    workers = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            receive(server)
            os._exit(0)
        workers.append(pid)
    say("ready")
    for pid in workers:
        os.waitpid(pid, 0)


def threaded(address):
    server = bound(address)
    threads = [threading.Thread(target=receive, args=(server,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    say("ready")
    for thread in threads:
        thread.join()


def many_threads_bind(address):
    """Each thread has a port of its own; all bind at the same time."""
    barrier = threading.Barrier(8)
    servers = []

    def bind(port):
        barrier.wait()
        servers.append(bound(str(port)))

    threads = [threading.Thread(target=bind, args=(int(address) + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say("ready")
    for server in sorted(servers, key=lambda s: s.getsockname()):
        receive(server)
    high = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd >= 256]
    say(f"kept {len(high)}")


def socketserver_udp(address):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            if not show(self.request[0]):
                self.server.going = False

    with socketserver.UDPServer(("127.0.0.1", int(address)), Handler) as server:
        server.going = True
        say("ready")
        while server.going:
            server.handle_request()


def asyncio_udp(address):
    async def serve():
        ended = asyncio.get_running_loop().create_future()

        class Protocol(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                if not show(data):
                    ended.set_result(None)

        await asyncio.get_running_loop().create_datagram_endpoint(
            Protocol, local_addr=("127.0.0.1", int(address))
        )
        say("ready")
        await ended

    asyncio.run(serve())


def drops_after_bind(address):
    server = bound(address)
    drop_privileges()
    say("ready")
    receive(server)


def drops_before_bind(address):
    server = bound(address, between=drop_privileges)
    say("ready")
    receive(server)


def drops_before_socket(address):
    drop_privileges()
    plain(address)


def chroots_before_bind(address):
    def enter():
        os.chroot("/var/empty" if os.path.isdir("/var/empty") else "/mnt")
        os.chdir("/")

    server = bound(address, between=enter)
    say("ready")
    receive(server)


def closes_everything_before_bind(address):
    """As daemons do. Where the descriptors were there is something else afterwards."""

    def close_all():
        own = [int(fd) for fd in os.listdir("/proc/self/fd")]
        null = os.open("/dev/null", os.O_RDWR)
        for fd in own:
            if fd > 2 and fd != server_fd[0]:
                os.dup2(null, fd)

    server_fd = [3]
    server = bound(address, between=close_all)
    assert server.fileno() == 3
    say("ready")
    receive(server)


def swaps_descriptors_before_bind(address):
    """Has another filter's program where the shim keeps its own: NAME's, by the environment."""

    def swap():
        path = ctypes.create_string_buffer(os.environ["OTHER_PIN"].encode())
        attributes = struct.pack("QIIQ", ctypes.addressof(path), 0, 8, 0)  # BPF_F_RDONLY
        bpf = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
        other = ctypes.CDLL(None).syscall(bpf, 7, attributes, len(attributes))  # BPF_OBJ_GET
        assert other > 0
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd >= 256:
                os.dup2(other, fd)

    server = bound(address, between=swap)
    say("ready")
    receive(server)


def daemonizes(address):
    server = bound(address)
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    say("ready")
    receive(server)


def passes_on(address):
    """Binds in one process and receives in another, which gets the socket by SCM_RIGHTS."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        _, ancillary, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        fds = array.array("i", ancillary[0][2])
        say("ready")
        receive(socket.socket(fileno=fds[0]))
        os._exit(0)
    server = bound(address)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [server.fileno()]))
    ours.sendmsg([b"x"], [rights])
    server.close()
    os.wait()


def executes(address):
    """Binds, and lets another program receive on it as its descriptor 0."""
    server = bound(address)
    os.dup2(server.fileno(), 0)
    os.execv(sys.executable, [sys.executable, __file__, "inherited", "0"])


def inherited(descriptor):
    """Was handed a bound socket."""
    say("ready")
    receive(socket.socket(fileno=int(descriptor)))


def late(address):
    """Lets the kernel choose the port; the address given is ignored."""
    server = bound("0")
    say(f"ready {server.getsockname()[1]}")
    receive(server)


def everywhere(address):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::", int(address)))
    say("ready")
    receive(server)


def twice(address):
    """A bind that fails leaves a socket as it was: no filter, and UDP_GRO on."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.setsockopt(socket.IPPROTO_UDP, 104, 1)
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", int(address)))
    try:
        taken.bind(("127.0.0.1", int(address)))
    except OSError as error:
        say(errno.errorcode[error.errno])
    gro = taken.getsockopt(socket.IPPROTO_UDP, 104)
    lock = taken.getsockopt(socket.SOL_SOCKET, 44)
    filtered = len(taken.getsockopt(socket.SOL_SOCKET, 26, 0) or b"")
    say(f"gro {gro} lock {lock} filter {filtered}")
    other.close()
    taken.bind(("127.0.0.1", int(address)))
    say(f"gro {taken.getsockopt(socket.IPPROTO_UDP, 104)}")
    for value in (1, 0):
        try:
            taken.setsockopt(socket.IPPROTO_UDP, 104, value)
            say(f"set {value}")
        except OSError as error:
            say(f"set {value}: {errno.errorcode[error.errno]}")
    try:
        taken.setsockopt(socket.SOL_SOCKET, 27, 0)
    except OSError as error:
        say(f"detach: {errno.errorcode[error.errno]}")
    say("ready")
    receive(taken)


def binds_two(address):
    """The next port, too, when its standard input says so; and receives by that first."""
    server = bound(address)
    say("ready")
    sys.stdin.readline()
    second = bound(str(int(address) + 1))
    say("ready")
    receive(second)
    server.setblocking(False)
    try:
        show(server.recv(2000))
    except BlockingIOError:
        say("first: nothing")


def sequenced(address):
    """Takes one connection after the other, to its end."""
    server = bound(address, kind=socket.SOCK_SEQPACKET)
    server.listen(16)
    say("ready")
    while True:
        connection, _ = server.accept()
        say("accepted")
        while message := connection.recv(70000):
            if not show(message):
                return


def sequenced_locked(address):
    """Tries to get rid of its connection's filter."""
    server = bound(address, kind=socket.SOCK_SEQPACKET)
    server.listen()
    say("ready")
    connection, _ = server.accept()
    try:
        connection.setsockopt(socket.SOL_SOCKET, 27, 0)  # SO_DETACH_FILTER
        say("detached")
    except PermissionError:
        say("locked")


def sequenced_after_all_is_gone(address):
    """Loses the descriptors that it did not open before it accepts."""
    sequenced_when_told(address, lambda: os.closerange(100, 1000))


def sequenced_when_told(address, before=lambda: None):
    """Accepts when its standard input says so."""
    server = bound(address, kind=socket.SOCK_SEQPACKET)
    server.listen()
    say("ready")
    sys.stdin.readline()
    before()
    try:
        server.accept()
        say("accepted")
    except OSError as error:
        say(errno.errorcode[error.errno])


def sequenced_nonblocking(address):
    server = bound(address, kind=socket.SOCK_SEQPACKET)
    server.listen()
    server.setblocking(False)
    say("ready")
    sys.stdin.readline()
    try:
        server.accept()
        say("accepted")
    except BlockingIOError:
        say("EAGAIN")


def default_signals(address):
    """Python ignores SIGPIPE, most servers do not."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    plain(address)


def main():
    globals()[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    main()
