"""What the shim does where it cannot filter: one clear line, and what on_error says."""

import os
import socket
import subprocess

import pytest
from first_byte import NO_BPFFS, ROOT_WITHOUT_BPF, SANITIZED, UNPRIVILEGED
from serving import ALL, GOOD, PYTHON, Run, converse, send, server

CLOSED = "closed"
OPEN = "open"


def truncate(site):
    path = site.object("first")
    path.write_bytes(path.read_bytes()[:-100])


def corrupt(site):
    path = site.object("first")
    data = bytearray(path.read_bytes())
    data[-2000] ^= 0x10
    path.write_bytes(data)


def remove(site):
    site.object("first").unlink()


def other_rules(site):
    site.configure(first={**site.filters["first"], "rules": ["false"]})


def other_abi(site):
    site.compile(ABI=7)


def refused(site):
    site.compile(REFUSED=1)


def writable(site):
    site.object("first").chmod(0o666)


def foreign_pins(site):
    assert site.tool("program", site.conf, "first").returncode == 0
    os.chown(site.pin_dir / "first", 65534, 65534)


def pins_of_other_rules(site):
    assert site.tool("program", site.conf, "first").returncode == 0
    other_rules(site)


def nothing(_):
    pass


CASES = {
    "no capability": (nothing, UNPRIVILEGED, "needs CAP_BPF and CAP_PERFMON"),
    "root without capability": (nothing, ROOT_WITHOUT_BPF, "needs CAP_BPF and CAP_PERFMON"),
    "user namespace": (nothing, ["unshare", "--user", "--map-root-user"], "user namespace"),
    "no object": (remove, (), "is missing; run: p2e compile"),
    "truncated object": (truncate, (), "run: p2e compile"),
    "corrupt object": (corrupt, (), "checksum is wrong"),
    "object of other rules": (other_rules, (), "is of other rules"),
    "object of another ABI": (other_abi, (), "is of ABI 7"),
    "object that others may write": (writable, (), "not trusted"),
    "refused by the verifier": (refused, (), "the kernel refuses the program"),
    "pins of another user": (foreign_pins, (), "not trusted"),
    "pins of other rules": (pins_of_other_rules, UNPRIVILEGED, "is of other rules"),
}


@pytest.mark.parametrize("on_error", [CLOSED, OPEN])
@pytest.mark.parametrize("case", CASES)
def test_a_program_that_cannot_be_had(site, port, case, on_error):
    prepare, prefix, said = CASES[case]
    site.configure(first={"transport": "udp", "port": port, "on_error": on_error})
    site.compile()
    prepare(site)
    run = converse(site.preloaded(prefix) + server("plain", port), port)
    assert run.errors.count("\n") == 1
    assert run.errors.startswith('p2e: filter "first": ') and said in run.errors
    if on_error == CLOSED:
        assert (run.first, run.process.returncode) == ("bind: EACCES", 1)
        assert run.errors.endswith("; the socket is refused\n")
    else:
        assert (run.first, run.lines) == ("ready", ALL)
        assert run.errors.endswith('; the socket goes on unfiltered (on_error = "open")\n')


