"""What one loop and its tasks are doing, from its records alone.

No clock and no I/O: any recording is a unit test. Records arrive in the order of
the ring, where a step stands *behind* what happened during it; this module puts
that right first (begin the step, then what happened inside, then end it), so
that everything below sees events in the order of time.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from dashboard.records import FIELD_SEPARATOR, KIND_MASK, RECORD, Kind
from dashboard.server.journal import LaneKind, State

if TYPE_CHECKING:
    from dashboard.server.journal import Journal
    from dashboard.server.requests import Request, Requests
    from dashboard.server.stalls import Stalls

STEP_FIRST, STEP_LAST = int(Kind.STEP_WAITING), int(Kind.STEP_CANCELLED)
CALL, POLL = int(Kind.CALL), int(Kind.POLL)

THREAD_REASONS = frozenset(
    {"thread", "thread token", "future", "task", "tasks", "unknown", "process"}
)
#: A step must have lasted this long before it is shown while it runs.
LIVE_STEP_NS = 15_000_000
#: A timer may be this late before we say, while nothing happens, that it is due.
LIVE_DUE_NS = 5_000_000
SECOND_NS = 1_000_000_000
#: Owner of a callback whose name found no room in the string table.
NAMELESS = -1 << 32


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
    deadline_ns: int = 0
    queued: set[int] = field(default_factory=set)
    in_thread: set[int] = field(default_factory=set)
    in_process: bool = False
    serves: int = 0
    """The request that this task was made for: it ends when the task does."""


@dataclass(slots=True)
class ThreadCall:
    """A function on its way through a worker thread."""

    no: int
    task: Task | None
    name: str
    who: int
    thread: int = 0


@dataclass(slots=True)
class Place:
    """A line of code."""

    file: str
    line: int
    function: str

    def to_wire(self) -> dict[str, object]:
        """Return it as the wire shows a culprit."""
        return {"file": self.file, "line": self.line, "function": self.function}

    def __str__(self) -> str:
        return f"{PurePath(self.file).name}:{self.line} in {self.function}"


class LoopModel:
    """Follow one loop. Feed records, then tick; read the public attributes."""

    def __init__(
        self, number: int, *, journal: Journal, requests: Requests, stalls: Stalls
    ) -> None:
        self.number = number
        self.journal = journal
        self.requests = requests
        self.stalls = stalls
        self.tasks: dict[int, Task] = {}
        self.strings: list[str] = [""]
        self.end_ns = 0
        """When the last step or poll that we know of ended."""
        self.polling = True
        self.running_owner = 0
        """Owner of the step in progress, as far as we know, else 0."""
        self.running_since = 0
        self.records = 0
        self.idle_ns = 0
        self.waits: dict[str, int] = {}
        self._pending: list[tuple[int, int, int, int, int]] = []
        self._open_requests: dict[int, Request] = {}
        self._spans: dict[int, int] = {}
        self._calls: dict[int, ThreadCall] = {}
        self._thread_lanes: dict[int, int] = {}
        self._deadlines: list[tuple[int, int]] = []
        self._due_deadline = 0
        self._lags: deque[tuple[int, int]] = deque()
        self._places: dict[int, Place] = {}
        self._lane = 0
        self._begun_early = False
        self._running_who = 0
        self._call_request: Request | None = None
        self._adopted: Task | None = None

    def __repr__(self) -> str:
        return f"<LoopModel {self.number}, {len(self.tasks)} tasks>"

    def open_lane(self, label: str, t: int) -> None:
        """Begin the loop's own lane."""
        self._lane = self.journal.add_lane(
            LaneKind.LOOP, loop=self.number, label=label, t=t
        )
        self.end_ns = t
        self.journal.row(self._lane, t, State.IDLE)

    # --------------------------------------------------------- order of records

    def feed(self, data: bytes) -> None:
        """Take in whole records, in the order of the ring."""
        pending = self._pending
        for t, u, a, b, tag in RECORD.iter_unpack(data):
            kind = tag & KIND_MASK
            if STEP_FIRST <= kind <= STEP_LAST:
                if pending and pending[0][1] < t:
                    self._play_until(t)
                self._begin(a, t)
                if pending:
                    self._play()
                self._end_step(kind, t, u, a)
            elif kind == POLL:
                if pending and pending[0][1] < t:
                    self._play_until(t)
                self._begin_poll(t)
                if pending:
                    self._play()
                self._end_poll(t, u)
            elif kind == CALL:
                if pending and pending[0][1] < t:
                    self._play_until(t)
                self._begin(-a or NAMELESS, t, b)
                if pending:
                    self._play()
                self._end_call(t, u)
            else:
                pending.append((kind, t, u, a, b))
        self.records += len(data) // RECORD.size

    def tick(self, now_ns: int, owner: int, since_ns: int) -> None:
        """Show what is under way, `now_ns` being before the cells were read.

        A step whose record is not there by then has not ended.
        """
        if now_ns > self.end_ns:
            if owner and now_ns - self.end_ns > LIVE_STEP_NS:
                began = since_ns if since_ns >= self.end_ns else self.end_ns
                if now_ns - began > LIVE_STEP_NS:
                    self._play_until(began)
                    self._begin(owner, began)
                    self._begun_early = True
                    self._play()
            elif not owner and self._adopted is None:
                # A poll has its record when it ends; until then the header tells.
                self._begin_poll(self.end_ns)
                self._play()
        self._find_due(now_ns)
        self.stalls.watch(self, now_ns)

    def _play(self) -> None:
        for kind, t, u, a, b in self._pending:
            handle = self._HANDLERS.get(kind)
            if handle is not None:
                handle(self, t, u, a, b)
        self._pending.clear()

    def _play_until(self, t: int) -> None:
        """Play what happened before a step, and not during it.

        A task may be made before its loop runs, a thread end while nobody runs.
        """
        inside = [event for event in self._pending if event[1] >= t]
        self._pending[:] = [event for event in self._pending if event[1] < t]
        self._play()
        self._pending[:] = inside

    # -------------------------------------------------------------- loop's lane

    def _begin(self, owner: int, t: int, request_no: int = 0) -> None:
        if self._begun_early:
            if self.running_owner == owner:
                return
            self._begun_early = False
        if self.running_owner:
            # A step whose end has no record.
            self.stalls.ended(self, self.running_since, t)
        if t > self.end_ns and not self.polling:
            # uvloop does not show its polls: what no step fills was one.
            self.journal.row(self._lane, self.end_ns, State.IDLE)
            self.idle_ns += t - self.end_ns
        self.polling = False
        self._suspend_adopted(t)
        self.running_owner = owner
        self.running_since = t
        who = 0
        if owner > 0:
            task = self.tasks.get(owner) or self._unknown_task(owner, t)
            name = task.name
            self._set(task, State.RUNNING, t)
            if task.request is not None:
                who = task.request.id
                # The server's own task serves it: its name would be uvicorn's.
                name = task.request.label if task.request.named else name
        else:
            name = self._callback_name(-owner)
            request = self._call_request = self._open_requests.get(request_no)
            if request is not None:
                who = request.id
                self.requests.enter(request, State.RUNNING, t, 0)
        self._running_who = who
        self.journal.row(self._lane, t, State.RUNNING, self.journal.intern(name), who)

    def _relabel(self, text: str) -> None:
        """Say better what the step in progress is, now that we know."""
        if self.running_owner:
            self.journal.row(
                self._lane,
                self.running_since,
                State.RUNNING,
                self.journal.intern(text),
                self._running_who,
            )

    def _end_step(self, kind: int, t: int, u: int, no: int) -> None:
        # First: a stall is named after its task, which may be done.
        self.stalls.ended(self, self.running_since, u)
        task = self.tasks.get(no)
        if task is None:
            # Destroyed meanwhile, or so its records say.
            pass
        elif kind == Kind.STEP_WAITING:
            if task.state == State.WAITING:
                # It cannot have: what its records left out is put right.
                self._set(task, State.RUNNING, t)
            task.reason = task.where = ""
            task.deadline_ns = 0
            self._set(task, self._waiting_state(task), u)
        elif kind == Kind.STEP_READY:
            self._set(task, State.READY, u)
        else:
            self._forget(task, u)
        self._ended(u)

    def _end_call(self, t: int, u: int) -> None:
        self.stalls.ended(self, self.running_since, u)
        if self._call_request is not None:
            self.requests.leave(self._call_request, State.RUNNING, u)
            self._call_request = None
        self._due_deadline = 0
        self._ended(u)

    def _ended(self, u: int) -> None:
        self.end_ns = u
        self.running_owner = 0
        self._begun_early = False

    def _begin_poll(self, t: int) -> None:
        if not self.polling:
            self.journal.row(self._lane, t, State.IDLE)
            self.polling = True
            if self.running_owner:
                self.stalls.ended(self, self.running_since, t)
            self.running_owner = 0
        self._suspend_adopted(t)

    def _suspend_adopted(self, t: int) -> None:
        """End the step in which recording began: its own end has no record."""
        task, self._adopted = self._adopted, None
        if task is None or self.tasks.get(task.no) is not task:
            return
        if task.state == State.RUNNING:
            self._set(task, self._waiting_state(task), t)

    def _end_poll(self, t: int, u: int) -> None:
        self.idle_ns += u - t
        self.end_ns = u

    # -------------------------------------------------------------------- tasks

    def _set(self, task: Task, state: int, t: int, info: int = -1) -> None:
        old = task.state
        if info < 0:
            info = self._info(task, state)
        if old == State.WAITING:
            self._count_wait(task.reason, -1)
        if state == State.WAITING:
            self._count_wait(task.reason, 1)
        if task.request is None and not task.lane and state != State.RUNNING:
            self._draw_task(task)
        task.state = state
        task.since_ns = t
        if task.request is not None:
            self.requests.move(task.request, old, state, t, info)
        else:
            self.journal.row(task.lane, t, state, info)

    def _count_wait(self, reason: str, change: int) -> None:
        name = reason or "…"
        left = self.waits.get(name, 0) + change
        if left > 0:
            self.waits[name] = left
        else:
            self.waits.pop(name, None)

    def _info(self, task: Task, state: int) -> int:
        if state == State.RUNNING:
            return self.journal.intern(task.name) if task.request is None else 0
        if state in (State.WAITING, State.DUE) and task.reason:
            return self.journal.intern(f"{task.reason}\t{task.where}")
        if state in (State.THREAD, State.THREAD_QUEUE):
            for call in (*task.in_thread, *task.queued):
                if call in self._calls:
                    return self.journal.intern(self._calls[call].name)
        return 0

    def _waiting_state(self, task: Task) -> int:
        if task.in_thread:
            return State.THREAD
        if task.queued:
            return State.THREAD_QUEUE
        if task.in_process:
            return State.PROCESS
        return State.WAITING

    def _unknown_task(self, no: int, t: int) -> Task:
        """Make up for a birth whose record we never saw."""
        task = Task(no, "task", t, State.WAITING, t)
        self._add(task, t)
        return task

    def _add(self, task: Task, t: int) -> None:
        if task.no in self.tasks:
            # Its number was heard before its birth: begin again with what is known.
            self._forget(self.tasks[task.no], t)
        self.tasks[task.no] = task
        if task.state == State.WAITING:
            self._count_wait(task.reason, 1)
        if task.request is not None:
            self.requests.enter(task.request, task.state, t, 0)

    def _draw_task(self, task: Task) -> None:
        """Give a task of no request its lane, from its birth on.

        Only once its first step is over: until then it may turn out to be a
        request's, as the server's tasks do, or to be done.
        """
        task.lane = self.journal.add_lane(
            LaneKind.TASK, loop=self.number, label=task.name, t=task.born_ns
        )
        if task.since_ns > task.born_ns:
            self.journal.row(task.lane, task.born_ns, State.READY)
        self.journal.row(
            task.lane, task.since_ns, task.state, self._info(task, task.state)
        )

    def _forget(self, task: Task, t: int) -> None:
        del self.tasks[task.no]
        if task.state == State.WAITING:
            self._count_wait(task.reason, -1)
        for call in (*task.queued, *task.in_thread):
            if call in self._calls:
                self._calls[call].task = None
        if task.request is not None:
            self.requests.leave(task.request, task.state, t)
            if task.serves:
                self._on_request_end(t, 0, task.serves, 0)
        else:
            self.journal.row(task.lane, t, State.GONE)

    def _on_born(self, t: int, u: int, a: int, b: int) -> None:
        task = Task(a, self._name(b), t, State.READY, t)
        task.request = self._open_requests.get(u >> 32)
        self._add(task, t)

    def _on_adopted(self, t: int, u: int, a: int, b: int) -> None:
        state = (State.WAITING, State.READY, State.RUNNING)[u if 0 <= u < 3 else 0]
        task = Task(a, self._name(b), t, state, t)
        self._add(task, t)
        self._draw_task(task)
        if state == State.RUNNING:
            self._adopted = task

    def _on_wake(self, t: int, u: int, a: int, b: int) -> None:
        task = self.tasks.get(a) or self._unknown_task(a, t)
        if task.state == State.RUNNING:
            # It hands itself back to the loop; the step's end says so.
            return
        if self._due_deadline and task.state == State.WAITING:
            due = max(self._due_deadline, task.since_ns)
            if due < t:
                self._set(task, State.DUE, due)
        task.in_process = False
        self._set(task, State.READY, t)

    def _on_due(self, t: int, u: int, a: int, b: int) -> None:
        self._due_deadline = u
        self._lags.append((t, t - u))

    def _on_reason(self, t: int, u: int, a: int, b: int) -> None:
        task = self.tasks.get(a)
        if task is None or task.state in (State.RUNNING, State.READY):
            return
        what, file, line, function = self._fields(b, 4)
        if task.state == State.WAITING:
            self._count_wait(task.reason, -1)
            self._count_wait(what, 1)
        task.reason = what
        task.where = str(Place(file, _int(line), function))
        state = task.state
        if what not in THREAD_REASONS and state in (State.THREAD, State.THREAD_QUEUE):
            # It did ask for a thread, but this is something else it waits for.
            state = State.WAITING
        elif what == "process" and state == State.WAITING:
            state = State.PROCESS
        if u and state == State.WAITING:
            task.deadline_ns = u
            heapq.heappush(self._deadlines, (u, task.no))
        since = task.since_ns
        self._set(task, state, since if state == task.state else t)
        task.since_ns = since

    def _on_gone(self, t: int, u: int, a: int, b: int) -> None:
        task = self.tasks.get(a)
        if task is not None:
            self._forget(task, t)

    def _find_due(self, now_ns: int) -> None:
        """Timers that have passed their deadline while the loop did not look."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] < now_ns - LIVE_DUE_NS:
            deadline, no = heapq.heappop(deadlines)
            task = self.tasks.get(no)
            if (
                task is not None
                and task.deadline_ns == deadline
                and task.state == State.WAITING
            ):
                self._set(task, State.DUE, max(deadline, task.since_ns))

    # ------------------------------------------------------------------ threads

    def _on_thread_queued(self, t: int, u: int, a: int, b: int) -> None:
        task = self.tasks.get(b)
        who = task.request.id if task is not None and task.request is not None else 0
        self._calls[a] = ThreadCall(a, task, self._callback_name(u), who)
        if task is not None:
            task.queued.add(a)

    def _on_thread_begin(self, t: int, u: int, a: int, b: int) -> None:
        call = self._calls.get(a)
        if call is None:
            call = self._calls[a] = ThreadCall(a, None, "function", 0)
        call.thread = b
        lane = self._thread_lanes.get(b)
        if lane is None:
            lane = self._thread_lanes[b] = self.journal.add_lane(
                LaneKind.THREAD,
                loop=self.number,
                label=f"thread {len(self._thread_lanes) + 1}",
                t=t,
            )
        info = self.journal.intern(call.name)
        self.journal.row(lane, t, State.THREAD, info, call.who)
        task = call.task
        if task is not None:
            task.queued.discard(a)
            task.in_thread.add(a)
            if task.state in (State.WAITING, State.THREAD_QUEUE):
                self._set(task, State.THREAD, t)

    def _on_thread_end(self, t: int, u: int, a: int, b: int) -> None:
        lane = self._thread_lanes.get(b, 0)
        self.journal.row(lane, t, State.IDLE)
        call = self._calls.pop(a, None)
        task = call.task if call is not None else None
        if task is None:
            return
        task.in_thread.discard(a)
        task.queued.discard(a)
        if task.state == State.THREAD and not task.in_thread:
            # The result is there; the loop has not looked at it yet.
            self._set(task, State.DUE, t)

    def _on_process_call(self, t: int, u: int, a: int, b: int) -> None:
        task = self.tasks.get(b)
        if task is not None:
            task.in_process = True

    # ----------------------------------------------------------------- requests

    def _on_trace(self, t: int, u: int, a: int, b: int) -> None:
        self._spans[a] = u & 0xFFFFFFFFFFFFFFFF

    def _on_request(self, t: int, u: int, a: int, b: int) -> None:
        if a in self._open_requests:
            self._on_request_end(t, 0, a, 0)
        task = self.tasks.get(b)
        began = task.born_ns if task is not None and u else t
        request = self.requests.begin(
            began, loop=self.number, span=self._spans.pop(a, None)
        )
        self._open_requests[a] = request
        if task is None:
            return
        if task.request is not None:
            self.requests.leave(task.request, task.state, t)
        elif task.lane:
            # The task's own lane was only a guess: it is this request's.
            self.journal.row(task.lane, task.since_ns, State.GONE)
            task.lane = 0
        task.request = request
        if u:
            task.serves = a
            self.requests.enter(request, State.READY, began, 0)
            self.requests.move(
                request,
                State.READY,
                task.state,
                task.since_ns,
                self._info(task, task.state),
            )
        else:
            self.requests.enter(request, task.state, t, self._info(task, task.state))

    def _on_request_name(self, t: int, u: int, a: int, b: int) -> None:
        request = self._open_requests.get(a)
        if request is None or not b:
            return
        method, route = self._fields(b, 2)
        if (method, route) == (request.method, request.route) and request.named:
            return
        request.named = True
        self.requests.name(request, method, route)
        if self.running_request() == request.id:
            self._running_who = request.id
            self._relabel(request.label)

    def _on_answered(self, t: int, u: int, a: int, b: int) -> None:
        self._on_request_name(t, u, a, b)
        request = self._open_requests.get(a)
        if request is not None and not request.answered_ns:
            self.requests.answer(request, t, u)

    def _on_request_end(self, t: int, u: int, a: int, b: int) -> None:
        request = self._open_requests.pop(a, None)
        if request is not None:
            self.requests.end(request, t)

    def _on_sample(self, t: int, u: int, a: int, b: int) -> None:
        place = self._places.get(a)
        if place is None:
            file, line, function = self._fields(a, 3)
            place = self._places[a] = Place(file, _int(line), function)
        self.stalls.sample(self, u, t, place)
        if self.running_owner and t > self.running_since:
            self._relabel(f"{place.function}\t{place}")

    # -------------------------------------------------------------- loss and end

    def lose(self) -> None:
        """Records were overwritten before we read them: say so, and start afresh.

        Whether a task or request of before still lives is not known: all of them
        end here, unanswered. What lives shows up again, as new and without a name.
        """
        self._pending.clear()
        for task in list(self.tasks.values()):
            self._set(task, State.LOST, self.end_ns)
            self._forget(task, self.end_ns)
        for request in list(self._open_requests.values()):
            self.requests.end(request, self.end_ns)
        self._open_requests.clear()
        self._spans.clear()
        self._calls.clear()
        self._deadlines.clear()
        for lane in (self._lane, *self._thread_lanes.values()):
            self.journal.row(lane, self.end_ns, State.LOST)
        self.stalls.break_off(self)
        self.running_owner = 0
        self.polling = self._begun_early = False

    def finish(self, now_ns: int) -> None:
        """The process is gone, or recording ended: nothing more will come."""
        for task in list(self.tasks.values()):
            self._forget(task, now_ns)
        for request in list(self._open_requests.values()):
            self.requests.end(request, now_ns)
        self._open_requests.clear()
        for lane in (self._lane, *self._thread_lanes.values()):
            self.journal.row(lane, now_ns, State.GONE)
        self.stalls.ended(self, self.running_since, now_ns)
        self.stalls.break_off(self)
        self.running_owner = 0
        self.polling = True

    # --------------------------------------------------------- numbers and names

    def lag_ns(self, now_ns: int) -> int:
        """How late the latest timer of the last second fired, or is by now."""
        lags = self._lags
        while lags and lags[0][0] < now_ns - SECOND_NS:
            lags.popleft()
        late = max((lag for _, lag in lags), default=0)
        for task in self.tasks.values():
            if task.state == State.DUE and task.deadline_ns:
                late = max(late, now_ns - task.deadline_ns)
        return late

    def count(self, *states: int) -> int:
        """How many tasks are in one of these states."""
        return sum(task.state in states for task in self.tasks.values())

    def running_label(self) -> str:
        """Name what runs now, or nothing."""
        if self.running_owner > 0:
            task = self.tasks.get(self.running_owner)
            return task.name if task is not None else ""
        if self.running_owner < 0:
            return self._callback_name(-self.running_owner)
        return ""

    def running_request(self) -> int:
        """The id of the request that runs now, or 0."""
        task = self.tasks.get(self.running_owner)
        if task is not None and task.request is not None:
            return task.request.id
        return 0

    def _text(self, index: int) -> str:
        return self.strings[index] if 0 <= index < len(self.strings) else ""

    def _fields(self, index: int, count: int) -> list[str]:
        fields = self._text(index).split(FIELD_SEPARATOR)
        return (fields + [""] * count)[:count]

    def _name(self, index: int) -> str:
        return self._text(index).partition(FIELD_SEPARATOR)[0] or "task"

    def _callback_name(self, index: int) -> str:
        return self._text(index).partition(FIELD_SEPARATOR)[0] or "callback"

    _HANDLERS = {  # noqa: RUF012 - a table, never written to
        int(Kind.BORN): _on_born,
        int(Kind.ADOPTED): _on_adopted,
        int(Kind.WAKE): _on_wake,
        int(Kind.DUE): _on_due,
        int(Kind.REASON): _on_reason,
        int(Kind.GONE): _on_gone,
        int(Kind.REQUEST): _on_request,
        int(Kind.REQUEST_NAME): _on_request_name,
        int(Kind.REQUEST_TRACE): _on_trace,
        int(Kind.ANSWERED): _on_answered,
        int(Kind.REQUEST_END): _on_request_end,
        int(Kind.THREAD_QUEUED): _on_thread_queued,
        int(Kind.THREAD_BEGIN): _on_thread_begin,
        int(Kind.THREAD_END): _on_thread_end,
        int(Kind.PROCESS_CALL): _on_process_call,
        int(Kind.SAMPLE): _on_sample,
    }


def _int(text: str) -> int:
    return int(text) if text.isdigit() else 0
