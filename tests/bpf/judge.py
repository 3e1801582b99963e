"""Judging messages with `p2e eval`, for the tests of this folder."""

import importlib
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = ROOT / "tests" / "data"
BUILD = ROOT / os.environ.get("P2E_BUILD", "build")
VERDICTS = {"pass": "P", "drop rule rule1": "r", "drop malformed": "M", "drop oversized": "O"}


def load_messages(name, *imports):
    """The Python module of NAME.proto; `imports` are the files that it imports, by their names there."""
    folder = BUILD / "tests" / "bpf"
    folder.mkdir(parents=True, exist_ok=True)
    source = HERE / f"{name}.proto"
    subprocess.run(["protoc", f"-I{HERE}", f"-I{DATA}", f"--python_out={folder}", source, *imports], check=True)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(f"{name}_pb2")


def wire(*parts):
    """The wire form of messages, or of several one after another: a merge, where the last one wins."""
    return b"".join(part if isinstance(part, bytes) else part.SerializePartialToString() for part in parts)


def evaluate(messages, *options):
    """The line that p2e prints of each message."""
    text = "".join(wire(each).hex() + "\n" for each in messages)
    result = subprocess.run([BUILD / "p2e", "eval", *options], input=text, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def verdicts(schema, message, messages, *options):
    return evaluate(messages, "--schema", schema, "--message", message, *options)


def verdicts_of(conf, name, messages):
    """The same of a configured filter."""
    return evaluate(messages, "-c", conf, "-f", name)


def judge(schema, message, messages, *options):
    """A letter a message: P passes, r breaks the rule, M is malformed, O is too long."""
    return "".join(VERDICTS[line] for line in verdicts(schema, message, messages, *options))
