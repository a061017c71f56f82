"""The only file that touches asyncio's insides, and puts everything back.

What is replaced while a loop is recorded, and why each piece is needed:

| piece | on | tells |
| --- | --- | --- |
| `loop.call_soon` | the instance | every wake of a task, who woke it, births |
| `Handle._run` | the class | steps of all that did not come through `call_soon`: \
timers, sockets, signals, other threads |
| `loop._selector.select` | the instance | when the loop polls, and for how long |
| `loop.close` | the instance | the end |

uvloop has none of asyncio's insides; there the same `call_soon`, `call_at`,
`call_later` and `call_soon_threadsafe` of the instance wrap each callback
instead. Protocol callbacks straight from libuv stay invisible.

Tried with CPython 3.11 to 3.13 and uvloop 0.23. The C implementation of Task
looks `call_soon` up on the loop object at each wake, so an instance attribute
catches every one, also when it is set while the loop runs.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import events, format_helpers
from contextlib import suppress
from inspect import signature
from typing import TYPE_CHECKING, Any

from dashboard.recorder.reasons import note_reason
from dashboard.recorder.recorder import (
    LASTING_NS,
    READY,
    RUNNING,
    WAITING,
    Recorder,
    current_request,
)
from dashboard.records import Cell, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

Handle = events.Handle
TimerHandle = events.TimerHandle
Wakeup = type(len)
_stock_run = Handle._run

#: A timer that fires this late has been *due*; below it is the loop's own pace.
DUE_WORTH_NS = 500_000
_FORMAT_TAKES_DEBUG = "debug" in signature(
    format_helpers._format_callback_source
).parameters

# Plain integers: an IntEnum member costs a slot look-up at each use.
WAKE = int(Kind.WAKE)
STEP_WAITING, STEP_READY = int(Kind.STEP_WAITING), int(Kind.STEP_READY)
CALL, POLL, DUE = int(Kind.CALL), int(Kind.POLL), int(Kind.DUE)
OWNER, SINCE = int(Cell.OWNER), int(Cell.SINCE)


def _find_first_step_type() -> type:
    """Return the C type of a task's bare step; a loop is not needed for that."""
    seen: list[Any] = []

    class Probe(asyncio.AbstractEventLoop):
        def get_debug(self) -> bool:
            return False

        def call_soon(self, callback: Any, *_: Any, **__: Any) -> Any:
            seen.append(callback)

    async def nothing() -> None:
        pass

    coro = nothing()
    task = asyncio.Task(coro, loop=Probe())
    # It will never run: neither asyncio nor the coroutine may complain about that.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coro.close()
    return type(seen[0])


FirstStep = _find_first_step_type()


# ----------------------------------------------------------------- asyncio


