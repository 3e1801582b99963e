"""What every test may count on: the programs are built, bpffs is mounted where that is possible."""

import os
import pathlib
import subprocess

import pytest

# Other people's test cases measure what is still being built: `make conformance`.
collect_ignore = [] if os.environ.get("P2E_SUITES") == "1" else ["conformance", "oracle"]

BPFFS = pathlib.Path("/sys/fs/bpf")


@pytest.fixture(scope="session", autouse=True)
def bpffs():
    """A fresh machine may not have mounted it yet."""
    if os.geteuid() == 0 and BPFFS.is_dir() and not os.path.ismount(BPFFS):
        subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=True)
