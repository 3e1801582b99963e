"""Whoever does not ask for it does not see it: the shim is silent and changes nothing else."""

import os
import re
import select
import socket
import subprocess

import pytest
from first_byte import BUILD, ROOT, SANITIZED, SHIM
from serving import PYTHON, Run, send, server, udp_ports

CALLS = BUILD / "tests/shim/calls"

ABI = int(re.search(r"#define P2E_ABI +(\d+)", (ROOT / "bpf/abi.h").read_text()).group(1))


def test_only_the_hooks_are_exported():
    symbols = subprocess.run(
        ["nm", "--dynamic", "--defined-only", SHIM], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1] for line in symbols.splitlines()}
    assert names == {"socket", "bind", "setsockopt", "accept", "accept4"}


def test_it_needs_libc_alone():
    if SANITIZED:
        pytest.skip("a sanitized library needs its runtime")
    dynamic = subprocess.run(
        ["readelf", "--dynamic", SHIM], capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"NEEDED.*\[(.*)\]", dynamic) == ["libc.so.6"]
    assert "TEXTREL" not in dynamic


@pytest.mark.parametrize("case", ["filtered", "open"])
def test_calls_do_what_they_did(site, port, case):
    """Results, errno on success and on failure, and the numbers of descriptors."""
    if case == "open":
        site.configure(first={**site.filters["first"], "on_error": "open"})
        site.object("first").unlink()
    plain = subprocess.run([CALLS, str(port)], capture_output=True, text=True, check=True)
    with_shim = subprocess.run(
        [*site.preloaded(), CALLS, str(port)], capture_output=True, text=True, check=True
    )
    assert "errno 4242" in plain.stdout
    assert with_shim.stdout == plain.stdout
    if case == "filtered":
        assert with_shim.stderr == ""
        assert (site.pin_dir / "first").exists()  # it did filter one of them
    else:
        assert with_shim.stderr.count("goes on unfiltered") == 2  # that is, each that asks for the port


def test_a_process_that_binds_nothing_opens_and_says_nothing(site):
    command = ["sh", "-c", "echo out; echo err >&2; ls -l /proc/self/fd | wc -l"]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    done = subprocess.run([*site.preloaded(), *command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)
    assert not site.pin_dir.exists()


def test_library_calls_are_the_same(site, port):
    """As ltrace sees them: what the program calls, and what it gets."""
    if SANITIZED:
        pytest.skip("a sanitizer does not work under ltrace")
    names = ("socket", "bind", "listen", "accept", "accept4", "setsockopt", "close", "dup")
    command = ["ltrace", "-e", "+".join(f"{n}@MAIN" for n in names), CALLS, str(port)]
    traces = [
        subprocess.run(command, capture_output=True, text=True, env=env, check=False).stderr
        for env in (None, site.environment())
    ]
    if traces[0].count("calls->bind") < 5:
        pytest.skip("ltrace does not work here")
    # ltrace shows 64 bits of an int's -1; the upper 32 mean nothing.
    traces = [re.sub(r"0xffffffff\b", "-1", trace) for trace in traces]
    plain, preloaded = (re.sub(r"0x[0-9a-f]+", "ADDRESS", trace) for trace in traces)
    assert preloaded == plain


def test_no_thread_and_no_signal_handler(site, port):
    if SANITIZED:
        pytest.skip("a sanitizer has handlers of its own")
    run = Run(site.preloaded() + server("plain", port))
    other = udp_ports()
    plain = Run(server("plain", other))
    status = [
        dict(
            line.split(":\t", 1)
            for line in open(f"/proc/{r.process.pid}/status", encoding="ascii")
            if line.startswith(("Threads", "SigBlk", "SigIgn", "SigCgt"))
        )
        for r in (run, plain)
    ]
    send(port, b"end")
    send(other, b"end")
    assert status[0] == status[1]
    assert run.finish().errors == "" and plain.finish().errors == ""


def test_the_kept_descriptor_is_high_and_closes_on_exec(site, port):
    script = (
        "import os, socket, sys\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "high = [fd for fd in map(int, os.listdir('/proc/self/fd')) if fd > 100]\n"
        "print(high, [os.get_inheritable(fd) for fd in high], s.fileno())\n"
    )
    done = subprocess.run(
        [*site.preloaded(), PYTHON, "-c", script, str(port)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[512] [False] 3\n", "")


def test_a_low_limit_of_descriptors(site, port):
    run = Run(site.preloaded(["prlimit", "--nofile=64"]) + server("plain", port))
    send(port, b"A0", b"B0", b"end")
    run.finish()
    assert (run.lines, run.errors) == (["B0"], "")


# ---- Proof of life (base/live.h) ---------------------------------------------------------------------


def live(site, value, command=(CALLS, "0"), **options):
    return subprocess.run(
        [*site.preloaded(), f"P2E_LIVE={value}", *command], capture_output=True, text=True, **options
    )


def test_proof_of_life(site):
    reader, writer = os.pipe()
    done = live(site, f"{writer}:{os.fstat(writer).st_ino}", pass_fds=[writer])
    os.close(writer)
    assert re.fullmatch(rb"p2e %d \d+\n" % ABI, os.read(reader, 100))
    assert os.read(reader, 100) == b""
    os.close(reader)
    assert "LIVE unset" in done.stdout and done.stderr == ""


def test_proof_of_life_goes_nowhere_else(site):
    """The number may stand for something else by now, such as a connection of the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = live(site, f"{theirs.fileno()}:1", pass_fds=[theirs.fileno()])
        assert select.select([ours], [], [], 0)[0] == []
    assert "LIVE unset" in done.stdout


@pytest.mark.parametrize("value", ["", "x", "3", "99999:1", "-1:0", "3:"])
def test_proof_of_life_that_makes_no_sense(site, value):
    done = live(site, value)
    assert (done.returncode, done.stderr) == (0, "")
