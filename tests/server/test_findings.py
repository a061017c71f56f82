"""Each rule finds what it is for, and leaves alone what is near it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tapes import MS, Tape

from dashboard.records import Cell, Detail, Door, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.diagnosis.findings import LOOK_EVERY_NS, Answer
from dashboard.server.diagnosis.remedies import NOT_YET, remedy_at
from dashboard.server.diagnosis.rules import RULES
from dashboard.server.session import Session

SECOND = 1000 * MS
SHOP = """
async def buy():
    time.sleep(1)
    total = 0
"""


class Scene:
    """A session with one loop, written by hand and looked at four times a second."""

    def __init__(self):
        self.session = Session(
            origin_ns=0,
            find_remedy=lambda place, stack: remedy_at(
                place, stack, lambda _: SHOP.strip("\n").splitlines()
            ),
        )
        identity = Identity(
            pid=1,
            loop_no=1,
            began_ns=0,
            began_unix_ns=0,
            pid_began=1,
            kind="asyncio",
            python="3.12",
            title="shop",
        )
        self.loop = self.session.add_loop(identity)
        self.tape = Tape()
        self.tape.model = self.loop.model
        self.tape.model.names.strings = [""]
        self.cells = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}
        self.now_ns = 0
        self.answers: list[str] = []

    def until(self, now_ns, *, cpu=0.0):
        """Play what was written, and look until then."""
        self.tape.play()
        while self.now_ns < now_ns:
            self.now_ns = min(now_ns, self.now_ns + LOOK_EVERY_NS)
            self.session.tick(self.loop, self.now_ns, self.cells, alive=True)
            self.session.findings.look(self.now_ns, {self.loop.id: cpu})
        return self

    def found(self):
        """Return the sentences of the findings, by rule."""
        told = self.session.findings.describe(self.now_ns)
        return {each["rule"]: each["sentence"] for each in told}


@pytest.fixture
def scene():
    """A loop that has done nothing."""
    return Scene()


def serve(tape, task, began, *waits, made_for=True):
    """Write a request that waits for some things, one after the other."""
    tape.born(task, "run", began).request(task, task, began + MS)
    tape.step(task, began + MS, began + 2 * MS)
    now = began + 2 * MS
    for what, line, length in waits:
        now += length
        tape.reason(task, now - 1, what, line=line).wake(task, now)
        tape.call("wake", now, now + 1000)
        tape.step(task, now + MS, now + 2 * MS)
        now += 2 * MS
    tape.answered(task, now)
    tape.step(task, now, now + MS, Kind.STEP_DONE)
    return now + MS


def seen_at(tape, began, t, line):
    """Write a sample of the step that began then."""
    place = tape.text("/srv/shop.py", line, "buy")
    tape.put(Kind.FRAME, t, began, place, 1).put(Kind.SAMPLE, t, began, place)


def test_nothing_is_found_in_a_quiet_loop(scene):
    """Every rule says no, and the verdict says so in words."""
    scene.tape.poll(0, 5 * SECOND)
    scene.until(5 * SECOND)

    assert scene.found() == {}
    assert set(scene.session.findings.answers.values()) == {Answer.NO}
    assert scene.session.findings.verdict(scene.now_ns) == {
        "sentence": "Nothing is wrong.",
        "action": "",
        "finding": 0,
    }


def test_before_the_first_look_everything_is_to_be_asked_later():
    """Without a loop there is no answer."""
    findings = Session(origin_ns=0).findings
    findings.look(1, {})

    assert set(findings.answers.values()) == {Answer.LATER}
    assert findings.verdict(1)["sentence"] == "Nothing is wrong so far."


def test_a_blocking_sleep_is_a_sync_call_with_its_remedy(scene):
    """The line, its length, and what to write instead."""
    scene.tape.born(1, "run", 0)
    seen_at(scene.tape, SECOND, 2 * SECOND, 2)
    scene.tape.step(1, SECOND, 3 * SECOND, Kind.STEP_DONE)
    scene.until(3 * SECOND)

    (finding,) = scene.session.findings.describe(scene.now_ns)
    assert finding["rule"] == "sync_call"
    assert finding["sentence"] == "shop.py:2 in buy held the loop for 2.00 s."
    assert finding["fix"]["after"] == "await asyncio.sleep(1)"
    assert scene.session.findings.verdict(scene.now_ns)["finding"] == finding["id"]


def test_a_computation_is_a_blocked_loop(scene):
    """A line without a call is not taken for a blocking call."""
    scene.tape.born(1, "run", 0)
    seen_at(scene.tape, SECOND, 2 * SECOND, 3)
    scene.tape.step(1, SECOND, 3 * SECOND, Kind.STEP_DONE)

    assert set(scene.until(3 * SECOND).found()) == {"blocked_loop"}


def test_a_step_below_the_threshold_is_no_finding(scene):
    """Ninety milliseconds hold nobody up long enough to be told."""
    scene.tape.born(1, "run", 0).step(1, SECOND, SECOND + 90 * MS, Kind.STEP_DONE)

    assert scene.until(3 * SECOND).found() == {}


@pytest.mark.parametrize("is_somebody_held_up", [False, True])
def test_a_server_that_imports_its_app(scene, is_somebody_held_up):
    """The server's own long step is no finding unless somebody had to wait for it."""
    tape = scene.tape
    tape.born(1, "Server.serve", 0).step(1, 0, MS).wake(1, SECOND)
    if is_somebody_held_up:
        tape.born(2, "run", 0).step(2, MS, 2 * MS).wake(2, SECOND)
    seen_at(tape, SECOND, 2 * SECOND, 3)
    tape.step(1, SECOND, 3 * SECOND)

    assert bool(scene.until(3 * SECOND).found()) == is_somebody_held_up


