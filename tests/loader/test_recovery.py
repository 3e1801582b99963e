"""Writers of pins that die: at each of their steps, on kernels that exchange folders in one and in two;
what is left is mended, and sockets that are attached are judged by one of the two programs throughout."""

import fcntl
import os
import pathlib
import subprocess

import pytest
from first_byte import LOCK, NOBODY, SANITIZED, TOOL, UNPRIVILEGED, Site
from pins import Attached, agree, empty_slot, pin_again, program_id, set_number, slot_id

UNIX = {"transport": "unixgram", "path": "@first"}
STEPS = ["bpf", "mkdir", "chmod", "flock", "rename", "renameat2", "unlinkat", "rmdir"]
NOTHING = {"removed": 0, "finished": 0, "refilled": 0, "refused": 0}


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Of two rules: no message begins with 'A', none with 'B'."""
    folder = tmp_path_factory.mktemp("objects")
    site = Site(first=UNIX)
    for byte in "AB":
        site.compile(FORBIDDEN=ord(byte))
        os.replace(site.object("first"), folder / byte)
    site.close()
    return folder


@pytest.fixture
def site():
    site = Site(first=UNIX)
    yield site
    site.close()


def pin(site, objects, byte, verb="create"):
    done = site.tool(verb, site.pin_dir, "first", objects / byte)
    assert done.returncode == 0, done.stdout
    return site.pin_dir / "first"


def recover(site, **options):
    first, *rest = site.tool("recover", site.pin_dir, **options).stdout.splitlines()
    words = first.split()
    assert words[::2] == list(NOTHING), first
    return dict(zip(words[::2], map(int, words[1::2]))), rest


@pytest.fixture(scope="module")
def old_kernel(tmp_path_factory):
    """Preloaded, it makes bpffs what it was before Linux 5.16."""
    folder = tmp_path_factory.mktemp("old")
    (folder / "old.c").write_text("""
        #define _GNU_SOURCE
        #include <errno.h>
        #include <linux/fs.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
        {
            if (flags & RENAME_EXCHANGE)
                return errno = EINVAL, -1;
            return syscall(SYS_renameat2, a, from, b, to, flags);
        }
    """)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "old.so", folder / "old.c"], check=True)
    return ["-E", f"LD_PRELOAD={folder}/old.so"]


def killed(site, call, count, command, strace):
    """Runs the tool until its system call of that name and count: False when it has fewer."""
    if SANITIZED:
        pytest.skip("the leak sanitizer does not work under strace")
    trace = ["strace", "-qq", "-o", str(site.folder / "trace"), *strace, "-e", f"trace={call}"]
    trace += ["-e", f"inject={call}:signal=KILL:when={count}"]
    return site.tool(*command, prefix=trace).returncode != 0


def deaths(site, prepare, command, strace=()):
    """Every way to die once, each after `prepare`; tells of each."""
    for call in STEPS:
        for count in range(1, 40):
            prepare()
            if not killed(site, call, count, command, strace):
                break
            yield call, count
        else:
            raise AssertionError("it never came to its end")


# ---- Death at each step --------------------------------------------------------------------------
def one_of_two(socket):
    """Which rule judges: exactly one of them does."""
    assert socket.passes(b"C")
    verdicts = {byte: socket.passes(byte.encode()) for byte in "AB"}
    assert sorted(verdicts.values()) == [False, True]
    return "A" if verdicts["B"] else "B"


@pytest.mark.parametrize("steps", [1, 2])
def test_replacing(site, objects, old_kernel, steps):
    strace = old_kernel if steps == 2 else []
    attached = []
    outcomes = set()

    def prepare():
        site.tool("remove", site.pin_dir, "first")
        attached.append(Attached(pin(site, objects, "A")))

    for _ in deaths(site, prepare, ("replace", site.pin_dir, "first", objects / "B"), strace):
        before = one_of_two(attached[-1])
        done, refused = recover(site)
        assert refused == [] and site.pinned() == ["first"]
        assert agree(site.pin_dir / "first")
        after = one_of_two(attached[-1])
        assert after == before or done["refilled"] == 1
        newcomer = Attached(site.pin_dir / "first")
        assert one_of_two(newcomer) == after
        newcomer.close()
        assert recover(site) == (NOTHING, [])
        outcomes.add((before, after, done["finished"]))
    # All the states that there are between the two rules; mending in two steps finishes.
    assert {("A", "A", 0), ("B", "A", 0), ("B", "B", 0)} <= outcomes
    assert (("B", "B", 1) in outcomes) == (steps == 2)
    for socket in attached:
        socket.close()


def test_creating(site, objects):
    pin(site, objects, "A")

    def prepare():
        site.tool("remove", site.pin_dir, "first")

    for _ in deaths(site, prepare, ("create", site.pin_dir, "first", objects / "B")):
        recover(site)
        assert site.pinned() in ([], ["first"])
        assert not site.pinned() or agree(site.pin_dir / "first")


def test_removing(site, objects):
    def prepare():
        site.tool("remove", site.pin_dir, "first")
        pin(site, objects, "A")

    results = set()
    for _ in deaths(site, prepare, ("remove", site.pin_dir, "first")):
        recover(site)
        assert not site.pinned() or agree(site.pin_dir / "first")
        results.add(tuple(site.pinned()))
    assert results == {(), ("first",)}


# ---- What else recovery meets --------------------------------------------------------------------
def test_there_is_nothing_to_mend(site, objects):
    assert recover(site) == (NOTHING, [])
    pin(site, objects, "A")
    assert recover(site) == (NOTHING, [])


def test_slot_of_another_program(site, objects):
    folder = pin(site, objects, "A")
    empty_slot(folder / "slot")
    assert slot_id(folder / "slot") is None
    socket = Attached(folder)
    assert not socket.passes(b"C")
    assert recover(site) == ({**NOTHING, "refilled": 1}, [])
    assert slot_id(folder / "slot") == program_id(folder / "judge")
    assert one_of_two(socket) == "A"
    socket.close()


def test_empty_slot_of_another_mode(site, objects):
    """Whoever dies between the slot and what an empty one means leaves them of two modes."""
    folder = pin(site, objects, "A")
    socket = Attached(folder)
    set_number(folder / "empty", 1)
    assert recover(site) == ({**NOTHING, "refilled": 1}, [])
    assert recover(site) == (NOTHING, [])
    assert one_of_two(socket) == "A"
    site.tool("remove", site.pin_dir, "first")
    assert not socket.passes(b"C")
    socket.close()


@pytest.mark.parametrize("name", ["~first~0123456789abcdef", "~other~0123456789abcdef~"])
def test_folders_of_the_dead_are_removed(site, objects, name):
    pin(site, objects, "A")
    (site.pin_dir / name).mkdir(mode=0o700)
    assert recover(site) == ({**NOTHING, "removed": 1}, [])
    assert site.pinned() == ["first"]


@pytest.mark.parametrize(
    "name", ["~", "~first", "~first~", "~~0123456789abcdef", "~first~0123456789abcde", "~first~0123456789abcdef~~"]
)
def test_folders_with_other_names_are_left_alone(site, objects, name):
    pin(site, objects, "A")
    (site.pin_dir / name).mkdir(mode=0o755)
    assert recover(site) == (NOTHING, [])
    assert site.pinned() == sorted(["first", name])


def test_links_are_not_followed(site, objects):
    folder = pin(site, objects, "A")
    pins = sorted(folder.iterdir())
    link = site.pin_dir / "~first~0123456789abcdef"
    link.symlink_to(folder)
    (site.pin_dir / "second").symlink_to(folder)
    done, (said,) = recover(site)
    assert done == {**NOTHING, "refused": 2}
    assert said == f"pin folder {site.pin_dir}/second is not a folder: not trusted"
    assert link.is_symlink() and sorted(folder.iterdir()) == pins


def test_folders_of_others_are_not_trusted(site, objects):
    pin(site, objects, "A")
    left = site.pin_dir / "~first~0123456789abcdef"
    left.mkdir()
    os.chown(left, NOBODY, NOBODY)
    done, (said,) = recover(site)
    assert done == {**NOTHING, "refused": 1}
    assert said == f"pin folder {left} belongs to user 65534, not to root: not trusted"
    assert left.is_dir()


def test_two_steps_are_finished_before_another_is_created(site, objects):
    """Else the slot of sockets that are attached would go with the pins of the dead."""
    folder = pin(site, objects, "A")
    socket = Attached(folder)
    os.rename(folder, site.pin_dir / "~first~0123456789abcdef")
    (site.pin_dir / "~first~0123456789abcdef~").mkdir()
    said = site.tool("create", site.pin_dir, "first", objects / "B").stdout
    assert said.startswith("EEXIST: ")
    recover(site)
    assert site.pinned() == ["first"] and agree(folder)
    assert one_of_two(socket) == "A"
    socket.close()


def test_two_steps_of_others_are_not_finished(site, objects):
    folder = pin(site, objects, "A")
    making, doomed = (site.pin_dir / f"~first~0123456789abcdef{tail}" for tail in ("", "~"))
    os.rename(folder, making)
    doomed.mkdir()
    os.chown(doomed, NOBODY, NOBODY)
    assert recover(site)[0]["finished"] == 0
    assert not folder.exists()


def test_pins_that_are_not_ours_are_left_alone(site, objects):
    folder = pin(site, objects, "A")
    os.rename(folder / "entry", folder / "x")
    os.rename(folder / "judge", folder / "entry")
    os.rename(folder / "x", folder / "judge")
    before = slot_id(folder / "slot")
    done, (said,) = recover(site)
    assert done == {**NOTHING, "refused": 1} and "is not p2e's: not trusted" in said
    assert slot_id(folder / "slot") == before


def test_folders_of_other_tools_are_left_alone(site, objects):
    folder = pin(site, objects, "A")
    (site.pin_dir / "tc").mkdir()
    pin_again(folder / "meta", site.pin_dir / "tc" / "globals")
    assert recover(site) == (NOTHING, [])
    assert (site.pin_dir / "tc" / "globals").exists()


def test_pin_dir_that_is_a_link(site, objects, tmp_path):
    pin(site, objects, "A")
    real, site.pin_dir = site.pin_dir, site.pin_dir.with_name(site.pin_dir.name + "-link")
    site.pin_dir.symlink_to(real)
    try:
        assert site.tool("recover", site.pin_dir).stdout == (
            f"error: pin folder {site.pin_dir} is not a folder: not trusted\n"
        )
    finally:
        site.pin_dir.unlink()
        site.pin_dir = real


# ---- The lock ------------------------------------------------------------------------------------
def lock(site):
    descriptor = os.open(site.pin_dir / LOCK, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@pytest.mark.parametrize(
    "verb, arguments", [("create", ["second", "B"]), ("replace", ["first", "B"]), ("remove", ["first"]), ("recover", [])]
)
def test_writers_wait_for_the_lock(site, objects, verb, arguments):
    """They tell who has it, change nothing, and go on where it is released in time."""
    pin(site, objects, "A")
    arguments = [site.pin_dir, *arguments[:1], *(objects / name for name in arguments[1:])]
    descriptor = lock(site)
    done = site.tool(verb, *arguments)
    assert done.returncode == 1
    assert f"process {os.getpid()} has kept the pin folder {site.pin_dir} locked for 5 s" in done.stdout
    assert site.pinned() == ["first"]
    waiting = subprocess.Popen([TOOL, verb, *map(str, arguments)], stdout=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.3)
    os.close(descriptor)
    assert waiting.wait(60) == 0


def test_readers_need_no_lock(site, objects):
    pin(site, objects, "A")
    descriptor = lock(site)
    assert site.tool("counters", site.pin_dir, "first").stdout == "passed 0 malformed 0 rule 0\n"
    os.close(descriptor)


def test_the_lock_of_the_dead_is_free(site, objects):
    pin(site, objects, "A")
    holder = subprocess.Popen(
        ["flock", str(site.pin_dir / LOCK), "sh", "-c", "echo held; exec sleep 60"], stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    for process in [*children(holder.pid), holder.pid]:  # both have it open
        os.kill(process, 9)
    holder.wait()
    assert recover(site) == (NOTHING, [])


def children(pid):
    listed = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def test_without_the_right(site, objects):
    pin(site, objects, "A")
    left = site.pin_dir / "~first~0123456789abcdef"
    left.mkdir(mode=0o755)
    done = site.tool("recover", site.pin_dir, prefix=UNPRIVILEGED)
    assert f"cannot open the lock {site.pin_dir / LOCK}: Permission denied; run this as root" in done.stdout
    assert site.pinned() == ["first", left.name]


# ---- The lock that is not to be trusted ----------------------------------------------------------
def make_link(path):
    path.symlink_to("first")


def make_foreign(path):
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)


def make_open(path):
    path.mkdir()
    path.chmod(0o755)


@pytest.mark.parametrize("make, said", [
    (make_link, "is not a folder: not trusted; as root, run: rm "),
    (make_foreign, f"belongs to user {NOBODY}, not to root: not trusted; as root, run: rmdir "),
    (make_open, "can be held by others: not trusted; as root, run: chmod 0700 "),
])
def test_a_lock_of_others(site, objects, make, said):
    before = program_id(pin(site, objects, "A") / "judge")
    (site.pin_dir / LOCK).rmdir()
    make(site.pin_dir / LOCK)
    for verb, *arguments in (["replace", "first", objects / "B"], ["create", "second", objects / "B"],
                             ["remove", "first"], ["recover"]):
        done = site.tool(verb, site.pin_dir, *arguments)
        assert done.returncode == 1 and f"the lock {site.pin_dir / LOCK} {said}" in done.stdout
    assert site.pinned() == ["first"] and program_id(site.pin_dir / "first" / "judge") == before


def test_the_lock_is_the_owners_alone(site, objects):
    """It is made where it is not there, and stays."""
    pin(site, objects, "A")
    (site.pin_dir / LOCK).rmdir()
    site.tool("remove", site.pin_dir, "first", prefix=["sh", "-c", 'umask 0; exec "$@"', "sh"])
    assert site.pinned() == []
    assert (site.pin_dir / LOCK).stat().st_mode & 0o777 == 0o700
    assert recover(site) == (NOTHING, [])
    assert (site.pin_dir / LOCK).exists()
