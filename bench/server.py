#!/usr/bin/python3
"""A server under junk: what it costs per accepted message when a part of its messages must not pass.

The forms take turns. Lossless: the sender waits for the server. Open: it does not, the receive buffer
is the system's own, and what is counted is how many valid messages are lost.
"""

import collections
import os
import random
import re
import signal
import subprocess

import common
import kinds

FORMS = ("recv", "recvmmsg", "p2e", "byte")
JUNK = (0, 50, 90, 99)  # percent
TRANSPORTS = ("udp", "unixgram")
COUNT = {"search": 20000, "telemetry": 20000, "batch": 10000, "blob": 5000}
WINDOW = {"search": 2000, "telemetry": 2000, "batch": 1000, "blob": 200}  # fits into the receive buffer
BOARD = common.OUTPUT / "board"
DEADLINE = 60  # seconds; only a broken run meets it


def fields(line):
    """'a=1 b=2' as {'a': 1, 'b': 2}"""
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


# ---- Traffic ----------------------------------------------------------------------------------
def read_messages(path):
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def traffic_file(kind, junk):
    return common.OUTPUT / f"{kind}.{junk}"


def write_traffic(kind, junk, size=1000):
    """`size` messages, `junk` percent of them not valid: half break a rule, half are malformed."""
    valid, breaking, malformed = (read_messages(common.OUTPUT / f"{kind}.{c}") for c in kinds.CLASSES)
    assert all(m[0] == 10 for m in valid) and all(m[:1] != b"\n" for m in breaking + malformed)
    rng = random.Random(junk)
    bad = [rng.choice(breaking if i % 2 else malformed) for i in range(size * junk // 100)]
    mixed = bad + [rng.choice(valid) for _ in range(size - len(bad))]
    rng.shuffle(mixed)
    kinds.write_messages(traffic_file(kind, junk), mixed)


# ---- One run ----------------------------------------------------------------------------------
Case = collections.namedtuple("Case", "transport kind junk form mode")


def address(case):
    port = kinds.UDP_PORT + kinds.KINDS.index(case.kind)
    return f"@p2e-bench-{case.kind}" if case.transport == "unixgram" else str(port)


def start_server(case, config, core):
    form = "trusting" if case.form == "p2e" else case.form
    command = [common.OUTPUT / "server", address(case), case.kind, form, BOARD]
    if case.mode == "open":
        command.append("default-buffer")
    if case.form == "p2e":
        command = [common.P2E, "run", "-c", config, "--", *command]
    command = ["taskset", "-c", core, *command]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    return process, fields(process.stdout.readline())["pid"]


def send(case, core, times):
    window = 0 if case.mode == "open" else WINDOW[case.kind]
    filtered = int(case.form in ("p2e", "byte"))
    return fields(common.run("taskset", "-c", core, common.OUTPUT / "sender", address(case),
                             traffic_file(case.kind, case.junk), COUNT[case.kind] * times, BOARD, window, filtered,
                             timeout=DEADLINE))


def run_once(case, config, times=1):
    """COUNT messages, so many times."""
    sender_core, server_core = common.cores()
    BOARD.write_bytes(bytes(16))
    process, pid = start_server(case, config, server_core)
    try:
        client = send(case, sender_core, times)
    except BaseException:
        process.kill()
        raise
    os.kill(pid, signal.SIGTERM)
    server = fields(process.communicate(timeout=DEADLINE)[0])
    return account(case, client, server)


def account(case, client, server):
    lost = client["valid"] - server["accepted"]
    if case.mode == "lossless" and (lost or client["expected"] != server["received"]):
        raise SystemExit(f"bench: {case}: {lost} valid messages are missing, {client} {server}")
    accepted = max(server["accepted"], 1)
    return {
        "server_us": server["cpu_us"] / accepted,
        "total_us": (server["cpu_us"] + client["cpu_us"]) / accepted,
        "rate": client["sent"] / client["us"] * 1e6,
        "lost": 100 * lost / client["valid"],
    }


# ---- All of them ------------------------------------------------------------------------------
def cases(options):
    for kind in options.kinds:
        for junk in options.junk:
            for transport in TRANSPORTS:
                yield from (Case(transport, kind, junk, form, "lossless") for form in FORMS)
            yield from (Case("udp", kind, junk, form, "open") for form in FORMS)


def experiment(options, config):
    runs = collections.defaultdict(list)
    for _ in range(options.rounds):
        for case in cases(options):
            runs[case].append(run_once(case, config))
    return [{**case._asdict(), **{key: common.spread([run[key] for run in found]) for key in found[0]}}
            for case, found in runs.items()]


TABLES = (
    ("lossless", "server_us", "Server CPU, µs per accepted message"),
    ("lossless", "total_us", "CPU of server and sender, µs per accepted message"),
    ("lossless", "rate", "Messages a second, sent"),
    ("open", "lost", "Valid messages lost at the default receive buffer, percent"),
)


def by_form(rows, mode, key):
    """{(transport, kind, junk): median of each form}"""
    found = collections.defaultdict(dict)
    for row in rows:
        if row["mode"] == mode:
            found[row["transport"], row["kind"], row["junk"]][row["form"]] = row[key]["median"]
    return {place: [values[form] for form in FORMS] for place, values in found.items()}


def print_tables(rows):
    for mode, key, title in TABLES:
        print(f"\n{title}\n")
        common.table(["transport", "kind", "junk %", *FORMS],
                     [[*map(str, place), *values] for place, values in by_form(rows, mode, key).items()])


def draw(rows):
    for key, what in (("server_us", "Server"), ("total_us", "Server and sender")):
        places = by_form(rows, "lossless", key)
        used = [[f"{kind} {junk} %", *values]
                for (transport, kind, junk), values in places.items() if transport == "udp"]
        common.bars(f"server-{key.split('_')[0]}", f"{what}: CPU per accepted message, UDP", "µs (logarithmic)",
                    ["case", *FORMS], used, "set logscale y\nset xtics rotate by -45")


def main():
    options = common.options(__doc__, lambda parser: parser.add_argument("--junk", type=int, nargs="+", default=JUNK))
    config = common.prepare()
    for kind in options.kinds:
        for junk in options.junk:
            write_traffic(kind, junk)
    try:
        rows = experiment(options, config)
    finally:
        common.remove_pins()
    common.announce(f"Medians of {options.rounds} rounds; the forms take turns, a core each for server and sender.")
    print_tables(rows)
    common.save("server", rows)
    draw(rows)


if __name__ == "__main__":
    main()
