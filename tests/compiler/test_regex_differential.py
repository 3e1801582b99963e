"""Regular expressions as p2e and the RE2 library judge them."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / os.environ.get("P2E_BUILD", "build") / "tests/compiler/regex_differential"
ROUNDS = 5_000
SEED = 1


def test_p2e_agrees_with_re2():
    command = [PROGRAM, str(ROUNDS), str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    *differences, summary = done.stdout.splitlines()
    assert not differences, "\n".join(differences[:20])
    assert done.returncode == 0, done.stderr

    words = summary.split()
    tally = dict(zip(words[::2], map(int, words[1::2])))
    assert tally["pairs"] >= 100_000
    assert min(tally["matched"], tally["pairs"] - tally["matched"]) >= 30_000
    assert tally["refused"] >= 1_000
    assert tally["large"] < ROUNDS
