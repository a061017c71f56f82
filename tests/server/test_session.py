"""A session may watch programs come and go for as long as it likes: it does not grow."""

from __future__ import annotations

import gc
import types
from collections import Counter, deque

from dashboard.records import RECORD, Cell, Detail, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.model.journal import MORE_TEXT, Journal
from dashboard.server.recordings.keeper import Keeper
from dashboard.server.session import Session
from dashboard.server.streaming.stream import Stream

MS = 1_000_000
SECOND_NS = 1_000_000_000
CELLS = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}
STRINGS = ["buy", "GET\x1f/buy", "sleep\x1fshop.py\x1f7\x1fbuy", "shop.py\x1f7\x1fbuy"]
#: More than there is of anything that is kept: 500 requests, 200 incidents.
LIVES = 520


class Dashboard:
    """What a dashboard process keeps, and a clock that a test moves."""

    def __init__(self):
        self.now_ns = SECOND_NS
        self.keeper = Keeper(keep_bytes=200_000)
        self.session = Session(
            origin_ns=self.now_ns,
            # Bounds that are reached by then.
            journal=Journal(keep_text=50_000, keep_remains=200),
            tape=self.keeper.tape,
        )
        self.keeper.session = self.session
        self.stream = Stream(
            self.session,
            now_ns=lambda: self.now_ns,
            notices=list,
            demo_url=lambda: None,
        )

    def see_a_life(self):
        """A program starts, serves, stalls, stands still, is sampled, and ends."""
        number = self.stream.seq
        began_ns = self.now_ns
        identity = Identity(number, 1, began_ns, 0, 0, "asyncio", "3.11.7", "Shop")
        loop = self.session.add_loop(identity)
        loop.model.names.strings += STRINGS

        def put(kind, t, u=0, a=0, b=0):
            loop.feed(RECORD.pack(began_ns + t * MS, u, a, b, 256 + kind))

        def at(t):
            return began_ns + t * MS

        self.session.send(
            number, at(0), method="GET", path="/buy", scenario="", loop=loop.id
        )
        put(Kind.BORN, 0, 0, 1, 1)
        put(Kind.REQUEST_TRACE, 1, number, 1)
        put(Kind.REQUEST, 1, 1, 1, 1)
        put(Kind.STEP_WAITING, 1, at(2), 1)
        put(Kind.DETAIL, 3, number, 1, Detail.SECONDS)
        put(Kind.REASON, 3, at(9), 1, 3)
        put(Kind.THREAD_QUEUED, 4, 1, number, 1)
        put(Kind.THREAD_BEGIN, 4, 0, number, number)
        put(Kind.POLL, 2, at(9))
        put(Kind.WAKE, 9, 0, 1)
        put(Kind.PAUSE, 9, at(9) + 1, 2, 1)
        put(Kind.SAMPLE, 60, at(10), 4)
        self.now_ns = at(400)
        self.session.stand_still(loop, at(400), at(390))
        self.session.stand_still(loop, at(400), 0)
        held = CELLS | {Cell.OWNER: 1, Cell.SINCE: at(10)}
        self.session.tick(loop, self.now_ns, held, alive=True)
        loop.starved(at(300), at(400), MS)
        loop.arrived(self.now_ns, 3)
        self.session.look(self.now_ns, {loop.id: 1.0})
        put(Kind.STEP_WAITING, 10, at(420), 1)
        # Another step, which has been seen and does not come to its end.
        put(Kind.SAMPLE, 470, at(430), 4)
        self.now_ns = at(500)
        held = CELLS | {Cell.OWNER: 1, Cell.SINCE: at(430)}
        self.session.tick(loop, self.now_ns, held, alive=True)
        loop.arrived(self.now_ns, 5)
        loop.lose()
        self.session.tick(loop, self.now_ns, CELLS, alive=False)
        self.session.settle(number, self.now_ns, 200)
        self.stream.publish()
        self.now_ns += SECOND_NS


def count_kept(root):
    """Return how many things of each kind a thing leads to, code and classes aside."""
    passed = (type, types.ModuleType, types.FunctionType, types.CodeType)
    found = {id(root): root}
    queue = deque([root])
    while queue:
        for each in gc.get_referents(queue.popleft()):
            if id(each) not in found and not isinstance(each, passed):
                found[id(each)] = each
                queue.append(each)
    return Counter(type(each).__name__ for each in found.values())


def test_programs_come_and_go():
    """Of hundreds of programs that ended no more is kept than of some dozens."""
    dashboard = Dashboard()
    for _ in range(LIVES):
        dashboard.see_a_life()
    before = count_kept(dashboard)
    for _ in range(LIVES):
        dashboard.see_a_life()
    after = count_kept(dashboard)

    assert before["Stall"] == before["Victims"] > 50
    # A chunk more or less: less than one thing of a kind for each that came. How many
    # integers there are depends on how large they are.
    grown = {
        name: (before[name], count)
        for name, count in after.items()
        if name != "int" and count - before[name] > LIVES // 2
    }
    assert not grown


def test_names_without_end():
    """A program that gives each of its tasks a name of its own is told, up to a bound."""
    journal = Journal(keep_text=1_000)
    known = journal.intern("buy")
    for number in range(1_000):
        journal.intern(f"task of order {number}")

    assert journal.intern("buy") == known
    assert journal.text(journal.intern("one more")) == MORE_TEXT
    assert len(journal.take(0).strings) < 20
