"""Who is taken in right after a stall: they may have stood at the door through it.

When a request of others was sent nobody tells. But it cannot have lain at the door
before the loop last looked there, so how long it has at most is known; that stands
beside its split, and in no sum. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.server.model.loop_model import LoopModel
    from dashboard.server.model.stall import Stall

#: A loop that has polled this long between two stalls has taken in whatever lay at its
#: door. One poll alone may last some ms, on a busy machine, with sockets at hand.
EMPTIED_NS = 20_000_000
#: A round that has no poll of its own is no longer than that, as far as we know: between
#: two polls that we are told of may lie a minute of rounds, each with its own look.
ROUND_NS = 1_000_000_000
#: Nor is one of a loop that shows no polls at all.
HIDDEN_ROUND_NS = 20_000_000
#: Whom the kernel counted comes in this soon, or not at all: it was another worker's.
LATEST_NS = 10_000_000_000
#: A look at the kernel's queues this long before a stall ended has counted whoever
#: waited for longer. Without one, who comes so soon after it may have waited.
SOON_NS = 100_000_000


class Drain:
    """The door of one loop, from the end of a stall until all who stood there are in."""

    def __init__(self) -> None:
        self._since_ns = 0
        """Then the loop last looked before the stall, the first if there were several."""
        self._first_ns = 0
        """That stall's end: who was taken in earlier did not wait through it."""
        self._end_ns = 0
        self._idle_ns = 0
        self._left = 0
        """So many of those that the kernel has counted are still to come."""
        self._are_all_counted = True

    def __repr__(self) -> str:
        return f"<Drain since {self._since_ns}, {self._left} left>"

    def open(self, loop: LoopModel, stall: Stall) -> None:
        """A stall of the loop has ended: now it takes in who stands at its door."""
        if (
            not self._end_ns
            or loop.idle_ns - self._idle_ns >= EMPTIED_NS
            or stall.start_ns - self._end_ns >= SOON_NS
        ):
            # What came in the stall's own round, before its step, stood there, too.
            round_ns = ROUND_NS if loop.shows_polls else HIDDEN_ROUND_NS
            self._since_ns = max(loop.polled_ns, stall.start_ns - round_ns)
            self._first_ns = stall.end_ns
        self._end_ns, self._idle_ns = stall.end_ns, loop.idle_ns
        door = stall.victims.door
        self._left = round(door.last) if door is not None else 0
        seen_ns = door.seen_ns if door is not None else 0
        self._are_all_counted = stall.end_ns - seen_ns < SOON_NS

    def let_in(self, loop: LoopModel, t: int) -> int:
        """A request of others was taken in at `t`: it waited so long at most, or 0."""
        if not self._first_ns <= t < self._end_ns + LATEST_NS:
            return 0
        if self._left > 0 and loop.idle_ns - self._idle_ns < SOON_NS:
            self._left -= 1
        elif self._are_all_counted or t - self._end_ns >= SOON_NS:
            return 0
        return t - self._since_ns
