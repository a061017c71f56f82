"""Rings are found, followed and let go; one that cannot be read stops no other."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clocks import FakeClock

from dashboard.records import RECORD_BYTES, Cell, Kind, RingState
from dashboard.ring import RingReader, create_ring
from dashboard.server.model.lanes import State
from dashboard.server.reading import read as module
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import SCAN_EVERY_NS, Follower
from dashboard.server.session import Session


class Desk:
    """A follower of a folder, with a clock that only moves when told to."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.clock = FakeClock()
        self.session = Session(origin_ns=self.clock())
        self.follower = Follower(
            rings_in(folder), self.session, now_ns=self.clock, **options
        )

    def ring(self, title="app", capacity=64):
        """Make a ring as an observed process would."""
        return create_ring(
            kind="asyncio",
            title=title,
            loop_no=1,
            directory=self.folder,
            records_bytes=capacity * RECORD_BYTES,
        )

    def poll(self):
        """Poll a while later, when folders are looked at again."""
        self.clock.work(SCAN_EVERY_NS)
        return self.follower.poll()

    def settle(self):
        """Poll until whatever is new has been looked at more than once."""
        for _ in range(6):
            self.poll()

    def loops(self):
        """Return each loop's title and state."""
        loops = self.session.describe_loops(self.clock())
        return [(loop["title"], loop["state"]) for loop in loops]


@pytest.fixture
def desk(tmp_path):
    """Make a desk whose rings are let go of afterwards."""
    made = []

    def make(**options):
        made.append(Desk(tmp_path / "rings", **options))
        return made[-1]

    yield make
    for each in made:
        each.follower.close()


def step(ring, task, t, u):
    """Write that a task ran."""
    ring.write(Kind.STEP_WAITING, t, u, task, 0)


def test_discovers(desk):
    """A ring that appears is followed without being asked for."""
    one = desk()
    one.poll()
    none = one.loops()
    ring = one.ring("shop")
    name = ring.intern("main")
    ring.write(Kind.BORN, 5, 0, 1, name)
    step(ring, 1, 10, 20)
    one.poll()

    assert none == []
    assert one.loops() == [("shop", "idle")]
    assert [task["name"] for task in one.session.describe_tasks()] == ["main"]
    assert repr(one.follower) == "<Follower of 1 rings>"


def test_folder_that_does_not_exist_yet(desk):
    """A folder may appear later than the dashboard."""
    one = desk()
    one.settle()
    one.ring("late")
    one.poll()

    assert one.session.notices == []
    assert [title for title, _ in one.loops()] == ["late"]


def test_strings_come_with_their_records(desk):
    """A name that is added while the ring is followed is known when it is used."""
    one = desk()
    ring = one.ring()
    one.poll()
    for number in range(1, 50):
        ring.write(Kind.BORN, number, 0, number, ring.intern(f"task {number}"))
        step(ring, number, 100 + number, 100 + number)
        one.poll()

    names = [task["name"] for task in one.session.describe_tasks()]
    assert names == [f"task {number}" for number in range(1, 50)]


def test_several_rings(desk):
    """Every worker's ring is followed, each as a loop of its own."""
    one = desk()
    rings = [one.ring(title) for title in ("a", "b", "c")]
    one.poll()
    for ring in rings:
        step(ring, 1, 10, 20)
    one.poll()

    assert sorted(title for title, _ in one.loops()) == ["a", "b", "c"]
    assert len(one.session.describe_tasks()) == 3


def test_sent_is_told_before_records(desk):
    """What was sent is told before any record that was written after it."""
    told = []
    one = desk(before_feed=lambda: told.append(one.session.loops[1].model.records))
    ring = one.ring()
    step(ring, 1, 10, 20)
    one.poll()
    step(ring, 1, 30, 40)
    one.poll()

    assert told == [0, 1]


def test_lost_records_are_counted(desk):
    """What was overwritten before it was read is counted and shown as lost."""
    one = desk()
    ring = one.ring(capacity=64)
    one.poll()
    for number in range(200):
        step(ring, 1, 10 * number, 10 * number + 5)
    ring.cells[Cell.DROPPED] = 3
    one.poll()

    (loop,) = one.session.loops.values()
    assert loop.missed == one.session.missed == 200 - 56 + 3
    assert loop.model.records == 56


