"""The agent's side of the hand-over: who may listen where, what is answered, and that nobody is waited for."""

import contextlib
import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess

import pytest
from first_byte import NOBODY, SANITIZED, TOOL, Site
from handover import GIVEN, NONE, PROGRAM, REFUSED, agent, ask, connect, request

UNIX = {"transport": "unixgram", "path": "@first"}
UNIXGRAM, MONITOR = 1, 1


@pytest.fixture
def site():
    site = Site(first=UNIX).compile()
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    assert site.tool("publish", site.conf).returncode == 0
    site.agent = site.folder / "run" / "agent.sock"
    yield site
    site.close()


def close_all(descriptors):
    for fd in descriptors:
        os.close(fd)


def refused(site, prefix=()):
    command = [*prefix, TOOL, "handover", site.agent, site.pin_dir]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1 and done.stdout.startswith("error: "), done
    return done.stdout


# ---- Its place ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", ["022", "077"])
def test_it_is_open_to_all_whatever_the_umask(site, umask):
    with agent(site.agent, site.pin_dir, ["sh", "-c", f'umask {umask}; exec "$@"', "sh"]):
        assert stat.S_IMODE(site.agent.stat().st_mode) == 0o666
        assert stat.S_IMODE(site.agent.parent.stat().st_mode) == 0o755


def test_an_old_socket_is_replaced(site):
    with agent(site.agent, site.pin_dir):
        pass
    assert site.agent.exists()
    with agent(site.agent, site.pin_dir):
        status, _, descriptors = ask(site.agent, request())
        assert status == GIVEN
        close_all(descriptors)


def test_a_living_one_is_not_replaced(site):
    with agent(site.agent, site.pin_dir):
        assert "another agent listens at" in refused(site)
        status, _, descriptors = ask(site.agent, request())
        assert status == GIVEN
        close_all(descriptors)


@pytest.mark.skipif(SANITIZED, reason="the leak sanitizer does not work under strace")
def test_whether_there_is_one_cannot_be_asked(site):
    with agent(site.agent, site.pin_dir):
        pass
    failing = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=socket:error=EMFILE:when=1"]
    said = refused(site, failing)
    assert said == f"error: cannot ask whether an agent listens at {site.agent}: Too many open files\n"
    assert site.agent.exists()


def linked(site):
    site.agent.parent.mkdir()
    site.agent.symlink_to(site.folder / "elsewhere")
    return "is not a socket"


def linked_to_a_socket(site):
    with agent(site.agent.with_name("old"), site.pin_dir):
        pass
    site.agent.symlink_to("old")
    return "is not a socket"


def a_file(site):
    site.agent.parent.mkdir()
    site.agent.write_text("mine")
    return "is not a socket"


def a_writable_folder(site):
    site.agent.parent.mkdir()
    site.agent.parent.chmod(0o1777)
    return "is not one that root alone may write"


def a_strangers_folder(site):
    site.agent.parent.mkdir()
    os.chown(site.agent.parent, NOBODY, NOBODY)
    return "is not one that root alone may write"


def a_linked_folder(site):
    (site.folder / "real").mkdir()
    site.agent.parent.symlink_to(site.folder / "real")
    return "is not one that root alone may write"


def a_long_path(site):
    site.agent = site.folder / ("x" * 100)
    return "choose another path"


@pytest.mark.parametrize(
    "prepare",
    [
        linked, linked_to_a_socket, a_file, a_writable_folder, a_strangers_folder, a_linked_folder,
        a_long_path,
    ],
)
def test_a_place_that_is_refused(site, prepare):
    said = prepare(site)
    before = sorted(p.name for p in site.agent.parent.iterdir())
    assert said in refused(site)
    assert sorted(p.name for p in site.agent.parent.iterdir()) == before


def test_a_path_that_is_not_absolute(site):
    site.agent = "agent.sock"
    assert "is not absolute" in refused(site)


# ---- Its answers -------------------------------------------------------------------------------------


@pytest.fixture
def served(site):
    with agent(site.agent, site.pin_dir):
        yield site


def test_the_table_in_a_file_that_nobody_can_change(served):
    status, text, (fd,) = ask(served.agent, request())
    expected = subprocess.run([TOOL, "bytes", served.conf], capture_output=True, check=True).stdout
    assert (status, text, os.pread(fd, 100000, 0)) == (GIVEN, "", expected)
    assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == 0xF
    for change in lambda: os.pwrite(fd, b"x", 0), lambda: os.ftruncate(fd, 0):
        with pytest.raises(PermissionError):
            change()
    os.close(fd)


def test_a_program(served):
    status, text, (fd,) = ask(served.agent, request(PROGRAM, b"first", UNIXGRAM))
    assert (status, text) == (GIVEN, "")
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
        assert "prog_type:\t1\n" in info.read()
    os.close(fd)


def test_nothing_published(served):
    (served.pin_dir / "~published").unlink()
    assert ask(served.agent, request()) == (NONE, "", [])


def test_a_table_that_is_not_trusted(served):
    os.chown(served.pin_dir / "~published", 12345, 12345)
    status, text, descriptors = ask(served.agent, request())
    assert (status, descriptors) == (REFUSED, []) and "not trusted" in text


