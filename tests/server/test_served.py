"""A task may be made for a request, or serve one for a while: each gets its due."""

from __future__ import annotations

import pytest
from tapes import Tape

from dashboard.records import FROM_WEBSOCKET, Kind
from dashboard.server.model.lanes import LaneKind
from dashboard.server.model.served import STREAM_NS


@pytest.fixture
def tape():
    """A tape to write records on."""
    return Tape()


def spent(request):
    """Return the parts that are not zero."""
    return {name: ns for name, ns in request.spent_ns.items() if ns}


def kinds(tape):
    """Return the kind of each lane that is a request's."""
    tape.lanes()
    return [kind for kind, _, _, request in tape.told.lanes.values() if request]


def test_task_that_serves_several_in_turn(tape):
    """A task of its own serves two requests, and is its own again afterwards."""
    tape.born(1, "client", 0).step(1, 5, 8).wake(1, 9).poll(8, 10)
    tape.request(1, 1, 20, made_for=0).put(Kind.ANSWERED, 30, 200, 1)
    tape.put(Kind.REQUEST_END, 35, 0, 1)
    tape.request(2, 1, 40, made_for=0).put(Kind.ANSWERED, 60, 201, 2)
    tape.put(Kind.REQUEST_END, 62, 0, 2).step(1, 10, 70).poll(70, 80)

    tape.play()
    one, two = tape.requests.finished
    assert (spent(one), one.status) == ({"running": 10}, 200)
    assert (spent(two), two.status) == ({"running": 20}, 201)
    (task,) = tape.model.tasks.by_no.values()
    assert task.request is None
    assert task.lane


def test_request_within_a_request(tape):
    """A handler that calls an app in its own process waits for it meanwhile."""
    tape.born(1, "server", 0).request(1, 1, 12)
    tape.request(2, 1, 20, made_for=0).put(Kind.ANSWERED, 50, 200, 2)
    tape.put(Kind.REQUEST_END, 50, 0, 2).put(Kind.ANSWERED, 60, 200, 1)
    tape.step(1, 10, 70, Kind.STEP_DONE).play()

    inner, outer = tape.requests.finished
    assert spent(inner) == {"running": 30}
    assert spent(outer) == {"ready": 10, "running": 10 + 10, "waiting": 30}
    assert outer.total_ns == 60


def test_stream(tape):
    """An answer that comes in pieces for long turns its request into a stream."""
    tape.born(1, "server", 0).request(1, 1, 12).put(Kind.RESPONSE, 15, 200, 1)
    tape.step(1, 10, 20).play()
    before = kinds(tape)
    later = 16 + STREAM_NS
    tape.wake(1, later - 10).put(Kind.RESPONSE, later, 200, 1).poll(20, later - 5)
    tape.step(1, later - 4, later + 10).play()

    assert before == [LaneKind.REQUEST]
    assert kinds(tape) == [LaneKind.STREAM]
    (request,) = tape.requests.open.values()
    wire = request.to_wire(later + 20)
    assert (wire["kind"], wire["state"], wire["status"]) == ("stream", "open", 200)


def test_websocket(tape):
    """A WebSocket has a lane of its own kind from the beginning."""
    tape.born(1, "server", 0).put(Kind.REQUEST, 12, FROM_WEBSOCKET, 1, 1)
    tape.step(1, 10, 20).poll(20, 30)

    assert kinds(tape) == [LaneKind.WEBSOCKET]
    (request,) = tape.requests.open.values()
    assert (request.to_wire()["kind"], request.to_wire()["state"]) == (
        "websocket",
        "open",
    )
