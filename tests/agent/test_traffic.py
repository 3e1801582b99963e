"""Programs that are swapped, and agents that are killed, while a preloaded server receives at full speed."""

import collections
import contextlib
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

from first_byte import NOBODY, ROOT, UNPRIVILEGED
from keeping import JUDGED, Agent, keep, verdicts
from p2e import note
from pins import Attached, agree, program_id

sys.path.insert(0, str(ROOT / "tests/shim"))
from serving import udp_ports  # noqa: E402

RECEIVER = pathlib.Path(__file__).with_name("receiver.py")
ROUNDS = 100
WINDOW = 8  # good messages that the UDP client sends ahead of the answer
# Kinds: is the number small (rule A), is the text short (rule B)?
TEXT = {"+": "%08d", "-": "%012d"}
NUMBER = {"+": 1, "-": 7}
KINDS = ["++", "+-", "-+", "--"]


def message(kind, sequence):
    return note(TEXT[kind[1]] % sequence, NUMBER[kind[0]])


class Server:
    """The receiver with the library preloaded, which is not started anew whatever happens."""

    def __init__(self, home, address, prefix=()):
        command = [*home.preloaded(prefix), sys.executable, str(RECEIVER), str(address)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", self.process.stderr.read()

    def finish(self):
        out, err = self.process.communicate(timeout=60)
        assert err == ""
        return json.loads(out)


class Client(threading.Thread):
    """Sends messages of all kinds, until it is told to stop. It counts what it sent."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        self.sent = collections.Counter()
        self.stopping = False
        self.failure = None

    def run(self):
        try:
            with self.socket() as client:
                while not self.stopping:
                    self.round(client)
                # An empty message is one that passes.
                client.sendto(b"", self.address)
        except Exception as failure:  # told where the test can see it
            self.failure = failure

    def round(self, client):
        for kind in KINDS:
            client.sendto(message(kind, self.sent["++"]), self.address)
            self.sent[kind] += 1

    def finish(self):
        self.stopping = True
        self.join()
        if self.failure:
            raise self.failure
        return self.sent


class UnixClient(Client):
    """Blocks where the receiver's queue is full: nothing overflows."""

    def socket(self):
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


class SteadyClient(UnixClient):
    """Leaves processors to others."""

    def round(self, client):
        super().round(client)
        time.sleep(0.002)


class UdpClient(Client):
    """Waits for the receiver's answers, so that its buffer never overflows."""

    def socket(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind(("127.0.0.1", 0))
        client.settimeout(30)
        return client

    def round(self, client):
        super().round(client)
        if self.sent["++"] % WINDOW == 0:
            assert int(client.recv(64)) == self.sent["++"] - 1


@contextlib.contextmanager
def traffic(home, client, address, place):
    """What has been sent and received is in the dictionary that it gives, at the end."""
    server = Server(home, place)
    sender = client(address)
    sender.start()
    end = {}
    try:
        yield end
        end["sent"] = sender.finish()
        end["received"] = server.finish()
    finally:
        sender.stopping = True
        server.process.kill()
        server.process.wait()
        sender.join()


def check(sent, received):
    """No message that breaks both rules came, each that both allow did, in order; and both rules judged."""
    counts = received["counts"]
    assert "--" not in counts
    assert received["faults"] == 0
    assert received["next"] == counts["++"] == sent["++"]
    for kind in ("+-", "-+"):
        assert 0 < counts[kind] < sent[kind]


# ---- Swaps ---------------------------------------------------------------------------------------
def reload(home, rule, **keys):
    keep(home, rule, **keys)
    assert home.ok("reload", "--no-compile") == "note: replaced\n"


def test_swaps_under_unix_traffic(home):
    home.ok("load")
    with traffic(home, UnixClient, str(home.socket), home.socket) as end:
        for i in range(ROUNDS):
            reload(home, "BA"[i % 2])
    check(**end)
    assert end["sent"]["++"] > ROUNDS


def test_swaps_under_udp_traffic(udp_home):
    """The socket's own count of drops is that of the filter: what is missing, a program dropped."""
    home, port = udp_home, udp_ports()
    keep(home, "A", port=port)
    home.ok("load")
    with traffic(home, UdpClient, ("127.0.0.1", port), port) as end:
        for i in range(ROUNDS):
            reload(home, "BA"[i % 2], port=port)
    check(**end)
    arrived = sum(end["received"]["counts"].values())
    assert end["received"]["drops"] == sum(end["sent"].values()) - arrived


# ---- Agents that are killed ----------------------------------------------------------------------
def check_mended(home, rule):
    """Nothing stale is pinned, slot and pins agree, and what judges is what is configured."""
    folder = home.pin_dir / "note"
    assert home.pinned() == ["note", "~published"]
    assert agree(folder)
    with contextlib.closing(Attached(folder)) as attached:
        assert verdicts(attached) == JUDGED[rule]


def test_agent_that_is_killed(home):
    """At random moments of reloads; each single moment has its turn in tests/loader/test_recovery.py."""
    moments = random.Random(20260101)
    home.ok("load")
    replaced = 0
    with traffic(home, SteadyClient, str(home.socket), home.socket) as end:
        for i in range(ROUNDS):
            agent = Agent(home)  # which has tidied up after the one before
            check_mended(home, "AB"[i % 2])
            keep(home, "BA"[i % 2])
            time.sleep(moments.uniform(0, 0.3))
            replaced += "replaced" in agent.end(signal.SIGKILL)[1]
        with Agent(home):
            check_mended(home, "A")
    check(**end)
    assert 0 < replaced < ROUNDS


# ---- Many servers --------------------------------------------------------------------------------
USERS = [0, NOBODY, 12345]


def test_servers_of_three_users_share_one_program(udp_home):
    home, first = udp_home, udp_ports(10)
    keep(home, "A", port=f"{first}-{first + 9}")
    home.ok("load")
    home.folder.chmod(0o755)
    judge = program_id(home.pin_dir / "note/judge")
    users = [USERS[i % len(USERS)] for i in range(10)]
    servers = [
        Server(home, first + i, [] if not user else [*UNPRIVILEGED[:1], f"--reuid={user}", *UNPRIVILEGED[2:]])
        for i, user in enumerate(users)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for i in range(10):
            for sequence in range(4):
                for kind in KINDS:
                    client.sendto(message(kind, sequence), ("127.0.0.1", first + i))
        keep(home, "B", port=f"{first}-{first + 9}")
        (state,) = home.json("status")
        assert (state["passed"], state["dropped"]) == (10 * 8, 10 * 8)
        home.ok("load", "--no-compile")
        for i in range(10):
            for kind in KINDS:
                client.sendto(message(kind, 4), ("127.0.0.1", first + i))
            client.sendto(b"", ("127.0.0.1", first + i))
    for server in servers:
        received = server.finish()
        assert received["counts"] == {"++": 5, "+-": 4, "-+": 1}
        assert (received["faults"], received["next"]) == (0, 5)
    (state,) = home.json("status")
    assert (state["passed"], state["dropped"]) == (10 * 3, 10 * 2)
    assert program_id(home.pin_dir / "note/judge") != judge
