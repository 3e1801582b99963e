"""The kernel's verdicts on mutated messages against those of @bufbuild/protovalidate."""

import collections
import concurrent.futures
import json
import os
import subprocess
import time

import pytest
from disagreements import DOCUMENTED, SUITE, Message
from evaluate import DATA, judge
from protovalidate_suite import SCHEMA, cases, moved

TYPES = 780
COUNT = 260 * TYPES  # messages
SEEDS = 2
LEAST = 0.95  # of the types are compared
VERDICTS = {"compilation_error": "compile_error"}


def node(oracle, *arguments, stdin=""):
    done = subprocess.run(
        ["node", *map(str, arguments)], cwd=oracle, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_oracle_agrees_with_the_suite(oracle):
    now, found = int(time.time()), cases()
    lines = [f"{case['message']} {moved(case, now).hex()}\n" for case in found]
    verdicts = [line.split(" ")[0] for line in node(oracle, "judge.js", SCHEMA, stdin="".join(lines))]
    assert len(verdicts) == len(found)
    differ = [case["case"] for case, verdict in zip(found, verdicts)
              if VERDICTS.get(case["expected"], case["expected"]) != verdict]
    assert sorted(differ) == sorted(SUITE)


def test_the_strict_reader_agrees_with_protobuf(oracle):
    """It decides where the oracle's parser is lenient, so it must know what is well formed."""
    with (DATA / "pb_conformance.jsonl").open() as lines:
        found = [json.loads(line) for line in lines]
    lines = [f"{case['message']} {case['wire']}\n" for case in found]
    verdicts = node(oracle, "read.js", DATA / "pb_conformance.desc", stdin="".join(lines))
    assert len(verdicts) == len(found) == 978
    differ = [f"{case['name']} {case['wire']}: {verdict}" for case, verdict in zip(found, verdicts)
              if (case["expected"] == "accept") != (verdict == "well-formed")]
    assert not differ, differ


# ---- The differential run --------------------------------------------------------------------------
def mutated(oracle, seed):
    """Messages with the oracle's word; the program fails where it and the strict reader disagree."""
    lines = node(oracle, "differential.js", SCHEMA, DATA / "cases.jsonl", seed, COUNT // SEEDS)
    for line in lines:
        name, wire, expected, why = line.split(" ", 3)
        yield Message(name, bytes.fromhex(wire), expected, why)


def ask_kernel(messages):
    """Fills in the verdicts on messages of one type."""
    result = judge(SCHEMA, messages[0].type, [message.wire for message in messages])
    for number, message in enumerate(messages):
        message.actual = "refused"
        if result.verdicts is not None:
            message.actual = result.verdicts[number].removeprefix("drop ").split(" ")[0]


@pytest.fixture(scope="module")
def messages(oracle):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [message for part in pool.map(lambda seed: list(mutated(oracle, seed)), range(1, SEEDS + 1))
                 for message in part]
        by_type = collections.defaultdict(list)
        for message in found:
            by_type[message.type].append(message)
        list(pool.map(ask_kernel, by_type.values()))
    return found


def differs(message):
    """What is refused is not compared, nor what the oracle cannot tell."""
    if message.actual == "refused" or message.expected == "unknown":
        return False
    return message.actual != message.expected and not any(known(message) for known in DOCUMENTED)


def test_kernel_agrees_with_oracle(messages):
    wrong = [f"{each.type} {each.wire.hex() or '(empty)'}: oracle: {each.expected} ({each.why}); "
             f"kernel: {each.actual}" for each in messages if differs(each)]
    assert not wrong, f"{len(wrong)} of {len(messages)} differ:\n" + "\n".join(wrong[:20])


def test_enough_is_compared(messages):
    compared = {each.type for each in messages if each.actual != "refused"}
    able = {each.type for each in messages if each.expected != "refused"}
    assert len({each.type for each in messages}) == TYPES
    assert len(messages) >= 200_000
    assert len(compared) >= LEAST * len(able)


def test_every_verdict_occurs(messages):
    counts = collections.Counter(each.expected for each in messages)
    assert min(counts[verdict] for verdict in ("pass", "rule", "malformed")) > COUNT / 20, counts
