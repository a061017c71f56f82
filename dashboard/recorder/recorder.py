"""Turn hook calls into ring records, and stop quietly if that ever fails.

Everything here runs inside someone else's program. It never waits, raises or
logs per event, and keeps no task, coroutine or request alive. An old record may
be overwritten before anyone has read it; the reader notices and counts that, the
writer does not care.
"""

from __future__ import annotations

import itertools
import logging
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dashboard.recorder.names import Names
from dashboard.recorder.titles import tell_title
from dashboard.records import Cell, Kind, RingState

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from dashboard.ring import RingWriter

logger = logging.getLogger("loopscope")

#: The request that the current context belongs to; tasks, callbacks and worker
#: threads inherit it. Numbers count from 1 within a process.
current_request: ContextVar[int] = ContextVar("loopscope_request", default=0)

#: From this length on a step is worth a look at its stack, whatever threshold those
#: who read have chosen: 20 µs at each beat.
DEFAULT_SAMPLE_NS = 20_000_000
#: A wait this long is worth 2 µs of looking at what it waits for.
LASTING_NS = 1_000_000
READY, RUNNING, WAITING = 1, 2, 3
#: What the ADOPTED record says for each of them.
ADOPTED_AS = {WAITING: 0, READY: 1, RUNNING: 2}

#: A record costs this many times its bare write: the rest is the hook around it.
#: Measured on asyncio's loop by tests/benchmarks/said_cost.py.
HOOK_FACTOR = 3.2


class TaskEntry:
    """What the recorder remembers of a living task: numbers, no reference to it."""

    __slots__ = (
        "gone",
        "named",
        "no",
        "request",
        "route",
        "scope",
        "since_ns",
        "state",
        "title",
    )

    route: int
    """String index of its request's name; not there before that is told."""
    title: int
    """String index of the name that it was given; not there before that is told."""

    def __init__(self, no: int) -> None:
        self.no = no
        self.state = READY
        self.since_ns = 0
        """When it began to wait."""
        self.named = False
        """Whether the reason of the present wait is recorded."""
        self.gone: TaskReference | None = None
        self.scope: MutableMapping[str, Any] | None = None
        """The ASGI scope of the request that it was made for."""
        self.request = 0


class TaskReference(weakref.ref[Any]):
    """A weak reference that knows whose it is, so that one callback serves all."""

    __slots__ = ("entry", "key")

    key: int
    entry: TaskEntry


