"""p2e run: becomes the command, filtered, or says beforehand why it cannot be."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
from first_byte import BUILD, ROOT_WITHOUT_BPF, SANITIZED, UNPRIVILEGED
from p2e import COMMAND, LIBRARY, PROTO, RULES, Home, note, tools_without

PYTHON = "/usr/bin/python3"
UNFILTERED = "cannot be filtered by a preloaded library"

# Tells all of itself that should be the command's own.
REPORT = """
import json, os, sys
open_files = [fd for fd in range(100) if os.path.exists(f"/proc/self/fd/{fd}")]
try:
    children = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    children = None
print(json.dumps({
    "pid": os.getpid(), "arguments": sys.argv[1:], "folder": os.getcwd(),
    "environment": dict(os.environ), "files": open_files, "children": children,
}))
"""

# Prints what it receives, up to an empty datagram.
RECEIVER = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    try:
        s.bind(sys.argv[1])
    except OSError as error:
        sys.exit(f"bind: {error.strerror}")
    print("ready", flush=True)
    while message := s.recv(65536):
        print(message.hex(), flush=True)
"""


def run_command(home, *command, prefix=(), **options):
    return home.p2e("run", *command, prefix=prefix, **options)


def report(home, *options, **more):
    return json.loads(home.ok("run", *options, "--", PYTHON, "-c", REPORT, **more))


@pytest.fixture(scope="module")
def programs():
    """Copies of binaries that tests may spoil, readable for all; a static one."""
    home = Home()
    source = home.write("main.c", "int main(void) { return 7; }\n")
    for name, flags in {"static": ["-static"], "static-pie": ["-static-pie"], "dynamic": []}.items():
        subprocess.run(["gcc", *flags, source, "-o", home.folder / name], check=True)
    yield home.folder
    home.close()


@pytest.fixture
def binary(compiled, programs):
    """A dynamic binary that exits with 7, the test's own."""
    return pathlib.Path(shutil.copy(programs / "dynamic", compiled.folder / "binary"))


# ---- It becomes the command ----------------------------------------------------------------------
def test_same_process(compiled):
    process = subprocess.Popen(
        [COMMAND, "run", PYTHON, "-c", REPORT], stdout=subprocess.PIPE, env=compiled.env()
    )
    told = json.loads(process.communicate(timeout=60)[0])
    assert told["pid"] == process.pid