def make_step(rec: Recorder) -> Callable[[Any], None]:
    """Return `_run` for handles of task steps. About 0.35 µs over the stock one."""
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    now_ns = rec.now_ns

    def _run(handle: Any) -> None:
        entry = handle.entry
        no = rec.current = entry.no
        rec.first_step = entry.since_ns == 0
        entry.state = RUNNING
        # Between two steps of one round lies only the loop's own popleft, so
        # the end of the last one is the beginning of this one: one clock saved.
        start = rec.started_ns = rec.last_ns or now_ns()
        try:
            cells[OWNER] = no
        except Exception as error:
            rec.fail(error)
        callback = handle._callback
        try:
            handle._context.run(callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            _report(handle, error)
        end = rec.last_ns = now_ns()
        rec.current = 0
        if not rec.enabled:
            return
        try:
            if entry.state == READY:
                kind = STEP_READY
            elif callback.__self__.done():
                kind = rec.finish(callback.__self__)
            else:
                kind = STEP_WAITING
                entry.state = WAITING
                entry.named = False
            entry.since_ns = end
            tag = ring.lap + kind
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = ring.lap + kind
            if offset:
                pack(buffer, offset, start, end, no, 0, tag)
        except Exception as error:
            rec.fail(error)

    return _run


def make_handle_type(rec: Recorder) -> type:
    """Make the handle that `call_soon` returns for task steps of this recorder."""
    return type(
        "Handle",
        (Handle,),
        {"__slots__": ("entry",), "__module__": Handle.__module__, "_run": make_step(rec)},
    )


def make_call_soon(rec: Recorder, loop: Any) -> Callable[..., Any]:
    """Return `call_soon` for this loop. About 0.4 µs over the stock one."""
    ring, pack, buffer = rec.ring, rec.ring.pack, rec.ring.buffer
    now_ns, find = rec.now_ns, rec.tasks.get
    new, step_handle = object.__new__, make_handle_type(rec)
    ready_append = loop._ready.append
    # Someone who replaced it before us stays in the chain, at the cost of a call.
    previous = loop.__dict__.get("call_soon")

    def call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
        if loop._debug or previous is not None:
            _note_wake(rec, callback, context)
            if previous is not None:
                return previous(callback, *args, context=context)
            return type(loop).call_soon(loop, callback, *args, context=context)
        if loop._closed:
            loop._check_closed()
        kind = type(callback)
        if kind is Wakeup or kind is FirstStep:
            try:
                task = callback.__self__
                entry = find(id(task))
                if entry is None:
                    entry = rec.birth(task, context)
                else:
                    now = now_ns()
                    if (
                        entry.state == WAITING
                        and not entry.named
                        and now - entry.since_ns > LASTING_NS
                    ):
                        note_reason(rec, task, entry, now)
                    entry.state = READY
                    tag = ring.lap + WAKE
                    try:
                        offset = ring.advance()
                    except StopIteration:
                        offset = ring.wrap()
                        tag = ring.lap + WAKE
                    if offset:
                        pack(buffer, offset, now, rec.current, entry.no, 0, tag)
            except Exception as error:
                rec.fail(error)
                entry = None
            if entry is not None:
                # What Handle.__init__ does, without two Python calls.
                handle = new(step_handle)
                handle.entry = entry
                # Not `or`: an empty context is falsy, and must stay that one.
                if context is None:
                    context = contextvars.copy_context()
                handle._context = context
                handle._loop = loop
                handle._callback = callback
                handle._args = args
                handle._cancelled = False
                handle._repr = None
                handle._source_traceback = None
                ready_append(handle)
                return handle
        handle = Handle(callback, args, loop, context)
        ready_append(handle)
        return handle

    return call_soon


def make_run(rec: Recorder) -> Callable[[Any], None]:
    """Return `_run` for every other handle of the recorded loop."""
    ring, cells, now_ns = rec.ring, rec.ring.cells, rec.now_ns

    def run(handle: Any) -> None:
        callback = handle._callback
        start = rec.started_ns = rec.last_ns or now_ns()
        entry = None
        try:
            kind = type(callback)
            if kind is Wakeup or kind is FirstStep:
                entry = rec.tasks.get(id(callback.__self__))
            if entry is not None:
                rec.current = entry.no
                rec.first_step = entry.since_ns == 0
                entry.state = RUNNING
            else:
                name = rec.name_callback(callback)
                rec.current = -name
                if type(handle) is TimerHandle:
                    deadline = int(handle._when * 1e9)
                    if start - deadline > DUE_WORTH_NS:
                        ring.write(DUE, start, deadline, name, 0)
            cells[OWNER] = rec.current
        except Exception as error:
            rec.fail(error)
        context = handle._context
        try:
            context.run(callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            _report(handle, error)
        end = rec.last_ns = now_ns()
        rec.current = 0
        if not rec.enabled:
            return
        try:
            if entry is None:
                request = context.get(current_request, 0)
                ring.write(CALL, start, end, name, request)
            else:
                _write_step(rec, entry, callback.__self__, start, end)
        except Exception as error:
            rec.fail(error)

    return run


def make_select(rec: Recorder, loop: Any, stock: Callable[..., Any]) -> Any:
    """Return `select` for the loop's selector: brackets the poll."""
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    now_ns, ready = rec.now_ns, loop._ready

    def select(timeout: float | None = None) -> Any:
        start = rec.last_ns or now_ns()
        depth = len(ready)
        rec.current = 0
        rec.last_ns = 0
        cells[OWNER] = 0
        found = stock(timeout)
        try:
            end = now_ns()
            tag = ring.lap + POLL
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = ring.lap + POLL
            if offset:
                pack(buffer, offset, start, end, len(found), depth, tag)
        except Exception as error:
            rec.fail(error)
        return found

    return select


def _note_wake(rec: Recorder, callback: Any, context: Any) -> None:
    """Record a wake on the slow path (debug mode, another tool before us, uvloop)."""
    try:
        kind = type(callback)
        if kind is not Wakeup and kind is not FirstStep:
            return
        task = callback.__self__
        entry = rec.tasks.get(id(task))
        if entry is None:
            rec.birth(task, context)
            return
        now = rec.now_ns()
        if (
            entry.state == WAITING
            and not entry.named
            and now - entry.since_ns > LASTING_NS
        ):
            note_reason(rec, task, entry, now)
        entry.state = READY
        rec.ring.write(WAKE, now, rec.current, entry.no, 0)
    except Exception as error:
        rec.fail(error)


def _write_step(rec: Recorder, entry: Any, task: Any, start: int, end: int) -> None:
    if entry.state == READY:
        kind = Kind.STEP_READY
    elif task.done():
        kind = rec.finish(task)
    else:
        kind = Kind.STEP_WAITING
        entry.state = WAITING
        entry.named = False
    entry.since_ns = end
    rec.ring.write(kind, start, end, entry.no, 0)


def _report(handle: Any, error: BaseException) -> None:
    """Do what the stock `Handle._run` does with a callback's exception."""
    loop = handle._loop
    extra = {"debug": loop.get_debug()} if _FORMAT_TAKES_DEBUG else {}
    source = format_helpers._format_callback_source(
        handle._callback, handle._args, **extra
    )
    context = {
        "message": f"Exception in callback {source}",
        "exception": error,
        "handle": handle,
    }
    if handle._source_traceback:
        context["source_traceback"] = handle._source_traceback
    loop.call_exception_handler(context)


# One class attribute serves all recorded loops of the process.
_runs: dict[Any, Callable[[Any], None]] = {}


def _run_recorded(self: Any) -> None:
    run = _runs.get(self._loop)
    if run is None:
        _stock_run(self)
    else:
        run(self)


class AsyncioHooks:
    """Everything that is replaced on a selector loop of the standard library."""

    kind = "asyncio"

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._rec = rec
        self._loop = loop
        self._selector = loop._selector
        self._stock_select = loop._selector.__dict__.get("select")
        self._stock_call_soon = loop.__dict__.get("call_soon")
        self._call_soon = make_call_soon(rec, loop)
        self._select = make_select(rec, loop, loop._selector.select)

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        global _stock_run
        _runs[self._loop] = make_run(self._rec)
        if Handle._run is not _run_recorded:
            _stock_run = Handle._run
            Handle._run = _run_recorded  # type: ignore[method-assign]
        self._loop.call_soon = self._call_soon
        self._selector.select = self._select

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us.

        Handles of ours that still queue run on: their `_run` sees that the
        recorder is off.
        """
        _runs.pop(self._loop, None)
        _restore(self._loop, "call_soon", self._call_soon, self._stock_call_soon)
        _restore(self._selector, "select", self._select, self._stock_select)
        if not _runs and Handle._run is _run_recorded:
            Handle._run = _stock_run  # type: ignore[method-assign]

    def is_ready(self, task: Any) -> bool:
        """Say whether a step of `task` is in the ready queue."""
        return any(
            getattr(handle._callback, "__self__", None) is task
            for handle in list(self._loop._ready)
        )


# ------------------------------------------------------------------ uvloop


def make_wrapper(rec: Recorder) -> type:
    """Make the callable that stands in for a callback on a loop in C."""
    cells, now_ns = rec.ring.cells, rec.now_ns

    class Recorded:
        # `__self__` keeps a task's wake-up recognisable for other tools.
        __slots__ = ("__self__", "callback", "deadline_ns")

        def __init__(self, callback: Any, deadline_ns: int = 0) -> None:
            self.callback = callback
            self.deadline_ns = deadline_ns
            self.__self__ = getattr(callback, "__self__", None)

        def __repr__(self) -> str:
            return repr(self.callback)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.callback, name)

        def __call__(self, *args: Any) -> Any:
            callback = self.callback
            if not rec.enabled:
                return callback(*args)
            start = rec.started_ns = now_ns()
            entry = None
            name = 0
            try:
                kind = type(callback)
                if kind is Wakeup or kind is FirstStep:
                    entry = rec.tasks.get(id(callback.__self__))
                if entry is not None:
                    rec.current = entry.no
                    rec.first_step = entry.since_ns == 0
                    entry.state = RUNNING
                else:
                    name = rec.name_callback(callback)
                    rec.current = -name
                    if self.deadline_ns and start - self.deadline_ns > DUE_WORTH_NS:
                        rec.ring.write(DUE, start, self.deadline_ns, name, 0)
                cells[SINCE] = start
                cells[OWNER] = rec.current
            except Exception as error:
                rec.fail(error)
            try:
                return callback(*args)
            finally:
                end = now_ns()
                rec.current = 0
                try:
                    if rec.enabled:
                        cells[OWNER] = 0
                        if entry is None:
                            request = current_request.get()
                            rec.ring.write(CALL, start, end, name, request)
                        else:
                            _write_step(rec, entry, callback.__self__, start, end)
                except Exception as error:
                    rec.fail(error)

    return Recorded


class UvloopHooks:
    """Everything that is replaced on a uvloop loop: scheduling methods only."""

    kind = "uvloop"
    _NAMES = ("call_soon", "call_soon_threadsafe", "call_at", "call_later")

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._loop = loop
        self._stock = {name: loop.__dict__.get(name) for name in self._NAMES}
        wrap = make_wrapper(rec)
        call_soon, call_soon_threadsafe = loop.call_soon, loop.call_soon_threadsafe
        call_at, call_later = loop.call_at, loop.call_later

        def recorded_call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
            if not callable(callback):
                return call_soon(callback, *args, context=context)
            _note_wake(rec, callback, context)
            return call_soon(wrap(callback), *args, context=context)

        def recorded_threadsafe(callback: Any, *args: Any, context: Any = None) -> Any:
            if not callable(callback):
                return call_soon_threadsafe(callback, *args, context=context)
            return call_soon_threadsafe(wrap(callback), *args, context=context)

        def recorded_call_at(
            when: float, callback: Any, *args: Any, context: Any = None
        ) -> Any:
            if not callable(callback):
                return call_at(when, callback, *args, context=context)
            wrapped = wrap(callback, int(when * 1e9))
            return call_at(when, wrapped, *args, context=context)

        def recorded_call_later(
            delay: float, callback: Any, *args: Any, context: Any = None
        ) -> Any:
            if not callable(callback):
                return call_later(delay, callback, *args, context=context)
            # libuv's clock stands still during a step, so ask the real one.
            deadline = rec.now_ns() + int(delay * 1e9)
            return call_later(delay, wrap(callback, deadline), *args, context=context)

        self._ours = {
            "call_soon": recorded_call_soon,
            "call_soon_threadsafe": recorded_threadsafe,
            "call_at": recorded_call_at,
            "call_later": recorded_call_later,
        }

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        for name, ours in self._ours.items():
            setattr(self._loop, name, ours)

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us."""
        for name, ours in self._ours.items():
            _restore(self._loop, name, ours, self._stock[name])

    def is_ready(self, task: Any) -> bool:
        """Say whether a step of `task` is queued: uvloop does not tell, so guess
        from what the task awaits."""
        return getattr(task, "_fut_waiter", None) is None


def _restore(owner: Any, name: str, ours: Any, stock: Any) -> None:
    if owner.__dict__.get(name) is not ours:
        return
    if stock is None:
        with suppress(AttributeError):
            delattr(owner, name)
    else:
        setattr(owner, name, stock)


def hooks_for(rec: Recorder, loop: Any) -> AsyncioHooks | UvloopHooks:
    """Choose the hooks by what the loop has, not by its name."""
    if hasattr(loop, "_selector") and hasattr(loop, "_ready"):
        return AsyncioHooks(rec, loop)
    return UvloopHooks(rec, loop)
