"""What one loop and its tasks are doing, from its records alone.

No clock and no I/O: any recording is a unit test. Records arrive in the order of
the ring, where a step stands *behind* what happened during it; this module puts
that right first (begin the step, then what happened inside, then end it), so
that everything below sees events in the order of time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dashboard.records import KIND_MASK, OWNER_NAME_MASK, RECORD, Kind
from dashboard.server.model.drain import Drain
from dashboard.server.model.effort import Effort
from dashboard.server.model.incidents import Incidents
from dashboard.server.model.lanes import State
from dashboard.server.model.loop_lane import LoopLane
from dashboard.server.model.mishaps import Mishaps
from dashboard.server.model.samples import Samples
from dashboard.server.model.served import Served
from dashboard.server.model.starvation import Starvation
from dashboard.server.model.survivors import Survivors
from dashboard.server.model.tallies import Histogram
from dashboard.server.model.tasks import Tasks
from dashboard.server.model.workers import Workers
from dashboard.server.reading.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.server.model.journal import Journal
    from dashboard.server.model.request import Request
    from dashboard.server.model.splits import Requests
    from dashboard.server.model.stalls import Stalls
    from dashboard.server.model.tape import Write
    from dashboard.server.model.task import Task

STEP_FIRST, STEP_LAST = int(Kind.STEP_WAITING), int(Kind.STEP_CANCELLED)
CALL, POLL = int(Kind.CALL), int(Kind.POLL)
WAKE, STEP_READY = int(Kind.WAKE), int(Kind.STEP_READY)
# Plain integers: an enum's member costs a look-up of its own at each use.
IDLE, RUNNING, READY, WAITING = (
    int(state) for state in (State.IDLE, State.RUNNING, State.READY, State.WAITING)
)

#: No stall is this short.
SHORT_NS = 1_000_000
#: A step must have lasted this long before it is shown while it runs.
LIVE_STEP_NS = 15_000_000
SECOND_NS = 1_000_000_000
#: Owner of a callback whose name found no room in the string table.
NAMELESS = -1 << 32


class LoopModel:
    """Follow one loop. Feed records, then tick; read the public attributes."""

    def __init__(
        self,
        number: int,
        *,
        journal: Journal,
        requests: Requests,
        stalls: Stalls,
        incidents: Incidents | None = None,
    ) -> None:
        self.number = number
        self.journal = journal
        self.requests = requests
        self.stalls = stalls
        self.tape: Write | None = None
        """Takes down what comes from elsewhere than the ring."""
        self.names = Names()
        self.lane = LoopLane(number, journal=journal, names=self.names)
        self.tasks = Tasks(number, journal=journal, requests=requests, names=self.names)
        self.workers = Workers(
            number, journal=journal, tasks=self.tasks, names=self.names
        )
        self.served = Served(self)
        self.survivors = Survivors(self)
        self.samples = Samples(self)
        self.mishaps = Mishaps(self, incidents or Incidents())
        self.effort = Effort()
        self.starvation = Starvation()
        self.drain = Drain()
        self.end_ns = 0
        """When the last step or poll that we know of ended."""
        self.polling = True
        self.running_owner = 0
        """Owner of the step in progress, as far as we know, else 0."""
        self.running_since = 0
        self.records = 0
        self.idle_ns = 0
        self.polled_ns = 0
        """When it last came out of a poll, so that it looked at its door."""
        self.shows_polls = False
        """asyncio's loops do. On others the loop's own work between two steps, in which
        it takes in what has arrived, cannot be told from idleness."""
        self._pending: list[tuple[int, int, int, int, int]] = []
        self._due_deadline = 0
        self._has_woken = False
        self.lateness = Histogram()
        """Of all timers that have fired: how long after they were due."""
        self._lags: deque[tuple[int, int]] = deque()
        self._begun_early = False
        self._polls_silently = False
        """The poll under way was seen in the header, and may never have a record."""
        self._running_label = 0
        self._call_request: Request | None = None
        self._adopted: Task | None = None
        self._handlers: dict[int, Callable[[int, int, int, int], None]] = {
            Kind.BORN: self.tasks.born,
            Kind.SPAWNED: self.tasks.spawned,
            Kind.NAMED: self.tasks.named,
            Kind.ADOPTED: self._on_adopted,
            Kind.WAKE: self._on_wake,
            Kind.DUE: self._on_due,
            Kind.DETAIL: self.tasks.explanations.detail,
            Kind.REASON: self.tasks.reasoned,
            Kind.GONE: self.tasks.gone,
            Kind.REQUEST: self.served.begun,
            Kind.REQUEST_NAME: self.served.named,
            Kind.REQUEST_TRACE: self.served.traced,
            Kind.RESPONSE: self.served.streamed,
            Kind.ANSWERED: self.served.answered,
            Kind.REQUEST_END: self.served.ended,
            Kind.PHASE: self.served.phased,
            Kind.THREAD_QUEUED: self.workers.queued,
            Kind.THREAD_BEGIN: self.workers.begun,
            Kind.THREAD_END: self.workers.ended,
            Kind.THREAD_DROPPED: self.workers.dropped,
            Kind.PROCESS_CALL: self.workers.process_asked,
            Kind.PROCESS_END: self.workers.process_ended,
            Kind.FRAME: self.samples.frame,
            Kind.SAMPLE: self.samples.sample,
            Kind.EAGER: self.tasks.ran_eagerly,
            Kind.MARK: self.mishaps.marked,
            Kind.PAUSE: self.mishaps.paused,
            Kind.EXCEPTION: self.mishaps.excepted,
            Kind.LIVES: self.survivors.lives,
            Kind.LIVES_ALL: self.survivors.all_told,
        }

    def __repr__(self) -> str:
        return f"<LoopModel {self.number}, {len(self.tasks.by_no)} tasks>"

    def open_lane(self, label: str, t: int) -> None:
        """Begin the loop's own lane."""
        self.lane.open(label, t)
        self.end_ns = t

    @property
    def unplayed(self) -> int:
        """How many records wait for the step in which they happened."""
        return len(self._pending)

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
                    if (
                        kind == STEP_READY
                        and len(pending) == 1
                        and pending[0][0] == WAKE
                        and pending[0][3] == a
                    ):
                        # It handed itself back, which its end says as well.
                        pending.clear()
                    else:
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
        if owner < 0:
            # Who made the callback run is the wakes' affair.
            owner = -(-owner & OWNER_NAME_MASK) or NAMELESS
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
                self._polls_silently = not self.shows_polls
                self._begin_poll(self.end_ns)
                self._play()
        self.tasks.find_due(now_ns)
        self.workers.tick(now_ns)
        self.stalls.watch(self, now_ns)

    def _play(self) -> None:
        for kind, t, u, a, b in self._pending:
            handle = self._handlers.get(kind)
            if handle is not None:
                handle(t, u, a, b)
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
        if t > self.end_ns and (not self.polling or self._polls_silently):
            # uvloop does not show its polls: what no step fills was one.
            if not self.polling:
                self.lane.enter(State.IDLE, self.end_ns)
            self.idle_ns += t - self.end_ns
        self.polling = self._polls_silently = False
        if self._adopted is not None:
            self._suspend_adopted(t)
        self.running_owner = owner
        self.running_since = t
        who = 0
        if owner > 0:
            task = self.tasks.find(owner, t)
            info, kin, request = task.shown, task.kin, task.request
            self.tasks.run(task, t)
            if request is not None:
                who = request.id
                # The server's own task serves it: its name would be uvicorn's.
                if request.named:
                    info = kin = request.shown
        else:
            info = kin = self.lane.callback(-owner)
            request = self._call_request = self.tasks.serving.get(request_no)
            if request is not None:
                who = request.id
                self.requests.enter(request, State.RUNNING, t, 0)
        self._running_label = kin
        self.lane.run(t, info, who)

    def relabel(self, text: str, who: int = 0) -> None:
        """Say better what the step in progress is, and whose, now that we know."""
        self.lane.who = who or self.lane.who
        if self.running_owner:
            self.lane.run_text(self.running_since, text)

    def _end_step(self, kind: int, t: int, u: int, no: int) -> None:
        if u - self.running_since > SHORT_NS:
            # First: a stall is named after its task, which may be done.
            self.stalls.ended(self, self.running_since, u)
        self.effort.add(self._running_label, u - t, is_spin=kind == STEP_READY)
        task = self.tasks.by_no.get(no)
        if task is None:
            # Destroyed meanwhile, or so its records say.
            pass
        elif kind == STEP_READY:
            self.tasks.set(task, READY, u, 0)
        elif kind == STEP_FIRST:
            if task.state == WAITING:
                # It cannot have: what its records left out is put right.
                self.tasks.run(task, t)
            self.tasks.suspend(task, u)
        else:
            if kind == STEP_LAST:
                self.mishaps.cancelled(task, u)
            self.tasks.forget(task, u)
        self.end_ns = u
        self.running_owner = 0
        self._begun_early = False

    def _end_call(self, t: int, u: int) -> None:
        if u - self.running_since > SHORT_NS:
            self.stalls.ended(self, self.running_since, u)
        self.effort.add(self._running_label, u - t, is_spin=False)
        if self._call_request is not None:
            self.requests.leave(self._call_request, State.RUNNING, u)
            self._call_request = None
        if self._due_deadline and not self._has_woken:
            self.stalls.called_late(self, self.running_name(), self._due_deadline, t)
        self._due_deadline = 0
        self._has_woken = False
        self.end_ns = u
        self.running_owner = 0
        self._begun_early = False

    def _begin_poll(self, t: int) -> None:
        if not self.polling:
            self.lane.enter(State.IDLE, t)
            self.polling = True
            if self.running_owner:
                self.stalls.ended(self, self.running_since, t)
            self.running_owner = 0
        self._suspend_adopted(t)

    def _suspend_adopted(self, t: int) -> None:
        """End the step in which recording began: its own end has no record."""
        task, self._adopted = self._adopted, None
        if task is None or self.tasks.by_no.get(task.no) is not task:
            return
        if task.state == State.RUNNING:
            self.tasks.suspend(task, t)

    def _end_poll(self, t: int, u: int) -> None:
        self.idle_ns += u - t
        self.shows_polls = True
        self._polls_silently = False
        self.polled_ns = self.end_ns = u

    # -------------------------------------------------------------------- tasks

    def _on_adopted(self, t: int, u: int, a: int, b: int) -> None:
        state = (State.WAITING, State.READY, State.RUNNING)[u if 0 <= u < 3 else 0]
        known = self.tasks.by_no.get(a)
        if known is not None:
            # The recorder looked again after a round that it did not see.
            if known is self._adopted:
                self._adopted = None
            self.tasks.set(known, state, t)
            return
        task = self.tasks.meet(a, b, state, t)
        self.tasks.add(task, t)
        self.tasks.draw(task)
        if state == State.RUNNING:
            self._adopted = task

    def _on_wake(self, t: int, u: int, a: int, b: int) -> None:
        task = self.tasks.find(a, t)
        if task.state != State.RUNNING:
            if self._due_deadline:
                self._has_woken = True
                if task.state == State.WAITING:
                    self.stalls.woken_late(self, task, self._due_deadline, t)
            if u < 0:
                self.mishaps.woken(task, t, u)
            task.woken_by, task.woken_ns = u, t
            self.tasks.wake(task, t, self._due_deadline, u)
        # Else it hands itself back to the loop; the step's end says so.

    def _on_due(self, t: int, u: int, a: int, b: int) -> None:
        self._due_deadline = u
        self._lags.append((t, t - u))
        self.lateness.add(t - u)

    # ------------------------------------------------------------------- stalls

    def stand_still(self, since_ns: int) -> None:
        """The process has been stopped (SIGSTOP, a debugger): nothing runs or idles."""
        self.lane.enter(State.LOST, since_ns, "frozen")

    def go_on(self, since_ns: int, now_ns: int) -> None:
        """It has been continued, after standing still from `since_ns` to `now_ns`."""
        self.stalls.stopped(self, since_ns, now_ns)
        if self.running_owner:
            self.lane.run_text(now_ns, self.running_label())
        else:
            self.lane.enter(State.IDLE, now_ns)

    # -------------------------------------------------------------- loss and end

    def lose(self) -> None:
        """Records were overwritten before we read them: say so, and doubt everything.

        Whether a task or request of before still lives is not known until it is
        heard of again, or a roll call tells.
        """
        # Since the last step ended: what we have of it did happen.
        t = max((event[1] for event in self._pending), default=0)
        t = max(t, self.end_ns)
        self._play()
        self.served.lose()
        self.workers.lose(t)
        self.survivors.doubt_all(t)
        self.lane.enter(State.LOST, t)
        self.stalls.break_off(self)
        self.drain = Drain()
        self.end_ns = t
        self.running_owner = 0
        self._call_request = self._adopted = None
        self.polling = self._begun_early = False

    def finish(self, now_ns: int, *, is_cut: bool = False) -> None:
        """The process is gone, or recording ended: nothing more will come.

        `is_cut`: it was gone before it could say so, maybe in the middle of a step.
        """
        # In the step that it ended in.
        self._play()
        self.tasks.end_all(now_ns)
        self.lane.enter(State.GONE, now_ns)
        self.workers.finish(now_ns)
        if is_cut:
            self.stalls.cut_off(self, now_ns)
        else:
            self.stalls.ended(self, self.running_since, now_ns)
            self.stalls.break_off(self)
        self.running_owner = 0
        self.polling = True

    # --------------------------------------------------------- numbers and names

    def late_ns(self, now_ns: int) -> int:
        """How late the latest timer of the last second fired, or is by now.

        While a step is under way none can: the second is the one before it.
        """
        lags = self._lags
        until_ns = self.running_since if self.running_owner else now_ns
        while lags and lags[0][0] < min(until_ns, now_ns) - SECOND_NS:
            lags.popleft()
        late = max((lag for _, lag in lags), default=0)
        return max(late, self.tasks.worst_due_ns(now_ns))

    def lag_ns(self, now_ns: int) -> int:
        """As `late_ns`, or how late one would be that the step under way keeps."""
        held_ns = now_ns - self.running_since if self.running_owner else 0
        return max(held_ns, self.late_ns(now_ns))

    def running_name(self) -> str:
        """Name the task or callback that runs now, or nobody."""
        if self.running_owner > 0:
            task = self.tasks.by_no.get(self.running_owner)
            return task.name if task is not None else ""
        if self.running_owner < 0:
            return self.names.callback(-self.running_owner)
        return ""

    def is_starting(self) -> bool:
        """Say whether what runs is the first step of a server's own task: in it the
        app is imported, and started. Only once it is over has the task a lane."""
        task = self.tasks.by_no.get(self.running_owner)
        return task is not None and task.is_clockwork and not task.lane

    def running_label(self) -> str:
        """Say what runs now: a request by its route, else a task or callback."""
        request = self.serving()
        return request.label if request is not None else self.running_name()

    def serving(self) -> Request | None:
        """The request that runs now, if it is one."""
        task = self.tasks.by_no.get(self.running_owner)
        return task.request if task is not None else self._call_request

    def running_request(self) -> int:
        """The id of the request that runs now, or 0."""
        request = self.serving()
        return request.id if request is not None else 0
