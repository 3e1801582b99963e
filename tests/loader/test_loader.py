"""From objects to programs in the kernel and pins in bpffs, and every way in which that fails."""

import concurrent.futures
import os
import re
import stat
import struct
import subprocess

import pytest
from first_byte import NO_BPFFS, NOBODY, ROOT_WITHOUT_BPF, SANITIZED, UNPRIVILEGED, Site

ABI = 4  # P2E_ABI
UNIX = {"transport": "unixgram", "path": "@first"}
JUDGED = ["A drop", "B pass", "C pass"]


@pytest.fixture
def site():
    site = Site(first=UNIX).compile()
    yield site
    site.close()


def program(site, prefix=(), name="first", **options):
    """The lines of: where the program came from, and its verdicts on A, B and C."""
    done = site.tool("program", site.conf, name, "A", "B", "C", prefix=prefix, **options)
    assert done.stderr == ""
    return done.stdout.splitlines()


def error(lines):
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


# ---- The ways in -------------------------------------------------------------------------------------


def test_loaded_and_pinned_then_pinned(site):
    assert program(site) == ["pinned", *JUDGED]
    assert program(site) == ["pin", *JUDGED]
    assert site.tool("counters", site.pin_dir, "first").stdout == "passed 4 malformed 0 rule 2\n"


def test_a_pin_needs_no_privilege_and_no_object(site):
    program(site)
    site.object("first").unlink()
    assert program(site, UNPRIVILEGED) == ["pin", *JUDGED]


def test_pins_are_open_to_all_whatever_the_umask(site):
    assert program(site, ["sh", "-c", 'umask 077; exec "$@"', "sh"])[0] == "pinned"
    folder = site.pin_dir / "first"
    assert stat.S_IMODE(site.pin_dir.stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    pins = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}
    assert pins == {**dict.fromkeys(["entry", "judge", "slot", "empty", "meta", "options"], 0o444),
                    **dict.fromkeys(["state", "samples"], 0o600)}
    assert site.pinned() == ["first"]


def test_without_bpffs_it_is_loaded_and_not_pinned(site):
    assert program(site, NO_BPFFS) == ["unpinned", *JUDGED]


def test_where_pinning_is_impossible_it_is_loaded_and_not_pinned(site):
    site.pin_dir = site.folder / "nowhere" / "pins"
    site.configure(first=UNIX)
    assert program(site) == ["unpinned", *JUDGED]
    assert not site.pin_dir.parent.exists()


def test_monitor_drops_nothing(site):
    site.configure(first={**UNIX, "mode": "monitor"})
    assert program(site) == ["pinned", "A pass", "B pass", "C pass"]
    assert site.tool("counters", site.pin_dir, "first").stdout == "passed 2 malformed 0 rule 1\n"


def test_many_at_once_share_one_pin(site):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda _: program(site), range(24)))
    assert all(r[1:] == JUDGED for r in results)
    assert sorted(r[0] for r in results) == ["pin"] * 23 + ["pinned"]
    assert site.pinned() == ["first"]


def test_pins_that_are_there_already_stay(site):
    program(site)
    before = (site.pin_dir / "first" / "entry").stat().st_ino
    done = site.tool("create", site.pin_dir, "first", site.object("first"))
    assert done.stdout.startswith("EEXIST: error: cannot make pin folder")
    assert (site.pin_dir / "first" / "entry").stat().st_ino == before
    assert site.pinned() == ["first"]


def test_a_process_that_was_slower_takes_the_pins_of_the_faster(site):
    """strace holds it before it gets the lock until the other has done all."""
    if SANITIZED:
        pytest.skip("the leak sanitizer does not work under strace")
    hold = ["strace", "-f", "-e", "trace=flock,renameat2", "-e", "inject=flock:delay_enter=2s:when=1"]
    hold += ["-o", str(site.folder / "trace")]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slower = pool.submit(program, site, hold)
        while not slower.done() and b"flock" not in trace(site):
            pass
        assert program(site) == ["pinned", *JUDGED]
        assert slower.result() == ["pin", *JUDGED]
    assert b"EEXIST" in trace(site)


