"""Everything that a session is told, as values: told again in order, they make it anew.

A live session hands each to its `tape`, if it has one; `recording.py` puts them into
bytes and `player.py` tells them to another session. Nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Loop(NamedTuple):
    """A ring was found."""

    loop: int
    parent: int
    pid: int
    loop_no: int
    began_ns: int
    began_unix_ns: int
    pid_began: int
    kind: str
    python: str
    title: str


class Strings(NamedTuple):
    """A ring's string table grew by these."""

    loop: int
    texts: tuple[str, ...]


class Records(NamedTuple):
    """New records of a ring (`dashboard/records.py`), in their order."""

    loop: int
    data: bytes


class Tick(NamedTuple):
    """What a ring's header said at `t`, after the records before."""

    loop: int
    t: int
    alive: int
    cells: tuple[int, ...]


class Seen(NamedTuple):
    """What is known of a loop from outside of its ring, whenever it changes."""

    loop: int
    missed: int
    is_held: int
    dumps_sent: int
    dump_refusal: str


class Lost(NamedTuple):
    """Records were lost here."""

    loop: int


class Still(NamedTuple):
    """The process stands still since `since`, or, if that is 0, does so no more."""

    loop: int
    until: int
    since: int


class Arrived(NamedTuple):
    """So many requests lay in the kernel's queues at `t`."""

    loop: int
    t: int
    waiting: int


class Starved(NamedTuple):
    """Between two looks the loop's thread waited so long for a processor."""

    loop: int
    since: int
    until: int
    ns: int


class Stack(NamedTuple):
    """The stack of the step in progress, by a dump: four columns of lines."""

    loop: int
    t: int
    file: str
    line: int
    function: str
    files: tuple[str, ...]
    lines: tuple[int, ...]
    functions: tuple[str, ...]
    users: tuple[int, ...]


class Sent(NamedTuple):
    """A request of ours went out."""

    loop: int
    span: int
    t: int
    method: str
    path: str
    scenario: str


class Settled(NamedTuple):
    """It was answered or failed, whether or not a loop has shown it to us."""

    span: int
    t: int
    status: int


class Look(NamedTuple):
    """The rules were asked; worker threads used so many processors, by loop."""

    t: int
    loops: tuple[int, ...]
    cpu: tuple[float, ...]


class Advised(NamedTuple):
    """What to write instead at a line; without a kind: nothing is known."""

    file: str
    line: int
    kind: str
    before: str
    after: str
    note: str
    at: int


class Frame(NamedTuple):
    """A frame was made: what came since the one before was thinned together."""

    t: int


class Threshold(NamedTuple):
    """A stall is this long from now on."""

    ns: int


class Source(NamedTuple):
    """The code of the function around a line that was named."""

    file: str
    line: int
    function: str
    first: int
    code: str
    changed: int


Entry = (
    Loop
    | Strings
    | Records
    | Tick
    | Seen
    | Lost
    | Still
    | Arrived
    | Stack
    | Sent
    | Settled
    | Look
    | Advised
    | Frame
    | Threshold
    | Source
    | Starved
)

Write = Callable[[Entry], None]
