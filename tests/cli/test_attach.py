"""p2e attach and detach: filters on the sockets of servers that run already, without the library."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from first_byte import NOBODY, ROOT, ROOT_WITHOUT_BPF, SANITIZED, UNPRIVILEGED
from p2e import COMMAND, Home, note
from running import CLASSIC, LOCK, UDP_GRO, Running, free_port

MARKS = "~attached"  # in each pin folder: what p2e attach --no-lock has attached
SPEAKING = {"rules": [{"id": "speaks", "expression": "size(text) > 0"}]}
GOOD, ALSO_GOOD, BAD, MALFORMED = note("short", 4), note("fine"), note("0123456789"), b"\x0a\x05ab"

# Prints each message that it receives, in hex, as a static binary.
STATIC = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    struct sockaddr_in address = {AF_INET, htons(atoi(argv[argc - 1])), {htonl(INADDR_LOOPBACK)}, {0}};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned char message[2048];
    ssize_t size;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
        return 1;
    puts("ready");
    fflush(stdout);
    while ((size = recv(fd, message, sizeof(message), 0)) > 0) {
        for (ssize_t i = 0; i < size; i++)
            printf("%02x", message[i]);
        puts("");
        fflush(stdout);
    }
}
"""


def send(target, *messages):
    family = socket.AF_INET if isinstance(target, int) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        for message in messages:
            client.sendto(message, ("127.0.0.1", target) if isinstance(target, int) else str(target))


def hexes(*messages):
    return " ".join(message.hex() for message in messages)


def attach(home, server, *more, **options):
    return home.ok("attach", "--pid", server.pid, *more, **options)


def refused(home, server, *more, verb="attach", **options):
    return home.fails(verb, "--pid", server.pid, *more, **options)


def filtering(home):
    return [row["filtering"] for entry in home.json("status") for row in entry["sockets"]]


