"""Each stall that is over is one line in the log, and only then."""

from __future__ import annotations

import logging

import pytest

from dashboard.records import RECORD, Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.diagnosis.stall_log import SETTLED_NS, StallLog
from dashboard.server.model.stalls import STALL_NS
from dashboard.server.session import Session

SECOND_NS = 1_000_000_000
TEXTS = ["", "report\x1f/srv/shop.py\x1f40", "/srv/shop.py\x1f41\x1freport", "buy"]


class Shop:
    """A session with one loop, and a log that looks at it."""

    def __init__(self):
        self.session = Session(origin_ns=0)
        identity = Identity(4711, 1, 0, 0, 0, "asyncio", "3.11.7", "Shop")
        self.loop = self.session.add_loop(identity)
        self.loop.model.names.strings = TEXTS
        self.log = StallLog(self.session)
        self.put(Kind.BORN, 0, 0, 1, 1)

    def put(self, kind, t, u, a, b=0):
        """Add a record, and look."""
        self.loop.model.feed(RECORD.pack(t, u, a, b, 256 + kind))
        self.log.look(max(t, u))

    def step(self, t, u):
        """The task ran."""
        self.put(Kind.STEP_WAITING, t, u, 1)


@pytest.fixture
def shop(caplog):
    """A shop whose log is kept."""
    caplog.set_level(logging.INFO, "loopscope.stalls")
    return Shop()


def test_killed_in_it(shop, caplog):
    """Of a process that is killed in a step, its last beat tells how long that lasted; the
    line says that it never ended, and so do the wire and the findings."""
    shop.put(Kind.SAMPLE, 2 * SECOND_NS, SECOND_NS, 2)
    cells = dict.fromkeys(Cell, 0) | {
        Cell.STATE: RingState.RECORDING,
        Cell.OWNER: 1,
        Cell.SINCE: SECOND_NS,
        Cell.BEAT: 3 * SECOND_NS,
    }
    shop.session.tick(shop.loop, 9 * SECOND_NS, cells, alive=False)
    shop.session.look(9 * SECOND_NS, {})
    shop.log.look(9 * SECOND_NS)
    (stall,) = (stall.to_wire() for stall in shop.session.stalls.kept)
    told = shop.loop.describe(9 * SECOND_NS, 0)

    assert caplog.messages == [
        "Shop (pid 4711): shop.py:41 in report held the loop for 2.00 s (in report), "
        "and had not ended when its process did; nobody had to wait"
    ]
    assert (stall["over"], stall["unfinished"]) == (False, True)
    assert (told["state"], told["culprit"]["line"]) == ("ended", 41)
    assert "had not ended when its process did" in str(
        shop.session.findings.describe(9 * SECOND_NS)
    )


def test_one_line_with_all_of_it(shop, caplog):
    """The line says which program, line and task it was, how long, and whom it held."""
    shop.put(Kind.BORN, SECOND_NS - 1, 0, 2, 3)
    shop.put(Kind.SAMPLE, 2 * SECOND_NS, SECOND_NS, 2)
    shop.step(SECOND_NS, 3 * SECOND_NS)
    shop.log.look(4 * SECOND_NS)
    shop.log.look(9 * SECOND_NS)

    (line,) = caplog.messages
    assert line.startswith(
        "Shop (pid 4711): shop.py:41 in report held the loop for 2.00 s (in report); it "
    )
    assert "buy" in line
    assert caplog.records[0].name == "loopscope.stalls"
    assert caplog.records[0].levelno == logging.INFO


def test_nobody_had_to_wait(shop, caplog):
    """A stall that held up nobody says so; without a line it has the task's name."""
    shop.step(SECOND_NS, 2 * SECOND_NS)
    shop.log.look(3 * SECOND_NS)

    assert caplog.messages == [
        "Shop (pid 4711): report held the loop for 1.00 s; nobody had to wait"
    ]


def test_the_machine_is_to_blame(shop, caplog):
    """Of a step that waited for a processor it says how long, and only where it was."""
    shop.put(Kind.SAMPLE, SECOND_NS + 5, SECOND_NS, 2)
    shop.loop.starved(SECOND_NS, SECOND_NS + 200_000_000, 180_000_000)
    shop.step(SECOND_NS, SECOND_NS + 210_000_000)
    shop.log.look(3 * SECOND_NS)

    assert caplog.messages == [
        "Shop (pid 4711): the machine was too busy: report held the loop for 210 ms, of "
        "which it waited 180 ms for a processor (where it was: shop.py:41 in report); "
        "nobody had to wait"
    ]


def test_not_before_it_is_over(shop, caplog):
    """While a stall lasts, and for a moment after it, nothing is said."""
    cells = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING, Cell.OWNER: 1}
    for now_ns in range(SECOND_NS, 4 * SECOND_NS, SECOND_NS):
        shop.session.tick(shop.loop, now_ns, cells, alive=True)
        shop.log.look(now_ns)
    assert shop.session.stalls.kept
    assert caplog.messages == []

    shop.step(10, 5 * SECOND_NS)
    shop.log.look(5 * SECOND_NS + SETTLED_NS - 1)
    assert caplog.messages == []
    assert repr(shop.log) == "<StallLog 1 met, 1 not told>"

    shop.log.look(5 * SECOND_NS + SETTLED_NS)
    assert len(caplog.messages) == 1


def test_each_once(shop, caplog):
    """Every stall is told once, in the order in which they happened."""
    for second in range(1, 6):
        shop.step(second * SECOND_NS, second * SECOND_NS + second * STALL_NS)
    shop.log.look(9 * SECOND_NS)
    shop.log.look(10 * SECOND_NS)

    lengths = [line.partition("for ")[2].partition(";")[0] for line in caplog.messages]
    assert lengths == ["100 ms", "200 ms", "300 ms", "400 ms", "500 ms"]


def test_short_steps_are_not_told(shop, caplog):
    """A step below the threshold has no line."""
    shop.step(SECOND_NS, SECOND_NS + STALL_NS - 1)
    shop.log.look(9 * SECOND_NS)

    assert caplog.messages == []
