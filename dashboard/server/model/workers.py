"""What a loop's tasks hand to worker threads and processes, and who is in line.

A call is known from the moment it is asked for to its end. Threads have lanes of
their own; so have processes, one for each call that is out at the same time, as
nobody tells which process took which. No clock and no I/O.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboard.records import Door
from dashboard.server.model.lanes import LaneKind, State
from dashboard.server.model.task import Call

if TYPE_CHECKING:
    from dashboard.server.model.journal import Journal
    from dashboard.server.model.task import Task
    from dashboard.server.model.tasks import Tasks
    from dashboard.server.reading.names import Names

#: Of those who wait for a token, this many are named.
WAITERS_NAMED = 20
#: A thread or process that did nothing for this long has no lane any more.
IDLE_NS = 60_000_000_000
#: Of each kind. More than a screen shows; anyio's tokens and the pools are fewer.
MAX_LANES = 256


@dataclass(slots=True)
class Tokens:
    """anyio's limiter, as the ring's header last told."""

    total: int = 0
    borrowed: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Seats:
    """The lanes of one kind, "thread 1" and so on, and who sits there.

    A number is free again once its lane is gone. When all are taken, the one that
    is idle for longest is handed on; who finds none has no lane: 0.
    """

    kind: LaneKind
    loop: int
    journal: Journal
    lanes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Number and lane, by who has them."""
    idle: dict[int, int] = field(default_factory=dict)
    """Since when those who do nothing do nothing, the longest first."""
    _free: list[int] = field(default_factory=list)
    """Numbers that were given and are free again, as a heap."""

    def take(self, who: int, t: int) -> int:
        """Return the lane of one who begins to work."""
        self.idle.pop(who, None)
        if who in self.lanes:
            return self.lanes[who][1]
        if len(self.lanes) == MAX_LANES:
            return self._hand_on(next(iter(self.idle), None), who)
        # Those given and those free are 1 to n without a gap.
        number = heapq.heappop(self._free) if self._free else len(self.lanes) + 1
        label = f"{self.kind.name.lower()} {number}"
        lane = self.journal.add_lane(self.kind, loop=self.loop, label=label, t=t)
        self.lanes[who] = number, lane
        return lane

    def take_any(self, who: int, t: int) -> int:
        """Return the first lane that is idle, or a new one."""
        if not self.idle:
            return self.take(who, t)
        return self._hand_on(min(self.idle, key=self.lanes.__getitem__), who)

    def _hand_on(self, idle: int | None, who: int) -> int:
        if idle is None:
            return 0
        del self.idle[idle]
        self.lanes[who] = self.lanes.pop(idle)
        return self.lanes[who][1]

    def rest(self, who: int, t: int, state: State = State.IDLE) -> None:
        """Say that one does nothing, or that nobody knows."""
        if who in self.lanes:
            self.idle.pop(who, None)
            self.idle[who] = t
            self.journal.row(self.lanes[who][1], t, state)

    def tick(self, now_ns: int) -> None:
        """End the lanes of those who have been idle for long."""
        while self.idle:
            who, since = next(iter(self.idle.items()))
            if now_ns - since < IDLE_NS:
                break
            self.end(who, now_ns)

    def end(self, who: int, t: int) -> None:
        """End one's lane."""
        self.idle.pop(who, None)
        number, lane = self.lanes.pop(who)
        heapq.heappush(self._free, number)
        self.journal.row(lane, t, State.GONE)


