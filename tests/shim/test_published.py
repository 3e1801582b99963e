"""Servers without a config and without privilege, filtered by what is published and pinned."""

import contextlib
import os
import secrets
import shutil
import subprocess

import pytest
from first_byte import NOBODY, SANITIZED, SHIM, UNPRIVILEGED, Site
from serving import ALL, GOOD, PYTHON, Run, converse, send, server, udp_ports
from unconfigured import (
    CONFIG, WITHOUT_CONFIG, is_refused, publish, published, receives, receives_by_unix, with_default_config,
)

PROGRAM = os.path.basename(os.path.realpath(PYTHON))
pytestmark = WITHOUT_CONFIG


def hide(site):
    """The config and the objects are nobody's to see."""
    site.conf.unlink()
    shutil.rmtree(site.objects)
    return site


@contextlib.contextmanager
def new_site(**filters):
    with published(**filters) as site:
        yield hide(site)


def command(site, *server_command, prefix=UNPRIVILEGED):
    return [*site.without_config(prefix, P2E_PIN_DIR=site.pin_dir), *server_command]


@pytest.fixture
def hidden(site):
    return hide(publish(site))


# ---- It filters --------------------------------------------------------------------------------------


def test_udp(hidden, port):
    receives(command(hidden, *server("plain", port)), port)


@pytest.mark.parametrize("style", ["drops_before_socket", "chroots_before_bind", "threaded"])
def test_root_needs_no_config_either(hidden, port, style):
    run = converse(
        command(hidden, *server(style, port), prefix=()), port, ends=3 if style == "threaded" else 1
    )
    assert (run.first, sorted(run.lines), run.errors) == ("ready", sorted(GOOD), "")


def test_other_ports_are_not_touched(hidden, port):
    other = udp_ports()
    receives(command(hidden, *server("plain", other)), other, ALL)


def test_a_range_of_ports(port):
    first = udp_ports(3)
    with new_site(first={"transport": "udp", "port": f"{first}-{first + 1}"}) as site:
        for at, received in (first, GOOD), (first + 1, GOOD), (first + 2, ALL):
            receives(command(site, *server("plain", at)), at, received)


def test_an_address(port):
    with new_site(first={"transport": "udp", "port": port, "address": "127.0.0.2"}) as site:
        receives(command(site, *server("plain", port)), port, ALL)
        receives(command(site, *server("everywhere", port)), port)


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


@pytest.mark.parametrize("transport, style", [("unixgram", "plain"), ("unixseq", "sequenced")])
def test_unix_sockets(unix_address, transport, style):
    with new_site(first={"transport": transport, "path": unix_address}) as site:
        receives_by_unix(command(site, *server(style, unix_address)), transport, unix_address)


@pytest.mark.parametrize("program, received", [(PROGRAM, GOOD), ("named", ALL)])
def test_a_filter_for_one_program(port, program, received):
    with new_site(first={"transport": "udp", "port": port, "program": program}) as site:
        receives(command(site, *server("plain", port)), port, received)


def test_monitor_drops_nothing(port):
    with new_site(first={"transport": "udp", "port": port, "mode": "monitor"}) as site:
        receives(command(site, *server("plain", port)), port, ALL)


def test_an_empty_table_filters_nothing(port):
    with new_site() as site:
        receives(command(site, *server("plain", port)), port, ALL)


def test_what_is_attached_is_what_is_pinned(site, port):
    """There is no text to compare: new rules under the old name are taken as they are."""
    hide(publish(site))
    site.objects.mkdir()
    site.configure(first={**site.filters["first"], "rules": ["false"]})
    site.compile(FORBIDDEN=ord("B"))
    assert site.tool("program", site.conf, "first").stdout == "pinned\n"
    site.conf.unlink()
    run = converse(command(site, *server("plain", port)), port)
    assert (run.first, run.lines) == ("ready", [m for m in ALL if m[0] not in "B\xff"])


def test_it_is_read_once(hidden, port):
    """At the start: a table that comes or goes later changes nothing."""
    script = (
        "import os, socket, sys\n"
        "os.unlink(sys.argv[1])\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', int(sys.argv[2])))\n"
        "print('ready', flush=True)\n"
        "while (m := s.recv(100)) != b'end': print(m.decode(), flush=True)\n"
    )
    table = str(hidden.pin_dir / "~published")
    run = Run(command(hidden, PYTHON, "-c", script, table, str(port), prefix=()))
    send(port, b"A0", b"B0", b"end")
    run.finish()
    assert (run.first, run.lines, run.errors) == ("ready", ["B0"], "")


