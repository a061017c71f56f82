"""Say again who lives: a reader that lost records, or came late, learns it here.

A ring forgets the births of tasks that live on. So twice in each lap every living
task is told once more, with its name and its request: whatever part of the ring a
reader holds, a whole roll call is in it. A loop that writes little is asked seldom,
one that writes much more often, so the cost is a share of what recording costs.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from dashboard.recorder.recorder import ADOPTED_AS, current_request
from dashboard.records import Cell, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.recorder.recorder import Recorder, TaskEntry

#: Tasks told at each look (80 ms where they are many), about 2 µs each: 1 % of the time.
AT_ONCE = 400
CALLS_PER_LAP = 2


class RollCall:
    """Tell who lives, at the pace of the ring. Runs in the thread that looks around."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._due = (0, 0)
        """The part of the ring, and the records dropped, at the last call."""
        self._began_ns = 0
        self._told = 0
        self._left: Iterator[TaskEntry] | None = None

    def beat(self, now_ns: int) -> None:
        """Begin a call when the ring has come far enough, or go on with one."""
        recorder = self._recorder
        if self._left is None:
            ring = recorder.ring
            part = CALLS_PER_LAP * ring.written() // ring.capacity
            dropped = ring.cells[Cell.DROPPED]
            if (part, dropped) == self._due:
                return
            self._due, self._began_ns, self._told = (part, dropped), now_ns, 0
            self._left = iter(list(recorder.tasks.values()))
        entry = None
        for entry in islice(self._left, AT_ONCE):
            self._tell(entry)
        if entry is None:
            self._left = None
            recorder.ring.write(
                Kind.LIVES_ALL, recorder.now_ns(), self._began_ns, self._told, 0
            )

    def _tell(self, entry: TaskEntry) -> None:
        recorder = self._recorder
        # The loop's thread may take it away at any moment.
        reference = entry.gone
        task = reference() if reference is not None else None
        if task is None or recorder.tasks.get(id(task)) is not entry:
            # Done meanwhile; or not suspended yet, so that its birth is recent.
            return
        self._told += 1
        # Read once: it may end meanwhile.
        number = entry.request
        request = number if number > 0 else _request_of(task)
        recorder.ring.write(
            Kind.LIVES,
            recorder.now_ns(),
            request << 32 | ADOPTED_AS[entry.state],
            entry.no,
            recorder.name_task(task),
        )
        title = getattr(entry, "title", 0)
        if title:
            recorder.ring.write(Kind.NAMED, recorder.now_ns(), 0, entry.no, title)
        route = getattr(entry, "route", 0)
        if number > 0 and route:
            recorder.ring.write(Kind.REQUEST_NAME, recorder.now_ns(), 0, number, route)


def _request_of(task: Any) -> int:
    # Since 3.12; on 3.11 a task's context is known to nobody else.
    get_context = getattr(task, "get_context", None)
    return get_context().get(current_request, 0) if get_context is not None else 0
