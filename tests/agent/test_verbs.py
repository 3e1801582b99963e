"""p2e load, reload and unload: what becomes of each filter, and why not."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess

import pytest
from first_byte import LOCK, NO_BPFFS, NOBODY, ROOT_WITHOUT_BPF, UNPRIVILEGED
from keeping import JUDGED, RULES, keep, replace_file, results, verdicts
from p2e import PROTO
from pins import Attached, agree, empty_slot, pin_again, program_id

FOLDER = "note"


@pytest.fixture
def attached(home):
    """A socket that the pinned filter judges for, once there is one."""
    with contextlib.ExitStack() as stack:

        def attach():
            return stack.enter_context(contextlib.closing(Attached(home.pin_dir / FOLDER)))

        yield attach


def both(home, **second):
    """A second filter, of the same object but for its name, which is compiled."""
    filters = {"note": {"rules": RULES["A"]}, "second": {"path": "@p2e-second", **second}}
    home.configure(**filters)
    return home


# ---- load ----------------------------------------------------------------------------------------
def test_load(home, attached):
    assert home.ok("load") == "note: loaded\n"
    assert home.pinned() == ["note", "~published"]
    assert agree(home.pin_dir / FOLDER)
    assert verdicts(attached()) == JUDGED["A"]
    before = program_id(home.pin_dir / FOLDER / "judge")
    assert home.ok("load") == "note: up to date\n"
    assert program_id(home.pin_dir / FOLDER / "judge") == before
    assert home.json("status")[0]["state"] == "pinned"


def test_load_replaces_other_rules_under_sockets(home, attached):
    home.ok("load")
    socket = attached()
    for rule in "BABA":
        keep(home, rule)
        assert home.ok("load") == "note: replaced\n"
        assert verdicts(socket) == JUDGED[rule]
        assert verdicts(attached()) == JUDGED[rule]
        assert agree(home.pin_dir / FOLDER)


def test_load_replaces_another_mode(home, attached):
    home.ok("load")
    socket = attached()
    keep(home, "A", mode="monitor")
    assert home.ok("load") == "note: replaced\n"
    assert verdicts(socket) == "++++"
    assert home.ok("load") == "note: up to date\n"


def test_load_replaces_another_schema(home):
    """The same rules, and an annotation that the schema has now: only the digest tells."""
    keys = {"schema": "note.proto"}
    home.configure(note=keys)
    assert home.ok("load") == "note: loaded\n"
    assert home.ok("load") == "note: up to date\n"
    home.write("note.proto", PROTO.replace("int32 number", "sint32 number"))
    assert home.ok("load", "--no-compile") == "note: up to date\n"
    assert home.ok("load") == "note: replaced\n"


def test_load_compiles_what_is_missing(home):
    shutil.rmtree(home.folder / "objects-A")
    assert home.ok("load") == "note: loaded\n"
    assert (home.folder / "objects-A/note.bpf.o").exists()


def test_load_without_compiling(home):
    assert home.ok("load", "--no-compile", env={"P2E_CLANG": "/nonexistent"}) == "note: loaded\n"
    shutil.copy(home.folder / "objects-A/note.bpf.o", home.folder / "objects-B/note.bpf.o")
    keep(home, "B")
    said = home.fails("load", "--no-compile")
    assert 'filter "note": object ' in said and "is of other rules than" in said and "run: p2e compile" in said
    (home.folder / "objects-B/note.bpf.o").unlink()
    assert "run: p2e compile" in home.fails("load", "--no-compile")


def test_load_of_some(home):
    both(home, rules=RULES["B"])
    assert home.ok("load", "second") == "second: loaded\n"
    assert home.pinned() == ["second", "~published"]
    assert results(home.ok("load", "--json")) == [("note", "loaded"), ("second", "up to date")]


def test_load_of_what_there_is_not(home):
    said = home.fails("load", "nota")
    assert said == f'p2e load: {home.conf} has no filter "nota"; did you mean "note"?\n'
    assert not home.pin_dir.exists()


def test_one_failure_stops_no_other(home, attached):
    home.ok("load")
    socket = attached()
    both(home, rules=RULES["B"])
    home.filters["note"]["rules"] = ["nunber < 5"]
    home.configure(**home.filters)
    done = home.p2e("load")
    assert (done.returncode, done.stdout) == (1, "second: loaded\n")
    assert done.stderr.startswith('p2e load: filter "note": rule "rule1": unknown field "nunber"')
    assert verdicts(socket) == JUDGED["A"]
    rows = json.loads(home.p2e("load", "--json").stdout)
    assert [(row["filter"], row["result"]) for row in rows] == [("note", "failed"), ("second", "up to date")]
    assert "unknown field" in rows[0]["error"]


def test_load_mends_what_the_dead_left(home):
    home.ok("load")
    (home.pin_dir / "~note~0123456789abcdef").mkdir()
    empty_slot(home.pin_dir / FOLDER / "slot")
    assert home.ok("load") == "note: up to date\n"
    assert home.pinned() == ["note", "~published"]
    assert agree(home.pin_dir / FOLDER)


# ---- Failures that say what to do ----------------------------------------------------------------
def test_no_bpffs(home):
    said = home.fails("load", prefix=NO_BPFFS)
    assert "is not on a bpffs" in said and "run: mount -t bpf bpf /sys/fs/bpf" in said


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ROOT_WITHOUT_BPF])
def test_no_privilege(home, prefix):
    said = home.fails("load", "--no-compile", prefix=prefix)
    assert 'filter "note": loading a program needs CAP_BPF and CAP_PERFMON' in said
    assert not home.pin_dir.exists()


def test_no_privilege_is_needed_for_what_is_up_to_date(home):
    home.ok("load")
    assert home.ok("load", "--no-compile", prefix=UNPRIVILEGED) == "note: up to date\n"


def test_refused_pins_are_said(home):
    home.ok("load")
    os.chown(home.pin_dir / FOLDER, NOBODY, NOBODY)
    said = home.fails("load")
    assert "belongs to user 65534, not to root: not trusted" in said
    assert "p2e unload note, then: p2e load" in said


def test_others_cannot_hold_it_up(home):
    """Anyone may open the pin folder, and lock what they have opened."""
    home.ok("load")
    for folder in (home.pin_dir, home.pin_dir / FOLDER):
        hold = ["flock", str(folder), "sh", "-c", "echo held; exec cat"]
        with subprocess.Popen([*UNPRIVILEGED, *hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"held\n"
            keep(home, "B")
            assert home.ok("load") == "note: replaced\n"
            keep(home, "A")
            assert home.ok("reload") == "note: replaced\n"
            other.stdin.close()


def test_lock_that_is_held(home):
    home.ok("load")
    descriptor = os.open(home.pin_dir / LOCK, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    said = home.fails("unload", "note")
    assert f"process {os.getpid()} has kept the pin folder {home.pin_dir} locked" in said
    os.close(descriptor)
    assert (home.pin_dir / FOLDER).exists()


@pytest.mark.parametrize("verb", ["load", "reload", "unload", "agent"])
def test_no_configuration(home, verb):
    said = home.fails(verb, "-c", "/nonexistent", *(["--all"] if verb == "unload" else []))
    assert said.startswith(f"p2e {verb}: there is no config file /nonexistent")


# ---- reload --------------------------------------------------------------------------------------
def gone(home):
    """Two filters are pinned, one is left in the configuration."""
    both(home, rules=RULES["B"])
    home.ok("load")
    keep(home, "A")


def test_reload(home):
    assert home.ok("reload") == "note: loaded\n"
    keep(home, "B")
    assert home.ok("reload") == "note: replaced\n"
    assert home.ok("reload") == "note: up to date\n"


def test_reload_names_what_is_gone_and_leaves_it(home):
    gone(home)
    for _ in range(2):
        assert home.ok("reload") == "note: up to date\nsecond: not in the configuration\n"
    assert agree(home.pin_dir / "second")


def test_reload_prunes(home):
    gone(home)
    assert results(home.ok("reload", "--prune", "--json")) == [("note", "up to date"), ("second", "removed")]
    assert home.pinned() == ["note", "~published"]


def test_prune_removes_no_filter_that_fails(home):
    gone(home)
    keep(home, "A", rules=["nunber < 5"])
    done = home.p2e("reload", "--prune")
    assert (done.returncode, done.stdout) == (1, "second: removed\n")
    assert agree(home.pin_dir / "note")


# ---- What is not p2e's in the pin folder ---------------------------------------------------------
@pytest.fixture
def others(home):
    """Another tool's pins: in a folder, and without one. And a folder that it has not filled yet."""
    home.ok("load")
    for name in ("tc", "ip"):
        (home.pin_dir / name).mkdir()
    for path in (home.pin_dir / "tc" / "globals", home.pin_dir / "counters"):
        pin_again(home.pin_dir / FOLDER / "meta", path)
    return {home.pin_dir / name for name in ("tc", "tc/globals", "ip", "counters")}


