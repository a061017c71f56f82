"""Record what tasks hand to worker threads and processes: asked, begun, ended, given up.

Two doors lead there: `anyio.to_thread.run_sync` (what FastAPI uses for `def`
handlers, sync dependencies and files), a module attribute that its callers look
up at each call, and `loop.run_in_executor` (under `asyncio.to_thread`). Process
pools are seen from outside only: their function runs where no recorder is.

Nothing is added to what a task awaits: the same future, the same callbacks.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import sys
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dashboard.recorder.hidden import find_hop, find_meant
from dashboard.recorder.replacing import replaced, restore
from dashboard.records import Cell, Door, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.recorder.recorder import Recorder

_next_call = itertools.count(1).__next__
_next_thread = itertools.count(1).__next__
_local = threading.local()

#: Hooks by loop, for the one patch of anyio that serves them all.
_hooks: dict[Any, ThreadHooks] = {}
#: What stands in for `anyio.to_thread.run_sync`, and what was there before.
_door: tuple[Any, Any] = (None, None)


def thread_number() -> int:
    """Return this thread's number, from 1; unlike an ident it is never reused."""
    number = getattr(_local, "number", None)
    if number is None:
        number = _local.number = _next_thread()
    return int(number)


class ThreadHooks:
    """The two doors of one recorded loop."""

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self.rec = rec
        self._loop = loop
        self._limiter: Any = None
        self._stock = replaced(loop, "run_in_executor")
        run_in_executor = loop.run_in_executor

        def recorded(executor: Any, func: Any, *args: Any) -> Any:
            kind = _way_out(executor, func) if rec.enabled else None
            if kind is None:
                return run_in_executor(executor, func, *args)
            if kind == Kind.PROCESS_END:
                call = _note(rec, Kind.PROCESS_CALL, func)
            else:
                call = _note(rec, Kind.THREAD_QUEUED, func, Door.EXECUTOR)
                func = _in_thread(call, func)
            try:
                future = run_in_executor(executor, func, *args)
            except BaseException:
                _write(rec, kind, call.number, 1)
                raise
            _tell_when_over(future, call, kind)
            return future

        self._ours = recorded

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        self._loop.run_in_executor = self._ours
        _hooks[self._loop] = self
        _reach_anyio()

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us."""
        _hooks.pop(self._loop, None)
        restore(self._loop, "run_in_executor", self._ours, self._stock)
        if not _hooks:
            _leave_anyio()

    def beat(self, now_ns: int = 0) -> None:
        """Say in the header how many of anyio's tokens are taken. Any thread may."""
        if self._loop in _hooks:
            _reach_anyio()
        limiter = self._limiter
        if limiter is None:
            return
        cells, total = self.rec.ring.cells, limiter.total_tokens
        waiting = getattr(limiter, "_wait_queue", None)
        if waiting is None:
            waiting = range(limiter.statistics().tasks_waiting)
        cells[Cell.TOKENS_WAITING] = len(waiting)
        cells[Cell.TOKENS_BORROWED] = limiter.borrowed_tokens
        # It may be infinite.
        cells[Cell.TOKENS] = total if isinstance(total, int) else 0

    def ask(self, func: Any, args: tuple[Any, ...], *, own_limiter: bool) -> _Call:
        """Record that the current task asks anyio for a thread."""
        why = ""
        door = Door.LIMITER if own_limiter else Door.TOKEN
        try:
            if self._limiter is None:
                to_thread = sys.modules["anyio.to_thread"]
                self._limiter = to_thread.current_default_thread_limiter()
            func, why = find_hop(func, args, sys._getframe(2))
        except Exception:  # noqa: BLE001 - a callable of somebody's own making
            pass
        return _note(self.rec, Kind.THREAD_QUEUED, func, door, why)


class _Call:
    """One function on its way through a thread or process."""

    __slots__ = ("is_over", "number", "rec")

    def __init__(self, rec: Recorder, number: int) -> None:
        self.rec = rec
        self.number = number
        self.is_over = False


def _reach_anyio() -> None:
    """Replace anyio's function, once anyio is there: apps import it when they like.

    A new one for each stretch of recording, and one only: who has wrapped it since
    has it in his chain, and may keep it there when we have long left.
    """
    global _door
    to_thread: Any = sys.modules.get("anyio.to_thread")
    # It may be half imported by another thread.
    stock = getattr(to_thread, "run_sync", None)
    if stock is None or _door[0] is not None:
        return
    ours = _make_run_sync(stock)
    _door = (ours, stock)
    to_thread.run_sync = ours
    # The watchdog's thread may come here while the last recording ends.
    if not _hooks:
        _leave_anyio()
        if to_thread.run_sync is ours:
            to_thread.run_sync = stock


