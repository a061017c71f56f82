"""What happened to a loop that is no step: pauses, lost exceptions, cancellations.

Bounded, whatever happens: a thousand tasks cancelled at a shutdown are counted, and
the first of each frame are told. No clock and no I/O.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: Incidents that stay available to `/api/state` and new viewers.
KEEP = 200
TOLD_PER_FRAME = 50


class IncidentKind(StrEnum):
    """What happened."""

    PAUSE = "pause"
    """The garbage collector stopped all threads."""
    EXCEPTION = "exception"
    """The loop's exception handler was told of something that nobody handled."""
    CANCELLED = "cancelled"
    """A task ended because somebody cancelled it."""
    MARK = "mark"
    """The program itself said so: `dashboard.mark`."""
    TIMEOUT = "timeout"
    """A timeout fired and cancelled what a task was waiting for."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One of them."""

    kind: IncidentKind
    loop: int
    start_ns: int
    duration_ns: int
    """Of a pause, how long it was; of a cancellation, how long it took to honour."""
    text: str
    """A short sentence."""
    label: str = ""
    """Whose: the task's name."""
    request: int = 0
    where: str = ""
    """`file:line in function`, or empty."""
    by: str = ""
    """Who caused it, or empty."""
    starved_ns: int = 0
    """Of a pause, how long the loop's thread waited for a processor meanwhile."""

    def to_wire(self) -> dict[str, Any]:
        """Return it as frames and `/api/state` show it."""
        return {
            "kind": str(self.kind),
            "loop": self.loop,
            "start_ns": self.start_ns,
            "duration_ms": round(self.duration_ns / 1e6, 6),
            "text": self.text,
            "label": self.label,
            "request": self.request,
            "where": self.where,
            "by": self.by,
        }


class Incidents:
    """The incidents of a session, over all its loops."""

    def __init__(self) -> None:
        self.kept: deque[Incident] = deque(maxlen=KEEP)
        self.counts: Counter[str] = Counter()
        """How many of each kind there were, told or not."""
        self._fresh: list[Incident] = []

    def __repr__(self) -> str:
        return f"<Incidents {dict(self.counts)}>"

    def add(self, incident: Incident) -> None:
        """Something happened."""
        self.counts[str(incident.kind)] += 1
        if len(self._fresh) < TOLD_PER_FRAME:
            self._fresh.append(incident)
            self.kept.append(incident)

    def take(self) -> list[Incident]:
        """Return what is new since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def told(self) -> list[Incident]:
        """Return the kept ones that were in a frame already."""
        kept = list(self.kept)
        return kept[: max(0, len(kept) - len(self._fresh))]