def test_others_pins_are_left_alone(home, others):
    for arguments in (["load"], ["reload"], ["reload", "--prune"]):
        assert home.ok(*arguments) == "note: up to date\n"
    assert [entry["filter"] for entry in home.json("status")] == ["note"]
    said = home.fails("unload", "tc")
    assert said == f"p2e unload: the pin folder {home.pin_dir}/tc holds what is not p2e's: left alone\n"
    assert "is not a folder: not trusted" in home.fails("unload", "counters")
    assert home.ok("unload", "--all") == "note: removed\n"
    assert all(path.exists() for path in others)
    assert not (home.pin_dir / "~published").exists()


def test_unload_of_what_is_incomplete(home, others):
    """Another version may have other pins."""
    for name in ("entry", "judge", "empty"):
        (home.pin_dir / FOLDER / name).unlink()
    assert "p2e unload note, then: p2e load" in home.fails("load")
    assert home.ok("unload", "note") == "note: removed\n"
    assert home.ok("unload", "ip") == "ip: removed\n"
    assert home.ok("load") == "note: loaded\n"


# ---- unload --------------------------------------------------------------------------------------
def test_unload(home, attached):
    home.ok("load")
    socket = attached()
    assert home.ok("unload", "note") == "note: removed\n"
    assert home.pinned() == []
    assert verdicts(socket) == "----"
    home.ok("load")  # gets a slot of its own
    assert verdicts(socket) == "----"
    assert verdicts(attached()) == JUDGED["A"]


