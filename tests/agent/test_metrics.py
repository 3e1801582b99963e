"""Metrics: the text, what it counts, health, and the server that tells them."""

import contextlib
import http.client
import os
import re
import socket
import subprocess

import pytest
from exposition import Exposition
from first_byte import BUILD, NOBODY, ROOT, UNPRIVILEGED
from p2e import COMMAND, RULES, Home, note

SERVER = BUILD / "tests/agent/metrics_server"
HOLDER = """
import socket, sys
held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
held.bind(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""
MIX = [note("short", 4)] * 3 + [note("0123456789")] * 2 + [note("", 5)] + [b"\x0a\x05ab"] * 4
MIX += [b"\x0a\xf0\xa2\x04" + b"x" * 70000]
VERDICTS = {"passed": 3, "malformed": 4, "oversized": 1, "aggregated": 0, "busy": 0}
NAMES = [
    "p2e_build_info", "p2e_filter_info", "p2e_filter_up", "p2e_messages_total", "p2e_rule_drops_total",
]


@pytest.fixture
def home():
    home = Home()
    yield home
    home.close()


@pytest.fixture
def compiled(home):
    """A home whose object is up to date."""
    return home.compile_all()


@contextlib.contextmanager
def filtered(home):
    """A server that has the home's socket, filtered; what is pinned stays after it."""
    home.socket.unlink(missing_ok=True)
    process = subprocess.Popen(
        [COMMAND, "run", "/usr/bin/python3", "-c", HOLDER, str(home.socket)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=home.env(),
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.communicate(timeout=60)


def send(path, *messages):
    """A UNIX datagram is judged before its sender goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        for message in messages:
            client.sendto(message, str(path))


def metrics(home, **options):
    return Exposition(home.ok("metrics", text=False, **options))


class Served:
    """The server of metrics, on a port that the kernel chooses."""

    def __init__(self, home, listen="0"):
        self.process = subprocess.Popen(
            [SERVER, home.conf, listen], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=home.env(),
        )

    def __enter__(self):
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        _, said = self.process.communicate(timeout=60)
        assert (self.process.returncode, said) == (0, "")

    def connect(self, host="127.0.0.1"):
        return http.client.HTTPConnection(host, self.port, timeout=60)

    def ask(self, path, method="GET", host="127.0.0.1", body=None):
        with contextlib.closing(self.connect(host)) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def reload(self, result):
        self.process.stdin.write(result + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "counted\n"


@pytest.fixture
def served(compiled):
    with Served(compiled) as served:
        yield served


# ---- The text ------------------------------------------------------------------------------------
def test_before_anything_is_loaded(home):
    told = metrics(home)
    assert list(told.types) == NAMES
    assert told.samples["p2e_filter_up"] == [({"filter": "note"}, 0)]
    for name in ("p2e_filter_info", "p2e_messages_total", "p2e_rule_drops_total"):
        assert told.samples[name] == []


def test_counts_of_traffic(compiled):
    with filtered(compiled):
        send(compiled.socket, *MIX)
    told = metrics(compiled)
    assert told.values("p2e_messages_total", "verdict", filter="note") == VERDICTS
    assert told.values("p2e_rule_drops_total", "rule", filter="note") == {"short": 2, "small": 1}
    assert told.values("p2e_filter_up", "filter") == {"note": 1}
    ((info, one),) = told.samples["p2e_filter_info"]
    assert one == 1 and re.fullmatch("[0-9a-f]{64}", info.pop("digest"))
    assert info == {"filter": "note", "transport": "unixgram", "message": "test.Note", "mode": "enforce"}


def test_version_is_that_of_the_package(home):
    ((labels, one),) = metrics(home).samples["p2e_build_info"]
    assert one == 1 and home.ok("--version") == f"p2e {labels['version']}\n"
    changelog = (ROOT / "debian/changelog").read_text()
    assert changelog.startswith(f"p2e ({labels['version']}) ")


def test_same_state_same_text(compiled):
    compiled.configure(note={}, b={"path": "@b"}, a={"path": "@a"})
    compiled.compile_all()
    with filtered(compiled):
        send(compiled.socket, *MIX)
    text = compiled.ok("metrics", text=False)
    assert text == compiled.ok("metrics", text=False)
    told = Exposition(text)
    assert list(told.values("p2e_filter_up", "filter")) == ["note", "b", "a"]
    assert list(told.values("p2e_rule_drops_total", "rule", filter="a")) == ["short", "small"]


def test_label_values_are_escaped(home):
    """Ids of annotations are whatever their author wrote."""
    buf = ROOT / "tests/data/buf"
    home.write("note.proto", 'syntax = "proto3";\npackage test;\n'
               'import "buf/validate/validate.proto";\n'
               'message Note { string text = 1 [(buf.validate.field).cel = {\n'
               r'  id: "a\"b\\c\nd\xff" expression: "this.size() < 10" }]; }' "\n")
    home.configure(note={"rules": None, "include": [str(find_include(buf))]})
    home.compile_all()
    with filtered(home):
        send(home.socket, note("0123456789"), note("x"))
    raw = home.ok("metrics", text=False)
    assert rb'rule="text:a\"b\\c\nd' in raw
    (rule,) = Exposition(raw).values("p2e_rule_drops_total", "rule")
    assert rule == 'text:a"b\\c\nd\N{REPLACEMENT CHARACTER}'
    assert Exposition(raw).values("p2e_messages_total", "verdict")["passed"] == 1


def find_include(folder):
    (path,) = folder.rglob("validate.proto")
    return path.parent.parent.parent


def test_rules_of_one_id_are_one_series(home):
    home.write("note.proto", 'syntax = "proto3";\npackage test;\n'
               'import "buf/validate/validate.proto";\nmessage Note {\n'
               '  option (buf.validate.message).cel = { id: "same" expression: "this.text != \'a\'" };\n'
               '  option (buf.validate.message).cel = { id: "same" expression: "this.number != 7" };\n'
               '  string text = 1;\n  int32 number = 2;\n}\n')
    home.configure(note={"rules": None, "include": [str(find_include(ROOT / "tests/data/buf"))]})
    home.compile_all()
    with filtered(home):
        send(home.socket, note("a"), note("b", 7), note("b", 7), note("b"))
    assert metrics(home).samples["p2e_rule_drops_total"] == [({"filter": "note", "rule": "same"}, 3)]


def test_monitor_mode(compiled):
    compiled.configure(note={"mode": "monitor"})
    with filtered(compiled):
        send(compiled.socket, note("0123456789"))
    told = metrics(compiled)
    assert told.values("p2e_filter_info", "mode") == {"monitor": 1}
    assert told.values("p2e_rule_drops_total", "rule") == {"short": 1, "small": 0}


def test_without_privilege_counters_are_left_out(compiled):
    with filtered(compiled):
        send(compiled.socket, *MIX)
    told = metrics(compiled, prefix=UNPRIVILEGED)
    assert told.values("p2e_filter_up", "filter") == {"note": 1}
    assert told.samples["p2e_messages_total"] == told.samples["p2e_rule_drops_total"] == []


def test_output_file(home):
    path = home.folder / "p2e.prom"
    path.write_text("old")
    assert home.ok("metrics", "-o", path) == ""
    assert path.read_bytes() == home.ok("metrics", text=False)
    assert "cannot" in home.fails("metrics", "-o", home.folder / "none" / "p2e.prom")


# ---- What is up ----------------------------------------------------------------------------------
def why_not_up(home):
    """Health's line of the one filter; None when all is well."""
    with Served(home) as served:
        status, _, text = served.ask("/healthz")
    assert metrics(home).values("p2e_filter_up", "filter") == {"note": int(status == 200)}
    if status == 200:
        assert text == b"ok\n"
        return None
    assert status == 503 and text.startswith(b"note: ") and text.count(b"\n") == 1
    return text.decode()


def test_health(compiled):
    assert "not pinned" in why_not_up(compiled)
    with filtered(compiled):
        assert why_not_up(compiled) is None
    assert why_not_up(compiled) is None


def test_health_without_filters(home):
    home.conf.write_text("filters = ();\n")
    with Served(home) as served:
        assert served.ask("/healthz")[0] == 200


def test_health_names_each_filter(home):
    home.configure(a={"path": "@a"}, b={"path": "@b"})
    with Served(home) as served:
        status, _, text = served.ask("/healthz")
    assert status == 503 and [line.split(b":")[0] for line in text.splitlines()] == [b"a", b"b"]


@pytest.mark.parametrize(
    "change,said", [({"rules": RULES[:1]}, "other rules"), ({"mode": "monitor"}, "another mode")]
)
def test_pinned_filter_of_another_config(compiled, change, said):
    with filtered(compiled):
        pass
    compiled.configure(note=change)
    assert said in why_not_up(compiled)


def test_pinned_filter_of_an_older_schema(compiled):
    """Counters of what is pinned are told all the same."""
    with filtered(compiled):
        send(compiled.socket, *MIX)
    proto = compiled.folder / "note.proto"
    proto.write_text(proto.read_text().replace("Note inner = 3", "Note inner = 4"))
    compiled.compile_all()
    assert "an older schema" in why_not_up(compiled)
    assert metrics(compiled).values("p2e_messages_total", "verdict") == VERDICTS


def test_object_that_is_not_whole_says_nothing(compiled):
    with filtered(compiled):
        pass
    os.truncate(compiled.object("note"), 1000)
    assert why_not_up(compiled) is None


def test_pins_that_are_not_trusted(compiled):
    with filtered(compiled):
        pass
    os.chown(compiled.pin_dir, NOBODY, NOBODY)
    assert "not trusted" in why_not_up(compiled)
    assert metrics(compiled).samples["p2e_messages_total"] == []


def test_replaced_filter_counts_anew(compiled):
    with filtered(compiled):
        send(compiled.socket, *MIX)
    compiled.configure(note={"rules": [{"id": "other", "expression": "number < 5"}]})
    compiled.compile_all()
    with filtered(compiled):
        send(compiled.socket, note("", 5))
    told = metrics(compiled)
    assert told.values("p2e_messages_total", "verdict")["passed"] == 0
    assert told.values("p2e_rule_drops_total", "rule") == {"other": 1}


# ---- The server ----------------------------------------------------------------------------------
def test_served_text_is_the_command_s(compiled, served):
    with filtered(compiled):
        send(compiled.socket, *MIX)
    status, headers, text = served.ask("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert text.startswith(compiled.ok("metrics", text=False))


def test_counters_are_read_at_each_request(compiled, served):
    with filtered(compiled):
        for sent in range(1, 4):
            send(compiled.socket, note())
            told = Exposition(served.ask("/metrics")[2])
            assert told.values("p2e_messages_total", "verdict")["passed"] == sent


def test_reloads(served):
    def told():
        return Exposition(served.ask("/metrics")[2]).values("p2e_reloads_total", "result")

    assert told() == {"success": 0, "failure": 0}
    served.reload("success")
    served.reload("failure")
    served.reload("success")
    assert told() == {"success": 2, "failure": 1}


def test_connection_is_kept(served):
    with contextlib.closing(served.connect()) as connection:
        for _ in range(3):
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            assert response.status == 200 and not response.will_close
            Exposition(response.read())


def test_head(served):
    status, headers, text = served.ask("/metrics", "HEAD")
    assert (status, text) == (200, b"") and int(headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(served, method):
    status, headers, _ = served.ask("/metrics", method, body="x" if method == "POST" else None)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metric", "/healthz/../metrics", "/../../etc/passwd"])
def test_other_paths_are_not_there(served, path):
    assert served.ask(path)[0] == 404


def test_no_usable_config(home):
    with Served(home) as served:
        home.conf.write_text("filters = 1;\n")
        for path, expected in (("/metrics", 500), ("/healthz", 503)):
            status, _, text = served.ask(path)
            assert status == expected and str(home.conf).encode() in text


def test_long_header_is_refused(served):
    with contextlib.closing(served.connect()) as connection:
        connection.request("GET", "/metrics", headers={"X": "x" * 100000})
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert connection.getresponse().status >= 400
    assert served.ask("/metrics")[0] == 200


def test_connections_are_bounded(served):
    """What is over the bound is shut out; once the others are gone there is room again."""
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 60))
            idle.sendall(b"GET /")
        more = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 60))
        more.settimeout(1)
        with contextlib.suppress(ConnectionError):
            more.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert not answered(more)
    assert served.ask("/metrics")[0] == 200


