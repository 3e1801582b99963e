"""Large schemas and many rules: the verifier takes them all."""

import random

import pytest
from judge import HERE, judge

TYPES = "int32 int64 uint32 uint64 sint32 sint64 bool fixed32 float fixed64 double string bytes".split()
TEXT_RULES = ["size({}) < 50", '!{}.contains("abcd")', '!{}.startsWith("a long prefix")',
              '!{}.contains("a needle of some length")', '{} != "forbidden"']


def rule_for(rng, kind, field):
    """A rule that the empty message keeps."""
    if kind == "bool":
        return f"!{field}"
    if kind in ("float", "double"):
        return f"{field} >= -1.5 && {field} < 10000.0"
    if kind == "string":
        return rng.choice(TEXT_RULES).format(field)
    if kind == "bytes":
        return f"size({field}) < 50"
    return f"{field} < {rng.randint(10, 10**6)}" + ("u" if kind[0] == "u" or kind[:2] == "fi" else "")


def write_schema(path, fields, levels, rng):
    """Messages M0 to M(levels - 1), each with its share of the fields and the next one in it."""
    lines, rules = ['syntax = "proto3";', "package growth;"], []
    share = fields // levels
    for level in range(levels):
        lines.append(f"message M{level} {{")
        prefix = ".".join(["this"] + ["child"] * level)
        for i in range(share - (level < levels - 1)):
            kind = rng.choice(TYPES)
            number = i + 1 + rng.choice([0, 0, 1000, 3000]) * (i >= 8)
            lines.append(f"  {kind} f{i} = {number};")
            rules.append(rule_for(rng, kind, f"{prefix}.f{i}"))
        if level < levels - 1:
            lines.append(f"  M{level + 1} child = {share + 20};")
        lines.append("}")
    path.write_text("\n".join(lines))
    return rules


@pytest.mark.parametrize("fields, levels, rules", [(60, 5, 40), (200, 5, 60), (60, 5, 200), (1000, 5, 100)])
def test_loads(tmp_path, fields, levels, rules):
    rng = random.Random(fields + rules)
    schema = tmp_path / "growth.proto"
    known = write_schema(schema, fields, levels, rng)
    while len(known) < rules:
        known += known
    options = [word for rule in rng.sample(known, rules) for word in ("--rule", rule)]
    assert judge(schema, "growth.M0", [b"", b"\x08"], *options) == "PM"


SCHEMA = HERE / "rules.proto"


def judge_rules(rules, messages):
    return judge(SCHEMA, "rules.M", messages, *[word for rule in rules for word in ("--rule", rule)])


def test_every_function():
    """An object has room for few functions: what rules use of them all, grouped, is within it."""
    rules = ['!s.contains("ab")', '!s.contains("abcdefghijk")', 'size(s) < 5', 's != "a long text, this one"',
             '!s.matches("x")', 'rs.all(x, x.matches("a"))', 'rm.all(x, x.x == 1)', 'size(string(y)) < 4', 'far < 5',
             '-1 in ri || size(ri) == 0', 'oi < 5', 's < "zzzzzzzzzzzz"']
    assert judge_rules(rules * 4, [b"", b"\x08"]) == "PM"


def test_equal_patterns_are_pooled():
    """One automaton alone is 4,000 entries of the 262,144 that all may have together."""
    assert judge_rules(['!s.matches("^x{1000}x{1000}$")'] * 100, [b""]) == "P"


def test_patterns_too_large_together():
    patterns = [f"^x{{1000}}x{{1000}}y{{{i}}}$" for i in range(60)]
    with pytest.raises(AssertionError, match="expressions are too large together"):
        judge_rules([f'!s.matches("{pattern}")' for pattern in patterns], [b""])
