"""The living tasks of one loop: what each of them does, and why it waits.

Events come in the order of time, which `loop_model.py` sees to. No clock and no
I/O: times come with the calls.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from dashboard.records import Door
from dashboard.server.model.explanations import Explanations
from dashboard.server.model.lanes import LaneKind, State
from dashboard.server.model.request import KEEP_WAITS
from dashboard.server.model.task import AWAY, CLOCKWORK, IN_LINE, Task, waiting_state
from dashboard.server.model.waits import PROCESSES, base_of, is_off_loop

if TYPE_CHECKING:
    from dashboard.server.model.journal import Journal
    from dashboard.server.model.request import Request
    from dashboard.server.model.splits import Requests
    from dashboard.server.model.task import Call
    from dashboard.server.reading.names import Names

# Plain integers: an enum's member costs a look-up of its own at each use.
RUNNING, READY, DUE, WAITING = (
    int(state) for state in (State.RUNNING, State.READY, State.DUE, State.WAITING)
)
#: A timer may be this late before we say, while nothing happens, that it is due.
LIVE_DUE_NS = 5_000_000


class Tasks:
    """Follow the tasks of one loop."""

    def __init__(
        self, loop: int, *, journal: Journal, requests: Requests, names: Names
    ) -> None:
        self.reasons = 0
        """How often recording has looked at what a task awaits."""
        self.by_no: dict[int, Task] = {}
        self.waits: dict[str, int] = {}
        """How many wait for what."""
        self.serving: dict[int, Request] = {}
        """Requests that the loop is serving, by the recorder's number."""
        self._loop = loop
        self._journal = journal
        self._requests = requests
        self._names = names
        self._deadlines: list[tuple[int, int]] = []
        self.explanations = Explanations(self.by_no, journal=journal, names=names)
        self._teams: dict[int, dict[int, Task]] = {}
        """The living tasks of each request, by the request's id."""

    def __repr__(self) -> str:
        return f"<Tasks of loop {self._loop}, {len(self.by_no)} living>"

    def find(self, no: int, t: int) -> Task:
        """Return a task, made up for if its birth was a record we never saw."""
        task = self.by_no.get(no)
        if task is None:
            task = Task(no, "task", t, State.WAITING, t, is_known=False)
            task.coroutine = task.name
            self.add(task, t)
        return task

    def meet(self, no: int, told: int, state: int, t: int) -> Task:
        """Return a task that is new to us, `told` being the ring's string of its name."""
        task = Task(no, "", t, state, t)
        self._name(task, told)
        return task

    def _name(self, task: Task, told: int) -> None:
        name = self._names.task(told)
        package = CLOCKWORK.get(name)
        task.name = task.given or name
        task.coroutine, task.told, task.is_known = name, told, True
        if package is not None:
            _, file = self._names.fields(told, 2)
            # Recordings of release 0.1.0 do not always tell the file.
            task.is_clockwork = not file or package in file

    def add(self, task: Task, t: int) -> None:
        """A task is there, in the state that it says."""
        if task.no in self.by_no:
            # Its number was heard before its birth: begin again with what is known.
            self.forget(self.by_no[task.no], t)
        self.by_no[task.no] = task
        task.shown = self._journal.intern(task.name)
        task.kin = self._journal.intern(task.coroutine)
        if task.state == State.WAITING:
            self._count_wait(task.reason, 1)
        if task.request is not None:
            task.request.tasks += 1
            self._requests.enter(task.request, task.state, t, 0)
            self.join(task, task.request)

    def join(self, task: Task, request: Request) -> None:
        """A task works for a request. Of several each has a lane of its own, too."""
        task.request = request
        team = self._teams.setdefault(request.id, {})
        team[task.no] = task
        if len(team) > 1 and request.lane:
            for member in team.values() if len(team) == 2 else (task,):
                if not member.lane:
                    self.draw(member)

    def quit(self, task: Task, t: int) -> None:
        """A task works for its request no more."""
        request, task.request = task.request, None
        if request is None:
            return
        self._requests.leave(request, task.state, t)
        team = self._teams.get(request.id, {})
        team.pop(task.no, None)
        if not team:
            self._teams.pop(request.id, None)

    def run(self, task: Task, t: int) -> None:
        """A task's step begins."""
        old = task.state
        if old == WAITING:
            self._count_wait(task.reason, -1)
        task.state = RUNNING
        task.since_ns = t
        if task.request is not None:
            self._requests.move(task.request, old, RUNNING, t, 0)
            if task.lane:
                self._journal.row(task.lane, t, RUNNING)
        else:
            self._journal.row(task.lane, t, RUNNING, task.shown)

    def set(self, task: Task, state: int, t: int, info: int = -1, who: int = 0) -> None:
        """A task enters a state; `who` is the lane of whom it was woken or is held by."""
        old = task.state
        if info < 0:
            info = self.info(task, state)
        if old == WAITING:
            self._count_wait(task.reason, -1)
        if state == WAITING:
            self._count_wait(task.reason, 1)
        request = task.request
        if request is None and not task.lane and state != RUNNING:
            self.draw(task)
        task.state = state
        task.since_ns = t
        if request is not None:
            self._requests.move(request, old, state, t, info, who)
        if task.lane:
            if task.is_clockwork and state in IN_LINE:
                if old == WAITING or old in IN_LINE:
                    # Its wait goes on, for all that anybody cares.
                    return
                state, info, who = WAITING, 0, 0
            self._journal.row(task.lane, t, state, info, who)

    def ran_eagerly(self, t: int, u: int, a: int, b: int) -> None:
        """A task had its first step inside that of its creator."""
        task = self.find(a, t)
        self.run(task, t)
        if b:
            self.forget(task, u)
        else:
            self.suspend(task, u)

    def suspend(self, task: Task, t: int) -> None:
        """A task's step ended and it waits, for nothing that we know of yet."""
        task.reason = task.where = task.detail = ""
        task.holder = 0
        task.deadline_ns = 0
        if task.calls:
            self.set(task, waiting_state(task), t)
        else:
            self.set(task, WAITING, t, 0)

    def draw(self, task: Task) -> None:
        """Give a task its lane.

        One of no request has it from its birth on, but only once its first step is
        over: until then it may turn out to be a request's, as the server's tasks
        do, or to be done. A request's task has it from what it does now on.
        """
        request = task.request
        began = task.born_ns if request is None else task.since_ns
        task.lane = self._journal.add_lane(
            LaneKind.TASK,
            loop=self._loop,
            label=task.label,
            t=began,
            request=request.id if request is not None else 0,
            spawn=task.made_at,
        )
        if task.since_ns > began:
            state, (info, who) = READY, self.explanations.waker(task.made_by, "")
            if task.is_clockwork:
                state, info, who = WAITING, 0, 0
            self._journal.row(task.lane, began, state, info, who)
        state = task.counts_as
        self._journal.row(task.lane, task.since_ns, state, self.info(task, state))

    def rename(self, task: Task, told: int) -> None:
        """The name of a task is told at last."""
        self._name(task, told)
        self._show(task)

    def named(self, t: int, u: int, a: int, b: int) -> None:
        """It is told which name the program gave a task."""
        task = self.by_no.get(a)
        name = self._names.text(b)
        if task is not None and name:
            task.name = name
            self._show(task)

    def _show(self, task: Task) -> None:
        task.shown = self._journal.intern(task.name)
        task.kin = self._journal.intern(task.coroutine)
        self._journal.rename_lane(task.lane, task.label, self._loop)

    def forget(self, task: Task, t: int, *, is_lost: bool = False) -> None:
        """A task is no more; `is_lost`: and nobody knows how it ended."""
        del self.by_no[task.no]
        if task.state == State.WAITING:
            self._count_wait(task.reason, -1)
        for call in task.calls:
            call.task = None
        self._journal.row(task.lane, t, State.GONE)
        if task.request is not None:
            self.quit(task, t)
            if task.serves:
                self.end_request(task.serves, t, is_lost=is_lost)

    def end_request(self, number: int, t: int, *, is_lost: bool = False) -> None:
        """A request has left the app; `is_lost`: what came of it is unknown."""
        request = self.serving.pop(number, None)
        if request is not None:
            request.is_lost = is_lost and not request.answered_ns
            self._requests.end(request, t)

    def end_all(self, t: int) -> None:
        """Nothing more is known of any task or request: all of them end."""
        for task in list(self.by_no.values()):
            self.forget(task, t)
        for number in list(self.serving):
            self.end_request(number, t)
        self._deadlines.clear()

    def hand_over(self, call: Call) -> None:
        """The task of a call has asked for it."""
        if call.task is not None:
            call.task.calls = (*call.task.calls, call)
            call.task.went = call.state

    def follow(self, call: Call, t: int) -> None:
        """The state of a call has changed, and so may that of who waits for it."""
        task = call.task
        if task is not None and task.state in AWAY and call.is_awaited:
            state = waiting_state(task)
            if state != task.state:
                self.set(task, state, t)

    def release(self, call: Call, t: int, *, is_over: bool = False) -> None:
        """A call is its task's no more: `is_over`, or nobody waits for it."""
        task, call.task = call.task, None
        if task is None:
            return
        task.calls = tuple(other for other in task.calls if other is not call)
        if task.state not in AWAY or not call.is_awaited:
            return
        state = waiting_state(task)
        if is_over and state == State.WAITING != task.state:
            # The result is there; the loop has not looked at it yet.
            state = State.DUE
        if state != task.state:
            self.set(task, state, t)

    def wake(self, task: Task, t: int, due_ns: int, owner: int) -> None:
        """`owner` hands a task to the loop: late, if it is a timer due at `due_ns`."""
        waited_since_ns = task.since_ns
        if due_ns and task.state == State.WAITING:
            due = max(due_ns, task.since_ns)
            if due < t:
                self.set(task, State.DUE, due)
        for call in task.calls:
            # It goes on before the result is there: cancelled, or it waited for
            # something else. Of anyio's calls we are told which.
            if call.state == State.PROCESS or call.door == Door.EXECUTOR:
                call.is_awaited = False
        if task.reason and task.serves and task.request is not None:
            waits = task.request.waits
            if len(waits) < KEEP_WAITS:
                waits.append((task.reason, task.where, t - waited_since_ns))
        task.went = State.WAITING
        info, who = self.explanations.waker(owner, task.reason)
        self.set(task, READY, t, info, who)

    def born(self, t: int, u: int, a: int, b: int) -> None:
        """A task was made, maybe for a request."""
        task = self.meet(a, b, READY, t)
        task.request = self.serving.get(u >> 32)
        owner = u & 0xFFFFFFFF
        task.made_by = owner if owner < 1 << 31 else 0
        self.add(task, t)

    def spawned(self, t: int, u: int, a: int, b: int) -> None:
        """It is told which line made a task."""
        task = self.by_no.get(a)
        if task is not None:
            task.made_at = str(self._names.place(b))
            self._journal.spawn_lane(task.lane, task.made_at)

    def gone(self, t: int, u: int, a: int, b: int) -> None:
        """A task was destroyed while it was pending."""
        task = self.by_no.get(a)
        if task is not None:
            self.forget(task, t)

    def reasoned(self, t: int, u: int, a: int, b: int) -> None:
        """The reason of a task's wait is known."""
        self.reasons += 1
        task = self.by_no.get(a)
        if task is not None and task.state not in (RUNNING, READY):
            self.explain(task, t, u, b)

    def explain(self, task: Task, t: int, u: int, string: int) -> None:
        """Say what a task waits for, and since when it is due (`u`, or 0)."""
        what, where = self._names.reason(string)
        if task.went != State.WAITING and base_of(what) in ("executor", "Future"):
            is_process = task.went == State.PROCESS
            what = "process pool" if is_process else "worker thread"
        if task.state == State.WAITING:
            self._count_wait(task.reason, -1)
            self._count_wait(what, 1)
        task.reason = what
        task.where = where
        who = self.explanations.take_details(task)
        task.holder_told_ns = t
        for call in task.calls:
            # Else it did ask for a thread, but this is something else it waits for.
            call.is_awaited = is_off_loop(what)
        state = task.state if task.state == State.DUE else waiting_state(task)
        if what in PROCESSES and state == State.WAITING:
            state = State.PROCESS
        if u and state == State.WAITING:
            task.deadline_ns = u
            self._journal.deadline(
                task.lane if task.request is None else task.request.lane, u
            )
            heapq.heappush(self._deadlines, (u, task.no))
        since = task.since_ns
        # What was counted already stays counted.
        counted = 0 if task.request is None else task.request.since_ns
        is_same = state == task.state or counted <= since
        self.set(task, state, since if is_same else t, who=who)
        task.since_ns = since

    def find_due(self, now_ns: int) -> None:
        """Timers that have passed their deadline while the loop did not look."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] < now_ns - LIVE_DUE_NS:
            deadline, no = heapq.heappop(deadlines)
            task = self.by_no.get(no)
            if (
                task is not None
                and task.deadline_ns == deadline
                and task.state == State.WAITING
            ):
                self.set(task, State.DUE, max(deadline, task.since_ns))

    def count(self, *states: int) -> int:
        """How many tasks are in one of these states, a server's clockwork waiting."""
        return sum(task.counts_as in states for task in self.by_no.values())

    def worst_due_ns(self, now_ns: int) -> int:
        """How late the latest timer is that the loop has not looked at yet."""
        return max(
            (
                now_ns - task.deadline_ns
                for task in self.by_no.values()
                if task.state == State.DUE and task.deadline_ns
            ),
            default=0,
        )

    def info(self, task: Task, state: int) -> int:
        """Return the string that says more about a task's state."""
        if state == RUNNING:
            return task.shown if task.request is None else 0
        if task.reason and state in (WAITING, DUE):
            return self._journal.intern(self.explanations.told(task))
        for call in task.calls:
            if call.state == state:
                return self._journal.intern(call.label)
        # A child process is no call of a pool.
        is_child = state == State.PROCESS and task.reason
        return self._journal.intern(self.explanations.told(task)) if is_child else 0

    def _count_wait(self, reason: str, change: int) -> None:
        name = reason or "…"
        left = self.waits.get(name, 0) + change
        if left > 0:
            self.waits[name] = left
        else:
            self.waits.pop(name, None)
