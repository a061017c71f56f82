"""Tell incidents from the records of one loop: who cancelled whom, what was lost.

A cancellation is told by the record of the task's end; who did it is whoever woke
the task last, through any tasks that it awaited. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.server.model.incidents import Incident, IncidentKind
from dashboard.server.model.waits import origin_of
from dashboard.server.reading.names import Place, to_line

if TYPE_CHECKING:
    from dashboard.server.model.incidents import Incidents
    from dashboard.server.model.loop_model import LoopModel
    from dashboard.server.model.task import Task

#: Callbacks that cancel, and how to call them.
CANCELLERS = {
    "Timeout._on_timeout": "asyncio.timeout",
    "CancelScope._timeout": "an anyio timeout",
    "CancelScope._deliver_cancellation": "its cancel scope",
    "TaskGroup._on_task_done": "its task group",
    "_release_waiter": "asyncio.wait_for",
}
TIMEOUTS = frozenset({"asyncio.timeout", "an anyio timeout", "asyncio.wait_for"})
#: Tasks that were cancelled, remembered for those that waited for them.
REMEMBERED = 1000


class Mishaps:
    """Follow what goes wrong in one loop."""

    def __init__(self, loop: LoopModel, incidents: Incidents) -> None:
        self._loop = loop
        self._incidents = incidents
        self._cancelled: dict[int, str] = {}
        """Who cancelled a task that is no more, by its number."""
        self._cancellers: dict[int, str] = {}
        """What a callback that woke somebody cancels as, or ""; by owner."""

    def __repr__(self) -> str:
        return f"<Mishaps of loop {self._loop.number}>"

    def paused(self, t: int, u: int, a: int, b: int) -> None:
        """The garbage collector had the interpreter."""
        whose = "in the loop" if b else "in another thread"
        text = f"garbage collection of generation {a}, {whose}"
        request = self._loop.running_request()
        if b:
            # Of another thread's a step that sleeps or reads has no notice.
            self._loop.stalls.paused(self._loop, t, u)
        # In another thread the loop's own waits for the lock, which is none of these.
        starved_ns = self._loop.starvation.within(t, u)
        self._tell(
            IncidentKind.PAUSE, t, u - t, text, request=request, starved_ns=starved_ns
        )

    def marked(self, t: int, u: int, a: int, b: int) -> None:
        """The program says that something happened."""
        task = self._loop.tasks.by_no.get(a)
        label = task.name if task is not None else ""
        request = task.request.id if task is not None and task.request else 0
        text = self._loop.names.text(b) or "mark"
        self._tell(IncidentKind.MARK, t, 0, text, label=label, request=request)

    def excepted(self, t: int, u: int, a: int, b: int) -> None:
        """The loop's exception handler was told something."""
        message, error, file, line, function, name = self._loop.names.fields(b, 6)
        where = str(Place(file, to_line(line), function)) if file else ""
        task = self._loop.tasks.by_no.get(a)
        self._tell(
            IncidentKind.EXCEPTION,
            t,
            0,
            f"{message}: {error}" if error else message,
            label=_label(task) or name,
            request=_request_of(task) or self._loop.running_request(),
            where=where,
        )

    def woken(self, task: Task, t: int, owner: int) -> None:
        """A callback woke a task: a timeout does so to cancel it."""
        canceller = self._cancellers.get(owner)
        if canceller is None:
            _, _, name = origin_of(owner)
            canceller = CANCELLERS.get(self._loop.names.callback(name), "")
            self._cancellers[owner] = canceller
            if len(self._cancellers) > REMEMBERED:
                del self._cancellers[next(iter(self._cancellers))]
        if canceller in TIMEOUTS:
            self._tell(
                IncidentKind.TIMEOUT,
                t,
                0,
                f"{canceller} fired while it waited"
                + (f" for {task.reason}" if task.reason else ""),
                label=_label(task),
                request=_request_of(task),
                where=task.where,
                by=canceller,
            )

    def cancelled(self, task: Task, t: int) -> None:
        """A task ended because it was cancelled."""
        by = self._name(task.woken_by)
        self._cancelled[task.no] = by
        if len(self._cancelled) > REMEMBERED:
            del self._cancelled[next(iter(self._cancelled))]
        self._tell(
            IncidentKind.CANCELLED,
            task.woken_ns or t,
            t - task.woken_ns if task.woken_ns else 0,
            f"cancelled by {by}" if by else "cancelled",
            label=_label(task),
            request=_request_of(task),
            by=by,
        )

    def _name(self, owner: int) -> str:
        kind, number, string = origin_of(owner)
        name = self._loop.names.callback(string) if string else ""
        if name in CANCELLERS:
            return CANCELLERS[name]
        if number in self._cancelled:
            # It waited for a task that was cancelled: by whom is the answer.
            return self._cancelled[number]
        task = self._loop.tasks.by_no.get(number)
        if task is None:
            return name or kind
        return task.request.label if task.request is not None else task.name

    def _tell(
        self,
        kind: IncidentKind,
        t: int,
        duration_ns: int,
        text: str,
        *,
        label: str = "",
        request: int = 0,
        where: str = "",
        by: str = "",
        starved_ns: int = 0,
    ) -> None:
        self._incidents.add(
            Incident(
                kind,
                self._loop.number,
                t,
                duration_ns,
                text,
                label,
                request,
                where,
                by,
                starved_ns,
            )
        )


def _label(task: Task | None) -> str:
    """Name a task, or the request that it was made for: its own is the server's."""
    if task is None:
        return ""
    if task.serves and task.request is not None and task.request.named:
        return task.request.label
    return task.name


def _request_of(task: Task | None) -> int:
    return task.request.id if task is not None and task.request is not None else 0
