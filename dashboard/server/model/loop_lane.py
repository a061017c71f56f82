"""The loop's own line of the timeline: what runs, whose it is, and when nothing does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.server.model.lanes import LaneKind, State

if TYPE_CHECKING:
    from dashboard.server.model.journal import Journal
    from dashboard.server.reading.names import Names

RUNNING = int(State.RUNNING)


class LoopLane:
    """Write one loop's lane into the journal."""

    def __init__(self, loop: int, *, journal: Journal, names: Names) -> None:
        self.who = 0
        """The request that runs, or ran last, by its id; 0 = none."""
        self._loop = loop
        self._journal = journal
        self._names = names
        self._lane = 0
        self._shown: dict[int, int] = {}
        """Of callbacks, by the ring's index of their name, that in the journal."""

    def __repr__(self) -> str:
        return f"<LoopLane of loop {self._loop}>"

    def open(self, label: str, t: int) -> None:
        """Begin the lane; the loop is idle."""
        self._lane = self._journal.add_lane(
            LaneKind.LOOP, loop=self._loop, label=label, t=t
        )
        self.enter(State.IDLE, t)

    def run(self, t: int, info: int, who: int) -> None:
        """Something runs, for request `who`."""
        self.who = who
        self._journal.row(self._lane, t, RUNNING, info, who)

    def run_text(self, t: int, text: str) -> None:
        """The same runs from `t` on, or did all along, by a better name."""
        self._journal.row(self._lane, t, RUNNING, self._journal.intern(text), self.who)

    def enter(self, state: int, t: int, text: str = "") -> None:
        """Nothing runs: the loop is in another state."""
        self._journal.row(self._lane, t, state, self._journal.intern(text))

    def callback(self, index: int) -> int:
        """Return the journal's index of a callback's name."""
        info = self._shown.get(index)
        if info is None:
            info = self._journal.intern(self._names.callback(index))
            if index < len(self._names.strings):
                self._shown[index] = info
        return info
