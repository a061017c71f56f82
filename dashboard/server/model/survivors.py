"""After records were lost: who of those we knew still lives, and who came meanwhile.

A loss puts every task and request in doubt. Whoever is heard of again goes on under
its old name; the recorder's next roll call (`recorder/roll_call.py`) settles the
rest: it tells those that we never heard of, and whom it leaves out is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.server.model.lanes import State
from dashboard.server.model.task import Task, waiting_state

if TYPE_CHECKING:
    from dashboard.server.model.loop_model import LoopModel


class Survivors:
    """Settle doubts about the tasks and requests of one loop."""

    def __init__(self, loop: LoopModel) -> None:
        self._loop = loop
        self._tasks = loop.tasks
        self._told: set[int] = set()
        """Tasks that the roll call under way has told so far."""
        self._risen: dict[int, int] = {}
        """Tasks that only a roll call told of, and when: it may have been the last
        moment of their life, its record before that of the call."""
        self._requests: set[int] = set()
        """Requests that were under way when records were lost."""

    def __repr__(self) -> str:
        return f"<Survivors of loop {self._loop.number}, {len(self._told)} told>"

    def doubt_all(self, t: int) -> None:
        """Records were lost at `t`, or soon after."""
        self._told.clear()
        for task in list(self._tasks.by_no.values()):
            self._tasks.set(task, State.LOST, t)
        self._requests.update(self._tasks.serving)

    def lives(self, t: int, u: int, a: int, b: int) -> None:
        """The roll call tells of a task."""
        self._told.add(a)
        number, does = u >> 32, u & 0xFFFFFFFF
        state = (State.WAITING, State.READY, State.RUNNING)[does if does < 3 else 0]
        task = self._tasks.by_no.get(a)
        if task is None:
            task = self._tasks.meet(a, b, state, t)
            self._tasks.add(task, t)
            self._risen[a] = t
        elif not task.is_known:
            self._tasks.rename(task, b)
        elif task.state != State.LOST:
            return
        if number and task.request is None:
            self._loop.served.resume(number, task, t)
        if task.state == State.LOST:
            self._tasks.set(task, state if does else waiting_state(task), t)
        elif task.request is None and not task.lane:
            self._tasks.draw(task)

    def all_told(self, t: int, u: int, a: int, b: int) -> None:
        """The roll call is complete: it told of `a` tasks."""
        if len(self._told) == a:
            for task in list(self._tasks.by_no.values()):
                if task.no not in self._told and self._is_doubtful(task):
                    self._tasks.forget(task, task.since_ns, is_lost=True)
            for number in self._requests:
                request = self._tasks.serving.get(number)
                if request is not None and not any(request.counts):
                    self._tasks.end_request(number, request.since_ns, is_lost=True)
            self._requests.clear()
        self._risen = {no: at for no, at in self._risen.items() if no in self._told}
        self._told.clear()

    def _is_doubtful(self, task: Task) -> bool:
        return task.state == State.LOST or self._risen.get(task.no) == task.since_ns
