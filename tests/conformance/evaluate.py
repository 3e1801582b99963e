"""Judging messages with `p2e eval`, and where the suites' data is."""

import dataclasses
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
P2E = ROOT / os.environ.get("P2E_BUILD", "build") / "p2e"
DATA = pathlib.Path(os.environ.get("P2E_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
SECONDS = 120  # for one run of p2e: much more than any takes


@dataclasses.dataclass
class Judged:
    """A line for each message, or why p2e refused to compile; `rule` is the rule that it refused."""

    verdicts: list | None = None
    refusal: str = ""
    rule: str = ""


def judge(schema, message, wires, rules=()):
    """Verdicts of the program in the kernel. A p2e that ends in any other way than 0 or 1 is an error."""
    command = [P2E, "eval", "--schema", schema, "--message", message]
    command += [part for rule in rules for part in ("--rule", rule)]
    text = "".join(wire.hex() + "\n" for wire in wires)
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, check=False, timeout=SECONDS)
    if done.returncode == 0:
        verdicts = done.stdout.decode().splitlines()
        assert len(verdicts) == len(wires), f"{len(verdicts)} verdicts for {len(wires)} messages"
        return Judged(verdicts)
    error = done.stderr.decode(errors="replace").strip()
    assert done.returncode == 1 and error, f"p2e eval ends with {done.returncode}: {error}"
    assert "fault of p2e" not in error, error
    return refused(error)


def refused(error):
    line = error.splitlines()[0].removeprefix("p2e eval: ").removeprefix('filter "eval": ')
    rule = re.match(r'rule "([^"]*)": ', line)
    if not rule:
        return Judged(refusal=line)
    return Judged(refusal=line[rule.end():], rule=rule.group(1))


def general(reason):
    """A reason without what is particular to one case, so that cases can be counted by it."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', '"…"', re.sub(r"\b\d+\b", "N", reason))
