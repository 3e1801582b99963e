"""The examples of docs/compose.md as an operator runs them: real containers, and Debian's collectd as the
server. It is as it came, and its container holds nothing of p2e's but the library."""

import json
import os
import re
import struct
import subprocess
import time

import pytest
import yaml
from first_byte import ROOT
from p2e import conf_value
from varint import varint

PAGE = (ROOT / "docs/compose.md").read_text()
SERVICES = yaml.safe_load(re.search(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)[1])["services"]
PORT = 8053
DEADLINE = 60  # seconds; only a broken run meets it

# What breaks rule A, rule B, and both.
REQUESTS = {"good": (200, 0.1), "failed": (503, 0.1), "slow": (200, 20.0), "bad": (503, 20.0)}
RULES = {
    "A": {"id": "succeeded", "expression": "status < 500u"},
    "B": {"id": "fast", "expression": "request_time < 10.0"},
}
JUDGED = {"A": {"good", "slow"}, "B": {"good", "failed"}}
REPLACED = 'p2e agent: filter "requests": replaced'


# ---- Messages ------------------------------------------------------------------------------------
def request(kind, status, seconds):
    """A pinba.Request; collectd counts it by its server name."""
    texts = b"".join(tag + varint(len(kind)) + kind.encode() for tag in (b"\x0a", b"\x12", b"\x1a"))
    numbers = b"\x20\x01\x28\x01\x30\x01"
    times = b"".join(
        tag + struct.pack("<f", value) for tag, value in ((b"\x3d", seconds), (b"\x45", 0), (b"\x4d", 0))
    )
    return texts + numbers + times + b"\x80\x01" + varint(status)


END = request("end", 200, 0.1)
MESSAGES = [
    *(request(kind, *what) for kind, what in REQUESTS.items()),
    request("good", *REQUESTS["good"])[:-1],  # its last varint is cut off
]
SEND = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for message in sys.argv[2:]:
    client.sendto(bytes.fromhex(message), ("127.0.0.1", int(sys.argv[1])))
"""


# ---- The operator's folder and containers --------------------------------------------------------
def flags(service):
    """The options of `podman run` for a service. A key that is not known here is not tried either."""
    ours = {"image", "command", "ports", "depends_on", "healthcheck", "restart"}
    many = {"cap_drop": "--cap-drop", "cap_add": "--cap-add", "security_opt": "--security-opt",
            "tmpfs": "--tmpfs", "volumes": "--volume"}
    one = {"user": "--user", "network_mode": "--network"}
    for key, value in service.items():
        if key in many:
            yield from (f"{many[key]}={item}" for item in value)
        elif key in one:
            yield f"{one[key]}={value}"
        elif key == "environment":
            yield from (f"--env={name}={text}" for name, text in value.items())
        elif key == "entrypoint":
            yield f"--entrypoint={json.dumps(value)}"
        elif key == "read_only":
            yield f"--read-only={json.dumps(value)}"
        else:
            assert key in ours, key


def replace_file(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.rename(new, path)


class Site:
    """The folder of a compose file, and the containers that run out of it."""

    def __init__(self, machine, folder):
        self.machine, self.folder = machine, folder
        (folder / "application").mkdir()
        self.config = folder / "p2e"
        self.config.mkdir()
        self.swaps = 0
        self.swap("A")
        for name in ("p2e.conf", "pinba.proto"):
            (self.config / name).symlink_to(f"..data/{name}")
        self.make_profile()
        machine.run("chmod", "a+x", "/sys/fs/bpf")

    def make_profile(self):
        command = ["jq", "--arg", "arch", {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]]
        default = "/usr/share/containers/seccomp.json"
        profile = subprocess.run(
            [*command, "-f", ROOT / "contrib/seccomp/p2e.jq", default], capture_output=True, check=True
        )
        (self.folder / "p2e-seccomp.json").write_bytes(profile.stdout)

    def podman(self, *arguments, **options):
        return self.machine.podman(*arguments, cwd=self.folder, **options)

    def close(self):
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("volume", "rm", "--all", "--force")
        self.machine.run("rm", "-rf", "/sys/fs/bpf/p2e")

    # ---- Configuration -------------------------------------------------------------------------------
    def text(self, rule, **keys):
        filters = [
            {"name": "requests", "transport": "udp", "port": PORT, "schema": "pinba.proto",
             "message": "pinba.Request", "rules": [RULES[rule]]}
        ]
        return conf_value(keys)[1:-1] + f"filters = {conf_value(filters)};\n"

    def swap(self, rule):
        """As kubelet brings a changed ConfigMap."""
        self.swaps += 1
        new = self.config / f"..{self.swaps}"
        new.mkdir()
        (new / "p2e.conf").write_text(self.text(rule))
        (new / "pinba.proto").write_text((ROOT / "tests/real/pinba.proto").read_text())
        (self.config / "..data_tmp").symlink_to(new.name)
        os.rename(self.config / "..data_tmp", self.config / "..data")

    def write(self, rule):
        """As an editor does that writes into the file."""
        (self.config / "p2e.conf").write_text(self.text(rule))

    # ---- Containers ----------------------------------------------------------------------------------
    def start(self, name, image=None, command=None, detach=True, **changes):
        """Runs a service; keys that are changed to None are left out."""
        service = {**SERVICES[name], **changes}
        service = {key: value for key, value in service.items() if value is not None}
        how = ["--detach", "--name", name] if detach else ["--rm"]
        given = service.get("command", []) if command is None else command
        self.podman("run", *how, *flags(service), image or service["image"], *given)

    def start_agent(self, **changes):
        self.start("p2e-agent", **changes)
        self.wait(self.healthy, "the agent to be healthy")

    def healthy(self):
        """What the health check says; it needs a shell."""
        assert self.inspect("p2e-agent", "State.Status") == "running", self.said("p2e-agent")
        kind, test = SERVICES["p2e-agent"]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        script = f"if {test}; then echo well; fi"
        return self.podman("exec", "p2e-agent", "sh", "-c", script) == "well\n"

    def start_application(self, **changes):
        """The server in the place of the example's; with the library alone."""
        self.start("p2e-library", detach=False)
        self.start("application", image="application", command=[], **changes)

    def said(self, name):
        """Standard error and output of a container, in lines."""
        return self.podman("logs", name, stderr=subprocess.STDOUT).splitlines()

    def inspect(self, name, what):
        return self.podman("inspect", "--format", "{{.%s}}" % what, name).strip()

    def wait(self, condition, what):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.1)

    def wait_for_line(self, line, count=1):
        self.wait(lambda: self.said("p2e-agent").count(line) >= count, f"{line!r}, {count} times")


