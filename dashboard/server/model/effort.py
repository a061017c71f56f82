"""How much of a loop's time goes to whom: the last seconds, by label.

No clock and no I/O. Adding is on the way of every step, and is one dictionary
look-up and two sums.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from dashboard.server.model.tallies import Histogram

#: So many slices are kept; whoever asks turns them, four times a second.
SLICES = 12
#: Labels of one slice that are counted one by one.
MAX_LABELS = 2000


class Share(NamedTuple):
    """What one label took of a loop's time."""

    label: int
    """The journal's index of its name."""
    ns: int
    steps: int
    spins: int
    """Steps that handed themselves back to the loop, as `sleep(0)` does."""


class Effort:
    """Count the running time of one loop."""

    def __init__(self) -> None:
        self.lengths = Histogram()
        """Of all steps since the beginning."""
        self._now: dict[int, list[int]] = {}
        self._slices: deque[dict[int, list[int]]] = deque(maxlen=SLICES)

    def __repr__(self) -> str:
        return f"<Effort of {len(self._now)} labels>"

    def add(self, label: int, ns: int, *, is_spin: bool) -> None:
        """A step of `label` lasted so long."""
        # `lengths.add(ns)`, without what a call costs.
        lengths = self.lengths
        lengths.counts[ns.bit_length()] += 1
        lengths.total_ns += ns
        entry = self._now.get(label)
        if entry is None:
            if len(self._now) >= MAX_LABELS:
                label = 0
            entry = self._now.setdefault(label, [0, 0, 0])
        entry[0] += ns
        entry[1] += 1
        entry[2] += is_spin

    def turn(self) -> None:
        """Begin a new slice of time; the oldest is forgotten."""
        self._slices.append(self._now)
        self._now = {}

    def shares(self, slices: int = SLICES) -> list[Share]:
        """Return who took how much in the last whole slices, the most first."""
        sums: dict[int, list[int]] = {}
        first = max(0, len(self._slices) - slices)
        for part in list(self._slices)[first:]:
            for label, entry in part.items():
                found = sums.setdefault(label, [0, 0, 0])
                for index, value in enumerate(entry):
                    found[index] += value
        shares = [Share(label, *entry) for label, entry in sums.items()]
        return sorted(shares, key=lambda share: -share.ns)
