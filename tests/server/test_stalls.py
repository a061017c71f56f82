"""A step that lasts too long is a stall: since when, where, and who had to wait."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.records import Kind
from dashboard.server.model import stalls as module
from dashboard.server.model.stalls import STALL_NS

LONG = 3 * STALL_NS


@pytest.fixture
def tape():
    """A tape with a task that has had a step already."""
    return Tape().born(1, "main", 0).step(1, 10, 20).poll(20, 30).play()


def told(tape):
    """Return each stall in a few words."""
    return [
        f"{stall.start_ns} for {stall.duration_ns} in {stall.label}"
        + (f" at {stall.culprit}" if stall.culprit else "")
        + ("" if stall.over else " …")
        for stall in tape.stalls.kept
    ]


def sample(tape, began, t, line, function="report"):
    """The watchdog saw the step at a line."""
    place = tape.text("/srv/shop.py", line, function)
    tape.put(Kind.SAMPLE, t, began, place)


def test_a_builtin_has_no_line(tape):
    """What the loop itself calls is told by its name alone: there is no place to show."""
    tape.put(Kind.SAMPLE, 80, 50, 0)
    tape.call("handler", 50, 50 + LONG)

    assert tape.story("loop").endswith(", 50 running handler")
    assert str(tape.stalls.kept[0].culprit) == "handler"


@pytest.mark.parametrize(
    ("lasted", "count"), [(STALL_NS - 1, 0), (STALL_NS, 1), (LONG, 1)]
)
@pytest.mark.parametrize("kind", [Kind.STEP_WAITING, Kind.STEP_DONE, Kind.STEP_READY])
def test_threshold(tape, lasted, count, kind):
    """A step is a stall from the threshold on, whatever it ended with."""
    tape.step(1, 100, 100 + lasted, kind).play()

    assert told(tape) == [f"100 for {lasted} in main"] * count
    assert repr(tape.stalls) == f"<Stalls {count} kept>"


def test_callback(tape):
    """A callback that is no task can stall a loop too."""
    tape.call("on_timer", 100, 100 + LONG).play()

    assert told(tape) == [f"100 for {LONG} in on_timer"]


def test_nameless_callback(tape):
    """A callback whose name found no room can stall a loop too."""
    tape.put(Kind.CALL, 100, 100 + LONG, 0, 0).play()

    assert told(tape) == [f"100 for {LONG} in callback"]


def test_poll_is_no_stall(tape):
    """However long a loop polls, it is not blocked."""
    tape.poll(30, 100 * STALL_NS).play()
    tape.model.tick(200 * STALL_NS, 0, 0)

    assert told(tape) == []


def test_under_way(tape):
    """A stall is told while it lasts, grows, and becomes exact when it ends."""
    stories = []
    for now in (STALL_NS // 2, STALL_NS + 100, 2 * STALL_NS):
        tape.model.tick(now, 1, 100)
        stories += [told(tape)]
    tape.step(1, 100, 100 + LONG).play()

    assert stories == [
        [],
        [f"100 for {STALL_NS} in main …"],
        [f"100 for {2 * STALL_NS - 100} in main …"],
    ]
    assert told(tape) == [f"100 for {LONG} in main"]
    assert tape.stalls.current(tape.model) is None


def test_beginning_known_better_later(tape):
    """A stall whose beginning was a guess is the same one when its record comes."""
    tape.model.tick(LONG, 1, 0)
    tape.step(1, 5 * MS, LONG).play()

    assert len(tape.stalls.kept) == 1
    assert tape.stalls.kept[0].over


def test_changes_are_told_once(tape):
    """The stream is told of a stall when it is new or has changed, and only then."""
    tape.model.tick(LONG, 1, 100)
    first = [stall.id for stall in tape.stalls.take()]
    nothing = tape.stalls.take()
    tape.step(1, 100, LONG).play()
    second = [stall.id for stall in tape.stalls.take()]

    assert (first, nothing, second) == ([1], [], [1])


def test_two_stalls(tape):
    """Two long steps are two stalls, even with nothing in between."""
    tape.step(1, 100, 100 + LONG, Kind.STEP_READY)
    tape.step(1, 100 + LONG, 100 + 2 * LONG).play()

    assert told(tape) == [
        f"100 for {LONG} in main",
        f"{100 + LONG} for {LONG} in main",
    ]


def test_culprit(tape):
    """The culprit is the line that was seen most often in the step."""
    for t, line in ((110 * MS, 41), (130 * MS, 7), (150 * MS, 41)):
        sample(tape, 100, t, line)
    tape.step(1, 100, 100 + LONG).play()

    assert told(tape) == [f"100 for {LONG} in main at shop.py:41 in report"]
    samples = tape.stalls.kept[0].describe()["samples"]
    assert [(each["line"], each["count"], each["share"]) for each in samples] == [
        (41, 2, 0.667),
        (7, 1, 0.333),
    ]


def test_culprit_while_it_lasts(tape):
    """The line is known while the loop is still blocked, and stays the first of equals."""
    tape.model.tick(STALL_NS + 200, 1, 100)
    sample(tape, 100, 150 * MS, 41)
    tape.play()
    tape.model.tick(160 * MS, 1, 100)
    live = told(tape)
    sample(tape, 100, 170 * MS, 7)
    tape.play()
    tape.model.tick(180 * MS, 1, 100)

    assert live == [f"100 for {160 * MS - 100} in main at shop.py:41 in report …"]
    assert told(tape)[0].endswith("at shop.py:41 in report …")
    assert tape.lanes()["loop"].endswith("running report shop.py:7 in report")


def test_sample_of_a_short_step(tape):
    """A sample of a step below the threshold makes no stall."""
    sample(tape, 100, 50 * MS, 41)
    tape.step(1, 100, 60 * MS).play()

    assert told(tape) == []


def test_sample_of_another_step(tape):
    """A sample is never held against the step after the one it saw."""
    tape.step(1, 100, 100 + LONG, Kind.STEP_READY)
    began = 200 + LONG
    sample(tape, began, began + STALL_NS, 41)
    tape.step(1, began, began + LONG).play()

    assert told(tape) == [
        f"100 for {LONG} in main",
        f"{began} for {LONG} in main at shop.py:41 in report",
    ]


def victim(tape, number, t):
    """A request that was sent at `t` stands at the door."""
    tape.requests.sent(number, t, method="GET", path=f"/{number}", scenario="", loop=1)


def test_victims(tape):
    """Victims are who is held up, each since it came or since the stall began."""
    victim(tape, 1, 50)
    victim(tape, 2, 100 + STALL_NS)
    tape.requests.sent(3, 60, method="GET", path="/3", scenario="", loop=2)
    tape.step(1, 100, 100 + LONG).play()
    (stall,) = tape.stalls.kept

    requests, others = stall.victims.sums()
    assert (requests.count, others.count) == (2, 0)
    assert requests.delay_ns == LONG + LONG - STALL_NS
    assert (requests.worst, requests.worst_ns) == ("GET /1", LONG)


def test_who_waits_anyway_is_no_victim(tape):
    """A request that waits for something else, or is served by the stall, is none."""
    tape.born(2, "sleeper", 40).request(1, 2, 51).step(2, 50, 60)
    tape.born(3, "blocker", 61).request(2, 3, 101).step(3, 100, 100 + LONG).play()

    assert tape.stalls.kept[0].victims.sums()[0].count == 0
    assert tape.stalls.kept[0].request == 2


def test_due_is_held_up(tape):
    """A sleeper whose time comes during the stall is a victim since then."""
    due = 100 + STALL_NS
    tape.born(2, "sleeper", 40).request(1, 2, 51).step(2, 50, 60)
    tape.reason(2, 61, "sleep", deadline=due).poll(60, 90).play()
    tape.model.tick(100 + LONG, 1, 100)
    (stall,) = tape.stalls.kept

    requests, _ = stall.victims.sums()
    assert (requests.count, requests.delay_ns) == (1, LONG - STALL_NS)


def test_to_wire(tape):
    """A stall is told in milliseconds, with its culprit or null."""
    victim(tape, 1, 50)
    tape.step(1, 100, 100 + LONG).play()

    assert tape.stalls.kept[0].to_wire() == {
        "id": 1,
        "loop": 1,
        "start_ns": 100,
        "duration_ms": 300.0,
        "over": True,
        "unfinished": False,
        "start_up": False,
        "starved_ms": 0.0,
        "starved": False,
        "label": "main",
        "request": 0,
        "culprit": None,
        "holds_lock": False,
        "victims": {
            "count": 1,
            "delay_ms": 300.0,
            "worst": "GET /1",
            "worst_ms": 300.0,
            "door": 0,
            "others": {
                "count": 0,
                "delay_ms": 0.0,
                "worst": "",
                "worst_ms": 0.0,
                "named": [],
            },
            "lanes": [3],
            "words": "delayed GET /1 by 300 ms",
        },
    }


@pytest.mark.parametrize(
    ("looks", "starved", "blamed"),
    [
        # Nothing is told, or of other times only.
        ([], 0, True),
        ([(-200, 100, 150), (400, 500, 90)], 0, True),
        # What is left of it is no stall; or it is.
        ([(100, 250, 150), (250, 400, 60)], 210, False),
        ([(100, 250, 150), (250, 400, 40)], 190, True),
        # A look that began before it or ended after it counts in part.
        ([(50, 150, 80), (150, 400, 200)], 240, False),
        ([(100, 300, 150), (300, 500, 100)], 200, True),
        # A wait counts when it is over, however long it was: never more than the step.
        ([(399, 401, 250)], 249, False),
        ([(399, 401, 900)], 300, False),
        # What was waited before a look that it began in was not in it.
        ([(50, 150, 900)], 50, True),
    ],
)
def test_without_a_processor(tape, looks, starved, blamed):
    """What a step waited for a processor is told, and without it a step must be long to
    be blamed."""
    sample(tape, 100 * MS, 250 * MS, 41)
    for since, until, waited in looks:
        tape.model.starvation.told(since * MS, until * MS, waited * MS)
    tape.step(1, 100 * MS, 400 * MS).play()
    (stall,) = tape.stalls.kept

    assert stall.starved_ns == starved * MS
    assert (stall.culprit is not None, stall.is_starved) == (blamed, not blamed)
    assert stall.seen_at.line == 41
    assert stall.describe()["samples"][0]["line"] == 41


def test_blamed_once_it_is_its_own_fault(tape):
    """A step under way is blamed as soon as it has lasted too long by itself."""
    sample(tape, 100 * MS, 150 * MS, 41)
    tape.play()
    told = []
    for now in range(200, 400, 50):
        tape.model.starvation.told((now - 50) * MS, now * MS, 25 * MS)
        tape.model.tick(now * MS, 1, 100 * MS)
        told.append(tape.stalls.kept[0].to_wire()["starved"])

    assert told == [True, False, False, False]


def test_a_wait_too_short_to_matter(tape):
    """A step just above the threshold is not excused by the little it waited."""
    tape.model.starvation.told(100 * MS, 150 * MS, 5 * MS)
    tape.step(1, 100 * MS, 204 * MS).play()

    assert not tape.stalls.kept[0].is_starved


def test_kept_are_bounded(tape):
    """Only the most recent stalls are kept."""
    for number in range(module.KEEP + 5):
        began = 100 + number * 2 * LONG
        tape.step(1, began, began + LONG)
    tape.play()

    assert repr(tape.stalls) == f"<Stalls {module.KEEP} kept>"
    assert tape.stalls.kept[0].id == 6
