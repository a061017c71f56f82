"""Tell what made the loop run a callback: a task, timer, socket, thread or signal.

A handle's own type says so: those of threads and signals get a type of ours, which
does nothing but stand for where they came from, and those of `call_soon` remember
who ran when they were made. What is left are timers and sockets.
"""

from __future__ import annotations

from asyncio import events
from threading import get_ident
from typing import TYPE_CHECKING, Any

from dashboard.recorder.replacing import replaced
from dashboard.records import (
    OWNER_NAME_BITS,
    OWNER_NAME_MASK,
    OWNER_ORIGIN_BITS,
    Origin,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.recorder.recorder import Recorder

Handle = events.Handle
TASK_SHIFT = OWNER_NAME_BITS + OWNER_ORIGIN_BITS
ROOT_MASK = ~OWNER_NAME_MASK


def _kind(slots: tuple[str, ...] = ()) -> Any:
    """Make a handle type that looks like asyncio's own."""
    body = {"__slots__": slots, "__module__": Handle.__module__}
    return type("Handle", (Handle,), body)


#: Of `call_soon`: `cause` is the owner that ran.
Soon = _kind(("cause",))
FromThread, FromSignal = _kind(), _kind()

TIMER = Origin.TIMER << OWNER_NAME_BITS
THREAD = Origin.THREAD << OWNER_NAME_BITS
SOCKET = Origin.SOCKET << OWNER_NAME_BITS
SIGNAL = Origin.SIGNAL << OWNER_NAME_BITS
#: What goes into a callback's owner, by its handle's type.
MARKS: dict[type, int] = {
    events.TimerHandle: TIMER,
    FromThread: THREAD,
    FromSignal: SIGNAL,
}


def root_of(cause: int) -> int:
    """Return what goes into the owner of a callback that the owner `cause` asked for.

    A callback asked for by another one has the same root as that.
    """
    return cause << TASK_SHIFT if cause > 0 else -cause & ROOT_MASK


def owner_of(rec: Recorder) -> int:
    """Return who runs now; of a callback also what made the loop run it."""
    owner, handle = rec.current, rec.handle
    if owner >= 0 or handle is None:
        # A task; or wrappers, which know the root from the beginning.
        return owner
    kind = type(handle)
    if kind is Soon:
        root = root_of(handle.cause)
    elif kind is Handle:
        # Of `call_soon` too, if it was made in debug mode or by asyncio's own.
        root = SOCKET if _is_of_socket(handle, rec.polled) else 0
    else:
        root = MARKS.get(kind, 0)
    return -(root | -owner)


def _is_of_socket(handle: Any, polled: Any) -> bool:
    try:
        return any(handle in key.data for key, _ in polled or ())
    except Exception:  # noqa: BLE001 - a selector of somebody's own making
        return False


def unmark(loop: Any) -> None:
    """Make the handles that a loop keeps asyncio's own again."""
    for handle in getattr(loop, "_signal_handlers", {}).values():
        if type(handle) is FromSignal:
            handle.__class__ = Handle


def make_from_thread(loop: Any) -> Callable[..., Any]:
    """Return `call_soon_threadsafe` for a loop of asyncio's.

    Somebody else's, put there before us, stays in charge; its handles tell nothing.
    """
    stock = loop.call_soon_threadsafe
    if replaced(loop, "call_soon_threadsafe") is not None:
        return stock  # type: ignore[no-any-return]

    def call_soon_threadsafe(callback: Any, *args: Any, context: Any = None) -> Any:
        # A signal's Python handler may interrupt the loop's own thread, any time.
        if loop._debug or get_ident() == loop._thread_id:
            return stock(callback, *args, context=context)
        loop._check_closed()
        handle = FromThread(callback, args, loop, context)
        loop._ready.append(handle)
        loop._write_to_self()
        return handle

    return call_soon_threadsafe


def make_from_signal(loop: Any) -> Callable[..., Any]:
    """Return `add_signal_handler` for a loop of asyncio's; mark those it has."""
    stock = loop.add_signal_handler

    def mark() -> None:
        for handle in getattr(loop, "_signal_handlers", {}).values():
            if type(handle) is Handle:
                handle.__class__ = FromSignal

    def add_signal_handler(sig: int, callback: Any, *args: Any) -> None:
        stock(sig, callback, *args)
        mark()

    mark()
    return add_signal_handler
