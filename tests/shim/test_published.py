"""Servers without a config and without privilege, filtered by what is published and pinned."""

import os
import secrets
import shutil
import socket
import subprocess

import pytest
from first_byte import NOBODY, SANITIZED, SHIM, UNPRIVILEGED, Site
from serving import (
    ALL, GOOD, MESSAGES, PYTHON, Run, converse, send, server, udp_ports, with_default_config,
)

CONFIG = "/etc/p2e/p2e.conf"
PROGRAM = os.path.basename(os.path.realpath(PYTHON))
pytestmark = pytest.mark.skipif(os.path.exists(CONFIG), reason="this machine has a config")


def publish(site):
    """Pins all filters and publishes them, as root does; the config is then nobody's to see."""
    for name in site.filters:
        assert site.tool("program", site.conf, name).returncode == 0
    assert site.tool("publish", site.conf).stdout == ""
    site.conf.unlink()
    shutil.rmtree(site.objects)


def command(site, *server_command, prefix=UNPRIVILEGED):
    return [*site.without_config(prefix, P2E_PIN_DIR=site.pin_dir), *server_command]


@pytest.fixture
def published(site):
    publish(site)
    return site


def new_site(**filters):
    site = Site(**filters).compile()
    publish(site)
    return site


# ---- It filters --------------------------------------------------------------------------------------


def test_udp(published, port):
    run = converse(command(published, *server("plain", port)), port)
    assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")


@pytest.mark.parametrize("style", ["drops_before_socket", "chroots_before_bind", "threaded"])
def test_root_needs_no_config_either(published, port, style):
    run = converse(
        command(published, *server(style, port), prefix=()), port, ends=3 if style == "threaded" else 1
    )
    assert (run.first, sorted(run.lines), run.errors) == ("ready", sorted(GOOD), "")


def test_other_ports_are_not_touched(published, port):
    other = udp_ports()
    run = converse(command(published, *server("plain", other)), other)
    assert (run.first, run.lines, run.errors) == ("ready", ALL, "")


def test_a_range_of_ports(port):
    first = udp_ports(3)
    site = new_site(first={"transport": "udp", "port": f"{first}-{first + 1}"})
    try:
        for at, received in (first, GOOD), (first + 1, GOOD), (first + 2, ALL):
            run = converse(command(site, *server("plain", at)), at)
            assert (run.first, run.lines, run.errors) == ("ready", received, "")
    finally:
        site.close()


def test_an_address(port):
    site = new_site(first={"transport": "udp", "port": port, "address": "127.0.0.2"})
    try:
        run = converse(command(site, *server("plain", port)), port)
        assert (run.first, run.lines, run.errors) == ("ready", ALL, "")
        run = converse(command(site, *server("everywhere", port)), port)
        assert (run.first, run.lines, run.errors) == ("ready", GOOD, "")
    finally:
        site.close()


def unix_name(address):
    return "\0" + address[1:] if address[0] == "@" else address


@pytest.fixture(params=["@p2e-test-{unique}", "{folder}/open/socket"])
def unix_address(request, tmp_path):
    tmp_path.chmod(0o755)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    for parent in list(tmp_path.parents)[:3]:
        if parent.owner() == "root" and str(parent) != "/tmp":
            parent.chmod(0o755)
    return request.param.format(unique=secrets.token_hex(4), folder=tmp_path)


def test_unix_datagrams(unix_address):
    site = new_site(first={"transport": "unixgram", "path": unix_address})
    try:
        run = Run(command(site, *server("plain", unix_address)))
        assert run.first == "ready"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            for message in [*MESSAGES, b"end"]:
                client.sendto(message, unix_name(unix_address))
        run.finish()
        assert (run.lines, run.errors) == (GOOD, "")
    finally:
        site.close()


def test_unix_sequenced_packets(unix_address):
    site = new_site(first={"transport": "unixseq", "path": unix_address})
    try:
        run = Run(command(site, *server("sequenced", unix_address)))
        assert run.first == "ready"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(unix_name(unix_address))
            assert run.line() == "accepted"
            for message in [*MESSAGES, b"end"]:
                client.send(message)
            run.finish()
        assert (run.lines, run.errors) == (GOOD, "")
    finally:
        site.close()


@pytest.mark.parametrize("program, received", [(PROGRAM, GOOD), ("named", ALL)])
def test_a_filter_for_one_program(port, program, received):
    site = new_site(first={"transport": "udp", "port": port, "program": program})
    try:
        run = converse(command(site, *server("plain", port)), port)
        assert (run.first, run.lines, run.errors) == ("ready", received, "")
    finally:
        site.close()


def test_monitor_drops_nothing(port):
    site = new_site(first={"transport": "udp", "port": port, "mode": "monitor"})
    try:
        run = converse(command(site, *server("plain", port)), port)
        assert (run.first, run.lines, run.errors) == ("ready", ALL, "")
    finally:
        site.close()


def test_an_empty_table_filters_nothing(port):
    site = new_site()
    try:
        run = converse(command(site, *server("plain", port)), port)
        assert (run.first, run.lines, run.errors) == ("ready", ALL, "")
    finally:
        site.close()


