"""Whoever a stall held up is found, with the right delay, and only once."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.records import LAP_SHIFT, RECORD, Kind
from dashboard.ring import Identity
from dashboard.server.model import victims as module
from dashboard.server.model.lanes import State
from dashboard.server.model.stalls import STALL_NS
from dashboard.server.model.task import CLOCKWORK
from dashboard.server.model.victims import Door, Stretch, Sum, say_ns, words
from dashboard.server.session import Session

LONG = 4 * STALL_NS
RUN_ASGI = "uvicorn.RequestResponseCycle.run_asgi"


@pytest.fixture
def tape():
    """A tape with a task that has had a step already."""
    return Tape().born(1, "main", 0).step(1, 10, 20).poll(20, 30).play()


def send(tape, number, t):
    """A request of ours is on its way at `t`."""
    tape.requests.sent(number, t, method="GET", path=f"/{number}", scenario="", loop=1)


def held(tape, index=-1):
    """Return who a stall held up, and for how long."""
    return {
        (each["kind"], each["label"]): round(each["delay_ms"] * MS)
        for each in tape.stalls.kept[index].describe()["held_up"]
    }


def test_task_that_was_ready(tape):
    """A background task that wants its turn is a victim, since the stall began."""
    tape.born(2, "worker", 40).step(1, 100, 100 + LONG).play()

    assert held(tape) == {("task", "worker"): LONG}


def test_woken_by_the_step_itself(tape):
    """Who is woken during the step waits from then on."""
    tape.born(2, "worker", 40).step(2, 50, 60).wake(2, 100 + STALL_NS)
    tape.step(1, 100, 100 + LONG).play()

    assert held(tape) == {("task", "worker"): LONG - STALL_NS}


def test_timer_told_afterwards(tape):
    """A short sleep whose time came during the stall is found when its timer fires."""
    end = 100 + LONG
    tape.born(2, "sleeper", 40).step(2, 50, 60).step(1, 100, end)
    tape.put(Kind.DUE, end + MS, 100 + STALL_NS, 0)
    tape.wake(2, end + MS).call("set_result", end + MS, end + MS + 1).play()

    assert held(tape) == {("task", "sleeper"): LONG - STALL_NS}


def test_timer_that_wakes_nobody(tape):
    """A callback that was due during the stall is a victim by its name."""
    end = 100 + LONG
    tape.step(1, 100, end)
    tape.put(Kind.DUE, end + MS, 100 + STALL_NS, 0)
    tape.call("on_timer", end + MS, end + MS + 1).play()

    assert held(tape) == {("timer", "on_timer"): LONG - STALL_NS}


def test_late_for_another_reason(tape):
    """A timer that became due after the stall is none of its victims."""
    end = 100 + LONG
    tape.step(1, 100, end).put(Kind.DUE, end + 9 * MS, end + MS, 0)
    tape.call("on_timer", end + 9 * MS, end + 10 * MS).play()

    assert held(tape) == {}


def test_request_whose_task_is_known_first(tape):
    """A request that is announced, and its task that has not begun, are one victim."""
    send(tape, 5, 50)
    tape.born(2, RUN_ASGI, 60).play()
    tape.model.tick(100 + LONG, 1, 100)
    live = tape.stalls.kept[0].victims.sums()[0].count
    end = 100 + LONG
    tape.step(1, 100, end)
    tape.put(Kind.REQUEST_TRACE, 0, 5, 1).request(1, 2, end + 1)
    tape.step(2, end, end + MS).play()

    assert live == 1
    assert held(tape) == {("request", "GET /5"): LONG}


def test_request_that_nobody_announced(tape):
    """Somebody else's request is a victim before it has a name, and one after."""
    end = 100 + LONG
    tape.born(2, RUN_ASGI, 60).play()
    tape.model.tick(end, 1, 100)
    live = held(tape)
    tape.step(1, 100, end).request(1, 2, end + 1)
    tape.put(Kind.REQUEST_NAME, end + 2, 0, 1, tape.text("POST", "/buy"))
    tape.step(2, end, end + MS).play()

    assert live == {("request", "a request"): LONG}
    assert held(tape) == {("request", "POST /buy"): LONG}


