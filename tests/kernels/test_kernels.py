"""Debian's own kernels, older than any that a developer runs: the verifier there takes our programs, and
they judge there as they do here. Each kernel is booted once, under emulation, and does what tests/kernels/
work.sh says; this machine does the same."""

import json
import os
import shutil
import socket
import subprocess

import guest
import pytest
import shapes
from first_byte import BUILD
from p2e import COMMAND, LIBRARY, Home, note

KERNELS = {"6.1": "linux-image-amd64", "6.12": "linux-image-6.12-amd64"}
LOOPBACK = BUILD / "tests/kernels/loopback"
BULK_COUNT = 1000  # messages a schema
# What is sent to a socket, and whether it arrives. The last one ends the run.
DATAGRAMS = [
    (True, note("hello")),
    (False, note("ten or more")),
    (True, note()),
    (False, note("x", 5)),
    (False, b"\x0a\x05only"),
    (True, note("text", 4, inner=note("this is not looked at", 99))),
    (False, note("x", 5, inner=bytes(5000))),
    (False, b"\xff" * 100),
    (True, note("end")),
]


# ---- Requirements --------------------------------------------------------------------------------
def need(function, *arguments):
    """Skips the test where something is missing, or fails it where nothing may be skipped."""
    try:
        return function(*arguments)
    except guest.Missing as missing:
        if os.environ.get("P2E_REQUIRE") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="module", autouse=True)
def tools():
    need(guest.check_tools)


# ---- What all kernels do -------------------------------------------------------------------------
def write_messages(home, name, lines):
    (home.folder / "messages").mkdir(exist_ok=True)
    (home.folder / "messages" / name).write_text("".join(line + "\n" for line in lines))


def describe(home, name):
    """Compiles NAME.proto to the form that needs no protoc: guests have none."""
    target = home.folder / f"{name}.desc"
    command = ["protoc", "--include_imports", f"-I{home.folder}", f"-o{target}", f"{name}.proto"]
    subprocess.run(command, cwd=home.folder, check=True)
    return target.name


def shape_filters(home, scratch):
    """Config keys by filter, to be judged only: no server is to load them."""
    filters = {}
    for number, shape in enumerate(shapes.shapes(scratch)):
        home.write(f"{shape.name}.proto", shape.text)
        write_messages(home, shape.name, shape.lines)
        filters[shape.name] = {
            "port": 1 + number,
            "program": "none",
            "schema": describe(home, shape.name),
            "message": shape.message,
            "rules": shape.rules,
        }
    return filters


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def socket_filters(home):
    port, name = free_port(), f"@p2e-test-{os.getpid()}"
    home.write("addresses", f"{port} {name}\n")
    for filter_name in ("udp", "unix"):
        write_messages(home, filter_name, [wire.hex() for _, wire in DATAGRAMS])
    schema = describe(home, "note")
    return {"udp": {"port": port, "schema": schema}, "unix": {"path": name, "schema": schema}}


def bulk_filters(home, scratch):
    """Of tests/bulk, with their own config; returns the oracle's verdicts by filter."""
    text = (shapes.ROOT / "tests/bulk/bulk.conf").read_text().replace('.proto"', '.desc"')
    home.write("bulk.conf", text)
    verdicts = {}
    for name in shapes.BULK:
        shutil.copy(shapes.ROOT / f"tests/bulk/{name}.proto", home.folder)
        describe(home, name)
        lines, verdicts[name] = shapes.bulk_messages(BUILD, name, BULK_COUNT, scratch)
        write_messages(home, name, lines)
    return verdicts


class Work:
    """A folder with all that a kernel needs to run work.sh, and what is known beforehand."""

    def __init__(self, home, scratch):
        self.folder, self.scratch = home.folder, scratch
        judged = shape_filters(home, scratch)
        home.configure(**judged, **socket_filters(home))
        self.oracle = bulk_filters(home, scratch)
        rows = [("p2e.conf", name) for name in judged] + [("bulk.conf", n) for n in self.oracle]
        self.filters = [name for _, name in rows]
        home.write("filters", "".join(f"{config} {name}\n" for config, name in rows))
        home.ok("compile", "-c", home.conf)
        home.ok("compile", "-c", home.folder / "bulk.conf")
        self.programs = [COMMAND, LIBRARY, LOOPBACK]
        for program in [*self.programs, guest.HERE / "work.sh"]:
            shutil.copy(program, self.folder)

    def run_here(self):
        out = self.scratch / "out"
        out.mkdir()
        subprocess.run(["sh", self.folder / "work.sh", out], check=True, timeout=guest.DEADLINE)
        return {path.name: path.read_text() for path in out.iterdir()}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    home = Home()
    yield Work(home, tmp_path_factory.mktemp("work"))
    home.close()


@pytest.fixture(scope="module")
def here(work):
    """What this machine's kernel made of it."""
    return work.run_here()


@pytest.fixture(scope="module", params=KERNELS)
def there(request, work, tmp_path_factory):
    """What another kernel made of it."""
    folder = tmp_path_factory.mktemp("guest")
    image = need(guest.kernel, KERNELS[request.param], BUILD / "kernels")
    guest.initramfs(work.folder, work.programs, folder / "initramfs")
    results = guest.boot(image, folder / "initramfs", work.folder, folder)
    assert results["kernel"].startswith(f"{request.param}.")
    return results


# ---- Tests ---------------------------------------------------------------------------------------
def differences(work, name, results, expected):
    """Messages of a filter with both verdicts, where they are not the same."""
    lines = (work.folder / "messages" / name).read_text().splitlines()
    assert len(lines) == len(results) == len(expected), name
    rows = zip(lines, results, expected)
    return [f"{name}: {line[:200]}: {got}, not {want}" for line, got, want in rows if got != want]


def test_this_kernel_agrees_with_the_oracle(work, here):
    """So what other kernels are compared with is right, and not one verdict for all."""
    for name in work.filters:
        verdicts = here[f"{name}.verdicts"].splitlines()
        assert here[f"{name}.errors"] == ""
        assert len(set(verdicts)) > 1, name
        if name in work.oracle:
            assert not differences(work, name, verdicts, work.oracle[name])


def test_every_filter_loads(work, there):
    refused = [there[f"{n}.errors"] for n in work.filters if there[f"{n}.errors"]]
    assert not refused, f"{len(refused)} of {len(work.filters)}:\n" + "\n".join(refused)


def test_verdicts_are_the_same(work, here, there):
    different = []
    for name in work.filters:
        got, want = (results[f"{name}.verdicts"].splitlines() for results in (there, here))
        different += differences(work, name, got, want)
    assert not different, f"{len(different)} messages:\n" + "\n".join(different[:10])


@pytest.mark.parametrize("name", ["udp", "udp-unprivileged", "unix"])
def test_a_server_receives_what_passes(there, name):
    assert there[f"{name}.errors"] == ""
    received = there[f"{name}.received"].splitlines()
    assert received == [wire.hex() for arrives, wire in DATAGRAMS if arrives]


def test_messages_are_counted(here, there):
    arrived = sum(arrives for arrives, _ in DATAGRAMS)
    for results in (here, there):
        status = {entry["filter"]: entry for entry in json.loads(results["status"])}
        for name, runs in (("udp", 2), ("unix", 1)):
            assert status[name]["passed"] == runs * arrived
            assert status[name]["dropped"] == runs * (len(DATAGRAMS) - arrived)
