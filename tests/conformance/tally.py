"""Counts of what was judged, refused and wrong; and the table of what is refused."""

import collections
import dataclasses

from evaluate import general

JUDGED, REFUSED, WRONG = "judged", "refused", "wrong"


@dataclasses.dataclass
class Outcome:
    """What became of one case."""

    group: str  # the part of the suite
    name: str
    state: str  # JUDGED, REFUSED or WRONG
    detail: str = ""  # the reason of a refusal, or what is wrong
    example: str = ""  # what was refused: a message type, an expression


def share(outcomes):
    """The part that is judged, of 1."""
    return sum(each.state == JUDGED for each in outcomes) / len(outcomes)


def wrong(outcomes):
    return [f"{each.group} {each.name}: {each.detail}" for each in outcomes if each.state == WRONG]


def summary(outcomes):
    """A line for each group and one for all."""
    groups = collections.defaultdict(collections.Counter)
    for each in outcomes:
        groups[each.group][each.state] += 1
        groups["all"][each.state] += 1
    order = sorted(groups, key=lambda group: (group == "all", group))
    width = max(map(len, order))
    lines = [f"{'':{width}} {'judged':>7} {'refused':>8} {'wrong':>6}"]
    for group in order:
        count = groups[group]
        lines.append(f"{group:{width}} {count[JUDGED]:7} {count[REFUSED]:8} {count[WRONG]:6}")
    return "\n".join(lines)


def refusals(outcomes):
    """(reason, count, example), the most frequent first."""
    reasons = collections.defaultdict(list)
    for each in outcomes:
        if each.state == REFUSED:
            reasons[general(each.detail)].append(each.example)
    rows = [(reason, len(found), min(found, key=lambda text: (len(text), text)))
            for reason, found in reasons.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def code(text):
    """Text as code in a table."""
    return "`" + " ".join(text.replace("|", "\\|").split()) + "`"


def refusal_table(outcomes, heading):
    rows = [f"| {code(example)} | {reason.replace('|', chr(92) + '|')} | {count} |"
            for reason, count, example in refusals(outcomes)]
    if not rows:
        return "Nothing is refused.\n"
    return "\n".join([f"| {heading} | why | cases |", "| --- | --- | --- |", *rows]) + "\n"