def test_request_that_went_out_before_its_loop_was_known():
    """A press that was faster than the finding of a ring stands at that loop's door."""
    session = Session(origin_ns=0)
    request = session.send(3, 50, method="GET", path="/3", scenario="", loop=0)
    loop = session.add_loop(Identity(77, 1, 0, 0, 0, "asyncio", "3.11", "shop:app"))
    loop.feed(RECORD.pack(100, 100 + LONG, 1, 0, (1 << LAP_SHIFT) + Kind.STEP_WAITING))
    (victims,) = (stall.victims for stall in session.stalls.kept)

    assert [key.number for key in victims.known] == [request.id]


def test_through_many_stalls(tape):
    """Of fifty stalls in a row each counts everybody once, and no time twice."""
    send(tape, 9, 150)
    tape.born(2, RUN_ASGI, 200).play()
    at = 100
    for number in range(50):
        tape.model.tick(at + LONG - 1, 1, at)
        kind = Kind.STEP_READY if number < 49 else Kind.STEP_DONE
        tape.step(1, at, at + LONG, kind).play()
        at += LONG
    tape.put(Kind.REQUEST_TRACE, 0, 9, 1).request(1, 2, at + 1)
    tape.step(2, at, at + MS).play()
    sums = [stall.victims.sums()[0] for stall in tape.stalls.kept]

    assert [each.count for each in sums] == [1] * 50
    assert sum(each.delay_ns for each in sums) == at - 150


def test_who_gives_up_was_held_up(tape):
    """A request that gives up during the stall stays among its victims."""
    send(tape, 3, 50)
    tape.model.tick(100 + 2 * STALL_NS, 1, 100)
    tape.requests.settle_outside(3, 100 + 2 * STALL_NS, 0)
    tape.step(1, 100, 100 + LONG).play()

    assert held(tape) == {("request", "GET /3"): 2 * STALL_NS}


def born_in(tape, file, name):
    """Task 2 is created, of a function that stands in that file."""
    return tape.put(Kind.BORN, 40, 0, 2, tape.text(name, file, 7))


@pytest.mark.parametrize(("name", "package"), CLOCKWORK.items())
def test_clockwork(tape, name, package):
    """A server's own tick is nobody's delay, and nobody who is ready."""
    born_in(tape, f"/lib/{package}/server.py", name)
    tape.step(1, 100, 100 + LONG).play()
    tasks = tape.model.tasks

    assert held(tape) == {}
    assert tasks.by_no[2].state == State.READY
    assert (tasks.count(State.READY, State.DUE), tasks.count(State.WAITING)) == (0, 2)


def test_first_step_of_clockwork_is_start_up(tape):
    """A server's first step is its start-up; no later one is, nor any of an app's task."""
    born_in(tape, "/lib/uvicorn/server.py", "Server.serve").step(2, 100, 100 + LONG)
    for task, began in ((2, 2 * LONG), (1, 4 * LONG)):
        tape.wake(task, began).step(task, began, began + LONG)
    tape.put(Kind.BORN, 6 * LONG, 0, 3, tape.text("work", "/srv/shop.py", 7))
    tape.step(3, 6 * LONG, 7 * LONG).play()

    assert [stall.start_up for stall in tape.stalls.kept] == [True, False, False, False]


@pytest.mark.parametrize("name", CLOCKWORK)
def test_called_like_clockwork(tape, name):
    """A task of the app's counts, though it is called like a server's."""
    born_in(tape, "/srv/shop.py", name).step(1, 100, 100 + LONG).play()

    assert held(tape) == {("task", name): LONG}
    assert tape.model.tasks.count(State.READY) == 1