@pytest.mark.parametrize(("busy", "is_found"), [(99, True), (80, False)])
def test_overload(scene, busy, is_found):
    """Busy all the time with short steps: the biggest share is named."""
    scene.tape.born(1, "parse_row", 0)
    for t in range(0, 8000, 100):
        scene.tape.wake(1, t * MS)
        scene.tape.step(1, t * MS, (t + busy) * MS)
        scene.tape.poll((t + busy) * MS, (t + 100) * MS)
        if not t % 500:
            scene.until(t * MS)

    found = scene.until(8 * SECOND).found()
    assert ("overload" in found) == is_found
    if is_found:
        assert "of its time goes to parse_row, over" in found["overload"]


def test_overload_after_a_stall(scene):
    """One step that was long a while ago is no reason to be silent about the others."""
    scene.tape.born(1, "parse_row", 0).step(1, 0, 500 * MS)
    for t in range(500, 8000, 100):
        scene.tape.wake(1, t * MS).step(1, t * MS, (t + 99) * MS)
        scene.tape.poll((t + 99) * MS, (t + 100) * MS)
        if t % 500 == 400:
            scene.until(t * MS)
    found = scene.until(8 * SECOND).found()

    assert set(found) == {"blocked_loop", "overload"}


@pytest.mark.parametrize(("waiting", "is_found"), [(5, True), (0, False)])
def test_tokens(scene, waiting, is_found):
    """Forty taken are no harm until somebody waits for one."""
    scene.cells |= {Cell.TOKENS: 40, Cell.TOKENS_BORROWED: 40}
    scene.cells[Cell.TOKENS_WAITING] = waiting

    found = scene.until(SECOND).found()
    assert ("tokens_exhausted" in found) == is_found
    if is_found:
        assert found["tokens_exhausted"].startswith("All 40 thread tokens are taken")


@pytest.mark.parametrize(("cpu", "is_found"), [(0.98, True), (0.02, False)])
def test_cpu_in_a_thread(scene, cpu, is_found):
    """A thread that computes while timers are late; one that waits is no harm."""
    tape = scene.tape
    tape.born(1, "run", 0)
    tape.put(Kind.THREAD_QUEUED, MS, tape.text("crunch") | Door.TOKEN << 32, 1, 1)
    tape.step(1, MS, 2 * MS)
    tape.put(Kind.THREAD_BEGIN, 3 * MS, 0, 1, 1)
    for t in range(100, 4000, 100):
        tape.put(Kind.DUE, t * MS, (t - 12) * MS, tape.text("tick"))
        tape.call("tick", t * MS, (t + 1) * MS)
        scene.until(t * MS, cpu=cpu)

    found = scene.found()
    assert ("cpu_in_thread" in found) == is_found
    if is_found:
        assert found["cpu_in_thread"].startswith("crunch computes in a worker thread")


