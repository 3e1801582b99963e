"""Servers that see neither config nor bpffs: an agent hands them the table and the programs."""

import contextlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess

import pytest
from first_byte import NO_BPFFS, NOBODY, TOOL, UNPRIVILEGED
from handover import NONE, REFUSED, Liar, agent, open_pin, reply
from serving import ALL, GOOD, MESSAGES, PYTHON, Run, converse, server, udp_ports
from unconfigured import CONFIG, WITHOUT_CONFIG, is_refused, published, receives, receives_by_unix

pytestmark = WITHOUT_CONFIG

NO_BPF = [PYTHON, str(pathlib.Path(__file__).parent / "no_bpf.py")]
CONTAINER = [*NO_BPFFS, *UNPRIVILEGED]
SECCOMP = {"allowed": [], "EPERM": [*NO_BPF, "errno"], "killed": [*NO_BPF, "kill"]}


@pytest.fixture
def site(port):
    with published(first={"transport": "udp", "port": port}) as site:
        yield site


@pytest.fixture
def open_site(port):
    with published(first={"transport": "udp", "port": port, "on_error": "open"}) as site:
        yield site


def command(site, *server_command, prefix=CONTAINER):
    return [*site.without_config(prefix, P2E_AGENT_SOCKET=site.agent), *server_command]


# ---- It filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seccomp", SECCOMP)
@pytest.mark.parametrize("style", ["plain", "closes_everything_before_bind"])
def test_udp(site, port, seccomp, style):
    """Also where bpf(2) is refused, or ends the process."""
    with agent(site.agent, site.pin_dir):
        receives(command(site, *server(style, port), prefix=[*CONTAINER, *SECCOMP[seccomp]]), port)


@pytest.mark.parametrize("seccomp", ["EPERM", "killed"])
def test_the_seccomp_filter_here_is_one(site, port, seccomp):
    """Or the test above would show nothing: with the bpffs in sight, the same server wants bpf(2)."""
    variables = site.without_config([*UNPRIVILEGED, *SECCOMP[seccomp]], P2E_PIN_DIR=site.pin_dir)
    run = converse([*variables, *server("plain", port)], port)
    if seccomp == "killed":
        assert run.process.returncode == -signal.SIGSYS
    else:
        assert run.first == "bind: EACCES" and "a seccomp profile that allows bpf(2)" in run.errors


@pytest.mark.parametrize("seccomp", SECCOMP)
@pytest.mark.parametrize("transport, style", [("unixgram", "plain"), ("unixseq", "sequenced")])
def test_unix_sockets(transport, style, seccomp):
    address = f"@p2e-test-{secrets.token_hex(4)}"
    with published(first={"transport": transport, "path": address}) as site, agent(site.agent, site.pin_dir):
        prefix = [*CONTAINER, *SECCOMP[seccomp]]
        receives_by_unix(command(site, *server(style, address), prefix=prefix), transport, address)


def test_sockets_of_no_filter_are_not_touched(site):
    other = udp_ports()
    with agent(site.agent, site.pin_dir):
        receives(command(site, *server("plain", other)), other, ALL)


def test_root_loads_nothing_itself(site, port):
    """It could: the objects and the capabilities are there. It attaches what the agent hands over."""
    with agent(site.agent, site.pin_dir):
        receives(command(site, *server("plain", port), prefix=NO_BPFFS), port)
    counters = site.tool("counters", site.pin_dir, "first").stdout
    assert counters == f"passed {len(GOOD) + 1} malformed 1 rule 2\n"


