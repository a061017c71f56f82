"""Ask a busy program for its stack ten thousand times, by the rule, and see it live.

    python tests/benchmarks/dump_safety.py [--dumps 10000] [PYTHON ...]

Each PYTHON (default: this one) runs a recorded loop that goes back and forth between
Python code, which a dump would crash, and C calls that keep the interpreter's lock,
while its other threads begin and end. The rule of `dashboard/server/reading/dumps.py` looks
every two milliseconds and sends whenever it may, instead of once. Prints a table:

held    in how many C calls they were sent
right   stacks that name the function that made the C call
late    stacks of what ran just after it: the call ended between look and signal
crashes processes that died

Fails if one died, or if more than one in a thousand came late.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ending import carry_out, running
from stalls import version_of

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = r"""
import asyncio, json, random, re, sys, threading, time
import dashboard

rows = [{"id": i, "name": f"row {i}", "value": i * 1.5} for i in range(250_000)]
numbers = [random.random() for _ in range(700_000)]

def held_by_sum(): sum(range(random.randrange(8_000_000, 25_000_000)))
def held_by_sort(): sorted(numbers)
def held_by_json(): json.dumps(rows)
def held_by_regex(): re.match(r"(a+)+$", "a" * random.randrange(22, 25) + "b")

def python_code(seconds):
    end, made = time.monotonic() + seconds, []
    while time.monotonic() < end:
        made = [str(i) for i in range(50)]
        json.loads("[1, 2, {}]")
    return made

def restless():
    while True:
        threads = [threading.Thread(target=python_code, args=(0.01,)) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        time.sleep(random.random() / 5)

async def main():
    threading.Thread(target=restless, daemon=True).start()
    calls = [held_by_sum, held_by_sort, held_by_json, held_by_regex]
    while True:
        random.choice(calls)()
        await asyncio.sleep(0)
        python_code(random.random() / 5)
        await asyncio.sleep(random.random() / 50)

def run():
    with asyncio.Runner() as runner, dashboard.record(runner.get_loop()):
        runner.run(main())

if sys.argv[1] == "main":
    run()
else:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""
PATIENCE_S = 1200.0
LOOK_EVERY_S = 0.002


def main() -> int:
    """Run it for each interpreter, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dumps", type=int, default=10_000)
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    print(
        f"{'Python':8} {'thread':8} {'dumps':>7} {'held':>6} {'right':>7} {'crashes':>8}"
    )
    failed = False
    for python in options.pythons:
        for thread in ("main", "other"):
            sent, episodes, right, seen, died = ask(python, thread, options.dumps // 2)
            version = version_of(python)
            share = f"{right / seen:.1%}" if seen else "–"
            print(
                f"{version:8} {thread:8} {sent:7,} {episodes:6,} {share:>7} "
                f"{seen - right:5} {died:8}",
                flush=True,
            )
            failed |= bool(died) or not seen or (seen - right) * 1000 > seen
    return int(failed)


def ask(python: str, thread: str, wanted: int) -> tuple[int, int, int, int, int]:
    """Send `wanted` dumps; return how many were, in how many calls, and how it went."""
    sys.path[:0] = [str(ROOT)]
    from dashboard.records import Cell
    from dashboard.ring import RingReader
    from dashboard.server.reading.dumps import Dumps
    from dashboard.server.session import Session

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        program = Path(folder) / "program.py"
        program.write_text(PROGRAM)
        environment = os.environ | {
            "LOOPSCOPE_DIR": folder,
            "PYTHONPATH": str(ROOT),
            "LOOPSCOPE_DUMPS": "",
        }
        with running([python, str(program), thread], env=environment) as child:
            reader = RingReader(wait_for_ring(Path(folder), child))
            session = Session(origin_ns=0)
            loop = session.add_loop(reader.identity)
            loop.model.names.strings = reader.strings
            dumps = Dumps(reader, again=True)
            named: Counter[str] = Counter()
            loop.model.dumped = lambda t, place, stack: named.update([place.function])  # type: ignore[method-assign]
            beats: set[int] = set()
            end = time.monotonic() + PATIENCE_S
            while dumps.sent < wanted and child.poll() is None:
                assert time.monotonic() < end, (
                    f"only {dumps.sent} dumps; {dumps.refusal}"
                )
                now_ns = time.monotonic_ns()
                cells = reader.read_cells()
                while data := reader.read(now_ns):
                    loop.model.feed(data)
                reader.read_strings(cells[Cell.STRINGS])
                session.tick(loop, now_ns, cells, alive=True)
                if dumps.follow(now_ns, cells, loop.model):
                    beats.add(cells[Cell.BEAT])
                time.sleep(LOOK_EVERY_S)
            time.sleep(0.5)
            died = int(child.poll() is not None)
            right = sum(
                count for name, count in named.items() if name.startswith("held_by_")
            )
            return dumps.sent, len(beats), right, named.total(), died


def wait_for_ring(folder: Path, child: subprocess.Popen[bytes]) -> Path:
    """Return the ring that the child makes."""
    end = time.monotonic() + 60
    while time.monotonic() < end and child.poll() is None:
        for path in folder.glob("*.ring"):
            time.sleep(0.2)
            return path
        time.sleep(0.05)
    raise SystemExit("the program made no ring")


if __name__ == "__main__":
    carry_out(main)