def test_awaits_in_a_row(scene):
    """Three waits one after the other could have been one."""
    end = serve(
        scene.tape,
        1,
        SECOND,
        *[("httpx GET", line, 100 * MS) for line in (10, 11, 12)],
    )
    found = scene.until(end + SECOND).found()

    assert "waited 3 times in a row, 300 ms in all" in found["awaits_in_a_row"]


@pytest.mark.parametrize(
    "waits",
    [
        [("httpx GET", 10, 300 * MS)],
        [("httpx GET", 10, 100 * MS), ("Lock", 11, 100 * MS), ("sleep", 12, 90 * MS)],
        [("sleep", 10, 20 * MS)] * 20,
        [("sleep", 10, MS)] * 3,
    ],
    ids=["one", "different things", "somebody who looks again and again", "short"],
)
def test_waits_that_are_no_row(scene, waits):
    """One long wait, waits of different kinds, polling and short waits are left alone."""
    end = serve(scene.tape, 1, SECOND, *waits)

    assert "awaits_in_a_row" not in scene.until(end + SECOND).found()


@pytest.mark.parametrize(("pause_us", "is_found"), [(5, True), (2000, False)])
def test_busy_loop(scene, pause_us, is_found):
    """`sleep(0)` in a loop takes the time of everybody; a real pause does not."""
    scene.tape.born(1, "spin", 0)
    t = 0
    while t < 4 * SECOND:
        scene.tape.step(1, t, t + 100_000, Kind.STEP_READY)
        t += 100_000 + pause_us * 1000
        if t % (100 * MS) < 100_000 + pause_us * 1000:
            scene.until(t)

    assert ("busy_loop" in scene.until(t).found()) == is_found


@pytest.mark.parametrize("is_found", [True, False])
def test_lock_across_io(scene, is_found):
    """A holder that waits for the network is told; one that runs is not."""
    tape = scene.tape
    for task in (1, 2):
        tape.born(task, f"task{task}", 0).step(task, task * MS, task * MS + 1000)
    if is_found:
        tape.reason(1, 20 * MS, "httpx GET")
    tape.put(Kind.DETAIL, 20 * MS, 1, 2, Detail.HOLDER).reason(2, 20 * MS, "Lock")
    tape.call("look", 21 * MS, 22 * MS)

    found = scene.until(SECOND).found()
    assert ("lock_across_io" in found) == is_found
    if is_found:
        assert "task1 kept a lock while it waited for httpx GET" in str(found)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ("Task exception was never retrieved", "never_retrieved"),
        ("Task was destroyed but it is pending!", "forgotten_task"),
        ("socket.send() raised exception.", None),
    ],
)
def test_what_the_loops_exception_handler_was_told(scene, message, rule):
    """A lost exception and a forgotten task are told, other messages are not."""
    text = scene.tape.text(message, "ValueError", "/srv/shop.py", 7, "buy")
    scene.tape.put(Kind.EXCEPTION, SECOND, 0, 0, text)
    scene.tape.call("gone", SECOND - MS, SECOND + MS)

    found = scene.until(2 * SECOND).found()
    assert set(found) == ({rule} if rule else set())


@pytest.mark.parametrize(("hops", "is_found"), [(4, True), (1, False)])
def test_hidden_hops(scene, hops, is_found):
    """Several trips to a thread for one answer are told, the one of a `def` is not."""
    tape = scene.tape
    tape.born(1, "run", 0).request(1, 1, MS).step(1, MS, 2 * MS)
    for call in range(1, hops + 1):
        t = call * 10 * MS
        tape.wake(1, t).call("wake", t, t + 1000)
        tape.put(Kind.THREAD_QUEUED, t + MS, tape.text("dep"), call, 1)
        tape.step(1, t + MS, t + 2 * MS)
        tape.put(Kind.THREAD_BEGIN, t + 3 * MS, 0, call, 1)
        tape.put(Kind.THREAD_END, t + 4 * MS, 0, call, 1)
    tape.wake(1, 90 * MS).call("wake", 90 * MS, 90 * MS + 1000)
    tape.answered(1, 92 * MS).step(1, 91 * MS, 93 * MS, Kind.STEP_DONE)

    assert ("hidden_hops" in scene.until(SECOND).found()) == is_found


