"""What went wrong is kept by itself, with the seconds around it, and no more than fits."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise

import pytest

from dashboard import mark
from dashboard.errors import RecordingError
from dashboard.recorder.attach import record
from dashboard.records import FROM_WEBSOCKET, RECORD, Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.model.incidents import IncidentKind
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.recordings import flight as module
from dashboard.server.recordings.flight import FlightRecorder
from dashboard.server.recordings.keeper import Keeper
from dashboard.server.recordings.opening import open_recording
from dashboard.server.session import Session

PATIENCE_S = 40
MS = 1_000_000
SECOND_NS = 1_000_000_000
CELLS = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}


class Plane:
    """A session whose time a test moves, with a flight recorder on board."""

    def __init__(self, folder):
        self.has_fast_disk = True
        self.keeper = Keeper()
        self.session = Session(origin_ns=SECOND_NS, tape=self.keeper.tape)
        self.keeper.session = self.session
        self.now_ns = SECOND_NS
        identity = Identity(7, 1, SECOND_NS, 0, 0, "asyncio", "3.11.7", "Shop")
        self.loop = self.session.add_loop(identity)
        self.loop.model.names.strings += ["buy", "sold out"]
        self.put(Kind.BORN, 0, 1, 1)
        self.flight = FlightRecorder(
            self.session,
            self.keeper,
            folder,
            stall_ns=200 * MS,
            request_ns=1_000 * MS,
        )

    def put(self, kind, u, a, b=0):
        """A record at this moment."""
        self.loop.feed(RECORD.pack(self.now_ns, u, a, b, 256 + kind))

    def step(self, ns):
        """The task runs for so long."""
        end_ns = self.now_ns + ns
        self.put(Kind.STEP_WAITING, end_ns, 1)
        self.now_ns = end_ns
        self.look()

    def fly(self, seconds, cells=CELLS):
        """Nothing happens for so long; frames are made meanwhile."""
        for _ in range(int(seconds * 10)):
            self.now_ns += 100 * MS
            self.look(cells)

    def hold(self, seconds):
        """The task runs for so long, and is seen at it."""
        since_ns = self.now_ns
        self.fly(seconds, CELLS | {Cell.OWNER: 1, Cell.SINCE: since_ns})
        end_ns, self.now_ns = self.now_ns, since_ns
        self.put(Kind.STEP_WAITING, end_ns, 1)
        self.now_ns = end_ns
        self.look()

    def look(self, cells=CELLS):
        """Do what a dashboard does for each frame, with a disk as fast as its time."""
        self.session.tick(self.loop, self.now_ns, cells, alive=True)
        self.session.turn_page(self.now_ns)
        self.flight.look(self.now_ns)
        ends = time.monotonic() + PATIENCE_S
        while self.has_fast_disk and self.flight.is_writing:
            assert time.monotonic() < ends, "what is kept is not written"
            time.sleep(0.001)


@pytest.fixture
def plane(tmp_path):
    """A plane and the folder that its recorder writes into."""
    return Plane(tmp_path / "kept")


def files(plane, folder):
    """Land, and open what was kept, oldest first."""
    plane.flight.close()
    return [open_recording(path) for path in sorted((folder / "kept").iterdir())]


def test_keeps_a_stall(plane, tmp_path):
    """A long stall is kept with five seconds before and after it; a short one is not."""
    plane.fly(20)
    plane.step(150 * MS)
    plane.fly(20)
    plane.step(300 * MS)
    plane.fly(20)
    (kept,) = files(plane, tmp_path)
    (stall,) = kept.session.stalls.kept

    assert stall.duration_ns == 300 * MS
    before_s = (stall.start_ns - kept.past.from_ns) / SECOND_NS
    after_s = (kept.past.to_ns - stall.end_ns) / SECOND_NS
    # By whole chunks of two seconds.
    assert 5 <= before_s <= 7.2
    assert 4.9 <= after_s <= 7.2


def test_keeps_a_slow_request_and_a_mark(plane, tmp_path):
    """So are a request that took too long, and what the program itself says."""
    plane.fly(10)
    plane.put(Kind.REQUEST, 0, 5, 1)
    plane.step(MS)
    plane.fly(1.5)
    plane.put(Kind.ANSWERED, 200, 5)
    plane.step(MS)
    plane.fly(20)
    plane.put(Kind.MARK, 0, 1, 2)
    plane.step(MS)
    plane.fly(20)
    request, marked = files(plane, tmp_path)

    assert [each.status for each in request.session.requests.finished] == [200]
    assert [each.text for each in marked.session.incidents.kept] == ["sold out"]


def test_lands_in_the_middle(plane, tmp_path):
    """What goes wrong last is kept, though nothing comes after it."""
    plane.fly(2)
    plane.step(300 * MS)
    (kept,) = files(plane, tmp_path)

    assert len(kept.session.stalls.kept) == 1


def test_is_bounded(plane, tmp_path, monkeypatch):
    """Of too many files the newest stay; one long trouble is kept in pieces
    that follow each other."""
    monkeypatch.setattr(module, "KEEP_FILES", 3)
    for _ in range(60):
        plane.step(300 * MS)
        plane.fly(3)
    plane.flight.close()
    kept = sorted((tmp_path / "kept").iterdir())

    assert len(kept) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    pasts = [open_recording(path).past for path in kept]
    for past in pasts:
        assert past.to_ns - past.from_ns < 45 * SECOND_NS
    for past, after in pairwise(pasts):
        # By whole chunks of two seconds.
        assert after.from_ns > past.to_ns - 3 * SECOND_NS


def length_s(kept):
    """Return how long a piece is."""
    return (kept.past.to_ns - kept.past.from_ns) / SECOND_NS


def test_a_stall_without_end(plane, tmp_path):
    """Of a stall of minutes its beginning is kept and its end, each once; what was kept
    before stays."""
    plane.fly(10)
    plane.put(Kind.MARK, 0, 1, 2)
    plane.step(MS)
    plane.fly(20)
    plane.hold(200)
    plane.fly(20)
    marked, begun, over = files(plane, tmp_path)

    assert [each.text for each in marked.session.incidents.kept] == ["sold out"]
    for kept in (begun, over):
        assert length_s(kept) <= 35
    assert [stall.over for stall in begun.session.stalls.kept] == [False]
    assert [stall.over for stall in over.session.stalls.kept] == [True]
    assert begun.past.to_ns < over.past.from_ns


def test_long_by_nature(plane, tmp_path):
    """A WebSocket that ends after minutes went not wrong; a request did, and its end is
    kept."""
    plane.put(Kind.REQUEST, FROM_WEBSOCKET, 5, 1)
    plane.step(MS)
    plane.fly(100)
    plane.put(Kind.ANSWERED, 1000, 5)
    plane.put(Kind.REQUEST_END, 0, 5)
    plane.put(Kind.REQUEST, 0, 6, 1)
    plane.step(MS)
    plane.fly(100)
    plane.put(Kind.ANSWERED, 200, 6)
    plane.step(MS)
    plane.fly(20)
    (kept,) = files(plane, tmp_path)

    assert [each.status for each in kept.session.requests.finished] == [200]
    assert length_s(kept) <= 35


def test_slow_disk(plane, tmp_path, monkeypatch):
    """While a piece is being written no other is cut; what came first meanwhile is kept
    then."""
    plane.has_fast_disk = False
    is_free = threading.Event()
    write = module.write_whole

    def write_slowly(head, chunks):
        assert is_free.wait(PATIENCE_S)
        return write(head, chunks)

    cuts = []
    cut = plane.keeper.cut
    monkeypatch.setattr(module, "write_whole", write_slowly)
    monkeypatch.setattr(
        plane.keeper, "cut", lambda *when: cuts.append(when) or cut(*when)
    )
    for _ in range(5):
        plane.step(300 * MS)
        plane.fly(20)
    assert len(cuts) == 1
    is_free.set()
    plane.has_fast_disk = True
    plane.fly(20)
    kept = [each.session.stalls.kept for each in files(plane, tmp_path)]
    begun = [stalls[0].start_ns for stalls in kept]

    assert len(kept[0]) == 1
    assert [each - begun[0] for each in begun] == [0, 20_300 * MS, 40_600 * MS]


def test_leaves_what_others_put_there(plane, tmp_path, monkeypatch):
    """Only what it wrote itself makes room, an earlier flight's too."""
    monkeypatch.setattr(module, "KEEP_FILES", 1)
    foreign = ["0.loopscope", "20200101-120000-shop.loopscope", "notes.txt"]
    earlier = "20200101-120000-1-stall.loopscope"
    for name in [*foreign, earlier]:
        (tmp_path / "kept" / name).write_bytes(b"")
    plane.step(300 * MS)
    plane.flight.close()
    names = {path.name for path in (tmp_path / "kept").iterdir()}

    assert names > set(foreign)
    assert len(names) == len(foreign) + 1
    assert earlier not in names


