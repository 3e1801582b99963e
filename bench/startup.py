#!/usr/bin/env python3
"""What the shim costs a process that binds nothing: bench/startup.py [RUNS]

Starts a program that does nothing, in turn with the shim preloaded (and a config of one filter) and
without it, and prints medians in microseconds."""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIG = """filters = ({ name = "a"; transport = "udp"; port = 1; schema = "a.proto"; message = "A";
    rules = ["true"]; program = "another"; });"""


def build_nothing(folder):
    program = folder / "nothing"
    source = "int main(void) { return 0; }"
    command = ["gcc", "-O2", "-x", "c", "-", "-o", program]
    subprocess.run(command, input=source, text=True, check=True)
    return program


def time_once(program, env):
    begin = time.perf_counter()
    pid = os.posix_spawn(program, [str(program)], env)
    os.waitpid(pid, 0)
    return (time.perf_counter() - begin) * 1e6


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = build_nothing(folder)
        (folder / "p2e.conf").write_text(CONFIG)
        shim = {"LD_PRELOAD": str(ROOT / "build/libp2e.so"), "P2E_CONFIG": str(folder / "p2e.conf")}
        variants = {"without": {}, "with": shim}
        times = {name: [] for name in variants}
        for _ in range(runs):
            for name, env in variants.items():
                times[name].append(time_once(program, env))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"start and end of a process, median of {runs}: {medians['without']:.0f} µs without, "
          f"{medians['with']:.0f} µs with the shim: {medians['with'] - medians['without']:.0f} µs more")


if __name__ == "__main__":
    main()
