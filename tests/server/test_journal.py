"""What a viewer is sent tiles every lane, stays bounded, and is the same for all."""

from __future__ import annotations

import itertools
import random

import pytest
from tapes import Told

from dashboard.server.model import journal as module
from dashboard.server.model.journal import Journal, thin_lane
from dashboard.server.model.lanes import LaneKind, Row, State

SECOND_NS = 1_000_000_000
STATES = [state for state in State if state is not State.GONE]


def lane(journal, label="lane", t=0, kind=LaneKind.TASK):
    """Begin a lane."""
    return journal.add_lane(kind, loop=1, label=label, t=t)


# ---------------------------------------------------------------- what is sent


def test_frame():
    """A frame holds what is new since the last one, and nothing else."""
    journal = Journal()
    first = lane(journal)
    journal.row(first, 5, State.READY)
    change = journal.take(10)
    journal.row(first, 7, State.RUNNING, journal.intern("main"), 3)
    later = journal.take(20)

    assert change.strings == ["", "lane"]
    assert [each.id for each in change.lanes] == [first]
    assert change.rows == [Row(5, first, State.READY, 0, 0)]
    assert (later.strings, later.lanes) == (["main"], [])
    assert later.rows == [Row(7, first, State.RUNNING, 2, 3)]
    assert journal.take(30) == module.Change()
    assert repr(journal) == "<Journal 1 lanes, 2 rows kept>"


def test_strings_are_sent_once():
    """A string has one index for the whole session; the empty one is 0."""
    journal = Journal()
    indices = [journal.intern(text) for text in ("a", "b", "", "a")]
    journal.take(0)

    assert indices == [1, 2, 0, 1]
    assert journal.intern("b") == 2
    assert journal.take(0).strings == []


def test_rename():
    """A lane that gets its name or loop is sent once more, once."""
    journal = Journal()
    number = lane(journal)
    journal.take(0)
    journal.rename_lane(number, "GET /", 2)
    journal.rename_lane(number, "GET /", 2)
    journal.rename_lane(number + 7, "nobody", 2)
    change = journal.take(0)

    assert [(each.id, each.loop) for each in change.lanes] == [(number, 2)]
    assert change.strings == ["GET /"]


def test_time_never_goes_back():
    """A row that would come before its lane's last one comes at the same time."""
    journal = Journal()
    number = lane(journal)
    journal.row(number, 10, State.READY)
    journal.row(number, 8, State.RUNNING)

    assert [row.t for row in journal.take(0).rows] == [10, 10]


def test_nobody():
    """Rows of lane 0 and of lanes that are forgotten are nobody's."""
    journal = Journal()
    journal.row(0, 10, State.READY)
    journal.row(99, 10, State.READY)

    assert journal.take(0) == module.Change(strings=[""])


# --------------------------------------------------------------------- thinning


def spans(rows):
    """Return how long each row lasted; the last one is not over."""
    return [(after.t - row.t, row.state) for row, after in itertools.pairwise(rows)]


def crowd(chance, count):
    """Make a lane's rows, most of them short and some long."""
    t, rows = chance.randrange(1000), []
    for number in range(count):
        rows.append(Row(t, 1, STATES[number % len(STATES)], number, 0))
        t += chance.choice([0, 1, 1, 2, 3, 5, 8, chance.randrange(50), 4_000])
    return rows


@pytest.mark.parametrize("seed", range(30))
def test_thinned_lane(seed):
    """A thinned lane is tiled over the same time, in order, and ends as it did."""
    chance = random.Random(seed)
    rows = crowd(chance, chance.randrange(401, 3_000))
    thinned = thin_lane(rows, 400)
    times = [row.t for row in thinned]

    assert len(thinned) <= 2 * 400 + 2
    assert (thinned[0].t, thinned[-1]) == (rows[0].t, rows[-1])
    assert times == sorted(times)
    assert {row.info for row in thinned} <= {row.info for row in rows}


@pytest.mark.parametrize("seed", range(30))
def test_longest_span_survives(seed):
    """Thinning never loses the longest span, and keeps every long one exactly."""
    chance = random.Random(seed)
    rows = crowd(chance, chance.randrange(401, 3_000))
    thinned = thin_lane(rows, 400)
    width = (rows[-1].t - rows[0].t) // 400
    kept = set(zip(thinned, (row.t for row in thinned[1:]), strict=False))
    ends = [row.t for row in rows[1:]]
    long = {
        (row, end) for row, end in zip(rows, ends, strict=False) if end - row.t > width
    }

    assert long <= kept
    assert max(spans(rows))[0] <= max(spans(thinned))[0]


def test_equal_spans_are_thinned_too():
    """A lane where all spans are alike keeps a fair picture of them."""
    rows = [Row(t, 1, STATES[t % 2], t, 0) for t in range(100_000)]
    thinned = thin_lane(rows, 400)

    assert 350 <= len(thinned) <= 450
    assert max(lasted for lasted, _ in spans(thinned)) <= 2 * 100_000 // 400


def test_lane_that_is_not_crowded():
    """A lane with few rows is left alone, however full the frame is."""
    journal = Journal()
    busy, calm = lane(journal, "busy"), lane(journal, "calm")
    for t in range(module.ROWS_PER_FRAME):
        journal.row(busy, t, STATES[t % 2], t)
    for t in range(50):
        journal.row(calm, 40 * t, STATES[t % 2])
    rows = journal.take(0).rows

    assert sum(row.lane == calm for row in rows) == 50
    assert journal.thinned == module.ROWS_PER_FRAME + 50 - len(rows) > 0


