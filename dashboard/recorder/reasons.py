"""Say what a suspended task waits for, and at which line of the user's code.

The coroutine chain is read, never touched: `cr_await` leads from the task's
coroutine to the innermost one, whose qualified name tells the reason. A wait
that has no known name is `unknown`, never a guess. Costs 1–3 µs, so it is done
only for waits that lasted.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.records import Kind

if TYPE_CHECKING:
    from types import FrameType

    from dashboard.recorder.recorder import Recorder, TaskEntry


class Reason(NamedTuple):
    """Why a task waits."""

    what: str
    file: str
    line: int
    function: str
    deadline_ns: int
    """When its timer is due, or 0."""


#: Innermost qualified name, outside of the user's code → reason.
#: The names are the same on 3.11, 3.12 and 3.13.
KNOWN = {
    "sleep": "sleep",
    "Lock.acquire": "lock",
    "Event.wait": "event",
    "Condition.wait": "condition",
    "Condition.wait_for": "condition",
    "Semaphore.acquire": "semaphore",
    "CapacityLimiter.acquire": "thread token",
    "CapacityLimiter.acquire_on_behalf_of": "thread token",
    "Barrier.wait": "barrier",
    "Queue.get": "queue",
    "Queue.put": "queue",
    "Queue.join": "queue",
    "MemoryObjectReceiveStream.receive": "queue",
    "MemoryObjectSendStream.send": "queue",
    "TaskGroup.__aexit__": "tasks",
    "_wait": "tasks",
    "wait": "tasks",
    "gather": "tasks",
    "wait_for": "task",
    "shield": "task",
    "to_thread": "thread",
    "AsyncIOBackend.run_sync_in_worker_thread": "thread",
    "StreamReader._wait_for_data": "socket",
    "StreamReader.readline": "socket",
    "FlowControlMixin._drain_helper": "socket",
    "FlowControl.drain": "socket",
    "RequestResponseCycle.receive": "client",
    "BaseSubprocessTransport._wait": "process",
    "Server.main_loop": "sleep",
    "Server.serve_forever": "server",
    "LifespanOn.main": "lifespan",
    "LifespanOn.receive": "lifespan",
}


def note_reason(rec: Recorder, task: Any, entry: TaskEntry, now_ns: int) -> None:
    """Record why `task` waits, if that can be told."""
    entry.named = True
    try:
        reason = find_reason(task)
    except Exception:  # noqa: BLE001 - a coroutine of somebody's own making
        return
    if reason is None:
        return
    what, file, line, function, deadline_ns = reason
    index = rec.intern(what, file, line, function)
    rec.ring.write(Kind.REASON, now_ns, deadline_ns, entry.no, index)


def find_reason(task: Any) -> Reason | None:
    """Walk from the task's coroutine to what it awaits; None if it is not waiting."""
    coro = task.get_coro()
    chain: list[Any] = []
    # Depth is bounded: a chain is as deep as the program's nested awaits.
    while coro is not None and len(chain) < 100:
        frame = _frame(coro)
        if frame is None:
            break
        chain.append(coro)
        coro = _awaited(coro)
    if not chain:
        return None
    waiter = getattr(task, "_fut_waiter", None)
    what = _name(chain, waiter)
    frame = next(
        (found for coro in reversed(chain) if is_users(found := _frame(coro))),
        None,
    ) or _frame(chain[0])
    code = frame.f_code
    deadline_ns = _deadline_ns(chain[-1]) if what == "sleep" else 0
    return Reason(what, code.co_filename, frame.f_lineno, code.co_qualname, deadline_ns)


def _name(chain: list[Any], waiter: Any) -> str:
    for coro in reversed(chain):
        # The user's own `wait` or `Lock.acquire` is not what we know by that name.
        if is_users(_frame(coro)):
            break
        known = KNOWN.get(getattr(coro, "__qualname__", ""))
        if known is not None:
            return known
    kind = type(waiter).__name__
    if kind == "_GatheringFuture":
        return "tasks"
    if hasattr(waiter, "get_coro"):
        return "task"
    return "future" if is_users(_frame(chain[-1])) else "unknown"


def _deadline_ns(innermost: Any) -> int:
    """Read `asyncio.sleep`'s timer handle from its frame."""
    frame = _frame(innermost)
    handle = frame.f_locals.get("h") if frame is not None else None
    # By name, as uvloop's is another type: nobody else's `when` may be called.
    if type(handle).__name__ != "TimerHandle":
        return 0
    when = handle.when()  # type: ignore[union-attr]
    return int(when * 1e9) if 0 < when < 3.2e9 else 0


def _frame(coro: Any) -> Any:
    return (
        getattr(coro, "cr_frame", None)
        or getattr(coro, "gi_frame", None)
        or getattr(coro, "ag_frame", None)
    )


def _awaited(coro: Any) -> Any:
    return (
        getattr(coro, "cr_await", None)
        or getattr(coro, "gi_yieldfrom", None)
        or getattr(coro, "ag_await", None)
    )


def is_users(frame: FrameType | None) -> bool:
    """Say whether a frame is the user's own code: neither library nor recorder."""
    return frame is not None and is_users_file(frame.f_code.co_filename)


@lru_cache(maxsize=4096)
def is_users_file(file: str) -> bool:
    """Say whether a file belongs to neither the standard library nor a package."""
    if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
        return _is_ours_to_show(file)
    return not file.startswith(_LIBRARY) and not file.startswith(_RECORDER)


def _is_ours_to_show(file: str) -> bool:
    # The demo app is the user's code even when it is installed.
    return file.startswith(_DEMO)


_LIBRARY = tuple(
    {
        path
        for name in ("stdlib", "platstdlib")
        if (path := sysconfig.get_paths().get(name))
    }
    | {f"{sys.base_prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/"}
)
_RECORDER = __file__.rpartition("/")[0]
_DEMO = __file__.rpartition("/recorder/")[0] + "/demo/"
