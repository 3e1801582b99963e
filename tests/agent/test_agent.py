"""p2e agent: what it watches, what it applies, what it says, how it ends."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket

import pytest
from first_byte import NO_BPFFS, ROOT, ROOT_WITHOUT_BPF, UNPRIVILEGED
from keeping import JUDGED, RULES, Agent, HeldClang, keep, replace_file, text_of, verdicts
from p2e import PROTO
from pins import Attached, agree, empty_slot

# What the systemd unit leaves it.
KEPT = re.search(r"^CapabilityBoundingSet=(.*)", (ROOT / "contrib/systemd/p2e-agent.service").read_text(), re.M)
CAPABILITIES = KEPT[1].lower().replace("cap_", ",+").replace(" ", "")
UNIT = ["setpriv", f"--bounding-set=-all{CAPABILITIES}", "--no-new-privs"]
REPLACED = 'filter "note": replaced'


@contextlib.contextmanager
def running(home, *options, **more):
    """An agent and an attached socket, after it has loaded the filter."""
    with Agent(home, *options, **more) as agent:
        assert agent.line() == 'filter "note": loaded'
        with contextlib.closing(Attached(home.pin_dir / "note")) as attached:
            assert verdicts(attached) == JUDGED["A"]
            yield agent, attached


# ---- Begin and end -------------------------------------------------------------------------------
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_loads_and_ends(home, how):
    with running(home) as (agent, attached):
        agent.process.send_signal(how)
        assert agent.told() == "STOPPING=1"
        assert agent.end(how) == (0, "")
        assert agree(home.pin_dir / "note")
        assert verdicts(attached) == JUDGED["A"]


def test_death_changes_nothing(home):
    with running(home) as (agent, attached):
        agent.end(signal.SIGKILL)
        assert verdicts(attached) == JUDGED["A"]
        keep(home, "B")
        with Agent(home) as second:
            assert second.line() == REPLACED
            assert verdicts(attached) == JUDGED["B"]


def test_a_second_agent_has_nothing_to_say(home):
    with running(home), Agent(home) as second:
        assert second.end() == (0, "")


def test_mends_what_the_dead_left(home):
    home.ok("load")
    (home.pin_dir / "~note~0123456789abcdef").mkdir()
    empty_slot(home.pin_dir / "note/slot")
    with Agent(home) as agent:
        assert agent.line() == (
            f"mended what a process that died had left in {home.pin_dir}: 1 folders removed, "
            "0 replacements finished, 1 slots filled"
        )
        assert agree(home.pin_dir / "note")


def test_with_the_rights_of_the_unit(home):
    with running(home, prefix=UNIT) as (agent, attached):
        keep(home, "B")
        assert agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["B"]


def test_without_the_right_to_write_to_pins(home):
    """Which root has by a capability alone, so that no server of root's without it writes to them."""
    prefix = ["setpriv", "--bounding-set=-all,+bpf,+perfmon"]
    with running(home, prefix=prefix) as (agent, attached):
        keep(home, "B")
        said = agent.line()
        assert said.startswith('the old program stays: filter "note": ') and "CAP_DAC_OVERRIDE" in said
        assert verdicts(attached) == JUDGED["A"]


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ROOT_WITHOUT_BPF])
def test_without_privilege(home, prefix):
    said = home.fails("agent", prefix=prefix)
    assert said.startswith("p2e agent: loading programs needs CAP_BPF and CAP_PERFMON")


def test_without_bpffs(home):
    said = home.fails("agent", prefix=NO_BPFFS)
    assert "run: mount -t bpf bpf /sys/fs/bpf" in said
    assert said.endswith(f"none of the filters in {home.conf} could be loaded\n")


def test_nothing_that_loads(home):
    keep(home, "A", rules=["nunber < 5"])
    said = home.fails("agent").splitlines()
    assert said[0].startswith('p2e agent: not loaded: filter "note": rule "rule1": unknown field "nunber"')
    assert said[1:] == [f"p2e agent: none of the filters in {home.conf} could be loaded"]


def test_manager_that_is_not_there(home):
    with running(home) as (agent, attached):
        agent.manager.close()
        agent.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        keep(home, "B")
        assert agent.line() == REPLACED


# ---- Changes -------------------------------------------------------------------------------------
def test_file_that_is_replaced(home):
    with running(home) as (agent, attached):
        for rule in "BABA":
            keep(home, rule)
            assert agent.line() == REPLACED
            assert verdicts(attached) == JUDGED[rule]
        assert agent.silent()


