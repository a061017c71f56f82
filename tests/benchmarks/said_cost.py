"""Compare the cost of recording that the page shows with the cost that it has.

    python tests/benchmarks/said_cost.py [--rounds 8]

The same work runs recorded and not, in turns; the difference in CPU time is the truth.
What the page would say comes from the ring, as a session reads it. Asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time

import dashboard
from dashboard.records import Cell
from dashboard.ring import RingReader
from dashboard.server.session import Session

TASKS = 100


async def spins():
    """Run steps and nothing else."""
    for _ in range(300):
        await asyncio.sleep(0)


async def waits():
    """Wait long enough for each wait to be explained."""
    for _ in range(100):
        await asyncio.sleep(0.0001)


async def work(kind):
    """Do it in a hundred tasks at once."""
    await asyncio.gather(*(kind() for _ in range(TASKS)))


def spend(factory, kind, *, recorded):
    """Return (CPU ns it took, CPU ns that recording says it took)."""
    with asyncio.Runner(loop_factory=factory) as runner:
        loop = runner.get_loop()
        runner.run(asyncio.sleep(0))
        if not recorded:
            began = time.process_time_ns()
            runner.run(work(kind))
            return time.process_time_ns() - began, 0.0
        with dashboard.record(loop) as recording:
            began = time.process_time_ns()
            runner.run(work(kind))
            took = time.process_time_ns() - began
            return took, said(recording.recorder.ring.path)


def said(path):
    """Read a ring as the dashboard does; return the ns that it would call cost."""
    reader = RingReader(path)
    loop = Session(origin_ns=0).add_loop(reader.identity)
    loop.model.strings = reader.strings
    while data := reader.read(0):
        reader.read_strings(reader.read_cells()[Cell.STRINGS])
        loop.model.feed(data)
    cost_ps = reader.read_cells()[Cell.COST_PS]
    reader.close()
    return loop.recording_work() * cost_ps / 1000


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    rounds = parser.parse_args().rounds
    factories = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop
    except ImportError:
        pass
    else:
        factories["uvloop"] = uvloop.new_event_loop
    print(f"Python {'.'.join(map(str, sys.version_info[:3]))}, best of {rounds}")
    print(f"{'':18}{'is ms':>8}{'said ms':>9}{'said / is':>11}")
    for name, factory in factories.items():
        for kind in (spins, waits):
            plain = min(spend(factory, kind, recorded=False)[0] for _ in range(rounds))
            took, told = min(spend(factory, kind, recorded=True) for _ in range(rounds))
            real = took - plain
            print(
                f"{name:9}{kind.__name__:9}{real / 1e6:>8.1f}{told / 1e6:>9.1f}"
                f"{told / real:>11.2f}"
            )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOOPSCOPE_DIR"] = folder
        main()
