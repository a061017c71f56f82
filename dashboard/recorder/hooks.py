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
from asyncio import Task, events, format_helpers
from contextlib import suppress
from inspect import signature
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from dashboard.recorder.reasons import note_reason
from dashboard.recorder.recorder import (
    LASTING_NS,
    READY,
    RUNNING,
    WAITING,
    Recorder,
    TaskEntry,
    current_request,
)
from dashboard.records import KIND_MASK, Cell, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

Handle = events.Handle
TimerHandle = events.TimerHandle
Wakeup = type(len)

#: A timer that fires this late has been *due*; below it is the loop's own pace.
DUE_WORTH_NS = 500_000
_FORMAT_TAKES_DEBUG = (
    "debug" in signature(format_helpers._format_callback_source).parameters
)

# Called unbound: a look-up on the instance cannot be specialised by the
# interpreter, as tasks may have a `__dict__`.
is_done, was_cancelled, get_coro = Task.done, Task.cancelled, Task.get_coro

# Plain integers: an IntEnum member costs a slot look-up at each use.
WAKE = int(Kind.WAKE)
STEP_WAITING, STEP_READY = int(Kind.STEP_WAITING), int(Kind.STEP_READY)
STEP_DONE, STEP_RAISED = int(Kind.STEP_DONE), int(Kind.STEP_RAISED)
STEP_CANCELLED, BORN = int(Kind.STEP_CANCELLED), int(Kind.BORN)
CALL, POLL, DUE = int(Kind.CALL), int(Kind.POLL), int(Kind.DUE)
OWNER, SINCE = int(Cell.OWNER), int(Cell.SINCE)


def to_ns(seconds: float) -> int:
    """Return a time of the loop's clock in ns; 0 for one that never comes."""
    # Also false for NaN. A hundred years fit, "for ever" in any disguise does not.
    return int(seconds * 1e9) if 0 < seconds < 3.2e9 else 0


def _find_first_step_type() -> type:
    """Return the C type of a task's bare step; a loop is not needed for that."""
    seen: list[Any] = []

    class Probe:
        """As much of a loop as a task asks for when it is made."""

        def get_debug(self) -> bool:
            return False

        def call_soon(self, callback: Any, *_: Any, **__: Any) -> None:
            seen.append(callback)

    async def nothing() -> None:
        pass

    coro = nothing()
    probe: Any = Probe()
    task = asyncio.Task(coro, loop=probe)
    # It will never run: neither asyncio nor the coroutine may complain about that.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coro.close()
    return type(seen[0])


FirstStep = _find_first_step_type()


# ----------------------------------------------------------------- asyncio


def make_step(rec: Recorder) -> Callable[[Any], None]:
    """Return `_run` for handles of task steps. About 0.35 µs over the stock one."""
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    now_ns, forget = rec.now_ns, rec.tasks.pop

    def _run(handle: Any) -> None:
        entry = rec.entry = handle.entry
        no = rec.current = entry.no
        entry.state = RUNNING
        # Between two steps of one round lies only the loop's own popleft, so
        # the end of the last one is the beginning of this one: one clock saved.
        start = rec.last_ns
        if not start:
            start = rec.last_ns = now_ns()
        try:
            cells[OWNER] = no
        except Exception as error:
            rec.fail(error)
        callback = handle._callback
        try:
            handle._context.run(callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            rec.current = 0
            if is_done(callback.__self__):
                forget(id(callback.__self__), None)
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
                entry.since_ns = end
            else:
                task = callback.__self__
                if not is_done(task):
                    kind = STEP_WAITING
                    entry.state = WAITING
                    entry.named = False
                    entry.since_ns = end
                    if entry.gone is None:
                        rec.watch(task, entry)
                else:
                    forget(id(task), None)
                    # Its weak reference knows it, too: no cycle may outlive it.
                    entry.gone = None
                    kind = STEP_DONE
                    if was_cancelled(task):
                        kind = STEP_CANCELLED
                    # `exception()` would mark it as retrieved, and silence
                    # asyncio's warning about an exception that nobody looked at.
                    elif task._exception is not None:
                        kind = STEP_RAISED
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
        {
            "__slots__": ("entry",),
            "__module__": Handle.__module__,
            "_run": make_step(rec),
        },
    )


def make_wake(rec: Recorder) -> Callable[[Any, Any], Any]:
    """Return what records the wake or birth of a task, given its step callback.

    The function returns the task's entry, or None if the callback is no task's.
    """
    ring, pack, buffer = rec.ring, rec.ring.pack, rec.ring.buffer
    now_ns, find = rec.now_ns, rec.tasks.get

    def wake(callback: Any, context: Any) -> Any:
        try:
            task = callback.__self__
            entry = find(id(task))
            if entry is None:
                return rec.birth(task, context)
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
            return None
        return entry

    return wake