@pytest.mark.parametrize(
    "message, said",
    [
        (request(PROGRAM, b"second", UNIXGRAM), "is published and not pinned"),
        (request(PROGRAM, b"first", 0), "are for another transport or mode"),
        (request(PROGRAM, b"first", UNIXGRAM, MONITOR), "are for another transport or mode"),
        (request(PROGRAM, b"", UNIXGRAM), "does not understand"),
        (request(PROGRAM, b"../first", UNIXGRAM), "does not understand"),
        (request(PROGRAM, b"first/.", UNIXGRAM), "does not understand"),
        (request(PROGRAM, b"~published", UNIXGRAM), "does not understand"),
        (request(PROGRAM, b"x" * 64, UNIXGRAM), "does not understand"),
        (request(PROGRAM, b"first", 3), "does not understand"),
        (request(PROGRAM, b"first", UNIXGRAM, 2), "does not understand"),
        (request(3), "does not understand"),
        (request()[:-1], "does not understand"),
        (request() + b"x", "does not understand"),
        (request(abi=7), ""),
    ],
)
def test_what_is_not_given(served, message, said):
    status, text, descriptors = ask(served.agent, message)
    assert (status, descriptors) == (REFUSED, []) and said in text


@pytest.mark.parametrize("message", [b"x", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 84, request(magic=1)])
def test_what_is_no_request_gets_no_reply(served, message):
    assert ask(served.agent, message) is None


def test_one_request_a_connection(served):
    with connect(served.agent) as client:
        client.send(request(3))
        assert client.recv(1000)
        answer = b""
        # Whoever closes with a request unread resets the connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(request(3))
            answer = client.recv(1000)
        assert answer == b""


# ---- Slow ones ---------------------------------------------------------------------------------------


def test_nobody_waits_for_those_that_do_not_ask(served):
    """More of them than are kept at once: the oldest give way, and who asks is answered."""
    with contextlib.ExitStack() as silent:
        clients = []
        for _ in range(200):
            clients.append(silent.enter_context(connect(served.agent)))
            if len(clients) % 50 == 0:
                assert ask(served.agent, request(3))[0] == REFUSED
        clients[0].settimeout(60)
        assert clients[0].recv(1) == b""
        open_ones = 0
        for client in clients:
            client.setblocking(False)
            try:
                client.recv(1)
            except BlockingIOError:
                open_ones += 1
        assert open_ones <= 64


def test_a_users_flood_pushes_out_nobody_else(served):
    with contextlib.ExitStack() as clients:
        first = clients.enter_context(connect(served.agent))
        os.seteuid(NOBODY)
        try:
            for _ in range(100):
                clients.enter_context(connect(served.agent))
        finally:
            os.seteuid(0)
        assert ask(served.agent, request(3))[0] == REFUSED  # all others have been taken
        first.send(request(3))
        assert first.recv(1000)


def test_who_does_not_ask_is_sent_away(served):
    """While others come and go, which is when the agent looks."""
    with connect(served.agent) as silent:
        silent.settimeout(0.1)
        for _ in range(600):
            ask(served.agent, request(3))
            try:
                assert silent.recv(1) == b""
                return
            except TimeoutError:
                pass
        pytest.fail("the connection stays")


@contextlib.contextmanager
def lingering(count):
    """Descriptors of TCP sockets whose last close waits ten minutes for a peer that does not read."""
    with contextlib.ExitStack() as peers, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        descriptors = []
        for _ in range(count):
            client = socket.create_connection(listener.getsockname())
            peers.enter_context(listener.accept()[0])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.send(bytes(65536))
            descriptors.append(client.detach())
        yield descriptors


@contextlib.contextmanager
def stopped(process):
    """While it is, what is passed to it can be closed here without being the last to do so."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def pass_on(client, message, descriptors):
    socket.send_fds(client, [message], descriptors)
    close_all(descriptors)


def test_nobody_waits_for_what_is_passed(site):
    """Neither when it comes with a request, nor when it is left behind; one or many of them."""
    with (
        lingering(100) as descriptors,
        agent(site.agent, site.pin_dir) as process,
        contextlib.ExitStack() as clients,
    ):
        with stopped(process):
            for _ in range(20):
                client = clients.enter_context(connect(site.agent))
                pass_on(client, request(3), [descriptors.pop()])
                pass_on(client, b"x", [descriptors.pop()])
            client = clients.enter_context(connect(site.agent))
            pass_on(client, b"x", descriptors[:30])
            pass_on(client, b"x", descriptors[30:])
        assert ask(site.agent, request(3))[0] == REFUSED


def test_nobody_waits_for_what_is_passed_at_the_end(site):
    with lingering(1) as descriptors, agent(site.agent, site.pin_dir) as process:
        with connect(site.agent) as client:
            with stopped(process):
                pass_on(client, b"x", descriptors)
                process.stdin.close()
            assert process.wait(60) == 0


def test_who_leaves_before_the_reply_harms_nobody(served):
    for _ in range(20):
        with connect(served.agent) as client:
            client.send(request())
    assert ask(served.agent, request(3))[0] == REFUSED


def test_no_descriptor_is_left_open(site):
    with agent(site.agent, site.pin_dir) as process:
        folder = f"/proc/{process.pid}/fd"
        before = len(os.listdir(folder))
        for _ in range(20):
            close_all(ask(site.agent, request())[2])
            close_all(ask(site.agent, request(PROGRAM, b"first", UNIXGRAM))[2])
            ask(site.agent, request(PROGRAM, b"second", UNIXGRAM))
        with connect(site.agent) as client:  # its reply comes after the others' connections are closed
            client.send(request(3))
            client.recv(1000)
            assert client.recv(1000) == b""
        assert len(os.listdir(folder)) == before
