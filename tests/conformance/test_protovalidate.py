"""The conformance suite of protovalidate: never wrong, and nearly all of it judged."""

import pytest
import protovalidate_suite
import report
import tally

LEAST = 0.95  # of the cases are judged
MOVED_FROM = 1750000000


@pytest.fixture(scope="module")
def outcomes(data):
    return protovalidate_suite.run()


def test_every_case_has_an_outcome(outcomes):
    assert len(outcomes) == len(protovalidate_suite.cases()) == 2878


def test_no_verdict_is_wrong(outcomes):
    wrong = tally.wrong(outcomes)
    assert not wrong, f"{len(wrong)} are wrong:\n" + "\n".join(wrong[:20])


def test_nearly_all_is_judged(outcomes):
    assert tally.share(outcomes) >= LEAST, tally.summary(outcomes)


def test_the_documentation_lists_what_is_refused(outcomes):
    assert report.REFUSED.read_text() == report.refused_page(outcomes), \
        "docs/refused.md is not up to date: run tests/conformance/report.py --write protovalidate"


@pytest.mark.parametrize("wire, expected", [
    ("", ""),
    ("0a00", "0a020864"),
    ("0a0608f8b4bbc206", "0a0608dcb5bbc206"),
])
def test_a_timestamp_moves_with_the_clock(wire, expected):
    case = {"wire": wire, "now": MOVED_FROM}
    assert protovalidate_suite.moved(case, MOVED_FROM + 100).hex() == expected
    assert protovalidate_suite.moved({"wire": wire}, MOVED_FROM).hex() == wire
