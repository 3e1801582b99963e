"""The suite's cases about the formats of strings, judged by rules that say what the annotations say."""

import collections

import pytest
from evaluate import judge
from formats import RULES
from protovalidate_suite import PREFIX, SCHEMA, cases

CASES = 636


@pytest.fixture(scope="module")
def by_message(data):
    found = collections.defaultdict(list)
    for case in cases():
        found[case["message"].removeprefix(PREFIX)].append(case)
    return found


def test_all_are_there(by_message):
    assert sum(len(by_message[name]) for name in RULES) == CASES


@pytest.mark.parametrize("name", RULES)
def test_format(by_message, name):
    group = by_message[name]
    result = judge(SCHEMA, PREFIX + name, [bytes.fromhex(case["wire"]) for case in group], [RULES[name]])
    assert result.verdicts is not None, result.refusal
    wrong = [f"{case['case']} {bytes.fromhex(case['wire'])}: {verdict}"
             for case, verdict in zip(group, result.verdicts)
             if (verdict == "pass") != (case["expected"] == "valid")]
    assert not wrong, wrong
