"""Everything the dashboard knows: its loops, requests and stalls, as one session.

No clock and no I/O: `read.py` brings records in, `stream.py` and the routes take
frames and state out.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboard.records import Cell, RingState
from dashboard.server.findings import Findings
from dashboard.server.incidents import Incidents
from dashboard.server.journal import Journal, State
from dashboard.server.loop_model import LoopModel
from dashboard.server.splits import Requests
from dashboard.server.stalls import Stalls
from dashboard.server.waits import whole
from dashboard.server.workers import Tokens

if TYPE_CHECKING:
    from dashboard.ring import Identity
    from dashboard.server.findings import FindRemedy
    from dashboard.server.names import Place

SECOND_NS = 1_000_000_000
#: What a record costs, and what the look at an awaited thing costs beside its record:
#: in records of asyncio's loop, whose cost the recorder calibrates at its start.
#: Measured by tests/benchmarks/said_cost.py, which compares what we say with the truth.
WORTH = {"asyncio": (1.0, 10.0), "uvloop": (3.1, 6.0)}
#: Loops that ended and are still listed.
KEEP_ENDED = 8


@dataclass(slots=True)
class ObservedLoop:
    """One recorded loop: who it is, how it does, and its model."""

    id: int
    identity: Identity
    model: LoopModel
    parent: int = 0
    """Process id of its process's parent, 0 if unknown: workers have one in common."""
    worker: int = 1
    """Its place among the loops of the same title and parent, from 1."""
    replaces: int = 0
    """Id of the ended loop that had this place before it, or 0."""
    ended: bool = False
    note: str = ""
    missed: int = 0
    cost_ps: int = 0
    frozen_since_ns: int = 0
    """Since when the whole process stands still (SIGSTOP), or 0."""
    is_held: bool = False
    """One C call keeps the interpreter's lock, so that nobody runs."""
    threads: tuple[int, int] = (0, 0)
    """The system's numbers of the loop's thread and of the watchdog's, 0 = unknown."""
    dumps_sent: int = 0
    """Signals that asked for a stack; a healthy loop is never sent one."""
    dump_refusal: str = ""
    """Why none can be sent, in words."""
    window: deque[tuple[int, int, float]] = field(default_factory=deque)
    """(time, idle ns so far, work so far) of the last second, per tick."""

    def is_kin_of(self, other: ObservedLoop) -> bool:
        """Say whether both are of one program: workers, or it and its restart."""
        mine = (self.identity.title, self.identity.loop_no, self.parent)
        return mine == (other.identity.title, other.identity.loop_no, other.parent)

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
        began, _, work = self.window[0]
        elapsed = now_ns - began
        if elapsed <= 0:
            return 0.0
        return (self.recording_work() - work) * self.cost_ps / 1000 / elapsed

    def recording_work(self) -> float:
        """Return what recording has done so far, in records of asyncio's loop."""
        record, reason = WORTH.get(self.identity.kind, WORTH["asyncio"])
        return self.model.records * record + self.model.tasks.reasons * reason

    def state(self) -> str:
        """Return `idle`, `running`, `blocked`, `frozen` or `ended`."""
        if self.ended:
            return "ended"
        if self.frozen_since_ns:
            return "frozen"
        if self.model.stalls.current(self.model) is not None:
            return "blocked"
        return "idle" if self.model.polling else "running"


