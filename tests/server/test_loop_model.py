"""From its records alone, what a loop and its tasks did is told in order of time."""

from __future__ import annotations

import random

import pytest
from tapes import MS, Tape

from dashboard.records import Kind
from dashboard.server.model import journal
from dashboard.server.model.lanes import State
from dashboard.server.model.loop_model import LIVE_STEP_NS

WHERE = "shop.py:7 in buy"


@pytest.fixture
def tape():
    """A tape to write records on."""
    return Tape()


def spent(request):
    """Return the parts that are not zero."""
    return {name: ns for name, ns in request.spent_ns.items() if ns}


# ------------------------------------------------------------------------- tasks


def test_life_of_a_task(tape):
    """A task's life is tiled from its birth to its end; a reason comes in later."""
    tape.born(1, "main", 5).step(1, 10, 20)
    tape.reason(1, 60, "sleep", deadline=900).poll(20, 900)
    tape.wake(1, 903).call("timer", 901, 904)
    tape.step(1, 905, 950, Kind.STEP_DONE)

    assert tape.story("main") == (
        f"5 ready, 10 running main, 20 waiting sleep {WHERE}, 903 ready, "
        "905 running main, 950 gone"
    )
    assert tape.model.tasks.by_no == {}
    assert tape.model.tasks.waits == {}


def test_reason_comes_later(tape):
    """A viewer that was told of a wait gets its reason in a frame of its own."""
    tape.born(1, "main", 5).step(1, 10, 20)
    before = tape.story("main")
    tape.reason(1, 400, "lock L").poll(20, 500)

    assert before == "5 ready, 10 running main, 20 waiting"
    assert tape.story("main") == f"5 ready, 10 running main, 20 waiting lock L {WHERE}"
    assert tape.model.tasks.waits == {"lock L": 1}


def test_inside_a_step(tape):
    """What happened during a step stands before it, and is told inside it."""
    tape.born(1, "main", 0).step(1, 10, 20)
    tape.wake(1, 30).poll(20, 31)
    tape.step(1, 40, 60)

    assert tape.lanes() == {
        "loop": "0 idle, 10 running main, 20 idle, 40 running main",
        "main": "0 ready, 10 running main, 20 waiting, 30 ready, 40 running main, "
        "60 waiting",
    }


@pytest.mark.parametrize("end", [Kind.STEP_DONE, Kind.STEP_RAISED, Kind.STEP_CANCELLED])
def test_ends(tape, end):
    """However a task ends, its lane does too."""
    tape.born(1, "main", 0).wake(1, 15).step(1, 10, 20, Kind.STEP_READY)
    tape.step(1, 30, 40, end)

    assert tape.story("main").endswith("20 ready, 30 running main, 40 gone")


def test_short_task(tape):
    """A task that is done in its first step is in the loop's lane, not in its own."""
    tape.born(1, "brief", 0).step(1, 10, 20, Kind.STEP_DONE)

    assert tape.lanes() == {"loop": "0 idle, 10 running brief"}


def test_made_before_its_loop_ran(tape):
    """A task that is older than the loop's first record has its name and its birth."""
    tape.born(1, "main", 5).step(1, 10, 20)

    assert tape.lanes() == {
        "loop": "0 idle, 10 running main",
        "main": "5 ready, 10 running main, 20 waiting",
    }


def test_back_to_the_loop(tape):
    """A task that hands itself back runs to the end of its step, then is ready."""
    tape.born(1, "main", 0).wake(1, 15).step(1, 10, 20, Kind.STEP_READY)

    assert tape.story("main") == "0 ready, 10 running main, 20 ready"


def test_destroyed(tape):
    """A task that is destroyed while it waits is gone."""
    tape.born(1, "main", 0).step(1, 10, 20)
    tape.put(Kind.GONE, 50, 0, 1).poll(20, 60)

    assert tape.story("main").endswith("20 waiting, 50 gone")


