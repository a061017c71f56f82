"""Why a task waits, and who woke it, in words."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.records import Detail, Kind, Origin
from dashboard.server.model import explanations
from dashboard.server.model.waits import (
    in_words,
    is_off_loop,
    origin_of,
    seconds,
    whole,
)

WHERE = "shop.py:7 in buy"
S = 1_000_000_000


@pytest.fixture
def tape():
    """A tape to write records on."""
    return Tape()


def told(*details):
    """Return details in words, where strings and tasks are named by their numbers."""
    return in_words(details, text="text {}".format, who="task {}".format)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ([], ""),
        ([(Detail.SECONDS, S)], "1 s"),
        ([(Detail.SECONDS, 1_250_000_000)], "1.25 s"),
        ([(Detail.SECONDS, -1)], "for ever"),
        ([(Detail.FILL, 40 << 32 | 40)], "40/40"),
        ([(Detail.COUNT, 3)], "of 3"),
        ([(Detail.TEXT, 9)], "text 9"),
        ([(Detail.PEER, 0x7F000001 << 16 | 5432)], "127.0.0.1:5432"),
        ([(Detail.PID, 4711)], "pid 4711"),
        ([(Detail.TASK, 4)], "task 4"),
        ([(Detail.HOLDER, 4)], "held by task 4"),
        ([(Detail.TIMEOUT, 2 * S), (Detail.FILL, 5)], "0/5, at most 2 s"),
        ([(99, 1)], ""),
    ],
)
def test_details(details, words):
    """Each detail has its words; one of a later version is left out."""
    assert told(*details) == words


def test_nobody_known():
    """A holder that is not known is not made up."""
    assert in_words([(Detail.HOLDER, 4)], text=str, who=lambda _: "") == ""


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (S, "1 s"),
        (20 * MS, "20 ms"),
        (19_970_000, "20 ms"),
        (1500, "1.5 µs"),
        (0, "0 s"),
    ],
)
def test_seconds(ns, words):
    """A duration is told as one would write it."""
    assert seconds(ns) == words


def test_whole():
    """Kind and details make one sentence."""
    assert whole("sleep", "1 s") == "sleep 1 s"
    assert whole("Event", "at most 1 s") == "Event, at most 1 s"
    assert whole("unknown", "") == "unknown"


def test_off_loop():
    """Who waits for a lock does not wait for a thread; who waits for a future may."""
    assert is_off_loop("worker thread")
    assert is_off_loop('Future "answer"')
    assert is_off_loop("aiofiles read")
    assert not is_off_loop('Lock "cache"')
    assert not is_off_loop("sleep")


@pytest.mark.parametrize(
    ("owner", "found"),
    [
        (7, ("task", 7, 0)),
        (0, ("", 0, 0)),
        (-5, ("callback", 0, 5)),
        (-(Origin.TIMER << 24 | 5), ("timer", 0, 5)),
        (-(Origin.THREAD << 24 | 5), ("thread", 0, 5)),
        (-(7 << 27 | 5), ("task", 7, 5)),
        (-(7 << 27 | 7 << 24 | 5), ("task", 7, 5)),
    ],
)
def test_origin(owner, found):
    """An owner says who is at the root of a wake, and which callback passed it on."""
    assert origin_of(owner) == found


def test_detail_of_a_wait(tape):
    """The page is told kind, place and details; programs get them in one sentence."""
    tape.born(1, "main", 5).step(1, 10, 20)
    tape.put(Kind.DETAIL, 60, S, 1, Detail.SECONDS).reason(1, 60, "sleep")
    tape.poll(20, 900)

    assert tape.story("main").endswith(f"20 waiting sleep {WHERE} 1 s")
    (task,) = tape.model.tasks.by_no.values()
    assert (task.reason, task.detail) == ("sleep", "1 s")
    assert tape.model.tasks.waits == {"sleep": 1}


def test_detail_of_another(tape):
    """A detail without its reason is nobody's, and a later wait begins without any."""
    tape.born(1, "main", 5).born(2, "other", 6).step(1, 10, 20).step(2, 20, 30)
    tape.put(Kind.DETAIL, 60, S, 1, Detail.SECONDS).reason(2, 60, "Event")
    tape.put(Kind.DETAIL, 61, S, 1, Detail.SECONDS).reason(1, 61, "sleep")
    tape.poll(30, 90).wake(1, 100).step(1, 110, 120).reason(1, 130, "Event")
    tape.poll(120, 140).play()

    one, other = tape.model.tasks.by_no.values()
    assert (one.reason, one.detail) == ("Event", "")
    assert (other.reason, other.detail) == ("Event", "")