class Session:
    """What a dashboard process has learnt since it began."""

    def __init__(
        self, *, origin_ns: int, find_remedy: FindRemedy | None = None
    ) -> None:
        self.origin_ns = origin_ns
        self.journal = Journal()
        self.requests = Requests(self.journal)
        self.stalls = Stalls(self.requests)
        self.incidents = Incidents()
        self.loops: dict[int, ObservedLoop] = {}
        self.findings = Findings(self, find_remedy or (lambda _place, _stack: None))
        self.notices: list[str] = []
        """Sentences about rings that cannot be read."""
        self._next_loop = 1

    def __repr__(self) -> str:
        return f"<Session {len(self.loops)} loops, {self.requests!r}>"

    @property
    def missed(self) -> int:
        """Records that were lost, over all loops."""
        return sum(loop.missed for loop in self.loops.values())

    def add_loop(self, identity: Identity, *, parent: int = 0) -> ObservedLoop:
        """A ring was found: begin to follow its loop.

        One that comes where another of the same family has ended takes its place.
        """
        number = self._next_loop
        self._next_loop += 1
        model = LoopModel(
            number,
            journal=self.journal,
            requests=self.requests,
            stalls=self.stalls,
            incidents=self.incidents,
        )
        loop = ObservedLoop(number, identity, model, parent)
        loop.worker, loop.replaces = self._place_of(loop)
        label = f"{identity.title or 'the loop'} · {identity.pid}"
        model.open_lane(label, identity.began_ns)
        self.loops[number] = loop
        self.requests.tallies.apps[number] = identity.title
        return loop

    def _place_of(self, loop: ObservedLoop) -> tuple[int, int]:
        """Return the first free place of a loop's family, and who had it before."""
        family = [each for each in self.loops.values() if each.is_kin_of(loop)]
        taken = {each.worker for each in family if not each.ended}
        place = next(number for number in itertools.count(1) if number not in taken)
        before = [each.id for each in family if each.worker == place]
        return place, max(before, default=0)

    def stand_still(self, loop: ObservedLoop, until_ns: int, since_ns: int) -> None:
        """Since `since_ns` a loop's process stands still; 0: since `until_ns`, if it
        did, it goes its way again. To be told before the records written then.
        """
        stood_ns, loop.frozen_since_ns = loop.frozen_since_ns, since_ns
        if loop.ended:
            return
        if since_ns and not stood_ns:
            loop.model.stand_still(since_ns)
        elif stood_ns and not since_ns:
            loop.model.go_on(stood_ns, until_ns)

    def tick(
        self, loop: ObservedLoop, now_ns: int, cells: dict[Cell, int], *, alive: bool
    ) -> None:
        """Take in what a ring's header said at `now_ns`, after its records."""
        if loop.ended:
            return
        loop.cost_ps = cells[Cell.COST_PS]
        loop.threads = (cells[Cell.LOOP_THREAD], cells[Cell.WATCHDOG_THREAD])
        strings = loop.model.names.strings
        loop.model.workers.tokens = Tokens(
            cells[Cell.TOKENS], cells[Cell.TOKENS_BORROWED], cells[Cell.TOKENS_WAITING]
        )
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
        if loop.frozen_since_ns:
            return
        loop.model.tick(now_ns, cells[Cell.OWNER], cells[Cell.SINCE])
        window = loop.window
        window.append((now_ns, loop.model.idle_ns, loop.recording_work()))
        while len(window) > 2 and window[1][0] <= now_ns - SECOND_NS:
            window.popleft()

    def _drop_ended(self) -> None:
        ended = [loop.id for loop in self.loops.values() if loop.ended]
        for number in ended[:-KEEP_ENDED]:
            del self.loops[number]
            self.stalls.lengths.pop(number, None)

    def newest_loop(self) -> int:
        """The id of the living loop that began last, or 0."""
        living = [loop.id for loop in self.loops.values() if not loop.ended]
        return max(living, default=0)

    def find_place(self, told: str) -> tuple[Place, Identity] | None:
        """Return a line of code by the words in which rows and stalls tell it.

        Only lines that a recording has named: whoever may see the page may see
        their code, and no other file's.
        """
        for loop in reversed(self.loops.values()):
            place = loop.model.names.find_place(told)
            if place is not None:
                return place, loop.identity
        return None

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
            "worker": loop.worker,
            "replaces": loop.replaces,
            "state": loop.state(),
            "note": loop.note,
            "blocked_ms": round(blocked_ms, 3),
            "culprit": culprit.to_wire() if culprit is not None else None,
            "ready": model.tasks.count(State.READY, State.DUE),
            "waiting": model.tasks.count(
                State.WAITING, State.THREAD, State.THREAD_QUEUE, State.PROCESS
            ),
            "utilisation": round(loop.utilisation(now_ns), 4),
            "lag_ms": round(model.lag_ns(now_ns) / 1e6, 3),
            "recording_cost": round(loop.recording_cost(now_ns), 7),
            "tokens": model.workers.describe_tokens(),
            "waits": dict(model.tasks.waits),
            "running": running,
            "missed": loop.missed,
            "held": loop.is_held,
            "door": self.stalls.at_door(model),
            "frozen_ms": (
                round((now_ns - loop.frozen_since_ns) / 1e6, 3)
                if loop.frozen_since_ns
                else 0.0
            ),
            "dumps": {"sent": loop.dumps_sent, "refusal": loop.dump_refusal},
        }

    def describe_tasks(self) -> list[dict[str, Any]]:
        """Return every living task, for `/api/state`."""
        return [
            {
                "id": task.no,
                "loop": loop.id,
                "name": task.name,
                "state": State(task.state).name.lower(),
                "reason": whole(task.reason, task.detail) or None,
                "where": task.where or None,
                "request": task.request.id if task.request is not None else None,
            }
            for loop in self.loops.values()
            for task in loop.model.tasks.by_no.values()
        ]
