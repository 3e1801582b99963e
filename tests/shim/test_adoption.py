"""Sockets that were bound before the process began, with messages in their queues already."""

import re

import pytest
from first_byte import UNPRIVILEGED, Site
from serving import ALL, MESSAGES, PYTHON, SERVERS, Run, send, server


def encode(message):
    """A long one is a byte many times over: an argument has its limits."""
    alike = len(set(message)) == 1
    return f"{message[:1].hex()}*{len(message)}" if alike else f"{message.hex()}*1"


def adopt(site, how, address, messages, ends=True, command=None, prefix=()):
    env = site.environment()
    env["LATER_PRELOAD"] = env.pop("LD_PRELOAD")
    descriptor = {"inetd": 0, "stream": 4}.get(how, 3)
    waiting = ",".join(map(encode, messages))
    launcher = [*prefix, PYTHON, str(SERVERS / "activate.py"), how, str(address), waiting]
    run = Run([*launcher, *(command or []), *server("inherited", descriptor)], env=env)
    if run.first == "ready" and ends:
        target = "\0" + address[1:] if isinstance(address, str) else address
        send(target, b"A later", b"B later", b"end")
    return run.finish()


@pytest.mark.parametrize("how", ["listen", "inetd", "stream"])
@pytest.mark.parametrize(
    "waiting, left",
    [
        ([], []),
        ([b"B0", b"B1"], ["B0", "B1"]),
        ([b"", b"B0", b"", b""], ["", "B0", "", ""]),
        ([b"A0"], []),
        ([b"A0", b"A1", b"B0", b"B1"], ["B0", "B1"]),
        ([b"B0", b"A0", b"B1"], ["B1"]),
        ([b"B" * 60000, b"A" * 60000, b"C" * 65000], ["C" * 65000]),
        ([b"B%d" % i for i in range(100)], [f"B{i}" for i in range(100)]),
    ],
    ids=["none", "good", "empty", "bad", "bad first", "bad amid", "large", "many"],
)
def test_what_waits_is_judged(site, port, how, waiting, left):
    """What would be dropped goes, with all before it; what is behind it, or unharmed, stays."""
    run = adopt(site, how, port, waiting)
    assert (run.first, run.lines, run.errors) == ("ready", [*left, "B later"], "")


@pytest.mark.parametrize("how", ["peeked", "walked"])
@pytest.mark.parametrize(
    "waiting, left",
    [
        ([b"", b"", b"B0"], ["", "", "B0"]),
        ([b"", b"A0", b"", b"B0"], ["", "B0"]),
        ([b"B0", b"", b"", b"A0", b"B1"], ["B1"]),
    ],
    ids=["good", "behind one", "behind several"],
)
def test_what_was_peeked_at_is_judged(site, port, how, waiting, left):
    """The kernel does not show an empty message again: it counts all the same."""
    run = adopt(site, how, port, waiting)
    assert (run.first, run.lines, run.errors) == ("ready", [*left, "B later"], "")


@pytest.mark.parametrize("how", ["listen", "inetd"])
def test_unix_datagrams(how):
    site = Site(first={"transport": "unixgram", "path": "@p2e-adopted"}).compile()
    try:
        waiting = [b"B0", b"B" * 70000, b"A0", b"C0", b"C1"]
        run = adopt(site, how, "@p2e-adopted", waiting)
        assert (run.first, run.lines, run.errors) == ("ready", ["C0", "C1", "B later"], "")
    finally:
        site.close()


def test_a_sequenced_listener():
    """Nothing is attached to it; its program is there when the first connection comes."""
    site = Site(first={"transport": "unixseq", "path": "@p2e-adopted"}).compile()
    try:
        run = adopt(site, "sequenced", "@p2e-adopted", [], ends=False, command=["true"])
        assert (run.errors, (site.pin_dir / "first").exists()) == ("", True)
        site.object("first").unlink()
        (site.pin_dir / "first" / "entry").unlink()
        run = adopt(site, "sequenced", "@p2e-adopted", [], ends=False, command=["true"])
        assert run.process.returncode == 111
    finally:
        site.close()


def test_what_cannot_be_judged_goes(site, port):
    """Without loopback there is no way to ask the program."""
    run = adopt(site, "lonely", port, [b"B0"], False, ["timeout", "3"], ["unshare", "--net"])
    assert (run.first, run.lines, run.errors) == ("ready", [], "")


def test_what_udp_gro_may_have_joined_goes(site, port):
    run = adopt(site, "gro", port, [b"B0", b"B1"])
    assert (run.first, run.lines, run.errors) == ("ready", ["B later"], "")


def test_descriptors_of_another_process_are_left_alone(site, port):
    run = adopt(site, "stranger", port, [b"A0", b"B0"])
    assert (run.lines, run.errors) == (["A0", "B0", "A later", "B later"], "")


def test_other_sockets_are_left_alone(site, port):
    site.configure(first={"transport": "udp", "port": 9})
    run = adopt(site, "listen", port, [b"A0", b"B0"])
    assert (run.lines, run.errors) == (["A0", "B0", "A later", "B later"], "")


def test_monitor_mode_leaves_all(site, port):
    site.configure(first={"transport": "udp", "port": port, "mode": "monitor"})
    site.compile()
    run = adopt(site, "listen", port, [b"A0", b"B0"])
    assert (run.lines, run.errors) == (["A0", "B0", "A later", "B later"], "")


def test_adopted_once_along_a_chain_of_programs(site, port):
    """env runs sh, which runs the server: each loads the shim, and has the same process id."""
    chain = ["env", "X=1", "sh", "-c", 'exec "$@"', "sh"]
    run = adopt(site, "listen", port, [b"A0", b"B0"], command=chain)
    assert (run.first, run.lines, run.errors) == ("ready", ["B0", "B later"], "")


@pytest.mark.parametrize("how", ["listen", "inetd"])
@pytest.mark.parametrize("prefix", [(), UNPRIVILEGED])
def test_closed_a_process_that_cannot_be_filtered_does_not_start(site, port, how, prefix):
    if not prefix:
        site.object("first").unlink()
    run = adopt(site, how, port, [b"B0"], prefix=prefix)
    assert (run.first, run.lines, run.process.returncode) == ("", [], 111)
    assert re.fullmatch(r'p2e: filter "first": .*; the socket is refused\n', run.errors)


def test_open_it_starts_unfiltered_with_a_line(site, port):
    site.configure(first={"transport": "udp", "port": port, "on_error": "open"})
    site.object("first").unlink()
    run = adopt(site, "listen", port, MESSAGES)
    assert (run.first, run.lines) == ("ready", [*ALL, "A later", "B later"])
    assert run.errors.count("\n") == 1 and "goes on unfiltered" in run.errors


def test_without_a_config_it_does_not_start(site, port):
    site.conf.unlink()
    run = adopt(site, "listen", port, [])
    assert (run.first, run.process.returncode) == ("", 111)
    assert "no usable config" in run.errors
