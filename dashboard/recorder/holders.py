"""Find who holds a lock, from where its holder is suspended.

asyncio's locks do not know who has them. But who is inside of `async with lock`
has the lock's `__aexit__` on its stack, until it leaves. A lock that is taken and
given back by hand, or held by the task that runs right now, has no known holder.
Costs a look at every waiting task, so only the watchdog asks.
"""

from __future__ import annotations

from asyncio import Task
from typing import TYPE_CHECKING

from dashboard.recorder.handles import coro_of
from dashboard.recorder.peek import exits_of, locals_of, step_in

if TYPE_CHECKING:
    from dashboard.recorder.recorder import Recorder

#: Frames looked at in one search; beyond, nobody is named.
MAX_FRAMES = 4000


def find_holders(rec: Recorder) -> dict[int, int]:
    """Return, by `id()` of the lock, the number of the task that is inside of it."""
    holders: dict[int, int] = {}
    left = MAX_FRAMES
    for entry in list(rec.tasks.values()):
        task = entry.gone() if entry.gone is not None else None
        # Tasks that are written in Python are not asked: that is somebody's code.
        if not isinstance(task, Task):
            continue
        held: set[int] = set()
        step = step_in(coro_of(task))
        while step is not None and left > 0:
            left -= 1
            code, coro, awaited = step
            found = locals_of(coro, code)
            if getattr(code, "co_name", "") in ("acquire", "__aenter__"):
                # It is about to enter: what is on the stack already is not held.
                held.discard(id(found[0]) if found else 0)
            held.update(map(id, exits_of(found)))
            step = step_in(awaited)
        for lock in held:
            holders[lock] = entry.no
    return holders
