"""After a loss, who lives goes on under its name, and who does not is gone."""

from __future__ import annotations

import pytest
from tapes import Tape

from dashboard.records import Kind
from dashboard.server.model.lanes import State

WAITS, IS_READY = 0, 1


@pytest.fixture
def tape():
    """A loop with two tasks, one of a request, that lost records at 100."""
    tape = Tape()
    tape.born(1, "server", 0).request(7, 1, 12).step(1, 10, 20)
    tape.put(Kind.REQUEST_NAME, 21, 0, 7, tape.text("GET", "/slow"))
    tape.born(2, "job", 30).step(2, 40, 100).play()
    tape.model.lose()
    return tape


def lives(tape, task, name, t, *, request=0, does=WAITS):
    """The roll call tells of a task."""
    return tape.put(Kind.LIVES, t, request << 32 | does, task, tape.text(name))


def all_told(tape, t, count):
    """The roll call is complete."""
    return tape.put(Kind.LIVES_ALL, t, t - 1, count)


def test_roll_call(tape):
    """Whom the roll call tells lives on; whom it leaves out was gone since the loss."""
    lives(tape, 1, "server", 500, request=7)
    all_told(tape, 501, 1).poll(490, 600).play()

    assert list(tape.model.tasks.by_no) == [1]
    assert tape.lanes()["job"] == "30 ready, 40 running job, 100 gone"
    assert tape.lanes()["GET /slow"].endswith("100 lost, 500 waiting")
    assert [request.is_lost for request in tape.requests.open.values()] == [False]


def test_request_that_ended_in_the_loss(tape):
    """A request whose task is gone ended, nobody knows how, and says so."""
    all_told(tape, 500, 0).poll(490, 600).play()

    (request,) = tape.requests.finished
    assert tape.model.tasks.by_no == {}
    assert request.to_wire()["state"] == "lost"
    assert request.answered_ns == 100


def test_call_with_holes(tape):
    """A roll call of which records are missing settles nothing."""
    lives(tape, 1, "server", 500, request=7)
    all_told(tape, 501, 2).poll(490, 600).play()

    assert sorted(tape.model.tasks.by_no) == [1, 2]


def test_loss_in_a_call(tape):
    """What a roll call told before a loss does not count after it."""
    lives(tape, 1, "server", 500, request=7).poll(490, 510).play()
    tape.model.lose()
    lives(tape, 2, "job", 600)
    all_told(tape, 601, 2).poll(590, 610).play()

    assert sorted(tape.model.tasks.by_no) == [1, 2]


def test_born_in_the_loss(tape):
    """A task and a request that began in the loss get their names, and are one."""
    lives(tape, 9, "handler", 500, request=8)
    tape.put(Kind.REQUEST_NAME, 500, 0, 8, tape.text("GET", "/new"))
    lives(tape, 10, "child", 501, request=8, does=IS_READY)
    tape.poll(490, 600).step(10, 700, 710, Kind.STEP_DONE)
    tape.wake(9, 720).step(9, 730, 740, Kind.STEP_DONE)

    assert tape.lanes()["GET /new"] == (
        "500 waiting, 501 ready, 700 running, 710 waiting, 720 ready, "
        "730 running, 740 gone"
    )


def test_named_at_last(tape):
    """A task that was heard of without its name gets it, on the lane that it has."""
    tape.wake(9, 490).step(9, 495, 499).play()
    before = tape.lanes()
    lives(tape, 9, "worker", 500).poll(500, 600)

    assert "task" in before
    assert tape.lanes()["worker"] == before["task"]


def test_told_in_its_last_moment(tape):
    """A task that ended while it was told is gone after the next roll call."""
    lives(tape, 9, "brief", 500).poll(490, 510)
    all_told(tape, 511, 1).poll(510, 600).play()
    assert 9 in tape.model.tasks.by_no
    all_told(tape, 700, 0).poll(690, 800).play()

    assert tape.model.tasks.by_no == {}


def test_no_loss(tape):
    """A roll call where nothing was lost changes nothing."""
    lives(tape, 1, "server", 500, request=7)
    lives(tape, 2, "job", 500)
    all_told(tape, 501, 2).poll(490, 600).play()
    before = tape.lanes()
    lives(tape, 1, "other name", 900, does=IS_READY)
    all_told(tape, 901, 1).poll(890, 1000).play()

    assert tape.lanes() == before | {"loop": tape.lanes()["loop"]}
    assert tape.model.tasks.by_no[2].state == State.WAITING
