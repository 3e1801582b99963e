"""The conformance suite of protovalidate: a message type, its bytes, and the verdict that they deserve."""

import concurrent.futures
import json
import os
import time

from evaluate import DATA, judge
from tally import JUDGED, REFUSED, WRONG, Outcome
from varint import read_varint, varint

SCHEMA = DATA / "cases.desc"
PREFIX = "buf.validate.conformance.cases."
DROPS = ("invalid", "runtime_error")


def cases():
    with (DATA / "cases.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


# ---- Cases that depend on the clock --------------------------------------------------------------
# Their timestamps lie around the row's `now`. They are moved to lie around the present instead: each
# such message is {Timestamp val = 1}, whose seconds are field 1.
def moved(case, now):
    """The case's wire, its timestamp moved by the time that passed since the row's `now`."""
    wire = bytes.fromhex(case["wire"])
    if "now" not in case or not wire:
        return wire
    assert wire[0] == 0x0A and wire[1] == len(wire) - 2, case
    seconds, rest = 0, wire[2:]
    if rest[:1] == b"\x08":
        seconds, rest = read_varint(rest[1:])
    assert not rest, case
    stamp = b"\x08" + varint(seconds + now - case["now"])
    return b"\x0a" + varint(len(stamp)) + stamp


# ---- Verdicts ------------------------------------------------------------------------------------
def outcome(case, state, detail=""):
    name = f"{case['message'].removeprefix(PREFIX)} {case['case']}"
    return Outcome(case["suite"], name, state, detail, case["message"].removeprefix(PREFIX))


def compare(case, verdict):
    """A message that breaks a rule is not malformed."""
    if case["expected"] == "compilation_error":
        return outcome(case, WRONG, f"{case['wire']}: compiles, but {case['detail']}")
    drops = case["expected"] in DROPS
    if verdict.startswith("drop rule ") if drops else verdict == "pass":
        return outcome(case, JUDGED)
    return outcome(case, WRONG, f"{case['wire'] or '(empty)'}: {verdict}, but {case['expected']}")


def refuse(case, reason):
    """What must not compile is judged by its refusal, whatever the reason."""
    if case["expected"] == "compilation_error":
        return outcome(case, JUDGED)
    return outcome(case, REFUSED, reason)


def judge_type(message, group):
    now = int(time.time())
    result = judge(SCHEMA, message, [moved(case, now) for case in group])
    if result.verdicts is None:
        return [refuse(case, result.refusal) for case in group]
    return [compare(case, verdict) for case, verdict in zip(group, result.verdicts)]


def run():
    """An outcome for each case."""
    groups = {}
    for case in cases():
        groups.setdefault(case["message"], []).append(case)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [each for outcomes in pool.map(judge_type, groups, groups.values()) for each in outcomes]