@pytest.mark.parametrize("modes, left", [(["monitor"], "++++"), (["monitor", "enforce"], "----"),
                                         (["enforce", "monitor"], "++++"),
                                         (["monitor", "enforce", "monitor"], "++++")])
def test_the_last_mode_says_what_unloading_leaves(home, attached, modes, left):
    for mode in modes:
        keep(home, "A", mode=mode)
        home.ok("load")
        socket = attached()
    home.ok("unload", "note")
    assert verdicts(socket) == left


@pytest.mark.parametrize("before, after, left", [("monitor", "enforce", "----"), ("enforce", "monitor", "++++")])
def test_the_last_mode_says_what_another_transport_leaves(home, attached, before, after, left):
    """Sockets of UNIX do not go over to a filter for UDP."""
    keep(home, "A", mode=before)
    home.ok("load")
    socket = attached()
    keep(home, "A", mode=after, port=9)
    assert home.ok("load") == "note: replaced\n"
    assert verdicts(socket) == left


def test_unload_all(home):
    gone(home)
    assert home.ok("unload", "--all") == "note: removed\nsecond: removed\n"
    assert home.ok("unload", "--all") == ""


def test_unload_of_what_is_not_pinned(home):
    home.ok("load")
    done = home.p2e("unload", "nota", "note", "../note")
    assert (done.returncode, done.stdout) == (1, "note: removed\n")
    assert done.stderr == "".join(
        f'p2e unload: filter "{name}" is not pinned in {home.pin_dir}\n' for name in ("nota", "../note")
    )


def test_unload_takes_names_or_all(home):
    home.ok("load")
    assert "name filters, or say --all" in home.fails("unload", status=2)
    assert "name filters, or say --all" in home.fails("unload", "--all", "note", status=2)
    assert (home.pin_dir / FOLDER).exists()


def test_unload_without_the_right(home):
    home.ok("load")
    assert "cannot open the lock" in home.fails("unload", "note", prefix=UNPRIVILEGED)
    assert agree(home.pin_dir / FOLDER)


def test_help(home):
    for verb, word in {"load": "go over", "reload": "--prune", "unload": "receive nothing more", "agent": "SIGHUP"}.items():
        assert word in home.ok(verb, "--help")
        assert f"\n  {verb} " in home.ok("help")


def test_no_filters_are_published_too(home):
    """Servers without a configuration are not to find those that are gone."""
    home.ok("load")
    before = (home.pin_dir / "~published").stat().st_ino
    replace_file(home.conf, f'pin_dir = "{home.pin_dir}";\nfilters = ();\n')
    assert home.ok("reload") == "note: not in the configuration\n"
    assert (home.pin_dir / "~published").stat().st_ino != before
    home.ok("unload", "--all")
    home.ok("reload")
    assert home.pinned() == ["~published"]