def test_clockwork_is_not_drawn_in_line(tape):
    """A server's own clockwork runs or waits: its lane never says ready or due."""
    born_in(tape, "/lib/uvicorn/server.py", "Server.serve").step(2, 50, 60)
    tape.reason(2, 70, "sleep", deadline=90).play()
    tape.model.tick(90 + LONG, 0, 0)
    assert tape.model.tasks.by_no[2].state == State.DUE
    tape.wake(2, 91 + LONG).step(2, 92 + LONG, 93 + LONG, Kind.STEP_READY)

    assert tape.story("Server.serve") == (
        "40 waiting, 50 running Server.serve, 60 waiting sleep shop.py:7 in buy, "
        f"{92 + LONG} running Server.serve, {93 + LONG} waiting"
    )


def test_many_tasks_are_summed(tape):
    """Beyond what is known one by one, tasks are counted and summed all the same."""
    count = module.MAX_KNOWN + 50
    for number in range(2, 2 + count):
        tape.born(number, "worker", 40)
    tape.play()
    tape.model.tick(100 + LONG, 1, 100)
    tape.step(1, 100, 100 + LONG).play()
    _, others = tape.stalls.kept[0].victims.sums()

    assert (others.count, others.delay_ns) == (count, count * LONG)


def test_tasks_are_named(tape):
    """Of the tasks that a stall held up the worst three are told by name, no request."""
    send(tape, 3, 50)
    for number in range(2, 7):
        at = 100 + number * 10 * MS
        tape.born(number, f"worker {number}", 40).step(number, 50 + number, 51 + number)
        tape.wake(number, at)
    tape.step(1, 100, 100 + LONG).play()
    told = tape.stalls.kept[0].to_wire()["victims"]["others"]

    assert told["count"] == 5
    assert [(each["label"], each["delay_ms"]) for each in told["named"]] == [
        (f"worker {number}", LONG / MS - 10 * number) for number in (2, 3, 4)
    ]


# -------------------------------------------------------------------- the kernel's door


def test_area():
    """Delays at the door are the area below its queue, as far as the step reaches."""
    door = Door(began_ns=10)
    door.add(Stretch(0, 0, 60, 0))
    door.add(Stretch(60, 0, 80, 4))
    door.add(Stretch(80, 4, 100, 4))

    assert door.delay_until(100) == 4 * 10 + 4 * 20
    assert door.delay_until(130) == 4 * 10 + 4 * 50
    assert (door.count, door.first_ns) == (4, 70)
    door.end_ns = 110
    door.add(Stretch(100, 4, 120, 4))
    assert door.delay_until(110) == 4 * 10 + 4 * 30


def test_who_lies_there_through_several_steps(tape):
    """A step that nobody looked into has the victims that lay there before and after."""
    tape.model.tick(2 * STALL_NS, 1, 100)
    tape.stalls.arrived(tape.model, 2 * STALL_NS, 3)
    tape.step(1, 100, 100 + LONG, Kind.STEP_READY)
    tape.step(1, 100 + LONG, 100 + 2 * LONG, Kind.STEP_READY).play()
    third = 100 + 2 * LONG
    tape.model.tick(third + 2 * STALL_NS, 1, third)
    tape.stalls.arrived(tape.model, third + 2 * STALL_NS, 3)
    tape.step(1, third, third + LONG).play()
    told = [stall.to_wire()["victims"] for stall in tape.stalls.kept]

    assert [each["door"] for each in told] == [3, 3, 3]
    assert told[1]["delay_ms"] == 3 * LONG / MS


def test_who_was_taken_in_is_gone(tape):
    """Once the loop has polled, whom the next step finds at the door came during it."""
    tape.model.tick(2 * STALL_NS, 1, 100)
    tape.stalls.arrived(tape.model, 2 * STALL_NS, 3)
    end = 100 + LONG
    tape.step(1, 100, end).poll(end, end + 50 * MS).play()
    began = end + 50 * MS
    tape.model.tick(began + 2 * STALL_NS, 1, began)
    tape.stalls.arrived(tape.model, began + 2 * STALL_NS, 2)
    tape.step(1, began, began + LONG).play()
    told = [stall.to_wire()["victims"] for stall in tape.stalls.kept]

    assert [each["door"] for each in told] == [3, 2]
    assert told[1]["delay_ms"] == 2 * (STALL_NS + 2 * STALL_NS) / MS


