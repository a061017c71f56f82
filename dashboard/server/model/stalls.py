"""Find the steps that lasted too long, who was to blame, and who had to wait.

No sampling error: every step's length is measured. Samples of the stack only say
*where* it was. No clock and no I/O.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.server.model import victims as held
from dashboard.server.model.stall import KEEP_LINES, Sample, Stall
from dashboard.server.model.tallies import Histogram

if TYPE_CHECKING:
    from dashboard.server.model.loop_model import LoopModel
    from dashboard.server.model.request import Request
    from dashboard.server.model.splits import Requests
    from dashboard.server.model.task import Task

STALL_NS = 100_000_000
#: Below this two steps in a row cannot be told apart while they run, and the watchdog
#: takes no sample.
MIN_STALL_NS = 20_000_000
MAX_STALL_NS = 60_000_000_000
#: A loop that has polled for less has not looked at its door meanwhile.
LOOK_NS = 2_000_000
#: Where polls are not shown, this much between steps may be the work of taking some in:
#: who has been let in is read one round later, and may lie there through a step more.
TAKING_IN_NS = 20_000_000
#: Stalls that stay available to `/api/state` and new viewers.
KEEP = 100
#: Stops of one process that a step may have lasted through.
KEEP_STOPS = 16
#: A sample names its step by its beginning. While the step runs, the reader may
#: know that beginning only to within the loop's own work after a poll.
SAME_STEP_NS = 20_000_000


class Queue(NamedTuple):
    """The last look at a loop's door."""

    t: int
    length: int
    idle_ns: int
    """How long the loop had polled until then, in all."""


