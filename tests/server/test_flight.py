"""What went wrong is kept by itself, with the seconds around it, and no more than fits."""

from __future__ import annotations

import asyncio

import pytest

from dashboard import mark
from dashboard.errors import RecordingError
from dashboard.recorder.attach import record
from dashboard.records import RECORD, Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server import flight as module
from dashboard.server.flight import FlightRecorder
from dashboard.server.folders import rings_in
from dashboard.server.keeper import Keeper
from dashboard.server.opening import open_recording
from dashboard.server.read import Follower
from dashboard.server.session import Session

MS = 1_000_000
SECOND_NS = 1_000_000_000
CELLS = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}


class Plane:
    """A session whose time a test moves, with a flight recorder on board."""

    def __init__(self, folder):
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

    def fly(self, seconds):
        """Nothing happens for so long; frames are made meanwhile."""
        for _ in range(int(seconds * 10)):
            self.now_ns += 100 * MS
            self.look()

    def look(self):
        """Do what a dashboard does for each frame."""
        self.session.tick(self.loop, self.now_ns, CELLS, alive=True)
        self.session.turn_page(self.now_ns)
        self.flight.look(self.now_ns)


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
    """Of too many files the newest stay; one long trouble is kept in pieces."""
    monkeypatch.setattr(module, "KEEP_FILES", 3)
    for _ in range(60):
        plane.step(300 * MS)
        plane.fly(3)
    plane.flight.close()
    kept = sorted((tmp_path / "kept").iterdir())

    assert len(kept) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    for path in kept:
        past = open_recording(path).past
        assert past.to_ns - past.from_ns < 45 * SECOND_NS


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
    marks = [(each.text, each.label) for each in session.incidents.kept]

    assert [text for text, _ in marks] == ["sold out", "thread"]
    assert marks[0][1].endswith("buy")
