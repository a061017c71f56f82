"""Say in words why a task waits and who woke it, as the journal shows it.

Words are shown once and then known by number; those that vary without end are
bounded. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.records import Detail
from dashboard.server.model.waits import in_words, origin_of, refine

if TYPE_CHECKING:
    from dashboard.server.model.journal import Journal
    from dashboard.server.model.task import Task
    from dashboard.server.reading.names import Names

#: Details of one wait are a handful; records that make no sense are not kept.
MAX_DETAILS = 64
#: Details go to viewers as strings that are kept: so many of them, and from then on
#: only kind and place. `/api/state` tells all.
MAX_TOLD_DETAILS = 4000


class Explanations:
    """Put the waits and wakes of one loop's tasks into words."""

    def __init__(
        self, tasks: dict[int, Task], *, journal: Journal, names: Names
    ) -> None:
        self._tasks = tasks
        self._journal = journal
        self._names = names
        self._details: list[tuple[int, int, int]] = []
        self._told_details: set[str] = set()
        self._shown_wakers: dict[tuple[str, int], int] = {}

    def __repr__(self) -> str:
        return f"<Explanations, {len(self._told_details)} details told>"

    def waker(self, owner: int, reason: str) -> tuple[int, int]:
        """Return who woke a task: a string to show, and the lane of the task it was."""
        kind, no, name = origin_of(owner)
        known = self._shown_wakers.get((kind, name))
        if not kind or known is None:
            text = refine(kind, reason)
            if name:
                text = f"{text}\t{self._names.callback(name)}"
            known = self._journal.intern(text)
            if kind:
                self._shown_wakers[kind, name] = known
        return known, self.lane_of(no) if no else 0

    def lane_of(self, no: int) -> int:
        """Return the lane that shows a task, or 0."""
        task = self._tasks.get(no)
        if task is None:
            return 0
        if task.lane or task.request is None:
            return task.lane
        return task.request.lane

    def detail(self, t: int, u: int, a: int, b: int) -> None:
        """Note a detail of the wait whose reason follows."""
        if len(self._details) < MAX_DETAILS:
            self._details.append((a, b, u))

    def take_details(self, task: Task) -> int:
        """Put what was noted of a task's wait into words; return whose lane it means.

        That is who holds it up, or 0.
        """
        details, self._details = self._details, []
        who = 0
        if details:
            mine = [(kind, value) for no, kind, value in details if no == task.no]
            task.detail = in_words(mine, text=self._names.text, who=self._who)
            for kind, value in mine:
                if kind == Detail.HOLDER:
                    task.holder = value
                if kind in (Detail.TASK, Detail.HOLDER):
                    who = self.lane_of(value)
        return who

    def told(self, task: Task) -> str:
        """Return what a task waits for as rows show it."""
        words = f"{task.reason}\t{task.where}"
        told = self._told_details
        if task.detail and (task.detail in told or len(told) < MAX_TOLD_DETAILS):
            told.add(task.detail)
            words += f"\t{task.detail}"
        return words

    def _who(self, no: int) -> str:
        """Name a task as the page does: by its request, if it has one."""
        task = self._tasks.get(no)
        if task is None:
            return ""
        return f"request {task.request.id}" if task.request else task.name