@pytest.fixture
def site(machine, tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:2]):  # those of pytest
        folder.chmod(0o755)
    site = Site(machine, tmp_path)
    yield site
    site.close()


# ---- What reaches the server ---------------------------------------------------------------------
class Server:
    """collectd in its container: what it has counted is in files that it writes."""

    def __init__(self, site, name="application"):
        self.site = site
        self.process = site.inspect(name, "State.Pid")
        self.csv = site.machine.path(site.podman("mount", name).strip()) / "tmp/csv/host"
        site.wait(self.is_bound, "collectd to bind its port")
        self.counted = self.counts()

    def is_bound(self):
        return f":{PORT:04X} " in self.site.machine.run("cat", f"/proc/{self.process}/net/udp")

    def rows(self, kind):
        files = sorted((self.csv / f"pinba-{kind}").glob("total_requests-*"))
        lines = [line for file in files for line in file.read_text().splitlines()]
        return [int(line.split(",")[1]) for line in lines if line[0].isdigit()]

    def counts(self):
        """Once all that has been sent is counted: nothing may follow."""
        ends = (self.rows("end") or [0])[-1]
        self.send(END)
        self.site.wait(lambda: (self.rows("end") or [0])[-1] > ends, "the last message")
        seen = len(self.rows("end"))
        self.site.wait(lambda: len(self.rows("end")) >= seen + 2, "collectd to go on counting")
        return {kind: self.rows(kind)[-1] for kind in REQUESTS}

    def send(self, *messages):
        enter = ["nsenter", "--target", self.process, "--net"]
        hexes = [message.hex() for message in messages]
        self.site.machine.run(*enter, "/usr/bin/python3", "-c", SEND, PORT, *hexes)

    def arrived(self):
        """The kinds of messages that arrive; each is sent once, and a malformed one."""
        before = self.counted
        self.send(*MESSAGES)
        self.counted = self.counts()
        more = {kind: self.counted[kind] - before[kind] for kind in REQUESTS}
        assert set(more.values()) <= {0, 1}
        return {kind for kind in REQUESTS if more[kind]}


# ---- The example ---------------------------------------------------------------------------------
def test_server_without_library_gets_everything(site):
    """What the others measure by: every message, the malformed one not counted by collectd itself."""
    site.start_application(environment=None)
    assert Server(site).arrived() == set(REQUESTS)


def test_server_holds_nothing_but_the_library(site):
    site.start_agent()
    site.start_application()
    server = Server(site)
    assert server.arrived() == JUDGED["A"]
    status = site.machine.run("cat", f"/proc/{server.process}/status")
    assert re.search(r"^Uid:(\t65534){4}$", status, re.M)
    assert re.search(r"^CapBnd:\t0+$", status, re.M) and re.search(r"^CapEff:\t0+$", status, re.M)
    mounted = site.machine.run("cat", f"/proc/{server.process}/mountinfo").split("\n")
    assert [line for line in mounted if " /sys/fs/bpf ro," in line]
    environment = site.machine.run("cat", f"/proc/{server.process}/environ")
    assert "LD_PRELOAD=/p2e-library/libp2e.so" in environment and "P2E" not in environment
    assert not site.podman("exec", "application", "sh", "-c", "ls /etc | grep p2e || true")
    assert not [line for line in site.said("application") if line.startswith("p2e")]


