"""UNIX SOCK_SEQPACKET: a listener's filter is not inherited, so each connection gets its own at accept."""

import contextlib
import signal
import socket
import subprocess

import pytest
from first_byte import UNPRIVILEGED, Site
from serving import PYTHON, Run, server, udp_ports

PATH = "@p2e-sequenced"


@pytest.fixture
def site():
    site = Site(first={"transport": "unixseq", "path": PATH}).compile()
    yield site
    site.close()


def connect(*messages, close=False):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect("\0" + PATH[1:])
    for message in messages:
        client.send(message)
    if close:
        client.close()
    return client


def start(site, style="sequenced", prefix=(), **options):
    run = Run(site.preloaded(prefix) + server(style, PATH), **options)
    assert run.first == "ready"
    return run


def test_messages_after_accept(site):
    run = start(site)
    with connect(b"B0") as client:
        assert run.line() == "accepted"
        assert run.line() == "B0"
        for message in b"A1", b"B1", b"\xff", b"C" * 60000, b"end":
            client.send(message)
        run.finish()
    assert (run.lines, run.errors) == (["B1", "C" * 60000], "")


def test_a_connection_keeps_its_filter(site):
    run = start(site, "sequenced_locked")
    with connect():
        run.finish()
    assert (run.lines, run.errors) == (["locked"], "")


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize(
    "early, accepted",
    [
        ([b"A"], False),
        ([b"B0", b"A", b"B1"], False),
        ([b"B0", b"\xff"], False),
        ([b"B0", b"", b"A"], False),
        ([b"B" * 70000], False),
        ([b"B0"], True),
        ([b"B0", b"B1", b"C" * 60000], True),
    ],
    ids=["bad", "bad amid", "malformed", "bad behind an empty one", "oversized", "good", "many"],
)
def test_messages_before_accept(site, early, accepted, close):
    """A connection on which a bad message waits is one that never came; good ones lose nothing."""
    run = start(site)
    run.process.send_signal(signal.SIGSTOP)  # nothing is accepted before all has been sent
    with contextlib.ExitStack() as open_ones:
        open_ones.enter_context(connect(*early, close=close))
        open_ones.enter_context(connect(b"last", b"end"))
        run.process.send_signal(signal.SIGCONT)
        if accepted and not close:
            shown = [run.line() for _ in range(len(early) + 1)]
            assert shown == ["accepted", *(m.decode() for m in early)]
            open_ones.close()
            run.process.kill()
            run.finish()
            return
        run.finish()
    first = ["accepted", *(m.decode() for m in early)] if accepted else []
    assert (run.lines, run.errors) == ([*first, "accepted", "last"], "")


def test_an_accept_that_does_not_wait(site):
    """Its only connection is given up: the server is told that there is none."""
    run = start(site, "sequenced_nonblocking", stdin=subprocess.PIPE)
    with connect(b"A") as client:
        run.tell("go\n")
        run.finish()
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    assert (run.lines, run.errors) == (["EAGAIN"], "")


@pytest.mark.parametrize("preloaded", [False, True])
def test_an_accept_with_nowhere_for_the_address(site, preloaded):
    """The connection is lost, as without the shim."""
    script = (
        "import ctypes, errno, socket\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        f"s.bind('\\0{PATH[1:]}'); s.listen(); print('ready', flush=True)\n"
        "address = ctypes.create_string_buffer(128)\n"
        "result = libc.accept(s.fileno(), address, ctypes.c_void_p(16))\n"
        "print(result, errno.errorcode[ctypes.get_errno()])\n"
    )
    run = Run([*(site.preloaded() if preloaded else []), PYTHON, "-c", script])
    assert run.first == "ready"
    with connect():
        run.finish()
    assert (run.lines, run.errors) == (["-1 EFAULT"], "")


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_a_connection_that_cannot_be_filtered(site, on_error):
    site.configure(first={**site.filters["first"], "on_error": on_error})
    run = start(site, "sequenced_after_all_is_gone", stdin=subprocess.PIPE)
    assert site.tool("remove", site.pin_dir, "first").returncode == 0
    site.object("first").unlink()
    with connect(b"B"):
        run.tell("go\n")
        run.finish()
    assert run.lines == ["ECONNABORTED" if on_error == "closed" else "accepted"]
    assert run.errors.startswith('p2e: filter "first": object') and run.errors.count("\n") == 1


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_a_listener_whose_connections_could_not_be_filtered(site, on_error):
    site.configure(first={**site.filters["first"], "on_error": on_error})
    site.object("first").unlink()
    run = Run(site.preloaded() + server("sequenced", PATH))
    if on_error == "open":
        with connect(b"A", b"end"):
            run.finish()
        assert (run.first, run.lines) == ("ready", ["accepted", "A"])
        assert run.errors.count("goes on unfiltered") == 2  # the listener and the connection
    else:
        assert run.finish().first == "bind: EACCES"
        assert run.errors.count("\n") == 1


