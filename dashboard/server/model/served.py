"""Which requests one loop serves: begun in which task, named, answered, ended.

Where their time went is accounted for in `splits.py`. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.records import FROM_WEBSOCKET
from dashboard.server.model.lanes import State
from dashboard.server.model.request import Phase, RequestKind

if TYPE_CHECKING:
    from dashboard.server.model.loop_model import LoopModel
    from dashboard.server.model.request import Request
    from dashboard.server.model.task import Task


#: The server makes a task for each request that it has read. Before its first step it
#: cannot be told whose it is, but that it is one. This is uvicorn's; of others it is
#: learnt.
SERVERS_TASK = "RequestResponseCycle.run_asgi"
#: An answer that comes in pieces for longer than this is a stream.
STREAM_NS = 1_000_000_000


class Served:
    """Follow the requests of one loop by the recorder's numbers."""

    def __init__(self, loop: LoopModel) -> None:
        self._loop = loop
        self._tasks = loop.tasks
        self._requests = loop.requests
        self._spans: dict[int, int] = {}
        self._lent: dict[int, tuple[Task, Request | None]] = {}
        """Tasks that serve a request among other things, and for whom else."""
        self._made_for_them: set[int] = set()
        """What tasks are called that turned out to be made for a request."""

    def __repr__(self) -> str:
        return f"<Served by loop {self._loop.number}, {len(self._tasks.serving)} open>"

    def traced(self, t: int, u: int, a: int, b: int) -> None:
        """A request that is about to begin carries the span id of its sender."""
        self._spans[a] = u & 0xFFFFFFFFFFFFFFFF

    def begun(self, t: int, u: int, a: int, b: int) -> None:
        """A request begins in a task, which may have been made for it."""
        if a in self._tasks.serving:
            self._tasks.end_request(a, t)
        task = self._tasks.by_no.get(b)
        is_made_for_it = bool(u & 1)
        began = task.born_ns if task is not None and is_made_for_it else t
        request = self._requests.begin(
            began, loop=self._loop.number, span=self._spans.pop(a, None)
        )
        self._tasks.serving[a] = request
        if u & FROM_WEBSOCKET:
            self._requests.turn(request, RequestKind.WEBSOCKET)
        if task is None:
            return
        if not is_made_for_it:
            self._lend(a, task, t)
        self._give(task, request, t)
        info = self._tasks.info(task, task.state)
        if is_made_for_it:
            if not request.sent:
                request.outside_most_ns = self._loop.drain.let_in(self._loop, began)
            self._loop.stalls.met(self._loop, task, request, t)
            task.serves = a
            self._made_for_them.add(task.told)
            self._requests.enter(request, State.READY, began, 0)
            self._requests.move(request, State.READY, task.state, task.since_ns, info)
        else:
            self._requests.enter(request, task.state, t, info)

    def is_unbegun(self, task: Task) -> bool:
        """Say whether a task is the server's for a request that has not begun."""
        if task.since_ns != task.born_ns or task.request is not None:
            return False
        if task.told in self._made_for_them:
            return task.is_known
        return task.coroutine.endswith(SERVERS_TASK)

    def unbegun(self) -> int:
        """How many requests the server has read whose task has had no step yet.

        Those of them that were announced are outside until then: who is who only
        their first steps tell.
        """
        return sum(map(self.is_unbegun, self._tasks.by_no.values()))

    def resume(self, number: int, task: Task, t: int) -> None:
        """A task turns out to work for a request whose beginning we did not see."""
        request = self._tasks.serving.get(number)
        if request is None:
            request = self._requests.begin(t, loop=self._loop.number, span=None)
            self._tasks.serving[number] = request
            task.serves = number
        self._give(task, request, t)
        self._requests.enter(request, task.state, t, self._tasks.info(task, task.state))

    def _give(self, task: Task, request: Request, t: int) -> None:
        if task.lane:
            # The task's own lane was only a guess: it is this request's.
            self._loop.journal.row(task.lane, task.since_ns, State.GONE)
            task.lane = 0
        self._tasks.quit(task, t)
        self._tasks.join(task, request)

    def named(self, t: int, u: int, a: int, b: int) -> None:
        """The router has found a request's route."""
        request = self._tasks.serving.get(a)
        if request is None or not b:
            return
        method, route = self._loop.names.fields(b, 2)
        if (method, route) == (request.method, request.route) and request.named:
            return
        request.named = True
        self._requests.name(request, method, route)
        self._loop.stalls.renamed(request)
        if self._loop.running_request() == request.id:
            self._loop.relabel(request.label, request.id)

    def _lend(self, number: int, task: Task, t: int) -> None:
        """A task serves a request for a while, and then goes on with what it did."""
        owner = task.request
        self._lent[number] = (task, owner)
        if owner is not None:
            # A handler that calls an app in its own process waits for it.
            self._requests.enter(owner, State.WAITING, t, 0)

    def _take_back(self, number: int, t: int) -> None:
        task, owner = self._lent.pop(number, (None, None))
        if owner is not None and not owner.ended:
            self._requests.leave(owner, State.WAITING, t)
        request = self._tasks.serving.get(number)
        if task is None or request is None or task.request is not request:
            return
        self._tasks.quit(task, t)
        if task.lane:
            self._loop.journal.row(task.lane, t, State.GONE)
        # The lane that it had ended when the request began.
        task.lane, task.born_ns = 0, t
        if owner is not None and not owner.ended:
            self._tasks.join(task, owner)
            self._requests.enter(owner, task.state, t, 0)

    def streamed(self, t: int, u: int, a: int, b: int) -> None:
        """A request handed over a piece of its answer, or a WebSocket was accepted."""
        request = self._tasks.serving.get(a)
        if request is None:
            return
        request.status = u
        if not request.streams_since_ns:
            request.streams_since_ns = t
        elif t - request.streams_since_ns > STREAM_NS:
            if request.kind == RequestKind.HTTP:
                self._requests.turn(request, RequestKind.STREAM)

    def answered(self, t: int, u: int, a: int, b: int) -> None:
        """The last byte of an answer was handed over, or there will be none."""
        self.named(t, u, a, b)
        request = self._tasks.serving.get(a)
        if request is not None and not request.answered_ns:
            self._requests.answer(request, t, u)

    def phased(self, t: int, u: int, a: int, b: int) -> None:
        """A request was in a phase from `u` to `t`."""
        request = self._tasks.serving.get(a)
        if request is not None and request.begun_ns <= t:
            name, function = self._loop.names.fields(b, 2)
            if not name:
                # There was no room for it among the ring's strings.
                return
            start_ns = min(max(u, request.begun_ns), t)
            self._requests.phase(request, Phase(name, function, start_ns, t))

    def ended(self, t: int, u: int, a: int, b: int) -> None:
        """A request has left the app."""
        self._take_back(a, t)
        self._tasks.end_request(a, t)

    def lose(self) -> None:
        """Records were lost: what was told of requests to come is worth nothing."""
        self._spans.clear()
        self._lent.clear()