def make_call_soon(rec: Recorder, loop: Any) -> Callable[..., Any]:
    """Return `call_soon` for this loop. About 0.4 µs over the stock one.

    Everything is written out in place. Code that runs once per request finds the
    caches cold, and then each Python call costs a microsecond: with four calls in
    here and six in `make_run`, a FastAPI request cost a tenth more.
    """
    wake = make_wake(rec)
    ring, pack, buffer = rec.ring, rec.ring.pack, rec.ring.buffer
    now_ns, tasks, find = rec.now_ns, rec.tasks, rec.tasks.get
    next_task, find_name = rec.next_task, rec.names.get
    new, step_handle = object.__new__, make_handle_type(rec)
    ready_append = loop._ready.append
    # Someone who replaced it before us stays in the chain, at the cost of a call.
    previous = replaced(loop, "call_soon")

    def call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
        kind = type(callback)
        if loop._debug or previous is not None:
            if kind is Wakeup or kind is FirstStep:
                wake(callback, context)
            if previous is not None:
                return previous(callback, *args, context=context)
            stock = type(loop).call_soon(loop, callback, *args, context=context)
            if stock._source_traceback:
                # The last line of where it was made is ours.
                del stock._source_traceback[-1]
            return stock
        if loop._closed:
            loop._check_closed()
        if kind is FirstStep or (
            kind is Wakeup and isinstance(callback.__self__, Task)
        ):
            try:
                task = callback.__self__
                now = now_ns()
                entry = find(id(task))
                if entry is None:
                    entry = tasks[id(task)] = new(TaskEntry)
                    entry.no = number = next_task()
                    entry.since_ns = 0
                    entry.named = False
                    entry.gone = entry.scope = None
                    entry.request = 0
                    try:
                        name = find_name(id(get_coro(task).cr_code))  # type: ignore[union-attr]
                    except AttributeError:
                        name = 0
                    name = name or rec.name_task(task)
                    request = context.get(current_request, 0) if context else 0
                    detail = request << 32 | rec.current & 0xFFFFFFFF
                    tag = ring.lap + BORN
                else:
                    if (
                        entry.state == WAITING
                        and not entry.named
                        and now - entry.since_ns > LASTING_NS
                    ):
                        note_reason(rec, task, entry, now)
                    number = entry.no
                    detail, name = rec.current, 0
                    tag = ring.lap + WAKE
                entry.state = READY
                try:
                    offset = ring.advance()
                except StopIteration:
                    offset = ring.wrap()
                    tag = ring.lap + (tag & KIND_MASK)
                if offset:
                    pack(buffer, offset, now, detail, number, name, tag)
            except Exception as error:
                rec.fail(error)
                entry = None
            if entry is not None:
                # What Handle.__init__ does, without two Python calls.
                handle: Any = new(step_handle)
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