def test_record_that_the_writer_dropped(desk):
    """A record that the recorder itself left out is a loss like any other."""
    one = desk()
    ring = one.ring()
    step(ring, 1, 10, 20)
    one.poll()
    (loop,) = one.session.loops.values()
    before = loop.model.tasks.by_no[1].state
    ring.cells[Cell.DROPPED] = 1
    one.poll()
    after = loop.model.tasks.by_no[1].state
    step(ring, 1, 30, 40)
    one.poll()

    assert (before, after) == (State.WAITING, State.LOST)
    assert loop.model.tasks.by_no[1].state == State.WAITING


def test_reader_that_comes_late(desk):
    """What was overwritten before anybody looked is nobody's loss, nor idle time."""
    one = desk()
    ring = one.ring(capacity=64)
    for number in range(200):
        step(ring, 1, 10 * number, 10 * number + 5)
    one.poll()

    (loop,) = one.session.loops.values()
    rows = one.session.journal.take(0).rows
    assert one.session.missed == 0
    assert loop.model.records == 56
    assert State.LOST in {row.state for row in rows}


def test_reader_that_comes_in_time(desk):
    """A ring that has not been round yet is read from its first record."""
    one = desk()
    ring = one.ring(capacity=64)
    for number in range(64):
        step(ring, 1, 10 * number, 10 * number + 5)
    one.poll()

    (loop,) = one.session.loops.values()
    assert (one.session.missed, loop.model.records) == (0, 64)


def test_tokens_are_told(desk):
    """The limiter's gauge comes from the ring's header."""
    one = desk()
    ring = one.ring()
    one.poll()
    (none,) = one.session.describe_loops(one.clock())
    ring.cells[Cell.TOKENS] = 40
    ring.cells[Cell.TOKENS_BORROWED] = 7
    one.poll()
    (some,) = one.session.describe_loops(one.clock())

    assert none["tokens"] is None
    assert some["tokens"] == {
        "total": 40,
        "borrowed": 7,
        "waiting": 0,
        "waiters": [],
    }


@pytest.mark.parametrize("state", [RingState.STOPPED, RingState.FAILED])
def test_recording_ends(desk, state):
    """A loop whose recording ended is ended; what it said last is read before."""
    one = desk()
    ring = one.ring()
    one.poll()
    ring.cells[Cell.NOTE] = ring.intern("recording failed: why not")
    step(ring, 1, 10, 20)
    ring.close(state)
    one.poll()

    assert one.loops() == [("app", "ended")]
    (loop,) = one.session.loops.values()
    assert (loop.note, loop.model.records) == ("recording failed: why not", 1)
    assert repr(one.follower) == "<Follower of 0 rings>"
    one.settle()
    assert one.loops() == [("app", "ended")]


WRITER = """
import sys
from pathlib import Path
from dashboard.records import Kind
from dashboard.ring import create_ring
ring = create_ring(kind="asyncio", title="mortal", loop_no=1, directory=Path(sys.argv[1]))
ring.write(Kind.BORN, 5, 0, 1, ring.intern("main"))
ring.write(Kind.STEP_WAITING, 10, 20, 1, 0)
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process(tmp_path):
    """Start a process that writes a ring and waits to be ended."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "rings")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "written\n", "the writer did not start"
        yield process
        process.kill()


def test_process_ends(desk, process):
    """When a process is killed its loop is ended, and its ring let go of."""
    one = desk()
    one.poll()
    alive = one.loops()
    process.kill()
    process.wait(20)
    one.poll()

    assert (alive, one.loops()) == ([("mortal", "idle")], [("mortal", "ended")])
    assert one.session.describe_tasks() == []
    assert repr(one.follower) == "<Follower of 0 rings>"


@pytest.mark.parametrize("show_ended", [True, False])
def test_ended_before_we_came(desk, process, show_ended):
    """A ring of a dead process is shown once if that is wanted, else left alone."""
    process.kill()
    process.wait(20)
    one = desk(show_ended=show_ended)
    one.settle()

    assert one.loops() == ([("mortal", "ended")] if show_ended else [])
    assert one.session.notices == []