def test_leaves_nothing_of_itself(compiled):
    """No child that the command does not know, no descriptor but the standard ones."""
    told = report(compiled)
    assert told["children"] is None
    assert told["files"] == [0, 1, 2]


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status(compiled, status):
    done = run_command(compiled, "sh", "-c", f"exit {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def start_sleeper(home, code="", **options):
    program = f"import signal, sys, time\n{code}\nprint('up', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen(
        [COMMAND, "run", PYTHON, "-c", program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.env(), **options,
    )
    assert process.stdout.readline() == "up\n"
    return process


def test_signal_ends_it(compiled):
    process = start_sleeper(compiled)
    process.terminate()
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -signal.SIGTERM


def test_signal_is_handled(compiled):
    process = start_sleeper(compiled, "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))")
    process.send_signal(signal.SIGUSR1)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 9


def test_standard_streams_are_its_own(compiled):
    done = run_command(compiled, "sh", "-c", "cat; echo error >&2", input="through\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "through\n", "error\n")


def test_output_that_it_closes_is_closed(compiled):
    """The watcher keeps no reader waiting: the output ends before the command does."""
    process = subprocess.Popen(
        [COMMAND, "run", "sh", "-c", "exec >&-; exec sleep 6"],
        stdout=subprocess.PIPE, env=compiled.env(),
    )
    assert process.stdout.read() == b""
    assert process.poll() is None
    process.kill()
    process.wait()


def test_arguments_are_its_own(compiled):
    told = report(compiled, "-c", compiled.conf)
    assert told["arguments"] == []
    done = run_command(compiled, PYTHON, "-c", REPORT, "-c", "--help", "--", "", "a b")
    assert json.loads(done.stdout)["arguments"] == ["-c", "--help", "--", "", "a b"]


def test_name_that_it_is_called_by(compiled):
    assert run_command(compiled, "sh", "-c", "echo $0").stdout == "sh\n"
    assert run_command(compiled, "/bin/sh", "-c", "echo $0").stdout == "/bin/sh\n"


# ---- Environment ---------------------------------------------------------------------------------
def test_environment(compiled):
    told = report(compiled, env={"MINE": "kept"})["environment"]
    given = compiled.env(MINE="kept")
    assert told.pop("LD_PRELOAD").split(":")[0] == str(LIBRARY.resolve())
    assert told.pop("P2E_CONFIG") == str(compiled.conf)
    assert told.pop("LC_CTYPE", None) in (None, "C.UTF-8")  # python's own
    changed = ("P2E_CONFIG", "LD_PRELOAD")
    assert told == {key: value for key, value in given.items() if key not in changed}


@pytest.mark.skipif(SANITIZED, reason="a sanitized library needs its runtime")
def test_other_preloads_come_after(compiled):
    other = "/usr/lib/x86_64-linux-gnu/libm.so.6"
    told = report(compiled, env={"LD_PRELOAD": other})["environment"]
    assert told["LD_PRELOAD"] == f"{LIBRARY.resolve()}:{other}"
    for nothing in ("", None):
        told = report(compiled, env={"LD_PRELOAD": nothing})["environment"]
        assert told["LD_PRELOAD"] == str(LIBRARY.resolve())


def test_from_another_folder(compiled):
    """A relative config and a relative command, and the config's path is absolute for the library."""
    (compiled.folder / "script").symlink_to(PYTHON)
    done = compiled.p2e(
        "run", "-c", "p2e.conf", "./script", "-c", REPORT, cwd=compiled.folder, env={"P2E_CONFIG": None}
    )
    told = json.loads(done.stdout)
    assert told["environment"]["P2E_CONFIG"] == str(compiled.conf)
    assert told["folder"] == str(compiled.folder)


def test_p2e_is_found_through_path(compiled):
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    assert report(compiled, command="p2e", env={"PATH": path})["arguments"] == []


@pytest.mark.parametrize("place", ["bin/../lib/libp2e.so", "bin/../lib/p2e/libp2e.so"])
def test_installed(compiled, place):
    (compiled.folder / "bin").mkdir()
    installed = shutil.copy(COMMAND, compiled.folder / "bin/p2e")
    (compiled.folder / place).resolve().parent.mkdir(parents=True)
    shutil.copy(LIBRARY, compiled.folder / place)
    preload = report(compiled, command=installed)["environment"]["LD_PRELOAD"].split(":")[0]
    assert pathlib.Path(preload).resolve() == (compiled.folder / place).resolve()


# ---- It is filtered ------------------------------------------------------------------------------
def converse(home, *messages, options=(), prefix=()):
    """Runs a receiver, and returns the lines that it printed and its standard error."""
    process = subprocess.Popen(
        [*prefix, COMMAND, "run", *options, PYTHON, "-c", RECEIVER, str(home.socket)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.env(),
    )
    if process.stdout.readline() == "ready\n":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            for message in messages:
                client.sendto(message, str(home.socket))
            client.sendto(b"", str(home.socket))
    out, error = process.communicate(timeout=60)
    home.socket.unlink(missing_ok=True)
    return out.splitlines(), error


MESSAGES = [note("short"), note("0123456789"), note("", 5), b"\x0a\x05ab", note("", 4)]
GOOD = [note("short").hex(), note("", 4).hex()]
ALL = [message.hex() for message in MESSAGES]


def test_only_what_rules_allow_arrives(compiled):
    assert converse(compiled, *MESSAGES) == (GOOD, "")


def test_what_is_stale_is_compiled_first(compiled):
    compiled.configure(note={"rules": ["number < 4 || number > 4"]})
    assert converse(compiled, *MESSAGES) == (ALL[:3], "")


def test_rules_change_between_two_runs(compiled):
    """Pins of the first run do not stand in the way of the second."""
    assert converse(compiled, *MESSAGES) == (GOOD, "")
    compiled.configure(note={"rules": [{**RULES[1], "message": "other words"}]})
    assert converse(compiled, *MESSAGES) == (GOOD[:1] + [ALL[1]] + GOOD[1:], "")


def test_second_run_with_another_schema(compiled):
    """What is pinned gives way to what the same rules come to now; without privilege it counts."""
    compiled.configure(note={"rules": ["number >= 0"]})
    negative = note("", 3)  # as a sint32, which is sent in zigzag, it is -2
    everything = ([negative.hex()], "")
    assert converse(compiled, negative) == everything
    compiled.write("note.proto", PROTO.replace("int32 number", "sint32 number"))
    compiled.folder.chmod(0o777)
    assert converse(compiled, negative, prefix=UNPRIVILEGED) == everything
    assert converse(compiled, negative) == ([], "")
    assert converse(compiled, negative, prefix=UNPRIVILEGED) == ([], "")


def test_pinned_and_without_privilege(compiled):
    converse(compiled)
    compiled.folder.chmod(0o777)
    assert converse(compiled, *MESSAGES, prefix=UNPRIVILEGED) == (GOOD, "")


def test_filter_for_another_program(compiled):
    compiled.configure(note={"program": "collectd"})
    compiled.folder.chmod(0o777)
    assert converse(compiled, *MESSAGES) == (ALL, "")
    assert converse(compiled, *MESSAGES, prefix=UNPRIVILEGED) == (ALL, "")


def test_command_in_a_script(compiled):
    script = compiled.write("server", f"#!{PYTHON}\n{REPORT}", 0o755)
    assert str(LIBRARY.resolve()) in run_command(compiled, script).stdout


def test_chain_of_scripts(compiled):
    last = "/bin/sh"
    for i in range(4):
        last = compiled.write(f"script{i}", f"#! {last}\nexit 5\n", 0o755)
    assert run_command(compiled, last).returncode == 5


# ---- What is said beforehand ---------------------------------------------------------------------
def assert_refused(home, said, *command, **options):
    error = home.fails("run", *command, **options)
    assert error.startswith("p2e run: ")
    assert said in error, error


def test_no_command(home):
    assert "which command?\nusage: p2e run " in home.fails("run", status=2)
    assert "which command?\nusage: p2e run " in home.fails("run", "-c", home.conf, "--", status=2)


@pytest.mark.skipif(SANITIZED, reason="there are no sanitizers for musl")
def test_program_of_musls(compiled):
    """Its loader would end it, for the library is for glibc: said beforehand, with what to do."""
    said = "is linked with musl, and p2e run preloads a library for glibc; publish the filters"
    assert_refused(compiled, said, BUILD / "musl/tests/shim/musl/server", "plain", "1")


@pytest.mark.parametrize("name", ["static", "static-pie"])
def test_static_binary(compiled, programs, name):
    assert_refused(compiled, f"{name} is a static binary", programs / name)
    assert_refused(compiled, UNFILTERED, programs / name)


def test_script_of_a_static_interpreter(compiled, programs):
    script = compiled.write("script", f"#!{programs}/static\n", 0o755)
    assert_refused(compiled, f"{programs}/static is a static binary", script)


@pytest.mark.parametrize("mode,kind", [(0o4755, "set-user-ID"), (0o2755, "set-group-ID")])
def test_set_id_binary_of_another(compiled, binary, mode, kind):
    os.chown(binary, 1, 1)
    binary.chmod(mode)
    assert_refused(compiled, f"{binary} is {kind}", binary)
    assert_refused(compiled, UNFILTERED, binary)


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
def test_set_id_binary_of_oneself(compiled, binary, mode):
    binary.chmod(mode)
    assert run_command(compiled, binary).returncode == 7


def test_set_id_bit_of_a_script_does_nothing(compiled):
    script = compiled.write("script", "#!/bin/sh\nexit 6\n")
    os.chown(script, 1, 1)
    script.chmod(0o6755)
    assert run_command(compiled, script).returncode == 6


def test_file_capabilities(compiled, binary):
    subprocess.run(["setcap", "cap_net_raw+ep", binary], check=True)
    assert run_command(compiled, binary).returncode == 7
    compiled.configure(note={"on_error": "open"})
    assert_refused(compiled, f"{binary} has file capabilities", binary, prefix=UNPRIVILEGED)


def patch(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("offset,data", [(4, b"\x01"), (18, b"\x28\x00")], ids=["32-bit", "arm"])
def test_other_architecture(compiled, binary, offset, data):
    patch(binary, offset, data)
    assert_refused(compiled, f"{binary} is of another architecture", binary)


@pytest.mark.parametrize(
    "content,said",
    [
        (b"", "neither an ELF binary nor a script"),
        (b"exit 0\n", "neither an ELF binary nor a script"),
        (b"\x7fELF", "another architecture"),
        (b"#!", "names no interpreter"),
        (b"#! \n", "names no interpreter"),
        (b"#!/nowhere/sh\n", "cannot read /nowhere/sh"),
        (b"#!/bin/sh\r\n", "cannot read /bin/sh"),
    ],
)
def test_file_that_cannot_run(compiled, content, said):
    path = compiled.folder / "file"
    path.write_bytes(content)
    path.chmod(0o755)
    assert_refused(compiled, said, path)


def test_too_many_interpreters(compiled):
    last = "/bin/sh"
    for i in range(6):
        last = compiled.write(f"script{i}", f"#!{last}\n", 0o755)
    assert_refused(compiled, "interpreters of interpreters", last)


def test_loader_of_the_binary_is_missing(compiled, binary):
    """Not seen beforehand, and said by the kernel."""
    content = binary.read_bytes()
    binary.write_bytes(content.replace(b"/lib64/ld-linux", b"/lib65/ld-linux"))
    assert_refused(compiled, f"cannot run {binary}: No such file", binary)


def test_missing_command(compiled):
    assert_refused(compiled, 'there is no command "p2e-nothing" in PATH', "p2e-nothing")
    assert_refused(compiled, 'there is no command "" in PATH', "")
    assert_refused(compiled, "cannot run /nowhere/server: No such file", "/nowhere/server")
    assert_refused(compiled, "it is not an executable file", compiled.folder)
    assert_refused(compiled, "it is not an executable file", compiled.conf)


def test_working_folder_in_path(compiled, binary):
    """An empty item of PATH is the working folder, as for execvp."""
    for path in ("", ":/bin", "/bin:", "/nowhere::/bin"):
        env = {"PATH": path, "P2E_PROTOC": shutil.which("protoc")}
        done = run_command(compiled, "binary", cwd=compiled.folder, env=env)
        assert done.returncode == 7, (path, done.stderr)
    assert_refused(compiled, 'no command "binary"', "binary", cwd="/", env={"PATH": ":/bin"})


def test_file_that_is_not_executable_is_passed_over_in_path(compiled, binary):
    (compiled.folder / "first").mkdir()
    compiled.write("first/binary", "")
    path = f"{compiled.folder}/first:{compiled.folder}"
    env = {"PATH": path, "P2E_PROTOC": shutil.which("protoc")}
    assert run_command(compiled, "binary", env=env).returncode == 7


def test_library_is_missing(compiled):
    alone = shutil.copy(COMMAND, compiled.folder / "p2e")
    assert_refused(compiled, f"there is no libp2e.so in {compiled.folder}", "true", command=alone)


def test_library_in_a_folder_that_cannot_be_preloaded_from(compiled):
    folder = compiled.folder / "a b"
    folder.mkdir()
    shutil.copy(LIBRARY, folder)
    moved = shutil.copy(COMMAND, folder)
    assert_refused(compiled, "LD_PRELOAD takes no path with a blank", "true", command=moved)


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ROOT_WITHOUT_BPF], ids=["nobody", "root"])
def test_no_privilege_and_nothing_pinned(compiled, prefix):
    said = f'filter "note": it is not pinned in {compiled.pin_dir}, and this process may not load it'
    assert_refused(compiled, said, "echo", "started", prefix=prefix)
    assert_refused(compiled, "no CAP_BPF and CAP_PERFMON", "echo", "started", prefix=prefix)


def test_no_privilege_and_other_rules_pinned(compiled):
    converse(compiled)
    compiled.configure(note={"rules": RULES[:1]})
    said = f"{compiled.pin_dir}/note is of other rules than {compiled.conf} has"
    assert_refused(compiled, said, "true", prefix=UNPRIVILEGED)


def test_no_privilege_and_pins_that_are_not_trusted(compiled):
    converse(compiled)
    os.chown(compiled.pin_dir, 1, 1)
    assert_refused(compiled, "not trusted", "true", prefix=UNPRIVILEGED)


def test_no_privilege_and_on_error_is_open(compiled):
    compiled.configure(note={"on_error": "open"})
    compiled.folder.chmod(0o777)
    lines, error = converse(compiled, *MESSAGES, prefix=UNPRIVILEGED)
    assert lines == ALL
    assert error.count("\n") == 1 and "unfiltered" in error


@pytest.mark.parametrize("kind", ["link", "script"])
def test_program_of_a_filter_is_what_really_runs(compiled, kind):
    """The library goes by /proc/self/exe, so what is said beforehand does, too."""
    command = compiled.folder / "server"
    if kind == "link":
        command.symlink_to("/bin/sh")
    else:
        compiled.write("server", "#!/bin/sh\n", 0o755)
    name = pathlib.Path("/bin/sh").resolve().name
    compiled.configure(note={"program": name})
    assert_refused(compiled, 'filter "note": it is not pinned', command, prefix=UNPRIVILEGED)
    compiled.configure(note={"program": "server"})
    done = run_command(compiled, command, prefix=UNPRIVILEGED)
    assert (done.returncode, done.stderr) == (0, "")


def test_rule_that_does_not_compile(compiled):
    compiled.configure(note={"rules": ["txt == ''"]})
    done = run_command(compiled, "echo", "started")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'did you mean "text"?' in done.stderr


def test_clang_is_missing(home):
    path = tools_without(home.folder / "tools", "clang")
    assert_refused(home, "install the package clang", "/bin/echo", env={"PATH": str(path)})


def test_up_to_date_needs_no_clang(compiled):
    path = tools_without(compiled.folder / "tools", "clang", "llvm-objcopy")
    assert run_command(compiled, "/bin/true", env={"PATH": str(path)}).returncode == 0


# ---- The library is not alive --------------------------------------------------------------------
# What the watcher does takes seconds: these commands start with the first test of this file and are
# looked at by the last ones.
LINGERING = {
    "never": ["sleep", "60"],
    "closed": ["sh", "-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec sleep 60"],
    "ended": ["sh", "-c", "exit 3"],
    "left": ["env", "-i", "sleep", "60"],
    "kept": ["env", "A=B", "sh", "-c", "sleep 1; exec sleep 5.5"],
    "signalled": ["sh", "-c", "trap '' INT TERM; kill -INT 0; kill 0; exec env -i sleep 60"],
}
WITHOUT_LIBRARY = ["never", "closed", "ended"]


@pytest.fixture(scope="module", autouse=True)
def lingering():
    """Running commands by name; those without library have a p2e whose library no loader takes."""
    home = Home()
    home.compile_all()
    home.write("libp2e.so", "not a library")
    without = shutil.copy(COMMAND, home.folder / "p2e")
    running = {}
    for name, command in LINGERING.items():
        p2e = without if name in WITHOUT_LIBRARY else COMMAND
        running[name] = subprocess.Popen(
            [p2e, "run", *command],
            stderr=subprocess.PIPE, text=True, env=home.env(), start_new_session=True,
        )
    yield running
    for process in running.values():
        process.kill()
        process.communicate()
    home.close()


def assert_ended(process, said):
    _, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert f"p2e run: libp2e.so {said} (process {process.pid}); it is ended" in error


def test_library_that_does_not_come_alive(lingering):
    assert_ended(lingering["never"], "did not come alive in sleep")


def test_library_that_cannot_come_alive_any_more(lingering):
    assert_ended(lingering["closed"], "did not come alive in sh")


def test_command_that_ends_before_is_let_be(lingering):
    _, error = lingering["ended"].communicate(timeout=60)
    assert lingering["ended"].returncode == 3
    assert "p2e run" not in error


def test_library_that_is_left_behind(lingering):
    assert_ended(lingering["left"], "was left behind by env")


def test_library_that_goes_with_every_exec(lingering):
    """env without -i keeps it, and the watcher, which looks several times, lets it be."""
    _, error = lingering["kept"].communicate(timeout=60)
    assert (lingering["kept"].returncode, error) == (0, "")


def test_signals_to_the_group_do_not_end_the_watch(lingering):
    assert_ended(lingering["signalled"], "was left behind by sh")
