"""Verdicts of the program in the kernel against those of an oracle that shares nothing with it."""

import collections
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = ["scalars", "nested", "lists", "legacy", "choices"]
COUNT = 40_000  # messages a schema: 200,000 in all
SEED = 1


def rule_ids(schema):
    """The ids of a filter's rules, as bulk.conf has them."""
    text = (HERE / "bulk.conf").read_text()
    section = text.split(f'name = "{schema}"')[1].split("}\n    );")[0]
    return [part.split('"')[0] for part in section.split('{ id = "')[1:]]


def mismatches(messages, expected, actual):
    lines = zip(messages, expected, actual)
    return [f"{m}: oracle: {e}; kernel: {a}" for m, e, a in lines if e != a]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_kernel_agrees_with_oracle(schema, programs, p2e, tmp_path):
    for source in [HERE / "bulk.conf", *HERE.glob("*.proto")]:
        shutil.copy(source, tmp_path)
    messages, verdicts = tmp_path / "messages", tmp_path / "verdicts"
    oracle = [programs / "differential", schema, str(SEED), str(COUNT), messages, verdicts]
    subprocess.run(oracle, check=True)
    with messages.open() as stdin:
        output = p2e("eval", "-c", tmp_path / "bulk.conf", "-f", schema, stdin=stdin)

    expected = verdicts.read_text().splitlines()
    actual = output.splitlines()
    assert len(expected) == COUNT
    assert len(actual) == COUNT
    wrong = mismatches(messages.read_text().splitlines(), expected, actual)
    assert not wrong, f"{len(wrong)} of {COUNT} differ:\n" + "\n".join(wrong[:10])
    assert_every_verdict_occurs(schema, expected)


def assert_every_verdict_occurs(schema, expected):
    """A verdict that never occurs would not have been compared."""
    counts = collections.Counter(expected)
    verdicts = ["pass", "drop malformed", *(f"drop rule {rule}" for rule in rule_ids(schema))]
    rare = [verdict for verdict in verdicts if counts[verdict] < 10]
    assert not rare, f"too few messages for: {rare}"
    assert set(counts) <= set(verdicts)
