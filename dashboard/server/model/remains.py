"""What is left of rows that are too old to be kept: those around each stall.

Of a lane that goes on after such a stretch nobody knows what it did: the row that would
have followed says so (`LOST`). Bounded: beyond `KEEP_ROWS` the least harmful goes. No
clock and no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboard.server.model.lanes import State
from dashboard.server.model.stalls import KEEP as KEEP_STALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dashboard.server.model.lanes import Lane, Row

#: As many again as a third of what is kept of the last minute.
KEEP_ROWS = 30_000
#: Round a stall: who came just before, and how those whom it held up got away.
AROUND_NS = 1_000_000_000
#: And this part of its length: so much of it is shown with it.
AROUND_SHARE = 0.4

GONE, LOST = int(State.GONE), int(State.LOST)
#: What such a `LOST` row says: its records were read.
NOT_KEPT = "not kept"


@dataclass(slots=True, eq=False)
class _Stretch:
    """One stall's surroundings, or those of several close together."""

    since_ns: int
    until_ns: int
    weight: int
    rows: list[Row] = field(default_factory=list)


class Remains:
    """The stretches of a journal that outlive their time."""

    def __init__(
        self, intern: Callable[[str], int], *, keep_rows: int = KEEP_ROWS
    ) -> None:
        self._intern = intern
        self._keep_rows = keep_rows
        self._wanted: dict[int, _Stretch] = {}
        """Not begun yet, by stall."""
        self._kept: dict[int, _Stretch] = {}
        """Begun, in order of time, by stall; several may share one."""
        self._active: list[_Stretch] = []
        """Begun, and rows of their time may still come."""
        self._lanes: dict[int, list[_Stretch]] = {}
        """By lane: the stretches that have rows of it, in order of time."""
        self._open: set[int] = set()
        """Lanes whose next row ends what is known from the last of these."""
        self._gone: dict[int, Lane] = {}
        """Lanes that nobody else knows any more."""
        self._last = 0

    def __repr__(self) -> str:
        return f"<Remains of {len(self._kept)} stalls, {self.count} rows>"

    @property
    def count(self) -> int:
        """How many rows are kept."""
        return sum(len(stretch.rows) for stretch in self._stretches())

    def want(
        self, stall: int, start_ns: int, end_ns: int, *, is_over: bool, weight: int
    ) -> None:
        """Keep what is around a stall (ids ascend); told again as long as it grows."""
        air_ns = AROUND_NS + round((end_ns - start_ns) * AROUND_SHARE)
        until_ns = end_ns + air_ns if is_over else 1 << 62
        known = self._kept.get(stall) or self._wanted.get(stall)
        if known is not None:
            # Shared, it may have to last longer for another.
            others = any(s is known for k, s in self._kept.items() if k != stall)
            known.until_ns = max(known.until_ns, until_ns) if others else until_ns
            known.weight = max(known.weight, weight)
        elif stall > self._last:
            self._last = stall
            self._wanted[stall] = _Stretch(start_ns - air_ns, until_ns, weight)
            if len(self._wanted) > KEEP_STALLS:
                del self._wanted[
                    min(self._wanted, key=lambda k: self._wanted[k].weight)
                ]

    def leave(
        self, rows: list[Row], before: Mapping[int, Row], lanes: Mapping[int, Lane]
    ) -> None:
        """These rows are forgotten now; `before` has of each lane the one before them."""
        if not (self._wanted or self._lanes):
            return
        if self._active:
            first_ns = min(row.t for row in rows)
            self._active = [s for s in self._active if s.until_ns >= first_ns]
        self._begin(rows[-1].t, before.values())
        for row in rows:
            for stretch in self._active:
                if row.t <= stretch.until_ns:
                    self._add(stretch, row)
            self._end(row, lanes)
        if self._active:
            self._bound()

    def rows(self) -> list[Row]:
        """Return what is kept: each lane's rows in order of time."""
        return [row for stretch in self._stretches() for row in stretch.rows]

    def lanes(self) -> list[Lane]:
        """Return the lanes that only these rows still need."""
        return list(self._gone.values())

    def _stretches(self) -> Iterable[_Stretch]:
        return dict.fromkeys(self._kept.values())

    def _begin(self, t: int, before: Iterable[Row]) -> None:
        for stall in [k for k, s in self._wanted.items() if s.since_ns <= t]:
            wanted = self._wanted.pop(stall)
            if self._active:
                # Close together they are one, or rows of both would be told twice.
                known = self._kept[stall] = self._active[-1]
                known.until_ns = max(known.until_ns, wanted.until_ns)
                known.weight += wanted.weight
                continue
            self._kept[stall] = wanted
            self._active.append(wanted)
            for row in before:
                self._add(wanted, row)

    def _add(self, stretch: _Stretch, row: Row) -> None:
        stretch.rows.append(row)
        holders = self._lanes.setdefault(row.lane, [])
        if not holders or holders[-1] is not stretch:
            holders.append(stretch)
        if row.state == GONE:
            self._open.discard(row.lane)
        else:
            self._open.add(row.lane)

    def _end(self, row: Row, lanes: Mapping[int, Lane]) -> None:
        holders = self._lanes.get(row.lane)
        if holders is None:
            return
        last = holders[-1]
        if row.t <= last.until_ns:
            if last not in self._active:
                # It came late.
                self._add(last, row)
        elif row.state == GONE or row.lane in self._open:
            last.rows.append(self._end_of(row))
            self._open.discard(row.lane)
        if row.state == GONE and row.lane in lanes:
            self._gone[row.lane] = lanes[row.lane]

    def _bound(self) -> None:
        while self._kept and self.count > self._keep_rows:
            worst = min(self._stretches(), key=lambda stretch: stretch.weight)
            self._kept = {k: s for k, s in self._kept.items() if s is not worst}
            self._active = [s for s in self._active if s is not worst]
            by_lane: dict[int, list[Row]] = {}
            for row in worst.rows:
                by_lane.setdefault(row.lane, []).append(row)
            for lane, rows in by_lane.items():
                self._drop(worst, lane, rows)

    def _drop(self, stretch: _Stretch, lane: int, rows: list[Row]) -> None:
        """Forget a lane's rows of a stretch: the one before it ends with the first."""
        holders = self._lanes[lane]
        at = holders.index(stretch)
        is_last = at == len(holders) - 1
        holders.remove(stretch)
        if not holders:
            del self._lanes[lane]
            self._open.discard(lane)
            self._gone.pop(lane, None)
        elif at:
            before = holders[at - 1].rows
            tail = next(row for row in reversed(before) if row.lane == lane)
            later = [row for row in rows if row.t > tail.t]
            end = later[0] if later and tail.state != LOST else None
            if end is not None:
                before.append(self._end_of(end))
            if is_last and (later or tail.state == LOST):
                self._open.discard(lane)
                if later and later[-1].state == GONE and later[-1] is not end:
                    before.append(later[-1])

    def _end_of(self, row: Row) -> Row:
        """Return what ends a lane's rows where another would have followed."""
        if row.state == GONE:
            return row
        return row._replace(state=LOST, info=self._intern(NOT_KEPT), who=0)
