"""A million messages at full speed, from before the server binds.

Every message that arrives obeys the rules, and none that obeys is missing beyond what the socket's own
queue had no room for. The fate of each message is known to its sender; the server checks what arrives
by protobuf-c; the filter's counters tie the two together, message by message.
"""

import array
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import uuid

import pytest

HERE = pathlib.Path(__file__).resolve().parent
COUNT = 1_000_000
MORE = 100_000  # of a second sender, at the same time
SENDER_SHIFT = 40
FATES = ["passed", "malformed", "source", "level", "secret", "codes"]
TIMEOUT = 300  # seconds; only a broken run meets it


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def numbers(line):
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


def backlog_drops():
    """Packets that the network stack dropped before any socket saw them."""
    rows = pathlib.Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(row.split()[1], 16) for row in rows)


class Flood:
    """A server that waits, and senders that do not."""

    def __init__(self, folder, programs, p2e, transport):
        self.folder, self.programs, self.p2e = folder, programs, p2e
        self.transport = transport
        self.address = str(free_port() if transport == "udp" else folder / "socket")
        self.conf = folder / "flood.conf"
        self.pins = pathlib.Path(f"/sys/fs/bpf/p2e-test-{uuid.uuid4().hex[:12]}")
        self.processes = []

    def write_conf(self):
        key = f"port = {self.address}" if self.transport == "udp" else f'path = "{self.address}"'
        text = (HERE / "flood.conf").read_text()
        text = text.replace("@ADDRESS@", f'transport = "{self.transport}"; {key};')
        self.conf.write_text(text.replace("@PINS@", str(self.pins)))
        shutil.copy(HERE / "flood.proto", self.folder)
        self.p2e("compile", "-c", self.conf)

    def start(self, command):
        process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def start_server(self, filtered):
        command = [self.programs / "flood_receive", self.address, self.folder / "arrived"]
        if filtered:
            self.write_conf()
            command = [self.p2e.path, "run", "-c", self.conf, "--", *command]
        server = self.start(command)
        assert server.stdout.readline().startswith("waiting"), "the server did not start"
        return server

    def start_sender(self, sender, count):
        fates = self.folder / f"fates{sender}"
        seed = sender + 1
        return self.start([self.programs / "flood_send", self.address, sender, count, seed, fates])

    def run(self, filtered, count, more):
        """Floods, and returns what the server says and what each sender's messages had for fates."""
        server = self.start_server(filtered)
        first = self.start_sender(0, count)
        assert first.stdout.readline() == "started\n"
        server.stdin.write("bind\n")
        server.stdin.flush()
        bound = server.stdout.readline()
        assert bound.startswith("bound"), "the server did not bind"
        second = self.start_sender(1, more)
        reports = [numbers(s.communicate(timeout=TIMEOUT)[0]) for s in (first, second)]
        assert first.returncode == 0 and second.returncode == 0
        assert reports[0]["refusals"], "the first sender was not there before the bind"
        os.kill(numbers(bound)["pid"], signal.SIGTERM)
        report = numbers(server.communicate(timeout=TIMEOUT)[0])
        return report, [(self.folder / f"fates{i}").read_bytes() for i in (0, 1)]

    def counters(self):
        (entry,) = json.loads(self.p2e("status", "-c", self.conf, "--json"))
        counts = {fate: entry.get(fate, 0) for fate in FATES}
        counts.update({rule["id"]: rule["dropped"] for rule in entry["rules"]})
        others = {reason: entry[reason] for reason in ("oversized", "aggregated", "busy")}
        return counts, others

    def arrived(self):
        """What arrived, as sets of places in each sender's row of messages."""
        sequences = array.array("Q")
        sequences.frombytes((self.folder / "arrived").read_bytes())
        places = [set(), set()]
        for sequence in sequences:
            places[sequence >> SENDER_SHIFT].add((sequence & ((1 << SENDER_SHIFT) - 1)) - 1)
        assert sum(map(len, places)) == len(sequences), "a message arrived twice"
        return places

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.pins, ignore_errors=True)


@pytest.fixture(params=["udp", "unixgram"])
def flood(request, tmp_path, programs, p2e):
    flood = Flood(tmp_path, programs, p2e, request.param)
    yield flood
    flood.stop()


def test_without_filter_the_check_finds_what_is_wrong(flood):
    report, _ = flood.run(filtered=False, count=20_000, more=1000)
    assert report["violations"] > 1000
    assert report["undecodable"] > 1000


def test_only_what_obeys_arrives_and_all_of_it(flood):
    lost_before = backlog_drops()
    report, fates = flood.run(filtered=True, count=COUNT, more=MORE)
    # Normally 0. What was lost before the socket is missing from every count.
    slack = backlog_drops() - lost_before
    counters, others = flood.counters()
    seen = sum(counters.values())

    assert report["violations"] == 0
    assert report["undecodable"] == 0
    assert not any(others.values()), others
    assert seen >= COUNT * 0.99, "the server bound too late for a flood"
    assert len(fates[0]) + len(fates[1]) >= seen

    # The filter saw all of the second sender's messages, and the last ones of the first.
    begin = len(fates[0]) - (seen - len(fates[1]))
    expected = collections.Counter(fates[0][begin:]) + collections.Counter(fates[1])
    for number, fate in enumerate(FATES):
        assert abs(counters[fate] - expected[number]) <= slack, fate

    # On UDP the socket counts what its filter dropped and what found its queue full as one.
    overflow = counters["passed"] - report["received"]
    assert overflow >= 0
    if flood.transport == "udp":
        assert overflow == report["drops"] - (seen - counters["passed"])
    else:
        assert overflow == 0

    arrived = flood.arrived()
    obeying = [
        {i for i in range(begin, len(fates[0])) if fates[0][i] == 0},
        {i for i, fate in enumerate(fates[1]) if fate == 0},
    ]
    missing = sum(len(obeys - came) for obeys, came in zip(obeying, arrived))
    unexpected = sum(len(came - obeys) for obeys, came in zip(obeying, arrived))
    assert unexpected <= slack
    assert abs(missing - overflow) <= slack
