"""Print what recording adds to one loop step: 100 tasks × 1000 `sleep(0)`.

    python tests/benchmarks/step_cost.py [rounds]

Recorded and unrecorded runs alternate in one process; the best of each counts, as
noise only ever adds. Run it with each Python; asyncio and, if it is there, uvloop.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dashboard import record

TASKS, STEPS = 100, 1000


async def program() -> float:
    """Run the steps; return the seconds they took."""

    async def worker() -> None:
        for _ in range(STEPS):
            await asyncio.sleep(0)

    began = time.perf_counter()
    await asyncio.gather(*(asyncio.create_task(worker()) for _ in range(TASKS)))
    return time.perf_counter() - began


async def recorded_program() -> float:
    """Do the same while recorded."""
    with record(title="step cost"):
        return await program()


def measure(loop_factory, rounds: int) -> tuple[float, float]:
    """Return nanoseconds per step, unrecorded and recorded."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for index, each in enumerate((program, recorded_program)):
            gc.collect()
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                best[index] = min(best[index], runner.run(each()))
    return best[0] / TASKS / STEPS * 1e9, best[1] / TASKS / STEPS * 1e9


def main() -> None:
    """Print a line per loop."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    factories = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop
    except ImportError:
        print("uvloop is not installed: asyncio only")
    else:
        factories["uvloop"] = uvloop.new_event_loop
    python = ".".join(map(str, sys.version_info[:3]))
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("LOOPSCOPE_DIR", folder)
        for name, factory in factories.items():
            bare, recorded = measure(factory, rounds)
            print(
                f"{python}  {name:8} step {bare:6.0f} ns   recorded {recorded:6.0f} ns"
                f"   added {recorded - bare:+6.0f} ns"
            )


if __name__ == "__main__":
    main()