@pytest.mark.parametrize("on_error", [CLOSED, OPEN])
def test_no_bpffs_is_no_failure_for_who_may_load(site, port, on_error):
    site.configure(first={"transport": "udp", "port": port, "on_error": on_error})
    run = converse(site.preloaded(NO_BPFFS) + server("plain", port), port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


@pytest.mark.parametrize("on_error", [CLOSED, OPEN])
def test_no_bpffs_and_no_capability(site, port, on_error):
    site.configure(first={"transport": "udp", "port": port, "on_error": on_error})
    run = converse(site.preloaded([*NO_BPFFS, *UNPRIVILEGED]) + server("plain", port), port)
    assert "p2e load" in run.errors
    assert run.first == ("bind: EACCES" if on_error == CLOSED else "ready")


# ---- The config ----------------------------------------------------------------------------------------


def break_syntax(site):
    site.conf.write_text("filters = (")


def break_key(site):
    site.conf.write_text(site.conf.read_text().replace("transport", "trnasport"))


def remove_config(site):
    site.conf.unlink()


def close_config(site):
    site.conf.chmod(0)


@pytest.mark.parametrize(
    "prepare, prefix",
    [
        (break_syntax, ()),
        (break_key, ()),
        (remove_config, ()),
        (close_config, UNPRIVILEGED),
    ],
)
@pytest.mark.parametrize("style", ["plain", "late"])
def test_without_a_config_nothing_is_bound(site, port, prepare, prefix, style):
    """There is no filter to ask for its on_error, and any socket may be one that should be filtered."""
    site.configure(first={"transport": "udp", "port": port, "on_error": OPEN})
    prepare(site)
    run = converse(site.preloaded(prefix) + server(style, port), port)
    assert (run.first, run.process.returncode) == ("bind: EACCES", 1)
    assert run.errors.startswith("p2e: ") and str(site.conf) in run.errors
    assert run.errors.endswith("; the socket is refused\n")


@pytest.mark.parametrize("address", ["@p2e-first", "{folder}/x.sock"])
def test_without_a_config_no_unix_datagram_socket_is_bound(site, address):
    break_syntax(site)
    run = Run(site.preloaded() + server("plain", address.format(folder=site.folder))).finish()
    assert run.first == "bind: EACCES"


def test_without_a_config_no_sequenced_socket_is_bound(site):
    break_syntax(site)
    run = Run(site.preloaded() + server("sequenced", "@p2e-first")).finish()
    assert run.first == "bind: EACCES"


def test_streams_are_bound_without_a_config(site):
    break_syntax(site)
    script = (
        "import socket\n"
        "for family, name in (socket.AF_INET, ('127.0.0.1', 0)), (socket.AF_UNIX, '\\0p2e-stream'):\n"
        "    with socket.socket(family, socket.SOCK_STREAM) as s: s.bind(name); s.listen()\n"
        "print('bound')\n"
    )
    done = subprocess.run([*site.preloaded(), PYTHON, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("bound\n", "")


def test_no_config_anywhere_is_said(site, port):
    if os.path.exists("/etc/p2e/p2e.conf"):
        pytest.skip("this machine has a config")
    command = site.preloaded()
    command = [c for c in command if not c.startswith("P2E_CONFIG=")]
    run = converse(command + server("plain", port), port)
    assert run.first == "bind: EACCES"
    assert "/etc/p2e/p2e.conf" in run.errors and "P2E_CONFIG" in run.errors


def test_an_address_that_two_filters_claim(site, port):
    udp = {"transport": "udp", "port": port}
    site.configure(
        first={**udp, "address": "127.0.0.1", "on_error": OPEN},
        second={**udp, "address": "127.0.0.2", "on_error": OPEN},
    )
    run = Run(site.preloaded() + server("everywhere", port)).finish()
    assert "PermissionError" in run.errors and "one filter must judge it all" in run.errors


# ---- The socket ----------------------------------------------------------------------------------------

OWN_FILTER = """
import ctypes, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xffffffff))
s.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", 1, ctypes.addressof(program)))
if len(sys.argv) > 2: s.setsockopt(socket.SOL_SOCKET, 44, 1)
try:
    s.bind(("127.0.0.1", int(sys.argv[1])))
    print("ready", flush=True)
except OSError as error:
    sys.exit(f"bind {error.errno}")
while (m := s.recv(100)) != b"end": print(m.decode(), flush=True)
"""


@pytest.mark.parametrize("on_error", [CLOSED, OPEN])
@pytest.mark.parametrize("lock", [[], ["lock"]])
def test_a_server_with_a_filter_of_its_own(site, port, lock, on_error):
    """It keeps its own: the shim neither takes it away nor pretends to filter."""
    site.configure(first={"transport": "udp", "port": port, "on_error": on_error})
    run = Run([*site.preloaded(), PYTHON, "-c", OWN_FILTER, str(port), *lock])
    if run.first == "ready":
        send(port, b"A0", b"end")
    run.finish()
    assert "has a filter of its own" in run.errors
    assert (run.first, run.lines) == (("ready", ["A0"]) if on_error == OPEN else ("", []))


OWN_FILTER_LATE = OWN_FILTER[: OWN_FILTER.index("try:")] + """
try:
    s.bind(("127.0.0.1", 0))
    print("ready", s.getsockopt(socket.SOL_SOCKET, 44), flush=True)
except OSError as error:
    sys.exit(f"bind {error.errno}")
"""
ANY = {"transport": "udp", "port": "1-65535"}


@pytest.mark.parametrize(
    "filters, ready, said",
    [
        ([{**ANY, "on_error": OPEN}], True, "the socket goes on unfiltered"),
        ([{**ANY, "port": "1-2", "on_error": OPEN}], True, ""),
        ([{**ANY, "address": "127.0.0.2"}], True, ""),
        ([{**ANY, "program": "another"}], True, ""),
        ([{"transport": "unixgram", "path": "@p2e-first"}, {**ANY, "on_error": OPEN}], True,
         "the socket goes on unfiltered"),
        ([{**ANY, "on_error": OPEN}, {**ANY, "port": "1-2"}], False, "the socket is refused"),
        ([{**ANY, "address": "127.0.0.1"}], False, "the socket is refused"),
        ([{**ANY, "on_error": OPEN}, {**ANY, "address": "127.0.0.1", "on_error": OPEN}], True,
         "the socket goes on unfiltered"),
    ],
)
def test_a_filter_of_its_own_and_a_port_that_the_kernel_chooses(site, filters, ready, said):
    """Refused where a filter that is closed may be for the port; that is not known before bind."""
    site.configure(**{f"filter{i}": keys for i, keys in enumerate(filters)})
    run = Run([*site.preloaded(), PYTHON, "-c", OWN_FILTER_LATE, "0"]).finish()
    assert run.first == ("ready 0" if ready else "")
    assert said in run.errors and run.errors.count("p2e: ") == (said != "")


# ---- The line itself -------------------------------------------------------------------------------------


def broken_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("stderr", [broken_pipe, lambda: os.open("/dev/full", os.O_WRONLY), None])
def test_a_line_that_cannot_be_written_harms_nobody(site, port, stderr):
    """A pipe that nobody reads (whose SIGPIPE would end a server), a full disk, a closed descriptor."""
    remove(site)
    site.configure(first={"transport": "udp", "port": port, "on_error": OPEN})
    prefix = [] if stderr else ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    command = [*prefix, *site.preloaded(), *server("default_signals", port)]
    run = converse(command, port, stderr=stderr() if stderr else None)
    assert (run.first, run.lines, run.process.returncode) == ("ready", ALL, 0)


def test_a_line_never_goes_into_a_socket_of_the_servers(site, port):
    """Descriptor 2 is what the server opened there after it had closed its standard error."""
    remove(site)
    site.configure(first={"transport": "udp", "port": port, "on_error": OPEN})
    script = (
        "import os, socket, sys\n"
        "ours, theirs = socket.socketpair()\n"
        "os.dup2(theirs.fileno(), 2)\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "ours.setblocking(False)\n"
        "try: print(ours.recv(1000))\n"
        "except BlockingIOError: print('nothing')\n"
    )
    done = subprocess.run(
        [*site.preloaded(), PYTHON, "-c", script, str(port)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("nothing\n", "")


def test_a_line_goes_to_a_standard_error_that_is_a_socket(site, port):
    """The journal's, say."""
    remove(site)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Run(site.preloaded() + server("plain", port), stderr=theirs).finish()
        assert ours.recv(1000).startswith(b'p2e: filter "first": object')


def test_a_library_that_is_missing_is_not_our_case(site):
    """Here for the record: ld.so itself goes on without it, which is why p2e run asks for a proof."""
    if SANITIZED:
        pytest.skip("the preload has more than one library")
    done = subprocess.run(
        ["env", "LD_PRELOAD=/nonexistent/libp2e.so", "true"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "ignored" in done.stderr