# ------------------------------------------------------------- what cannot be read


def spoil(folder, what):
    """Put something that is no usable ring into the folder."""
    path = folder / "1-1-1.ring"
    if what == "garbage":
        path.write_bytes(b"garbage" * 1000)
    elif what == "empty":
        path.touch()
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        other = create_ring(kind="", title="", loop_no=1, directory=folder / "other")
        data = bytearray(other.path.read_bytes())
        if what == "version":
            data[8] = 99
        path.write_bytes(data if what == "version" else data[:5000])
    return path


@pytest.mark.parametrize(
    "what", ["garbage", "empty", "truncated", "version", "folder", "pipe"]
)
def test_refused(desk, caplog, what):
    """What is no usable ring becomes one notice; others are followed, it may go."""
    one = desk()
    ring = one.ring("good")
    path = spoil(one.folder, what)
    one.settle()
    notices = list(one.session.notices)
    step(ring, 1, 10, 20)
    one.settle()
    still = list(one.session.notices)
    loops = one.loops()
    path.rmdir() if what == "folder" else path.unlink()
    one.settle()

    assert len(notices) == 1
    assert notices[0].startswith("1-1-1.ring ")
    assert still == notices
    assert [record.message for record in caplog.records] == notices
    assert loops == [("good", "idle")]
    assert one.session.notices == []


def test_refused_again(desk, caplog):
    """A file that was refused, went and came back is refused anew."""
    one = desk()
    one.ring("good")
    for _ in range(2):
        path = spoil(one.folder, "garbage")
        one.settle()
        path.unlink()
        one.settle()

    assert len(caplog.records) == 2


def test_no_descriptor_for_it(desk, monkeypatch):
    """While we have no descriptor left a ring is told of and tried again, not given up;
    one that is followed goes on."""
    one = desk()
    one.ring("first")
    one.poll()
    one.ring("second")

    def refuse(*args, **options):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        patch.setattr(Path, "read_text", refuse)
        one.settle()
        during, notices = one.loops(), one.session.notices
    one.settle()

    assert during == [("first", "idle")]
    assert len(notices) == 1
    assert "Too many open files" in notices[0]
    assert [title for title, _ in one.loops()] == ["first", "second"]
    assert [state for _, state in one.loops()] == ["idle", "idle"]
    assert one.session.notices == []


def test_ring_that_is_being_made(desk, caplog):
    """A ring that is found before its writer has filled in the header is followed."""
    one = desk()
    ring = one.ring("young")
    whole = ring.path.read_bytes()
    ring.path.write_bytes(b"")
    one.poll()
    ring.path.write_bytes(whole)
    one.poll()

    assert [title for title, _ in one.loops()] == ["young"]
    assert one.session.notices == []
    assert caplog.records == []


def test_unreadable_while_followed(desk, caplog, monkeypatch):
    """A ring that can no longer be read becomes one notice, and its loop is ended."""
    one = desk()
    one.ring("bad")
    good = one.ring("good")
    one.poll()
    read = RingReader.read

    def fail(reader, *args):
        if reader.identity.title == "bad":
            raise OSError(5, "Input/output error")
        return read(reader, *args)

    monkeypatch.setattr(RingReader, "read", fail)
    step(good, 1, 10, 20)
    one.settle()

    assert len(caplog.records) == 1
    assert "cannot be read: Input/output error" in caplog.records[0].message
    assert one.session.notices == [caplog.records[0].message]
    assert ("bad", "ended") in one.loops()
    assert ("good", "idle") in one.loops()
    assert repr(one.follower) == "<Follower of 1 rings>"


def test_file_deleted_while_followed(desk):
    """A ring whose file is deleted is followed until its process ends."""
    one = desk()
    ring = one.ring()
    one.poll()
    ring.path.unlink()
    step(ring, 1, 10, 20)
    one.settle()

    assert len(one.session.describe_tasks()) == 1
    assert one.session.notices == []


