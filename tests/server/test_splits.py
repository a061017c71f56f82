"""Every nanosecond of a request is counted once, and the parts are the whole."""

from __future__ import annotations

import random

import pytest
from tapes import Told

from dashboard.server.model import splits as module
from dashboard.server.model.journal import Journal
from dashboard.server.model.lanes import State
from dashboard.server.model.request import PARTS
from dashboard.server.model.splits import PRECEDENCE, Requests

SPAN = 0xABC
#: The promised order, written down once more.
ORDER = ("running", "ready", "thread", "process", "thread_queue", "waiting")


@pytest.fixture
def journal():
    """A journal that nobody has read yet."""
    return Journal()


@pytest.fixture
def requests(journal):
    """Requests of a session that begins."""
    return Requests(journal)


def sent(requests, t, span=SPAN):
    """Tell that a request of ours is on its way."""
    requests.sent(span, t, method="GET", path="/slow", scenario="slow", loop=1)


def spent(request):
    """Return the parts that are not zero."""
    return {name: ns for name, ns in request.spent_ns.items() if ns}


def story(journal):
    """Return the only lane's story."""
    told = Told()
    told.take(journal.take(0))
    (words,) = told.stories().values()
    return words


def test_one_task(requests, journal):
    """The parts of a request with one task are its states, and add up."""
    sent(requests, 100)
    request = requests.begin(130, loop=1, span=SPAN)
    requests.enter(request, State.READY, 130, 0)
    requests.move(request, State.READY, State.RUNNING, 150, 0)
    requests.move(request, State.RUNNING, State.WAITING, 157, 0)
    requests.move(request, State.WAITING, State.DUE, 300, 0)
    requests.move(request, State.DUE, State.READY, 305, 0)
    requests.move(request, State.READY, State.RUNNING, 309, 0)
    requests.answer(request, 320, 200)
    requests.leave(request, State.RUNNING, 330)
    requests.end(request, 330)

    assert spent(request) == {
        "outside": 30,
        "ready": 20 + 5 + 4,
        "running": 7 + 11,
        "waiting": 143,
    }
    assert request.total_ns == 320 - 100
    assert repr(requests) == "<Requests 1 begun, 1 finished>"
    assert story(journal) == (
        "100 outside, 130 ready, 150 running, 157 waiting, 300 due, 305 ready, "
        "309 running, 330 gone"
    )


@pytest.mark.parametrize("better", range(len(PRECEDENCE)))
@pytest.mark.parametrize("order", [1, -1])
def test_precedence(requests, better, order):
    """Of two tasks the one whose state comes first in the order counts."""
    for worse in (*PRECEDENCE[better:], State.LOST):
        request = requests.begin(0, loop=1, span=None)
        for state in (PRECEDENCE[better], worse)[::order]:
            requests.enter(request, state, 0, 0)
        requests.answer(request, 10, 200)

        assert spent(request) == {PARTS[PRECEDENCE[better]]: 10}


def test_precedence_is_the_documented_one():
    """The order is the promised one, and leaves no state out."""
    parts = list(dict.fromkeys(PARTS[state] for state in PRECEDENCE))

    assert tuple(parts) == ORDER
    assert set(PRECEDENCE) | {State.OUTSIDE} >= set(PARTS)


def test_lost(requests, journal):
    """A request of which we lost track waits, until it is seen again."""
    request = requests.begin(0, loop=1, span=None)
    requests.enter(request, State.RUNNING, 0, 0)
    requests.move(request, State.RUNNING, State.LOST, 10, 0)
    requests.move(request, State.LOST, State.READY, 110, 0)
    requests.answer(request, 115, 200)

    assert spent(request) == {"running": 10, "waiting": 100, "ready": 5}
    assert story(journal) == "0 running, 10 lost, 110 ready"


@pytest.mark.parametrize("seed", range(30))
def test_twin(requests, seed):
    """Random histories of several tasks are counted as by a slow, obvious twin."""
    chance = random.Random(seed)
    begun, now = 50, 50 + chance.randrange(30)
    if is_sent := chance.random() < 0.5:
        sent(requests, begun)
    else:
        begun = now
    request = requests.begin(now, loop=1, span=SPAN)
    expected = dict.fromkeys(request.spent_ns, 0)
    expected["outside"] = now - begun
    states = {}
    requests.enter(request, State.READY, now, 0)
    states[0] = State.READY
    for _ in range(100):
        later = now + chance.choice([0, 1, 7, 1_000])
        living = [state for state in PRECEDENCE if state in states.values()]
        expected[PARTS[living[0] if living else State.RUNNING]] += later - now
        now = later
        task = chance.randrange(4)
        state = chance.choice(PRECEDENCE)
        if task not in states:
            requests.enter(request, state, now, chance.randrange(3))
            states[task] = state
        elif chance.random() < 0.2:
            requests.leave(request, states.pop(task), now)
        else:
            requests.move(request, states[task], state, now, chance.randrange(3))
            states[task] = state
    requests.answer(request, now, 200)

    assert request.spent_ns == expected
    assert request.total_ns == request.answered_ns - request.begun_ns == now - begun
    wire = request.to_wire()
    assert (wire["split"]["outside_ms"] is None) is not is_sent
    parts = sum(part or 0 for part in wire["split"].values())
    assert parts == pytest.approx(wire["total_ms"], abs=1e-5)


@pytest.mark.parametrize(
    ("span", "outside_ms"), [(SPAN, 0.00004), (None, None), (SPAN + 1, None)]
)
def test_outside(requests, span, outside_ms):
    """Outside is a number when we know when it was sent, else null and not 0."""
    sent(requests, 60)
    request = requests.begin(100, loop=1, span=span)
    requests.enter(request, State.RUNNING, 100, 0)
    requests.answer(request, 110, 200)

    assert request.to_wire()["split"]["outside_ms"] == outside_ms