def test_file_that_is_written(home):
    with running(home) as (agent, attached):
        home.conf.write_text(text_of(home, "B"))
        assert agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["B"]


def test_file_that_is_a_mount(home):
    """As a container gets it: what is written is another folder's."""
    outside = home.folder / "outside"
    outside.mkdir()
    shutil.copy(home.conf, outside / "p2e.conf")
    mount = f'mount --bind {outside}/p2e.conf {home.conf}; exec "$@"'
    with running(home, prefix=["unshare", "--mount", "sh", "-c", mount, "sh"]) as (agent, attached):
        for rule in "BAB":
            (outside / "p2e.conf").write_text(text_of(home, rule))
            assert agent.line() == REPLACED
            assert verdicts(attached) == JUDGED[rule]
        assert agent.silent()


def test_change_that_changes_nothing(home):
    with running(home) as (agent, _):
        home.conf.write_text("# A comment.\n" + text_of(home, "A"))
        assert agent.silent()


def test_other_files_are_not_looked_at(home):
    """The manager hears of no reload."""
    with running(home) as (agent, _):
        for name in ("p2e.conf~", ".p2e.conf.swp", "other.proto", "objects-A/other"):
            home.write(name, "")
        agent.manager.settimeout(0.5)
        with pytest.raises(TimeoutError):
            agent.told()


def test_file_that_is_missing_for_a_while(home):
    with running(home) as (agent, attached):
        home.conf.unlink()
        assert agent.line().startswith("all stays as it was: there is no config file")
        assert verdicts(attached) == JUDGED["A"]
        keep(home, "B")
        assert agent.line() == f"{home.conf}: read"
        assert agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["B"]


def test_fault_is_said_once_and_its_end(home):
    with running(home) as (agent, attached):
        home.conf.write_text("filters = (")
        assert agent.line().startswith(f"all stays as it was: {home.conf}:1")
        assert agent.silent()
        assert verdicts(attached) == JUDGED["A"]
        keep(home, "A")
        assert agent.line() == f"{home.conf}: read"
        assert agent.silent()


def test_rule_that_does_not_compile(home):
    with running(home) as (agent, attached):
        keep(home, "A", rules=["nunber < 5"])
        said = agent.line()
        assert said.startswith('the old program stays: filter "note": rule "rule1": unknown field "nunber"')
        assert said.endswith(" (p2e check tells more)")
        assert agent.silent()
        assert verdicts(attached) == JUDGED["A"]
        keep(home, "A")
        assert agent.line() == 'filter "note": up to date'
        keep(home, "B")
        assert agent.line() == REPLACED


def test_program_that_does_not_load(home):
    with running(home, "--no-compile") as (agent, attached):
        (home.folder / "objects-B/note.bpf.o").write_bytes(b"no object")
        keep(home, "B")
        assert agent.line().startswith('the old program stays: filter "note": ')
        assert agent.silent()
        assert verdicts(attached) == JUDGED["A"]


def test_some_fail_and_others_do_not(home):
    with running(home) as (agent, attached):
        home.configure(
            note={"rules": ["nunber < 5"]}, second={"rules": RULES["B"], "path": "@p2e-second"}
        )
        assert agent.line().startswith('the old program stays: filter "note"')
        assert agent.line() == 'filter "second": loaded'
        assert verdicts(attached) == JUDGED["A"]
        keep(home, "A")
        lines = {agent.line() for _ in range(2)}
        assert lines == {
            'filter "note": up to date',
            f'filter "second" is pinned and not in {home.conf}; a server may use it, so it is left '
            "alone; p2e unload second removes it",
        }
        assert agent.silent()
        assert agree(home.pin_dir / "second")


def test_hang_up_applies_what_nobody_tells_of(home):
    """Pins that were removed are made anew."""
    with running(home) as (agent, _):
        home.ok("unload", "note")
        agent.hang_up()
        assert agent.line() == 'filter "note": loaded'
        assert agree(home.pin_dir / "note")


def reloads(agent):
    """It tells that it does, and that it has done so."""
    return agent.told().startswith("RELOADING=1") and agent.told() == "READY=1"