class Recorder(Names):
    """Write the records of one loop. Lives in that loop's thread.

    Only `Recorder.fail` and the cold methods log or allocate much; the hooks in
    `hooks.py` use the public attributes directly, because a method call costs as
    much as a record.
    """

    __slots__ = (
        "__weakref__",
        "current",
        "enabled",
        "entry",
        "handle",
        "is_aside",
        "last_ns",
        "look",
        "look_due_ns",
        "next_task",
        "now_ns",
        "on_failure",
        "polled",
        "sample_ns",
        "tasks",
        "thread_id",
    )

    def __init__(
        self,
        ring: RingWriter,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sample_ns: int = DEFAULT_SAMPLE_NS,
    ) -> None:
        super().__init__(ring)
        self.now_ns = now_ns
        self.sample_ns = sample_ns
        self.thread_id = 0
        """Where the loop runs, as far as births tell; asyncio's loops know it."""
        self.enabled = True
        self.is_aside = False
        """Whether `call_soon` goes the stock way: recording ended, or somebody else's
        method stands below ours."""
        self.on_failure: Callable[[], None] | None = None
        self.look: Callable[[int], None] | None = None
        """Called in the loop's thread while that has had nothing to do for a while, and
        between two steps once `look_due_ns` is over; see watchdog.py."""
        self.look_due_ns = 0
        self.tasks: dict[int, TaskEntry] = {}
        """Living tasks by `id()`. An id that is reused gets a new entry at birth."""
        self.current = 0
        """The owner that runs now (see records.py), 0 between steps."""
        self.handle: Any = None
        """While a callback runs on asyncio's own loop: its handle."""
        self.polled: Any = None
        """What the selector found in this round."""
        self.entry: TaskEntry | None = None
        """The task of the last step, which is the current one if its number is."""
        self.last_ns = 0
        """While a step runs: when it began. Between two steps: when the last one
        ended, or 0 after the loop has polled."""
        self.next_task = itertools.count(1).__next__
        ring.cells[Cell.SAMPLE_NS] = sample_ns
        ring.cells[Cell.COST_PS] = self._calibrate_cost_ps()

    def __repr__(self) -> str:
        state = "on" if self.enabled else "off"
        return f"<Recorder {state}, {len(self.tasks)} tasks, {self.ring!r}>"

    def _calibrate_cost_ps(self) -> int:
        """Time the bare work of a record here and now: about 0.1 ms in all."""
        now_ns, pack = self.now_ns, self.ring.pack
        scratch = bytearray(32)
        advance = itertools.count().__next__
        rounds = 200
        best = min(
            self._time_once(rounds, now_ns, pack, scratch, advance) for _ in range(3)
        )
        return int(best * 1000 * HOOK_FACTOR / rounds)

    @staticmethod
    def _time_once(
        rounds: int,
        now_ns: Callable[[], int],
        pack: Callable[..., None],
        scratch: bytearray,
        advance: Callable[[], int],
    ) -> int:
        began = time.perf_counter_ns()
        for _ in range(rounds):
            advance()
            pack(scratch, 0, now_ns(), 0, 1, 0, 257)
        return time.perf_counter_ns() - began

    # ------------------------------------------------------------------ tasks

    def adopt(self, task: Any, state: int) -> TaskEntry:
        """Number a task that existed before recording began."""
        entry = TaskEntry(self.next_task())
        # The step in which recording begins has no record of its end: as far as
        # the hooks go, that task waits already.
        entry.state = WAITING if state == RUNNING else state
        now = entry.since_ns = self.now_ns()
        self.tasks[id(task)] = entry
        self.watch(task, entry)
        self.ring.write(
            Kind.ADOPTED, now, ADOPTED_AS[state], entry.no, self.name_task(task)
        )
        tell_title(self, task, entry)
        return entry

    def adopt_again(self, tasks: set[Any], ready: set[Any]) -> None:
        """Correct what was adopted, and what ran unseen since.

        Whatever the loop had queued when recording began runs in a round that is
        not recorded.
        """
        now = self.now_ns()
        for key, entry in list(self.tasks.items()):
            task = entry.gone() if entry.gone is not None else None
            if task is None or task in ready:
                continue
            if task not in tasks:
                # It ended in that round.
                del self.tasks[key]
                entry.gone = None
                self.ring.write(Kind.GONE, now, 0, entry.no, 0)
            elif entry.state != WAITING or entry.no == self.current:
                entry.state = WAITING
                entry.since_ns = now
                self.ring.write(Kind.ADOPTED, now, 0, entry.no, self.name_task(task))

    def watch(self, task: Any, entry: TaskEntry) -> None:
        """Learn of it when a task is destroyed while it waits.

        Called at its first suspension: many tasks never have one. Until then the
        loop's own queue keeps it alive.
        """
        entry.gone = reference = TaskReference(task, self._on_gone)
        reference.key = id(task)
        reference.entry = entry

    def _on_gone(self, reference: TaskReference) -> None:
        # Runs wherever the last reference is dropped: any thread, any time.
        entry = reference.entry
        entry.gone = None
        if self.tasks.get(reference.key) is entry:
            del self.tasks[reference.key]
            if self.enabled:
                try:
                    self.ring.write(Kind.GONE, self.now_ns(), 0, entry.no, 0)
                except Exception as error:  # noqa: BLE001 - nobody is there to catch it
                    self.fail(error)

    # ---------------------------------------------------------------- failure

    def fail(self, error: BaseException) -> None:
        """Switch off, say so once, and let the observed program go on."""
        if not self.enabled:
            return
        self.enabled = False
        self.is_aside = True
        try:
            note = f"recording stopped: {type(error).__name__} in a hook"
            self.ring.cells[Cell.NOTE] = self.ring.intern(note)
            self.ring.close(RingState.FAILED)
            logger.error(
                "recording stopped; the observed program goes on", exc_info=error
            )
            if self.on_failure is not None:
                self.on_failure()
        except Exception:  # noqa: BLE001 - nothing may reach the loop
            pass
