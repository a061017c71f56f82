"""Record what tasks hand to worker threads: asked, begun, ended, in which thread.

Two doors lead there: `anyio.to_thread.run_sync` (what FastAPI uses for `def`
handlers, sync dependencies and files), a module attribute that its callers look
up at each call, and `loop.run_in_executor` (under `asyncio.to_thread`). Process
pools are seen from outside only: their function runs where no recorder is.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dashboard.recorder.hooks import replaced, restore
from dashboard.recorder.reasons import is_users_file
from dashboard.records import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.recorder.recorder import Recorder

_next_call = itertools.count(1).__next__
_next_thread = itertools.count(1).__next__
_local = threading.local()

#: Recorders by loop, for the one patch of anyio that serves them all.
_recorders: dict[Any, Recorder] = {}
_stock_run_sync: Callable[..., Any] | None = None


def thread_number() -> int:
    """Return this thread's number, from 1; unlike an ident it is never reused."""
    number = getattr(_local, "number", None)
    if number is None:
        number = _local.number = _next_thread()
    return int(number)


class ThreadHooks:
    """The two doors of one recorded loop."""

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._rec = rec
        self._loop = loop
        self._stock = replaced(loop, "run_in_executor")
        run_in_executor = loop.run_in_executor

        def recorded(executor: Any, func: Any, *args: Any) -> Any:
            if not callable(func):
                return run_in_executor(executor, func, *args)
            if isinstance(executor, ProcessPoolExecutor):
                _note(rec, Kind.PROCESS_CALL, func)
            elif executor is None or isinstance(executor, ThreadPoolExecutor):
                func = _in_thread(rec, func)
            # Any other may send the function elsewhere, where a wrapper of ours
            # cannot go: it stays as it is.
            return run_in_executor(executor, func, *args)

        self._ours = recorded

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        global _stock_run_sync
        self._loop.run_in_executor = self._ours
        _recorders[self._loop] = self._rec
        to_thread: Any = sys.modules.get("anyio.to_thread")
        if to_thread is not None and to_thread.run_sync is not _run_sync:
            _stock_run_sync = to_thread.run_sync
            to_thread.run_sync = _run_sync

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us."""
        _recorders.pop(self._loop, None)
        restore(self._loop, "run_in_executor", self._ours, self._stock)
        to_thread: Any = sys.modules.get("anyio.to_thread")
        if not _recorders and to_thread is not None and to_thread.run_sync is _run_sync:
            to_thread.run_sync = _stock_run_sync


async def _run_sync(func: Any, *args: Any, **options: Any) -> Any:
    """Stand in for `anyio.to_thread.run_sync` while a loop is recorded."""
    stock = _stock_run_sync
    assert stock is not None  # installed together with this function
    try:
        rec = _recorders.get(asyncio.get_running_loop())
    except RuntimeError:
        # anyio on another backend: not ours to record.
        rec = None
    if rec is not None and rec.enabled:
        func = _in_thread(rec, func)
    return await stock(func, *args, **options)


def _in_thread(rec: Recorder, func: Any) -> Any:
    """Record that `func` is asked for; return what records its begin and end."""
    call = _note(rec, Kind.THREAD_QUEUED, func)
    if not call:
        return func

    @functools.wraps(func, updated=())
    def recorded(*args: Any, **kwargs: Any) -> Any:
        _write(rec, Kind.THREAD_BEGIN, call, thread_number())
        try:
            return func(*args, **kwargs)
        finally:
            _write(rec, Kind.THREAD_END, call, thread_number())

    return recorded


def _note(rec: Recorder, kind: Kind, func: Any) -> int:
    """Record that the current task asks for `func`; return the call's number or 0."""
    if not rec.enabled:
        return 0
    try:
        call = _next_call()
        name = rec.name_callback(_unwrap(func))
        rec.ring.write(kind, rec.now_ns(), name, call, max(rec.current, 0))
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)
        return 0
    return call


def _unwrap(func: Any) -> Any:
    """Find the function that is really meant inside `functools.partial`.

    Libraries hand over helpers of their own with the user's function among the
    arguments: asyncio `context.run(func)`, FastAPI `_run_sync_endpoint(function=…)`.
    """
    if not isinstance(func, functools.partial):
        return func
    for inner in (func.func, *func.args, *func.keywords.values()):
        found = _unwrap(inner) if isinstance(inner, functools.partial) else inner
        code = getattr(getattr(found, "__func__", found), "__code__", None)
        if code is not None and is_users_file(code.co_filename):
            return found
    return func.func


def _write(rec: Recorder, kind: Kind, call: int, thread: int) -> None:
    if not rec.enabled:
        return
    try:
        rec.ring.write(kind, rec.now_ns(), 0, call, thread)
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)