@pytest.mark.parametrize(
    ("lengths", "is_found"),
    [([120], True), ([60, 60], True), ([60], False), ([12] * 10, False)],
)
def test_gc_pause(scene, lengths, is_found):
    """Pauses that are felt together are told; one now and then is healthy."""
    t = SECOND
    for length in lengths:
        scene.tape.put(Kind.PAUSE, t, t + length * MS, 2, 1)
        scene.tape.call("allocate", t - MS, t + (length + 1) * MS)
        t += (length + 5) * MS

    assert ("gc_pause" in scene.until(2 * SECOND).found()) == is_found


@pytest.mark.parametrize(("waited", "is_found"), [(10, True), (50, False)])
def test_gc_pause_without_a_processor(scene, waited, is_found):
    """What a pause waited for a processor is no fault of the collector."""
    scene.loop.starved(SECOND, SECOND + 130 * MS, waited * MS)
    scene.tape.put(Kind.PAUSE, SECOND, SECOND + 130 * MS, 2, 1)
    scene.tape.call("allocate", SECOND - MS, SECOND + 131 * MS)

    assert ("gc_pause" in scene.until(2 * SECOND).found()) == is_found


@pytest.mark.parametrize(
    ("waited", "rules"), [(210, {"busy_machine"}), (150, {"sync_call"})]
)
def test_busy_machine(scene, waited, rules):
    """A step that was long for want of a processor blames no line; one that would have
    been anyway does."""
    scene.tape.born(1, "run", 0)
    seen_at(scene.tape, SECOND, SECOND + 100 * MS, 2)
    scene.loop.starved(SECOND, SECOND + 300 * MS, waited * MS)
    scene.tape.step(1, SECOND, SECOND + 300 * MS, Kind.STEP_DONE)
    scene.until(2 * SECOND)

    assert set(scene.found()) == rules
    if "busy_machine" in rules:
        (finding,) = scene.session.findings.describe(scene.now_ns)
        assert finding["sentence"] == (
            "A step of the loop waited 210 ms of its 300 ms for a processor."
        )
        assert (finding["place"], finding["fix"]) == (None, None)
        assert finding["action"].startswith("Stop other programs")


