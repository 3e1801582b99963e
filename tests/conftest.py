"""What every test may count on: the programs are built, bpffs is mounted where that is possible."""

import os
import pathlib
import subprocess

import pytest

# Emulated kernels take minutes (`make kernels`), packages have to be built (`make deb`).
ONLY_WHEN_ASKED = {"kernels": "P2E_KERNELS", "deb": "P2E_DEB"}
collect_ignore = [name for name, asked in ONLY_WHEN_ASKED.items() if os.environ.get(asked) != "1"]

BPFFS = pathlib.Path("/sys/fs/bpf")


@pytest.fixture(scope="session", autouse=True)
def bpffs():
    """A fresh machine may not have mounted it yet."""
    if os.geteuid() == 0 and BPFFS.is_dir() and not os.path.ismount(BPFFS):
        subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=True)