def _leave_anyio() -> None:
    global _door
    (ours, stock), _door = _door, (None, None)
    to_thread: Any = sys.modules.get("anyio.to_thread")
    if ours is not None and getattr(to_thread, "run_sync", None) is ours:
        to_thread.run_sync = stock


def _make_run_sync(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands in for `anyio.to_thread.run_sync` while a loop is recorded."""

    async def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        hooks = None
        if run_sync is _door[0]:
            # Without a running loop anyio is on another backend: not ours to record.
            with suppress(RuntimeError):
                hooks = _hooks.get(asyncio.get_running_loop())
        if hooks is None or not hooks.rec.enabled:
            return await stock(func, *args, **options)
        own_limiter = options.get("limiter") is not None
        call = hooks.ask(func, args, own_limiter=own_limiter)
        try:
            return await stock(_in_thread(call, func, hooks.beat), *args, **options)
        finally:
            # Cancelled before it began, or given up on while it runs.
            if not call.is_over:
                _write(hooks.rec, Kind.THREAD_DROPPED, call.number, 0)

    return run_sync


def _way_out(executor: Any, func: Any) -> Kind | None:
    """Return what tells the end of a call that an executor gets; None: not recorded."""
    try:
        if not callable(func) or inspect.iscoroutinefunction(func):
            return None
        if isinstance(executor, ProcessPoolExecutor):
            return Kind.PROCESS_END
        if executor is None or type(executor).submit is ThreadPoolExecutor.submit:
            return Kind.THREAD_DROPPED
    except Exception:  # noqa: BLE001 - a callable of somebody's own making
        pass
    # Any other may send the function elsewhere, where a wrapper of ours cannot go:
    # it stays as it is.
    return None


def _in_thread(
    call: _Call, func: Any, at_begin: Callable[[], None] = lambda: None
) -> Any:
    """Return what calls `func` and records when it begins and ends, and where."""

    if not call.number:
        return func

    def recorded(*args: Any, **kwargs: Any) -> Any:
        rec = call.rec
        _write(rec, Kind.THREAD_BEGIN, call.number, thread_number())
        try:
            at_begin()
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            rec.fail(error)
        try:
            return func(*args, **kwargs)
        finally:
            call.is_over = True
            _write(rec, Kind.THREAD_END, call.number, thread_number())

    # A callable of somebody's own making may refuse to be asked.
    with suppress(Exception):
        functools.update_wrapper(recorded, func, updated=())
    return recorded


def _note(
    rec: Recorder, kind: Kind, func: Any, door: Door = Door.TOKEN, why: str = ""
) -> _Call:
    """Record that the current task asks for `func`; a call of number 0 if it failed."""
    call = _Call(rec, 0)
    try:
        with suppress(Exception):
            func = find_meant(func)
        name = rec.name_callback(func)
        if why:
            name |= rec.intern(why) << 40
        number = _next_call()
        detail = name | door << 32
        rec.ring.write(kind, rec.now_ns(), detail, number, max(rec.current, 0))
        call.number = number
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)
    return call


def _tell_when_over(future: Any, call: _Call, kind: Kind) -> None:
    """Record the end of a process call, or that a queued function never will begin.

    The pool's own future tells it to whoever asks, at once and in any thread; it
    is found behind asyncio's, where `wrap_future` has tied the two together.
    """

    def over(done: Future[Any]) -> None:
        cancelled = done.cancelled()
        if kind == Kind.PROCESS_END or cancelled:
            _write(call.rec, kind, call.number, cancelled)

    try:
        source = _find_source(future)
        if source is not None:
            source.add_done_callback(over)
    except Exception:  # noqa: BLE001 - a future of somebody's own making
        pass


def _find_source(future: Any) -> Future[Any] | None:
    # `_callbacks`: of asyncio's futures, in C and in Python, on 3.11 to 3.13.
    for callback, _ in getattr(future, "_callbacks", None) or ():
        for cell in getattr(callback, "__closure__", None) or ():
            if isinstance(cell.cell_contents, Future):
                return cell.cell_contents
    return None


def _write(rec: Recorder, kind: Kind, call: int, detail: int) -> None:
    if not rec.enabled or not call:
        return
    try:
        rec.ring.write(kind, rec.now_ns(), 0, call, detail)
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)
