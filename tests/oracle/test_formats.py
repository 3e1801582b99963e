"""Formats of strings: the kernel's verdicts on mutated ones against those of @bufbuild/protovalidate."""

import collections
import concurrent.futures
import os

import pytest
from disagreements import host_with_dot
from evaluate import judge
from formats import RULES
from protovalidate_suite import PREFIX, SCHEMA
from varint import read_varint
from test_oracle import node

SEED = 1
COUNT = 6000  # strings of each format
LEAST = COUNT // 20  # of them pass, and are dropped


@pytest.fixture(scope="module")
def strings(oracle):
    """By type, pairs of a wire and the oracle's verdict on it."""
    found = collections.defaultdict(list)
    for line in node(oracle, "formats.js", SCHEMA, SEED, COUNT):
        name, wire, verdict = line.split(" ")
        found[name].append((bytes.fromhex(wire), verdict))
    return found


def text_of(wire):
    """Field 1, which comes first."""
    size, rest = read_varint(wire[1:])
    return rest[:size]


def differences(name, pairs):
    """What differs, the documented aside."""
    result = judge(SCHEMA, PREFIX + name, [wire for wire, _ in pairs], [RULES[name]])
    assert result.verdicts is not None, result.refusal
    return [f"{name} {wire.hex()} {text_of(wire)}: oracle: {verdict}; kernel: {actual}"
            for (wire, verdict), actual in zip(pairs, result.verdicts)
            if (verdict == "valid") != (actual == "pass")
            and not (name.startswith("IsHost") and host_with_dot(verdict, text_of(wire)))]


def test_kernel_agrees_with_oracle(strings):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [each for found in pool.map(differences, strings, strings.values()) for each in found]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:20])


def test_every_verdict_occurs(strings):
    assert sorted(strings) == sorted(RULES)
    for name, pairs in strings.items():
        valid = sum(verdict == "valid" for _, verdict in pairs)
        assert LEAST <= valid <= COUNT - LEAST, f"{name}: {valid} of {COUNT} are valid"