def test_an_agent_that_comes_later_is_asked(open_site, port):
    """The table is read once, at the start; a program is asked for whenever there is none."""
    script = (
        "import socket, sys\n"
        "print('started', flush=True)\n"
        "sys.stdin.readline()\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "print('ready', flush=True)\n"
        "while (m := s.recv(2000)) != b'end': print(m.decode('latin-1'), flush=True)\n"
    )
    line = command(open_site, PYTHON, "-c", script, str(port))
    with agent(open_site.agent, open_site.pin_dir):
        run = Run(line, stdin=subprocess.PIPE)
    assert run.first == "started"
    with agent(open_site.agent, open_site.pin_dir):
        run.tell("go\n")
        assert run.line() == "ready"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for message in [*MESSAGES, b"end"]:
                client.sendto(message, ("127.0.0.1", port))
        run.finish()
    assert (run.lines, run.errors) == (GOOD, "")


def test_a_process_that_binds_nothing_opens_and_says_nothing(site):
    line = ["sh", "-c", "echo out; echo err >&2; ls -l /proc/self/fd | wc -l"]
    plain = subprocess.run(line, capture_output=True, text=True, check=True)
    with agent(site.agent, site.pin_dir):
        done = subprocess.run(command(site, *line, prefix=()), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)


# ---- What comes before it ----------------------------------------------------------------------------


def test_what_is_pinned_is_asked_first(site, port):
    """The agent would say that nothing is filtered."""
    with published() as empty:
        with agent(site.agent, empty.pin_dir):
            variables = site.without_config(
                UNPRIVILEGED, P2E_AGENT_SOCKET=site.agent, P2E_PIN_DIR=site.pin_dir
            )
            receives([*variables, *server("plain", port)], port)


def test_a_table_that_is_not_trusted_is_no_reason_to_ask_the_agent(site, port):
    os.chown(site.pin_dir / "~published", 12345, 12345)
    with published(first=site.filters["first"]) as other:
        with agent(site.agent, other.pin_dir):
            variables = site.without_config(
                UNPRIVILEGED, P2E_AGENT_SOCKET=site.agent, P2E_PIN_DIR=site.pin_dir
            )
            run = converse([*variables, *server("plain", port)], port)
        assert run.first == "bind: EACCES" and "not trusted" in run.errors


def test_a_config_wins(site, port):
    site.conf.write_text("filters = ();")
    with agent(site.agent, site.pin_dir):
        variables = site.without_config(CONTAINER, P2E_AGENT_SOCKET=site.agent, P2E_CONFIG=site.conf)
        receives([*variables, *server("plain", port)], port, ALL)


# ---- No agent, or none that answers ------------------------------------------------------------------


def refused(site, port, prefix=CONTAINER):
    """What is said where nothing can be bound."""
    return is_refused(command(site, *server("plain", port), prefix=prefix), port)


def test_no_agent(open_site, port):
    """As it was without one: the config is missed."""
    assert refused(open_site, port).startswith(f"p2e: no usable config (P2E_CONFIG, else {CONFIG}): ")


def test_nothing_published(open_site, port):
    (open_site.pin_dir / "~published").unlink()
    with agent(open_site.agent, open_site.pin_dir):
        assert "no usable config" in refused(open_site, port)


def test_an_agent_that_has_ended(open_site, port):
    with agent(open_site.agent, open_site.pin_dir):
        pass
    said = refused(open_site, port)
    assert f"no agent answers at {open_site.agent} (Connection refused)" in said


def test_a_path_that_is_not_absolute(open_site, port):
    open_site.agent = "agent.sock"
    assert 'P2E_AGENT_SOCKET "agent.sock" is not absolute' in refused(open_site, port)


@contextlib.contextmanager
def listening(site, backlog=16):
    """An agent that hangs."""
    site.agent.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(site.agent))
        site.agent.chmod(0o666)
        listener.listen(backlog)
        yield


def test_an_agent_that_hangs(open_site, port):
    with listening(open_site):
        assert "does not answer (Connection timed out)" in refused(open_site, port)