@pytest.mark.parametrize("played", [True, False])
def test_destroyed_while_it_runs(tape, played):
    """Even a task that is destroyed during its own step does no harm."""
    tape.born(1, "main", 0)
    if played:
        tape.step(1, 5, 6)
    tape.put(Kind.GONE, 15, 0, 1).step(1, 10, 20).step(1, 30, 40)
    tape.poll(40, 50).play()

    assert tape.model.end_ns == 50


def test_birth_that_was_never_seen(tape):
    """A task whose birth was lost is shown from its first step."""
    tape.step(4, 10, 20)

    assert tape.story("task") == "10 running task, 20 waiting"


@pytest.mark.parametrize(
    ("told", "story"),
    [
        (0, "5 waiting"),
        (1, "5 ready"),
        (2, "5 running main, 30 waiting"),
    ],
)
def test_adopted(tape, told, story):
    """A task that is older than recording begins as what it was then."""
    tape.put(Kind.ADOPTED, 5, told, 1, tape.text("main"))
    tape.poll(30, 40)

    assert tape.story("main") == story


def test_reasons_are_counted(tape):
    """How many tasks wait for what is counted, and settles when they go on."""
    for task, what in enumerate(("sleep", "sleep", "queue", "lock"), 1):
        tape.born(task, f"t{task}", 0).step(task, 10, 20).reason(task, 20, what)
    tape.poll(20, 30).play()
    waiting = dict(tape.model.tasks.waits)
    tape.wake(1, 40).put(Kind.GONE, 40, 0, 3).poll(30, 50).play()

    assert waiting == {"sleep": 2, "queue": 1, "lock": 1}
    assert tape.model.tasks.waits == {"sleep": 1, "lock": 1}
    assert tape.model.tasks.count(State.WAITING) == 2


# -------------------------------------------------------------------- the loop


def test_idle_and_busy(tape):
    """The loop's lane is idle in a poll and else runs what it runs."""
    tape.poll(0, 100).call("on_read", 101, 110).poll(112, 200)

    assert tape.story("loop") == "0 idle, 101 running on_read, 112 idle"
    assert tape.model.idle_ns == 100 + 88


def test_loop_that_does_not_show_its_polls(tape):
    """Without poll records, as on uvloop, what no step fills is idle."""
    tape.born(1, "main", 0).step(1, 10, 20).wake(1, 70).step(1, 71, 80)

    assert tape.story("loop") == "0 idle, 10 running main, 20 idle, 71 running main"
    assert tape.model.idle_ns == 51


def test_poll_that_is_looked_at_and_never_shown(tape):
    """On uvloop a pause counts as idle, also where somebody looked meanwhile."""
    tape.born(1, "main", 0).step(1, 10, 20).play()
    tape.model.tick(50, 0, 0)
    tape.wake(1, 70).step(1, 71, 80)

    assert tape.story("loop") == "0 idle, 10 running main, 20 idle, 71 running main"
    assert tape.model.idle_ns == 51


def test_late_timer(tape):
    """What a timer wakes was due from its deadline on, and the loop lags by that."""
    tape.born(1, "main", 0).step(1, 10, 20)
    tape.put(Kind.DUE, 905, 600).wake(1, 906).call("timer", 905, 910)

    assert "20 waiting, 600 due, 906 ready" in tape.story("main")
    assert tape.model.lag_ns(1_000) == 305


def test_lag_is_of_the_last_second(tape):
    """A late timer is forgotten after a second."""
    tape.put(Kind.DUE, 905, 600).call("timer", 905, 910).play()

    assert [tape.model.lag_ns(now) for now in (10**9, 2 * 10**9)] == [305, 0]


