"""Debian's collectd, fed by php's pinba extension, filtered: neither of them changed.

collectd's pinba plugin receives bare protobuf messages over UDP and counts requests by view; what
reached it is read off the files that its csv plugin writes.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import uuid

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / os.environ.get("P2E_BUILD", "build")
PHP = "php8.2"
COLLECTD = "/usr/sbin/collectd"
PLUGINS = pathlib.Path("/usr/lib/collectd")
DEADLINE = 30  # seconds; only a broken run meets it

COLLECTD_CONF = """
Hostname "host"
FQDNLookup false
Interval 0.2
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
PluginDir "{plugins}"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin csv
LoadPlugin pinba
<Plugin csv>
  DataDir "{folder}/csv"
  StoreRates false
</Plugin>
<Plugin pinba>
  Address "127.0.0.1"
  Port "{port}"
  <View "all">
  </View>
  <View "shop">
    Server "shop"
  </View>
  <View "intranet">
    Server "intranet"
  </View>
</Plugin>
"""

P2E_CONF = """
object_dir = "{folder}/objects";
pin_dir = "{pins}";
filters = (
  {{
    name = "pinba";
    transport = "udp";
    port = {port};
    schema = "{schema}";
    message = "pinba.Request";
    rules = ( {rules} );
  }}
);
"""


def missing():
    """What this test needs and the machine has not, as one sentence; None when all is there."""
    if not shutil.which(PHP) or not has_pinba():
        return "php's pinba extension is missing: apt-get install php8.2-cli php8.2-pinba"
    if not os.access(COLLECTD, os.X_OK) or not (PLUGINS / "pinba.so").exists():
        return "collectd is missing: apt-get install collectd-core"
    return None


def has_pinba():
    check = 'exit(extension_loaded("pinba") ? 0 : 1);'
    return subprocess.run([PHP, "-r", check], check=False).returncode == 0


@pytest.fixture(autouse=True)
def packages():
    reason = missing()
    if reason and os.environ.get("P2E_REQUIRE") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def php(port, code):
    """Runs php with pinba sending to `port`."""
    settings = {"enabled": 1, "auto_flush": 0, "server": f"127.0.0.1:{port}"}
    options = [word for key, value in settings.items() for word in ("-d", f"pinba.{key}={value}")]
    subprocess.run([PHP, *options, "-r", code], check=True, timeout=DEADLINE)


def send_requests(port, server_name, count):
    php(
        port,
        f'pinba_server_name_set("{server_name}");'
        f'for ($i = 0; $i < {count}; $i++) pinba_flush("/index.php");',
    )


def send_request(port, server_name, status=200, seconds=0.1):
    """One request as a PinbaClient reports it for another process."""
    php(
        port,
        f'$c = new PinbaClient(["127.0.0.1:{port}"]); $c->setHostname("web1");'
        f'$c->setServername("{server_name}"); $c->setScriptname("/"); $c->setRequestCount(1);'
        f"$c->setStatus({status}); $c->setRequestTime({seconds}); $c->setRusage([0.1, 0.1]);"
        f"$c->setDocumentSize(1); $c->setMemoryPeak(1); $c->send();",
    )


def capture(server_name):
    """A datagram as the extension sends it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(DEADLINE)
        send_requests(receiver.getsockname()[1], server_name, 1)
        return receiver.recv(65535)


