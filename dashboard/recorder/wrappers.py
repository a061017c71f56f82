"""Hooks for loops in C or of another kind: each callback gets a wrapper.

uvloop has none of asyncio's insides. Its `call_soon`, `call_at`, `call_later` and
`call_soon_threadsafe` are replaced on the instance by ones that wrap what they are
given. Protocol callbacks straight from libuv stay invisible. Tried with uvloop 0.23.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from types import MethodType
from typing import Any

from dashboard.recorder.handles import (
    DUE_WORTH_NS,
    FirstStep,
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
from dashboard.recorder.replacing import replaced, restore
from dashboard.recorder.rounds import (
    CALL,
    DUE,
    OWNER,
    STEP_CANCELLED,
    STEP_DONE,
    STEP_RAISED,
    STEP_READY,
    STEP_WAITING,
)
from dashboard.recorder.wakers import SIGNAL, THREAD, TIMER, root_of
from dashboard.recorder.wakes import make_wake
from dashboard.records import Cell

SINCE = int(Cell.SINCE)


def make_wrappers(rec: Recorder) -> tuple[type, type]:
    """Make the callables that stand in for callbacks on a loop in C.

    One for task steps, bare for speed, and one for everything else.
    """
    ring, pack, buffer, cells = rec.ring, rec.ring.pack, rec.ring.buffer, rec.ring.cells
    tags, now_ns, name_callback = rec.ring.tags, rec.now_ns, rec.name_callback
    forget = rec.tasks.pop

    class Wrapper:
        # `__self__` keeps a task's wake-up recognisable for other tools.
        __slots__ = ("__self__", "callback", "deadline_ns", "entry", "root")

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
                        # As in a round: see there.
                        if entry.state == READY:
                            ending = STEP_READY
                            entry.since_ns = end
                        elif not is_done(task := self.__self__):
                            ending = STEP_WAITING
                            entry.state = WAITING
                            entry.named = False
                            entry.since_ns = end
                            if entry.gone is None:
                                rec.watch(task, entry)
                        else:
                            forget(id(task), None)
                            entry.gone = entry.scope = None
                            ending = STEP_DONE
                            if was_cancelled(task):
                                ending = STEP_CANCELLED
                            elif task._exception is not None:
                                ending = STEP_RAISED
                        tag = tags[ending]
                        try:
                            offset = ring.advance()
                        except StopIteration:
                            offset = ring.wrap()
                            tag = tags[ending]
                        if offset:
                            pack(buffer, offset, start, end, no, 0, tag)
                        if end > rec.look_due_ns and rec.look is not None:
                            rec.look(end)
                    except Exception as error:
                        rec.fail(error)

    class Call(Wrapper):
        __slots__ = ()

        def __init__(self, callback: Any, root: int, deadline_ns: int = 0) -> None:
            self.callback = callback
            self.root = root
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
                cells[OWNER] = rec.current = -(self.root | name)
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
                        tag = tags[CALL]
                        try:
                            offset = ring.advance()
                        except StopIteration:
                            offset = ring.wrap()
                            tag = tags[CALL]
                        if offset:
                            request = current_request.get()
                            pack(buffer, offset, start, end, name, request, tag)
                    except Exception as error:
                        rec.fail(error)

    return Step, Call


class WrapperHooks:
    """Everything that is replaced on such a loop: scheduling methods only."""

    _NAMES = (
        "add_signal_handler",
        "call_at",
        "call_later",
        "call_soon",
        "call_soon_threadsafe",
    )

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._loop = loop
        self._stock = {name: replaced(loop, name) for name in self._NAMES}
        step, call = make_wrappers(rec)
        wake, new, now_ns = make_wake(rec), object.__new__, rec.now_ns
        find = rec.tasks.get
        call_soon, call_soon_threadsafe = loop.call_soon, loop.call_soon_threadsafe
        call_at, call_later = loop.call_at, loop.call_later
        add_signal_handler = loop.add_signal_handler

        def recorded_call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
            kind = type(callback)
            if kind is Wakeup or kind is FirstStep:
                task = callback.__self__
                entry = find(id(task))
                if entry is not None and entry.state == RUNNING and rec.enabled:
                    # It hands itself back to the loop, as its step's end will tell.
                    entry.state = READY
                else:
                    entry = wake(callback, context)
                if entry is not None:
                    stand_in: Any = new(step)
                    stand_in.__self__ = task
                    stand_in.callback = callback
                    stand_in.entry = entry
                    if not args:
                        return call_soon(stand_in, context=context)
                    return call_soon(stand_in, *args, context=context)
            if callable(callback):
                callback = call(callback, root_of(rec.current))
            return call_soon(callback, *args, context=context)

        def recorded_threadsafe(callback: Any, *args: Any, context: Any = None) -> Any:
            if callable(callback):
                callback = call(callback, THREAD)
            return call_soon_threadsafe(callback, *args, context=context)

        def recorded_call_at(
            when: float, callback: Any, *args: Any, context: Any = None
        ) -> Any:
            if callable(callback):
                callback = call(callback, TIMER, to_ns(when))
            return call_at(when, callback, *args, context=context)

        def recorded_call_later(
            delay: float, callback: Any, *args: Any, context: Any = None
        ) -> Any:
            # uvloop's own `call_at` comes by here, with what is wrapped already.
            if callable(callback) and type(callback) is not call:
                # libuv's clock stands still during a step, so ask the real one.
                deadline_ns = to_ns(delay) and now_ns() + to_ns(delay)
                callback = call(callback, TIMER, deadline_ns)
            return call_later(delay, callback, *args, context=context)

        def recorded_signal(sig: int, callback: Any, *args: Any) -> None:
            # A coroutine function is refused, which it must look like one for.
            if callable(callback) and not iscoroutinefunction(callback):
                callback = call(callback, SIGNAL)
            add_signal_handler(sig, callback, *args)

        self._ours = {
            "add_signal_handler": recorded_signal,
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
