"""One recorded loop: who it is, how it does, and what is told of it, which a tape takes down.

No clock and no I/O.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboard.server.model import tape as told
from dashboard.server.model.lanes import State

if TYPE_CHECKING:
    from dashboard.ring import Identity
    from dashboard.server.model.loop_model import LoopModel

SECOND_NS = 1_000_000_000
#: What a record costs, and what the look at an awaited thing costs beside its record:
#: in records of asyncio's loop, whose cost the recorder calibrates at its start.
#: Measured by tests/benchmarks/said_cost.py, which compares what we say with the truth.
WORTH = {"asyncio": (1.0, 10.0), "uvloop": (3.1, 6.0)}


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
    tape: told.Write | None = None
    """Takes down what the model is told."""
    strings_taped: int = 1
    seen_taped: told.Seen | None = None

    def feed(self, data: bytes) -> None:
        """Tell the model of new records."""
        if self.tape is not None:
            self.tape_strings()
            self.tape(told.Records(self.id, data))
        self.model.feed(data)

    def lose(self) -> None:
        """Tell the model that records were lost."""
        if self.tape is not None:
            self.tape(told.Lost(self.id))
        self.model.lose()

    def arrived(self, t: int, count: int) -> None:
        """Tell that so many requests lay in the kernel's queues at `t`."""
        if self.tape is not None:
            self.tape(told.Arrived(self.id, t, count))
        self.model.stalls.arrived(self.model, t, count)

    def starved(self, since_ns: int, until_ns: int, ns: int) -> None:
        """Tell that its thread waited so long for a processor. Before the records."""
        if self.tape is not None:
            self.tape(told.Starved(self.id, since_ns, until_ns, ns))
        self.model.starvation.told(since_ns, until_ns, ns)

    def tape_strings(self) -> None:
        """Take down the strings that are new."""
        strings = self.model.names.strings
        if self.tape is not None and len(strings) > self.strings_taped:
            self.tape(told.Strings(self.id, tuple(strings[self.strings_taped :])))
            self.strings_taped = len(strings)

    def tape_seen(self) -> None:
        """Take down what is known of it from elsewhere, if that has changed."""
        seen = told.Seen(
            self.id,
            self.missed,
            int(self.is_held),
            self.dumps_sent,
            self.dump_refusal,
        )
        if self.tape is not None and self.seen_taped != seen:
            self.seen_taped = seen
            self.tape(seen)

    def is_kin_of(self, other: ObservedLoop) -> bool:
        """Say whether both are of one program: workers, or it and its restart."""
        mine = (self.identity.title, self.identity.loop_no, self.parent)
        return mine == (other.identity.title, other.identity.loop_no, other.parent)

    def count_second(self, now_ns: int) -> None:
        """Count the last second up to now, for shares of it."""
        window = self.window
        window.append((now_ns, self.model.idle_ns, self.recording_work()))
        while len(window) > 2 and window[1][0] <= now_ns - SECOND_NS:
            window.popleft()

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
        if self.model.stalls.unended(self.model) is not None:
            return "blocked"
        return "idle" if self.model.polling else "running"

    def describe(self, now_ns: int, origin_ns: int) -> dict[str, Any]:
        """Return it as the wire shows it; times there count from the origin."""
        model = self.model
        stall = model.stalls.unended(model)
        running = None
        if model.running_owner and not self.ended:
            running = {
                "label": model.running_label(),
                "request": model.running_request(),
                "since_ns": model.running_since - origin_ns,
            }
        blocked_ms = stall.duration_ns / 1e6 if stall is not None else 0.0
        culprit = stall.culprit if stall is not None else None
        return {
            "id": self.id,
            "pid": self.identity.pid,
            "title": self.identity.title,
            "kind": self.identity.kind,
            "worker": self.worker,
            "replaces": self.replaces,
            "state": self.state(),
            "note": self.note,
            "blocked_ms": round(blocked_ms, 3),
            "culprit": culprit.to_wire() if culprit is not None else None,
            "starved": stall is not None and stall.is_starved,
            "ready": model.tasks.count(State.READY, State.DUE),
            "waiting": model.tasks.count(
                State.WAITING, State.THREAD, State.THREAD_QUEUE, State.PROCESS
            ),
            "utilisation": round(self.utilisation(now_ns), 4),
            "lag_ms": round(model.lag_ns(now_ns) / 1e6, 3),
            "recording_cost": round(self.recording_cost(now_ns), 7),
            "tokens": model.workers.describe_tokens(),
            "waits": dict(model.tasks.waits),
            "running": running,
            "missed": self.missed,
            "held": self.is_held,
            "door": model.stalls.at_door(model),
            "unbegun": model.served.unbegun(),
            "frozen_ms": (
                round((now_ns - self.frozen_since_ns) / 1e6, 3)
                if self.frozen_since_ns
                else 0.0
            ),
            "dumps": {"sent": self.dumps_sent, "refusal": self.dump_refusal},
        }


def describe_loop(loop: ObservedLoop) -> told.Loop:
    """Return who a loop is, for a tape."""
    identity = loop.identity
    return told.Loop(
        loop.id,
        loop.parent,
        identity.pid,
        identity.loop_no,
        identity.began_ns,
        identity.began_unix_ns,
        identity.pid_began,
        identity.kind,
        identity.python,
        identity.title,
    )
