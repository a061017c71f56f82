"""What the records of a wait and of its end say, in words.

A wait has a kind (`sleep`, `Lock "cache"`, `httpx GET`), of which there are few, and
details (`1 s`, `held by request 12`, `10/10`), of which there is no end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.records import (
    OWNER_NAME_BITS,
    OWNER_NAME_MASK,
    OWNER_ORIGIN_BITS,
    Detail,
    Origin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Kinds of a wait that agree with its task having a function in a thread or process.
_OFF_LOOP = frozenset(
    {
        "worker thread",
        "thread token",
        "process pool",
        "executor",
        "wait_for",
        "gather",
        "wait",
        "as_completed",
        "TaskGroup",
        "task",
        "Future",
        "name lookup",
        "unknown",
    }
)
#: Kinds that mean another process, whoever started it.
PROCESSES = frozenset({"subprocess", "process pool"})
#: Kinds that nothing but a socket ends, unless they are cancelled.
_SOCKETS = frozenset(
    {"socket read", "socket write", "socket accept", "connect", "request body"}
)
_ORIGIN_MASK = (1 << OWNER_ORIGIN_BITS) - 1
_FOREVER = -1
_AT_MOST = "at most"
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


def base_of(kind: str) -> str:
    """Return a kind without the name that the user's line gives it."""
    return kind.partition(' "')[0]


def is_off_loop(kind: str) -> bool:
    """Say whether who waits for this may wait for a function off the loop."""
    base = base_of(kind)
    return base in _OFF_LOOP or base.startswith("aiofiles ")


def in_words(
    details: Iterable[tuple[int, int]],
    *,
    text: Callable[[int], str],
    who: Callable[[int], str],
) -> str:
    """Return the details of a wait, as (kind, value), in words.

    `text` reads a string of the ring, `who` names a task; both return "" for what
    they do not know, and then nothing is said.
    """
    words = ""
    for kind, value in sorted(details, key=lambda each: each[0] == Detail.TIMEOUT):
        words = whole(words, _clause(kind, value, text, who))
    return words


def whole(kind: str, detail: str) -> str:
    """Return a wait in words: `Queue.get 0/5, at most 2 s`."""
    comma = "," if kind and detail.startswith(_AT_MOST) else ""
    return f"{kind}{comma} {detail}".strip()


def origin_of(owner: int) -> tuple[str, int, int]:
    """Return who woke a task: the kind of it, a task's number, a callback's string.

    The kinds are `task`, `timer`, `socket`, `thread`, `signal`, `callback` (somebody's,
    we do not know whose) and "" (nobody ran, so nobody is known).
    """
    if owner >= 0:
        return ("task" if owner else ""), owner, 0
    name = -owner & OWNER_NAME_MASK
    origin = -owner >> OWNER_NAME_BITS & _ORIGIN_MASK
    task = -owner >> OWNER_NAME_BITS + OWNER_ORIGIN_BITS
    if 0 < origin <= max(Origin):
        kind = Origin(origin).name.lower()
    else:
        kind = "task" if task else "callback"
    return kind, task, name


def refine(kind: str, reason: str) -> str:
    """Say better who woke a task, now that it is known what it waited for.

    uvloop calls what belongs to sockets and processes itself, where nobody sees it.
    """
    if not kind and base_of(reason) in _SOCKETS:
        return "socket"
    if not kind and reason in PROCESSES:
        return "process"
    return kind


def _clause(
    kind: int, value: int, text: Callable[[int], str], who: Callable[[int], str]
) -> str:
    if kind == Detail.SECONDS:
        return "for ever" if value == _FOREVER else seconds(value)
    if kind == Detail.FILL:
        return f"{value >> 32}/{value & 0xFFFFFFFF}"
    if kind == Detail.COUNT:
        return f"of {value}"
    if kind == Detail.TEXT:
        return text(value)
    if kind == Detail.PEER:
        return f"{_ipv4(value >> 16)}:{value & 0xFFFF}"
    if kind == Detail.PID:
        return f"pid {value}"
    if kind == Detail.TASK:
        return who(value)
    if kind == Detail.HOLDER:
        holder = who(value)
        return f"held by {holder}" if holder else ""
    if kind == Detail.TIMEOUT:
        return f"{_AT_MOST} {seconds(value)}"
    return ""


def seconds(ns: int) -> str:
    """Return a duration as one would write it in a program: `1 s`, `250 ms`."""
    for unit_ns, unit in _UNITS:
        if ns >= unit_ns:
            return f"{float(f'{ns / unit_ns:.3g}'):g} {unit}"
    return "0 s"


def _ipv4(address: int) -> str:
    return ".".join(str(address >> shift & 0xFF) for shift in (24, 16, 8, 0))
