"""What is replaced on a loop of the standard library, and how it is put back.

Everything is replaced on the instance, nothing on a class:

| method | tells | written in |
| --- | --- | --- |
| `call_soon` | births, wakes, who woke whom | `wakes.py` |
| `_run_once` | steps, callbacks, polls | `rounds.py` |
| `call_soon_threadsafe`, `add_signal_handler` | that a thread or a signal did it \
| `wakers.py` |

Loops that do not go round so (uvloop, event loops of toolkits) are recorded by
`wrappers.py`.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from typing import TYPE_CHECKING, Any

from dashboard.recorder.handles import FirstStep, Handle, Wakeup
from dashboard.recorder.replacing import replaced, restore
from dashboard.recorder.rounds import make_run_once
from dashboard.recorder.wakers import make_from_signal, make_from_thread, unmark
from dashboard.recorder.wakes import make_call_soon

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.recorder.recorder import Recorder

BaseEventLoop: Any = base_events.BaseEventLoop

#: What a loop must have from asyncio itself to be recorded by its rounds.
_OWN = ("_run_once", "call_soon", "_call_soon", "call_soon_threadsafe")
_REPLACED = ("call_soon", "call_soon_threadsafe", "add_signal_handler")


class AsyncioHooks:
    """Everything that is replaced on a loop of the standard library."""

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._rec = rec
        self._loop = loop
        self._stock = {name: replaced(loop, name) for name in _REPLACED}
        self._ours = {
            "call_soon": make_call_soon(rec, loop),
            "call_soon_threadsafe": make_from_thread(loop),
            "add_signal_handler": make_from_signal(loop),
        }
        self._round = make_run_once(rec, loop, genuine_run())
        self._first_round = self._make_first_round()

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        for name, ours in self._ours.items():
            setattr(self._loop, name, ours)
        self._loop._run_once = self._first_round

    def remove(self) -> None:
        """Put everything back, except what someone replaced after us."""
        for name, ours in self._ours.items():
            restore(self._loop, name, ours, self._stock[name])
        unmark(self._loop)
        restore(self._loop, "_run_once", self._first_round, None)
        restore(self._loop, "_run_once", self._round, None)

    def _make_first_round(self) -> Callable[[], None]:
        rec, loop, run_once = self._rec, self._loop, self._round

        def first_round() -> None:
            """Look again: the round in which recording began went unseen."""
            loop._run_once = run_once
            try:
                tasks = asyncio.all_tasks(loop)
                rec.adopt_again(tasks, self.ready_tasks(tasks))
                rec.current = rec.last_ns = 0
            except Exception as error:
                rec.fail(error)
            run_once()

        return first_round

    def ready_tasks(self, tasks: set[Any]) -> set[Any]:
        """Return those of `tasks` that have a step in the ready queue."""
        queued = {
            id(handle._callback.__self__)
            for handle in list(self._loop._ready)
            if type(handle._callback) in (Wakeup, FirstStep)
        }
        return {task for task in tasks if id(task) in queued}


def genuine_run() -> Callable[[Any], None] | None:
    """Return asyncio's own `Handle._run`, or None if somebody replaced it."""
    run = Handle._run
    code, home = getattr(run, "__code__", None), Handle.__init__.__code__
    is_own = code is not None and code.co_filename == home.co_filename
    return run if is_own else None


def has_rounds(loop: Any) -> bool:
    """Say whether a loop goes round as asyncio's own does, by its own method."""
    return (
        isinstance(loop, BaseEventLoop)
        and hasattr(loop, "_selector")
        and all(
            getattr(type(loop), name) is getattr(BaseEventLoop, name) for name in _OWN
        )
        and replaced(loop, "_run_once") is None
    )