def test_idle_connection_is_closed(served):
    with socket.create_connection(("127.0.0.1", served.port), 60) as idle:
        idle.sendall(b"GET /metrics HTTP/1.1\r\n")
        idle.settimeout(60)
        while idle.recv(1000):
            pass  # an answer that says so, or none


def test_slow_ones_do_not_keep_others_out(served):
    """A line of a header now and then is no idleness. Who is over the bound waits in the queue."""
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 60)) for _ in range(16)
        ]
        for one in slow:
            one.sendall(b"GET /metrics HTTP/1.1\r\n")
        more = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 60))
        more.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        more.settimeout(3)
        for _ in range(15):
            for one in slow:
                with contextlib.suppress(ConnectionError):
                    one.sendall(b"X-Slow: x\r\n")
            with contextlib.suppress(TimeoutError):
                assert more.recv(1) == b"H"
                return
        pytest.fail("no answer")


def answered(connection):
    try:
        return connection.recv(1) != b""
    except (TimeoutError, ConnectionError):
        return False


# ---- Where it listens ----------------------------------------------------------------------------
def listeners(port):
    told = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True)
    return [line.split()[3] for line in told.stdout.splitlines()]


@pytest.mark.parametrize(
    "listen,address",
    [("0", "127.0.0.1"), (":0", "127.0.0.1"), ("127.0.0.2:0", "127.0.0.2"), ("[::1]:0", "[::1]")],
)
def test_listens_there_alone(home, listen, address):
    with Served(home, listen) as served:
        assert listeners(served.port) == [f"{address}:{served.port}"]
        assert served.ask("/metrics", host=address.strip("[]"))[0] == 200


def refused(home, listen):
    server = Served(home, listen)
    output, said = server.process.communicate(timeout=60)
    assert (server.process.returncode, output) == (1, "")
    return said


def test_address_is_taken(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(home, f"127.0.0.1:{port}")
    assert said == f"cannot listen on 127.0.0.1:{port} for metrics: Address already in use; choose another port\n"


@pytest.mark.parametrize(
    "listen",
    ["", ":", "127.0.0.1:", "localhost:80", "::1:80", "[::1:80", "[::1]x:80", "[]:80", "70000", "127.0.0.1:65536",
     "127.0.0.1:http", "-1", "127.0.0.1:+1"],
)
def test_not_an_address(home, listen):
    assert refused(home, listen).startswith(f'"{listen}" is not an address to listen on; ')
