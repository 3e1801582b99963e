"""`p2e explain`: the plan in words."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("P2E_BUILD", "build")
SCHEMA = ROOT / "tests" / "bpf" / "rules.proto"


def explain(*rules, options=(), user=()):
    command = [*user, BUILD / "p2e", "explain", "--schema", SCHEMA, "--message", "rules.M", *options]
    for rule in rules:
        command += ["--rule", rule]
    return subprocess.run(command, capture_output=True, text=True)


def test_words():
    result = explain("i32 > 5 && s.size() < 9", "rm.all(x, x.inner.x > 0)", 'has(om) && "x" in rs')
    assert result.returncode == 0, result.stderr
    for line in (
        "message rules.M", "  i32 (int): the last value", "  s (string): the last value",
        "  rm (list(rules.Inner)): how many; what 1 condition says of its elements",
        "  rm[].inner.x (int): the last value", "  om (rules.Inner): whether it is set",
        "  o (oneof): which member is set", "  rule1: i32 > 5 && s.size() < 9",
    ):
        assert line in result.stdout.splitlines()
    assert "refuses" not in result.stdout
    assert "instructions; the verifier looked at" in result.stdout


@pytest.mark.parametrize("rules, status", [([], 0), (["nothing > 1"], 1)])
def test_no_rule_to_judge(rules, status):
    result = explain(*rules)
    assert result.returncode == status and "walks\n" in result.stdout
    assert "judges" not in result.stdout


def test_usage_has_every_option_of_a_filter():
    usage, rest = subprocess.run(
        [BUILD / "p2e", "explain", "--help"], capture_output=True, text=True).stdout.split("\n", 1)
    for option in re.findall("^ .*--([a-z-]+) [A-Z]", rest, re.M):
        assert re.search(rf"\[--{option} |-{option[0]} |--{option} ", usage, re.I), option


def test_every_refused_rule_is_told():
    result = explain("nothing > 1", "i32 > 0", 's + s == "a"')
    assert result.returncode == 1
    refused = result.stdout[result.stdout.index("refuses"):]
    assert 'unknown field "nothing"' in refused or 'unknown name "nothing"' in refused
    assert "strings are joined only" in refused and refused.count("^") == 2
    assert "  rule2: i32 > 0\n" in result.stdout[: result.stdout.index("refuses")]


def test_json():
    whole = json.loads(explain("b", "nothing", options=["--json"]).stdout)
    assert whole["message"] == "rules.M" and whole["slots"] == 1 and whole["max_depth"] == 32
    assert whole["rules"][0] == {"id": "rule1", "expression": "b"}
    assert "nothing" in whole["rules"][1]["refused"]
    assert whole["instructions"] > 100 and whole["verified"] > whole["instructions"]


def test_without_privilege():
    if os.geteuid():
        pytest.skip("needs root, to give it up")
    user = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all")
    result = explain("b", user=user)
    assert result.returncode == 0, result.stderr
    assert "not loaded here: that needs CAP_BPF and CAP_PERFMON" in result.stdout
    whole = json.loads(explain("b", options=["--json"], user=user).stdout)
    assert whole["slots"] == 1 and not {"instructions", "verified"} & set(whole)


@pytest.mark.parametrize("options, text", [
    ([], "name a filter"), (["-f", "x", "--schema", "y"], "not by both"),
    (["--schema", "x", "--message", "y", "--max-depth", "0"], "--max-depth is a number"),
])
def test_usage(options, text):
    result = subprocess.run([BUILD / "p2e", "explain", *options], capture_output=True, text=True)
    assert result.returncode == 2 and text in result.stderr