def test_an_agent_whose_queue_is_full(open_site, port):
    with listening(open_site, 0), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as first:
        first.connect(str(open_site.agent))
        assert "no agent answers" in refused(open_site, port)


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_an_agent_that_hangs_later(port, on_error):
    """on_error is known by then."""
    filters = {f"f{i}": {"transport": "udp", "port": port + i, "on_error": on_error} for i in range(3)}
    script = (
        "import socket, sys\n"
        "print('started', flush=True)\n"
        "sys.stdin.readline()\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "try: s.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "except PermissionError: print('refused')\n"
        "else: print('bound')\n"
    )
    with published(**filters) as site:
        with agent(site.agent, site.pin_dir):
            run = Run(command(site, PYTHON, "-c", script, str(port)), stdin=subprocess.PIPE)
        site.agent.unlink()
        site.agent.parent.rmdir()
        with listening(site):
            run.tell("go\n")
            run.finish()
        assert run.lines == ["refused" if on_error == "closed" else "bound"]
        assert run.errors.startswith('p2e: filter "f0": the agent at ')
        assert "does not answer (Connection timed out)" in run.errors


# ---- Whose agent it is -------------------------------------------------------------------------------

OTHER = ["setpriv", "--reuid=12345", "--clear-groups", "--bounding-set=-all"]


def give_folder_to(site, uid):
    site.agent.parent.mkdir()
    os.chown(site.agent.parent, uid, uid)


def test_an_agent_of_another_user(open_site, port):
    give_folder_to(open_site, 12345)
    with agent(open_site.agent, open_site.pin_dir, OTHER):
        for prefix in NO_BPFFS, CONTAINER:
            assert "is of user 12345, not of root: not trusted" in refused(open_site, port, prefix)


def test_an_agent_of_the_servers_own_user(site, port):
    give_folder_to(site, 12345)
    with agent(site.agent, site.pin_dir, OTHER):
        receives(command(site, *server("plain", port), prefix=[*NO_BPFFS, *OTHER]), port)


def test_a_user_who_could_be_anybody(open_site, port):
    """In a user namespace all users that it does not know have this number: it proves nothing."""
    give_folder_to(open_site, NOBODY)
    with agent(open_site.agent, open_site.pin_dir, UNPRIVILEGED):
        assert f"is of user {NOBODY}, not of root: not trusted" in refused(open_site, port)


# ---- What an agent hands over ------------------------------------------------------------------------


def memfd(data):
    fd = os.memfd_create("table")
    os.write(fd, data)
    return fd


def sender(*files, data=None):
    """Replies with a descriptor of each of these, which are made by functions."""

    def send(connection):
        descriptors = [make() for make in files]
        socket.send_fds(connection, [reply() if data is None else data], descriptors)
        for fd in descriptors:
            os.close(fd)

    return send


def table_of(site):
    return subprocess.run([TOOL, "bytes", site.conf], capture_output=True, check=True).stdout


def pipe():
    reader, writer = os.pipe()
    os.close(writer)
    return reader


def no_memfd():
    return os.open("/etc/passwd", os.O_RDONLY)


