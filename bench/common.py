"""What the parts of the benchmark share: options, the machine, the results file, tables and plots."""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys

import kinds

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
OUTPUT = BUILD / "bench"
RESULTS = BUILD / "bench.json"
PINS = pathlib.Path("/sys/fs/bpf/p2e-bench")
P2E = BUILD / "p2e"


def options(description, add=lambda parser: None):
    parser = argparse.ArgumentParser(description=description)
    add(parser)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kinds", nargs="+", choices=kinds.KINDS, default=kinds.KINDS)
    os.chdir(ROOT)
    return parser.parse_args()


def run(*command, **more):
    """Standard output of a command that must succeed."""
    command = [str(part) for part in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **more)
    if done.returncode:
        sys.exit(f"bench: failed: {' '.join(command)}")
    return done.stdout


def cores():
    """Two different cores where there are two."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def remove_pins():
    shutil.rmtree(PINS, ignore_errors=True)


# ---- The machine ------------------------------------------------------------------------------
def read(path):
    return pathlib.Path(path).read_text()


def commit():
    return run("git", "describe", "--always", "--dirty").strip() if (ROOT / ".git").exists() else "no repository"


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", read("/proc/cpuinfo"))
    return {
        "cpu": cpu.group(1) if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "jit": read("/proc/sys/net/core/bpf_jit_enable").strip() != "0",
        "load": os.getloadavg()[0],
        "commit": commit(),
    }


def announce(what):
    """The machine, and what the table below shows."""
    m = machine()
    print(f"\n{m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, BPF JIT {'on' if m['jit'] else 'OFF'}, "
          f"load {m['load']:.1f}, {m['commit']}\n{what}\n")


# ---- Results ----------------------------------------------------------------------------------
def save(section, rows):
    """Each part brings its own section up to date, with the machine that it ran on."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[section] = {"machine": machine(), "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def table(head, rows):
    """Text on the left, numbers on the right."""
    cells = [head] + [[cell if isinstance(cell, str) else f"{cell:,.{0 if abs(cell) >= 100 else 2}f}"
                       for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    left = [all(isinstance(row[i], str) for row in rows) for i in range(len(head))]
    for row in cells:
        print("  ".join(c.ljust(w) if l else c.rjust(w) for c, w, l in zip(row, widths, left)).rstrip())


# ---- Plots ------------------------------------------------------------------------------------
TERMINALS = {"svg": "svg size 900,540 background 'white' font 'sans,12'", "png": "pngcairo size 900,540 font 'sans,11'"}


def plot(name, title, commands, head, rows):
    """`rows` as a data file with a head line; `commands` of gnuplot, in which DATA stands for its name."""
    data = OUTPUT / f"{name}.tsv"
    lines = ["\t".join(str(cell) for cell in row) for row in [head, *rows]]
    data.write_text("\n".join(lines) + "\n")
    for suffix, terminal in TERMINALS.items():
        script = (f"set terminal {terminal}\nset output '{OUTPUT / name}.{suffix}'\nset title \"{title}\"\n"
                  "set datafile separator tab\nset grid ytics\n"
                  "set key autotitle columnhead outside bottom center horizontal\n"
                  + commands.replace("DATA", f"'{data}'") + "\n")
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
    print(f"plots: {(OUTPUT / name).relative_to(ROOT)}.svg and .png")


BARS = """set style data histogram
set style histogram cluster gap 1
set style fill solid 0.8 border -1
set ylabel "{y}"
{more}
plot for [i=2:{last}] DATA using i:xtic(1)"""


def bars(name, title, y, head, rows, more=""):
    plot(name, title, BARS.format(y=y, more=more, last=len(head)), head, rows)


LINES = """set style data linespoints
set xlabel "{x}"
set ylabel "{y}"
{more}
plot for [i=2:{last}] DATA using 1:i"""


def lines(name, title, x, y, head, rows, more=""):
    plot(name, title, LINES.format(x=x, y=y, more=more, last=len(head)), head, rows)


# ---- Filters ----------------------------------------------------------------------------------
def prepare():
    """The corpus, the configuration and the objects of all kinds."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    remove_pins()
    kinds.write_corpus(OUTPUT)
    config = kinds.write_config(OUTPUT / "p2e.conf", kinds.all_filters())
    run(P2E, "compile", "-c", config)
    return config
