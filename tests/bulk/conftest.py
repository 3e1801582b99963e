"""What the bulk tests share: where the programs are, and p2e."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("P2E_BUILD", "build")


@pytest.fixture(scope="session")
def programs():
    """The folder of the oracle and the flood's programs."""
    return BUILD / "tests/bulk"


@pytest.fixture(scope="session")
def p2e():
    """Runs p2e with these arguments and returns what it printed; `.path` is the command itself."""
    path = BUILD / "p2e"

    def run(*arguments, stdin=None):
        command = [path, *map(str, arguments)]
        done = subprocess.run(
            command, stdin=stdin, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, f"p2e {arguments[0]}: {done.stderr}"
        return done.stdout

    run.path = path
    return run
