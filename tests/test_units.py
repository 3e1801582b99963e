"""The unit tests in C: each program of tests/ROOM/test_*.c is a test here."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("P2E_BUILD", "build")
SOURCES = sorted(ROOT.glob("tests/*/test_*.c"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_unit(source):
    program = BUILD / source.relative_to(ROOT).with_suffix("")
    result = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
