"""What is known of one request: who sent it, where its time went, what came of it.

No clock and no I/O: `splits.py` fills it in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.server.model.lanes import State

#: Where an instant in a state is counted. *Due* is ready that the loop has not
#: seen yet; what we lost track of is waiting, the least of all claims.
PARTS = {
    State.OUTSIDE: "outside",
    State.RUNNING: "running",
    State.READY: "ready",
    State.DUE: "ready",
    State.WAITING: "waiting",
    State.THREAD_QUEUE: "thread_queue",
    State.THREAD: "thread",
    State.PROCESS: "process",
    State.LOST: "waiting",
}
PART_NAMES = (
    "outside",
    "running",
    "ready",
    "waiting",
    "thread_queue",
    "thread",
    "process",
)
#: Waits of one request that are remembered in their order.
KEEP_WAITS = 32
#: Phases of one request that are told one by one.
KEEP_PHASES = 16
#: What FastAPI tells of a request, in the order in which it comes to each.
PHASE_NAMES = ("dependencies", "endpoint", "serialization", "background_task")


class RequestKind(StrEnum):
    """What sort of request it is; the second and third stay open for long."""

    HTTP = "http"
    STREAM = "stream"
    WEBSOCKET = "websocket"


@dataclass(slots=True)
class Phase:
    """What FastAPI was at for a request: `name`, for the function of that name."""

    name: str
    function: str
    start_ns: int
    end_ns: int
    count: int = 1
    """How many are told as this one, which lasts from the first to the last."""

    def to_wire(self, origin_ns: int = 0) -> dict[str, object]:
        """Return it as frames and `/api/state` show it, times from `origin_ns` on."""
        return {
            "name": self.name,
            "function": self.function,
            "start_ns": self.start_ns - origin_ns,
            "end_ns": self.end_ns - origin_ns,
            "count": self.count,
        }


@dataclass(slots=True)
class Request:
    """One request, from the moment we hear of it until it is answered."""

    id: int
    loop: int
    begun_ns: int
    """When it was sent, if we know; else when its task was born."""
    lane: int
    method: str = ""
    route: str = ""
    scenario: str = ""
    sent: bool = False
    """Whether we know when it was sent, so that `outside` is a number."""
    outside_most_ns: int = 0
    """If that is not known: as long as it may have waited at the door through a stall,
    or 0. In no sum."""
    named: bool = False
    """Whether its route is known from the app itself, not only from who sent it."""
    status: int = 0
    shown: int = 0
    """The journal's index of its label."""
    state: int = State.OUTSIDE
    since_ns: int = 0
    info: int = 0
    woken: tuple[int, int] = (0, 0)
    """What was told of its last wake: a string of the journal, and a lane."""
    answered_ns: int = 0
    ended: bool = False
    kind: RequestKind = RequestKind.HTTP
    streams_since_ns: int = 0
    is_lost: bool = False
    """Whether it ended in records that were lost: `status` 0 then says nothing."""
    ended_ns: int = 0
    """When it left the app, background tasks included."""
    tasks: int = 0
    """How many tasks have served it beside its own."""
    trips: int = 0
    """How many functions it has had run in worker threads."""
    waits: list[tuple[str, str, int]] = field(default_factory=list)
    """What its own task waited for, one after the other: reason, place, ns."""
    phases: list[Phase] = field(default_factory=list)
    """In the order in which they ended, as far as FastAPI tells them."""
    counts: list[int] = field(default_factory=lambda: [0] * len(State))
    spent_ns: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(PART_NAMES, 0)
    )

    @property
    def label(self) -> str:
        """Method and route, as far as they are known."""
        return f"{self.method} {self.route}".strip() or "request"

    @property
    def total_ns(self) -> int:
        """Wall time so far accounted for."""
        return sum(self.spent_ns.values())

    def phase_ms(self, name: str) -> float | None:
        """Time in all phases of that name, or None if none was told."""
        told = [phase for phase in self.phases if phase.name == name]
        return sum(phase.end_ns - phase.start_ns for phase in told) / 1e6 or None

    def _state(self) -> str:
        if not self.answered_ns:
            if self.kind != RequestKind.HTTP and self.state == State.WAITING:
                return "open"
            return State(self.state).name.lower()
        return "lost" if self.is_lost else "done"

    def _after_ms(self) -> float | None:
        if not self.ended_ns or not self.answered_ns:
            return None
        return round(max(0, self.ended_ns - self.answered_ns) / 1e6, 6)

    def to_wire(self, now_ns: int = 0, origin_ns: int = 0) -> dict[str, object]:
        """Return the request as frames and `/api/state` show it, times from `origin_ns` on.

        One that is under way is told as far as `now_ns`, if that is given.
        """
        spent_ns = self.spent_ns
        if not self.answered_ns and now_ns > self.since_ns:
            part = PARTS[State(self.state)]
            spent_ns = spent_ns | {part: spent_ns[part] + now_ns - self.since_ns}
        split: dict[str, float | None] = {
            f"{name}_ms": round(ns / 1e6, 6) for name, ns in spent_ns.items()
        }
        if not self.sent:
            split["outside_ms"] = None
        return {
            "id": self.id,
            "loop": self.loop,
            "kind": str(self.kind),
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "scenario": self.scenario,
            "state": self._state(),
            "start_ns": self.begun_ns - origin_ns,
            "end_ns": self.answered_ns - origin_ns if self.answered_ns else 0,
            "after_ms": self._after_ms(),
            "total_ms": round(sum(spent_ns.values()) / 1e6, 6),
            "outside_most_ms": round(self.outside_most_ns / 1e6, 3) or None,
            "split": split,
            "phases": [phase.to_wire(origin_ns) for phase in self.phases],
        }
