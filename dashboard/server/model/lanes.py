"""What the picture is made of: lanes, and rows: which state one enters, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class State(IntEnum):
    """What a lane does; the index is the number on the wire."""

    GONE = 0
    IDLE = 1
    RUNNING = 2
    READY = 3
    DUE = 4
    WAITING = 5
    THREAD_QUEUE = 6
    THREAD = 7
    PROCESS = 8
    OUTSIDE = 9
    LOST = 10


class LaneKind(IntEnum):
    """What a lane stands for; the index is the number on the wire."""

    LOOP = 0
    REQUEST = 1
    TASK = 2
    THREAD = 3
    PROCESS = 4
    WEBSOCKET = 5
    """A request that stays open for messages of both sides."""
    STREAM = 6
    """A request whose answer comes in pieces, for long."""


class Row(NamedTuple):
    """Lane `lane` enters `state` at `t`."""

    t: int
    lane: int
    state: int
    info: int
    who: int


@dataclass(slots=True)
class Lane:
    """One line of the timeline, and the last thing it was seen to begin."""

    id: int
    kind: LaneKind
    loop: int
    label: int
    request: int
    t: int
    spawn: int = 0
    """The line that made a task, as a string's index."""
    open_ns: int = 0