def test_a_process_that_binds_nothing_opens_and_says_nothing(hidden):
    line = ["sh", "-c", "echo out; echo err >&2; ls -l /proc/self/fd | wc -l"]
    plain = subprocess.run(line, capture_output=True, text=True, check=True)
    done = subprocess.run(command(hidden, *line, prefix=()), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)


# ---- A config comes first ----------------------------------------------------------------------------


def test_a_config_wins(site, port):
    """It is about another port: this one is nobody's."""
    hide(publish(site))
    site.objects.mkdir()
    other = udp_ports()
    site.configure(first={**site.filters["first"], "port": other})
    variables = site.without_config(UNPRIVILEGED, P2E_PIN_DIR=site.pin_dir, P2E_CONFIG=site.conf)
    receives([*variables, *server("plain", port)], port, ALL)


def break_config(conf):
    conf.write_text("filters = (")


def close_config(conf):
    conf.write_text("filters = ();")
    conf.chmod(0)


@pytest.mark.parametrize(
    "prepare", [lambda conf: None, break_config, close_config], ids=["missing", "broken", "hidden"]
)
def test_a_config_that_is_named_and_unusable_is_no_reason_to_ask_the_table(hidden, port, prepare):
    prepare(hidden.conf)
    variables = hidden.without_config(
        UNPRIVILEGED, P2E_PIN_DIR=hidden.pin_dir, P2E_CONFIG=hidden.conf
    )
    assert str(hidden.conf) in is_refused([*variables, *server("plain", port)], port)


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
def test_a_config_in_its_usual_place_wins(hidden, port, prepare, received):
    prefix = with_default_config(hidden, prepare)
    if subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("no overlay file system here")
    run = converse(command(hidden, *server("plain", port), prefix=prefix), port)
    if received is None:
        assert run.first == "bind: EACCES" and CONFIG in run.errors
    else:
        assert (run.first, run.lines, run.errors) == ("ready", received, "")


def test_neither_config_nor_table(site, port):
    """As it was without the published table: the config is missed."""
    errors = is_refused(command(site, *server("plain", port)), port)
    assert errors.startswith(f"p2e: no usable config (P2E_CONFIG, else {CONFIG}): ")


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
    with new_site(first={"transport": "udp", "port": port, "on_error": "open"}) as site:
        prepare, said = TABLES[case]
        prepare(site)
        errors = is_refused(command(site, *server(style, port)), port)
        assert errors.startswith("p2e: no config, and no usable published table: ") and said in errors


def test_a_folder_that_is_not_absolute(hidden, port):
    variables = hidden.without_config(UNPRIVILEGED, P2E_PIN_DIR="p2e")
    assert 'P2E_PIN_DIR "p2e" is not absolute' in is_refused([*variables, *server("plain", port)], port)


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
    with new_site(first={"transport": "udp", "port": port, "on_error": on_error}) as site:
        prepare, said = PINS[case]
        prepare(site)
        run = converse(command(site, *server("plain", port), prefix=prefix), port)
        assert run.errors.startswith('p2e: filter "first": ') and said in run.errors
        assert run.errors.count("\n") == 1
        if on_error == "closed":
            assert run.first == "bind: EACCES"
        else:
            assert (run.first, run.lines) == ("ready", ALL)


def test_pins_of_another_transport():
    address = f"@p2e-test-{secrets.token_hex(4)}"
    with new_site(first={"transport": "unixgram", "path": address}) as site:
        pins_of(site)
        run = Run(command(site, *server("plain", address))).finish()
        assert run.first == "bind: EACCES" and "are for another transport or mode" in run.errors


def test_a_preload_that_nothing_can_be_told_from(port):
    """No table in the usual place, no agent: the library alone refuses."""
    if os.path.exists("/sys/fs/bpf/p2e/~published") or os.path.exists("/run/p2e/agent.sock") or SANITIZED:
        pytest.skip("this machine has a table, or an agent; or the preload is more than the library")
    run = converse([*UNPRIVILEGED, "env", f"LD_PRELOAD={SHIM}", *server("plain", port)], port)
    assert run.first == "bind: EACCES" and CONFIG in run.errors
