"""Carry out a plan: generator processes, one variant after the other.

The processes send; this one only listens, adds up and tells how it goes. Whatever
ends a run early, what was measured until then is kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadgen.errors import StartError
from loadgen.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.plan import Plan

#: All processes begin at the same moment; this is time enough to tell them.
START_IN_S = 0.05
#: Imports take half a second here; a slow laptop's first start several times that.
READY_PATIENCE_S = 30.0
END_PATIENCE_S = 5.0
#: Eyes and the page need no more.
TELL_S = 0.25
#: A tenth of a second of one process; JSON of 5,000 answers.
LINE_BYTES = 1 << 20


@dataclass(slots=True)
class Run:
    """How far a plan is, and what has come back so far."""

    plan: Plan
    tallies: list[Tally]
    turns: list[int]
    turn: int = 0
    phase: str = "starting"
    """`starting`, `warming up`, `loading`, `finishing`, `over` or `stopped`."""
    elapsed_s: float = 0.0
    """Into the present turn's load."""
    client: str = ""
    loop: str = ""
    cpu_s: float = 0.0
    targets_died: list[str] = field(default_factory=list)

    @property
    def variant(self) -> str:
        """Name of the variant that is measured now."""
        return self.tallies[
            self.turns[min(self.turn, len(self.turns) - 1)]
        ].variant.name

    @property
    def left_s(self) -> float:
        """Roughly how long the rest takes, as planned."""
        shape = self.plan.shape
        if self.phase in ("over", "stopped"):
            return 0.0
        later_s = self.plan.turn_s * (len(self.turns) - self.turn - 1)
        if self.phase == "finishing":
            return later_s
        if self.phase == "loading":
            return later_s + max(0.0, shape.run_time_s - self.elapsed_s)
        return later_s + self.plan.turn_s


async def carry_out(
    plan: Plan,
    *,
    stopping: asyncio.Event,
    tell: Callable[[Run], None] = lambda run: None,
    verify: bool = True,
) -> Run:
    """Run the whole plan, or until `stopping` is set; return what came back.

    `tell` is called a few times a second. Raises `StartError`.
    """
    tallies = [Tally(variant, plan.shape, plan.processes) for variant in plan.variants]
    run = Run(plan, tallies, plan.turns())
    for turn, which in enumerate(run.turns):
        run.turn = turn
        tallies[which].begin_turn()
        await _Turn(run, which, tell, verify=verify).carry_out(stopping)
        if stopping.is_set():
            break
    run.phase = "stopped" if stopping.is_set() else "over"
    run.cpu_s = sum(tally.cpu_s for tally in tallies) + time.process_time()
    tell(run)
    return run


class _Turn:
    """One variant, once: fresh processes, fresh connections."""

    def __init__(
        self, run: Run, which: int, tell: Callable[[Run], None], *, verify: bool
    ) -> None:
        self._run = run
        self._which = which
        self._tally = run.tallies[which]
        self._tell = tell
        self._verify = verify
        self._told_s = 0.0
        self._prepared = asyncio.Event()
        self._ready = 0
        self._all_ready = asyncio.Event()

    async def carry_out(self, stopping: asyncio.Event) -> None:
        """Start, prepare, load, end."""
        plan, run = self._run.plan, self._run
        self._enter("starting")
        workers = [await self._start_worker(number) for number in range(plan.processes)]
        listening: asyncio.Future[list[None]] = asyncio.gather(
            *(self._listen(worker) for worker in workers)
        )
        stop = asyncio.ensure_future(stopping.wait())
        try:
            begin = asyncio.ensure_future(self._begin(workers))
            both: set[asyncio.Future[Any]] = {listening, stop, begin}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if begin.done():
                begin.result()
            begin.cancel()
            for worker in workers:
                _hang_up(worker)
            async with asyncio.timeout(END_PATIENCE_S):
                await listening
        except TimeoutError:
            listening.cancel()
            if not stopping.is_set():
                raise StartError("a generator process does not end") from None
        finally:
            stop.cancel()
            for worker in workers:
                with suppress(ProcessLookupError):
                    worker.kill()
                await worker.wait()
        run.elapsed_s = 0.0

    async def _start_worker(self, number: int) -> asyncio.subprocess.Process:
        plan = self._run.plan
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadgen.worker", plan.loop),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            cwd=Path(__file__).parent.parent,
        )
        _order(
            worker,
            shape=asdict(plan.shape),
            targets=[asdict(target) for target in self._tally.variant.targets],
            client=plan.client,
            seed=plan.seed + number,
            verify=self._verify,
            first=number,
            stride=plan.processes,
        )
        return worker

    async def _begin(self, workers: list[asyncio.subprocess.Process]) -> None:
        shape = self._run.plan.shape
        try:
            async with asyncio.timeout(READY_PATIENCE_S):
                await self._all_ready.wait()
        except TimeoutError:
            raise StartError(
                f"a generator process did not start within {READY_PATIENCE_S:g} s"
            ) from None
        self._enter("warming up")
        await self._prepared.wait()
        self._enter("loading")
        at_s = time.monotonic() + START_IN_S
        for worker in workers:
            _order(worker, at_s=at_s)
        await asyncio.sleep(shape.run_time_s)
        self._enter("finishing")
        # Should a process be stuck, it does not hold the others' report.
        await asyncio.sleep(shape.timeout_s + END_PATIENCE_S)

    async def _listen(self, worker: asyncio.subprocess.Process) -> None:
        assert worker.stdout is not None
        is_over = False
        async for line in worker.stdout:
            told = json.loads(line)
            if "from_s" in told:
                self._tally.add(told)
                self._run.elapsed_s = max(self._run.elapsed_s, told["to_s"])
                self._tell_now_and_then()
            elif "ready" in told:
                self._run.client, self._run.loop = told["client"], told["loop"]
                self._ready += 1
                if self._ready == self._run.plan.processes:
                    self._all_ready.set()
            elif "prepared" in told:
                self._tally.add_alone(told["alone_us"])
                self._prepared.set()
            elif "over" in told:
                self._tally.add_end(unfinished=told["unfinished"], cpu_s=told["cpu_s"])
                is_over = True
        code = await worker.wait()
        if not is_over and code:
            raise StartError(f"a generator process ended with exit code {code}")

    def _enter(self, phase: str) -> None:
        self._run.phase = phase
        self._tell(self._run)

    def _tell_now_and_then(self) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_S:
            self._told_s = now_s
            self._tell(self._run)


def _order(worker: asyncio.subprocess.Process, **what: Any) -> None:
    assert worker.stdin is not None
    # A process that is gone is noticed where its words are awaited.
    with suppress(ConnectionError):
        worker.stdin.write(json.dumps(what).encode() + b"\n")


def _hang_up(worker: asyncio.subprocess.Process) -> None:
    assert worker.stdin is not None
    worker.stdin.close()
