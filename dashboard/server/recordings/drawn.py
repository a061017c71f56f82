"""What viewers were given of a stretch of time, in columns: a picture, ready to be sent.

A recording has it beside what the session was told, so that a million spans are drawn
before the model has made them once more. No clock and no I/O.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from dashboard.errors import RecordingDamaged
from dashboard.server.model.lanes import Lane, LaneKind, Row, State
from dashboard.server.recordings.columns import join_planes, planes
from dashboard.server.recordings.packing import Unpacker, put_number, put_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.server.model.journal import Change

#: Bytes of a row in columns: state, t, lane, info, who.
ROW_BYTES = 1 + 8 + 4 + 4 + 4


class Columns(NamedTuple):
    """Rows, field by field."""

    t: array[int]
    """In ns on the clock of the recorded machine: the first, and then what each is
    later than the one before."""
    lane: array[int]
    state: bytes
    info: array[int]
    who: array[int]


def in_columns(rows: Sequence[Row]) -> tuple[Sequence[int], ...]:
    """Return rows field by field, in the order of `Columns` and as it has them."""
    times, *others = zip(*rows, strict=True) if rows else [()] * 5
    later = [after - before for before, after in pairwise(times)]
    return [*times[:1], *later], *others


def to_rows(rows: Sequence[Row]) -> Columns:
    """Return rows as columns."""
    t, lane, state, info, who = in_columns(rows)
    return Columns(
        array("q", t), array("I", lane), bytes(state), array("I", info), array("I", who)
    )


@dataclass(slots=True)
class Drawn:
    """What frames told up to `t`: strings, lanes and rows that were new."""

    t: int = 0
    strings: list[str] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    deadlines: dict[int, int] = field(default_factory=dict)
    rows: Columns = field(default_factory=lambda: to_rows(()))


class Drawing:
    """Gather what frames tell, until it is written."""

    def __init__(self) -> None:
        self._t = 0
        self._strings: list[str] = []
        self._lanes: list[Lane] = []
        self._deadlines: dict[int, int] = {}
        self._rows: list[Row] = []

    def __repr__(self) -> str:
        return f"<Drawing of {len(self._rows)} rows>"

    def add(self, t: int, change: Change) -> None:
        """A frame has told this. A lane's name may change later: it is copied."""
        self._t = t
        self._strings += change.strings
        self._lanes += map(replace, change.lanes)
        self._deadlines |= change.deadlines
        self._rows += change.rows

    def write(self) -> bytes:
        """Return its bytes; nothing, if no frame was made."""
        if not self._t:
            return b""
        out = bytearray()
        put_number(out, self._t)
        put_number(out, len(self._strings))
        for text in self._strings:
            put_text(out, text)
        put_number(out, len(self._lanes))
        for lane in self._lanes:
            for number in (lane.id, lane.kind, lane.loop, lane.label, lane.request):
                put_number(out, number)
            put_number(out, lane.t - self._t)
            put_number(out, lane.spawn)
        put_number(out, len(self._deadlines))
        for number, t in self._deadlines.items():
            put_number(out, number)
            put_number(out, t - self._t)
        put_number(out, len(self._rows))
        columns = to_rows(self._rows)
        out += columns.state
        for column in (columns.t, columns.lane, columns.info, columns.who):
            out += b"".join(planes(column))
        return bytes(out)


def read_drawn(raw: bytes) -> Drawn:
    """Return what `Drawing.write` wrote.

    Raises:
        RecordingDamaged: it is none.
    """
    bytes_ = Unpacker(raw)
    t = bytes_.number()
    strings = [bytes_.text() for _ in range(bytes_.many())]
    lanes = []
    for _ in range(bytes_.many(7, 7)):
        number, kind, loop, label, request, began, spawn = (
            bytes_.number() for _ in range(7)
        )
        if not 0 <= kind < len(LaneKind):
            raise RecordingDamaged(f"it has a lane of kind {kind}, which is none")
        lane = Lane(number, LaneKind(kind), loop, label, request, t + began, spawn)
        lanes.append(lane)
    deadlines = {}
    for _ in range(bytes_.many(2, 2)):
        number = bytes_.number()
        deadlines[number] = t + bytes_.number()
    count = bytes_.count(ROW_BYTES)
    state = bytes_.take(count)
    columns = Columns(
        join_planes(bytes_.take(8 * count), "q"),
        join_planes(bytes_.take(4 * count), "I"),
        state,
        join_planes(bytes_.take(4 * count), "I"),
        join_planes(bytes_.take(4 * count), "I"),
    )
    if not bytes_.is_over or (state and max(state) >= len(State)):
        raise RecordingDamaged("it has rows of no known state")
    return Drawn(t, strings, lanes, deadlines, columns)


def check_drawn(
    drawn: Drawn, open_ns: dict[int, int], *, least_ns: int, most_ns: int
) -> None:
    """Refuse what a page cannot draw; `open_ns` is each lane's last row, and learns.

    Raises:
        RecordingDamaged: a row is of no lane, or of another time than it may be.
    """
    for lane in drawn.lanes:
        open_ns.setdefault(lane.id, least_ns)
    t = drawn.t
    try:
        for t, lane_id in zip(accumulate(drawn.rows.t), drawn.rows.lane, strict=True):
            if not open_ns[lane_id] <= t <= most_ns:
                raise RecordingDamaged("a lane goes back in time, or far ahead")
            open_ns[lane_id] = t
    except KeyError as error:
        raise RecordingDamaged(f"it draws lane {error}, which is none") from None
    moments = [drawn.t, *(lane.t for lane in drawn.lanes)]
    if not least_ns <= min(moments) <= max(moments) <= most_ns:
        raise RecordingDamaged("it tells of moments outside of its own time")