def trace(site):
    path = site.folder / "trace"
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize("closed", ["0<&-", "0<&- 2>&-", "0<&- 1>&3 2>&-"])
def test_loads_where_standard_descriptors_are_closed(site, closed):
    assert program(site, ["sh", "-c", f'exec 3>&1; exec {closed}; exec "$@"', "sh"])[1:] == JUDGED


# ---- Privilege ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefix, missing",
    [
        (UNPRIVILEGED, "CAP_BPF and CAP_PERFMON"),
        (ROOT_WITHOUT_BPF, "CAP_BPF and CAP_PERFMON"),
        (["setpriv", "--bounding-set=-perfmon,-sys_admin"], "CAP_PERFMON"),
        (["setpriv", "--bounding-set=-bpf,-sys_admin"], "CAP_BPF"),
    ],
)
def test_loading_without_privilege_names_what_is_missing(site, prefix, missing):
    said = error(program(site, prefix))
    assert f"needs {missing}, which" in said and "p2e load" in said


def test_a_user_namespace_is_not_privilege(site):
    said = error(program(site, ["unshare", "--user", "--map-root-user"]))
    assert "although this process has CAP_BPF" in said and "user namespace" in said


def test_cap_bpf_and_perfmon_are_enough(site):
    prefix = ["setpriv", "--bounding-set=-all,+bpf,+perfmon"]
    assert program(site, prefix)[1:] == JUDGED


# ---- Objects that are not what they should be ----------------------------------------------------------


def test_missing_object(site):
    site.object("first").unlink()
    assert error(program(site)).endswith("first.bpf.o is missing; run: p2e compile")


def test_object_of_other_rules(site):
    site.configure(first={**UNIX, "rules": ["false"]})
    said = error(program(site))
    assert "is of other rules than" in said and said.endswith("run: p2e compile")


def blob_begin(data):
    """Where the blob (struct p2e_blob) begins: at the magic and ABI that a sensible size follows. The
    description begins like it, but is short."""
    magic = struct.pack("<II", 0x31653270, ABI)
    at = data.index(magic)
    while struct.unpack_from("<I", data, at + 8)[0] < 1000:
        at = data.index(magic, at + 1)
    return at


def rewrite(site, change):
    path = site.object("first")
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def test_object_of_another_abi(site):
    rewrite(site, lambda data: struct.pack_into("<I", data, blob_begin(data) + 4, ABI + 1))
    assert f"is of ABI {ABI + 1}, this p2e is of ABI {ABI}; run: p2e compile" in error(program(site))


def test_object_with_a_description_of_another_abi(site):
    site.compile(ABI=7)
    assert "is of ABI 7" in error(program(site))


def test_truncated_object(site):
    path = site.object("first")
    whole = path.read_bytes()
    for size in [*range(0, 80), *range(80, len(whole), 397), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert "run: p2e compile" in error(site.tool("load", path).stdout.splitlines()), size


def test_any_damage_to_the_loaded_part_is_found(site):
    path = site.object("first")
    whole = path.read_bytes()
    begin = blob_begin(whole)
    size = struct.unpack_from("<I", whole, begin + 8)[0]
    step = 401 if SANITIZED else 53
    for at in [*range(begin, begin + 48), *range(begin + 48, begin + size, step)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        assert error(site.tool("load", path).stdout.splitlines()), at - begin


def test_damage_to_the_elf_file_never_crashes(site):
    path = site.object("first")
    whole = path.read_bytes()
    sections = struct.unpack_from("<Q", whole, 40)[0]
    for at in [*range(64), *range(sections, len(whole), 7)]:
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        done = site.tool("load", path)
        assert done.returncode in (0, 1) and done.stderr == "", at


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"not an object\n" * 100])
def test_a_file_that_is_no_object(site, content):
    site.object("first").write_bytes(content)
    assert "is not one of p2e's, or corrupt" in error(program(site))


def test_object_that_others_may_write(site):
    site.object("first").chmod(0o664)
    assert "can be written by others: not trusted" in error(program(site))


def test_object_of_another_user(site):
    os.chown(site.object("first"), NOBODY, NOBODY)
    assert "belongs to user 65534: not trusted" in error(program(site))