@pytest.mark.parametrize(
    ("shop", "paused", "sentence", "action"),
    [
        (SHOP, 250, "The garbage collector held the loop for 300 ms.", "gc.freeze()"),
        (SHOP, 100, "shop.py:2 in buy held the loop for 300 ms.", "Replace a sleep"),
        (
            SHOP.replace("time.sleep(1)", "gc.collect()"),
            250,
            "shop.py:2 in buy held the loop for 300 ms.",
            "Leave collecting to Python",
        ),
    ],
    ids=["pause", "little of one", "asked for"],
)
def test_pause_is_no_lines_fault(scene, monkeypatch, shop, paused, sentence, action):
    """A step that was mostly the collector's is told as that, not by the line at which
    it came; unless that line asked for it."""
    monkeypatch.setitem(globals(), "SHOP", shop)
    scene.tape.born(1, "run", 0)
    # A collection of the step before is none of this one's.
    scene.tape.put(Kind.PAUSE, SECOND - 85 * MS, SECOND - 10 * MS, 2, 1)
    scene.tape.step(1, SECOND - 90 * MS, SECOND - 5 * MS)
    seen_at(scene.tape, SECOND, SECOND + 100 * MS, 2)
    for began in (SECOND + MS, SECOND + 150 * MS):
        scene.tape.put(Kind.PAUSE, began, began + paused // 2 * MS, 2, 1)
    scene.tape.step(1, SECOND, SECOND + 300 * MS, Kind.STEP_DONE)
    scene.until(2 * SECOND)
    told = scene.session.findings.describe(scene.now_ns)
    finding = next(each for each in told if each["sentence"] == sentence)

    assert finding["action"].startswith(action)
    assert (finding["fix"] is None) == (action != "Replace a sleep")


def test_nobodys_line(scene):
    """Where a framework's own line was seen, and none of the app's, none is to change."""
    scene.tape.born(1, "run", 0)
    place = scene.tape.text("/lib/routing.py", 2, "app")
    scene.tape.put(Kind.FRAME, SECOND + 100 * MS, SECOND, place, 0)
    scene.tape.put(Kind.SAMPLE, SECOND + 100 * MS, SECOND, place)
    scene.tape.step(1, SECOND, SECOND + 300 * MS, Kind.STEP_DONE)
    scene.until(2 * SECOND)

    (finding,) = scene.session.findings.describe(scene.now_ns)
    assert finding["sentence"] == "routing.py:2 in app held the loop for 300 ms."
    assert finding["action"].startswith("No line of the app's ran")
    assert finding["fix"] is None


def test_a_line_that_is_cleared_is_no_finding_any_more(scene):
    """What was blamed while it lasted, before the system told of its wait, is not kept."""
    scene.tape.born(1, "run", 0)
    for began in (SECOND, 2 * SECOND):
        seen_at(scene.tape, began, began + 100 * MS, 2)
        scene.tape.play()
        scene.cells |= {Cell.OWNER: 1, Cell.SINCE: began}
        scene.until(began + LOOK_EVERY_NS)
        assert "sync_call" in scene.found()
        scene.loop.starved(began, began + 300 * MS, 280 * MS)
        scene.tape.step(1, began, began + 300 * MS)
        scene.cells |= {Cell.OWNER: 0}
        scene.until(began + SECOND // 2)

        assert set(scene.found()) == {"busy_machine"}


def test_overload_on_a_busy_machine(scene):
    """That a loop is busy for want of a processor is said, and what to do then."""
    scene.tape.born(1, "parse_row", 0)
    for t in range(0, 8000, 100):
        scene.tape.wake(1, t * MS).step(1, t * MS, (t + 99) * MS)
        scene.tape.poll((t + 99) * MS, (t + 100) * MS)
        scene.loop.starved(t * MS, (t + 100) * MS, 50 * MS)
        if t % 500 == 400:
            scene.until(t * MS)
    found = scene.until(8 * SECOND).found()

    assert "for 50% of the time it waits for a processor." in found["overload"]
    verdict = scene.session.findings.verdict(scene.now_ns)
    assert verdict["action"].startswith("Stop other programs")


def test_every_rule_is_tried_here():
    """A rule that is added has its scenes in this file."""
    text = Path(__file__).read_text()
    assert [rule.id for rule in RULES if f'"{rule.id}"' not in text] == []


def test_a_finding_goes_stale_and_then_away(scene):
    """What was so stays listed for five minutes, and makes no verdict any more."""
    scene.tape.born(1, "run", 0)
    seen_at(scene.tape, SECOND, 2 * SECOND, 2)
    scene.tape.step(1, SECOND, 3 * SECOND, Kind.STEP_DONE)
    scene.tape.poll(3 * SECOND, 400 * SECOND)
    scene.until(30 * SECOND)
    (finding,) = scene.session.findings.describe(scene.now_ns)
    assert not finding["active"]
    assert scene.session.findings.verdict(scene.now_ns)["finding"] == 0

    assert scene.until(310 * SECOND).found() == {}


def test_what_is_over_is_not_told_as_if_it_were(scene):
    """What was so now is told in the present, and then with how long ago it was."""
    scene.cells |= {Cell.TOKENS: 40, Cell.TOKENS_BORROWED: 40, Cell.TOKENS_WAITING: 2}
    now = scene.until(SECOND).found()["tokens_exhausted"]
    scene.cells |= {Cell.TOKENS_BORROWED: 0, Cell.TOKENS_WAITING: 0}
    then = scene.until(3 * SECOND).found()["tokens_exhausted"]
    later = scene.until(130 * SECOND).found()["tokens_exhausted"]

    assert now.startswith("All 40 thread tokens are taken")
    assert (then, later) == (f"A moment ago: {now}", f"2 min ago: {now}")


def test_a_former_holder_of_a_lock_is_not_blamed(scene):
    """It ran since it was told, and may have let go: nobody is blamed on a guess."""
    tape = scene.tape
    for task in (1, 2):
        tape.born(task, f"task{task}", 0).step(task, task * MS, task * MS + 1000)
    tape.put(Kind.DETAIL, 20 * MS, 1, 2, Detail.HOLDER).reason(2, 20 * MS, "Lock")
    tape.wake(1, 30 * MS).call("wake", 30 * MS, 30 * MS + 1000)
    tape.step(1, 31 * MS, 32 * MS).reason(1, 50 * MS, "httpx GET")
    tape.call("look", 51 * MS, 52 * MS)

    assert "lock_across_io" not in scene.until(SECOND).found()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["crunch"], "crunch computes in a worker thread and"),
        (
            ["crunch"] * 2,
            "Worker threads run crunch, 2 at once, and share the interpreter",
        ),
        (["nap"] * 39 + ["crunch"], "One or more of 40 functions in worker threads"),
    ],
)
def test_of_several_functions_in_threads_none_is_blamed(
    scene, monkeypatch, names, told
):
    """Which thread computes is not known: the most frequent function may sleep."""
    model = scene.loop.model
    monkeypatch.setattr(type(model), "late_ns", lambda self, now_ns: 9 * MS)
    monkeypatch.setattr(type(model.workers), "running", lambda self: names)
    scene.tape.poll(0, 3 * SECOND)

    assert scene.until(3 * SECOND, cpu=0.9).found()["cpu_in_thread"].startswith(told)


