"""What tasks have running elsewhere is told from asked to ended, and then no more."""

from __future__ import annotations

import pytest
from tapes import Tape

from dashboard.records import Door, Kind
from dashboard.server.model.lanes import LaneKind, State
from dashboard.server.model.workers import IDLE_NS, MAX_LANES, Tokens


@pytest.fixture
def tape():
    """A tape on which task 1 of request 7 is about to run from 10 on."""
    tape = Tape()
    tape.born(1, "server", 0).request(7, 1, 12)
    return tape


def asked(tape, call, t, name="load", *, door=Door.TOKEN, why="", task=1):
    """A task asks for a function."""
    string = tape.text(name, "/srv/shop.py", 7)
    detail = string | door << 32 | (tape.text(why) if why else 0) << 40
    return tape.put(Kind.THREAD_QUEUED, t, detail, call, task)


def test_through_a_thread(tape):
    """In line, in the thread, back at the door of the loop: all of it is told."""
    asked(tape, 5, 15, why="dependency").step(1, 10, 20)
    tape.put(Kind.THREAD_BEGIN, 40, 0, 5, 3).put(Kind.THREAD_END, 70, 0, 5, 3)
    tape.wake(1, 90).poll(20, 91).step(1, 95, 99, Kind.STEP_DONE)

    label = "load (dependency) shop.py:7 in load"
    assert tape.story("thread 1") == f"40 thread {label} #1, 70 idle"
    assert tape.story("request") == (
        f"0 ready, 10 running, 20 thread_queue {label}, 40 thread {label}, 70 due, "
        "90 ready, 95 running, 99 gone"
    )


def test_cancelled_in_line(tape):
    """A function that is given up on in the line leaves its task nowhere but awake."""
    asked(tape, 5, 15).step(1, 10, 20)
    tape.wake(1, 40).put(Kind.THREAD_DROPPED, 45, 0, 5).poll(20, 41)
    tape.step(1, 42, 50).poll(50, 60)

    assert tape.story("request").endswith("42 running, 50 waiting")
    assert tape.model.tasks.by_no[1].calls == ()


def test_executor_call_is_cancelled(tape):
    """A task that goes on before the result is there does not wait for it any more."""
    asked(tape, 5, 15, door=Door.EXECUTOR).step(1, 10, 20)
    tape.wake(1, 40).poll(20, 41).step(1, 42, 50)
    tape.put(Kind.THREAD_BEGIN, 55, 0, 5, 3).poll(50, 60)

    assert tape.story("request").endswith("42 running, 50 waiting")


def test_executor_call_is_awaited_later(tape):
    """If the reason of a wait says that it is the thread after all, it counts so."""
    asked(tape, 5, 15, door=Door.EXECUTOR).step(1, 10, 20)
    tape.wake(1, 40).poll(20, 41).step(1, 42, 50)
    tape.put(Kind.THREAD_BEGIN, 55, 0, 5, 3).reason(1, 60, "Future").poll(50, 70)

    assert "50 thread load" in tape.story("request")


def test_given_up_while_it_runs(tape):
    """A thread goes on with what nobody waits for; the task does not."""
    asked(tape, 5, 15).step(1, 10, 20)
    tape.put(Kind.THREAD_BEGIN, 30, 0, 5, 3).wake(1, 40).poll(20, 41)
    tape.put(Kind.THREAD_DROPPED, 45, 0, 5).step(1, 42, 50)
    tape.put(Kind.THREAD_END, 90, 0, 5, 3).poll(50, 95)

    assert tape.story("request").endswith("42 running, 50 waiting")
    assert tape.story("thread 1").endswith("90 idle")


def test_something_else_first(tape):
    """A task that sleeps while a thread works for it waits for the sleep."""
    asked(tape, 5, 15, door=Door.EXECUTOR).step(1, 10, 20)
    tape.put(Kind.THREAD_BEGIN, 25, 0, 5, 3).reason(1, 30, "sleep").poll(20, 40)
    tape.play()

    assert tape.model.tasks.by_no[1].state == State.WAITING


def test_processes(tape):
    """Each call to a process pool has a lane, which the next one takes over."""
    for call, t in ((5, 13), (6, 14)):
        tape.put(Kind.PROCESS_CALL, t, tape.text(f"crunch{call}"), call, 1)
    tape.step(1, 10, 20)
    tape.put(Kind.PROCESS_END, 40, 0, 5, 0).put(Kind.PROCESS_END, 50, 0, 6, 0)
    tape.wake(1, 60).poll(20, 61)
    tape.put(Kind.PROCESS_CALL, 72, tape.text("crunch7"), 7, 1).step(1, 70, 80)

    assert tape.story("process 1") == (
        "13 process crunch5 #1, 40 idle, 72 process crunch7 #1"
    )
    assert tape.story("process 2") == "14 process crunch6 #1, 50 idle"
    assert "20 process crunch5, 50 due, 60 ready" in tape.story("request")


def test_tokens(tape):
    """The gauge shows what the limiter said, and who is at the end of the line."""
    for call in range(3):
        asked(tape, call, 15 + call, f"load{call}")
    asked(tape, 9, 19, "own", door=Door.LIMITER).step(1, 10, 20).play()
    tape.put(Kind.THREAD_BEGIN, 30, 0, 0, 3).poll(20, 40).play()
    nothing = tape.model.workers.describe_tokens()
    tape.model.workers.tokens = Tokens(total=2, borrowed=2, waiting=1)

    assert nothing is None
    assert tape.model.workers.describe_tokens() == {
        "total": 2,
        "borrowed": 2,
        "waiting": 1,
        "waiters": [{"request": 1, "function": "load2", "label": "request"}],
    }