def test_outside_may_be_zero(requests):
    """A request that the loop saw at once was outside for 0 ms, which is a number."""
    sent(requests, 100)
    request = requests.begin(100, loop=1, span=SPAN)
    requests.enter(request, State.RUNNING, 100, 0)
    requests.answer(request, 110, 200)

    assert request.to_wire()["split"]["outside_ms"] == 0


def test_no_task_known(requests):
    """A request whose tasks we never saw adds up too, without being outside."""
    request = requests.begin(100, loop=1, span=None)
    requests.answer(request, 150, 200)
    split = request.to_wire()["split"]

    assert split["outside_ms"] is None
    assert sum(part or 0 for part in split.values()) == request.to_wire()["total_ms"]


def test_clocks_cross(requests):
    """A loop that saw a request before it was sent makes no part negative."""
    sent(requests, 100)
    request = requests.begin(90, loop=1, span=SPAN)
    requests.enter(request, State.READY, 90, 0)
    requests.move(request, State.READY, State.RUNNING, 95, 0)
    requests.move(request, State.RUNNING, State.WAITING, 120, 0)
    requests.answer(request, 110, 200)

    assert min(request.spent_ns.values()) >= 0
    assert request.total_ns == request.answered_ns - request.begun_ns == 20


def test_answer_ends_the_split(requests, journal):
    """Background tasks keep the lane and do not lengthen the answer."""
    request = requests.begin(0, loop=1, span=None)
    requests.enter(request, State.RUNNING, 0, 0)
    requests.answer(request, 10, 200)
    requests.move(request, State.RUNNING, State.WAITING, 20, 0)
    requests.move(request, State.WAITING, State.RUNNING, 500, 0)
    requests.end(request, 600)
    requests.leave(request, State.RUNNING, 700)

    assert spent(request) == {"running": 10}
    assert story(journal) == "0 running, 20 waiting, 500 running, 600 gone"
    assert requests.finished_count == 1


def test_no_answer(requests):
    """A request that ends without an answer has status 0 and is finished once."""
    request = requests.begin(0, loop=1, span=None)
    requests.enter(request, State.WAITING, 0, 0)
    requests.leave(request, State.WAITING, 10)
    requests.end(request, 10)

    assert (request.status, spent(request)) == (0, {"waiting": 10})
    assert [each.id for each in requests.begin_frame()] == [request.id]


def test_never_seen_by_a_loop(requests, journal):
    """A request that no loop ever showed was outside from its sending to its end."""
    sent(requests, 100)
    requests.settle_outside(SPAN, 400, 503)
    requests.settle_outside(SPAN, 500, 200)
    requests.settle_outside(SPAN + 1, 500, 200)

    (request,) = requests.finished
    assert (request.status, spent(request)) == (503, {"outside": 300})
    assert requests.open == {}
    assert story(journal) == "100 outside, 400 gone"


def test_settled_after_its_loop_showed_it(requests):
    """What the sender says later does not touch a request that a loop has taken."""
    sent(requests, 100)
    request = requests.begin(150, loop=1, span=SPAN)
    requests.enter(request, State.RUNNING, 150, 0)
    requests.settle_outside(SPAN, 160, 200)

    assert requests.open == {request.id: request}


def test_span_that_comes_twice(requests):
    """A second request with the same span is one of its own: nobody sent it."""
    sent(requests, 100)
    first = requests.begin(150, loop=1, span=SPAN)
    second = requests.begin(160, loop=1, span=SPAN)

    assert first.id != second.id
    assert (first.sent, second.sent) == (True, False)


def test_two_loops(requests, journal):
    """A request belongs to the loop that serves it, not to the one it was sent to."""
    sent(requests, 100)
    request = requests.begin(150, loop=2, span=SPAN)
    told = Told()
    told.take(journal.take(0))

    assert request.loop == 2
    assert [lane[1] for lane in told.lanes.values()] == [2]


def test_finished_once(requests):
    """Each finished request is told to the stream once, and kept for the state."""
    for number in range(module.KEEP_FINISHED + 5):
        request = requests.begin(number, loop=1, span=None)
        requests.end(request, number + 1)

    assert len(requests.begin_frame()) == module.KEEP_FINISHED + 5
    assert requests.begin_frame() == []
    assert [requests.finished[0].id, len(requests.finished)] == [
        6,
        module.KEEP_FINISHED,
    ]


def test_lanes_are_bounded(requests):
    """Beyond so many requests at once they are counted and not drawn, for a while."""
    for number in range(module.LANES_AT_ONCE + 7):
        requests.begin(number, loop=1, span=None)
    first = requests.undrawn
    requests.begin_frame()
    later = [requests.begin(number, loop=1, span=None) for number in range(40)]

    assert first == 7
    assert requests.undrawn == 7 + 40 - module.LANES_PER_FRAME
    assert [bool(each.lane) for each in later] == [True] * 30 + [False] * 10


def test_undrawn_is_accounted(requests):
    """A request without a lane has its split like any other."""
    for number in range(module.LANES_AT_ONCE):
        requests.begin(number, loop=1, span=None)
    request = requests.begin(0, loop=1, span=None)
    requests.enter(request, State.READY, 0, 0)
    requests.move(request, State.READY, State.RUNNING, 4, 0)
    requests.answer(request, 10, 200)

    assert (request.lane, spent(request)) == (0, {"ready": 4, "running": 6})