def test_lag_grows_with_a_block(tape):
    """While a step holds the loop the lag is at least its length so far, and never
    less than a moment ago, though nothing is known to be due and the last timer fired
    long before."""
    tape.born(1, "main", 0).step(1, 10, 20).wake(1, 25)
    tape.put(Kind.DUE, 905, 600).call("timer", 905, 910).poll(910, 950).play()
    seen = []
    for now in range(100 * MS, 5_000 * MS, 100 * MS):
        tape.model.tick(now, 1, 1_000)
        seen.append((tape.model.lag_ns(now), now))
    tape.step(1, 1_000, 5_000 * MS).play()

    assert all(lag >= now - 1_000 for lag, now in seen)
    assert [lag for lag, _ in seen] == sorted(lag for lag, _ in seen)
    assert tape.model.lag_ns(7_000 * MS) == 0


def test_lag_of_the_block_before(tape):
    """One block right after another: what the first made late is not forgotten while
    the second keeps every timer from telling anything new."""
    tape.born(1, "main", 0).step(1, 0, 2_000 * MS, Kind.STEP_READY)
    tape.put(Kind.DUE, 2_000 * MS + 5, 100 * MS).call(
        "timer", 2_000 * MS + 5, 2_000 * MS + 9
    )
    tape.play()
    lags = []
    for now in range(2_100 * MS, 6_000 * MS, 100 * MS):
        tape.model.tick(now, 1, 2_000 * MS + 9)
        lags.append(tape.model.lag_ns(now))

    assert lags == sorted(lags)
    assert lags[0] == 1_900 * MS + 5
    assert lags[-1] > 3_800 * MS


# ------------------------------------------------------------------ while it lasts


