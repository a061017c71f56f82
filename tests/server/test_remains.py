"""The rows around each stall outlive their time, and tell nothing that was not so."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict

import pytest

from dashboard.server.model import remains as module
from dashboard.server.model.journal import Journal
from dashboard.server.model.lanes import LaneKind, State
from dashboard.server.model.remains import Remains

SECOND = 1_000_000_000
MS = 1_000_000
FRAME = 33 * MS


class Twin:
    """A journal with a short memory beside one that forgets nothing."""

    def __init__(self, keep_rows=module.KEEP_ROWS):
        self.short = Journal(keep_ns=5 * SECOND)
        self.short.remains = Remains(self.short.intern, keep_rows=keep_rows)
        self.whole = Journal(keep_ns=1 << 62, keep_rows=1 << 62)
        self.now = 0

    def lane(self):
        """Begin a lane now."""
        one = self.short.add_lane(LaneKind.TASK, loop=1, label="a", t=self.now)
        self.whole.add_lane(LaneKind.TASK, loop=1, label="a", t=self.now)
        return one

    def row(self, lane, state, t=None):
        """Tell both of it."""
        for journal in (self.short, self.whole):
            journal.row(lane, self.now if t is None else t, state)

    def turn(self, until):
        """Make frames up to a moment."""
        while self.now < until:
            self.now += FRAME
            self.short.take(self.now)
            self.whole.take(self.now)

    def stall(self, number, start, end, *, weight=1):
        """Tell of a stall that is over."""
        self.short.remains.want(number, start, end, is_over=True, weight=weight)


def spans(journal):
    """Return the rows of a snapshot by lane, as a page takes them: the last of those at
    one moment counts."""
    lanes = defaultdict(dict)
    for row in journal.snapshot().rows:
        lanes[row.lane][row.t] = row.state
    return lanes


def state_at(rows, t):
    """Return what a lane did, None before its first row and after its end."""
    times = list(rows)
    at = bisect_right(times, t) - 1
    state = rows[times[at]] if at >= 0 else None
    return None if state == State.GONE else state


def test_numbers():
    """Its states are the journal's."""
    assert (module.GONE, module.LOST) == (State.GONE, State.LOST)


def test_around_a_stall():
    """What was around a stall is told to a new viewer long afterwards; what came then
    is unknown, and a lane that ended has ended."""
    twin = Twin()
    victim, other = twin.lane(), twin.lane()
    twin.row(victim, State.READY)
    twin.row(other, State.RUNNING)
    twin.stall(1, 0, SECOND)
    twin.turn(SECOND)
    twin.row(victim, State.RUNNING)
    at = twin.now
    twin.turn(4 * SECOND)
    twin.row(victim, State.GONE)
    twin.row(other, State.WAITING)
    left = twin.now
    twin.turn(30 * SECOND)

    told = spans(twin.short)

    assert told[victim] == {0: State.READY, at: State.RUNNING, left: State.GONE}
    assert told[other] == {0: State.RUNNING, left: State.WAITING}
    assert victim in [lane.id for lane in twin.short.snapshot().lanes]
    twin.row(other, State.READY)
    again = twin.now
    twin.turn(60 * SECOND)
    assert spans(twin.short)[other] == {
        0: State.RUNNING,
        left: State.LOST,
        again: State.READY,
    }
    snapshot = twin.short.snapshot()
    (lost,) = [row for row in snapshot.rows if row.state == State.LOST]
    assert snapshot.strings[lost.info] == module.NOT_KEPT


def test_nothing_wanted():
    """Without a stall nothing outlives its time."""
    twin = Twin()
    lane = twin.lane()
    twin.row(lane, State.READY)
    twin.row(lane, State.GONE)
    twin.turn(30 * SECOND)

    assert twin.short.snapshot().rows == []
    assert twin.short.snapshot().lanes == []


def test_bounded():
    """Beyond its bound the least harmful stall goes, with the lanes that only it had."""
    twin = Twin(keep_rows=60)
    lanes = []
    for number, weight in ((1, 5), (2, 9), (3, 7)):
        lanes.append(twin.lane())
        start = twin.now
        for _ in range(25):
            twin.row(lanes[-1], State.READY)
            twin.row(lanes[-1], State.RUNNING)
            twin.turn(twin.now + FRAME)
        twin.row(lanes[-1], State.GONE)
        twin.stall(number, start, twin.now, weight=weight)
        twin.turn(twin.now + 30 * SECOND)

    assert set(spans(twin.short)) == {lanes[1]}
    assert [lane.id for lane in twin.short.snapshot().lanes] == [lanes[1]]
    assert twin.short.remains.count <= 60


@pytest.mark.parametrize("keep_rows", [module.KEEP_ROWS, 300], ids=["all", "few"])
@pytest.mark.parametrize("seed", range(10))
def test_random(seed, keep_rows):
    """Whatever happens around however many stalls: each lane's rows come in order of
    time, a snapshot never says what was not so, and around each stall, if there is room
    for all, it says what one that forgets nothing says."""
    chance = random.Random(seed)
    twin = Twin(keep_rows)
    living, stalls = [], []
    for number in range(1, 9):
        start = twin.now
        until = start + chance.randrange(100, 3_000) * MS
        while twin.now < until:
            if chance.random() < 0.3 or not living:
                living.append(twin.lane())
            for lane in chance.sample(living, min(3, len(living))):
                state = chance.choice([State.READY, State.RUNNING, State.WAITING])
                twin.row(lane, state, twin.now + chance.randrange(FRAME))
                if chance.random() < 0.1:
                    twin.row(lane, State.GONE, twin.now + FRAME)
                    living.remove(lane)
            twin.turn(twin.now + FRAME)
            if stalls and stalls[-1][0] == number:
                stalls[-1] = (number, start, twin.now)
            elif twin.now - start > 100 * MS:
                stalls.append((number, start, twin.now))
        if stalls and stalls[-1][0] == number:
            twin.stall(*stalls[-1])
        if chance.random() < 0.5:
            twin.turn(twin.now + chance.randrange(20) * SECOND)
    twin.turn(twin.now + 30 * SECOND)

    times = defaultdict(list)
    for row in twin.short.snapshot().rows:
        times[row.lane].append(row.t)
    assert all(each == sorted(each) for each in times.values())
    told, truth = spans(twin.short), spans(twin.whole)
    known = {lane.id for lane in twin.short.snapshot().lanes}
    assert set(told) <= known
    for _ in range(50):
        t = chance.randrange(twin.now)
        for lane, rows in told.items():
            assert state_at(rows, t) in (None, State.LOST, state_at(truth[lane], t))
    if keep_rows < module.KEEP_ROWS:
        assert twin.short.remains.count <= keep_rows
        return
    for _, start, end in stalls:
        for _ in range(20):
            t = chance.randrange(start, end + 1)
            for lane, rows in truth.items():
                assert state_at(told[lane], t) == state_at(rows, t)