@pytest.mark.parametrize(("waiting", "named"), [(0, 0), (1, 1), (3, 3), (5, 3)])
def test_line_and_gauge_are_of_two_moments(tape, waiting, named):
    """However many the header says that wait, nobody is named who is not in line."""
    for call in range(3):
        asked(tape, call, 15 + call, f"load{call}")
    tape.step(1, 10, 20).play()
    tape.model.workers.tokens = Tokens(total=2, borrowed=2, waiting=waiting)

    assert len(tape.model.workers.describe_tokens()["waiters"]) == named


def test_loss(tape):
    """After a loss no thread is said to do anything."""
    asked(tape, 5, 15).step(1, 10, 20).play()
    tape.put(Kind.THREAD_BEGIN, 30, 0, 5, 3).poll(20, 40).play()
    tape.model.lose()

    assert tape.story("thread 1").endswith("40 lost")
    assert tape.model.tasks.by_no[1].calls == ()


def ran(tape, thread, t):
    """A thread runs a function for one nanosecond."""
    tape.put(Kind.THREAD_QUEUED, t, tape.text("load"), thread, 0)
    tape.put(Kind.THREAD_BEGIN, t, 0, thread, thread)
    tape.put(Kind.THREAD_END, t + 1, 0, thread, thread).poll(t, t + 2).play()


def rows_of(change, label):
    """Return what the lanes of a label did, lane by lane."""
    index = change.strings.index(label)
    lanes = [lane.id for lane in change.lanes if lane.label == index]
    return [
        [(row.t, State(row.state).name) for row in change.rows if row.lane == lane]
        for lane in lanes
    ]


def test_idle_thread_is_gone(tape):
    """A thread that does nothing for a minute leaves; the next one has its number."""
    later = 100 + IDLE_NS // 2
    ran(tape, 3, 100)
    ran(tape, 4, later)
    tape.model.tick(100 + IDLE_NS, 0, 0)
    tape.model.tick(101 + IDLE_NS, 0, 0)
    ran(tape, 5, 200 + IDLE_NS)
    change = tape.journal.take(0)

    assert rows_of(change, "thread 1") == [
        [(100, "THREAD"), (101, "IDLE"), (101 + IDLE_NS, "GONE")],
        [(200 + IDLE_NS, "THREAD"), (201 + IDLE_NS, "IDLE")],
    ]
    assert rows_of(change, "thread 2") == [[(later, "THREAD"), (later + 1, "IDLE")]]


def test_busy_thread_stays(tape):
    """A thread that works for longer than a minute keeps its lane."""
    tape.put(Kind.THREAD_QUEUED, 100, tape.text("load"), 5, 0)
    tape.put(Kind.THREAD_BEGIN, 100, 0, 5, 3).poll(100, 110).play()
    tape.model.tick(110 + 2 * IDLE_NS, 0, 0)

    assert tape.story("thread 1") == "100 thread load"


def test_idle_process_is_gone(tape):
    """A process that does nothing for a minute leaves, too."""
    tape.put(Kind.PROCESS_CALL, 13, tape.text("crunch"), 5, 1)
    tape.put(Kind.PROCESS_END, 40, 0, 5, 0).poll(40, 41).play()
    tape.model.tick(40 + IDLE_NS, 0, 0)

    assert tape.story("process 1").endswith(f"40 idle, {40 + IDLE_NS} gone")


def test_thread_after_a_loss(tape):
    """A thread that nobody heard of since records were lost is gone a minute later."""
    tape.put(Kind.THREAD_QUEUED, 100, tape.text("load"), 5, 0)
    tape.put(Kind.THREAD_BEGIN, 100, 0, 5, 3).poll(100, 110).play()
    tape.model.lose()
    tape.model.tick(110 + IDLE_NS, 0, 0)

    assert tape.story("thread 1").endswith(f"110 lost, {110 + IDLE_NS} gone")


def test_many_short_threads(tape):
    """However many threads come and go, their lanes and strings stay few."""
    step = 10_000_000
    for thread in range(1, 20_001):
        ran(tape, thread, thread * step)
        tape.model.tick(thread * step + 5, 0, 0)
        if thread % 100 == 0:
            tape.journal.take(thread * step)
    snapshot = tape.journal.snapshot()

    threads = [lane for lane in snapshot.lanes if lane.kind == LaneKind.THREAD]
    assert len(threads) == MAX_LANES
    assert len(snapshot.strings) <= MAX_LANES + 10


def test_more_threads_than_lanes(tape):
    """Who works when every lane is taken has none, and is served all the same."""
    for thread in range(1, MAX_LANES + 3):
        tape.put(Kind.THREAD_QUEUED, 100, tape.text("load"), thread, 0)
        tape.put(Kind.THREAD_BEGIN, 100, 0, thread, thread)
    tape.put(Kind.THREAD_END, 150, 0, MAX_LANES + 2, MAX_LANES + 2)
    tape.poll(100, 200).play()
    lanes = [
        lane for lane in tape.journal.take(0).lanes if lane.kind == LaneKind.THREAD
    ]

    assert len(lanes) == MAX_LANES
    assert len(tape.model.workers.running()) == MAX_LANES + 1
