"""Servers that are linked with musl, as Alpine's are, run by musl's loader: they go by what is published."""

import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess

import pytest
from first_byte import BUILD, NO_BPFFS, NOBODY, SANITIZED, SHIM, UNPRIVILEGED
from handover import agent
from serving import ALL, GOOD, MESSAGES, PYTHON, SERVERS, Run, converse, send, udp_ports
from unconfigured import CONFIG, WITHOUT_CONFIG, pinned, published, with_default_config

LIBRARY = BUILD / "musl/libp2e.so"
SERVER = BUILD / "musl/tests/shim/musl/server"
CALLS = BUILD / "musl/tests/shim/calls"
LOADER = pathlib.Path(f"/lib/ld-musl-{os.uname().machine}.so.1")
LIBC = LOADER.resolve()  # they are one file
NO_BPF = [PYTHON, str(pathlib.Path(__file__).parent / "no_bpf.py")]
CONTAINER = [*NO_BPFFS, *UNPRIVILEGED]

pytestmark = [
    pytest.mark.skipif(SANITIZED, reason="there are no sanitizers for musl"),
    WITHOUT_CONFIG,
]


@pytest.fixture
def site(port):
    with published(first={"transport": "udp", "port": port}) as site:
        yield site


def server(style, address):
    return [str(SERVER), style, str(address)]


def preloaded(site, prefix=UNPRIVILEGED, **variables):
    """The prefix is glibc's programs: the library is not for them."""
    variables.setdefault("P2E_PIN_DIR", site.pin_dir)
    return site.without_config(prefix, LD_PRELOAD=LIBRARY, **variables)


def by_agent(site, prefix=CONTAINER):
    return site.without_config(prefix, LD_PRELOAD=LIBRARY, P2E_AGENT_SOCKET=site.agent)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# ---- What it is --------------------------------------------------------------------------------------


def symbols(which, library):
    lines = output("nm", "--dynamic", f"--{which}-only", library).splitlines()
    return {line.split()[-1] for line in lines}


def test_it_asks_for_nothing_that_musl_has_not():
    undefined = symbols("undefined", LIBRARY)
    assert "malloc" in undefined
    assert undefined <= symbols("defined", LIBC)
    assert not [name for name in undefined if "@" in name or name.endswith("_chk")]


def test_it_names_no_library_and_exports_only_the_hooks():
    dynamic = output("readelf", "--dynamic", LIBRARY)
    assert "NEEDED" not in dynamic and "TEXTREL" not in dynamic and "BIND_NOW" in dynamic
    assert symbols("defined", LIBRARY) == {"socket", "bind", "setsockopt", "accept", "accept4"}


def test_the_server_is_one_of_musls():
    """Or the tests here would show nothing."""
    assert str(LOADER) in output("readelf", "--program-headers", SERVER)


