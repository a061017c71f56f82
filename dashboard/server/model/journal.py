"""Collect what changed since the last frame, and keep what a new viewer needs.

The model writes rows here ("lane L enters state S at time t"); the stream takes
them once per frame. Bounded: rows older than `KEEP_NS`, or beyond `KEEP_ROWS`,
are forgotten, but for those around stalls (`remains.py`); strings beyond `KEEP_TEXT`
are not taken in. Nothing here knows JSON, sockets or a clock.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from dashboard.server.model.lanes import Lane, LaneKind, Row, State
from dashboard.server.model.remains import KEEP_ROWS as KEEP_REMAINS
from dashboard.server.model.remains import Remains

if TYPE_CHECKING:
    from collections.abc import Callable

#: How far back a viewer can scroll, and what bounds the memory for it:
#: 100,000 rows are about 13 MB here, 2 MB on the wire, and 70 ms to encode.
KEEP_NS = 60_000_000_000
KEEP_ROWS = 100_000
#: Characters of all strings together, each counted as so many more. The names of a
#: large program are a fiftieth; those that come after are told as one.
KEEP_TEXT, TEXT_COST = 16_000_000, 100
MORE_TEXT = "…"
#: Rows per frame that a browser takes without effort, 30 times a second.
ROWS_PER_FRAME = 2_500
#: A lane's rows within one frame are thinned to this many.
BUCKETS_PER_FRAME = 400
#: Fewer than this would not show that a lane did several things.
BUCKETS_AT_LEAST = 4


#: `Row(…)` without the call of a function in Python: one is made for each record.
_new_row: Callable[[tuple[int, int, int, int, int]], Row] = partial(tuple.__new__, Row)
_GONE = int(State.GONE)


@dataclass(slots=True)
class Change:
    """Everything of one frame, or of a snapshot."""

    strings: list[str] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    deadlines: dict[int, int] = field(default_factory=dict)
    """When the timer of a lane's present wait is due, by lane."""


