"""One log line for each stall that is over: the line, its length, whom it held up.

For those who do not look at the page. On the logger `loopscope.stalls`, at INFO: who
wants it has it shown (`loopscope --log-stalls`, or a handler of one's own). No clock.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dashboard.server.model.stall import STARVED
from dashboard.server.presses.facts import duration

if TYPE_CHECKING:
    from dashboard.server.model.stall import Stall
    from dashboard.server.session import Session

logger = logging.getLogger("loopscope.stalls")

#: Some whom a stall held up are known only when the loop comes to them.
SETTLED_NS = 500_000_000


class StallLog:
    """Tell each stall of a session once, when all about it is known."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last = 0
        """Id of the newest stall that was met."""
        self._open: list[Stall] = []

    def __repr__(self) -> str:
        return f"<StallLog {self._last} met, {len(self._open)} not told>"

    def look(self, now_ns: int) -> None:
        """Take in new stalls, and log those that have been over for a moment."""
        kept = self._session.stalls.kept
        if kept and kept[-1].id > self._last:
            self._open += [stall for stall in kept if stall.id > self._last]
            self._last = kept[-1].id
        if not self._open:
            return
        waiting = []
        for stall in self._open:
            if not stall.is_on and now_ns - stall.end_ns >= SETTLED_NS:
                logger.info("%s", self._line(stall))
            else:
                waiting.append(stall)
        self._open = waiting

    def _line(self, stall: Stall) -> str:
        # A step whose line nobody saw has at least a name.
        where = stall.culprit or stall.label or "a step"
        line = f"{where} held the loop for {duration(stall.duration_ns / 1e6)}"
        if stall.start_up:
            line = f"at start-up {line}"
        if stall.culprit is not None and stall.label:
            line = f"{line} (in {stall.label})"
        if stall.unfinished:
            line = f"{line}, and had not ended when its process did"
        if stall.starved_ns >= STARVED * stall.duration_ns:
            line = f"{line}, of which it waited {duration(stall.starved_ns / 1e6)} "
            line += "for a processor"
        if stall.is_starved:
            line = f"the machine was too busy: {line}"
            line += f" (where it was: {stall.seen_at})" if stall.seen_at else ""
        words = str(stall.victims.to_wire()["words"])
        line = f"{line}; it {words}" if words else f"{line}; nobody had to wait"
        loop = self._session.loops.get(stall.loop)
        if loop is None:
            return line
        return f"{loop.identity.title} (pid {loop.identity.pid}): {line}"