class Workers:
    """Follow the functions that one loop's tasks run elsewhere."""

    def __init__(
        self, loop: int, *, journal: Journal, tasks: Tasks, names: Names
    ) -> None:
        self.tokens = Tokens()
        self._loop = loop
        self._journal = journal
        self._tasks = tasks
        self._names = names
        self._calls: dict[int, Call] = {}
        self._threads = Seats(LaneKind.THREAD, loop, journal)
        """By the recorder's number of a thread."""
        self._processes = Seats(LaneKind.PROCESS, loop, journal)
        """By the number of the call that is out, or was the last one."""

    def __repr__(self) -> str:
        return f"<Workers of loop {self._loop}, {len(self._calls)} calls>"

    # ------------------------------------------------------------------ threads

    def queued(self, t: int, u: int, a: int, b: int) -> None:
        """A task asks for a function to run in a worker thread."""
        call = self._ask(u, a, b, State.THREAD_QUEUE)
        if call.task is not None and call.task.request is not None:
            call.task.request.trips += 1

    def begun(self, t: int, u: int, a: int, b: int) -> None:
        """A worker thread takes it."""
        call = self._calls.get(a)
        if call is None:
            call = self._calls[a] = Call(
                a, None, "function", 0, State.THREAD, label="function"
            )
        call.state = State.THREAD
        lane = call.lane = self._threads.take(b, t)
        self._journal.row(
            lane, t, State.THREAD, self._journal.intern(call.label), call.who
        )
        self._tasks.follow(call, t)

    def ended(self, t: int, u: int, a: int, b: int) -> None:
        """The function returned or raised."""
        self._threads.rest(b, t)
        self._finish(a, t)

    def dropped(self, t: int, u: int, a: int, b: int) -> None:
        """Nobody waits for it any more; if it has not begun it never will."""
        call = self._calls.get(a)
        if call is None:
            return
        if call.state == State.THREAD_QUEUE:
            del self._calls[a]
        self._tasks.release(call, t)

    # ---------------------------------------------------------------- processes

    def process_asked(self, t: int, u: int, a: int, b: int) -> None:
        """A task asks for a function to run in a process pool."""
        call = self._ask(u, a, b, State.PROCESS)
        call.lane = self._processes.take_any(a, t)
        self._journal.row(
            call.lane, t, State.PROCESS, self._journal.intern(call.label), call.who
        )

    def process_ended(self, t: int, u: int, a: int, b: int) -> None:
        """Its result is there."""
        self._processes.rest(a, t)
        self._finish(a, t)

    def running(self) -> list[str]:
        """Return the names of the functions that worker threads run now."""
        return [
            call.name for call in self._calls.values() if call.state == State.THREAD
        ]

    # ------------------------------------------------------------------- tokens

    def describe_tokens(self) -> dict[str, Any] | None:
        """Return the gauge as the wire shows it; None if anyio was not used yet."""
        tokens = self.tokens
        if not tokens.total:
            return None
        # In the order in which they asked, which is that of the line.
        queued = [
            call
            for call in self._calls.values()
            if call.state == State.THREAD_QUEUE and call.door == Door.TOKEN
        ]
        # The header and the records are not of the same moment.
        line = queued[max(0, len(queued) - tokens.waiting) :]
        return {
            "total": tokens.total,
            "borrowed": tokens.borrowed,
            "waiting": tokens.waiting,
            "waiters": [
                {"request": call.who, "function": call.name, "label": _whose(call.task)}
                for call in line[:WAITERS_NAMED]
            ],
        }

    # -------------------------------------------------------------------------

    def lose(self, t: int) -> None:
        """Records were lost: what the threads do is unknown."""
        for call in self._calls.values():
            self._tasks.release(call, t)
        self._calls.clear()
        for seats in (self._threads, self._processes):
            for who in tuple(seats.lanes):
                seats.rest(who, t, State.LOST)

    def finish(self, t: int) -> None:
        """Recording ended."""
        for seats in (self._threads, self._processes):
            for who in tuple(seats.lanes):
                seats.end(who, t)

    def tick(self, now_ns: int) -> None:
        """End the lanes of threads and processes that seem to be no more."""
        self._threads.tick(now_ns)
        self._processes.tick(now_ns)

    def _ask(self, u: int, a: int, b: int, state: State) -> Call:
        name, place = self._names.function(u & 0xFFFFFFFF)
        task = self._tasks.by_no.get(b)
        who = task.request.id if task is not None and task.request is not None else 0
        call = Call(a, task, name, who, state)
        call.door = u >> 32 & 0xFF
        why = self._names.callback(u >> 40) if u >> 40 else ""
        call.label = f"{name} ({why})" if why else name
        if place:
            call.label += f"\t{place}"
        self._calls[a] = call
        self._tasks.hand_over(call)
        return call

    def _finish(self, a: int, t: int) -> None:
        call = self._calls.pop(a, None)
        if call is not None:
            self._tasks.release(call, t, is_over=True)


def _whose(task: Task | None) -> str:
    if task is None:
        return ""
    return task.request.label if task.request is not None else task.name
