"""Incidents are told from the records: what happened, to whom, and who did it."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.records import OWNER_NAME_BITS, Kind, Origin
from dashboard.server.model.incidents import (
    KEEP,
    TOLD_PER_FRAME,
    Incident,
    IncidentKind,
    Incidents,
)


@pytest.fixture
def tape():
    """A tape on which task 1 of a request waits for a sleep since 20."""
    tape = Tape()
    tape.born(1, "server", 0).request(7, 1, 12).step(1, 10, 20)
    tape.reason(1, 25, "sleep")
    return tape


def told(tape):
    """Play the tape; return kind, sentence, request and author of each incident."""
    tape.play()
    return [
        (str(each.kind), each.text, each.request, each.by)
        for each in tape.incidents.kept
    ]


def wake(tape, task, t, owner):
    """A task is woken by an owner."""
    return tape.put(Kind.WAKE, t, owner, task)


def callback(tape, name, origin=Origin.TIMER):
    """Return the owner that a callback of that name is."""
    return -(origin << OWNER_NAME_BITS | tape.text(name))


def test_cancelled(tape):
    """A cancellation took from the wake to the task's end; the canceller has a name."""
    tape.poll(20, 28).born(2, "killer", 28).poll(28, 30)
    wake(tape, 1, 35, 2).step(2, 30, 40)
    tape.step(1, 45, 60, Kind.STEP_CANCELLED)

    assert told(tape) == [("cancelled", "cancelled by killer", 1, "killer")]
    (incident,) = tape.incidents.kept
    assert (incident.start_ns, incident.duration_ns) == (35, 25)


def test_cancelled_through_another(tape):
    """Of a chain of awaits everyone was cancelled by whoever cancelled the innermost."""
    tape.poll(20, 28).born(2, "inner", 28).step(2, 30, 31).born(3, "killer", 32)
    tape.poll(31, 33)
    wake(tape, 2, 35, 3).step(3, 34, 36)
    wake(tape, 1, 38, 2).step(2, 37, 39, Kind.STEP_CANCELLED)
    tape.step(1, 40, 41, Kind.STEP_CANCELLED)

    assert [by for *_, by in told(tape)] == ["killer", "killer"]


def test_timeout(tape):
    """A timeout is told when it wakes a task, with what that was waiting for."""
    owner = callback(tape, "Timeout._on_timeout")
    wake(tape, 1, 100, owner).poll(20, 90).call("Timeout._on_timeout", 95, 110)

    assert told(tape) == [
        (
            "timeout",
            "asyncio.timeout fired while it waited for sleep",
            1,
            "asyncio.timeout",
        )
    ]


def test_other_callbacks_cancel_nobody(tape):
    """A task that a timer wakes as it should is no incident."""
    wake(tape, 1, 100, callback(tape, "set_result")).poll(20, 90)
    tape.call("set_result", 95, 110).step(1, 120, 130, Kind.STEP_DONE)

    assert told(tape) == []


def test_pause(tape):
    """A pause of the collector is told with its length, and in whose step it was."""
    tape.wake(1, 30).poll(20, 31).put(Kind.PAUSE, 50, 50 + MS, 2, 1)
    tape.step(1, 40, 2 * MS)

    assert told(tape) == [
        ("pause", "garbage collection of generation 2, in the loop", 1, "")
    ]
    assert tape.incidents.kept[0].duration_ns == MS


def test_exception(tape):
    """What the loop's exception handler was told is told with its line."""
    what = tape.text(
        "Task exception was never retrieved", "ValueError", "/a/b.py", 7, "f"
    )
    tape.put(Kind.EXCEPTION, 50, 0, 1, what).poll(20, 60)

    assert told(tape) == [
        ("exception", "Task exception was never retrieved: ValueError", 1, "")
    ]
    assert tape.incidents.kept[0].where == "b.py:7 in f"


def test_a_task_that_is_gone_still_has_its_name(tape):
    """Who is told of when it is thrown away has left the table of tasks before."""
    message = "Task was destroyed but it is pending!"
    what = tape.text(message, "", "/a/b.py", 3, "f", "f")
    tape.put(Kind.EXCEPTION, 50, 0, 0, what).poll(20, 60).play()

    (incident,) = tape.incidents.kept
    assert (incident.label, incident.where) == ("f", "b.py:3 in f")


def test_last_words(tape):
    """What happened in a step that never ended is told when recording ends."""
    what = tape.text("Exception in callback", "KeyError", "/a/b.py", 7, "f")
    tape.put(Kind.EXCEPTION, 50, 0, 0, what).play()
    tape.model.finish(100)

    assert [text for _, text, *_ in told(tape)] == ["Exception in callback: KeyError"]


def test_storms_are_counted():
    """However many incidents there are, what is kept and told is bounded."""
    incidents = Incidents()
    frames = []
    for _ in range(10):
        for number in range(TOLD_PER_FRAME + 20):
            incidents.add(Incident(IncidentKind.CANCELLED, 1, number, 0, "cancelled"))
        before = len(incidents.told())
        frames.append(len(incidents.take()))

    assert frames == [TOLD_PER_FRAME] * 10
    assert len(incidents.kept) == KEEP
    assert before == KEEP - TOLD_PER_FRAME
    assert incidents.counts["cancelled"] == 10 * (TOLD_PER_FRAME + 20)