def test_end_of_a_lane_survives():
    """However crowded its last frame, a lane that is gone is told to be gone."""
    journal = Journal()
    number = lane(journal)
    for t in range(module.ROWS_PER_FRAME + 1):
        journal.row(number, t, STATES[t % 2])
    journal.row(number, t + 1, State.GONE)

    assert journal.take(0).rows[-1] == Row(t + 1, number, State.GONE, 0, 0)


# ------------------------------------------------------------ snapshot and bounds


@pytest.mark.parametrize("seed", range(30))
def test_snapshot(seed):
    """Whoever comes later sees the same as one who saw every frame, as far as it is kept."""
    chance = random.Random(seed)
    journal, first, now = Journal(), Told(), 0
    lanes = []
    for frame in range(150):
        for _ in range(chance.randrange(30)):
            now += chance.randrange(SECOND_NS // 5)
            if not lanes or chance.random() < 0.05:
                lanes.append(lane(journal, f"lane {frame} {now}", now))
            number = chance.choice(lanes)
            if chance.random() < 0.03:
                lanes.remove(number)
                journal.row(number, now, State.GONE)
            elif chance.random() < 0.05:
                journal.rename_lane(number, f"renamed {now}", 2)
            else:
                what = journal.intern(f"what {chance.randrange(20)}")
                journal.row(number, now, chance.choice(STATES), what, 0)
        first.take(journal.take(now))
    second = Told()
    second.take(journal.snapshot())
    oldest = now - module.KEEP_NS

    assert second.strings == first.strings
    for number, seen in second.spans.items():
        assert window(seen, oldest) == window(first.spans[number], oldest)
        assert second.lanes[number] == first.lanes[number]
    for number, seen in first.spans.items():
        if window(seen, oldest) and seen[-1][1] != State.GONE:
            assert number in second.spans


def window(spans, oldest):
    """Return what a lane did since `oldest`, the span that was under way included."""
    begun = [span for span in spans if span[0] <= oldest][-1:]
    return [(oldest, *span[1:]) for span in begun] + [
        span for span in spans if span[0] > oldest
    ]


def test_snapshot_leaves_out_what_comes_in_the_next_frame():
    """Between two frames a snapshot is as of the last one: nothing is told twice."""
    journal, first, second = Journal(), Told(), Told()
    number = lane(journal)
    journal.row(number, 5, State.READY)
    first.take(journal.take(10))
    journal.row(number, 11, State.RUNNING, journal.intern("main"))
    journal.rename_lane(number, "GET /", 1)
    other = lane(journal, "other", 12)
    journal.row(other, 12, State.WAITING, journal.intern("sleep"))
    second.take(journal.snapshot())
    change = journal.take(20)
    first.take(change)
    second.take(change)

    assert second.strings == first.strings
    assert second.stories() == first.stories()


def test_standing_lane():
    """A lane that does one thing for longer than is kept is in every snapshot."""
    journal = Journal()
    sleeper, busy = lane(journal, "sleeper"), lane(journal, "busy")
    journal.row(sleeper, 5, State.WAITING)
    for t in range(0, 3 * module.KEEP_NS, SECOND_NS):
        journal.row(busy, t, STATES[t // SECOND_NS % 2])
        journal.take(t)
    told = Told()
    told.take(journal.snapshot())

    assert told.stories()["sleeper"] == "5 waiting"
    assert len(told.spans[busy]) <= module.KEEP_NS // SECOND_NS + 2


def test_old_rows_are_forgotten():
    """Rows and lanes that are too old are forgotten, so memory is bounded."""
    journal = Journal()
    for t in range(0, 5 * module.KEEP_NS, SECOND_NS // 2):
        number = lane(journal, "request", t)
        journal.row(number, t, State.RUNNING)
        journal.row(number, t + 1, State.GONE)
        journal.take(t)

    most = 2 * module.KEEP_NS // SECOND_NS + 2
    assert repr(journal) == f"<Journal {most - 1} lanes, {2 * most - 2} rows kept>"
    assert len(journal.snapshot().lanes) == most - 1


def test_too_many_rows():
    """However fast they come, no more than so many rows are kept."""
    journal = Journal(keep_rows=1_000)
    number = lane(journal)
    for t in range(5_000):
        journal.row(number, t, STATES[t % 2])
        if t % 100 == 0:
            journal.take(t)
    rows = journal.snapshot().rows

    assert len(rows) <= 1_001
    assert rows[-1].t == 4_900


def test_deadlines_are_told_once_and_to_new_viewers():
    """A wait's deadline goes out with the next frame, and with later snapshots."""
    journal = Journal()
    lane = journal.add_lane(LaneKind.REQUEST, loop=1, label="GET /", t=0)
    journal.row(lane, 10, State.WAITING)
    journal.deadline(lane, 500)
    journal.deadline(lane + 1, 500)

    assert journal.snapshot().deadlines == {}
    assert journal.take(20).deadlines == {lane: 500}
    assert journal.take(30).deadlines == {}
    assert journal.snapshot().deadlines == {lane: 500}