def test_rules_are_edited_while_it_runs(site):
    site.start_agent()
    site.start_application()
    server = Server(site)
    edits = [(site.swap, "B"), (site.write, "A"), (site.write, "B"), (site.swap, "A"), (site.swap, "B")]
    for count, (edit, rule) in enumerate(edits):
        edit(rule)
        site.wait_for_line(REPLACED, count + 1)
        assert server.arrived() == JUDGED[rule]
    assert site.inspect("application", "State.Pid") == server.process


def test_agent_is_killed_and_comes_back(site):
    site.start_agent()
    site.start_application()
    server = Server(site)
    site.podman("kill", "--signal", "KILL", "p2e-agent")
    site.wait(lambda: site.inspect("p2e-agent", "State.Status") == "exited", "the agent's end")
    assert server.arrived() == JUDGED["A"]
    site.swap("B")
    assert server.arrived() == JUDGED["A"]
    site.podman("start", "p2e-agent")
    site.wait_for_line(REPLACED)
    assert server.arrived() == JUDGED["B"]
    assert site.inspect("application", "State.Pid") == server.process


def test_counters_tell_what_was_dropped(site):
    site.start_agent()
    site.start_application()
    server = Server(site)
    assert server.arrived() == JUDGED["A"]
    metrics = site.podman("exec", "p2e-agent", "p2e", "metrics").splitlines()
    for line in (
        'p2e_messages_total{filter="requests",verdict="malformed"} 1',
        'p2e_rule_drops_total{filter="requests",rule="succeeded"} 2',
        'p2e_filter_up{filter="requests"} 1',
    ):
        assert line in metrics
    (state,) = json.loads(site.podman("exec", "p2e-agent", "p2e", "status", "--json"))
    assert (state["state"], state["dropped"], state["malformed"]) == ("pinned", 3, 1)


# ---- Other ways ----------------------------------------------------------------------------------
def volumes(name, without=(), added=()):
    kept = [each for each in SERVICES[name]["volumes"] if each.split(":")[1] not in without]
    return [*kept, *added]


BY_SOCKET = {
    "volumes": volumes("application", ["/sys/fs/bpf"], ["p2e-run:/run/p2e:ro"]),
    "security_opt": ["no-new-privileges"],  # and the runtime's own seccomp profile
}


def test_by_the_agents_socket_under_the_runtimes_own_profile(site):
    site.start_agent()
    site.start_application(**BY_SOCKET)
    server = Server(site)
    assert re.search(r"^Seccomp:\t2$", site.machine.run("cat", f"/proc/{server.process}/status"), re.M)
    assert not site.podman("exec", "application", "ls", "/sys/fs/bpf")
    assert server.arrived() == JUDGED["A"]
    site.swap("B")
    site.wait_for_line(REPLACED)
    assert server.arrived() == JUDGED["B"]


def test_runtimes_own_profile_refuses_bpf(site):
    """So that the test before this one proves something, and the pages are right."""
    site.start_agent()
    site.start_application(security_opt=BY_SOCKET["security_opt"])
    site.wait(lambda: "p2e: " in "".join(site.said("application")), "the library's complaint")
    said = "\n".join(site.said("application"))
    assert "bpf(2)" in said and "seccomp" in said


def test_server_that_is_started_before_the_agent(site):
    """It binds nothing."""
    site.start_application()
    site.wait(lambda: "p2e: " in "".join(site.said("application")), "the library's complaint")
    process = site.inspect("application", "State.Pid")
    if process != "0":
        assert f":{PORT:04X} " not in site.machine.run("cat", f"/proc/{process}/net/udp")


def test_small_image_with_objects_that_were_compiled_before(site):
    (site.config / "objects").mkdir()
    replace_file(site.config / "p2e.conf", site.text("A", object_dir="objects"))
    site.podman("run", "--rm", "--volume=./p2e:/etc/p2e", "p2e-compiler", "compile")
    site.start_agent(image="p2e", command=[*SERVICES["p2e-agent"]["command"], "--no-compile"])
    site.start_application()
    assert Server(site).arrived() == JUDGED["A"]


def test_commands_without_compose(site):
    """As they stand on the page."""
    (block,) = re.findall(r"^## Without compose\n\n(.*?)^\S", PAGE, re.M | re.S)
    library, agent, application = re.split(r"\n(?=    podman)", block.rstrip())
    site.machine.run("sh", "-ec", library, cwd=site.folder)
    site.machine.run("sh", "-ec", agent, cwd=site.folder)
    site.wait(site.healthy, "the agent to be healthy")
    site.machine.run("sh", "-ec", application, cwd=site.folder)
    assert Server(site).arrived() == JUDGED["A"]
