"""What is remembered of one task, and of what it has running elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.records import Door
from dashboard.server.lanes import State

if TYPE_CHECKING:
    from dashboard.server.splits import Request

#: What a suspended task does, as far as we know before it is due.
AWAY = frozenset({State.WAITING, State.THREAD, State.PROCESS, State.THREAD_QUEUE})
#: Tasks by which servers keep themselves going: uvicorn, alone and as gunicorn's
#: worker, and Hypercorn. Nobody waits for them.
CLOCKWORK = frozenset(
    {
        *("Server.serve", "Server._serve", "UvicornWorker._serve", "LifespanOn.main"),
        *("worker_serve", "raise_shutdown", "Lifespan.handle_lifespan"),
    }
)


@dataclass(slots=True)
class Call:
    """A function on its way through a worker thread or process."""

    no: int
    task: Task | None
    name: str
    who: int
    """The request that it works for, or 0."""
    state: int
    door: int = Door.TOKEN
    label: str = ""
    lane: int = 0
    is_awaited: bool = True
    """Whether its task is taken to wait for it whenever it waits."""


@dataclass(slots=True)
class Task:
    """One task of the loop."""

    no: int
    name: str
    born_ns: int
    state: int
    since_ns: int
    request: Request | None = None
    lane: int = 0
    reason: str = ""
    where: str = ""
    detail: str = ""
    """What varies from wait to wait: how long, how full, held by whom."""
    holder: int = 0
    """The task that held the lock it waits for when that was told, or 0."""
    holder_told_ns: int = 0
    went: int = State.WAITING
    """Where its last step has sent a function: to a thread, a process, or nowhere."""
    deadline_ns: int = 0
    calls: tuple[Call, ...] = ()
    """What it has running, or in line, in threads and processes."""
    made_by: int = 0
    """The task that made it, or 0."""
    made_at: str = ""
    """The line that made it: `file:line in function`, or nothing is known."""
    serves: int = 0
    """The request that this task was made for: it ends when the task does."""
    woken_by: int = 0
    """The owner who woke it last (see records.py), and when."""
    woken_ns: int = 0
    shown: int = 0
    """The journal's index of its name."""
    is_known: bool = True
    """Whether its name was told; else its birth was a record that we never saw."""

    @property
    def is_clockwork(self) -> bool:
        """Whether a server keeps itself going by it."""
        return self.name in CLOCKWORK

    @property
    def counts_as(self) -> int:
        """Its state, but that nobody waits for a server's clockwork to be ready."""
        is_in_line = self.state in (State.READY, State.DUE)
        return State.WAITING if is_in_line and self.is_clockwork else self.state


def waiting_state(task: Task) -> int:
    """Return what a task that does not run is: waiting, or at work elsewhere."""
    if task.calls:
        states = {call.state for call in task.calls if call.is_awaited}
        for state in (State.THREAD, State.PROCESS, State.THREAD_QUEUE):
            if state in states:
                return state
    return State.WAITING
