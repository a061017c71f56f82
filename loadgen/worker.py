"""Be one generator process: `python -m loadgen.worker`, started by `run.py` only.

Takes orders as JSON lines on stdin, writes what happened as JSON lines on stdout, ten
times a second. Measures itself: how busy it was, and how late its own timers fired.
The end of stdin is the end of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadgen.plan import PROBE_S, Shape, Target
from loadgen.transports import describe_client, transport_factory
from loadgen.users import Crowd

if TYPE_CHECKING:
    from collections.abc import Callable

FLUSH_S = 0.1
#: Between two looks at the own lag; a timer every 10 ms costs a thousandth of a core.
LAG_S = 0.01
WARM_UP_USERS = 8
PROBE_ANSWERS = 20


def main() -> None:
    """Run until stdin ends, on the loop that the first argument names."""
    # Ctrl-C in the terminal is for our parent, who then tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        asyncio.Runner(loop_factory=_loop_factory(sys.argv[1])) as runner,
        suppress(asyncio.CancelledError),  # That was the end of stdin.
    ):
        runner.run(_work())


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if name == "uvloop":
            raise
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class _Commands(asyncio.Protocol):
    """The lines on stdin; its end cancels the task that works for it."""

    def __init__(self, worker: asyncio.Task[None]) -> None:
        self._worker = worker
        self._rest = b""
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        """Keep whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.put_nowait(line)

    def eof_received(self) -> None:
        """Nobody will want more."""
        self._worker.cancel()

    async def next(self) -> dict[str, Any]:
        """Return the next command, when it is there."""
        command: dict[str, Any] = json.loads(await self._lines.get())
        return command


async def _work() -> None:
    loop = asyncio.get_running_loop()
    worker = asyncio.current_task()
    assert worker is not None
    commands = _Commands(worker)
    await loop.connect_read_pipe(lambda: commands, sys.stdin)
    order = await commands.next()
    shape = Shape(**order["shape"])
    targets = tuple(Target(**each) for each in order["targets"])
    factory = transport_factory(order["client"], verify=order["verify"])
    crowd = Crowd(targets, shape, factory, seed=order["seed"])
    loop_name = type(loop).__module__.partition(".")[0]
    _tell(ready=True, client=describe_client(order["client"]), loop=loop_name)
    try:
        if order["first"] == 0:
            await _prepare(crowd, shape)
        start = await commands.next()
    except asyncio.CancelledError:
        await crowd.leave()
        raise
    await _run(crowd, shape, order, start["at_s"])


async def _prepare(crowd: Crowd, shape: Shape) -> None:
    """Warm the server up, then find how long one request takes when it is alone."""
    await crowd.warm_up(min(WARM_UP_USERS, shape.users), shape.warm_up_s)
    alone_us = await crowd.probe(seconds=PROBE_S, answers=PROBE_ANSWERS)
    _tell(prepared=True, alone_us=alone_us)


async def _run(crowd: Crowd, shape: Shape, order: dict[str, Any], at_s: float) -> None:
    ends_s = at_s + shape.run_time_s
    await asyncio.sleep(max(0.0, at_s - time.monotonic()))
    first, stride = order["first"], order["stride"]
    if shape.rate is None:
        coming = asyncio.ensure_future(crowd.come(first, stride))
    else:
        coming = asyncio.ensure_future(crowd.arrive(shape.arrivals(first, stride)))
    meter = _Meter()
    lag = asyncio.ensure_future(meter.watch_lag())
    try:
        last_s, active = time.monotonic(), crowd.active
        while last_s < ends_s:
            await asyncio.sleep(min(FLUSH_S, ends_s - last_s))
            now_s = time.monotonic()
            _flush(crowd, meter, last_s - at_s, now_s - at_s, active)
            last_s, active = now_s, crowd.active
    finally:
        now_s = time.monotonic()
        if now_s - last_s > 0.001:
            _flush(crowd, meter, last_s - at_s, now_s - at_s, active)
        coming.cancel()
        lag.cancel()
        unfinished, cpu_s = crowd.unfinished, time.process_time()
        if now_s >= ends_s:
            await crowd.finish()
        await crowd.leave()
        # Whatever comes of those, it was not in the time that was measured.
        crowd.take_notes()
        _tell(over=True, unfinished=unfinished, cpu_s=cpu_s)


def _flush(
    crowd: Crowd, meter: _Meter, from_s: float, to_s: float, active: int
) -> None:
    notes = crowd.take_notes()
    busy, lag_ms = meter.read()
    _tell(
        from_s=round(from_s, 6),
        to_s=round(to_s, 6),
        active=(active + crowd.active) / 2,
        latencies_us=notes.latencies_us,
        failures=notes.failures,
        late=notes.late,
        busy=round(busy, 4),
        lag_ms=round(lag_ms, 3),
    )


class _Meter:
    """How busy this process is: the share of time that it ran, or wanted to."""

    def __init__(self) -> None:
        # Time on the CPU and time spent waiting for one, in nanoseconds; Linux only.
        self._schedstat = Path("/proc/thread-self/schedstat")
        self._has_schedstat = self._schedstat.exists()
        self._last = self._look()
        self._lags_s: list[float] = []

    def read(self) -> tuple[float, float]:
        """Return the share since the last reading, and the mean lag in ms."""
        before, self._last = self._last, self._look()
        wall_s, wanted_s = (
            now - then for now, then in zip(self._last, before, strict=True)
        )
        lags, self._lags_s = self._lags_s, []
        lag_ms = 1e3 * sum(lags) / len(lags) if lags else 0.0
        return min(1.0, wanted_s / wall_s) if wall_s > 0 else 0.0, lag_ms

    async def watch_lag(self) -> None:
        """Sleep a little, again and again, and see how late that ends."""
        while True:
            due_s = time.monotonic() + LAG_S
            await asyncio.sleep(LAG_S)
            self._lags_s.append(time.monotonic() - due_s)

    def _look(self) -> tuple[float, float]:
        if self._has_schedstat:
            ran_ns, waited_ns, _ = self._schedstat.read_text().split()
            return time.monotonic(), (int(ran_ns) + int(waited_ns)) / 1e9
        return time.monotonic(), time.process_time()


def _tell(**message: object) -> None:
    try:
        sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(0)  # Our parent is gone; nobody reads this any more.


if __name__ == "__main__":
    main()
