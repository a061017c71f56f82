"""`call_soon` of a recorded loop: births of tasks, wakes, and who woke whom.

The C implementation of Task looks `call_soon` up on the loop object at each wake,
so an instance attribute catches every one, also when it is set while the loop runs.
"""

from __future__ import annotations

import contextvars
from asyncio import Task
from threading import get_ident
from typing import TYPE_CHECKING, Any

from dashboard.recorder.handles import FirstStep, Handle, Wakeup, get_coro, is_done
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
from dashboard.recorder.replacing import replaced
from dashboard.recorder.spawns import tell_spawn
from dashboard.recorder.wakers import Soon, owner_of
from dashboard.records import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

# Plain integers: an IntEnum member costs a slot look-up at each use.
WAKE, BORN = int(Kind.WAKE), int(Kind.BORN)


def make_wake(rec: Recorder) -> Callable[[Any, Any], Any]:
    """Return what records the wake or birth of a task, given its step callback.

    The function returns the task's entry, or None if the callback is no task's. For
    uvloop, and where `call_soon` below stands aside: what that does in place, too.
    """
    ring, pack, buffer, tags = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.tags
    now_ns, tasks, find = rec.now_ns, rec.tasks, rec.tasks.get
    next_task, find_name = rec.next_task, rec.names.get
    new = object.__new__

    def wake(callback: Any, context: Any) -> Any:
        if not rec.enabled:
            return None
        try:
            task = callback.__self__
            entry: Any = find(id(task))
            if entry is None:
                # A done callback such as `tasks.discard` is of the same type.
                # Of one that is over nothing more is to be told.
                if not isinstance(task, Task) or is_done(task):
                    return None
                rec.thread_id = get_ident()
                now = now_ns()
                entry = new(TaskEntry)
                entry.no = number = next_task()
                entry.state = READY
                entry.since_ns = 0
                entry.named = False
                entry.gone = entry.scope = None
                entry.request = 0
                # Whole before it is seen: the watchdog's thread looks on.
                tasks[id(task)] = entry
                try:
                    name = find_name(id(get_coro(task).cr_code))  # type: ignore[union-attr]
                except AttributeError:
                    name = 0
                name = name or rec.name_task(task)
                request = context.get(current_request, 0) if context else 0
                owner = request << 32 | rec.current & 0xFFFFFFFF
                tag = tags[BORN]
                try:
                    offset = ring.advance()
                except StopIteration:
                    offset = ring.wrap()
                    tag = tags[BORN]
                if offset:
                    pack(buffer, offset, now, owner, number, name, tag)
                # Made by a task, and for no request.
                if 0 < owner < 1 << 31:
                    tell_spawn(rec, task, entry)
                return entry
            if entry.state == RUNNING:
                entry.state = READY
                return entry
            now = now_ns()
            if (
                entry.state == WAITING
                and not entry.named
                and now - entry.since_ns > LASTING_NS
            ):
                note_reason(rec, task, entry, now)
            entry.state = READY
            tag = tags[WAKE]
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = tags[WAKE]
            if offset:
                pack(buffer, offset, now, owner_of(rec), entry.no, 0, tag)
        except Exception as error:
            rec.fail(error)
            return None
        return entry

    return wake


def make_call_soon(rec: Recorder, loop: Any) -> Callable[..., Any]:
    """Return `call_soon` for this loop.

    Everything is written out in place, the making of the handle too: code that runs
    once per request finds the caches cold, and then each Python call costs a
    microsecond. Recording a wake costs as much as the stock method's calls did.
    """
    wake = make_wake(rec)
    ring, pack, buffer, tags = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.tags
    now_ns, tasks, find = rec.now_ns, rec.tasks, rec.tasks.get
    next_task, find_name = rec.next_task, rec.names.get
    new, ready_append = object.__new__, loop._ready.append
    # Someone who replaced it before us stays in the chain, at the cost of a call.
    previous = replaced(loop, "call_soon")
    rec.is_aside = previous is not None

    def call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
        kind = type(callback)
        if loop._debug or rec.is_aside:
            if rec.enabled and (kind is Wakeup or kind is FirstStep):
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
        entry: Any = None
        if kind is FirstStep or kind is Wakeup:
            try:
                task = callback.__self__
                entry = find(id(task))
                if entry is None:
                    # A done callback such as `tasks.discard` is of the same type.
                    # Of one that is over nothing more is to be told.
                    if kind is FirstStep or (
                        isinstance(task, Task) and not is_done(task)
                    ):
                        now = now_ns()
                        entry = new(TaskEntry)
                        entry.no = number = next_task()
                        entry.state = READY
                        entry.since_ns = 0
                        entry.named = False
                        entry.gone = entry.scope = None
                        entry.request = 0
                        # Whole before it is seen: the watchdog's thread looks on.
                        tasks[id(task)] = entry
                        try:
                            name = find_name(id(get_coro(task).cr_code))  # type: ignore[union-attr]
                        except AttributeError:
                            name = 0
                        name = name or rec.name_task(task)
                        request = context.get(current_request, 0) if context else 0
                        owner = request << 32 | rec.current & 0xFFFFFFFF
                        tag = tags[BORN]
                        try:
                            offset = ring.advance()
                        except StopIteration:
                            offset = ring.wrap()
                            tag = tags[BORN]
                        if offset:
                            pack(buffer, offset, now, owner, number, name, tag)
                        # Made by a task, and for no request.
                        if 0 < owner < 1 << 31:
                            tell_spawn(rec, task, entry)
                elif entry.state == RUNNING:
                    # It hands itself back to the loop, as its step's end will tell.
                    entry.state = READY
                else:
                    now = now_ns()
                    if (
                        entry.state == WAITING
                        and not entry.named
                        and now - entry.since_ns > LASTING_NS
                    ):
                        note_reason(rec, task, entry, now)
                    entry.state = READY
                    tag = tags[WAKE]
                    try:
                        offset = ring.advance()
                    except StopIteration:
                        offset = ring.wrap()
                        tag = tags[WAKE]
                    if offset:
                        owner = rec.current
                        if owner < 0:
                            owner = owner_of(rec)
                        pack(buffer, offset, now, owner, entry.no, 0, tag)
            except Exception as error:
                rec.fail(error)
        # What Handle.__init__ does, without its two Python calls.
        handle: Any
        if entry is None:
            handle = new(Soon)
            cause = rec.current
            handle.cause = cause if cause >= 0 else owner_of(rec)
        else:
            handle = new(Handle)
        # Not `or`: an empty context is falsy, and must stay that one.
        handle._context = contextvars.copy_context() if context is None else context
        handle._loop = loop
        handle._callback = callback
        handle._args = args
        handle._cancelled = False
        handle._repr = None
        handle._source_traceback = None
        ready_append(handle)
        return handle

    return call_soon