def test_hang_up_while_a_change_is_applied(home):
    """What was done by hand before it may not have been seen."""
    clang = HeldClang(home)
    with running(home, prefix=clang.prefix) as (agent, _):
        keep(home, "A", rules=["number < 7"])
        clang.wait()
        agent.process.send_signal(signal.SIGHUP)
        clang.go()
        assert reloads(agent) and reloads(agent)
        assert agent.line() == REPLACED


def test_changes_while_it_compiles(home):
    """The last one is what counts."""
    clang = HeldClang(home)
    with running(home, prefix=clang.prefix) as (agent, attached):
        keep(home, "A", rules=["number < 7"])
        clang.wait()
        for rule in "ABA":
            keep(home, rule, rules=["nunber < 5"])
        keep(home, "B")
        agent.process.send_signal(signal.SIGHUP)
        clang.go()
        assert agent.line() == REPLACED and agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["B"]
        assert agent.silent()


def test_compiling_that_fails_is_not_repeated(home):
    """What took long has done so in vain."""
    tries = home.folder / "tries"
    clang = home.write("clang", f'#!/bin/sh\necho >>{tries}\nexit 1\n', 0o755)
    with running(home, prefix=["env", f"P2E_CLANG={clang}"]) as (agent, attached):
        keep(home, "A", rules=["number < 7"])
        assert agent.line().startswith(
            f'the old program stays: filter "note": {clang} does not compile the filter\'s program'
        )
        assert reloads(agent)
        assert tries.read_text() == "\n"
        assert verdicts(attached) == JUDGED["A"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_compiling_ends_with_it(home, how):
    """And leaves nothing behind. What it said can be read to its end when all have ended."""
    clang = HeldClang(home)
    with running(home, prefix=clang.prefix) as (agent, _):
        keep(home, "A", rules=["number < 7"])
        clang.wait()
        assert agent.end(how) == (0 if how == signal.SIGTERM else -how, "")
    assert not pathlib.Path(f"/proc/{clang.process()}").exists()
    assert list(home.scratch.iterdir()) == []
    assert [path.name for path in home.folder.glob("objects-A/*.elf")] == []


def test_hang_up_while_it_begins(home):
    keep(home, "A", rules=["number < 7"])
    clang = HeldClang(home)
    with Agent(home, prefix=clang.prefix, wait=False) as agent:
        clang.wait()
        agent.process.send_signal(signal.SIGHUP)
        clang.go()
        assert agent.told() == "READY=1" and reloads(agent)


# ---- What a configuration consists of ------------------------------------------------------------
def test_included_file(home):
    included = home.folder / "filters.conf"
    included.write_text(text_of(home, "A"))
    replace_file(home.conf, '@include "filters.conf"\n')
    with running(home) as (agent, attached):
        replace_file(included, text_of(home, "B"))
        assert agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["B"]


def test_included_file_that_comes_later(home):
    with running(home) as (agent, attached):
        replace_file(home.conf, '@include "filters.conf"\n')
        assert agent.line().startswith("all stays as it was: ")
        (home.folder / "filters.conf").write_text(text_of(home, "B"))
        assert agent.line() == f"{home.conf}: read"
        assert agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["B"]


IMPORTING = """syntax = "proto3";
package test;
// import "commented.proto";
import public "deep/types.proto";
message Holder { Note note = 1; }
"""


def test_imported_file(home):
    """In a folder of `include`, through another; and one that comes to stand before it."""
    (home.folder / "include/deep").mkdir(parents=True)
    home.write("include/deep/types.proto", 'syntax = "proto3";\nimport public "deep/note.proto";\n')
    home.write("include/deep/note.proto", PROTO)
    home.write("holder.proto", IMPORTING)
    keys = {"schema": "holder.proto", "include": ["include"]}
    keep(home, "A", **keys, message="test.Note")
    with running(home) as (agent, _):
        home.write("include/deep/note.proto", PROTO.replace("int32 number", "sint32 number"))
        assert agent.line() == REPLACED
        home.write("include/deep/note.proto", PROTO.replace("int32 number", "string number"))
        assert agent.line().startswith("the old program stays: ")
        (home.folder / "deep").mkdir()
        home.write("deep/note.proto", PROTO.replace("int32 number", "uint32 number"))
        assert agent.line() == REPLACED


def test_schema_that_comes_later(home):
    with running(home) as (agent, attached):
        (home.folder / "note.set").rename(home.folder / "away.set")
        assert agent.line().startswith("the old program stays: ")
        (home.folder / "away.set").rename(home.folder / "note.set")
        assert agent.line() == 'filter "note": up to date'
        assert verdicts(attached) == JUDGED["A"]


def test_objects_are_watched_where_they_are_taken(home):
    with running(home, "--no-compile") as (agent, attached):
        keep(home, "B")
        assert agent.line() == REPLACED
        kept = home.folder / "kept"
        shutil.copy(home.folder / "objects-B/note.bpf.o", kept)
        (home.folder / "objects-B/note.bpf.o").unlink()
        assert agent.line().startswith("the old program stays: ")
        os.rename(kept, home.folder / "objects-B/note.bpf.o")
        assert agent.line() == 'filter "note": up to date'
        assert verdicts(attached) == JUDGED["B"]


# ---- Folders and links ---------------------------------------------------------------------------
class ConfigMap:
    """A volume as Kubernetes keeps it: names are links into ..data, which is a link to a folder."""

    def __init__(self, home):
        self.home = home
        self.folder = home.folder / "volume"
        self.folder.mkdir()
        self.count = 0
        self.swap("A")
        for name in ("p2e.conf", "note.set"):
            (self.folder / name).symlink_to(f"..data/{name}")
        for rule in RULES:
            shutil.copytree(home.folder / f"objects-{rule}", self.folder / f"objects-{rule}")
        home.conf = self.folder / "p2e.conf"

    def swap(self, rule):
        self.count += 1
        new = self.folder / f"..2026_{self.count}"
        new.mkdir()
        (new / "p2e.conf").write_text(text_of(self.home, rule))
        shutil.copy(self.home.folder / "note.set", new)
        (self.folder / "..data_tmp").symlink_to(new.name)
        os.rename(self.folder / "..data_tmp", self.folder / "..data")
        old = self.folder / f"..2026_{self.count - 1}"
        if old.exists():
            shutil.rmtree(old)


def test_config_map(home):
    volume = ConfigMap(home)
    with running(home, "-c", home.conf) as (agent, attached):
        for rule in "BABABA":
            volume.swap(rule)
            assert agent.line() == REPLACED
            assert verdicts(attached) == JUDGED[rule]
        assert agent.silent()


def test_folder_that_is_replaced(home):
    """Twice: the new one is watched, too."""
    folder = home.folder / "etc/p2e"
    folder.mkdir(parents=True)

    def fill(rule):
        shutil.copy(home.folder / "note.set", folder)
        shutil.copytree(home.folder / f"objects-{rule}", folder / f"objects-{rule}", dirs_exist_ok=True)
        (folder / "p2e.conf").write_text(text_of(home, rule))

    fill("A")
    with running(home, "-c", folder / "p2e.conf") as (agent, attached):
        for rule in "BAB":
            shutil.rmtree(folder.parent)
            assert agent.line().startswith("all stays as it was: ")
            folder.mkdir(parents=True)
            fill(rule)
            lines = [agent.line()]
            while lines[-1] != REPLACED:
                lines.append(agent.line())
            assert f"{folder}/p2e.conf: read" in lines
            assert verdicts(attached) == JUDGED[rule]


def test_folder_that_is_made_anew_at_once(home):
    """Before anyone looks; where the file system can, under the old one's number."""
    folder = home.folder / "etc"
    folder.mkdir()
    home.conf = folder / "p2e.conf"

    def fill(rule):
        text = text_of(home, rule).replace('"objects', f'"{home.folder}/objects')
        replace_file(home.conf, text.replace('"note.set"', f'"{home.folder}/note.set"'))

    fill("A")
    with running(home, "-c", home.conf) as (agent, attached):
        number = folder.stat().st_ino
        shutil.rmtree(folder)
        folder.mkdir()
        print("the same number:", folder.stat().st_ino == number)
        fill("B")
        assert agent.line() == REPLACED
        agent.drain()
        fill("A")
        assert agent.line() == REPLACED
        assert verdicts(attached) == JUDGED["A"]


def test_many_changes_at_once(home):
    with running(home) as (agent, attached):
        for _ in range(50):
            keep(home, "B")
            keep(home, "A")
        keep(home, "B")
        while verdicts(attached) != JUDGED["B"]:
            assert agent.line() == REPLACED
        agent.hang_up()
        assert verdicts(attached) == JUDGED["B"]
