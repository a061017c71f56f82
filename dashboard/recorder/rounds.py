"""`_run_once` of a recorded loop: see to timers, poll, run what is ready, take the time.

It does what asyncio's own does, in the same order (CPython 3.11 to 3.13; a test
compares). A hook around each handle costs more than twice as much, as code that
runs once per request finds the processor's caches cold.
"""

from __future__ import annotations

import heapq
import logging
from asyncio import base_events, format_helpers
from inspect import signature
from itertools import repeat, starmap
from types import MethodType
from typing import TYPE_CHECKING, Any

from dashboard.errors import RecorderError
from dashboard.recorder.handles import (
    DUE_WORTH_NS,
    FirstStep,
    Function,
    Handle,
    TimerHandle,
    Wakeup,
    is_done,
    to_ns,
    was_cancelled,
)
from dashboard.recorder.recorder import (
    READY,
    RUNNING,
    WAITING,
    Recorder,
    current_request,
)
from dashboard.records import Cell, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a round of asyncio's goes by, under its own names.
internals: Any = base_events
#: A loop that had nothing to do for so long is quiet.
QUIET_S = 0.02
_FORMAT_TAKES_DEBUG = (
    "debug" in signature(format_helpers._format_callback_source).parameters
)

# Plain integers: an IntEnum member costs a slot look-up at each use.
STEP_WAITING, STEP_READY = int(Kind.STEP_WAITING), int(Kind.STEP_READY)
STEP_DONE, STEP_RAISED = int(Kind.STEP_DONE), int(Kind.STEP_RAISED)
STEP_CANCELLED = int(Kind.STEP_CANCELLED)
CALL, POLL, DUE = int(Kind.CALL), int(Kind.POLL), int(Kind.DUE)
OWNER = int(Cell.OWNER)


def make_run_once(
    rec: Recorder, loop: Any, stock_run: Callable[[Any], None] | None
) -> Callable[[], None]:
    """Return `_run_once` for this loop: one round, recorded.

    `stock_run` is asyncio's own `Handle._run`, whose one line is written out here.
    While somebody has another one in its place (None: already has), or in debug
    mode, each handle is asked to run itself.
    """
    ring, pack, buffer, tags = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.tags
    cells = rec.ring.cells
    now_ns, find, forget = rec.now_ns, rec.tasks.get, rec.tasks.pop
    find_name, name_callback = rec.names.get, rec.name_callback
    find_builtin, hash_of = rec.builtin_names.get, object.__hash__
    ready, popleft = loop._ready, loop._ready.popleft
    stock_round = internals.BaseEventLoop._run_once

    def run_once() -> None:
        if type(loop)._run_once is not stock_round:
            # Such as nest_asyncio, applied meanwhile: its rounds are not ours.
            rec.fail(RecorderError("somebody replaced the loop's round"))
            type(loop)._run_once(loop)
            return
        _forget_cancelled_timers(loop)
        timeout = _time_to_wait(loop)
        if timeout == 0:
            # A look without waiting is the loop's own work, and no record's worth.
            found = loop._selector.select(0)
        else:
            start = rec.last_ns or now_ns()
            rec.last_ns = 0
            if rec.look is None or (timeout is not None and timeout < QUIET_S):
                found = loop._selector.select(timeout)
            else:
                found = loop._selector.select(QUIET_S)
                if not found:
                    try:
                        # Nothing else to do: time to name what is waited for.
                        rec.look(now_ns())
                    except Exception as error:
                        rec.fail(error)
                    found = loop._selector.select(_time_to_wait(loop))
            try:
                end = now_ns()
                tag = tags[POLL]
                try:
                    offset = ring.advance()
                except StopIteration:
                    offset = ring.wrap()
                    tag = tags[POLL]
                if offset:
                    pack(buffer, offset, start, end, len(found), len(ready), tag)
            except Exception as error:
                rec.fail(error)
        rec.polled = found
        loop._process_events(found)
        # Or the frame would keep it, in the traceback of a callback's exception.
        found = None
        _make_due_timers_ready(loop)

        is_stock = Handle._run is stock_run and not loop._debug
        # Between two handles lies only a popleft, so the end of one is the beginning
        # of the next: one look at the clock for each.
        start = rec.last_ns = now_ns()
        queue = starmap(popleft, repeat((), len(ready)))
        for handle in queue:
            if handle._cancelled:
                continue
            callback = handle._callback
            kind = type(callback)
            try:
                if kind is MethodType:
                    entry = None
                    name = find_name(id(getattr(callback.__func__, "__code__", 0)))
                elif kind is FirstStep or kind is Wakeup:
                    task = callback.__self__
                    entry = find(id(task))
                    if entry is None:
                        # Its hash is made of its object's and its function's.
                        name = find_builtin(hash(callback) ^ hash_of(task))
                else:
                    entry = None
                    name = find_name(id(callback.__code__)) if kind is Function else 0
                if entry is not None:
                    rec.entry = entry
                    cells[OWNER] = rec.current = entry.no
                    entry.state = RUNNING
                else:
                    name = name or name_callback(callback)
                    cells[OWNER] = rec.current = -name
                    # What made the loop run it is found out if it wakes somebody.
                    rec.handle = handle
                    if type(handle) is TimerHandle:
                        deadline = to_ns(handle.when())
                        if deadline and start - deadline > DUE_WORTH_NS:
                            ring.write(DUE, start, deadline, name, 0)
            except Exception as error:
                rec.fail(error)
                entry = None
            try:
                if is_stock:
                    handle._context.run(callback, *handle._args)
                else:
                    _run_unlike_stock(loop, handle)
            except (SystemExit, KeyboardInterrupt):
                # The loop stops here, and the rest of the queue waits.
                rec.current = rec.last_ns = cells[OWNER] = 0
                rec.handle = rec.polled = None
                if entry is not None and is_done(task):
                    forget(id(task), None)
                    entry.gone = entry.scope = None
                raise
            except BaseException as error:
                _report(handle, error)
            end = rec.last_ns = now_ns()
            if not rec.enabled:
                break
            try:
                if entry is None:
                    tag = tags[CALL]
                    try:
                        offset = ring.advance()
                    except StopIteration:
                        offset = ring.wrap()
                        tag = tags[CALL]
                    if offset:
                        context = handle._context
                        # Most are of no request, and many empty.
                        request = context.get(current_request, 0) if context else 0
                        pack(buffer, offset, start, end, name, request, tag)
                else:
                    if entry.state == READY:
                        ending = STEP_READY
                        entry.since_ns = end
                    elif not is_done(task):
                        ending = STEP_WAITING
                        entry.state = WAITING
                        entry.named = False
                        entry.since_ns = end
                        if entry.gone is None:
                            rec.watch(task, entry)
                    else:
                        forget(id(task), None)
                        # Its weak reference knows it, too: no cycle may outlive it.
                        entry.gone = entry.scope = None
                        ending = STEP_DONE
                        if was_cancelled(task):
                            ending = STEP_CANCELLED
                        # `exception()` would mark it as retrieved, and silence
                        # asyncio's warning about one that nobody looked at.
                        elif task._exception is not None:
                            ending = STEP_RAISED
                    tag = tags[ending]
                    try:
                        offset = ring.advance()
                    except StopIteration:
                        offset = ring.wrap()
                        tag = tags[ending]
                    if offset:
                        pack(buffer, offset, start, end, entry.no, 0, tag)
            except Exception as error:
                rec.fail(error)
            start = end
        rec.current = cells[OWNER] = 0
        # As the stock round does: a traceback may keep this frame.
        handle = callback = context = task = entry = rec.handle = rec.polled = None
        for rest in queue:
            # Recording ended in the middle of this round.
            if not rest._cancelled:
                _run_unlike_stock(loop, rest)
        if start > rec.look_due_ns and rec.look is not None:
            rec.look(start)
            # That is the loop's own work, no part of its poll.
            rec.last_ns = now_ns()

    return run_once