class Stalls:
    """The stalls of a session, over all its loops."""

    def __init__(self, requests: Requests, *, threshold_ns: int = STALL_NS) -> None:
        self.threshold_ns = threshold_ns
        self.kept: deque[Stall] = deque(maxlen=KEEP)
        self.changed: dict[int, Stall] = {}
        """New or changed since the stream last asked, by id."""
        self.lengths: defaultdict[int, Histogram] = defaultdict(Histogram)
        """Of all that are over, by loop."""
        self._requests = requests
        self._next_id = 1
        self._last: dict[int, Stall] = {}
        self._early: dict[int, tuple[int, list[Sample]]] = {}
        """Samples of steps that are no stalls yet, by loop: their beginning, and they."""
        self._doors: dict[int, held.Door] = {}
        self._queues: dict[int, Queue] = {}
        self._stops: dict[int, deque[tuple[int, int]]] = {}
        self._pauses: dict[int, tuple[int, int]] = {}
        """Of the last step that had any: when it began, and how long they took."""

    def __repr__(self) -> str:
        return f"<Stalls {len(self.kept)} kept>"

    def take(self) -> list[Stall]:
        """Return what is new or changed since the last call."""
        changed, self.changed = self.changed, {}
        return list(changed.values())

    def find(self, number: int) -> Stall | None:
        """Return a stall by its id, if it is kept."""
        return next((stall for stall in self.kept if stall.id == number), None)

    def current(self, loop: LoopModel) -> Stall | None:
        """Return the stall that is under way in a loop."""
        stall = self._last.get(loop.number)
        return stall if stall is not None and stall.is_on else None

    def unended(self, loop: LoopModel) -> Stall | None:
        """Return the stall that is under way, or in which the loop's process was gone."""
        stall = self._last.get(loop.number)
        return stall if stall is not None and not stall.over else None

    # ------------------------------------------------------------------ lengths

    def watch(self, loop: LoopModel, now_ns: int) -> None:
        """Open or extend the stall of a step that is still running."""
        since_ns = loop.running_since
        if loop.running_owner and self._is_long(loop, since_ns, now_ns):
            self._note(loop, since_ns, now_ns)

    def ended(self, loop: LoopModel, since_ns: int, end_ns: int) -> None:
        """A step ended: close its stall, or note one that nobody saw growing."""
        if loop.running_owner:
            stall = self.current(loop)
            is_open = stall is not None and self._is_same(stall, since_ns)
            # Once told it stays one, though the threshold was raised meanwhile.
            if is_open or self._is_long(loop, since_ns, end_ns):
                stall = self._note(loop, since_ns, end_ns)
                self._close(stall)
                loop.drain.open(loop, stall)
        self._doors.pop(loop.number, None)

    def break_off(self, loop: LoopModel) -> None:
        """Nothing more will be told of the step in progress: what we know is all."""
        stall = self.current(loop)
        if stall is not None:
            self._close(stall)
            self.changed[stall.id] = stall

    def forget(self, loop: int) -> None:
        """A loop that has ended is listed no more; its stalls are kept like others."""
        by_loop: tuple[dict[int, Any], ...] = (
            *(self.lengths, self._last, self._early),
            *(self._doors, self._queues, self._stops, self._pauses),
        )
        for each in by_loop:
            each.pop(loop, None)

    def cut_off(self, loop: LoopModel, now_ns: int) -> None:
        """The process is gone, and what it did last was known until then."""
        self.watch(loop, now_ns)
        stall = self.current(loop)
        if stall is not None:
            stall.unfinished = True
            self.lengths[stall.loop].add(stall.duration_ns)
            self.changed[stall.id] = stall

    def _close(self, stall: Stall) -> None:
        stall.over = True
        self.lengths[stall.loop].add(stall.duration_ns)

    def stopped(self, loop: LoopModel, since_ns: int, until_ns: int) -> None:
        """The whole process stood still meanwhile: that is no step's fault."""
        stops = self._stops.setdefault(loop.number, deque(maxlen=KEEP_STOPS))
        stops.append((since_ns, until_ns))

    def paused(self, loop: LoopModel, since_ns: int, until_ns: int) -> None:
        """The garbage collector had the interpreter meanwhile."""
        step_ns = loop.running_since
        if loop.running_owner and until_ns > step_ns:
            began_ns, before_ns = self._pauses.get(loop.number, (step_ns, 0))
            took_ns = until_ns - max(since_ns, step_ns)
            if began_ns == step_ns:
                took_ns += before_ns
            self._pauses[loop.number] = step_ns, took_ns

    def _lasted(self, loop: LoopModel, since_ns: int, end_ns: int) -> int:
        """How long a step lasted, without the time in which its process stood still."""
        stood = sum(
            max(0, min(until, end_ns) - max(since, since_ns))
            for since, until in self._stops.get(loop.number, ())
        )
        return end_ns - since_ns - stood

    def _is_long(self, loop: LoopModel, since_ns: int, end_ns: int) -> bool:
        # The cheap question first: this is asked at the end of every step.
        if end_ns - since_ns < self.threshold_ns:
            return False
        return self._lasted(loop, since_ns, end_ns) >= self.threshold_ns

    @staticmethod
    def _is_near(one_ns: int, other_ns: int) -> bool:
        return abs(one_ns - other_ns) <= SAME_STEP_NS

    def _is_same(self, stall: Stall, since_ns: int) -> bool:
        return self._is_near(stall.start_ns, since_ns)

    def _note(self, loop: LoopModel, since_ns: int, end_ns: int) -> Stall:
        stall = self._last.get(loop.number)
        if stall is None or not stall.is_on or not self._is_same(stall, since_ns):
            name, blamed = loop.running_name(), loop.serving()
            stall = Stall(self._next_id, loop.number, since_ns, 0, name, blamed)
            stall.threshold_ns = self.threshold_ns
            stall.start_up = loop.is_starting()
            self._next_id += 1
            self._last[loop.number] = stall
            self.kept.append(stall)
            step_ns, samples = self._early.pop(loop.number, (0, []))
            if self._is_same(stall, step_ns):
                for sample in samples:
                    stall.see(sample)
            stall.victims.door = self._doors.get(loop.number)
        elif stall.blamed is None:
            # What it serves is known only once its own records are there.
            stall.blamed = loop.serving()
            stall.victims.known.pop(held.Key(held.REQUEST, stall.request), None)
        stall.end_ns = end_ns
        stall.duration_ns = self._lasted(loop, stall.start_ns, end_ns)
        starved_ns = loop.starvation.within(stall.start_ns, end_ns)
        stall.starved_ns = min(starved_ns, stall.duration_ns)
        paused_step_ns, paused_ns = self._pauses.get(loop.number, (0, 0))
        if paused_step_ns == since_ns:
            stall.paused_ns = paused_ns
        held.count_held(
            stall.victims,
            loop,
            self._requests,
            blamed=stall.request,
            start_ns=stall.start_ns,
            end_ns=end_ns,
        )
        self.changed[stall.id] = stall
        return stall

    # ------------------------------------------------------------------ culprits

    def sample(self, loop: LoopModel, step_ns: int, sample: Sample) -> None:
        """The step that began at `step_ns` was seen at a line."""
        stall = self._last.get(loop.number)
        if stall is None or not self._is_same(stall, step_ns):
            began_ns, samples = self._early.get(loop.number, (0, []))
            if began_ns != step_ns:
                self._early[loop.number] = (step_ns, samples := [])
            # It becomes a stall when its length says so.
            samples.append(sample)
            del samples[:-KEEP_LINES]
            return
        stall.see(sample)
        self.changed[stall.id] = stall

    def renamed(self, request: Request) -> None:
        """A request has got its name: who it blocked is told anew."""
        for stall in self._last.values():
            if stall.blamed is request:
                self.changed[stall.id] = stall

    # ------------------------------------------------------------------- victims

    def arrived(self, loop: LoopModel, t: int, count: int) -> None:
        """So many requests lie in the kernel's queues while a step runs."""
        if not loop.running_owner or loop.running_since >= t:
            return
        count = held.unannounced(loop, self._requests, count)
        before = self._queues.get(loop.number)
        idle_ns = loop.idle_ns - before.idle_ns if before is not None else t
        if before is not None and idle_ns < LOOK_NS:
            # The loop has not looked since: who lay there then may lie there still,
            # through one step after the other.
            stretch = held.Stretch(before.t, before.length, t, count)
        elif before is not None and idle_ns < TAKING_IN_NS and not loop.shows_polls:
            left = min(before.length, count)
            stretch = held.Stretch(loop.running_since, left, t, count)
        else:
            stretch = held.Stretch(loop.running_since, 0, t, count)
        self._queues[loop.number] = Queue(t, count, loop.idle_ns)
        if stretch.end_ns <= stretch.began_ns:
            return
        self._door_of(loop).add(stretch)
        for stall in reversed(self.kept):
            if stall.loop == loop.number and not stall.is_on:
                if stall.end_ns <= stretch.began_ns:
                    break
                victims = stall.victims
                if victims.door is None:
                    victims.door = held.Door(stall.start_ns)
                victims.door.end_ns = stall.end_ns
                victims.door.add(stretch)
                self.changed[stall.id] = stall

    def _door_of(self, loop: LoopModel) -> held.Door:
        """Return the door of the step in progress, which may become a stall's."""
        door = self._doors.get(loop.number)
        if door is None or not self._is_near(door.began_ns, loop.running_since):
            door = self._doors[loop.number] = held.Door(loop.running_since)
            stall = self.current(loop)
            if stall is not None:
                stall.victims.door = door
        return door

    def at_door(self, loop: LoopModel) -> int:
        """How many lie there now that nobody told of, as far as a long step lets see."""
        door = self._doors.get(loop.number)
        return round(door.last) if door is not None and loop.running_owner else 0

    def delayed(
        self,
        loop: LoopModel,
        key: held.Key,
        victim: held.Victim,
        since_ns: int,
        until_ns: int,
    ) -> None:
        """Somebody turns out to have waited from then to then, for stalls as well."""
        last = self._last.get(loop.number)
        if last is None or last.end_ns <= since_ns:
            return
        for stall in reversed(self.kept):
            if stall.loop != loop.number:
                continue
            if stall.end_ns <= since_ns:
                break
            delay_ns = min(until_ns, stall.end_ns) - max(since_ns, stall.start_ns)
            if delay_ns > 0 and (
                key.kind != held.REQUEST or key.number != stall.request
            ):
                one = held.Victim(victim.name, delay_ns, victim.lane, victim.request)
                stall.victims.hold(key, one)
                self.changed[stall.id] = stall

    def woken_late(self, loop: LoopModel, task: Task, due_ns: int, t: int) -> None:
        """A timer that was due at `due_ns` woke a task at `t` only."""
        since_ns = max(due_ns, task.since_ns)
        request = task.request
        if request is not None:
            key = held.Key(held.REQUEST, request.id)
            self.delayed(loop, key, held.of_request(request, 0), since_ns, t)
        elif not task.is_clockwork:
            victim = held.Victim(task.name, 0, task.lane)
            self.delayed(loop, held.Key(held.TASK, task.no), victim, since_ns, t)

    def called_late(self, loop: LoopModel, name: str, due_ns: int, t: int) -> None:
        """A timer's callback, which woke nobody, ran at `t` only."""
        victim = held.Victim(name, 0)
        self.delayed(loop, held.Key(held.TIMER, due_ns), victim, due_ns, t)

    def met(self, loop: LoopModel, task: Task, request: Request, t: int) -> None:
        """A task that waited for its first step turns out to serve a request."""
        last = self._last.get(loop.number)
        if last is None or last.end_ns <= task.born_ns:
            return
        for stall in reversed(self.kept):
            if stall.loop == loop.number:
                if stall.end_ns <= task.born_ns:
                    break
                stall.victims.known.pop(held.Key(held.REQUEST, -task.no), None)
                stall.victims.known.pop(held.Key(held.TASK, task.no), None)
        key = held.Key(held.REQUEST, request.id)
        self.delayed(loop, key, held.of_request(request, 0), task.born_ns, t)