def test_object_that_is_no_file(site):
    site.object("first").unlink()
    os.mkfifo(site.object("first"))
    assert "is not a file" in error(program(site))


def test_object_is_never_left_writable_by_others(site):
    elf = site.folder / "clang.o"
    elf.chmod(0o666)
    built = site.tool("build", elf, site.folder / "new.o", prefix=["sh", "-c", 'umask 0; "$@"', "sh"])
    assert built.returncode == 0
    assert stat.S_IMODE((site.folder / "new.o").stat().st_mode) == 0o644


def test_description_of_an_object(site):
    done = site.tool("load", site.object("first"))
    assert done.stdout == "first test.First 00 1 not-a data[0] != 'A' no A, please\n"


# ---- Building objects ----------------------------------------------------------------------------------


def test_build_without_objcopy_says_which_package(site):
    (site.folder / "empty").mkdir()
    env = {**os.environ, "PATH": str(site.folder / "empty")}
    done = site.tool("build", site.folder / "clang.o", site.folder / "new.o", env=env)
    assert done.stdout.startswith("error: ")
    assert "llvm-objcopy" in done.stdout and "package llvm" in done.stdout
    assert not [p for p in site.folder.iterdir() if p.name.startswith("new.o")]


def test_build_of_no_elf_file(site):
    done = site.tool("build", site.conf, site.folder / "new.o")
    assert done.stdout.startswith("error: libbpf cannot read ")


def test_build_leaves_the_old_object_when_it_fails(site):
    before = site.object("first").read_bytes()
    assert site.tool("build", site.conf, site.object("first")).returncode == 1
    assert site.object("first").read_bytes() == before
    assert [p.name for p in site.objects.iterdir()] == ["first.bpf.o"]


def test_build_needs_no_privilege_and_gives_the_same_bytes(site):
    open_folder = site.folder / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    out = open_folder / "first.bpf.o"
    assert site.tool("build", site.folder / "clang.o", out, prefix=UNPRIVILEGED).returncode == 0
    assert out.read_bytes() == site.object("first").read_bytes()


def test_built_object_has_btf_and_no_dwarf(site):
    sections = subprocess.run(
        ["llvm-readelf", "-S", site.object("first")], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"\s\.BTF\s", sections) and re.search(r"\s\.BTF\.ext\s", sections)
    assert ".debug" not in sections


# ---- The verifier's refusal -----------------------------------------------------------------------------


def test_refused_program_names_the_filter_and_keeps_the_log(site):
    site.compile(REFUSED=1)
    said = error(program(site))
    assert 'the kernel refuses the program of filter "first"' in said and "p2e check" in said
    log = site.folder / "verifier.log"
    said = error(site.tool("load", site.object("first"), log).stdout.splitlines())
    assert str(log) in said
    assert "invalid bpf_context access off=4096" in log.read_text()


def test_refused_program_of_a_later_kernel(site):
    site.compile(REFUSED=1, KERNEL=99 << 16 | 7)
    said = error(program(site))
    assert 'filter "first" has rules with "now", the time, which need Linux 99.7 or later' in said
    site.compile(KERNEL=99 << 16 | 7)  # what a kernel takes, it has
    assert program(site)[0] == "pinned"


def test_refused_program_whose_log_cannot_be_kept(site):
    site.compile(REFUSED=1)
    said = error(site.tool("load", site.object("first"), "/nonexistent/log").stdout.splitlines())
    assert 'filter "first"' in said and "its log is lost" in said


# ---- Pins that are not what they should be ----------------------------------------------------------------


def test_pins_of_other_rules_are_replaced_by_who_may(site):
    program(site)
    site.configure(first={**UNIX, "rules": ["false"]})
    site.compile(FORBIDDEN=66)
    said = error(program(site, UNPRIVILEGED))
    assert "is of other rules than" in said and "p2e load" in said and "CAP_BPF" in said
    assert program(site) == ["pinned", "A pass", "B drop", "C pass"]
    assert program(site, UNPRIVILEGED) == ["pin", "A pass", "B drop", "C pass"]
    assert site.pinned() == ["first"]


