"""Everything the dashboard knows: its loops, requests and stalls, as one session.

No clock and no I/O: `read.py` brings records in, `stream.py` and the routes take
frames and state out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboard.records import Cell, RingState
from dashboard.server.journal import Journal, State
from dashboard.server.loop_model import LoopModel
from dashboard.server.requests import Requests
from dashboard.server.stalls import Stalls

if TYPE_CHECKING:
    from dashboard.ring import Identity

SECOND_NS = 1_000_000_000
#: Loops that ended and are still listed.
KEEP_ENDED = 8


@dataclass(slots=True)
class ObservedLoop:
    """One recorded loop: who it is, how it does, and its model."""

    id: int
    identity: Identity
    model: LoopModel
    ended: bool = False
    note: str = ""
    missed: int = 0
    cost_ps: int = 0
    window: deque[tuple[int, int, int]] = field(default_factory=deque)
    """(time, idle ns so far, records so far) of the last second, per tick."""

    def utilisation(self, now_ns: int) -> float:
        """Share of the last second in which the loop did not poll."""
        if self.ended or len(self.window) < 2:
            return 0.0
        began, idle, _ = self.window[0]
        elapsed = now_ns - began
        if elapsed <= 0:
            return 0.0
        idle_ns = self.model.idle_ns - idle
        if self.model.polling and now_ns > self.model.end_ns:
            idle_ns += now_ns - max(self.model.end_ns, began)
        return min(1.0, max(0.0, 1 - idle_ns / elapsed))

    def recording_cost(self, now_ns: int) -> float:
        """Share of the last second that recording took, from the calibrated cost."""
        if self.ended or len(self.window) < 2:
            return 0.0
        began, _, records = self.window[0]
        elapsed = now_ns - began
        if elapsed <= 0:
            return 0.0
        return (self.model.records - records) * self.cost_ps / 1000 / elapsed

    def state(self) -> str:
        """Return `idle`, `running`, `blocked` or `ended`."""
        if self.ended:
            return "ended"
        if self.model.stalls.current(self.model) is not None:
            return "blocked"
        return "idle" if self.model.polling else "running"


class Session:
    """What a dashboard process has learnt since it began."""

    def __init__(self, *, origin_ns: int) -> None:
        self.origin_ns = origin_ns
        self.journal = Journal()
        self.requests = Requests(self.journal)
        self.stalls = Stalls(self.requests)
        self.loops: dict[int, ObservedLoop] = {}
        self.notices: list[str] = []
        """Sentences about rings that cannot be read."""
        self._next_loop = 1

    def __repr__(self) -> str:
        return f"<Session {len(self.loops)} loops, {self.requests!r}>"

    @property
    def missed(self) -> int:
        """Records that were lost, over all loops."""
        return sum(loop.missed for loop in self.loops.values())

    def add_loop(self, identity: Identity) -> ObservedLoop:
        """A ring was found: begin to follow its loop."""
        number = self._next_loop
        self._next_loop += 1
        model = LoopModel(
            number, journal=self.journal, requests=self.requests, stalls=self.stalls
        )
        loop = ObservedLoop(number, identity, model)
        label = f"{identity.title or 'the loop'} · {identity.pid}"
        model.open_lane(label, identity.began_ns)
        self.loops[number] = loop
        return loop

    def tick(
        self, loop: ObservedLoop, now_ns: int, cells: dict[Cell, int], *, alive: bool
    ) -> None:
        """Take in what a ring's header said at `now_ns`, after its records."""
        if loop.ended:
            return
        loop.cost_ps = cells[Cell.COST_PS]
        strings = loop.model.strings
        note = cells[Cell.NOTE]
        if 0 < note < len(strings):
            loop.note = strings[note]
        if not alive or cells[Cell.STATE] != RingState.RECORDING:
            loop.ended = True
            # Of a process that was killed we know what it did until we last looked.
            seen_ns = loop.window[-1][0] if loop.window else 0
            end_ns = now_ns if alive else max(loop.model.end_ns, seen_ns)
            loop.model.finish(end_ns)
            self._drop_ended()
            return
        loop.model.tick(now_ns, cells[Cell.OWNER], cells[Cell.SINCE])
        window = loop.window
        window.append((now_ns, loop.model.idle_ns, loop.model.records))
        while len(window) > 2 and window[1][0] <= now_ns - SECOND_NS:
            window.popleft()

    def _drop_ended(self) -> None:
        ended = [loop.id for loop in self.loops.values() if loop.ended]
        for number in ended[:-KEEP_ENDED]:
            del self.loops[number]

    def newest_loop(self) -> int:
        """The id of the living loop that began last, or 0."""
        living = [loop.id for loop in self.loops.values() if not loop.ended]
        return max(living, default=0)

    # ----------------------------------------------------------------- as values

    def describe_loops(self, now_ns: int) -> list[dict[str, Any]]:
        """Return every loop as the wire shows it."""
        return [self._describe(loop, now_ns) for loop in self.loops.values()]

    def _describe(self, loop: ObservedLoop, now_ns: int) -> dict[str, Any]:
        model = loop.model
        stall = self.stalls.current(model)
        running = None
        if model.running_owner and not loop.ended:
            running = {
                "label": model.running_label(),
                "request": model.running_request(),
                "since_ns": model.running_since - self.origin_ns,
            }
        blocked_ms = stall.duration_ns / 1e6 if stall is not None else 0.0
        culprit = stall.culprit if stall is not None else None
        return {
            "id": loop.id,
            "pid": loop.identity.pid,
            "title": loop.identity.title,
            "kind": loop.identity.kind,
            "state": loop.state(),
            "note": loop.note,
            "blocked_ms": round(blocked_ms, 3),
            "culprit": culprit.to_wire() if culprit is not None else None,
            "ready": model.count(State.READY, State.DUE),
            "waiting": model.count(
                State.WAITING, State.THREAD, State.THREAD_QUEUE, State.PROCESS
            ),
            "utilisation": round(loop.utilisation(now_ns), 4),
            "lag_ms": round(model.lag_ns(now_ns) / 1e6, 3),
            "recording_cost": round(loop.recording_cost(now_ns), 7),
            "waits": dict(model.waits),
            "running": running,
            "missed": loop.missed,
        }

    def describe_tasks(self) -> list[dict[str, Any]]:
        """Return every living task, for `/api/state`."""
        return [
            {
                "id": task.no,
                "loop": loop.id,
                "name": task.name,
                "state": State(task.state).name.lower(),
                "reason": task.reason or None,
                "where": task.where or None,
                "request": task.request.id if task.request is not None else None,
            }
            for loop in self.loops.values()
            for task in loop.model.tasks.values()
        ]