def make_run(
    rec: Recorder, loop: Any, others: Callable[[Any], None]
) -> Callable[[Any], None]:
    """Return `Handle._run` for handles of the recorded loop that are no task steps.

    Handles of other loops go on to `others`.
    """
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    now_ns, name_callback, find_name = rec.now_ns, rec.name_callback, rec.names.get

    def _run(handle: Any) -> None:
        if handle._loop is not loop:
            others(handle)
            return
        callback = handle._callback
        start = rec.last_ns
        if not start:
            start = rec.last_ns = now_ns()
        entry = None
        name: int | None = 0
        try:
            kind = type(callback)
            if kind is Wakeup or kind is FirstStep:
                entry = rec.tasks.get(id(callback.__self__))
            if entry is not None:
                rec.entry = entry
                rec.current = entry.no
                entry.state = RUNNING
            else:
                if kind is MethodType:
                    name = find_name(id(getattr(callback.__func__, "__code__", None)))
                elif kind is FunctionType:
                    name = find_name(id(callback.__code__))
                else:
                    name = 0
                name = name or name_callback(callback)
                rec.current = -name
                if type(handle) is TimerHandle:
                    deadline = to_ns(handle.when())
                    if deadline and start - deadline > DUE_WORTH_NS:
                        ring.write(DUE, start, deadline, name, 0)
            cells[OWNER] = rec.current
        except Exception as error:
            rec.fail(error)
        context = handle._context
        try:
            context.run(callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            rec.current = 0
            raise
        except BaseException as error:
            _report(handle, error)
        end = rec.last_ns = now_ns()
        rec.current = 0
        if not rec.enabled:
            return
        try:
            if loop._stopping:
                # The loop ends after this round: nobody runs, however long.
                cells[OWNER] = 0
            if entry is not None:
                _write_step(rec, entry, callback.__self__, start, end)
                return
            tag = ring.lap + CALL
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = ring.lap + CALL
            if offset:
                request = context.get(current_request, 0)
                pack(buffer, offset, start, end, name, request, tag)
        except Exception as error:
            rec.fail(error)

    return _run


def make_select(rec: Recorder, loop: Any, stock: Callable[..., Any]) -> Any:
    """Return `select` for the loop's selector: brackets a poll that may wait.

    A look without waiting (timeout 0: there are handles to run) is the loop's own
    work between two steps, and as such not worth a record.
    """
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    now_ns, ready = rec.now_ns, loop._ready

    def select(timeout: float | None = None) -> Any:
        if timeout == 0:
            rec.last_ns = 0
            return stock(timeout)
        start = rec.last_ns or now_ns()
        rec.last_ns = 0
        cells[OWNER] = rec.current = 0
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
                pack(buffer, offset, start, end, len(found), len(ready), tag)
        except Exception as error:
            rec.fail(error)
        return found

    return select


def _write_step(rec: Recorder, entry: Any, task: Any, start: int, end: int) -> None:
    """Record a step on the paths where a call does not matter."""
    if entry.state == READY:
        kind = Kind.STEP_READY
    elif task.done():
        kind = rec.finish(task)
    else:
        kind = Kind.STEP_WAITING
        entry.state = WAITING
        entry.named = False
        if entry.gone is None:
            rec.watch(task, entry)
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


class _Runs:
    """`Handle._run` is one attribute for all loops: a chain of ours over the stock.

    With one recorded loop, the normal case, the chain has one link.
    """

    def __init__(self) -> None:
        self._links: dict[Any, Recorder] = {}
        self._stock: Any = None
        self._ours: Any = None

    def add(self, loop: Any, rec: Recorder) -> None:
        """Record this loop's handles too."""
        if not self._links:
            self._stock = Handle._run
        self._links[loop] = rec
        self._chain()

    def discard(self, loop: Any) -> None:
        """Leave this loop's handles alone again."""
        if self._links.pop(loop, None) is not None:
            self._chain()

    def _chain(self) -> None:
        if self._ours is not None and Handle._run is not self._ours:
            # Someone replaced it after us and calls us: what we were stays in
            # place for him, and does nothing for loops that are not recorded.
            return
        run = self._stock
        for loop, rec in self._links.items():
            run = make_run(rec, loop, run)
        self._ours = run if self._links else None
        Handle._run = run  # type: ignore[method-assign]


_runs = _Runs()


class AsyncioHooks:
    """Everything that is replaced on a selector loop of the standard library."""

    kind = "asyncio"

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._rec = rec
        self._loop = loop
        self._selector = loop._selector
        self._stock_select = replaced(loop._selector, "select")
        self._stock_call_soon = replaced(loop, "call_soon")
        self._call_soon = make_call_soon(rec, loop)
        self._select = make_select(rec, loop, loop._selector.select)

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        _runs.add(self._loop, self._rec)
        self._loop.call_soon = self._call_soon
        self._selector.select = self._select

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us.

        Handles of ours that still queue run on: their `_run` sees that the
        recorder is off.
        """
        _runs.discard(self._loop)
        restore(self._loop, "call_soon", self._call_soon, self._stock_call_soon)
        restore(self._selector, "select", self._select, self._stock_select)

    def ready_tasks(self, tasks: set[Any]) -> set[Any]:
        """Return those of `tasks` that have a step in the ready queue."""
        queued = {
            id(handle._callback.__self__)
            for handle in list(self._loop._ready)
            if type(handle._callback) in (Wakeup, FirstStep)
        }
        return {task for task in tasks if id(task) in queued}


# ------------------------------------------------------------------ uvloop


def make_wrappers(rec: Recorder) -> tuple[type, type]:
    """Make the callables that stand in for callbacks on a loop in C.

    One for task steps, bare for speed, and one for everything else.
    """
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    now_ns, name_callback = rec.now_ns, rec.name_callback

    class Wrapper:
        # `__self__` keeps a task's wake-up recognisable for other tools.
        __slots__ = ("__self__", "callback", "deadline_ns", "entry")

        callback: Any

        def __repr__(self) -> str:
            return repr(self.callback)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.callback, name)

    class Step(Wrapper):
        __slots__ = ()

        def __call__(self, *args: Any) -> Any:
            entry = rec.entry = self.entry
            no = rec.current = entry.no
            entry.state = RUNNING
            start = rec.last_ns = now_ns()
            try:
                # No poll is seen here, so a step does not begin where another ended.
                cells[SINCE] = start
                cells[OWNER] = no
            except Exception as error:
                rec.fail(error)
            try:
                return self.callback(*args)
            finally:
                end = now_ns()
                rec.current = 0
                if rec.enabled:
                    try:
                        cells[OWNER] = 0
                        _write_step(rec, entry, self.__self__, start, end)
                    except Exception as error:
                        rec.fail(error)

    class Call(Wrapper):
        __slots__ = ()

        def __init__(self, callback: Any, deadline_ns: int = 0) -> None:
            self.callback = callback
            self.deadline_ns = deadline_ns
            # Only where reading it runs nobody's code.
            is_bound = type(callback) in (MethodType, Wakeup)
            self.__self__ = callback.__self__ if is_bound else None

        def __call__(self, *args: Any) -> Any:
            callback = self.callback
            if not rec.enabled:
                return callback(*args)
            start = rec.last_ns = now_ns()
            name = 0
            try:
                name = name_callback(callback)
                cells[SINCE] = start
                cells[OWNER] = rec.current = -name
                if self.deadline_ns and start - self.deadline_ns > DUE_WORTH_NS:
                    ring.write(DUE, start, self.deadline_ns, name, 0)
            except Exception as error:
                rec.fail(error)
            try:
                return callback(*args)
            finally:
                end = now_ns()
                rec.current = 0
                if rec.enabled:
                    try:
                        cells[OWNER] = 0
                        tag = ring.lap + CALL
                        try:
                            offset = ring.advance()
                        except StopIteration:
                            offset = ring.wrap()
                            tag = ring.lap + CALL
                        if offset:
                            request = current_request.get()
                            pack(buffer, offset, start, end, name, request, tag)
                    except Exception as error:
                        rec.fail(error)

    return Step, Call


class UvloopHooks:
    """Everything that is replaced on a uvloop loop: scheduling methods only."""

    kind = "uvloop"
    _NAMES = ("call_soon", "call_soon_threadsafe", "call_at", "call_later")

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._loop = loop
        self._stock = {name: replaced(loop, name) for name in self._NAMES}
        step, call = make_wrappers(rec)
        wake, new, now_ns = make_wake(rec), object.__new__, rec.now_ns
        call_soon, call_soon_threadsafe = loop.call_soon, loop.call_soon_threadsafe
        call_at, call_later = loop.call_at, loop.call_later

        def recorded_call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
            kind = type(callback)
            if kind is Wakeup or kind is FirstStep:
                entry = wake(callback, context)
                if entry is not None:
                    stand_in: Any = new(step)
                    stand_in.__self__ = callback.__self__
                    stand_in.callback = callback
                    stand_in.entry = entry
                    return call_soon(stand_in, *args, context=context)
            if callable(callback):
                callback = call(callback)
            return call_soon(callback, *args, context=context)

        def recorded_threadsafe(callback: Any, *args: Any, context: Any = None) -> Any:
            if callable(callback):
                callback = call(callback)
            return call_soon_threadsafe(callback, *args, context=context)

        def recorded_call_at(
            when: float, callback: Any, *args: Any, context: Any = None
        ) -> Any:
            if callable(callback):
                callback = call(callback, to_ns(when))
            return call_at(when, callback, *args, context=context)

        def recorded_call_later(
            delay: float, callback: Any, *args: Any, context: Any = None
        ) -> Any:
            if callable(callback):
                # libuv's clock stands still during a step, so ask the real one.
                deadline_ns = to_ns(delay) and now_ns() + to_ns(delay)
                callback = call(callback, deadline_ns)
            return call_later(delay, callback, *args, context=context)

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
            restore(self._loop, name, ours, self._stock[name])

    def ready_tasks(self, tasks: set[Any]) -> set[Any]:
        """Return those of `tasks` that await nothing: uvloop's queue cannot be
        looked at."""
        return {task for task in tasks if getattr(task, "_fut_waiter", None) is None}


def replaced(owner: Any, name: str) -> Any:
    """Return what someone put in place of an instance's method, or None.

    Without a look into `__dict__`: from then on the interpreter would find every
    attribute and method of the loop by a dictionary, not by its place.
    """
    found = getattr(owner, name)
    is_stock = getattr(found, "__self__", None) is owner
    return None if is_stock else found


def restore(owner: Any, name: str, ours: Any, stock: Any) -> None:
    """Put `stock` (None: the class's own) back in place of `ours`, if it is there."""
    if getattr(owner, name) is not ours:
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
