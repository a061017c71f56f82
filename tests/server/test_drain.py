"""Whoever is taken in right after a stall may have waited through it, and says so."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.records import Kind
from dashboard.server.model.drain import EMPTIED_NS, LATEST_NS, ROUND_NS, SOON_NS
from dashboard.server.model.stalls import STALL_NS

LONG = 4 * STALL_NS
BEGAN = 100 * MS
END = BEGAN + LONG


@pytest.fixture
def tape():
    """A tape with a task that will hold the loop, which polled until just before."""
    tape = Tape().born(1, "main", 0).step(1, 10, 20).poll(20, BEGAN - MS)
    return tape.wake(1, BEGAN - MS).play()


def hold(tape, *, counted=None, seen=END - MS, began=BEGAN):
    """The task holds the loop; `counted` requests are seen in the kernel's queues."""
    if counted is not None:
        tape.model.tick(seen, 1, began)
        tape.stalls.arrived(tape.model, seen, counted)
    tape.step(1, began, began + LONG, Kind.STEP_READY).play()


def take_in(tape, number, t):
    """A request is taken in at `t`, and answered within three milliseconds."""
    task = 100 + number
    tape.born(task, "uvicorn.RequestResponseCycle.run_asgi", t)
    tape.request(number, task, t + MS).put(Kind.ANSWERED, t + 2 * MS, 200, number)
    tape.step(task, t + MS, t + 3 * MS, Kind.STEP_DONE).play()


def mosts(tape):
    """Return for how long each finished request may have waited at the door, in ms."""
    return [each.to_wire()["outside_most_ms"] for each in tape.requests.finished]


def test_taken_in_right_after(tape):
    """It waited since the loop last looked before the stall, at most; that is no part
    of its split."""
    hold(tape, counted=1)
    take_in(tape, 1, END + 5 * MS)

    (wire,) = (each.to_wire() for each in tape.requests.finished)
    assert wire["outside_most_ms"] == (END + 5 * MS - (BEGAN - MS)) / MS
    assert (wire["split"]["outside_ms"], wire["total_ms"]) == (None, 2)


def test_no_more_than_were_counted(tape):
    """A loop without a pause takes in others as well: as many as lay there are meant."""
    hold(tape, counted=2)
    for number in range(1, 5):
        take_in(tape, number, END + 5 * number * MS)

    assert [most is not None for most in mosts(tape)] == [True, True, False, False]


def test_nobody_was_there(tape):
    """Who comes after a stall through which nobody stood at the door came then."""
    hold(tape, counted=0)
    take_in(tape, 1, END + 5 * MS)

    assert mosts(tape) == [None]


@pytest.mark.parametrize("counted", [None, 0, 3])
def test_nobody_counted_of_late(tape, counted):
    """Without a late look whoever comes soon after may have waited, too; and whom an
    early one has seen did."""
    hold(tape, counted=counted, seen=BEGAN + 2 * STALL_NS)
    until = END
    for number, after in enumerate((5 * MS, SOON_NS, SOON_NS + 5 * MS, 2 * SOON_NS)):
        # Busy all the time: it never looks at leisure.
        tape.step(1, until, END + after, Kind.STEP_READY)
        take_in(tape, number + 1, END + after)
        until = END + after + 3 * MS
    is_known = counted == 3

    assert [most is not None for most in mosts(tape)] == [
        *(True, is_known, is_known, False)
    ]


def test_after_a_pause(tape):
    """Once the loop had nothing to do for long, whoever comes has just come."""
    hold(tape, counted=3)
    tape.step(1, END, END + MS).poll(END + MS, END + MS + SOON_NS)
    take_in(tape, 1, END + MS + SOON_NS)

    assert mosts(tape) == [None]


def test_taken_in_before(tape):
    """A request that the loop had read before the stall waited inside, and says so."""
    tape.born(101, "uvicorn.RequestResponseCycle.run_asgi", BEGAN - MS // 2)
    hold(tape, counted=1)
    tape.request(1, 101, END).answered(1, END + MS)
    tape.step(101, END, END + MS, Kind.STEP_DONE).play()

    assert mosts(tape) == [None]
    assert tape.requests.finished[0].spent_ns["ready"] == LONG + MS // 2


def test_announced(tape):
    """Of a request of ours it is known when it was sent: that is no guess."""
    tape.requests.sent(9, BEGAN, method="GET", path="/9", scenario="", loop=1)
    hold(tape, counted=2)
    tape.put(Kind.REQUEST_TRACE, 0, 9, 1)
    take_in(tape, 1, END + 5 * MS)

    assert mosts(tape) == [None]
    assert tape.requests.finished[0].spent_ns["outside"] == LONG + 5 * MS


@pytest.mark.parametrize(("pause", "since"), [(EMPTIED_NS - MS, 0), (EMPTIED_NS, 1)])
def test_several_stalls(tape, pause, since):
    """Through stalls that follow each other it may have waited from the first one on."""
    hold(tape, counted=1)
    tape.step(1, END, END + MS).poll(END + MS, END + MS + pause).play()
    began = END + 2 * MS + pause
    hold(tape, counted=1, began=began, seen=began + LONG - MS)
    take_in(tape, 1, began + LONG)
    looked = (BEGAN - MS, END + MS + pause)[since]

    assert mosts(tape) == [(began + LONG - looked) / MS]


def keep_busy(tape, t, until):
    """The loop runs without a pause, and each round looks at its door."""
    while t < until:
        tape.step(1, t, t + 50 * MS, Kind.STEP_READY)
        t += 50 * MS
    tape.play()


def test_stalls_of_a_busy_loop(tape):
    """A loop that never pauses has looked long since: only the last stall counts."""
    hold(tape, counted=0)
    began = END + 60_000 * MS
    keep_busy(tape, END, began)
    hold(tape, counted=1, began=began, seen=began + LONG - MS)
    take_in(tape, 1, began + LONG)

    assert mosts(tape) == [(LONG + ROUND_NS) / MS]


def test_who_never_comes(tape):
    """Whom the kernel counted and another worker took is not waited for for ever."""
    hold(tape, counted=1)
    keep_busy(tape, END, END + LATEST_NS)
    take_in(tape, 1, END + LATEST_NS)

    assert mosts(tape) == [None]


def test_request_inside_the_program(tape):
    """What a program asks its own app stood at no door."""
    hold(tape, counted=1)
    tape.request(1, 1, END + MS, made_for=0).answered(1, END + 2 * MS)
    tape.step(1, END, END + 3 * MS).play()

    assert mosts(tape) == [None]
