"""Record eager tasks (3.12 and later): their first step runs inside their creator's.

Such a step is never handed to the loop, so no hook of the loop sees it. Eager tasks
come from a task factory; only while a loop has one is its `create_task` replaced,
and the factory itself is left alone.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from dashboard.recorder.recorder import WAITING, TaskEntry, current_request
from dashboard.recorder.replacing import replaced, restore
from dashboard.recorder.spawns import tell_spawn
from dashboard.records import Kind

if TYPE_CHECKING:
    from dashboard.recorder.recorder import Recorder


class EagerHooks:
    """Watch one loop's task factory, and what it makes."""

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._rec = rec
        self._loop = loop
        self._stock_set = replaced(loop, "set_task_factory")
        self._stock_create = replaced(loop, "create_task")
        set_task_factory, create_task = loop.set_task_factory, loop.create_task
        self._is_watching = False

        def recorded_set(factory: Any) -> None:
            set_task_factory(factory)
            self._follow()

        def recorded_create(coro: Any, **options: Any) -> Any:
            if not rec.enabled:
                return create_task(coro, **options)
            began = rec.now_ns()
            task = create_task(coro, **options)
            if id(task) not in rec.tasks:
                try:
                    _note(rec, task, coro, began, options.get("context"))
                except Exception as error:  # noqa: BLE001 - nothing may reach the app
                    rec.fail(error)
            return task

        self._set, self._create = recorded_set, recorded_create

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        self._loop.set_task_factory = self._set
        self._follow()

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us."""
        restore(self._loop, "set_task_factory", self._set, self._stock_set)
        restore(self._loop, "create_task", self._create, self._stock_create)

    def _follow(self) -> None:
        if self._loop.get_task_factory() is None:
            restore(self._loop, "create_task", self._create, self._stock_create)
        elif replaced(self._loop, "create_task") is self._stock_create:
            self._loop.create_task = self._create


def _note(rec: Recorder, task: Any, coro: Any, began: int, context: Any) -> None:
    """Record a task that was never handed to the loop: it has run already."""
    ended = rec.now_ns()
    name = rec.name_coroutine(coro)
    # Not `or`: an empty context is falsy, and its tasks are nobody's request.
    context = copy_context() if context is None else context
    request = context.get(current_request, 0)
    entry = TaskEntry(rec.next_task())
    owner = rec.current & 0xFFFFFFFF
    is_done = task.done()
    rec.ring.write(Kind.BORN, began, request << 32 | owner, entry.no, name)
    if not request and rec.current > 0:
        tell_spawn(rec, task, entry)
    rec.ring.write(Kind.EAGER, began, ended, entry.no, is_done)
    if not is_done:
        entry.state = WAITING
        entry.since_ns = ended
        rec.tasks[id(task)] = entry
        rec.watch(task, entry)
