"""p2e check: everything short of loading, for every filter, and the verifier's word."""

import os
import pathlib

import pytest
from first_byte import ROOT_WITHOUT_BPF, UNPRIVILEGED
from p2e import COMMAND, PROTO, tools_without

VERIFIER_LOG = pathlib.Path("/tmp/p2e-verifier.log")


def test_all_is_well(compiled):
    assert compiled.ok("check") == "note: ok, 2 rules, the kernel takes it\n"


def test_nothing_is_left_behind(home):
    home.objects.rmdir()
    assert "ok" in home.ok("check")
    assert not home.objects.exists()
    assert not home.pin_dir.exists()
    assert os.listdir(home.scratch) == []


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ROOT_WITHOUT_BPF], ids=["nobody", "root"])
def test_without_privilege(compiled, prefix):
    said = "the kernel was not asked: that needs CAP_BPF and CAP_PERFMON"
    assert compiled.ok("check", prefix=prefix) == f"note: ok, 2 rules ({said})\n"
    assert compiled.json("check", prefix=prefix) == [{"filter": "note", "ok": True, "verified": False}]


def test_every_filter_is_reported(compiled):
    compiled.configure(
        bad={"path": "@bad", "rules": ["true", "txt == ''"]},
        note={},
        worse={"path": "@worse", "schema": "none.proto"},
        last={"path": "@last", "rules": []},
    )
    done = compiled.p2e("check")
    assert done.returncode == 1
    assert done.stdout == (
        "note: ok, 2 rules, the kernel takes it\nlast: ok, 0 rules, the kernel takes it\n"
    )
    assert 'p2e check: filter "bad": rule "rule2": ' in done.stderr
    assert "    txt == ''\n    ^~~\n" in done.stderr
    assert 'p2e check: filter "worse": ' in done.stderr
    assert "none.proto" in done.stderr


def test_json(compiled):
    compiled.configure(bad={"path": "@bad", "rules": ['text == "ä" && txt == ""']}, note={})
    done = compiled.p2e("check", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    bad, good = compiled.json("check")
    assert (bad["filter"], bad["ok"], bad["verified"]) == ("bad", False, False)
    assert 'text == "ä" && txt == ""\n' in bad["error"]
    assert good == {"filter": "note", "ok": True, "verified": True}


def test_stale_object_is_not_taken(compiled):
    """What is checked is the config as it is, and the old object stays."""
    before = compiled.object("note").read_bytes()
    compiled.write("note.proto", PROTO.replace("string text", "bytes text"))
    assert "ok" in compiled.ok("check")
    assert compiled.object("note").read_bytes() == before


def test_clang_only_where_it_is_needed(compiled):
    path = {"PATH": str(tools_without(compiled.folder / "tools", "clang", "llvm-objcopy"))}
    assert "ok" in compiled.ok("check", env=path)
    compiled.object("note").unlink()
    assert "install the package clang" in compiled.fails("check", env=path)


def test_kernel_refuses_the_program(home):
    """A clang that compiles something else stands in for a filter that the verifier does not take."""
    beyond = "*(volatile u32 *)((char *)skb + 4096)"
    wrong = f"s/return p2e_conclude_busy(skb);/return {beyond};/"
    script = f"#!/bin/sh\nsed '{wrong}' | exec clang \"$@\"\n"
    env = {"P2E_CLANG": str(home.write("clang", script, 0o755))}
    VERIFIER_LOG.unlink(missing_ok=True)
    error = home.fails("check", env=env)
    assert 'the kernel refuses the program of filter "note"' in error
    assert str(VERIFIER_LOG) in error
    assert "invalid bpf_context access" in VERIFIER_LOG.read_text()
    VERIFIER_LOG.unlink()


def test_temporary_folder_that_is_not_there(home):
    error = home.fails("check", env={"TMPDIR": "/nowhere"})
    assert "/nowhere" in error


def test_command_is_found_from_anywhere(compiled):
    assert "ok" in compiled.ok("check", command=os.path.relpath(COMMAND, "/"), cwd="/")
