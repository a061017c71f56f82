"""A made-up loop, told as the recorder tells it: the same in every run.

The real model and wire turn its records into what a page gets. No clock, no process.
"""

from __future__ import annotations

import heapq
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.session import Session
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from dashboard.server.model.tape import Write

SECOND_NS = 1_000_000_000
FRAME_NS = SECOND_NS // 30
ORIGIN_NS = SECOND_NS


class Load:
    """A made-up loop: tasks that sleep and step, told as the recorder tells them."""

    def __init__(
        self,
        *,
        requests_per_s: float,
        tickers: int,
        awaits: int,
        tape: Write | None = None,
    ) -> None:
        self.session = Session(origin_ns=ORIGIN_NS, tape=tape)
        self.spans = 0
        self._random = random.Random(7)
        self._gap_ns = SECOND_NS / requests_per_s
        self._awaits = awaits
        self._loop = self.session.add_loop(
            Identity(77, 1, ORIGIN_NS, 0, 0, "asyncio", "3.11", "shop:app")
        )
        self._loop.model.names.strings = [
            "",
            "housekeeping",
            FIELD_SEPARATOR.join(["GET", "/fast"]),
            FIELD_SEPARATOR.join(["GET", "/slow/{id}"]),
            FIELD_SEPARATOR.join(["sleep", "/srv/shop.py", "31", "slow"]),
        ]
        self._cells = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}
        self._queue: list[tuple[int, int, int, int]] = []
        self._free_ns = ORIGIN_NS
        self._next_ns = float(ORIGIN_NS)
        self._requests = 0
        self._tasks = tickers
        self._seq = 0
        for task in range(1, tickers + 1):
            self._put(Kind.BORN, ORIGIN_NS, 0, task, 1)
            heapq.heappush(self._queue, (ORIGIN_NS + task * 1_000_000, task, 0, 0))
        self._data = b""

    def _put(self, kind: int, t: int, u: int, a: int, b: int) -> None:
        self._data = getattr(self, "_data", b"") + RECORD.pack(
            t, u, a, b, (1 << LAP_SHIFT) + kind
        )

    def advance(self, until_ns: int) -> None:
        """Let the loop run, and the model hear of it."""
        chunks = []
        while True:
            if self._next_ns < until_ns and (
                not self._queue or self._next_ns < self._queue[0][0]
            ):
                self._requests += 1
                self._tasks += 1
                born = int(self._next_ns)
                self._next_ns += self._random.expovariate(1 / self._gap_ns)
                self._put(Kind.BORN, born, 0, self._tasks, 1)
                due = (born, self._tasks, self._requests, 0)
                heapq.heappush(self._queue, due)
                continue
            if not self._queue or self._queue[0][0] >= until_ns:
                break
            due, task, request, turn = heapq.heappop(self._queue)
            self._step(due, task, request, turn)
            chunks.append(self._data)
            self._data = b""
        self._loop.feed(b"".join(chunks))
        self.session.tick(self._loop, until_ns, self._cells, alive=True)

    def _step(self, due: int, task: int, request: int, turn: int) -> None:
        # Rarely it blocks: 150 ms once in 4,000 steps.
        is_long = self._random.random() < 1 / 4000
        length = 150_000_000 if is_long else self._random.randrange(20_000, 90_000)
        begin = max(due + 5_000, self._free_ns)
        if begin > self._free_ns + 20_000:
            self._put(Kind.POLL, self._free_ns, due, 0, 0)
        end = begin + length
        if turn or not request:
            self._put(Kind.WAKE, due, 0, task, 0)
        kind = Kind.STEP_WAITING
        if request and not turn:
            self._put(Kind.REQUEST, begin + 1, 1, request, task)
            self._put(Kind.REQUEST_NAME, begin + 2, 0, request, 2 + request % 2)
        if request and turn == self._awaits:
            self._put(Kind.ANSWERED, end - 2, 200, request, 0)
            self._put(Kind.REQUEST_END, end - 1, 0, request, 0)
            kind = Kind.STEP_DONE
        else:
            wait = self._random.randrange(2_000_000, 90_000_000)
            again = end + (wait if request else 100_000_000)
            heapq.heappush(self._queue, (again, task, request, turn + 1))
        self._put(kind, begin, end, task, 0)
        self._free_ns = end

    def hello(self, now_ns: int) -> str:
        """Return the first event: a snapshot of all that is kept."""
        self._seq += 1
        self.session.journal.take(now_ns)
        snapshot = wire.describe_snapshot(self.session, now_ns, self._seq, [])
        self.spans = len(snapshot["rows"]["t"]) if snapshot["rows"] else 0
        hello = wire.describe_hello(
            self.session,
            now_ns,
            run="bench",
            demo_url=None,
            skipped=0,
            snapshot=snapshot,
        )
        return wire.encode(hello)

    def frame(self, now_ns: int) -> str:
        """Return what is new since the last."""
        self._seq += 1
        change = self.session.journal.take(now_ns)
        self.spans += len(change.rows)
        frame = wire.describe_frame(self.session, now_ns, self._seq, [], change)
        return wire.encode(frame)

    def frames(
        self, begin_ns: int, seconds: float, step_ns: int = FRAME_NS
    ) -> list[str]:
        """Return the frames of the next seconds."""
        made = []
        for k in range(1, int(seconds * SECOND_NS / step_ns) + 1):
            self.advance(begin_ns + k * step_ns)
            made.append(self.frame(begin_ns + k * step_ns))
        return made
