"""What asyncio hands to a loop, told apart: a task's first step, its wake-ups, timers."""

from __future__ import annotations

import asyncio
from asyncio import Task, events
from types import FunctionType
from typing import Any

Handle = events.Handle
TimerHandle = events.TimerHandle
Function = FunctionType
#: Of a task's later steps; the methods of C objects have the same type.
Wakeup = type(len)

#: A timer that fires this late has been *due*; below it is the loop's own pace.
DUE_WORTH_NS = 500_000

# Called unbound: a look-up on the instance cannot be specialised by the
# interpreter, as tasks may have a `__dict__`.
is_done, was_cancelled, get_coro = Task.done, Task.cancelled, Task.get_coro
# Any: a field of the task in C (3.11 to 3.13); where asyncio's is in Python there is none.
_field: Any = getattr(Task, "_coro", None)
#: The same as `get_coro`, for a task that may be over: one that ended in its eager first
#: step has no coroutine any more, and CPython 3.12.1 crashes when its method is asked.
coro_of: Any = get_coro if _field is None else _field.__get__


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
