"""Servers of many kinds, none of which knows of p2e, get only what the filter passes."""

import os
import shutil
import subprocess
import time

import pytest
from first_byte import SANITIZED, UNPRIVILEGED, Site
from serving import GOOD, PYTHON, SERVERS, Run, converse, send, server, udp_ports

STYLES = [
    "plain",
    "forking",
    "preforking",
    "threaded",
    "socketserver_udp",
    "asyncio_udp",
    "drops_after_bind",
    "drops_before_bind",
    "chroots_before_bind",
    "closes_everything_before_bind",
    "daemonizes",
    "passes_on",
    "executes",
    "everywhere",
]
ENDS = {"preforking": 3, "threaded": 3}


@pytest.mark.parametrize("style", STYLES)
def test_python(site, port, style):
    run = converse(site.preloaded() + server(style, port), port, ENDS.get(style, 1))
    assert (run.first, sorted(run.lines), run.errors) == ("ready", GOOD, "")


@pytest.mark.parametrize("style", STYLES)
def test_the_servers_themselves_take_all(port, style):
    """Without the shim every message arrives: what is missing above, the filter dropped."""
    run = converse(server(style, port), port, ENDS.get(style, 1))
    assert (run.first, len(run.lines), run.errors) == ("ready", 6, "")


def test_node(site, port):
    if not shutil.which("node") or SANITIZED:
        pytest.skip("node is not installed, or the shim is sanitized")
    run = converse([*site.preloaded(), "node", str(SERVERS / "dgram.js"), str(port)], port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_java_binds_mapped_addresses(site, port):
    if not shutil.which("java") or SANITIZED:
        pytest.skip("java is not installed, or the shim is sanitized")
    site.configure(first={"transport": "udp", "port": port, "address": "127.0.0.1"})
    run = converse([*site.preloaded(), "java", str(SERVERS / "Datagram.java"), str(port)], port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_without_privilege_where_it_is_pinned(site, port):
    converse(site.preloaded() + server("plain", port), port)
    site.object("first").unlink()
    run = converse(site.preloaded(UNPRIVILEGED) + server("plain", port), port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_privileges_dropped_before_the_socket_where_it_is_pinned(site, port):
    converse(site.preloaded() + server("plain", port), port)
    run = converse(site.preloaded() + server("drops_before_socket", port), port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_threads_that_bind_at_once_keep_one_descriptor():
    port = udp_ports(8)
    site = Site(first={"transport": "udp", "port": f"{port}-{port + 7}"}).compile()
    try:
        run = Run(site.preloaded() + server("many_threads_bind", port))
        for i in range(8):
            send(port + i, b"A", b"B%d" % i, b"end")
        run.finish()
        assert (run.lines, run.errors) == ([*(f"B{i}" for i in range(8)), "kept 1"], "")
    finally:
        site.close()


@pytest.mark.parametrize("address", ["@p2e-first", "{folder}/first.sock", "first.sock"])
def test_unix_datagrams(address):
    """Abstract, by its path, and by a path relative to the working directory."""
    site = Site()
    try:
        path = address.format(folder=site.folder)
        claimed = path if path[0] in "@/" else f"{site.folder}/{path}"
        site.configure(first={"transport": "unixgram", "path": claimed})
        site.compile()
        target = "\0" + path[1:] if path[0] == "@" else claimed
        run = converse(site.preloaded() + server("plain", path), target, cwd=site.folder)
        assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")
    finally:
        site.close()


def test_a_path_in_a_folder_reached_through_a_link():
    site = Site()
    try:
        (site.folder / "real").mkdir()
        (site.folder / "link").symlink_to("real")
        claimed = f"{site.folder}/real/first.sock"
        site.configure(first={"transport": "unixgram", "path": claimed})
        site.compile()
        path = f"{site.folder}/link/first.sock"
        run = converse(site.preloaded() + server("plain", path), path)
        assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")
    finally:
        site.close()


def test_a_port_that_the_kernel_chooses():
    site = Site(first={"transport": "udp", "port": "1-65535"}).compile()
    try:
        run = Run(site.preloaded() + server("late", 0))
        send(int(run.first.split()[1]), b"A0", b"B0", b"end")
        run.finish()
        assert (run.lines, run.errors) == (["B0"], "")
    finally:
        site.close()


def test_a_chosen_port_that_no_filter_claims(site):
    run = Run(site.preloaded() + server("late", 0))
    send(int(run.first.split()[1]), b"A0", b"B0", b"end")
    run.finish()
    assert (run.lines, run.errors) == (["A0", "B0"], "")


def test_other_ports_are_left_alone(site):
    other = udp_ports()
    run = converse(site.preloaded() + server("plain", other), other)
    assert (len(run.lines), run.errors) == (6, "")


@pytest.mark.parametrize("filtered", [True, False])
def test_a_filter_for_a_program(site, port, filtered):
    program = os.path.basename(os.path.realpath("/usr/bin/python3")) if filtered else "another"
    site.configure(first={"transport": "udp", "port": port, "program": program})
    run = converse(site.preloaded() + server("plain", port), port)
    assert (run.lines == GOOD) == filtered
    assert run.errors == ""


def test_a_filter_for_a_program_that_was_replaced(site, port):
    """An upgrade, and the server executes itself anew: the kernel knows its old name."""
    site.configure(first={"transport": "udp", "port": port, "program": "srv"})
    copy = shutil.copy(os.path.realpath(PYTHON), site.folder / "srv")
    env = site.environment(PYTHONHOME="/usr")
    env = {**env, "LATER_PRELOAD": env.pop("LD_PRELOAD")}
    command = [PYTHON, str(SERVERS / "replaced.py"), copy, *server("plain", port)[1:]]
    run = converse(command, port, env=env)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_monitor_mode_passes_all(site, port):
    site.configure(first={"transport": "udp", "port": port, "mode": "monitor"})
    run = converse(site.preloaded() + server("plain", port), port)
    assert (len(run.lines), run.errors) == (6, "")


def test_a_failed_bind_leaves_the_socket_as_it_was(site, port):
    run = Run(site.preloaded() + server("twice", port))
    before = [run.first]
    while before[-1] not in ("ready", ""):
        before.append(run.line())
    send(port, b"A0", b"B0", b"end")
    run.finish()
    assert [*before, *run.lines] == [
        "EADDRINUSE",
        "gro 1 lock 0 filter 0",
        "gro 0",
        "set 1: ENOPROTOOPT",
        "set 0",
        "detach: EPERM",
        "ready",
        "B0",
    ]
    assert run.errors == ""


@pytest.mark.parametrize("prefix", [[], UNPRIVILEGED], ids=["root", "nobody"])
def test_a_new_socket_gets_what_is_pinned_by_then(port, prefix):
    """The other one keeps what it has: nothing, for its slot is empty."""
    site = Site(first={"transport": "udp", "port": f"{port}-{port + 1}"}).compile()
    try:
        assert site.tool("program", site.conf, "first").stdout == "pinned\n"
        run = Run(site.preloaded(prefix) + server("binds_two", port), stdin=subprocess.PIPE)
        assert site.tool("remove", site.pin_dir, "first").returncode == 0
        assert site.tool("program", site.conf, "first").stdout == "pinned\n"
        run.tell("go\n")
        assert (run.first, run.line()) == ("ready", "ready")
        send(port, b"B0")
        send(port + 1, b"A1", b"B1", b"end")
        run.finish()
        assert (run.lines, run.errors) == (["B1", "first: nothing"], "")
    finally:
        site.close()


LATE_FIRST_SOCKET = """
import socket, sys
print("begun", flush=True); sys.stdin.readline()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: s.bind(("127.0.0.1", int(sys.argv[1]))); print("ready", flush=True)
except OSError as error: sys.exit(f"bind {error.errno}")
while (m := s.recv(100)) != b"end": print(m.decode(), flush=True)
"""


def start_before_a_change(site, port, prefix, change):
    """A server that reads its configuration, and gets its first socket when that is another one."""
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    command = [*site.preloaded(prefix), PYTHON, "-c", LATE_FIRST_SOCKET, str(port)]
    run = Run(command, stdin=subprocess.PIPE)
    change(site)
    run.tell("go\n")
    if run.line() == "ready":
        send(port, b"A0", b"B0", b"end")
    return run.finish()


def pin_other_rules(site):
    site.configure(first={**site.filters["first"], "rules": ["false"]})
    site.compile(FORBIDDEN=ord("B"))
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"


def pin_monitor_mode(site):
    site.configure(first={**site.filters["first"], "mode": "monitor"})
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"


def pin_and_change_the_config_once_more(site):
    pin_other_rules(site)
    site.configure(first={**site.filters["first"], "rules": ["true", "false"]})


def pin_and_hide_the_config(site):
    pin_other_rules(site)
    site.conf.unlink()


@pytest.mark.parametrize("prefix", [[], UNPRIVILEGED], ids=["root", "nobody"])
@pytest.mark.parametrize("change, received",
                         [(pin_other_rules, ["A0"]), (pin_monitor_mode, ["A0", "B0"])])
def test_a_configuration_that_was_read_before_it_changed(site, port, prefix, change, received):
    run = start_before_a_change(site, port, prefix, change)
    assert (run.lines, run.errors) == (received, "")
    assert site.tool("program", site.conf, "first").stdout == "pin\n"  # it has changed nothing back


@pytest.mark.parametrize("prefix", [[], UNPRIVILEGED], ids=["root", "nobody"])
@pytest.mark.parametrize("change", [pin_and_change_the_config_once_more, pin_and_hide_the_config])
def test_a_configuration_that_is_not_what_is_pinned(site, port, prefix, change):
    """Neither the old one nor the new one."""
    run = start_before_a_change(site, port, prefix, change)
    assert run.lines == [] and "bind 13" in run.errors
    assert "where that was done since this process began, start it again" in run.errors


def test_replacing_the_pinned_program_reaches_sockets_that_are_attached(site, port):
    run = Run(site.preloaded() + server("plain", port))
    send(port, b"A0", b"B0")
    site.configure(first={"transport": "udp", "port": port, "rules": ["false"]})
    site.compile(FORBIDDEN=66)
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    send(port, b"A1", b"B1", b"end")
    run.finish()
    assert (run.lines, run.errors) == (["B0", "A1"], "")


def test_another_program_in_the_place_of_ours_is_noticed(site, port):
    """It is a socket filter, and it passes what ours drops: only its id tells."""
    site.configure(**site.filters, other={"transport": "udp", "port": udp_ports()})
    site.compile("other", FORBIDDEN=66)
    assert site.tool("program", site.conf, "other").stdout == "pinned\n"
    command = [*site.preloaded(), f"OTHER_PIN={site.pin_dir}/other/entry"]
    run = converse(command + server("swaps_descriptors_before_bind", port), port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


def test_a_pin_of_another_transport_closes_sockets_that_are_attached(site, port):
    """Its program looks for the message elsewhere in the packet: it must not judge theirs."""
    run = Run(site.preloaded() + server("plain", port))
    site.configure(first={"transport": "unixgram", "path": "@p2e-first"})
    site.compile()
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    send(port, b"A0", b"B0", b"end")
    time.sleep(0.2)
    run.process.kill()
    run.finish()
    assert (run.lines, run.errors) == ([], "")