def test_what_is_attached_is_what_is_pinned(site, port):
    """There is no text to compare: new rules under the old name are taken as they are."""
    publish(site)
    site.objects.mkdir()
    site.configure(first={**site.filters["first"], "rules": ["false"]})
    site.compile(FORBIDDEN=ord("B"))
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    site.conf.unlink()
    run = converse(command(site, *server("plain", port)), port)
    assert (run.first, run.lines) == ("ready", [m for m in ALL if m[0] not in "B\xff"])


def test_it_is_read_once(published, port):
    """At the start: a table that comes or goes later changes nothing."""
    script = (
        "import os, socket, sys\n"
        "os.unlink(sys.argv[1])\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', int(sys.argv[2])))\n"
        "print('ready', flush=True)\n"
        "while (m := s.recv(100)) != b'end': print(m.decode(), flush=True)\n"
    )
    table = str(published.pin_dir / "~published")
    run = Run(command(published, PYTHON, "-c", script, table, str(port), prefix=()))
    send(port, b"A0", b"B0", b"end")
    run.finish()
    assert (run.first, run.lines, run.errors) == ("ready", ["B0"], "")


def test_a_process_that_binds_nothing_opens_and_says_nothing(published):
    line = ["sh", "-c", "echo out; echo err >&2; ls -l /proc/self/fd | wc -l"]
    plain = subprocess.run(line, capture_output=True, text=True, check=True)
    done = subprocess.run(command(published, *line, prefix=()), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)


# ---- A config comes first ----------------------------------------------------------------------------


def test_a_config_wins(site, port):
    """It is about another port: this one is nobody's."""
    publish(site)
    site.objects.mkdir()
    other = udp_ports()
    site.configure(first={**site.filters["first"], "port": other})
    variables = site.without_config(UNPRIVILEGED, P2E_PIN_DIR=site.pin_dir, P2E_CONFIG=site.conf)
    run = converse([*variables, *server("plain", port)], port)
    assert (run.first, run.lines, run.errors) == ("ready", ALL, "")


def break_config(conf):
    conf.write_text("filters = (")


def close_config(conf):
    conf.write_text("filters = ();")
    conf.chmod(0)


@pytest.mark.parametrize(
    "prepare", [lambda conf: None, break_config, close_config], ids=["missing", "broken", "hidden"]
)
def test_a_config_that_is_named_and_unusable_is_no_reason_to_ask_the_table(published, port, prepare):
    prepare(published.conf)
    variables = published.without_config(
        UNPRIVILEGED, P2E_PIN_DIR=published.pin_dir, P2E_CONFIG=published.conf
    )
    run = converse([*variables, *server("plain", port)], port)
    assert run.first == "bind: EACCES"
    assert str(published.conf) in run.errors and run.errors.endswith("; the socket is refused\n")


def close_folder(conf):
    conf.parent.chmod(0)


@pytest.mark.parametrize(
    "prepare, received",
    [
        (lambda conf: conf.write_text("filters = ();"), ALL),
        (break_config, None),
        (close_config, None),
        (close_folder, None),
        (lambda conf: conf.symlink_to("/nonexistent"), None),
        (lambda conf: conf.write_text('@include "missing"\nfilters = ();'), None),
    ],
    ids=["empty", "broken", "hidden", "folder hidden", "dangling", "includes nothing"],
)
def test_a_config_in_its_usual_place_wins(published, port, prepare, received):
    prefix = with_default_config(published, prepare)
    if subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("no overlay file system here")
    run = converse(command(published, *server("plain", port), prefix=prefix), port)
    if received is None:
        assert run.first == "bind: EACCES" and CONFIG in run.errors
    else:
        assert (run.first, run.lines, run.errors) == ("ready", received, "")


def test_neither_config_nor_table(site, port):
    """As it was without the published table: the config is missed."""
    run = converse(command(site, *server("plain", port)), port)
    assert run.first == "bind: EACCES"
    assert run.errors.startswith(f"p2e: no usable config (P2E_CONFIG, else {CONFIG}): ")


# ---- What cannot be trusted --------------------------------------------------------------------------


def no_table_of_ours(site):
    (site.pin_dir / "~published").unlink()
    path = site.folder / "forged"
    path.write_bytes(b"x" * 100)
    assert site.tool("forge", site.pin_dir / "~published", path, "p2e_published").returncode == 0
    (site.pin_dir / "~published").chmod(0o444)


def a_program(site):
    os.rename(site.pin_dir / "first" / "entry", site.pin_dir / "~published")


def a_link(site):
    os.rename(site.pin_dir / "~published", site.pin_dir / "~other")
    (site.pin_dir / "~published").symlink_to("~other")


def a_strangers_folder(site):
    os.chown(site.pin_dir, 12345, 12345)


def a_strangers_table(site):
    os.chown(site.pin_dir / "~published", 12345, 12345)


