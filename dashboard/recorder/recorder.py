"""Turn hook calls into ring records, and stop quietly if that ever fails.

Everything here runs inside someone else's program. It never waits, raises or
logs per event, and keeps no task, coroutine or request alive. An old record may
be overwritten before anyone has read it; the reader notices and counts that, the
writer does not care.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dashboard.records import FIELD_SEPARATOR, Cell, Kind, RingState

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from dashboard.recorder.requests import RecordedRequest
    from dashboard.ring import RingWriter

logger = logging.getLogger("loopscope")

#: The request that the current context belongs to; tasks, callbacks and worker
#: threads inherit it. Numbers count from 1 within a process.
current_request: ContextVar[int] = ContextVar("loopscope_request", default=0)

DEFAULT_STALL_NS = 100_000_000
#: A wait this long is worth 2 µs of looking at what it waits for.
LASTING_NS = 1_000_000
READY, RUNNING, WAITING = 1, 2, 3
#: What the ADOPTED record says for each of them.
ADOPTED_AS = {WAITING: 0, READY: 1, RUNNING: 2}

#: A record costs this many times its bare write: the rest is the hook around it.
#: Measured by tests/benchmarks/step_cost.py (0.75 µs for two records).
HOOK_FACTOR = 1.5


class TaskEntry:
    """What the recorder remembers of a living task: numbers, no reference to it."""

    __slots__ = ("gone", "named", "no", "since_ns", "state")

    def __init__(self, no: int) -> None:
        self.no = no
        self.state = READY
        self.since_ns = 0
        """When it began to wait."""
        self.named = False
        """Whether the reason of the present wait is recorded."""
        self.gone: weakref.ref[Any] | None = None


class Recorder:
    """Write the records of one loop. Lives in that loop's thread.

    Only `Recorder.fail` and the cold methods log or allocate much; the hooks in
    `hooks.py` use the public attributes directly, because a method call costs as
    much as a record.
    """

    __slots__ = (
        "__weakref__",
        "_code_names",
        "_next_task",
        "current",
        "enabled",
        "first_step",
        "last_ns",
        "now_ns",
        "on_failure",
        "requests",
        "ring",
        "stall_ns",
        "started_ns",
        "tasks",
    )

    def __init__(
        self,
        ring: RingWriter,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        stall_ns: int = DEFAULT_STALL_NS,
    ) -> None:
        self.ring = ring
        self.now_ns = now_ns
        self.stall_ns = stall_ns
        self.enabled = True
        self.on_failure: Callable[[], None] | None = None
        self.tasks: dict[int, TaskEntry] = {}
        """Living tasks by `id()`. An id that is reused gets a new entry at birth."""
        self.requests: dict[int, RecordedRequest] = {}
        """Requests under way, by number."""
        self.current = 0
        """The owner that runs now (see records.py), 0 between steps."""
        self.first_step = False
        """Whether the task that runs now runs for the first time."""
        self.started_ns = 0
        """When the current step began."""
        self.last_ns = 0
        """When the previous step of this round of the loop ended, 0 after a poll."""
        self._code_names: dict[CodeType | str, int] = {}
        self._next_task = itertools.count(1).__next__
        ring.cells[Cell.STALL_NS] = stall_ns
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

    def birth(self, task: Any, context: Any) -> TaskEntry | None:
        """Number a task at the first sight of it; None if it is no task at all."""
        if not isinstance(task, asyncio.Task):
            return None
        entry = TaskEntry(self._next_task())
        self._remember(task, entry)
        request = context.get(current_request, 0) if context is not None else 0
        self.ring.write(
            Kind.BORN,
            self.now_ns(),
            request << 32 | self.current & 0xFFFFFFFF,
            entry.no,
            self._name_task(task),
        )
        return entry

    def adopt(self, task: Any, state: int) -> TaskEntry:
        """Number a task that existed before recording began."""
        entry = TaskEntry(self._next_task())
        # The step in which recording begins has no record of its end: as far as
        # the hooks go, that task waits already.
        entry.state = WAITING if state == RUNNING else state
        now = entry.since_ns = self.now_ns()
        self._remember(task, entry)
        self.ring.write(
            Kind.ADOPTED, now, ADOPTED_AS[state], entry.no, self._name_task(task)
        )
        return entry

    def _remember(self, task: Any, entry: TaskEntry) -> None:
        key = id(task)
        tasks, me = self.tasks, weakref.ref(self)

        def on_gone(_: weakref.ref[Any]) -> None:
            # Runs wherever the last reference is dropped: any thread, any time.
            if tasks.get(key) is entry:
                del tasks[key]
                recorder = me()
                if recorder is not None and recorder.enabled:
                    recorder.ring.write(
                        Kind.GONE, recorder.now_ns(), 0, entry.no, 0
                    )

        tasks[key] = entry
        entry.gone = weakref.ref(task, on_gone)

    def finish(self, task: Any) -> Kind:
        """Forget a task whose last step just ended; say how it ended."""
        self.tasks.pop(id(task), None)
        if task.cancelled():
            return Kind.STEP_CANCELLED
        # `exception()` would mark it as retrieved and silence asyncio's warning.
        if getattr(task, "_exception", None) is not None:
            return Kind.STEP_RAISED
        return Kind.STEP_DONE

    def _name_task(self, task: Any) -> int:
        coro = task.get_coro()
        code = getattr(coro, "cr_code", None) or getattr(coro, "gi_code", None)
        if code is None:
            return self.intern(type(coro).__name__)
        return self._name_code(code)

    def _name_code(self, code: CodeType) -> int:
        index = self._code_names.get(code)
        if index is None:
            index = self.intern(
                code.co_qualname, code.co_filename, code.co_firstlineno
            )
            self._code_names[code] = index
        return index

    def name_callback(self, callback: Any) -> int:
        """Return the string index of a callback's name: qualname, file, line.

        Keyed by code object, not by function: closures come and go, their code
        stays, so the table is bounded by the size of the program.
        """
        for _ in range(4):
            inner = getattr(callback, "__func__", None) or getattr(
                callback, "func", None
            )
            if inner is None:
                break
            callback = inner
        code = getattr(callback, "__code__", None)
        if code is not None:
            return self._name_code(code)
        name = getattr(callback, "__qualname__", None)
        if not isinstance(name, str):
            name = type(callback).__qualname__
        index = self._code_names.get(name)
        if index is None:
            index = self._code_names[name] = self.intern(name)
        return index

    def intern(self, *fields: object) -> int:
        """Return the string index of `fields` joined as records.py says."""
        return self.ring.intern(FIELD_SEPARATOR.join(map(str, fields)))

    # ---------------------------------------------------------------- failure

    def fail(self, error: BaseException) -> None:
        """Switch off, say so once, and let the observed program go on."""
        if not self.enabled:
            return
        self.enabled = False
        try:
            note = f"recording stopped: {type(error).__name__} in a hook"
            self.ring.cells[Cell.NOTE] = self.ring.intern(note)
            self.ring.close(RingState.FAILED)
            logger.error(
                "recording stopped; the observed program goes on", exc_info=error
            )
            if self.on_failure is not None:
                self.on_failure()
        except Exception:  # noqa: BLE001, S110 - nothing may reach the loop
            pass
