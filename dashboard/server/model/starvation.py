"""How long a loop's thread wanted a processor and had none: other programs had them.

Told as what was waited between two looks from outside, so it is known to within a look
when that was. No clock and no I/O.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

#: Looks that are kept: 17 s of waiting without a pause. What is older is not counted,
#: which blames the step rather than the machine.
KEEP = 512


class Waited(NamedTuple):
    """Between two looks a thread waited for a processor."""

    since_ns: int
    until_ns: int
    ns: int
    """May be more than lies between: the system counts a wait when it is over."""


class Starvation:
    """When one loop's thread waited for a processor."""

    def __init__(self) -> None:
        self._looks: deque[Waited] = deque(maxlen=KEEP)

    def __repr__(self) -> str:
        return f"<Starvation in {len(self._looks)} looks>"

    def told(self, since_ns: int, until_ns: int, ns: int) -> None:
        """Between two looks it waited for so long, in all."""
        if since_ns < until_ns and ns > 0:
            self._looks.append(Waited(since_ns, until_ns, ns))

    def within(self, start_ns: int, end_ns: int) -> int:
        """Return how long it waited in that time, as far as is known by now."""
        total = 0
        for since_ns, until_ns, ns in reversed(self._looks):
            if until_ns <= start_ns:
                break
            overlap_ns = min(until_ns, end_ns) - max(since_ns, start_ns)
            if overlap_ns <= 0:
                continue
            span_ns = until_ns - since_ns
            # Of a look that is only partly in it, a part.
            total += min(ns, span_ns) * overlap_ns // span_ns
            if since_ns >= start_ns:
                # What was waited before that look, and not yet counted by then.
                total += max(0, ns - span_ns)
        return max(0, min(total, end_ns - start_ns))