@pytest.fixture
def port():
    return free_port()


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Objects of a filter "note", by kind of socket."""
    folder = tmp_path_factory.mktemp("objects")
    for kind, keys in {"udp": {"port": 9}, "unix": {}}.items():
        home = Home(note=keys).compile_all()
        shutil.copy(home.object("note"), folder / kind)
        home.close()
    return folder


@pytest.fixture(scope="module")
def speaking_object(tmp_path_factory):
    """Of a filter that drops what says nothing, and so the empty message."""
    home = Home(note=SPEAKING).compile_all()
    kept = tmp_path_factory.mktemp("speaking") / "note"
    shutil.copy(home.object("note"), kept)
    home.close()
    return kept


@pytest.fixture
def speaking(home, speaking_object):
    home.configure(note=SPEAKING)
    shutil.copy(speaking_object, home.object("note"))
    return home


@pytest.fixture
def unix(home, objects):
    shutil.copy(objects / "unix", home.object("note"))
    return home


@pytest.fixture
def udp(home, port, objects):
    home.configure(note={"port": port})
    shutil.copy(objects / "udp", home.object("note"))
    return home


# ---- What is attached ----------------------------------------------------------------------------
def test_udp(udp, port):
    with Running("udp", port) as server:
        said = attach(udp, server)
        assert said == f'process {server.pid} (python3), fd 3, 0.0.0.0:{port}: filter "note" attached\n'
        send(port, BAD, GOOD, MALFORMED, ALSO_GOOD)
        assert server.ask("time.sleep(0.1), queued()") == f"(None, '{hexes(GOOD, ALSO_GOOD)}')"
        assert filtering(udp) == ["filtered"]
        (entry,) = udp.json("status")
        assert (entry["passed"], entry["dropped"]) == (2, 2)


def test_udp_on_ipv6(udp, port):
    with Running("udp6", port) as server:
        assert f"[::]:{port}: filter" in attach(udp, server)
        send(port, BAD, GOOD)
        assert server.ask("s.recv(100).hex()") == GOOD.hex()


def test_unix_datagrams(unix):
    with Running("unixgram", unix.socket) as server:
        assert f' {unix.socket}: filter "note" attached\n' in attach(unix, server)
        send(unix.socket, BAD, GOOD)
        assert server.ask("queued()") == GOOD.hex()


@pytest.fixture
def static(udp):
    source = udp.write("static.c", STATIC)
    program = udp.folder / "static"
    subprocess.run(["gcc", "-static", "-O", source, "-o", program], check=True)
    return program


def test_static_binary(udp, port, static):
    with Running(port, command=[static]) as server:
        send(port, BAD)
        assert server.process.stdout.readline() == f"{BAD.hex()}\n"
        assert "(static)" in attach(udp, server)
        send(port, BAD, MALFORMED, GOOD)
        assert server.process.stdout.readline() == f"{GOOD.hex()}\n"
        server.process.kill()


def test_program_that_was_replaced_since_it_runs(udp, port, static):
    udp.configure(note={"port": port, "program": "static"})
    with Running(port, command=[static]) as server:
        static.unlink()
        assert "attached\n" in attach(udp, server)
        server.process.kill()


def test_it_is_locked(udp, port):
    with Running("udp", port) as server:
        attach(udp, server)
        assert server.ask("option(socket.SOL_SOCKET, 44)") == "1"


def test_connections_of_a_sequenced_socket(unix):
    unix.configure(note={"transport": "unixseq"})
    with Running("unixseq", unix.socket) as server:
        error = refused(unix, server)
        assert "SOCK_SEQPACKET listener" in error and "p2e run" in error
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(unix.socket))
            client.send(BAD)
            client.send(GOOD)
            server.ask("globals().update(connection=s.accept()[0])")
            done = unix.p2e("attach", "--pid", server.pid)
            assert (done.returncode, done.stderr) == (1, error)
            assert 'filter "note" attached, 1 message that waited taken out\n' in done.stdout
            client.send(MALFORMED)
            client.send(ALSO_GOOD)
            assert server.ask("queued(connection)") == hexes(GOOD, ALSO_GOOD)


def test_another_network_namespace(udp, port):
    with Running("udp", port, prefix=["unshare", "--net"]) as server:
        attach(udp, server)
        server.ask("os.system('ip link set lo up')")
        for message in (BAD, GOOD):
            server.ask(f"s.sendto({message!r}, ('127.0.0.1', {port}))")
        assert server.ask("s.recv(100).hex()") == GOOD.hex()


def test_process_of_another_user(udp, port):
    with Running("udp", port, prefix=UNPRIVILEGED) as server:
        attach(udp, server)
        send(port, BAD, GOOD)
        assert server.ask("s.recv(100).hex()") == GOOD.hex()


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's runtime wants more rights")
def test_without_privilege_what_is_pinned(unix):
    unix.configure(note={"path": f"@p2e-{os.getpid()}"})
    with Running("unixgram", f"@p2e-{os.getpid()}", prefix=UNPRIVILEGED) as server:
        assert "CAP_BPF" in refused(unix, server, prefix=UNPRIVILEGED)
        attach(unix, server, "--no-lock")
        unix.ok("detach", "--pid", server.pid)
        attach(unix, server, prefix=UNPRIVILEGED)
        assert filtering(unix) == ["filtered"]


# ---- What waits in the queue ---------------------------------------------------------------------
@pytest.mark.parametrize("transport", ["udp", "unixgram"])
@pytest.mark.parametrize(
    "waiting,left,said",
    [
        ([GOOD, ALSO_GOOD], [GOOD, ALSO_GOOD], "attached\n"),
        ([BAD], [], "attached, 1 message that waited taken out\n"),
        ([GOOD, BAD, MALFORMED, ALSO_GOOD], [ALSO_GOOD], "attached, 3 messages that waited taken out\n"),
    ],
    ids=["good", "bad", "mixed"],
)
def test_what_waits_is_judged(request, port, transport, waiting, left, said):
    home = request.getfixturevalue("udp" if transport == "udp" else "unix")
    place = port if transport == "udp" else home.socket
    with Running(transport, place) as server:
        send(place, *waiting)
        assert attach(home, server).endswith(said)
        assert server.ask("queued()") == hexes(*left)
        assert server.ask("option(socket.SOL_SOCKET, 42)") == "-1"  # SO_PEEK_OFF, as it was


def test_a_message_that_is_too_long_is_passed_over(unix):
    with Running("unixgram", unix.socket) as server:
        send(unix.socket, GOOD, b"\x0a\xf0\xa2\x04" + b"x" * 150000, ALSO_GOOD)
        assert attach(unix, server).endswith("attached, 2 messages that waited taken out\n")
        assert server.ask("queued()") == ALSO_GOOD.hex()


def test_what_udp_gro_may_have_joined_goes(udp, port):
    with Running("udp", port) as server:
        server.ask(f"s.setsockopt(socket.IPPROTO_UDP, {UDP_GRO}, 1)")
        send(port, GOOD)
        said = attach(udp, server)
        assert said.endswith("attached, UDP_GRO turned off, 1 message that waited taken out\n")
        assert server.ask(f"(queued(), option(socket.IPPROTO_UDP, {UDP_GRO}))") == "('', 0)"


def test_monitor_takes_nothing_out(udp, port):
    udp.configure(note={"port": port, "mode": "monitor"})
    with Running("udp", port) as server:
        send(port, BAD)
        assert attach(udp, server).endswith("attached\n")
        send(port, BAD)
        assert server.ask("time.sleep(0.1), queued()") == f"(None, '{hexes(BAD, BAD)}')"
        assert udp.json("status")[0]["dropped"] == 1  # what waited is not counted


THREAD = "__import__('threading').Thread(target={}, daemon=True).start()"
READ = "lambda: [received.append(s.recv(1000)) or time.sleep(0.001) for _ in range(1000)]"
PEEK = "lambda: [s.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) for _ in iter(int, 1)]"


def test_server_that_reads_meanwhile(udp, port):
    """However many it takes: those that it takes after the command are good."""
    with Running("udp", port) as server:
        send(port, *[BAD, GOOD] * 100)
        server.ask("globals().update(received=[])")
        server.ask(THREAD.format(READ))
        attach(udp, server)
        server.ask("time.sleep(0.05)")
        seen = int(server.ask("len(received)"))
        send(port, *[BAD, GOOD] * 10)
        assert server.ask(f"time.sleep(0.5), set(received[{seen}:])") == f"(None, {{{GOOD!r}}})"


def test_server_that_peeks_meanwhile(udp, port):
    """It moves the place in the queue where the command looks."""
    with Running("udp", port) as server:
        send(port, *[BAD, GOOD] * 100, GOOD)
        server.ask(THREAD.format(PEEK))
        attach(udp, server)
        assert BAD.hex() not in server.ask("queued()")


# Until the command has seen so many bytes of the queue.
SEEN = "next((True for _ in range(10000) if option(socket.SOL_SOCKET, 42) == {} or time.sleep(0.001)), False)"
TAKE, LOOK = "s.recv(2000).hex()", "s.recv(2000, socket.MSG_PEEK).hex()"
AS_LONG = note("01234567", 4)  # as BAD is


@pytest.mark.skipif(SANITIZED, reason="the leak sanitizer does not work under strace")
@pytest.mark.parametrize("transport", ["udp", "unixgram"])
@pytest.mark.parametrize(
    "waiting,seen,does",
    [
        ([GOOD, b"", b"", BAD, GOOD], len(GOOD + BAD), [TAKE]),
        ([GOOD, BAD], len(GOOD), [LOOK]),
        ([AS_LONG, BAD, AS_LONG, AS_LONG], len(AS_LONG), [LOOK, TAKE]),
    ],
    ids=["takes, and empty ones wait", "looks at the last", "looks, and takes one as long"],
)
def test_server_that_is_in_the_way(request, port, transport, waiting, seen, does):
    """Between two messages that the command looks at: nothing bad is left all the same."""
    home = request.getfixturevalue("udp" if transport == "udp" else "unix")
    place = port if transport == "udp" else home.socket
    slowly = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=sendto:delay_exit=400000"]
    with Running(transport, place) as server:
        send(place, *waiting)
        with subprocess.Popen(
            [*slowly, COMMAND, "attach", "--pid", str(server.pid)], env=home.env(), stdout=subprocess.DEVNULL
        ) as command:
            assert server.ask(SEEN.format(seen)) == "True"
            for question in does:
                server.ask(question)
        assert command.returncode == 0
        assert BAD.hex() not in server.ask("queued()").split()


def ports_of(tracer):
    """The UDP ports of what is run under strace, which has other children before."""
    listed = pathlib.Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
    links = []
    with contextlib.suppress(FileNotFoundError):
        links += [os.readlink(link) for pid in listed for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    rows = [row.split() for row in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in links]


@pytest.mark.skipif(SANITIZED, reason="the leak sanitizer does not work under strace")
def test_what_others_send_is_no_verdict(udp, port):
    """The command asks the program by sockets of its own, which are open to all until they are connected."""
    slowly = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=connect:delay_enter=1000000"]
    with Running("udp", port) as server:
        send(port, BAD, GOOD)
        with subprocess.Popen(
            [*slowly, COMMAND, "attach", "--pid", str(server.pid)], env=udp.env(), stdout=subprocess.DEVNULL
        ) as command:
            while command.poll() is None and len(ports := ports_of(command)) < 3:  # with the server's
                pass
            for ours in set(ports) - {port}:
                send(ours, GOOD)
        assert command.returncode == 0
        assert server.ask("queued()") == hexes(GOOD)


@pytest.mark.parametrize(
    "waiting,left",
    [
        ([b"", GOOD, b"", ALSO_GOOD], [ALSO_GOOD]),
        ([b"", b"", GOOD, ALSO_GOOD], [GOOD, ALSO_GOOD]),
        ([GOOD, b"", b"", ALSO_GOOD], [ALSO_GOOD]),
        ([GOOD, b""], []),
    ],
    ids=["scattered", "at the head", "amid", "at the end"],
)
@pytest.mark.parametrize("peeks", [False, True])
def test_empty_messages_that_are_dropped(speaking, waiting, left, peeks):
    """Also those that the server has looked at before, which the kernel does not show again."""
    with Running("unixgram", speaking.socket) as server:
        send(speaking.socket, *waiting)
        if peeks:
            server.ask(LOOK)
        attach(speaking, server)
        assert server.ask("queued()") == hexes(*left)


def test_empty_messages_that_cannot_be_seen(speaking):
    """With a place of its own to look at, the server may have seen any of them: all go."""
    with Running("unixgram", speaking.socket) as server:
        send(speaking.socket, GOOD, b"", ALSO_GOOD)
        server.ask("s.setsockopt(socket.SOL_SOCKET, 42, 0)")
        for _ in range(2):
            server.ask(LOOK)
        attach(speaking, server)
        assert server.ask("queued()") == ""


# ---- Which sockets -------------------------------------------------------------------------------
@pytest.fixture
def several(unix, port):
    """A filter for a UDP port and one for a path, and a server that has both."""
    unix.configure(note={"port": port}, other={})
    unix.compile_all()
    with Running("udp", port) as server:
        server.ask("globals().update(u=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))")
        server.ask(f"u.bind({str(unix.socket)!r})")
        yield unix, server


def test_all(several):
    home, server = several
    assert attach(home, server).count("attached\n") == 2
    assert filtering(home) == ["filtered", "filtered"]


@pytest.mark.parametrize(
    "chosen", [lambda home, port: ["--port", port], lambda home, port: ["note"]], ids=["port", "filter"]
)
def test_one_of_several(several, port, chosen):
    home, server = several
    assert 'filter "note" attached\n' in attach(home, server, *chosen(home, port))
    assert filtering(home) == ["filtered", "NOT filtered"]


def test_one_by_its_path(several):
    home, server = several
    assert 'filter "other" attached\n' in attach(home, server, "--path", home.socket)
    assert filtering(home) == ["NOT filtered", "filtered"]


def test_filter_of_another_program(unix, port):
    unix.configure(note={"port": port, "program": "other"})
    with Running("udp", port) as server:
        assert f"has no socket that a filter of {unix.conf} is for" in refused(unix, server)


# ---- What is refused, and why --------------------------------------------------------------------
def test_filtered_already(udp, port):
    with Running("udp", port) as server:
        attach(udp, server)
        assert "it is filtered already, and the filter is locked\n" in refused(udp, server)


def test_filtered_already_and_not_locked(udp, port):
    with Running("udp", port) as server:
        attach(udp, server, "--no-lock")
        assert "it has an eBPF filter already" in refused(udp, server)


@pytest.mark.parametrize("lock", [False, True])
def test_filter_of_its_own(udp, port, lock):
    """It stays: what it lets through still comes."""
    with Running("udp", port) as server:
        server.ask(CLASSIC)
        if lock:
            server.ask(LOCK)
        assert "the socket has a filter of its own, and can have but one" in refused(udp, server)
        send(port, BAD)
        assert server.ask("s.recv(100).hex()") == BAD.hex()


def test_locked_without_a_filter(udp, port):
    with Running("udp", port) as server:
        server.ask(LOCK)
        assert "the server has locked it" in refused(udp, server)


def test_stream(udp, port):
    with Running("tcp", port) as server:
        assert "is a stream, and messages in streams are not filtered" in refused(udp, server, "--port", port)


def test_no_such_socket(udp, port):
    with Running("udp", free_port()) as server:
        assert f"has no socket that a filter of {udp.conf} is for" in refused(udp, server)
        assert "has no socket there that a filter" in refused(udp, server, "--port", port)
        assert 'has no socket that filter "note" is for' in refused(udp, server, "note")


def test_no_such_filter(udp, port):
    with Running("udp", port) as server:
        assert f'{udp.conf} has no filter "nope"' in refused(udp, server, "nope")


def test_which_filter_cannot_be_told(unix, port):
    unix.configure(a={"port": port, "address": "127.0.0.1"}, b={"port": port, "address": "127.0.0.2"})
    with Running("udp", port) as server:
        assert 'add a filter without "address"' in refused(unix, server)


def test_no_such_process(home):
    process = subprocess.Popen(["true"])
    process.wait()
    assert f"there is no process {process.pid}\n" in home.fails("attach", "--pid", process.pid)


def test_process_that_has_ended(udp):
    """Nobody has called wait() for it. Its folder is root's by then."""
    process = subprocess.Popen([*UNPRIVILEGED, "true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    said = udp.fails("attach", "--pid", process.pid, prefix=UNPRIVILEGED)
    assert f"process {process.pid} (true) has no socket" in said
    process.wait()


def test_a_thread_is_not_a_process(udp, port):
    with Running("udp", port) as server:
        server.ask("__import__('threading').Thread(target=time.sleep, args=(60,), daemon=True).start()")
        (thread,) = set(os.listdir(f"/proc/{server.pid}/task")) - {str(server.pid)}
        assert "is a thread, not a process" in udp.fails("attach", "--pid", thread)


def test_process_that_may_not_be_looked_into(udp, port):
    with Running("udp", port) as server:
        error = refused(udp, server, prefix=UNPRIVILEGED)
    assert f"cannot look into process {server.pid} (python3)" in error and "CAP_SYS_PTRACE" in error


def test_descriptors_that_may_not_be_copied(udp, port):
    """Their list is to be seen with a right that copying them is not allowed by."""
    reading = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all"]
    with Running("udp", port, prefix=UNPRIVILEGED) as server:
        assert "CAP_SYS_PTRACE" in refused(udp, server, prefix=reading)


def test_without_an_object_nothing_is_attached(udp, port):
    udp.object("note").unlink()
    with Running("udp", port) as server:
        send(port, BAD)
        assert "run: p2e compile" in refused(udp, server)
        assert filtering(udp) == ["NOT filtered"]
        assert server.ask("queued()") == BAD.hex()


@pytest.mark.parametrize("verb", ["attach", "detach"])
@pytest.mark.parametrize(
    "given,said",
    [
        ([], "name the process: --pid PID"),
        (["--pid", "0"], "--pid is a number from 1 to "),
        (["--pid", "12x"], "--pid is a number from 1 to "),
        (["--pid", "-5"], "--pid is a number from 1 to "),
        (["--pid", "1", "--port", "65536"], "--port is a number from 1 to 65535, not 65536"),
        (["--pid", "1", "note", "other"], "unexpected argument other"),
    ],
)
def test_command_line(home, verb, given, said):
    assert f"p2e {verb}: {said}" in home.fails(verb, *given, status=2)


# ---- Detaching -----------------------------------------------------------------------------------
def test_detach(udp, port):
    with Running("udp", port) as server:
        assert attach(udp, server, "--no-lock").endswith("attached, not locked\n")
        assert filtering(udp) == ["not locked"]
        send(port, BAD, GOOD)
        said = udp.ok("detach", "--pid", server.pid)
        assert said == f'process {server.pid} (python3), fd 3, 0.0.0.0:{port}: filter "note" detached\n'
        send(port, BAD)
        assert server.ask("s.recv(100).hex(), s.recv(100).hex()") == f"('{GOOD.hex()}', '{BAD.hex()}')"


def attach_own(home, server):
    """The server attaches an eBPF filter itself: the one that is pinned."""
    tests, entry = str(ROOT / "tests"), str(home.pin_dir / "note/entry")
    server.ask(f"(sys.path.append({tests!r}), globals().update(entry=__import__('pins').opened({entry!r})))")
    server.ask("s.setsockopt(socket.SOL_SOCKET, 50, entry.__enter__())")


def test_detach_what_may_be_the_servers(udp, port):
    """It stays, unless it is asked for, also where there was a filter of p2e's before."""
    udp.ok("load")
    with Running("udp", port) as server:
        attach(udp, server, "--no-lock")
        udp.ok("detach", "--pid", server.pid)
        attach_own(udp, server)
        said = refused(udp, server, verb="detach")
        assert "it has an eBPF filter that may be the server's own" in said
        assert "--force takes it off" in said
        assert filtering(udp) == ["not locked"]
        udp.ok("detach", "--pid", server.pid, "--force")
        assert filtering(udp) == ["NOT filtered"]


def test_detach_after_pins_are_gone(udp, port):
    """As long as there is pin_dir, the mark is there; without it nobody knows."""
    with Running("udp", port) as server:
        attach(udp, server, "--no-lock")
        udp.ok("unload", "--all")
        udp.ok("detach", "--pid", server.pid)
        attach(udp, server, "--no-lock")
        (udp.pin_dir / MARKS).unlink()
        assert "may be the server's own" in refused(udp, server, verb="detach")


def test_without_a_mark_it_is_said(unix):
    unix.ok("load")
    with Running("unixgram", unix.socket) as server:
        said = attach(unix, server, "--no-lock", prefix=ROOT_WITHOUT_BPF)
        assert said.endswith("attached, not locked (nor marked as p2e's: p2e detach needs --force)\n")
        assert "may be the server's own" in refused(unix, server, verb="detach")


def test_marks_of_others(udp, port):
    with Running("udp", port) as server:
        attach(udp, server, "--no-lock")
        os.chown(udp.pin_dir / MARKS, NOBODY, NOBODY)
        assert "may be the server's own" in refused(udp, server, verb="detach")


def test_marks_are_the_owners_alone(udp, port):
    with Running("udp", port) as server:
        attach(udp, server, "--no-lock")
    assert (udp.pin_dir / MARKS).stat().st_mode & 0o777 == 0o600


def test_detach_what_is_locked(udp, port):
    with Running("udp", port) as server:
        attach(udp, server)
        assert "its filter is locked" in refused(udp, server, verb="detach")
        assert filtering(udp) == ["filtered"]


def test_detach_what_is_the_servers(udp, port):
    with Running("udp", port) as server:
        assert "it has no filter" in refused(udp, server, verb="detach")
        server.ask("classic(0)")
        assert "its filter is the server's own" in refused(udp, server, verb="detach")
        assert filtering(udp) == ["own filter"]


def test_detach_has_no_lock_to_leave_out(home):
    assert "unknown option --no-lock" in home.fails("detach", "--pid", "1", "--no-lock", status=2)
