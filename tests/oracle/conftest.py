"""Where the oracle is, and the suite's data that its messages come from."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ORACLE = ROOT / "build" / "oracle"
sys.path.insert(0, str(ROOT / "tests" / "conformance"))


def absent(reason):
    if os.environ.get("P2E_REQUIRE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def oracle():
    """The folder of the oracle's programs."""
    from evaluate import DATA
    if not (ORACLE / "installed").exists():
        absent("no oracle in build/oracle: `make oracle-programs` installs it with npm")
    if not DATA.is_dir():
        absent(f"no conformance data in {DATA}; P2E_CONFORMANCE names its folder")
    return ORACLE