def test_a_count_says_of_which_minute_it_is(scene):
    """What is counted is of the last minute, and is called so; then, of some minute."""
    scene.tape.born(1, "run", 0)
    # The last two end between two looks.
    for began in (SECOND, 2 * SECOND + 5 * MS, 2 * SECOND + 125 * MS):
        scene.tape.wake(1, began).step(1, began, began + 110 * MS)
    scene.tape.poll(3 * SECOND, 100 * SECOND)
    told = [
        scene.until(seconds * SECOND).found()["blocked_loop"].partition(", ")[0]
        for seconds in (3, 62, 90)
    ]

    assert told == [
        "run held the loop 3 times in the last minute",
        "run held the loop 2 times in the last minute",
        "run held the loop 2 times within a minute",
    ]


def test_when_stalls_were_forgotten_sums_are_at_least(scene):
    """A hundred stalls are kept; of more it is not said that they were all."""
    scene.tape.born(1, "run", 0)
    for i in range(160):
        began = SECOND + i * 200 * MS
        scene.tape.wake(1, began).step(1, began, began + 150 * MS)
    found = scene.until(34 * SECOND).found()

    assert "held the loop at least 100 times" in found["blocked_loop"]
    assert "for at least 15" in found["blocked_loop"]


def test_all_is_not_well_while_nobody_can_see(scene):
    """A frozen process and lost records are named where nothing wrong was found."""
    scene.tape.poll(0, 5 * SECOND)
    scene.until(5 * SECOND)
    scene.loop.missed = 1200
    scene.session.stand_still(scene.loop, 0, 5 * SECOND)
    verdict = scene.session.findings.verdict(scene.now_ns)

    assert verdict["sentence"] == (
        "Nothing is wrong so far, but process 1 stands still and 1,200 records were "
        "lost."
    )


def test_while_a_remedy_is_looked_for_the_finding_waits(scene, monkeypatch):
    """It is one finding, of one rule, once it is known which."""
    findings = scene.session.findings
    find = findings._find_remedy
    monkeypatch.setattr(findings, "_find_remedy", lambda place, stack: NOT_YET)
    scene.tape.born(1, "run", 0)
    seen_at(scene.tape, SECOND, 2 * SECOND, 2)
    scene.tape.step(1, SECOND, 3 * SECOND, Kind.STEP_DONE)
    assert scene.until(3 * SECOND).found() == {}

    monkeypatch.setattr(findings, "_find_remedy", find)
    assert set(scene.until(4 * SECOND).found()) == {"sync_call"}


def test_a_stall_found_before_its_line_is_known_is_one_finding(scene):
    """What was found of a step without a line goes when the line is told."""
    scene.tape.born(1, "run", 0).wake(1, SECOND - MS)
    scene.tape.play()
    scene.cells |= {Cell.OWNER: 1, Cell.SINCE: SECOND}
    scene.until(SECOND + 500 * MS)
    before = scene.session.findings.describe(scene.now_ns)
    seen_at(scene.tape, SECOND, 2 * SECOND, 2)
    scene.tape.step(1, SECOND, 3 * SECOND, Kind.STEP_DONE)
    scene.cells |= {Cell.OWNER: 0, Cell.SINCE: 0}
    scene.until(4 * SECOND)

    assert len(before) <= 1
    (finding,) = scene.session.findings.describe(scene.now_ns)
    assert "shop.py:2 in buy" in finding["sentence"]
