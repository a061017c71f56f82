"""How large a recording is, and how long it takes to open: one table.

    python tests/benchmarks/recording.py [--spans 1000000]

Records real loops (sleeps, locks, queues, threads, a stall now and then) into rings,
follows them as the dashboard does, and opens what was taken down. A span is one that
is drawn: a row that only puts another one right is none.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from ending import carry_out

from dashboard.recorder.attach import record
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.recordings.keeper import FileTape, head_of
from dashboard.server.recordings.opening import read_recording
from dashboard.server.session import Session
from dashboard.server.streaming import wire

FRAME_S = 1 / 30
Program = Callable[[Event], Coroutine[Any, Any, None]]


async def mixed(is_over: Event) -> None:
    """Do what services do, some thousand steps a second."""
    lock, queue = asyncio.Lock(), asyncio.Queue(20)

    async def waits(seconds: float) -> None:
        while not is_over.is_set():  # noqa: ASYNC110 - sleeping is what is recorded
            await asyncio.sleep(seconds)

    async def locks() -> None:
        while not is_over.is_set():
            async with lock:
                await asyncio.sleep(0.001)

    async def puts() -> None:
        while not is_over.is_set():
            await queue.put(1)
            await asyncio.sleep(0.002)

    async def gets() -> None:
        while not is_over.is_set():
            await queue.get()

    async def hops() -> None:
        while not is_over.is_set():
            await asyncio.to_thread(len, "")
            await asyncio.sleep(0.01)

    jobs = [waits(0.002 + n / 5000) for n in range(20)] + [locks(), locks(), hops()]
    jobs += [puts(), puts()]
    reader = asyncio.create_task(gets())
    await asyncio.gather(*jobs)
    reader.cancel()


async def steps(is_over: Event) -> None:
    """Do nothing but step."""

    async def spin() -> None:
        while not is_over.is_set():  # noqa: ASYNC110 - stepping is what is recorded
            await asyncio.sleep(0)

    await asyncio.gather(*(spin() for _ in range(100)))


def run(program: Program, is_over: Event) -> None:
    """Run a program that is recorded."""
    with asyncio.Runner() as runner, record(runner.get_loop(), title="load"):
        runner.run(program(is_over))


def take_down(program: Program, spans: int, *, pace_s: float) -> tuple[bytes, int]:
    """Record a program until so many rows are drawn; return the file and the rows."""
    spawn = multiprocessing.get_context("spawn")
    is_over = spawn.Event()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOOPSCOPE_DIR"] = folder

        session = Session(origin_ns=time.monotonic_ns())
        file = io.BytesIO()
        file.name = "memory"
        tape = FileTape(file, head_of(session))
        session.tape = tape.tape
        follower = Follower(rings_in(Path(folder)), session, show_ended=True)
        # A process of its own, as in life: here it would fight for the interpreter.
        child = spawn.Process(target=run, args=(program, is_over), daemon=True)
        child.start()
        rows = 0
        while rows < spans:
            began_s = time.monotonic()
            while follower.poll() and time.monotonic() - began_s < pace_s:
                pass
            now_ns = time.monotonic_ns()
            if session.findings.is_due(now_ns):
                session.look(now_ns, {})
            change = session.turn_page(now_ns)
            tape.draw(now_ns, change)
            rows += len(change.rows)
            session.requests.begin_frame()
            session.stalls.take()
            time.sleep(max(0.0, pace_s - (time.monotonic() - began_s)))
        is_over.set()
        child.join()
        tape.flush()
        follower.close()
    return file.getvalue(), rows


def count_spans(session: Session) -> int:
    """Count what is drawn: of rows at one time of a lane only the last."""
    rows = sorted((row.lane, row.t) for row in session.journal.snapshot().rows)
    return len(set(rows))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    options = parser.parse_args()
    print(
        "| load | spans | thinned away | records | MB | bytes a span | opened in | snapshot in |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, program, share in (("mixed", mixed, 0.1), ("steps alone", steps, 1.0)):
        data, _ = take_down(program, int(options.spans * share), pace_s=FRAME_S)
        cpu_s = time.process_time()
        began_s = time.perf_counter()
        opened = read_recording(io.BytesIO(data), name)
        took_s = time.perf_counter() - began_s
        cpu_s = time.process_time() - cpu_s
        spans = count_spans(opened.session)
        began_s = time.perf_counter()
        told = wire.describe_snapshot(opened.session, opened.past.to_ns, 0, [])
        wire.encode(told)
        told_s = time.perf_counter() - began_s
        print(
            f"| {name} | {spans:,} | {opened.session.journal.thinned:,} "
            f"| {opened.records:,} | {len(data) / 1e6:.2f} "
            f"| {len(data) / spans:.1f} | {took_s:.2f} s ({cpu_s:.2f} s of a core) | {told_s:.2f} s |",
            flush=True,
        )


if __name__ == "__main__":
    carry_out(main)