TABLES = {
    "no descriptor": (sender(), "hands no descriptor over"),
    "two": (sender(lambda: memfd(b""), lambda: memfd(b"")), "hands no descriptor over"),
    "many": (sender(*[lambda: memfd(b"")] * 9), "hands no descriptor over"),
    "a pipe": (sender(pipe), "is not a published table"),
    "a file": (sender(no_memfd), "is not a published table"),
    "an empty one": (sender(lambda: memfd(b"")), "does not hold a published table"),
    "zeros": (sender(lambda: memfd(bytes(1000))), "does not hold a published table"),
    "too much": (sender(lambda: memfd(bytes(1 << 20) + b"x")), "is not a published table"),
    "another magic": (sender(pipe, data=reply(magic=1)), "is not p2e's agent"),
    "another ABI": (sender(pipe, data=reply(abi=7)), "is of ABI 7"),
    "another status": (sender(pipe, data=reply(status=9, text=b"none")), "refuses: none"),
    "a refusal": (sender(data=reply(status=REFUSED, text=b"not for you")), "refuses: not for you"),
    "a text without end": (sender(data=reply(status=REFUSED, text=b"x" * 500)), "makes no sense"),
    "a short reply": (sender(pipe, data=reply()[:-1]), "makes no sense"),
    "a long reply": (sender(pipe, data=reply() + b"x"), "makes no sense"),
    "a word": (sender(pipe, data=b"x"), "is not p2e's agent"),
    "nothing": (lambda connection: None, "is not p2e's agent"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_is_none(open_site, port, case):
    answer, said = TABLES[case]
    open_site.agent.parent.mkdir()
    with Liar(open_site.agent, answer, None):
        assert said in refused(open_site, port)


@pytest.mark.parametrize("at", [0, 5, 30, -1])
def test_a_table_that_is_damaged(open_site, port, at):
    data = bytearray(table_of(open_site))
    data[at] ^= 4
    open_site.agent.parent.mkdir()
    with Liar(open_site.agent, sender(lambda: memfd(data)), None):
        assert "no config, and no usable published table" in refused(open_site, port)


def pin_of(name):
    """A function of the site that gives a function that opens one of its pins."""
    return lambda site: lambda: open_pin(site.pin_dir / "first" / name)


PROGRAMS = {
    "a map": (pin_of("options"), SECCOMP),
    "a file": (lambda site: no_memfd, SECCOMP),
    "a pipe": (lambda site: pipe, SECCOMP),
    "a program of another name": (pin_of("judge"), ["allowed"]),
}


@pytest.mark.parametrize("on_error", ["closed", "open"])
@pytest.mark.parametrize("case, seccomp", [(c, s) for c, (_, names) in PROGRAMS.items() for s in names])
def test_a_program_that_is_none(port, case, seccomp, on_error):
    with published(first={"transport": "udp", "port": port, "on_error": on_error}) as site:
        table = table_of(site)
        site.agent.parent.mkdir()
        prefix = [*CONTAINER, *SECCOMP[seccomp]]
        with Liar(site.agent, sender(lambda: memfd(table)), sender(PROGRAMS[case][0](site))):
            run = converse(command(site, *server("plain", port), prefix=prefix), port)
        assert run.errors.startswith('p2e: filter "first": what the agent at ')
        assert "is not a program of p2e's" in run.errors
        if on_error == "closed":
            assert run.first == "bind: EACCES"
        else:
            assert (run.first, run.lines) == ("ready", ALL)


def after(times, send):
    """Sends so many away before, as an agent does to whom many come at once."""
    left = iter(range(times))
    return lambda connection: send(connection) if next(left, None) is None else None


def test_who_is_sent_away_asks_again(site, port):
    table = table_of(site)
    site.agent.parent.mkdir()
    answers = after(2, sender(lambda: memfd(table))), after(1, sender(pin_of("entry")(site)))
    with Liar(site.agent, *answers) as liar:
        receives(command(site, *server("plain", port)), port)
    assert [asked[2] for asked in liar.asked] == [1, 1, 1, 2, 2]


def test_what_is_asked(port):
    """The filter's name, and what the table says of it: the agent hands no program over that does not fit."""
    with published(first={"transport": "udp", "port": port, "mode": "monitor"}) as site:
        table = table_of(site)
        site.agent.parent.mkdir()
        with Liar(site.agent, sender(lambda: memfd(table)), sender(data=reply(status=NONE))) as liar:
            run = converse(command(site, *server("plain", port)), port)
        assert run.first == "bind: EACCES" and "no agent answers" in run.errors
        _, _, kind, transport, mode, name = liar.asked[-1]
        assert (kind, transport, mode, name.rstrip(b"\0")) == (2, 0, 1, b"first")


def test_a_filter_that_is_not_pinned_any_more(open_site, port):
    assert open_site.tool("remove", open_site.pin_dir, "first").returncode == 0
    with agent(open_site.agent, open_site.pin_dir):
        run = converse(command(open_site, *server("plain", port)), port)
    assert (run.first, run.lines) == ("ready", ALL)
    assert "refuses: it is published and not pinned" in run.errors
