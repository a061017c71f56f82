"""Be the virtual users: send, wait for the answer, take note; again.

Lives in a generator process and in one event loop. Closed: each user asks again when
it was answered. Open: requests start when they are due, whatever the answers do, and
their latency counts from when they *should* have started.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from loadgen.transports import failure_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from loadgen.plan import Shape, Target

#: A user that could not connect tries again after this, not thousands of times a second.
FAILED_PAUSE_S = 0.1
#: A request of the open model that starts this much after its time counts as late.
LATE_S = 0.01
#: By which a server may know that it is under a load.
USER_AGENT = "loopscope-loadgen"


@dataclass(slots=True)
class Notes:
    """What happened since they were last taken; `latencies_us` has a list per target."""

    latencies_us: list[list[int]]
    failures: Counter[str]
    late: int = 0

    @classmethod
    def empty(cls, targets: int) -> Notes:
        """Return notes of nothing."""
        return cls([[] for _ in range(targets)], Counter())


class Crowd:
    """All virtual users of one process. `clock` gives seconds and never goes back."""

    def __init__(
        self,
        targets: tuple[Target, ...],
        shape: Shape,
        new_transport: Callable[[], httpx.AsyncBaseTransport],
        *,
        seed: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets = targets
        self._weights = [target.weight for target in targets]
        self._shape = shape
        self._new_transport = new_transport
        self._random = random.Random(seed)
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[_Line] = []
        self._due: deque[float] = deque()
        self.notes = Notes.empty(len(targets))
        self._is_over = False
        self.active = 0
        """Closed: users that are there. Open: requests under way or overdue."""

    def __repr__(self) -> str:
        return f"<Crowd {self.active} active, {len(self._tasks)} tasks>"

    def take_notes(self) -> Notes:
        """Return what happened since the last time, and begin anew."""
        taken, self.notes = self.notes, Notes.empty(len(self._targets))
        return taken

    async def warm_up(self, users: int, seconds: float) -> None:
        """Let some users ask for a while, and forget it."""
        if seconds > 0:
            for _ in range(users):
                self._start(self._use())
            await asyncio.sleep(seconds)
            await self.finish()
        self.take_notes()

    async def probe(self, *, seconds: float, answers: int) -> list[list[int]]:
        """Ask alone, one request after the other; return the latencies in µs by target."""
        began_s = self._clock()
        line = _Line(self._new_transport(), self._targets)
        for number in range(answers * len(self._targets)):
            # Each of them, however slow they are.
            if number >= len(self._targets) and self._clock() - began_s > seconds:
                break
            await self._ask(line, number % len(self._targets), self._clock())
        await line.transport.aclose()
        return self.take_notes().latencies_us

    async def come(self, first: int, stride: int) -> None:
        """Let every `stride`-th user come, from the `first` on, each at its time."""
        began_s = self._clock()
        for number in range(first, self._shape.users, stride):
            await self._wait_until(began_s + number / self._shape.spawn_rate)
            self.active += 1
            self._start(self._use())

    async def arrive(self, times_s: Iterator[float]) -> None:
        """Start a request at each of these times (open model), never waiting for any."""
        began_s = self._clock()
        for time_s in times_s:
            await self._wait_until(began_s + time_s)
            self.active += 1
            if self._idle:
                self._start(self._serve(self._idle.pop(), began_s + time_s))
            elif len(self._tasks) < self._shape.users:
                line = _Line(self._new_transport(), self._targets)
                self._start(self._serve(line, began_s + time_s))
            else:
                self._due.append(began_s + time_s)

    @property
    def unfinished(self) -> int:
        """How many requests are under way or overdue."""
        return len(self._tasks) + len(self._due)

    async def finish(self) -> None:
        """Ask nothing more, and wait for the answers that are under way.

        Hung up on, a server would go on with what it has begun, and whoever is
        measured next would pay for it.
        """
        self._is_over = True
        self._due.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._shape.timeout_s)
        await self.leave()
        self._is_over = False

    async def leave(self) -> None:
        """Hang up, all at once."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._idle:
            await line.transport.aclose()
        self._idle.clear()
        self._due.clear()
        self.active = 0

    async def _use(self) -> None:
        """Be one user of the closed model."""
        line = _Line(self._new_transport(), self._targets)
        try:
            while not self._is_over:
                if not await self._ask(line, self._choose(), self._clock()):
                    await asyncio.sleep(FAILED_PAUSE_S)
        finally:
            await line.transport.aclose()

    async def _serve(self, line: _Line, due_s: float) -> None:
        """Carry out one request of the open model, and then what is overdue."""
        try:
            while True:
                if self._clock() - due_s > LATE_S:
                    self.notes.late += 1
                await self._ask(line, self._choose(), due_s)
                self.active -= 1
                if not self._due:
                    break
                due_s = self._due.popleft()
        except BaseException:
            await line.transport.aclose()
            raise
        self._idle.append(line)

    async def _ask(self, line: _Line, target: int, due_s: float) -> bool:
        """Send one request and note what came of it; say whether it was answered."""
        try:
            async with asyncio.timeout(self._shape.timeout_s):
                status = await line.exchange(target, self._random)
        except Exception as error:  # noqa: BLE001 - each request is noted, whatever it was
            self.notes.failures[failure_kind(error)] += 1
            return False
        if status >= 400:
            self.notes.failures[f"HTTP {status}"] += 1
        else:
            took_us = int((self._clock() - due_s) * 1e6)
            self.notes.latencies_us[target].append(took_us)
        return True

    def _choose(self) -> int:
        if len(self._weights) == 1:
            return 0
        return self._random.choices(range(len(self._weights)), self._weights)[0]

    def _start(self, work: Coroutine[object, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait_until(self, moment_s: float) -> None:
        left_s = moment_s - self._clock()
        if left_s > 0:
            await asyncio.sleep(left_s)


class _Line:
    """One user's connection, with a request ready for each target."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, targets: tuple[Target, ...]
    ) -> None:
        self.transport = transport
        self._requests = [
            httpx.Request("GET", target.url, headers={"user-agent": USER_AGENT})
            for target in targets
        ]

    async def exchange(self, target: int, chance: random.Random) -> int:
        """Send, and read the whole answer; return its status."""
        request = self._requests[target]
        # W3C Trace Context: whoever records the server knows which request this is.
        trace, span = chance.getrandbits(128) or 1, chance.getrandbits(64) or 1
        request.headers["traceparent"] = f"00-{trace:032x}-{span:016x}-01"
        response = await self.transport.handle_async_request(request)
        await response.aread()
        return response.status_code