def test_file_cut_while_followed(desk):
    """A ring whose file is cut off has ended, and it is said why."""
    one = desk()
    ring = one.ring()
    step(ring, 1, 10, 20)
    one.poll()
    os.truncate(ring.path, 0)
    one.settle()

    assert one.loops() == [("app", "ended")]
    assert one.session.notices == [
        f"{ring.path.name} was damaged while it was read (its state is 0, 0 records "
        "dropped); what it told until then is shown"
    ]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (Cell.STATE, 77),
        (Cell.STATE, -(2**63)),
        (Cell.DROPPED, -1),
        (Cell.DROPPED, 2**62),
        (Cell.DUMP_SIGNAL, 2**62),
    ],
)
@pytest.mark.parametrize("when", ["followed", "found"])
def test_numbers_that_cannot_be(desk, cell, number, when):
    """A ring whose live numbers cannot be is told by its name, not ended in silence."""
    one = desk()
    ring, _ = one.ring("app"), one.ring("other")
    step(ring, 1, 10, 20)
    if when == "followed":
        one.poll()
    ring.cells[cell] = number
    one.settle()

    assert dict(one.loops()) == {"app": "ended", "other": "idle"}
    (notice,) = one.session.notices
    assert notice.startswith(f"{ring.path.name} was damaged while it was read")
    assert one.session.missed == 0


@pytest.mark.parametrize("number", [2**62, 5_000, -(2**62)])
def test_number_of_strings_that_heals(desk, number):
    """Where strings end is overwritten: the names that come later are right."""
    one = desk()
    ring = one.ring()
    before = ring.intern("before")
    one.poll()
    ring.cells[Cell.STRINGS] = number
    one.settle()
    after = ring.intern("after")
    one.settle()
    (loop,) = one.session.loops.values()

    assert loop.model.names.text(before) == "before"
    assert loop.model.names.text(after) == "after"


def test_round_is_bounded(desk, monkeypatch):
    """A ring with more than one round takes leaves time for frames in between."""
    one = desk()
    ring = one.ring(capacity=10_000)
    one.poll()
    for number in range(9_000):
        step(ring, 1, 10 * number, 10 * number + 5)
    read = RingReader.read

    def slow(reader, *args):
        one.clock.work(module.ROUND_NS)
        return read(reader, *args)

    monkeypatch.setattr(RingReader, "read", slow)
    rounds = [one.follower.poll() for _ in range(4)]

    assert rounds == [True, True, True, False]
    assert next(iter(one.session.loops.values())).model.records == 9_000


def test_close_lets_go(desk):
    """Closing closes every file."""
    before = len(os.listdir("/proc/self/fd"))
    one = desk()
    for title in "abc":
        one.ring(title)
    one.poll()
    one.follower.close()

    assert len(os.listdir("/proc/self/fd")) <= before + 3
    assert repr(one.follower) == "<Follower of 0 rings>"


# ---------------------------------------------------------------------- workers


def places(desk):
    """Return each loop's place among its kin, and the id of whom it replaced."""
    loops = desk.session.describe_loops(desk.clock())
    return [(loop["worker"], loop["replaces"]) for loop in loops]


def test_workers_have_places(desk):
    """Loops of one program are told apart by their places, others begin anew."""
    one = desk()
    rings = [one.ring("shop"), one.ring("shop"), one.ring("mail")]
    one.poll()

    assert len(rings) == len(places(one))
    assert sorted(places(one)) == [(1, 0), (1, 0), (2, 0)]


def test_restarted_worker_takes_its_place(desk):
    """Who comes in the very moment in which a worker ended is known as its heir."""
    one = desk()
    first = one.ring("shop")
    one.poll()
    second = one.ring("shop")
    one.poll()
    first.close(RingState.STOPPED)
    third = one.ring("shop")
    one.poll()

    assert [first, second, third]
    assert places(one) == [(1, 0), (2, 0), (1, 1)]
    assert [state for _, state in one.loops()] == ["ended", "idle", "idle"]


def test_killed_worker_is_known_as_gone(desk, process):
    """Its heir may be there before anybody has asked whether it lives."""
    one = desk()
    one.poll()
    process.kill()
    process.wait(20)
    heir = one.ring("mortal")
    one.poll()

    assert heir
    assert one.loops() == [("mortal", "ended"), ("mortal", "idle")]
