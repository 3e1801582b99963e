#!/usr/bin/python3
"""Runs the conformance suites and prints what is judged, refused and wrong; no threshold applies.

    report.py [--write] [protovalidate] [cel]

--write brings docs/refused.md up to date from the outcomes of protovalidate's suite.
"""

import argparse
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))  # tests/, as pytest has it

import cel_suite
import protovalidate_suite
import tally
from evaluate import ROOT

REFUSED = ROOT / "docs" / "refused.md"
SUITES = {"protovalidate": protovalidate_suite.run, "cel": cel_suite.run}
INTRODUCTION = """\
# What is refused

Rules of [protovalidate's conformance suite](https://github.com/bufbuild/protovalidate) that p2e does not
judge: a filter with one of them does not compile, and the error says why. This page is written by
`tests/conformance/report.py --write protovalidate` and checked by the tests.

"""


def refused_page(outcomes):
    count = len(outcomes)
    judged = round(tally.share(outcomes) * count)
    summary = f"Of {count:,} cases {judged:,} are judged, {count - judged:,} are not.\n\n"
    return INTRODUCTION + summary + tally.refusal_table(outcomes, "message type, for example")


def show(name, outcomes):
    print(f"{name}: {tally.share(outcomes):.1%} judged\n")
    print(tally.summary(outcomes) + "\n")
    print(tally.refusal_table(outcomes, "for example"))
    for line in tally.wrong(outcomes):
        print(f"WRONG {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", help="protovalidate, cel; without a name, both")
    parser.add_argument("--write", action="store_true", help="bring docs/refused.md up to date")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"there is no suite {', '.join(sorted(unknown))}")
    for name in arguments.suites or SUITES:
        outcomes = SUITES[name]()
        show(name, outcomes)
        if arguments.write and name == "protovalidate":
            REFUSED.write_text(refused_page(outcomes))


if __name__ == "__main__":
    main()
