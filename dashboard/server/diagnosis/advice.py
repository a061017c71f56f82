"""Look for remedies beside the dashboard's loop, which must not wait for a parser.

Whoever asks has the answer at once if there is one, and else is told to ask again.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from dashboard.server.diagnosis.remedies import NOT_YET, remedy_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.server.diagnosis.remedies import ReadLines, Remedy
    from dashboard.server.model.stall import Line
    from dashboard.server.reading.names import Place

logger = logging.getLogger("loopscope")

#: Answers that are kept; the oldest goes first.
KEEP = 200


class Advice:
    """The remedies of a dashboard, found one at a time in a thread."""

    def __init__(self, read_lines: ReadLines) -> None:
        self._read_lines = read_lines
        self._found: dict[object, Future[Remedy | None]] = {}
        self._thread = ThreadPoolExecutor(1, "loopscope-advice")

    def __repr__(self) -> str:
        return f"<Advice on {len(self._found)} places>"

    def find(self, place: Place, stack: Sequence[Line]) -> Remedy | None:
        """Return what to write instead at a place, or `NOT_YET`. Never waits."""
        lines = (place, *(line.place for line in stack if line.is_users))
        key = tuple((each.file, each.line) for each in lines)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= KEEP:
                self._found.pop(next(iter(self._found))).cancel()
            look = partial(remedy_at, place, tuple(stack), self._read_lines)
            found = self._found[key] = self._thread.submit(look)
        if not found.done():
            return NOT_YET
        if (error := found.exception()) is not None:
            logger.error("no remedy for %s", place, exc_info=error)
            self._found[key] = Future()
            self._found[key].set_result(None)
            return None
        return found.result()

    def close(self) -> None:
        """End the thread, without waiting for what it looks at."""
        self._thread.shutdown(wait=False, cancel_futures=True)
