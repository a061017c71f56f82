"""A trace for Perfetto tells what the rows tell: slices, who woke whom, how many."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.server.exports.trace import Mark, Stretch, Track, trace_events
from dashboard.server.model.journal import Change
from dashboard.server.model.lanes import Lane, LaneKind, Row, State

TRACKS = {1: Track(77, "shop")}


@pytest.fixture
def tape():
    """Task `buy` ran, waited, was woken by `ring` 5 ms later, and ran again."""
    tape = Tape()
    tape.born(1, "buy", 0).born(2, "ring", 0)
    tape.step(1, 1 * MS, 2 * MS).reason(1, 3 * MS, "Event")
    tape.step(2, 4 * MS, 5 * MS)
    tape.wake(1, 7 * MS, owner=2).step(2, 6 * MS, 8 * MS)
    tape.poll(8 * MS, 9 * MS)
    return tape.step(1, 10 * MS, 12 * MS).play()


def trace(tape, begin_ns=0, end_ns=20 * MS, marks=(), stretches=()):
    """Return a tape's events, those without a time first."""
    tape.journal.take(0)
    return trace_events(
        tape.journal.snapshot(),
        TRACKS,
        marks,
        stretches,
        origin_ns=0,
        begin_ns=begin_ns,
        end_ns=end_ns,
    )


def slices_of(events, name):
    """Return a track's slices as (what, from µs, to µs), and check that they close."""
    tid = next(
        event["tid"]
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == name
    )
    found = []
    for event in events:
        if event.get("tid") == tid and event["ph"] in "BE":
            if event["ph"] == "B":
                assert not found or len(found[-1]) == 3, "two slices are open"
                found.append((event["name"], event["ts"]))
            else:
                found[-1] += (event["ts"],)
    return found


def test_slices(tape):
    """A lane's spans are slices without a gap, and idle is none."""
    events = trace(tape)

    assert slices_of(events, "buy") == [
        ("ready", 0, 1000),
        ("buy", 1000, 2000),
        ("Event", 2000, 7000),
        ("ready", 7000, 10_000),
        ("buy", 10_000, 12_000),
        ("waiting", 12_000, 20_000),
    ]
    assert [name for name, *_ in slices_of(events, "loop")] == [
        "buy",
        "ring",
        "ring",
        "buy",
    ]


def test_flow(tape):
    """A wake leads from the slice of who did it to the slice that was made ready."""
    flows = [event for event in trace(tape) if event["ph"] in "sf"]
    names = {
        event["tid"]: event["args"]["name"]
        for event in trace(tape)
        if event.get("name") == "thread_name"
    }

    assert [(each["ph"], names[each["tid"]], each["ts"]) for each in flows] == [
        ("s", "ring", 7000),
        ("f", "buy", 7000),
    ]
    assert flows[0]["id"] == flows[1]["id"]
    assert flows[1]["bp"] == "e"


def test_counters(tape):
    """How many are ready is told at each change, and never below nobody."""
    ready = [
        (event["ts"], event["args"]["count"])
        for event in trace(tape)
        if event["ph"] == "C" and event["name"] == "ready"
    ]

    assert ready == [(0, 2), (1000, 1), (4000, 0), (7000, 1), (10_000, 0)]


def test_two_loops_of_a_process():
    """What two loops of a process do is counted together, and it has one name."""
    change = Change(["", "one", "other"])
    for number, (begin, end) in enumerate([(1, 4), (2, 3)], 1):
        change.lanes.append(Lane(number, LaneKind.TASK, number, number, 0, begin * MS))
        change.rows.append(Row(begin * MS, number, State.WAITING, 0, 0))
        change.rows.append(Row(end * MS, number, State.GONE, 0, 0))
    tracks = {1: Track(77, "shop"), 2: Track(77, "mail"), 3: Track(77, "shop")}
    events = trace_events(change, tracks, origin_ns=0, begin_ns=0, end_ns=9 * MS)

    counted = [each["args"]["count"] for each in events if each["ph"] == "C"]
    names = [each["args"] for each in events if each.get("name") == "process_name"]
    assert counted == [1, 2, 1, 0]
    assert names == [{"name": "shop, mail"}]


def test_stretch(tape):
    """A stretch of time has what was so in it, cut at its ends, and nothing else."""
    marks = [Mark(1, 5 * MS, "stall: shop.py:7"), Mark(1, 19 * MS, "later")]
    events = trace(tape, 4 * MS, 11 * MS, marks)

    assert slices_of(events, "buy") == [
        ("Event", 4000, 7000),
        ("ready", 7000, 10_000),
        ("buy", 10_000, 11_000),
    ]
    assert [event["name"] for event in events if event["ph"] == "i"] == [
        "stall: shop.py:7"
    ]


def test_order(tape):
    """Events come in the order of time; at one time ends come before beginnings."""
    timed = [event for event in trace(tape) if event["ph"] != "M"]
    times = [event["ts"] for event in timed]
    at_7 = [event["ph"] for event in timed if event["ts"] == 7000]

    assert times == sorted(times)
    assert at_7 == ["E", "B", "s", "f", "C", "C"]


def test_phases(tape):
    """A phase is a slice beside its request's track, as far as it lies in the stretch."""
    phases = [
        Stretch(1, 5, 1 * MS, 3 * MS, "dependencies", "shop.buy"),
        Stretch(1, 5, 3 * MS, 30 * MS, "endpoint", "shop.buy"),
        Stretch(1, 5, 30 * MS, 31 * MS, "serialization", "shop.buy"),
        Stretch(9, 6, 1 * MS, 2 * MS, "endpoint", "of a loop that is gone"),
    ]
    told = [each for each in trace(tape, stretches=phases) if each["ph"] in "be"]

    assert [(each["ph"], each["name"], each["ts"]) for each in told] == [
        ("b", "dependencies", 1000),
        ("e", "dependencies", 3000),
        ("b", "endpoint", 3000),
        ("e", "endpoint", 20_000),
    ]
    assert {(each["cat"], each["id"], each["pid"]) for each in told} == {
        ("phase", 5, 77)
    }
    assert told[0]["args"] == {"function": "shop.buy"}