def _forget_cancelled_timers(loop: Any) -> None:
    """Do what a round does first: let go of timers that were cancelled."""
    scheduled = loop._scheduled
    count = len(scheduled)
    if (
        count > internals._MIN_SCHEDULED_TIMER_HANDLES
        and loop._timer_cancelled_count / count
        > internals._MIN_CANCELLED_TIMER_HANDLES_FRACTION
    ):
        living = []
        for handle in scheduled:
            if handle._cancelled:
                handle._scheduled = False
            else:
                living.append(handle)
        heapq.heapify(living)
        loop._scheduled = living
        loop._timer_cancelled_count = 0
        return
    while scheduled and scheduled[0]._cancelled:
        loop._timer_cancelled_count -= 1
        heapq.heappop(scheduled)._scheduled = False


def _time_to_wait(loop: Any) -> float | None:
    """Return how many seconds the loop may poll; None for as long as it takes."""
    if loop._ready or loop._stopping:
        return 0
    if not loop._scheduled:
        return None
    left: float = loop._scheduled[0]._when - loop.time()
    return min(max(0.0, left), float(internals.MAXIMUM_SELECT_TIMEOUT))


def _make_due_timers_ready(loop: Any) -> None:
    """Do what a round does after its poll."""
    scheduled = loop._scheduled
    end = loop.time() + loop._clock_resolution
    while scheduled and scheduled[0]._when < end:
        handle = heapq.heappop(scheduled)
        handle._scheduled = False
        loop._ready.append(handle)


def _run_unlike_stock(loop: Any, handle: Any) -> None:
    """Run a handle by its own `_run`, with what a round does in debug mode."""
    if not loop._debug:
        handle._run()
        return
    try:
        loop._current_handle = handle
        began = loop.time()
        handle._run()
        took = loop.time() - began
        if took >= loop.slow_callback_duration:
            logging.getLogger("asyncio").warning(
                "Executing %s took %.3f seconds",
                internals._format_handle(handle),
                took,
            )
    finally:
        loop._current_handle = None


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