class Journal:
    """The rows, lanes and strings of a session."""

    def __init__(
        self,
        *,
        keep_ns: int = KEEP_NS,
        keep_rows: int = KEEP_ROWS,
        keep_text: int = KEEP_TEXT,
        keep_remains: int = KEEP_REMAINS,
    ) -> None:
        self.thinned = 0
        self.remains = Remains(self.intern, keep_rows=keep_remains)
        """What outlives its time."""
        self.keep_ns = keep_ns
        self._keep_rows = keep_rows
        self._text_left = keep_text
        self._strings: dict[str, int] = {"": 0}
        self._lanes: dict[int, Lane] = {}
        self._deadlines: dict[int, int] = {}
        self._next_lane = 1
        self._kept: deque[list[Row]] = deque()
        self._kept_rows = 0
        self._change = Change(strings=[""])
        self._rows = self._change.rows
        self._fresh: dict[int, Lane] = {}
        self._all_strings = [""]
        # As of the last frame: what a snapshot may tell, so that the next frame,
        # which goes to new viewers as well, tells nothing twice.
        self._sent_strings = 0
        self._sent_lanes: dict[int, Lane] = {}
        self._before: dict[int, Row] = {}
        """Of each lane the last row that is not kept any more."""

    def __repr__(self) -> str:
        return f"<Journal {len(self._lanes)} lanes, {self._kept_rows} rows kept>"

    def intern(self, text: str) -> int:
        """Return the wire's index of a string, or of `MORE_TEXT` when there are too many."""
        index = self._strings.get(text)
        if index is None and self._text_left <= 0:
            text = MORE_TEXT
            index = self._strings.get(text)
        if index is None:
            self._text_left -= len(text) + TEXT_COST
            index = self._strings[text] = len(self._strings)
            self._all_strings.append(text)
            self._change.strings.append(text)
        return index

    def text(self, index: int) -> str:
        """Return the string of an index."""
        known = self._all_strings
        return known[index] if 0 <= index < len(known) else ""

    def add_lane(
        self,
        kind: LaneKind,
        *,
        loop: int,
        label: str,
        t: int,
        request: int = 0,
        spawn: str = "",
    ) -> int:
        """Begin a lane and return its number, from 1."""
        name, line = self.intern(label), self.intern(spawn)
        lane = Lane(self._next_lane, kind, loop, name, request, t, line)
        self._next_lane += 1
        self._lanes[lane.id] = lane
        self._fresh[lane.id] = lane
        return lane.id

    def rename_lane(self, lane: int, label: str, loop: int) -> None:
        """Give a lane its label and loop once they are known; viewers are told."""
        found = self._lanes.get(lane)
        if found is None:
            return
        index = self.intern(label)
        if found.label != index or found.loop != loop:
            found.label = index
            found.loop = loop
            self._fresh[lane] = found

    def spawn_lane(self, lane: int, spawn: str) -> None:
        """Say which line made a task that has its lane already; viewers are told."""
        found = self._lanes.get(lane)
        if found is not None:
            found.spawn = self.intern(spawn)
            self._fresh[lane] = found

    def turn_lane(self, lane: int, kind: LaneKind) -> None:
        """Make a lane one of another kind; viewers are told."""
        found = self._lanes.get(lane)
        if found is not None and found.kind != kind:
            found.kind = kind
            self._fresh[lane] = found

    def row(self, lane: int, t: int, state: int, info: int = 0, who: int = 0) -> None:
        """Say that a lane enters a state. Lane 0 is nobody: nothing is kept."""
        found = self._lanes.get(lane)
        if found is None:
            return
        if t < found.open_ns:
            # Clocks of two threads may cross by microseconds; a lane's never do.
            t = found.open_ns
        found.open_ns = t
        self._rows.append(_new_row((t, lane, state, info, who)))

    def deadline(self, lane: int, t: int) -> None:
        """Say when the timer of a lane's present wait is due."""
        if lane in self._lanes:
            self._change.deadlines[lane] = self._deadlines[lane] = t

    def take(self, now_ns: int) -> Change:
        """Return what is new since the last call, and forget what is too old."""
        change = self._change
        self._change = Change()
        self._rows = self._change.rows
        change.lanes = list(self._fresh.values())
        self._fresh.clear()
        self._sent_lanes.update((lane.id, replace(lane)) for lane in change.lanes)
        self._sent_strings = len(self._all_strings)
        if len(change.rows) > ROWS_PER_FRAME:
            change.rows = self._thin(change.rows)
        self._keep(change.rows, now_ns)
        return change

    def _thin(self, rows: list[Row]) -> list[Row]:
        """Keep the longest span of each small stretch of time of crowded lanes.

        Rows that begin a stretch stay in place in time, so a lane is still tiled.
        """
        by_lane: dict[int, list[Row]] = {}
        for row in rows:
            found = by_lane.get(row[1])
            if found is None:
                by_lane[row[1]] = [row]
            else:
                found.append(row)
        # What lanes with few rows leave over is for those with many.
        buckets = max(BUCKETS_AT_LEAST, ROWS_PER_FRAME // len(by_lane))
        thinned: list[Row] = []
        for lane_rows in by_lane.values():
            thinned.extend(thin_lane(lane_rows, min(buckets, BUCKETS_PER_FRAME)))
        self.thinned += len(rows) - len(thinned)
        return thinned

    def _keep(self, rows: list[Row], now_ns: int) -> None:
        if rows:
            self._kept.append(rows)
            self._kept_rows += len(rows)
        oldest = now_ns - self.keep_ns
        while self._kept and (
            self._kept[0][-1].t < oldest or self._kept_rows > self._keep_rows
        ):
            leaving = self._kept.popleft()
            self.remains.leave(leaving, self._before, self._sent_lanes)
            for row in leaving:
                self._kept_rows -= 1
                self._before[row.lane] = row
                if row.state == State.GONE:
                    for known in (self._lanes, self._sent_lanes, self._before):
                        known.pop(row.lane, None)
                    self._deadlines.pop(row.lane, None)

    def snapshot(self) -> Change:
        """Return everything that a new viewer needs to begin, as of the last frame."""
        kept = [row for rows in self._kept for row in rows]
        return Change(
            strings=self._all_strings[: self._sent_strings],
            lanes=[*self.remains.lanes(), *self._sent_lanes.values()],
            rows=[*self.remains.rows(), *self._before.values(), *kept],
            deadlines={
                lane: t
                for lane, t in self._deadlines.items()
                if lane in self._sent_lanes and lane not in self._change.deadlines
            },
        )


def thin_lane(rows: list[Row], buckets: int) -> list[Row]:
    """Merge rows of one lane so that at most about `buckets` remain.

    Of each stretch the row with the longest span survives and is stretched over
    it; a span longer than a stretch is never merged. The last row survives, as it
    is what the lane does now.
    """
    if len(rows) <= buckets:
        return rows
    width = max(1, (rows[-1].t - rows[0].t) // buckets)
    result: list[Row] = []
    at = rows[0].t
    best: Row | None = None
    best_ns = -1
    for row, following in itertools.pairwise(rows):
        t = row[0]
        if best is not None and t >= at + width:
            result.append(_new_row((at, *best[1:])))
            at, best, best_ns = t, None, -1
        if row[2] == _GONE:
            continue
        lasted = following[0] - t
        if lasted > width:
            # Exact in both ends, whatever the crowd around it.
            if best is not None:
                result.append(_new_row((at, *best[1:])))
            result.append(row)
            at, best, best_ns = following[0], None, -1
        elif lasted > best_ns:
            best, best_ns = row, lasted
    if best is not None:
        result.append(_new_row((at, *best[1:])))
    result.append(rows[-1])
    return result