# ---- It filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ()], ids=["nobody", "root"])
def test_udp(site, port, prefix):
    run = converse([*preloaded(site, prefix), *server("plain", port)], port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_other_ports_are_not_touched(site):
    other = udp_ports()
    run = converse([*preloaded(site), *server("plain", other)], other)
    assert (run.first, run.lines, run.errors) == ("ready", ALL, "")


def test_a_port_that_the_kernel_chooses():
    site = pinned(first={"transport": "udp", "port": "1-65535"})
    try:
        run = Run([*preloaded(site), *server("late", 0)])
        send(int(run.first.removeprefix("ready ")), *MESSAGES, b"end")
        run.finish()
        assert (run.lines, run.errors) == (GOOD, "")
    finally:
        site.close()


@pytest.mark.parametrize("transport, style", [("unixgram", "plain"), ("unixseq", "sequenced")])
@pytest.mark.parametrize("way", [preloaded, by_agent])
def test_unix_sockets(transport, style, way):
    address = f"@p2e-test-{secrets.token_hex(4)}"
    kind = socket.SOCK_DGRAM if transport == "unixgram" else socket.SOCK_SEQPACKET
    site = pinned(first={"transport": transport, "path": address})
    try:
        with agent(site.agent, site.pin_dir):
            run = Run([*way(site), *server(style, address)])
            assert run.first == "ready"
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.connect("\0" + address[1:])
                assert transport == "unixgram" or run.line() == "accepted"
                for message in [*MESSAGES, b"end"]:
                    client.send(message)
                run.finish()
        assert (run.lines, run.errors) == (GOOD, "")
    finally:
        site.close()


def test_a_filter_that_was_unloaded_and_loaded_again():
    """The listener has had the program before."""
    address = f"@p2e-test-{secrets.token_hex(4)}"
    site = pinned(first={"transport": "unixseq", "path": address})
    try:
        run = Run([*preloaded(site), *server("sequenced", address)])
        assert run.first == "ready"
        assert site.tool("remove", site.pin_dir, "first").returncode == 0
        assert site.tool("program", site.conf, "first").stdout == "pinned\n"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect("\0" + address[1:])
            for message in b"B0", b"A0", b"B1", b"end":
                assert message != b"A0" or run.line() == "accepted"
                client.send(message)
            run.finish()
        assert (run.lines, run.errors) == (["B0", "B1"], "")
    finally:
        site.close()


@pytest.mark.parametrize("seccomp", [[], [*NO_BPF, "errno"], [*NO_BPF, "kill"]])
def test_udp_by_the_agent(site, port, seccomp):
    with agent(site.agent, site.pin_dir):
        run = converse([*by_agent(site, [*CONTAINER, *seccomp]), *server("plain", port)], port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


@pytest.mark.parametrize("program, received", [("server", GOOD), ("python3", ALL)])
def test_a_filter_for_one_program(port, program, received):
    site = pinned(first={"transport": "udp", "port": port, "program": program})
    try:
        run = converse([*preloaded(site), *server("plain", port)], port)
        assert (run.first, run.lines, run.errors) == ("ready", received, "")
    finally:
        site.close()


def test_a_filter_for_a_program_that_was_replaced(port):
    site = pinned(first={"transport": "udp", "port": port, "program": "srv"})
    try:
        copy = shutil.copy(SERVER, site.folder / "srv")
        variables = {"P2E_PIN_DIR": str(site.pin_dir), "LATER_PRELOAD": str(LIBRARY)}
        command = [PYTHON, str(SERVERS / "replaced.py"), copy, "plain", str(port)]
        run = converse(command, port, env={**os.environ, **variables})
        assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")
    finally:
        site.close()


def adopt(site, port, waiting, ends=True, **variables):
    """The server is handed a bound socket with messages in its queue already."""
    variables = {"P2E_PIN_DIR": str(site.pin_dir), "LATER_PRELOAD": str(LIBRARY), **variables}
    hexes = ",".join(f"{message.hex()}*1" for message in waiting)
    launcher = [PYTHON, str(SERVERS / "activate.py"), "listen", str(port), hexes]
    run = Run([*launcher, *server("inherited", 3)], env={**os.environ, **variables})
    if ends and run.first == "ready":
        send(port, b"A later", b"B later", b"end")
    return run.finish()


def test_a_socket_that_is_handed_over(site, port):
    """What waits in its queue is judged, too."""
    run = adopt(site, port, [b"B0", b"A0", b"B1"])
    assert (run.first, run.lines, run.errors) == ("ready", ["B1", "B later"], "")


def enter(root):
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def test_a_root_with_nothing_of_glibcs(site, port):
    """As in an Alpine container: the library is found by its name, the agent in its usual place."""
    root = site.folder / "root"
    for path, source in (LOADER, LIBC), ("/usr/lib/libp2e.so", LIBRARY), ("/server", SERVER):
        target = root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    env = {"LD_PRELOAD": "libp2e.so"}
    with agent(root / "run/p2e/agent.sock", site.pin_dir):
        run = converse(["/server", "plain", str(port)], port, env=env, preexec_fn=lambda: enter(root))
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


# ---- It changes nothing else -------------------------------------------------------------------------


def test_calls_do_what_they_did(site, port):
    """Results, errno on success and on failure, and the numbers of descriptors."""
    plain = output(CALLS, str(port))
    done = subprocess.run(
        [*preloaded(site, ()), CALLS, str(port)], capture_output=True, text=True, check=True
    )
    assert "errno 4242" in plain and f"bind: 0, errno 4242" in plain
    assert (done.stdout, done.stderr) == (plain, "")


def test_a_program_that_binds_nothing_is_not_told_of(port):
    """Even where nothing is published."""
    done = subprocess.run(["env", f"LD_PRELOAD={LIBRARY}", SERVER], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


# ---- It refuses --------------------------------------------------------------------------------------


def refused(command, port):
    """What is said where the socket is refused."""
    run = converse(command, port)
    assert (run.first, run.process.returncode) == ("bind: EACCES", 1)
    assert run.errors.startswith("p2e: ") and run.errors.count("\n") == 1
    assert run.errors.endswith("; the socket is refused\n")
    return run.errors


def test_a_config_that_is_named(site, port):
    """However well-formed, and whatever is published."""
    said = refused([*preloaded(site, P2E_CONFIG=site.conf), *server("plain", port)], port)
    assert f"libp2e.so for musl cannot read the config file {site.conf}; publish it" in said
    assert "unset P2E_CONFIG" in said


def test_a_config_in_its_usual_place(site, port):
    prefix = with_default_config(site, lambda conf: conf.write_text("filters = ();"))
    if subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("no overlay file system here")
    assert f"cannot read the config file {CONFIG}" in refused(
        [*preloaded(site, prefix), *server("plain", port)], port
    )


def test_a_config_and_a_socket_that_is_handed_over(site, port):
    run = adopt(site, port, [], P2E_CONFIG=str(site.conf))
    assert (run.first, run.process.returncode) == ("", 111)
    assert "libp2e.so for musl cannot read the config file" in run.errors


def test_nothing_published(site, port):
    (site.pin_dir / "~published").unlink()
    said = refused([*preloaded(site), *server("plain", port)], port)
    assert "nothing is published: no table in P2E_PIN_DIR" in said and "p2e agent" in said


@pytest.mark.parametrize("address, style", [("@p2e-test", "plain"), ("@p2e-test", "sequenced")])
def test_nothing_published_and_unix_sockets(site, address, style):
    (site.pin_dir / "~published").unlink()
    run = Run([*preloaded(site), *server(style, address)]).finish()
    assert run.first == "bind: EACCES"


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_pins_that_are_gone(port, on_error):
    """Root could load the program, and the library for musl does not."""
    site = pinned(first={"transport": "udp", "port": port, "on_error": on_error})
    try:
        assert site.tool("remove", site.pin_dir, "first").returncode == 0
        run = converse([*preloaded(site, ()), *server("plain", port)], port)
        assert run.errors.startswith('p2e: filter "first": it is published and not pinned')
        if on_error == "closed":
            assert run.first == "bind: EACCES"
        else:
            assert (run.first, run.lines) == ("ready", ALL)
    finally:
        site.close()


# ---- The library of the other libc -------------------------------------------------------------------


def ended_by_the_loader(library, *command):
    done = subprocess.run(["env", f"LD_PRELOAD={library}", *command], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (127, "")
    return done.stderr


def test_the_library_for_musl_in_a_program_of_glibcs():
    """It does not run unfiltered, as with a library that glibc's loader passes over."""
    assert "undefined symbol: __freadahead" in ended_by_the_loader(LIBRARY, "true")


def test_the_library_for_glibc_in_a_program_of_musls():
    said = ended_by_the_loader(SHIM, SERVER, "plain", str(udp_ports()))
    assert re.search(rf"Error relocating {SHIM}: \w+: symbol not found", said)