def send_malformed(port):
    """What no protobuf parser should accept, each with the server name that is let through."""
    good = capture("shop")
    bad = [
        good[:-1],  # the last varint is cut off
        good[:9],  # within a string
        good + b"\x00\x01",  # field number 0
        good + b"\x0a\x7f",  # a string longer than the message
        good + b"\x80\x01" + b"\xff" * 10 + b"\x01",  # a varint of eleven bytes
        b"\x12\x04shop",  # required fields are missing
        b"\xff" * 64,
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for message in bad:
            sender.sendto(message, ("127.0.0.1", port))
    return len(bad)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


class Collectd:
    """One collectd on a port of its own, with or without p2e before it."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None
        self.conf = folder / "collectd.conf"
        self.p2e_conf = folder / "p2e.conf"
        self.pins = pathlib.Path(f"/sys/fs/bpf/p2e-test-{uuid.uuid4().hex[:12]}")
        self.conf.write_text(
            COLLECTD_CONF.format(folder=folder, plugins=PLUGINS, port=self.port)
        )

    def start(self, rules=None):
        command = [COLLECTD, "-f", "-C", self.conf]
        if rules is not None:
            self.write_p2e_conf(rules)
            command = [BUILD / "p2e", "run", "-c", self.p2e_conf, "--", *command]
        self.process = subprocess.Popen(command)
        wait_for(self.is_bound, "collectd to bind its port")

    def write_p2e_conf(self, rules):
        text = P2E_CONF.format(
            folder=self.folder,
            pins=self.pins,
            port=self.port,
            schema=HERE / "pinba.proto",
            rules=", ".join(json.dumps(rule) for rule in rules),
        )
        self.p2e_conf.write_text(text)

    def is_bound(self):
        assert self.process.poll() is None, "collectd ended early"
        return f" 0100007F:{self.port:04X} " in pathlib.Path("/proc/net/udp").read_text()

    def rows(self, view):
        """Lines of the csv file of a view's request count, the oldest first."""
        files = sorted((self.folder / "csv/host" / f"pinba-{view}").glob("total_requests-*"))
        lines = [line for file in files for line in file.read_text().splitlines()]
        return [line.split(",")[1] for line in lines if line[0].isdigit()]

    def requests(self, view):
        rows = self.rows(view)
        return int(rows[-1]) if rows else 0

    def settle(self, expected):
        """Waits for `expected` requests, and then for two rows more: nothing may follow."""
        wait_for(lambda: self.requests("all") >= expected, f"{expected} requests in collectd")
        seen = len(self.rows("all"))
        wait_for(lambda: len(self.rows("all")) >= seen + 2, "collectd to go on counting")

    def counters(self):
        status = subprocess.run(
            [BUILD / "p2e", "status", "-c", self.p2e_conf, "--json"],
            check=True,
            capture_output=True,
            text=True,
        )
        (entry,) = json.loads(status.stdout)
        return entry

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(DEADLINE)
        shutil.rmtree(self.pins, ignore_errors=True)


@pytest.fixture
def collectd(tmp_path):
    server = Collectd(tmp_path)
    yield server
    server.stop()


def test_without_filter_every_request_arrives(collectd):
    collectd.start()
    send_requests(collectd.port, "intranet", 70)
    send_requests(collectd.port, "shop", 50)
    collectd.settle(120)
    assert collectd.requests("intranet") == 70
    assert collectd.requests("shop") == 50
    assert collectd.requests("all") == 120


def test_only_one_server_name_arrives(collectd):
    collectd.start(['server_name == "shop"'])
    send_requests(collectd.port, "intranet", 70)
    malformed = send_malformed(collectd.port)
    send_requests(collectd.port, "shopping", 5)
    send_requests(collectd.port, "shop", 50)
    collectd.settle(50)
    assert collectd.requests("intranet") == 0
    assert collectd.requests("shop") == 50
    assert collectd.requests("all") == 50
    counters = collectd.counters()
    assert counters["passed"] == 50
    assert counters["malformed"] == malformed


def test_numbers_are_judged_too(collectd):
    collectd.start(["status < 500u", "request_time < 10.0"])
    send_request(collectd.port, "shop", status=503)
    send_request(collectd.port, "intranet", seconds=10.5)
    send_request(collectd.port, "intranet", status=499, seconds=9.5)
    send_request(collectd.port, "shop")
    collectd.settle(2)
    assert collectd.requests("intranet") == 1
    assert collectd.requests("shop") == 1