def test_folder_that_cannot_be(tmp_path):
    """A folder that cannot be used is told at the start."""
    (tmp_path / "kept").write_text("")

    with pytest.raises(RecordingError, match="cannot be used to keep recordings"):
        Plane(tmp_path / "kept")


def test_mark_where_nobody_records():
    """A program may mark what it wants: where nobody records, nothing happens."""
    mark("alone")


def test_mark_in_a_program(tmp_path, monkeypatch):
    """A mark is in the recording, at the task that said so; also from a thread."""
    monkeypatch.setenv("LOOPSCOPE_DIR", str(tmp_path))
    session = Session(origin_ns=0)
    follower = Follower(rings_in(tmp_path), session, show_ended=True)

    async def buy():
        mark("sold out")
        await asyncio.to_thread(mark, "thread")

    async def main():
        with record(title="shop"):
            await asyncio.create_task(buy())
            follower.poll()
            await asyncio.sleep(0)

    asyncio.run(main())
    while not all(loop.ended for loop in session.loops.values()):
        follower.poll()
    follower.close()
    # The garbage collector's pauses stand beside them.
    incidents = [x for x in session.incidents.kept if x.kind == IncidentKind.MARK]
    marks = [(each.text, each.label) for each in incidents]

    assert [text for text, _ in marks] == ["sold out", "thread"]
    assert marks[0][1].endswith("buy")
