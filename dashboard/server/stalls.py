"""Find the steps that lasted too long, who was to blame, and who had to wait.

No sampling error: every step's length is measured. Samples of the stack only say
*where* it was. No clock and no I/O.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboard.server.journal import State

if TYPE_CHECKING:
    from dashboard.server.loop_model import LoopModel, Place
    from dashboard.server.requests import Request, Requests

STALL_NS = 100_000_000
#: Stalls that stay available to `/api/state` and new viewers.
KEEP = 100
#: A sample names its step by its beginning. While the step runs, the reader may
#: know that beginning only to within the loop's own work after a poll.
SAME_STEP_NS = 20_000_000
HELD_UP = frozenset({State.READY, State.DUE, State.OUTSIDE})


@dataclass(slots=True)
class Stall:
    """One step longer than the threshold."""

    id: int
    loop: int
    start_ns: int
    duration_ns: int
    request: int
    label: str
    over: bool = False
    culprit: Place | None = None
    samples: dict[str, int] = field(default_factory=dict)
    victims: int = 0
    delay_ns: int = 0
    worst: str = ""
    worst_ns: int = 0

    def to_wire(self) -> dict[str, object]:
        """Return the stall as frames and `/api/state` show it."""
        return {
            "id": self.id,
            "loop": self.loop,
            "start_ns": self.start_ns,
            "duration_ms": round(self.duration_ns / 1e6, 3),
            "over": self.over,
            "label": self.label,
            "request": self.request,
            "culprit": self.culprit.to_wire() if self.culprit else None,
            "victims": {
                "count": self.victims,
                "delay_ms": round(self.delay_ns / 1e6, 3),
                "worst": self.worst,
                "worst_ms": round(self.worst_ns / 1e6, 3),
            },
        }


class Stalls:
    """The stalls of a session, over all its loops."""

    def __init__(self, requests: Requests, *, threshold_ns: int = STALL_NS) -> None:
        self.threshold_ns = threshold_ns
        self.kept: deque[Stall] = deque(maxlen=KEEP)
        self.changed: dict[int, Stall] = {}
        """New or changed since the stream last asked, by id."""
        self._requests = requests
        self._next_id = 1
        self._last: dict[int, Stall] = {}

    def __repr__(self) -> str:
        return f"<Stalls {len(self.kept)} kept>"

    def take(self) -> list[Stall]:
        """Return what is new or changed since the last call."""
        changed, self.changed = self.changed, {}
        return list(changed.values())

    def current(self, loop: LoopModel) -> Stall | None:
        """Return the stall that is under way in a loop."""
        stall = self._last.get(loop.number)
        return stall if stall is not None and not stall.over else None

    def watch(self, loop: LoopModel, now_ns: int) -> None:
        """Open or extend the stall of a step that is still running."""
        if not loop.running_owner:
            return
        if now_ns - loop.running_since >= self.threshold_ns:
            self._note(loop, loop.running_since, now_ns)

    def ended(self, loop: LoopModel, since_ns: int, end_ns: int) -> None:
        """A step ended: close its stall, or note one that nobody saw growing."""
        if end_ns - since_ns < self.threshold_ns or not loop.running_owner:
            return
        stall = self._note(loop, since_ns, end_ns)
        stall.over = True

    def break_off(self, loop: LoopModel) -> None:
        """Nothing more will be told of the step in progress: what we know is all."""
        stall = self.current(loop)
        if stall is not None:
            stall.over = True
            self.changed[stall.id] = stall

    def sample(self, loop: LoopModel, step_ns: int, t: int, place: Place) -> None:
        """The watchdog saw the step that began at `step_ns` at a line."""
        stall = self._last.get(loop.number)
        if stall is None or abs(stall.start_ns - step_ns) > SAME_STEP_NS:
            if not loop.running_owner or t - step_ns < self.threshold_ns:
                return
            stall = self._note(loop, step_ns, t)
        key = str(place)
        stall.samples[key] = stall.samples.get(key, 0) + 1
        # The line seen most often; the first of equals, which is the live one.
        if stall.culprit is None or stall.samples[key] > stall.samples.get(
            str(stall.culprit), 0
        ):
            stall.culprit = place
        self.changed[stall.id] = stall

    def _note(self, loop: LoopModel, since_ns: int, end_ns: int) -> Stall:
        stall = self._last.get(loop.number)
        if stall is None or stall.over or abs(stall.start_ns - since_ns) > SAME_STEP_NS:
            stall = Stall(
                self._next_id,
                loop.number,
                since_ns,
                0,
                loop.running_request(),
                loop.running_label(),
            )
            self._next_id += 1
            self._last[loop.number] = stall
            self.kept.append(stall)
        stall.duration_ns = end_ns - stall.start_ns
        self._count_victims(stall, end_ns)
        self.changed[stall.id] = stall
        return stall

    def _count_victims(self, stall: Stall, end_ns: int) -> None:
        """Who is held up now was held up since it came, or since the stall began."""
        stall.victims = stall.delay_ns = stall.worst_ns = 0
        for request in self._requests.open.values():
            if request.id == stall.request or not _is_held_up(request, stall.loop):
                continue
            delay = end_ns - max(request.since_ns, stall.start_ns)
            if delay <= 0:
                continue
            stall.victims += 1
            stall.delay_ns += delay
            if delay > stall.worst_ns:
                stall.worst_ns = delay
                stall.worst = request.label


def _is_held_up(request: Request, loop: int) -> bool:
    return request.state in HELD_UP and request.loop == loop
