"""What a schema's or a rule's author can do to `p2e compile`: an object or a sentence comes of it, soon and
with bounded memory, clang's included."""

import os
import subprocess

import pytest
from p2e import COMMAND, SANITIZED, Home

MB = 1 << 20
SECONDS = 5  # of CPU time: others may be at work here
MEMORY = 512 * MB


@pytest.fixture
def home():
    home = Home()
    yield home
    home.close()


def run(home):
    """Status, what it said, and the CPU time and memory of it and what it runs."""
    command = [COMMAND, "compile"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=home.env(), **pipes) as child:
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, said, used.ru_utime + used.ru_stime, used.ru_maxrss << 10


def compile(home, *rules, proto=None):
    """The error, or ""."""
    if proto:
        home.write("note.proto", proto)
    home.configure(note={"rules": list(rules)})
    status, said, seconds, memory = run(home)
    assert status == (1 if said else 0), (status, said)
    assert "a fault of p2e" not in said, said
    if not SANITIZED:
        assert seconds < SECONDS and memory < MEMORY, (seconds, memory, said)
    return said


# ---- Rules -----------------------------------------------------------------------------------------------
TOO_DEEP = "nested too deep: more than 250 operators"
TOO_LARGE = "the rules are too large together: clang takes more than"

RULES = {
    "conditions": (" && ".join(["number < 5"] * (MB // 14)), "more than 100000 parts"),
    "conditions for clang": (" && ".join(f"number < {i}" for i in range(7000)), TOO_LARGE),
    "comparisons for clang": (" || ".join(f"text == 'x{i:08}'" for i in range(5000)), TOO_LARGE),
    "numbers for clang": (f"number in {list(range(90000))}", TOO_LARGE),
    "literal": (f"text == '{'x' * (MB - 20)}'", "literals are more than 60000 bytes"),
    "longest literal": (f"text == '{'x' * 59000}'", ""),
    "longer than can be": (f"text == '{'x' * MB}'", "longer than 1048576 bytes"),
    "parentheses": ("(" * (MB // 3) + "true" + ")" * (MB // 3), TOO_DEEP),
    "parentheses that fit": ("(" * 240 + "number > 0" + ")" * 240, ""),
    "nots": ("!" * (MB - 10) + "true", TOO_DEEP),
    "nots that fit": ("!" * 240 + "(number > 0)", ""),
    "minuses": ("0 == " + "-" * (MB - 20) + "1", TOO_DEEP),
    "lists": ("1 in " + "[" * (MB // 3) + "1" + "]" * (MB // 3), TOO_DEEP),
    "choices": ("true ? (" * (MB // 20) + "true" + ") : true" * (MB // 20), TOO_DEEP),
    "sum": ("0 == " + "+".join(["number"] * (MB // 8)), TOO_DEEP),
    "sum for clang": ("0 == " + "+(".join(["number"] * 200) + ")" * 199, "kernel's stack of 512 bytes"),
    "selections": ("inner" + ".inner" * (MB // 8) + ".number == 0", TOO_DEEP),
    "selections that nest": ("inner" + ".inner" * 200 + ".number == 0", "100 levels deep"),
    "backslashes": ("text == '" + "\\" * (MB // 2), "not closed on its line"),
    "dots": ("." * (MB - 1), "expected a name"),
    "name": ("a" * (MB - 1), "unknown field"),
    "integer": ("9" * (MB - 10) + " == 0", "does not fit into 64 bits"),
    "real": ("1." + "9" * (MB - 20) + " == 0.0", ""),
    "no text": ("é" * (MB // 4), "this character has no meaning"),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(home, name):
    rule, error = RULES[name]
    said = compile(home, rule)
    assert (error in said if error else not said), said
    assert len(said.splitlines()) <= 3 and len(said) < 2000


PATTERNS = {
    "(a|b)*a(a|b){20}": "too large to be judged",
    "(a|b)*a(a|b){12}$": "too large to be judged",
    "((((a{1,30}){1,30}){1,30}){1,30}){1,30}": "more than RE2's 1000 times",
    "(a?){1000}a{1000}$": "",
    "[" + r"\\pL\\pN\\pP\\pS\\pZ" * 500 + "]{1,100}$": "too large to be judged",
    "(" * 100000 + "a" + ")" * 100000: "at most 16384 are taken",
    "(" * 8000 + "a" + ")" * 8000: "groups nest deeper than 1000",
    "(?i)" + "|".join(f"word{i}" for i in range(1500)): "",
}


@pytest.mark.parametrize("pattern", PATTERNS, ids=[pattern[:24] for pattern in PATTERNS])
def test_pattern(home, pattern):
    said = compile(home, f"text.matches('{pattern}')")
    assert PATTERNS[pattern] in said if PATTERNS[pattern] else not said
    assert len(said.splitlines()) <= 3 and len(said) < 2000


def test_as_many_rules_as_can_be(home):
    assert not compile(home, *[f"number > {i}" for i in range(1024)])
    assert "a filter can have 1024" in compile(home, *["true"] * 1025)


# ---- Schemas ---------------------------------------------------------------------------------------------
def proto(text):
    return f'syntax = "proto3"; package test;\n{text}'


def fields(numbers):
    return "".join(f"  int32 f{i} = {number};\n" for i, number in enumerate(numbers))


@pytest.mark.parametrize("step", [1, 50000])
def test_a_message_with_many_fields(home, step):
    numbers = [1 + i * step for i in range(10000)]
    many = proto(f"message Note {{\n{fields(numbers)}}}\n")
    assert not compile(home, "f1 > 0 && f9999 < 7", proto=many)
    said = compile(home, *(" && ".join(f"f{i} > 0" for i in range(k, 10000, 10)) for k in range(10)))
    assert "the rules look at too many fields: at most 1023" in said


MANY_TEXTS = fields(range(1, 64)).replace("int32", "string")


@pytest.mark.parametrize("many", [
    "message Note { Part a = 1; }\nmessage Part {\n" + MANY_TEXTS + "}\n",
    "message Note {\n" + fields(range(1, 65)).replace("int32", "Part") + "}\nmessage Part {\n" + MANY_TEXTS + "}\n",
    "message Note {\n" + MANY_TEXTS + " Note again = 64; }\n",
    "message Note {\n" + "".join(f"repeated P{i} p{i} = {i + 1};\n" for i in range(64)) + "}\n"
    + "".join(f"message P{i} {{\n{MANY_TEXTS} Note back = 64; }}\n" for i in range(64)),
], ids=["below", "many times below", "itself", "many types"])
def test_code_for_fields_is_bounded(home, many):
    assert not compile(home, "true", proto=proto(many))


def test_deep_types(home):
    """Each holds the next one; only the last one holds itself."""
    types = "".join(f"message N{i} {{ N{min(i + 1, 999)} a = 1; int32 b = 2; }}\n" for i in range(1000))
    deep = proto(f"message Note {{ N0 a = 1; }}\n{types}")
    assert not compile(home, "a.a.a.b == 0", proto=deep)
    assert "100 levels deep" in compile(home, "a." * 200 + "b == 0")


def test_declarations_within_one_another(home):
    inner = "".join(f"message N{i} {{ int32 a{i} = 1; " for i in range(1000)) + "}" * 1000
    said = compile(home, "true", proto=proto(f"message Note {{ {inner} }}"))
    assert "recursion limit" in said and len(said.splitlines()) <= 3


def test_cyclic_types(home):
    cycle = """message Note { A a = 1; }
               message A { B b = 1; repeated A more = 2; }
               message B { A a = 1; C c = 3; int32 x = 2; }
               message C { C c = 1; Note note = 2; repeated A many = 3; map<string, C> by = 4; }"""
    assert not compile(home, "a.b.a.b.a.b.x == 0 && size(a.b.c.note.a.b.c.c.many) < 3", proto=proto(cycle))


# ---- Tools -----------------------------------------------------------------------------------------------
# As clang does: its own report, and an error's status.
REPORTING = """import signal, sys
signal.signal(signal.SIGXCPU, lambda *_: sys.exit("PLEASE submit a bug report"))
while True: pass"""


@pytest.mark.parametrize("work, end", [("while True: pass", "signal 24"), (REPORTING, "signal 24"),
                                       ("bytearray(512 << 20)", "MemoryError")],
                         ids=["time", "time, with a report", "memory"])
def test_a_tool_takes_no_more_than_it_may(home, work, end):
    clang = home.write("clang", f"#!/usr/bin/python3\n{work}\n", mode=0o755)
    done = home.p2e("compile", env={"P2E_CLANG": str(clang)})
    assert done.returncode == 1 and end in done.stderr
    assert sorted(path.name for path in home.objects.iterdir()) == []
