"""What the agent serves: the published table, programs by a socket, metrics."""

import contextlib
import http.client
import secrets
import socket
import subprocess

import pytest
from first_byte import NO_BPFFS, UNPRIVILEGED
from keeping import BREAKS_A, BREAKS_B, GOOD, Agent, HeldClang, keep, replace_file

SERVER = """
import socket, sys
served = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
served.bind("\\0" + sys.argv[1])
print("ready", flush=True)
while True:
    print(served.recv(100).hex(), flush=True)
"""
REPLACED = 'filter "note": replaced'


@pytest.fixture
def name():
    return f"p2e-test-{secrets.token_hex(4)}"


@contextlib.contextmanager
def serving(home, name, prefix, **variables):
    """A server of no privilege, without a configuration."""
    command = [*home.without_config(prefix, **variables), "/usr/bin/python3", "-c", SERVER, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == "ready\n", server.stderr.read()
            yield server
        finally:
            server.kill()


def arrives(server, name, message, last=GOOD):
    """Does the message arrive? The one after it does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect("\0" + name)
        for each in (message, last):
            with contextlib.suppress(PermissionError):
                client.send(each)
    first = server.stdout.readline().strip()
    if first == message.hex():
        assert server.stdout.readline().strip() == last.hex()
        return True
    assert first == last.hex()
    return False


def check_followed(home, name, agent, server):
    assert not arrives(server, name, BREAKS_A) and arrives(server, name, BREAKS_B)
    keep(home, "B", path="@" + name)
    assert agent.line() == REPLACED
    assert arrives(server, name, BREAKS_A) and not arrives(server, name, BREAKS_B)


def test_servers_find_the_published_table(home, name):
    keep(home, "A", path="@" + name)
    with Agent(home) as agent:
        assert agent.line() == 'filter "note": loaded'
        with serving(home, name, UNPRIVILEGED, P2E_PIN_DIR=str(home.pin_dir)) as server:
            check_followed(home, name, agent, server)


def test_servers_without_bpffs_are_handed_their_program(home, name):
    keep(home, "A", path="@" + name)
    path = str(home.folder / "run" / "agent.sock")
    with Agent(home, "--socket", path) as agent:
        assert agent.line() == 'filter "note": loaded'
        with serving(home, name, [*NO_BPFFS, *UNPRIVILEGED], P2E_AGENT_SOCKET=path) as server:
            check_followed(home, name, agent, server)


def test_servers_that_start_while_it_compiles(home, name):
    """By what is in force still."""
    keep(home, "A", path="@" + name)
    path, port = str(home.folder / "run" / "agent.sock"), free_port()
    clang = HeldClang(home)
    with Agent(home, "--socket", path, "--metrics", str(port), prefix=clang.prefix) as agent:
        assert agent.line() == 'filter "note": loaded'
        keep(home, "B", path="@" + name, rules=["size(text) < 9"])
        clang.wait()
        with serving(home, name, [*NO_BPFFS, *UNPRIVILEGED], P2E_AGENT_SOCKET=path) as server:
            assert not arrives(server, name, BREAKS_A) and arrives(server, name, BREAKS_B)
            assert get(port, "/healthz")[0] == 200
            clang.go()
            assert agent.line() == REPLACED
            assert arrives(server, name, BREAKS_A) and not arrives(server, name, BREAKS_B)


def test_the_table_follows_the_configuration(home, name):
    """A filter that has moved is found where it is now, and no longer where it was."""
    keep(home, "A", path="@elsewhere")
    with Agent(home) as agent:
        assert agent.line() == 'filter "note": loaded'
        keep(home, "B", path="@" + name)
        assert agent.line() == REPLACED
        with serving(home, name, UNPRIVILEGED, P2E_PIN_DIR=str(home.pin_dir)) as server:
            assert not arrives(server, name, BREAKS_B)


def without_filters(home):
    return f'pin_dir = "{home.pin_dir}";\nfilters = ();\n'


def test_the_last_filter_is_gone(home, name):
    """Servers that start then are not filtered any more, and not refused."""
    keep(home, "A", path="@" + name)
    with Agent(home) as agent:
        assert agent.line() == 'filter "note": loaded'
        replace_file(home.conf, without_filters(home))
        assert agent.line().startswith('filter "note" is pinned and not in ')
        agent.drain()
        with serving(home, name, UNPRIVILEGED, P2E_PIN_DIR=str(home.pin_dir)) as server:
            assert arrives(server, name, BREAKS_A)


def test_no_filters_from_the_begin(home, name):
    replace_file(home.conf, without_filters(home))
    path = str(home.folder / "run" / "agent.sock")
    with Agent(home, "--socket", path):
        with serving(home, name, [*NO_BPFFS, *UNPRIVILEGED], P2E_AGENT_SOCKET=path) as server:
            assert arrives(server, name, BREAKS_A)


def test_a_socket_that_cannot_be(home):
    error = home.fails("agent", "--socket", "/dev/null/agent.sock")
    assert error.startswith("p2e agent: ") and "/dev/null" in error


# ---- Metrics -------------------------------------------------------------------------------------
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode().splitlines()


def test_metrics_count_reloads(home):
    port = free_port()
    with Agent(home, "--metrics", str(port)) as agent:
        assert agent.line() == 'filter "note": loaded'
        status, lines = get(port, "/metrics")
        assert status == 200 and 'p2e_filter_up{filter="note"} 1' in lines
        assert 'p2e_reloads_total{result="success"} 0' in lines
        keep(home, "B")
        assert agent.line() == REPLACED
        assert agent.told().startswith("RELOADING=1") and agent.told() == "READY=1"
        home.conf.write_text("nonsense")
        assert "all stays as it was" in agent.line()
        assert agent.told().startswith("RELOADING=1") and agent.told() == "READY=1"
        lines = get(port, "/metrics")[1]
        assert 'p2e_reloads_total{result="success"} 1' in lines
        assert 'p2e_reloads_total{result="failure"} 1' in lines
        assert get(port, "/healthz")[0] == 200


@pytest.mark.parametrize("listen", ["0", "127.0.0.1:0", "[::1]:00"])
def test_a_port_that_nobody_would_know(home, listen):
    error = home.fails("agent", "--metrics", listen, status=2)
    assert error.startswith(f"p2e agent: --metrics takes a port from 1 to 65535, not {listen}\n")


def test_an_address_that_is_taken(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = home.fails("agent", "--metrics", str(taken.getsockname()[1]))
    assert error.startswith("p2e agent: ")
