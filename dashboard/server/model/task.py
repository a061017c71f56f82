"""What is remembered of one task, and of what it has running elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.records import Door
from dashboard.server.model.lanes import State

if TYPE_CHECKING:
    from dashboard.server.model.request import Request

#: What a suspended task does, as far as we know before it is due.
AWAY = frozenset({State.WAITING, State.THREAD, State.PROCESS, State.THREAD_QUEUE})
#: Tasks by which servers keep themselves going: uvicorn, alone and as gunicorn's
#: worker, and Hypercorn. Nobody waits for them. By name, the package that has it: a
#: task of the app's may be called the same.
CLOCKWORK = {
    "Server.serve": "uvicorn",
    "Server._serve": "uvicorn",
    "UvicornWorker._serve": "uvicorn",
    "LifespanOn.main": "uvicorn",
    "worker_serve": "hypercorn",
    "raise_shutdown": "hypercorn",
    "Lifespan.handle_lifespan": "hypercorn",
}
#: It could go on.
IN_LINE = frozenset({State.READY, State.DUE})


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
    kin: int = 0
    """That of its coroutine's name: what a hundred workers take of a loop is one share."""
    is_known: bool = True
    """Whether its name was told; else its birth was a record that we never saw."""
    told: int = 0
    """The ring's string of its coroutine's name, file and line."""
    coroutine: str = ""
    """The name of its coroutine, by which it is called unless it was given one."""
    is_clockwork: bool = False
    """Whether a server keeps itself going by it."""

    @property
    def given(self) -> str:
        """The name that the program gave it, or nothing."""
        return "" if self.name == self.coroutine else self.name

    @property
    def label(self) -> str:
        """Its name, and its coroutine in brackets if that is another: `poller (poll)`."""
        function = self.coroutine.rpartition(".")[2]
        return f"{self.name} ({function})" if self.given and function else self.name

    @property
    def counts_as(self) -> int:
        """Its state, but that nobody waits for a server's clockwork to be ready."""
        is_hidden = self.is_clockwork and self.state in IN_LINE
        return State.WAITING if is_hidden else self.state


def waiting_state(task: Task) -> int:
    """Return what a task that does not run is: waiting, or at work elsewhere."""
    if task.calls:
        states = {call.state for call in task.calls if call.is_awaited}
        for state in (State.THREAD, State.PROCESS, State.THREAD_QUEUE):
            if state in states:
                return state
    return State.WAITING