TABLES = {
    "bytes": (no_table_of_ours, "does not hold a published table"),
    "a program": (a_program, "is not p2e's: not trusted"),
    "a link": (a_link, "is not a pin of root's: not trusted"),
    "a stranger's folder": (a_strangers_folder, "belongs to user 12345"),
    "a stranger's table": (a_strangers_table, "is not a pin of root's: not trusted"),
}


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("style", ["plain", "late"])
def test_a_table_that_is_not_trusted(port, case, style):
    """What it says of on_error is not known then: nothing is bound."""
    site = new_site(first={"transport": "udp", "port": port, "on_error": "open"})
    prepare, said = TABLES[case]
    try:
        prepare(site)
        run = converse(command(site, *server(style, port)), port)
        assert run.first == "bind: EACCES"
        assert run.errors.startswith("p2e: no config, and no usable published table: ")
        assert said in run.errors and run.errors.count("\n") == 1
        assert run.errors.endswith("; the socket is refused\n")
    finally:
        site.close()


def test_a_folder_that_is_not_absolute(published, port):
    variables = published.without_config(UNPRIVILEGED, P2E_PIN_DIR="p2e")
    run = converse([*variables, *server("plain", port)], port)
    assert run.first == "bind: EACCES" and 'P2E_PIN_DIR "p2e" is not absolute' in run.errors


def pins_gone(site):
    assert site.tool("remove", site.pin_dir, "first").returncode == 0


def pins_of_a_stranger(site):
    os.chown(site.pin_dir / "first", NOBODY - 1, NOBODY - 1)


def pins_linked(site):
    os.rename(site.pin_dir / "first", site.pin_dir / "~first")
    (site.pin_dir / "first").symlink_to("~first")


def entry_exchanged(site):
    (site.pin_dir / "first" / "entry").unlink()
    os.rename(site.pin_dir / "first" / "judge", site.pin_dir / "first" / "entry")


def pins_of_another_filter(site):
    other = Site(other={"transport": "udp", "port": 9}).compile()
    shutil.rmtree(site.pin_dir / "first")
    other.pin_dir = site.pin_dir
    other.configure(**other.filters)
    assert other.tool("program", other.conf, "other").stdout == "pinned\n"
    os.rename(site.pin_dir / "other", site.pin_dir / "first")
    shutil.rmtree(other.folder)


def pins_of(site, **keys):
    site.objects.mkdir()
    site.configure(first={"transport": "udp", "port": 9, **keys})
    shutil.rmtree(site.pin_dir / "first")
    site.compile()
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    site.conf.unlink()
    shutil.rmtree(site.objects)


def pins_of_another_mode(site):
    pins_of(site, mode="monitor")


def pins_of_another_abi(site):
    meta = site.pin_dir / "first" / "meta"
    meta.unlink()
    path = site.folder / "meta"
    path.write_bytes(b"p2e1" + (7).to_bytes(4, "little") + bytes(100))
    assert site.tool("forge", meta, path, ".rodata.meta").returncode == 0
    meta.chmod(0o444)


PINS = {
    "gone": (pins_gone, "is published and not pinned"),
    "a stranger's": (pins_of_a_stranger, "not trusted"),
    "a link": (pins_linked, "not trusted"),
    "another program": (entry_exchanged, "is not p2e's"),
    "another filter's": (pins_of_another_filter, 'are filter "other": not trusted'),
    "another mode": (pins_of_another_mode, "are for another transport or mode"),
    "another ABI": (pins_of_another_abi, "is of ABI 7"),
}


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ()], ids=["nobody", "root"])
@pytest.mark.parametrize("on_error", ["closed", "open"])
@pytest.mark.parametrize("case", PINS)
def test_pins_that_are_not_what_is_published(port, case, on_error, prefix):
    """Root could load another program, and does not."""
    site = new_site(first={"transport": "udp", "port": port, "on_error": on_error})
    prepare, said = PINS[case]
    try:
        prepare(site)
        run = converse(command(site, *server("plain", port), prefix=prefix), port)
        assert run.errors.startswith('p2e: filter "first": ') and said in run.errors
        assert run.errors.count("\n") == 1
        if on_error == "closed":
            assert run.first == "bind: EACCES"
        else:
            assert (run.first, run.lines) == ("ready", ALL)
    finally:
        site.close()


def test_pins_of_another_transport():
    address = f"@p2e-test-{secrets.token_hex(4)}"
    site = new_site(first={"transport": "unixgram", "path": address})
    try:
        pins_of(site)
        run = Run(command(site, *server("plain", address))).finish()
        assert run.first == "bind: EACCES" and "are for another transport or mode" in run.errors
    finally:
        site.close()


def test_a_preload_that_nothing_can_be_told_from(port):
    """No table in the usual place, no agent: the library alone refuses."""
    if os.path.exists("/sys/fs/bpf/p2e/~published") or os.path.exists("/run/p2e/agent.sock") or SANITIZED:
        pytest.skip("this machine has a table, or an agent; or the preload is more than the library")
    run = converse([*UNPRIVILEGED, "env", f"LD_PRELOAD={SHIM}", *server("plain", port)], port)
    assert run.first == "bind: EACCES" and CONFIG in run.errors