def test_lost_descriptors_are_opened_again(site):
    run = start(site, "sequenced_after_all_is_gone", stdin=subprocess.PIPE)
    with connect(b"B"):
        run.tell("go\n")
        run.finish()
    assert (run.lines, run.errors) == (["accepted"], "")


# ---- What is pinned changes ------------------------------------------------------------------------------


def received(run, *messages):
    """What the server gets of a new connection."""
    with connect() as client:
        assert run.line() == "accepted"
        for message in *messages, b"done":
            client.send(message)
        shown = [run.line()]
        while shown[-1] not in ("done", ""):
            shown.append(run.line())
    return shown[:-1]


def unload(site):
    assert site.tool("remove", site.pin_dir, "first").returncode == 0


@pytest.mark.parametrize("prefix", [[], UNPRIVILEGED], ids=["root", "nobody"])
@pytest.mark.parametrize("unloaded", [False, True])
def test_new_connections_get_what_is_pinned_by_then(site, unloaded, prefix):
    """Other rules than the server's configuration has: it was read before they changed."""
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    run = start(site, prefix=prefix)
    assert received(run, b"A0", b"B0") == ["B0"]
    if unloaded:
        unload(site)
    site.configure(first={**site.filters["first"], "rules": ["false"]})
    site.compile(FORBIDDEN=ord("B"))
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    assert received(run, b"A0", b"B0") == ["A0"]
    run.process.kill()
    assert run.finish().errors == ""
    assert site.tool("program", site.conf, "first").stdout == "pin\n"  # and it has left them alone


def test_monitor_mode_ends_with_unloading(site):
    site.configure(first={**site.filters["first"], "mode": "monitor"})
    site.compile()
    run = start(site)
    assert received(run, b"A0", b"B0") == ["A0", "B0"]
    unload(site)
    site.configure(first={**site.filters["first"], "mode": "enforce"})
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    assert received(run, b"A0", b"B0") == ["B0"]
    run.process.kill()
    assert run.finish().errors == ""


def test_a_filter_that_is_not_pinned_any_more(site):
    """Who may load it does; the connection of who may not is refused."""
    run = start(site)
    unload(site)
    assert received(run, b"A0", b"B0") == ["B0"]
    assert site.pinned() == ["first"]
    run.process.kill()
    run.finish()
    run = start(site, "sequenced_when_told", prefix=UNPRIVILEGED, stdin=subprocess.PIPE)
    unload(site)
    with connect():
        run.tell("go\n")
        run.finish()
    assert run.lines == ["ECONNABORTED"]
    assert run.errors.startswith('p2e: filter "first": loading a program needs')
    assert run.errors.count("\n") == 1


def test_a_filter_of_another_transport_by_now(site):
    run = start(site, "sequenced_when_told", stdin=subprocess.PIPE)
    unload(site)
    site.configure(first={"transport": "udp", "port": udp_ports()})
    site.compile()
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    with connect():
        run.tell("go\n")
        run.finish()
    assert run.lines == ["ECONNABORTED"]
    assert "is for another transport than this process's configuration says" in run.errors
    assert site.tool("program", site.conf, "first").stdout == "pin\n"


def test_monitor_mode_takes_all(site):
    site.configure(first={**site.filters["first"], "mode": "monitor"})
    site.compile()
    run = start(site)
    with connect(b"A", b"\xff", b"end"):
        run.finish()
    assert (run.lines, run.errors) == (["accepted", "A", "\xff"], "")