def test_who_is_let_in_between_two_steps_may_lie_there_still(tape):
    """Where polls are not shown a short gap may be the loop's own work: who has only
    been let in waits through the next step from its beginning."""
    tape.model.shows_polls = False
    tape.model.tick(2 * STALL_NS, 1, 100)
    tape.stalls.arrived(tape.model, 2 * STALL_NS, 3)
    began = 100 + LONG + 5 * MS
    tape.step(1, 100, 100 + LONG).wake(1, began).play()
    tape.model.tick(began + STALL_NS, 1, began)
    tape.stalls.arrived(tape.model, began + STALL_NS, 2)
    tape.step(1, began, began + LONG).play()
    told = [stall.to_wire()["victims"] for stall in tape.stalls.kept]

    assert told[1]["delay_ms"] == 2 * LONG / MS


def test_door_of_a_stall(tape):
    """Whom only the kernel has seen is counted, and at the door now as well."""
    tape.model.tick(STALL_NS, 1, 100)
    tape.stalls.arrived(tape.model, 2 * STALL_NS, 3)
    tape.model.tick(3 * STALL_NS, 1, 100)
    at_door = tape.stalls.at_door(tape.model)
    tape.step(1, 100, 100 + LONG).play()
    told = tape.stalls.kept[0].to_wire()["victims"]

    assert at_door == 3
    assert (told["count"], told["door"], told["worst"]) == (3, 3, "one at the door")
    assert tape.stalls.at_door(tape.model) == 0


def test_announced_are_not_counted_again(tape):
    """Our own requests lie in the same queues: there they count as announced."""
    send(tape, 1, 50)
    send(tape, 2, 60)
    tape.born(2, RUN_ASGI, 70).play()
    tape.model.tick(2 * STALL_NS, 1, 100)
    # One of the two has been read by the server; of three that lie there one is ours.
    tape.stalls.arrived(tape.model, 2 * STALL_NS, 3)
    tape.model.tick(3 * STALL_NS, 1, 100)
    told = tape.stalls.kept[0].to_wire()["victims"]

    assert (told["count"], told["door"]) == (4, 2)


def test_which_tasks_are_requests_is_learnt(tape):
    """Any server's task that has not begun counts as a request that was read, once one
    of that name has turned out to be made for a request; the app's own never do."""
    tape.born(2, "server.handle", 40).born(3, "worker", 40).play()
    counts = [tape.model.served.unbegun()]
    tape.request(1, 2, 50).step(2, 50, 60).born(4, "server.handle", 70).poll(72, 78)
    counts.append(tape.play().model.served.unbegun())
    tape.step(4, 80, 90)
    counts.append(tape.play().model.served.unbegun())

    assert counts == [0, 1, 0]


def test_door_belongs_to_one_step(tape):
    """What lay there during one step is not the next one's."""
    tape.model.tick(STALL_NS, 1, 100)
    tape.stalls.arrived(tape.model, STALL_NS, 3)
    tape.step(1, 100, 100 + LONG, Kind.STEP_READY)
    tape.step(1, 100 + LONG, 100 + 2 * LONG).play()

    assert [stall.to_wire()["victims"]["door"] for stall in tape.stalls.kept] == [3, 0]


# ------------------------------------------------------------------------------ words


def test_words():
    """The sum is said in one sentence."""
    requests = Sum()
    for delay_ms in [1900, *[560] * 13]:
        requests.add("GET /fast", delay_ms * MS)
    tasks = Sum()
    tasks.add("worker", 120 * MS)

    assert words(requests, Sum()) == (
        "delayed 14 requests by 9.2 s together, worst GET /fast by 1.9 s"
    )
    assert words(Sum(), tasks) == "delayed worker by 120 ms"
    assert words(requests, tasks).endswith("; and worker by 120 ms")
    assert words(Sum(), Sum()) == ""
    assert say_ns(999_499_999) == "999 ms"