def test_step_under_way(tape):
    """A long step is shown while it runs; its record then adds nothing twice."""
    tape.born(1, "main", 0).step(1, 10, 20).wake(1, 30).poll(20, 31).play()
    tape.model.tick(31 + LIVE_STEP_NS // 2, 1, 40)
    short = tape.story("loop")
    tape.model.tick(100 * MS, 1, 40)
    live = tape.story("loop")
    tape.born(2, "child", 50).step(1, 40, 150 * MS)

    assert short == "0 idle, 10 running main, 20 idle"
    assert live == "0 idle, 10 running main, 20 idle, 40 running main"
    assert tape.story("loop") == live
    assert tape.story("main").endswith(f"40 running main, {150 * MS} waiting")


def test_step_without_a_beginning(tape):
    """A running step whose beginning is not told began when the last one ended."""
    tape.born(1, "main", 0).step(1, 10, 20, Kind.STEP_READY).play()
    tape.model.tick(100 * MS, 1, 0)

    assert tape.story("loop") == "0 idle, 10 running main"
    assert tape.model.running_since == 20


def test_poll_under_way(tape):
    """A loop that polls is idle while it does, not only afterwards."""
    tape.born(1, "main", 0).step(1, 10, 20).play()
    tape.model.tick(100 * MS, 0, 0)
    live = tape.story("loop")
    tape.poll(22, 200 * MS)

    assert live == tape.story("loop") == "0 idle, 10 running main, 20 idle"


def test_deadline_passes_while_blocked(tape):
    """A sleeper whose time is over is due, while the loop does not look."""
    tape.born(1, "sleeper", 0).step(1, 10, 20).reason(1, 25, "sleep", deadline=50 * MS)
    tape.born(2, "blocker", 26).step(2, 30, 40).poll(20, 45).play()
    tape.model.tick(100 * MS, 2, 50)

    assert tape.story("sleeper").endswith(
        f"20 waiting sleep {WHERE}, {50 * MS} due sleep {WHERE}"
    )
    assert tape.model.late_ns(100 * MS) == 50 * MS


def test_nothing_new(tape):
    """Ticking again and again while nothing happens tells nothing new."""
    tape.born(1, "main", 0).step(1, 10, 20).play()
    tape.model.tick(100 * MS, 0, 0)
    before = tape.lanes()
    for now in range(101, 200):
        tape.model.tick(now * MS, 0, 0)

    assert tape.journal.take(0).rows == []
    assert tape.lanes() == before


# ---------------------------------------------------------------------- requests


def test_request_in_a_fresh_task(tape):
    """A request counts from the birth of the task that was made for it."""
    tape.born(1, "RequestResponseCycle.run_asgi", 100).request(1, 1, 212)
    tape.put(Kind.REQUEST_NAME, 215, 0, 1, tape.text("GET", "/items/{id}"))
    tape.step(1, 200, 260).poll(260, 300).wake(1, 301)
    tape.answered(1, 350).step(1, 340, 360, Kind.STEP_DONE)
    lanes = tape.lanes()

    assert lanes["GET /items/{id}"] == (
        "100 ready, 200 running, 260 waiting, 301 ready, 340 running, 350 gone"
    )
    assert "200 running GET /items/{id} #1" in lanes["loop"]
    (request,) = tape.requests.finished
    assert spent(request) == {"ready": 139, "running": 70, "waiting": 41}
    assert (request.begun_ns, request.answered_ns) == (100, 350)


def test_request_in_an_old_task(tape):
    """A request in a task that lives longer counts from where it began."""
    tape.born(1, "server", 0).request(1, 1, 50, made_for=0)
    tape.answered(1, 80, 204).step(1, 40, 90).play()

    (request,) = tape.requests.finished
    assert spent(request) == {"running": 30}
    assert request.status == 204


def test_children_belong_to_the_request(tape):
    """While a handler waits and its children work, the request runs."""
    tape.born(1, "cycle", 0).request(1, 1, 10).born(2, "child", 12, request=1)
    tape.step(1, 10, 20).step(2, 30, 70)
    tape.wake(1, 100).poll(70, 101).answered(1, 120).step(1, 110, 130).play()

    (request,) = tape.requests.finished
    assert spent(request) == {
        "ready": 10 + 10 + 10,
        "running": 10 + 40 + 10,
        "waiting": 30,
    }


def test_each_of_several_tasks_of_a_request_has_a_lane(tape):
    """A request's tasks are told apart as soon as there are several, each exactly."""
    tape.born(1, "cycle", 0).request(1, 1, 10).born(2, "child", 12, request=1)
    tape.step(1, 10, 20).step(2, 30, 70, Kind.STEP_DONE)
    tape.wake(1, 100).answered(1, 120).step(1, 110, 130, Kind.STEP_DONE)
    lanes = tape.lanes()

    assert lanes["child"] == "12 ready, 30 running, 70 gone"
    assert lanes["cycle"] == (
        "10 running, 20 waiting, 100 ready, 110 running, 130 gone"
    )
    of_request = {
        tape.told.strings[label]: request
        for _, _, label, request in tape.told.lanes.values()
    }
    assert of_request["child"] == of_request["cycle"] == 1
    assert of_request["loop"] == 0


def test_only_task_of_a_request_is_the_request(tape):
    """What one task does for a request is not told twice."""
    tape.born(1, "cycle", 0).request(1, 1, 10).step(1, 10, 20)

    assert set(tape.lanes()) == {"loop", "request"}


def test_sent_by_us(tape):
    """A request that we sent is known by its span, and was outside until it began."""
    tape.requests.sent(2**63 + 5, 40, method="GET", path="/x", scenario="x", loop=1)
    tape.put(Kind.REQUEST_TRACE, -1, 5 - 2**63, 1)
    tape.born(1, "cycle", 100).request(1, 1, 110).answered(1, 120)
    tape.step(1, 105, 125).play()

    (request,) = tape.requests.finished
    assert (request.scenario, spent(request)) == (
        "x",
        {"outside": 60, "ready": 5, "running": 15},
    )


def test_callback_of_a_request(tape):
    """A callback that a request caused counts as its running."""
    tape.born(1, "cycle", 0).request(1, 1, 10).step(1, 10, 20)
    tape.call("send_body", 50, 58, request=1).answered(1, 70).step(1, 65, 75).play()

    (request,) = tape.requests.finished
    assert request.spent_ns["running"] == 10 + 8 + 5


# ----------------------------------------------------------------------- threads


def test_thread(tape):
    """A call waits for a thread, runs in it, and is due until the loop looks."""
    load = tape.text("load")
    tape.born(1, "cycle", 0).request(1, 1, 10)
    tape.put(Kind.THREAD_QUEUED, 15, load, 1, 1).step(1, 10, 20)
    tape.put(Kind.THREAD_BEGIN, 50, 0, 1, 9).put(Kind.THREAD_END, 80, 0, 1, 9)
    tape.wake(1, 100).poll(20, 101).answered(1, 110).step(1, 105, 120).play()

    (request,) = tape.requests.finished
    assert spent(request) == {
        "running": 10 + 5,
        "ready": 10 + 20 + 5,
        "thread_queue": 30,
        "thread": 30,
    }
    assert tape.lanes()["thread 1"] == "50 thread load #1, 80 idle"


def test_thread_of_nobody(tape):
    """A thread call whose beginning was lost still has its lane."""
    tape.put(Kind.THREAD_BEGIN, 50, 0, 1, 9).put(Kind.THREAD_END, 80, 0, 1, 9)
    tape.put(Kind.THREAD_END, 90, 0, 2, 9).poll(0, 100)

    assert tape.lanes()["thread 1"].startswith("50 thread function, 80 idle")


def test_process(tape):
    """A wait for a process pool is told apart from other waits."""
    tape.born(1, "cycle", 0).request(1, 1, 10)
    tape.put(Kind.PROCESS_CALL, 15, tape.text("crunch"), 1, 1).step(1, 10, 20)
    tape.wake(1, 100).poll(20, 101).answered(1, 110).step(1, 105, 120).play()

    (request,) = tape.requests.finished
    assert request.spent_ns["process"] == 80


# ------------------------------------------------------------------ loss and end


def test_loss(tape):
    """A loss puts all in doubt; who is heard of again goes on under its name."""
    tape.born(1, "main", 0).step(1, 10, 20).born(2, "other", 25).step(2, 30, 40)
    tape.play()
    tape.model.lose()
    tape.wake(1, 900).poll(500, 901)

    assert tape.lanes() == {
        "loop": "0 idle, 10 running main, 20 idle, 30 running other, 40 lost, 500 idle",
        "main": "0 ready, 10 running main, 20 waiting, 40 lost, 900 ready",
        "other": "25 ready, 30 running other, 40 lost",
    }


def test_loss_while_blocked(tape):
    """A loss while the loop is blocked ends the stall that we know of."""
    tape.born(1, "main", 0).step(1, 10, 20).play()
    tape.model.tick(500 * MS, 1, 30)
    (stall,) = tape.stalls.kept
    tape.model.lose()
    tape.poll(900 * MS, 901 * MS).play()

    assert tape.stalls.current(tape.model) is None
    assert stall.over


def test_recording_ends_while_blocked(tape):
    """A stall is over when its recording is, whatever was in its way."""
    tape.born(1, "main", 0).step(1, 10, 20).play()
    tape.model.tick(500 * MS, 1, 30)
    tape.model.finish(tape.model.end_ns)

    assert tape.stalls.current(tape.model) is None


def test_killed_while_blocked(tape):
    """A stall in which the process is gone goes on no more, and has not ended."""
    tape.born(1, "main", 0).step(1, 10, 20).play()
    tape.model.tick(300 * MS, 1, 30)
    tape.model.finish(500 * MS, is_cut=True)
    (stall,) = tape.stalls.kept

    assert (stall.is_on, stall.over, stall.unfinished) == (False, False, True)
    assert stall.duration_ns == 500 * MS - 30
    assert tape.stalls.current(tape.model) is None
    assert (
        tape.story("main")
        == "0 ready, 10 running main, 20 waiting, 30 running main, 500000000 gone"
    )


def test_step_whose_end_has_no_record(tape):
    """A stall of the step in which recording began ends when the loop goes on."""
    tape.put(Kind.ADOPTED, 5, 2, 1, tape.text("main")).play()
    tape.model.tick(500 * MS, 1, 5)
    (stall,) = tape.stalls.kept
    tape.poll(600 * MS, 601 * MS).play()

    assert tape.stalls.current(tape.model) is None
    assert (stall.over, stall.duration_ns) == (True, 600 * MS - 5)


def test_finish(tape):
    """When a process ends all its lanes end, and open requests have no answer."""
    tape.born(1, "main", 0).step(1, 10, 20).born(2, "cycle", 30).request(7, 2, 41)
    tape.put(Kind.THREAD_BEGIN, 42, 0, 1, 9).step(2, 40, 50).play()
    tape.model.finish(100)

    assert {story.rpartition(", ")[2] for story in tape.lanes().values()} == {
        "100 gone"
    }
    (request,) = tape.requests.finished
    assert (request.status, request.total_ns) == (0, 70)
    assert tape.requests.open == {}


# ---------------------------------------------------------------- random histories


@pytest.mark.parametrize("seed", range(30))
def test_twin(seed, monkeypatch):
    """A random program's tasks are told exactly as a twin that lived it says."""
    monkeypatch.setattr(journal, "ROWS_PER_FRAME", 10**6)
    tape, program = Tape(), Program(seed)
    for _ in range(60):
        program.turn(tape)
        if program.chance.random() < 0.2:
            tape.play()
            tape.model.tick(program.now, 0, 0)
        if program.chance.random() < 0.2:
            tape.lanes()
    lanes = tape.lanes()

    for name, story in program.lived.items():
        words = ", ".join(f"{t} {what}" for t, what in story)
        # A task has a lane once it has had a step, unless that was all of it.
        brief = [what for _, what in story] in (
            ["ready"],
            ["ready", f"running {name}", "gone"],
        )
        assert lanes.get(name) == (None if brief else words)
    states = [task["state"] for task in program.tasks.values()]
    assert tape.model.tasks.count(State.READY) == states.count("ready")
    assert sum(tape.model.tasks.waits.values()) == states.count("waiting")


class Program:
    """A scheduler of its own: knows what each task does, and writes the records."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.now = 0
        self.tasks = {}
        self.lived = {}

    def turn(self, tape):
        """One turn of the loop: poll, then a step of each ready task."""
        began = self.pass_time()
        if self.chance.random() < 0.3 or not self.tasks:
            self.begin(tape)
        for task in [no for no in self.tasks if self.chance.random() < 0.4]:
            self.wake(tape, task)
        tape.poll(began, self.pass_time())
        ready = [no for no, task in self.tasks.items() if task["state"] == "ready"]
        for no in ready:
            self.step(tape, no)

    def pass_time(self):
        self.now += self.chance.choice([1, 3, 50, 1000])
        return self.now

    def enter(self, no, state, words):
        self.tasks[no]["state"] = state
        self.lived[self.tasks[no]["name"]].append((self.now, words))

    def begin(self, tape):
        no = len(self.lived) + 1
        self.tasks[no] = {"name": f"t{no}"}
        self.lived[f"t{no}"] = []
        self.pass_time()
        self.enter(no, "ready", "ready")
        tape.born(no, f"t{no}", self.now)

    def wake(self, tape, no):
        if self.tasks[no]["state"] == "waiting":
            self.pass_time()
            self.enter(no, "ready", "ready")
            tape.wake(no, self.now)

    def step(self, tape, no):
        name = self.tasks[no]["name"]
        began = self.pass_time()
        self.enter(no, "running", f"running {name}")
        if self.chance.random() < 0.3:
            self.begin(tape)
        others = [other for other in self.tasks if other != no]
        if others and self.chance.random() < 0.5:
            self.wake(tape, self.chance.choice(others))
        self.pass_time()
        how = self.chance.choice(["waiting", "waiting", "ready", "gone"])
        self.enter(no, how, how)
        if how == "gone":
            del self.tasks[no]
        kinds = {
            "waiting": Kind.STEP_WAITING,
            "ready": Kind.STEP_READY,
            "gone": Kind.STEP_DONE,
        }
        tape.step(no, began, self.now, kinds[how])


@pytest.mark.parametrize("seed", range(30))
def test_nonsense(seed):
    """Whatever the records say, nothing is raised, and every sum still holds."""
    chance = random.Random(seed)
    tape = Tape()
    for text in ("²", "GET\x1f/x", "sleep\x1ff.py\x1f٣\x1ff", "thread\x1f\x1f\x1f"):
        tape.text(*text.split("\x1f"))
    now = 0
    for _ in range(30):
        now += chance.choice([0, 5, 30 * MS])
        u = chance.choice([0, 1, 2, now, now + 5, now - 40 * MS, 1 << 32, -(2**63)])
        kind = chance.choice(list(Kind))
        if kind in (Kind.CALL, Kind.POLL) or kind.name.startswith("STEP"):
            u = now = now + chance.choice([1, 200 * MS])
        a, b = chance.randrange(5), chance.randrange(7)
        tape.put(kind, now - chance.choice([0, 0, 3, 10 * MS]), u, a, b)
        if chance.random() < 0.1:
            tape.play()
            tape.model.tick(now, chance.randrange(-4, 5), now - 20 * MS)
        if chance.random() < 0.02:
            tape.play()
            tape.model.lose()
    tape.play()
    tape.told.take(tape.journal.take(0))
    waiting = tape.model.tasks.count(State.WAITING)

    assert sum(tape.model.tasks.waits.values()) == waiting
    for request in (*tape.requests.open.values(), *tape.requests.finished):
        assert min(request.spent_ns.values()) >= 0
        if request.answered_ns:
            assert request.total_ns == request.answered_ns - request.begun_ns
    tape.model.finish(now + 1)
    assert tape.requests.open == {}
    assert tape.model.tasks.waits == {}


def test_block_of_a_task_just_born(tape):
    """A task whose birth stands unread before its step is known when it blocks."""
    tape.poll(0, 10).born(1, "handler", 20).play()
    tape.model.tick(100 * MS, 1, 30)

    assert tape.model.running_owner == 1
    assert tape.model.tasks.by_no[1].name == "handler"
    assert tape.model.running_since == 30


def test_line_that_made_a_task(tape):
    """A task's lane says which line made it, as far as that is told."""
    line = tape.text("/srv/shop.py", 7, "main")
    tape.born(2, "worker", 5).put(Kind.SPAWNED, 6, 0, 2, line)
    tape.step(2, 10, 20).born(3, "other", 25).step(3, 30, 40).play()
    lanes = tape.journal.take(50).lanes
    text = tape.journal.text

    assert {text(lane.label): text(lane.spawn) for lane in lanes} == {
        "loop": "",
        "worker": "shop.py:7 in main",
        "other": "",
    }


def test_given_name(tape):
    """A task is called by the name that it was given, on its row with its coroutine."""
    tape.born(2, "main.<locals>.poll", 5).put(Kind.NAMED, 6, 0, 2, tape.text("poller"))
    tape.step(2, 10, 20).poll(20, 30).play()
    before = tape.story("poller (poll)")
    tape.put(Kind.NAMED, 40, 0, 2, tape.text("Ticker")).poll(30, 50).wake(2, 51)
    tape.step(2, 60, 70, Kind.STEP_DONE)

    assert before == "5 ready, 10 running poller, 20 waiting"
    assert tape.story("Ticker (poll)") == (
        f"{before}, 51 ready, 60 running Ticker, 70 gone"
    )
