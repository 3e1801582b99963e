#!/usr/bin/python3
"""What is paid once: starting with the shim, bind(), compiling; and what every message pays, a tail call."""

import collections
import os
import subprocess
import time

import common
import kinds

PORT = str(kinds.UDP_PORT)  # that the filter of the first kind is for
OTHER_PORT = "17299"  # that none is for


# ---- One measurement each, in microseconds ----------------------------------------------------
def start(env):
    """Start and end of a process that does nothing."""
    program = str(common.OUTPUT / "nothing")
    begin = time.perf_counter()
    os.waitpid(os.posix_spawn(program, [program], env), 0)
    return (time.perf_counter() - begin) * 1e6


def bind(env, port):
    return float(common.run(common.OUTPUT / "bind", port, env=env)) / 1e3


def bind_with_load(env):
    common.remove_pins()
    return bind(env, PORT)


def compile_kind(config, kind):
    (common.OUTPUT / f"{kind}-udp.bpf.o").unlink()
    begin = time.perf_counter()
    common.run(common.P2E, "compile", "-c", config)
    return (time.perf_counter() - begin) * 1e6


def tail_calls(rounds):
    output = common.run(common.OUTPUT / "cost", common.OUTPUT / "search-udp.bpf.o", common.OUTPUT / "search.valid",
                        common.cores()[1], rounds)
    return [float(line.split()[1]) for line in output.splitlines() if line.startswith("tail_call")]


# ---- All --------------------------------------------------------------------------------------
def shims():
    """Environments: a filter for another program, and one for all."""
    configs = {"other": 'program = "another";', "one": ""}
    written = {name: kinds.write_config(common.OUTPUT / f"{name}.conf", [kinds.filter_text("search", "udp", more)])
               for name, more in configs.items()}
    return {name: {"LD_PRELOAD": str(common.BUILD / "libp2e.so"), "P2E_CONFIG": str(config)}
            for name, config in written.items()}


def run_round(times, config, shim):
    def note(name, value):
        times[name].append(value)

    for _ in range(100):  # short, so often
        note("start and end of a process", start({}))
        note("start and end of a process, shim", start(shim["other"]))
    note("socket and bind, shim, program loaded and pinned", bind_with_load(shim["one"]))
    for _ in range(10):
        note("socket and bind", bind({}, OTHER_PORT))
        note("socket and bind, shim, no filter for it", bind(shim["other"], OTHER_PORT))
        note("socket and bind, shim, program pinned", bind(shim["one"], PORT))
    for kind in kinds.KINDS:
        note(f"p2e compile, {kind}", compile_kind(config, kind))


def measure(rounds, config):
    times = collections.defaultdict(list)
    source = "int main(void) { return 0; }"
    subprocess.run(["gcc", "-O2", "-x", "c", "-", "-o", common.OUTPUT / "nothing"], input=source, text=True, check=True)
    shim = shims()
    try:
        for _ in range(rounds):
            run_round(times, config, shim)
    finally:
        common.remove_pins()
    times["one tail call, in nanoseconds"] = tail_calls(rounds)
    return [{"what": name, "us": common.spread(times[name])} for name in sorted(times)]


def main():
    options = common.options(__doc__)
    rows = measure(options.rounds, common.prepare())
    common.announce(f"Microseconds, medians of {options.rounds} rounds.")
    common.table(["what", "median", "least", "most"],
                 [[r["what"], *(r["us"][key] for key in ("median", "min", "max"))] for r in rows])
    common.save("overheads", rows)


if __name__ == "__main__":
    main()
