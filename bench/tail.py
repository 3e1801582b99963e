#!/usr/bin/python3
"""What it costs a server under a flood of junk that somebody looks at what is dropped: the same traffic
without a tail and with one, by turns."""

import collections
import os
import signal
import statistics
import subprocess

import common
import kinds
import server

JUNK = 99   # percent
TIMES = 10  # as many messages as the server's benchmark sends: what a tail changes is little
FORMS = ("alone", "tail")
READY = "looking at what is dropped"


class Tail:
    """A running `p2e tail`, and the CPU that it took once it has ended."""

    def __init__(self, config):
        # Not on the server's core: its caches are the server's there, as they are where cores are many.
        command = ["taskset", "-c", str(common.cores()[0]), common.P2E, "tail", "-c", config]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if READY in line:
                break

    def stop(self):
        """Microseconds."""
        self.process.send_signal(signal.SIGTERM)
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stderr.close()
        return (used.ru_utime + used.ru_stime) * 1e6


def run_once(case, config, form):
    tail = Tail(config) if form == "tail" else None
    try:
        found = server.run_once(case, config, TIMES)
    finally:
        tail_us = tail.stop() if tail else 0
    return {"server_us": found["server_us"], "total_us": found["total_us"], "rate": found["rate"],
            "tail_ms": tail_us / 1e3}


def experiment(options, config):
    runs = collections.defaultdict(list)
    cases = [server.Case(transport, kind, JUNK, "p2e", "lossless")
             for kind in options.kinds for transport in server.TRANSPORTS]
    for case in cases:
        server.run_once(case, config)  # pins what a tail looks at
    for _ in range(options.rounds):
        for case in cases:
            for form in FORMS:
                runs[case, form].append(run_once(case, config, form))
    return [{"transport": case.transport, "kind": case.kind, "form": form,
             **{key: common.spread([run[key] for run in found]) for key in found[0]}}
            for (case, form), found in runs.items()]


def change(rows, key):
    """Percent, of the medians with a tail above those alone, a row with a tail."""
    alone = {(r["transport"], r["kind"]): r[key]["median"] for r in rows if r["form"] == "alone"}
    return {(r["transport"], r["kind"]): 100 * (r[key]["median"] / alone[r["transport"], r["kind"]] - 1)
            for r in rows if r["form"] == "tail"}


def print_table(rows):
    server_change, total_change = change(rows, "server_us"), change(rows, "total_us")
    lines = [[*case, *(row[key]["median"] for key in ("server_us", "total_us", "rate", "tail_ms")),
              f"{server_change[case]:+.1f}", f"{total_change[case]:+.1f}"]
             for row in rows if row["form"] == "tail" for case in [(row["transport"], row["kind"])]]
    common.table(["transport", "kind", "server", "total", "messages/s", "tail", "server %", "total %"], lines)
    for name, changes in (("server", server_change), ("total", total_change)):
        print(f"{name}: median of the changes {statistics.median(changes.values()):+.1f} %")


def main():
    options = common.options(__doc__)
    config = common.prepare()
    for kind in options.kinds:
        server.write_traffic(kind, JUNK)
    try:
        rows = experiment(options, config)
    finally:
        common.remove_pins()
    common.announce(f"{JUNK} % junk; medians of {options.rounds} rounds, with a tail. Server, and server and sender: "
                    "CPU, µs per accepted message. Tail: its own CPU, protoc at its start included, ms. "
                    "Percent: above the same without a tail.")
    print_table(rows)
    common.save("tail", rows)


if __name__ == "__main__":
    main()