def test_pins_of_another_mode_are_replaced(site):
    program(site)
    site.configure(first={**UNIX, "mode": "monitor"})
    assert "is of other rules" in error(program(site, UNPRIVILEGED))
    assert program(site) == ["pinned", "A pass", "B pass", "C pass"]


def test_pins_of_another_transport_are_replaced(site):
    site.configure(first={"transport": "udp", "port": 4000})
    site.compile()
    assert program(site)[0] == "pinned"  # reads the payload behind a UDP header
    site.configure(first=UNIX)
    site.compile()
    assert program(site) == ["pinned", *JUDGED]


def test_failing_to_replace_leaves_the_old_pins(site):
    program(site)
    site.configure(first={**UNIX, "rules": ["false"]})
    assert "Replacing it here failed: object" in error(program(site))
    site.configure(first=UNIX)
    assert program(site) == ["pin", *JUDGED]


def test_missing_pin(site):
    program(site)
    (site.pin_dir / "first" / "slot").unlink()
    assert "cannot open the pin" in error(program(site))


@pytest.mark.parametrize("a, b", [("state", "meta"), ("entry", "judge"), ("slot", "entry")])
def test_pins_in_each_others_place(site, a, b):
    program(site)
    folder = site.pin_dir / "first"
    os.rename(folder / a, folder / "x")
    os.rename(folder / b, folder / a)
    os.rename(folder / "x", folder / b)
    assert "is not p2e's: not trusted" in error(program(site))


def test_pin_folder_of_another_user(site):
    program(site)
    os.chown(site.pin_dir / "first", NOBODY, NOBODY)
    assert "belongs to user 65534, not to root: not trusted" in error(program(site))


def test_pin_dir_of_another_user(site):
    program(site)
    os.chown(site.pin_dir, NOBODY, NOBODY)
    assert "belongs to user 65534, not to root: not trusted" in error(program(site))


@pytest.mark.parametrize("which", ["", "first"])
def test_pin_folder_that_others_may_write(site, which):
    program(site)
    (site.pin_dir / which).chmod(0o777)
    assert "can be written by others: not trusted" in error(program(site))


def test_pin_folder_that_is_a_link(site):
    program(site)
    os.rename(site.pin_dir / "first", site.pin_dir / "other")
    os.symlink(site.pin_dir / "other", site.pin_dir / "first")
    assert "is not a folder: not trusted" in error(program(site))


def test_pin_folder_that_is_not_on_a_bpffs(site):
    site.pin_dir = site.folder / "pins"
    (site.pin_dir / "first").mkdir(parents=True)
    site.configure(first=UNIX)
    said = error(program(site))
    assert "is not on a bpffs; run: mount -t bpf bpf /sys/fs/bpf" in said


def test_pin_folder_that_is_closed_to_us(site):
    """As it is where systemd mounts the bpffs."""
    program(site)
    site.pin_dir.chmod(0o700)
    said = error(program(site, UNPRIVILEGED))
    assert "cannot look into pin folder" in said and "chmod a+x" in said
    assert "Loading it here failed: loading a program needs CAP_BPF" in said


def test_who_may_load_needs_no_look_at_the_pins(site):
    program(site)
    site.pin_dir.chmod(0o700)
    caps = "+bpf,+perfmon"
    user = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", f"--bounding-set=-all,{caps}"]
    user += [f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}"]
    assert program(site, user) == ["unpinned", *JUDGED]


# ---- Removing -------------------------------------------------------------------------------------------


def test_remove(site):
    program(site)
    assert site.tool("remove", site.pin_dir, "first").returncode == 0
    assert site.pinned() == []
    assert site.tool("counters", site.pin_dir, "first").stdout == "none\n"
    done = site.tool("remove", site.pin_dir, "first")
    assert done.stdout == f'error: filter "first" is not pinned in {site.pin_dir}\n'


def test_remove_without_the_right(site):
    program(site)
    done = site.tool("remove", site.pin_dir, "first", prefix=UNPRIVILEGED)
    assert "cannot open the lock" in done.stdout and "run this as root" in done.stdout
    assert program(site)[0] == "pin"
