"""Print every kind of wait that is named, what is said of it, and what that costs.

    python tests/benchmarks/truth_table.py

Each wait is produced for real, on asyncio and, if it is there, uvloop, under the
Python that runs this. PostgreSQL and Redis are started where they are installed. The
cost is that of one look at a suspended task, which happens only if a wait lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from ending import carry_out
from servers import database_servers
from waits import CASES, missing, produce

from dashboard import record
from dashboard.recorder.reasons import note_reason

TRIES = 3
LOOKS = 3000


def factories() -> dict:
    """Return the loops that are here, by name."""
    found = {"asyncio": asyncio.new_event_loop}
    with contextlib.suppress(ImportError):
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    return found


def judge(each, loop_factory, servers) -> tuple[bool, str]:
    """Run a case; say whether the truth was told, and what was."""
    expected, said = "", []
    for _ in range(TRIES):
        expected, said = produce(each, loop_factory, servers)
        if (expected, each.where()) in [(one.reason, one.where) for one in said]:
            return True, expected
    return False, " | ".join(f"{one.reason} @ {one.where}" for one in said)


def print_table(servers) -> int:
    """Print a line per kind; return how many were told wrong."""
    loops = factories()
    wrong = skipped = 0
    print(
        f"| wait | what is said of it, with file, line and function | {' | '.join(loops)} |"
    )
    print("| --- | --- |" + " --- |" * len(loops))
    for each in CASES:
        if reason := missing(each, servers):
            skipped += 1
            print(f"| {each.name} | ({reason}) |" + " – |" * len(loops))
            continue
        results = [judge(each, factory, servers) for factory in loops.values()]
        wrong += not all(right for right, _ in results)
        marks = " | ".join("right" if right else "WRONG" for right, _ in results)
        print(f"| {each.name} | {results[0][1]} | {marks} |", flush=True)
    told = len(CASES) - skipped
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"\nPython {python}: {told - wrong} of {told} kinds right, {skipped} skipped")
    return wrong


# --------------------------------------------------------------------- the cost


async def nested(depth: int, inner) -> None:
    """Await `inner` through as many coroutines as a framework would."""
    if depth:
        await nested(depth - 1, inner)
    else:
        await inner()


async def measure(depth: int, make) -> list[int]:
    """Return how many ns each of many looks at one waiting task took."""
    with record() as recording:
        rec = recording.recorder
        task = asyncio.create_task(nested(depth, make()))
        await asyncio.sleep(0.01)
        entry = rec.tasks[id(task)]
        took = []
        for _ in range(LOOKS):
            began = time.perf_counter_ns()
            note_reason(rec, task, entry, began)
            took.append(time.perf_counter_ns() - began)
        task.cancel()
        await asyncio.wait([task])
    return took


def sleeping():
    """A timer."""

    async def inner():
        await asyncio.sleep(60)

    return inner


def locked():
    """A lock with a name."""
    lock = asyncio.Lock()
    lock._locked = True

    async def inner():
        async with lock:
            pass

    return inner


def queueing():
    """A queue with a size, inside of a timeout."""
    jobs = asyncio.Queue(5)

    async def inner():
        async with asyncio.timeout(60):
            await jobs.get()

    return inner


def print_cost() -> None:
    """Print median and 99th percentile of a look, in µs."""
    print("\n| one look | coroutines deep | median | 99 % |\n| --- | --- | --- | --- |")
    for make in (sleeping, locked, queueing):
        for depth in (1, 20):
            took = asyncio.run(measure(depth, make))
            p99 = sorted(took)[len(took) * 99 // 100] / 1000
            median = statistics.median(took) / 1000
            print(f"| {make.__doc__} | {depth} | {median:.1f} µs | {p99:.1f} µs |")


def main() -> int:
    """Print both tables; exit 1 if one wait was told wrong."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOOPSCOPE_DIR"] = folder
        with database_servers() as servers:
            wrong = print_table(servers)
        print_cost()
    return int(wrong)


if __name__ == "__main__":
    carry_out(main)