def test_held_by_a_request(tape):
    """A holder is named as the page names it, and its lane stands beside the wait."""
    tape.born(1, "holder", 0).request(1, 1, 11).step(1, 10, 20)
    tape.born(2, "waiter", 21).step(2, 25, 30)
    tape.put(Kind.DETAIL, 60, 1, 2, Detail.HOLDER).reason(2, 60, 'Lock "cache"')
    tape.poll(30, 90)

    story = tape.story("waiter")
    request = next(iter(tape.requests.open.values()))
    assert story.endswith(
        f'30 waiting Lock "cache" {WHERE} held by request {request.id} #{request.lane}'
    )


def test_woken_by_a_task(tape):
    """A wake carries the lane of the task that did it."""
    tape.born(1, "first", 0).born(2, "second", 0)
    tape.step(1, 10, 20).step(2, 20, 30).poll(30, 40)
    tape.wake(1, 52, owner=2).step(2, 50, 60)

    lanes = tape.lanes()
    second = next(task for task in tape.model.tasks.by_no.values() if task.no == 2)
    assert f"52 ready task #{second.lane}" in lanes["first"]


def test_made_by_a_task(tape):
    """A task that was just made is ready because of the one that made it."""
    tape.born(1, "maker", 0).step(1, 10, 20).poll(20, 30).play()
    tape.wake(1, 30).put(Kind.BORN, 42, 1, 2, tape.text("made")).step(1, 40, 50)
    tape.step(2, 50, 60).poll(60, 70)

    lanes = tape.lanes()
    assert lanes["made"].startswith(f"42 ready task #{tape.model.tasks.by_no[1].lane},")


def test_woken_through_a_callback(tape):
    """Also when it has asked a callback to do so: a done callback, `gather`'s."""
    tape.born(1, "first", 0).born(2, "second", 0)
    tape.step(1, 10, 20).step(2, 20, 30).poll(30, 40)
    callback = tape.text("gather.<locals>._done_callback")
    tape.wake(1, 52, owner=-(2 << 27 | callback))
    tape.call("gather.<locals>._done_callback", 50, 60).play()

    lanes = tape.lanes()
    second = next(task for task in tape.model.tasks.by_no.values() if task.no == 2)
    assert f"ready task gather.<locals>._done_callback #{second.lane}" in lanes["first"]


def test_woken_by_what_uvloop_does_itself(tape):
    """Nobody ran; but who waited to read a socket was woken by that socket."""
    tape.born(1, "reader", 0).born(2, "other", 0).step(1, 10, 20).step(2, 20, 30)
    tape.reason(1, 40, "socket read").wake(1, 40).wake(2, 41).step(1, 50, 60)

    lanes = tape.lanes()
    assert "40 ready socket," in lanes["reader"]
    assert lanes["other"].endswith("41 ready")


def test_details_without_end(tape, monkeypatch):
    """What varies without bound does not fill the tables that viewers keep."""
    monkeypatch.setattr(explanations, "MAX_TOLD_DETAILS", 10)
    tape.born(1, "main", 0).step(1, 1, 2)
    for n in range(100):
        at = 10 * (n + 1)
        tape.put(Kind.DETAIL, at, n, 1, Detail.PID).reason(1, at, "subprocess")
        tape.poll(at - 8, at + 1).wake(1, at + 1).step(1, at + 1, at + 2)
    tape.put(Kind.DETAIL, 2000, 5000, 1, Detail.PID).reason(1, 2000, "subprocess")
    tape.poll(1002, 2001).play()

    (task,) = tape.model.tasks.by_no.values()
    assert task.detail == "pid 5000"
    strings = tape.journal.take(0).strings
    assert len([text for text in strings if "pid" in text]) == 10


def test_wake_by_a_callback_of_the_request_itself(tape):
    """While its timer's callback runs the request runs; then it is ready by the timer."""
    tape.born(1, "cycle", 0).request(1, 1, 10).step(1, 10, 20).poll(20, 100)
    tape.wake(1, 102, owner=-(Origin.TIMER << 24)).call(
        "set_result", 100, 105, request=1
    )
    tape.step(1, 110, 130)

    story = tape.story("request")
    assert "100 running" in story
    assert "105 ready timer" in story
