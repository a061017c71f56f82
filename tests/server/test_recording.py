"""A recording says what its session was told, so that the same model makes the same."""

from __future__ import annotations

import asyncio
import base64
import errno
import io
import os
import threading
import time
import tracemalloc
import zlib
from dataclasses import astuple, replace
from types import SimpleNamespace

import pytest
from tapes import Told, decode

from dashboard.errors import RecordingError
from dashboard.recorder.attach import record
from dashboard.records import RECORD, RECORD_BYTES, Cell, Kind
from dashboard.ring import Identity
from dashboard.server.diagnosis.excerpt import lines_of
from dashboard.server.model import tape
from dashboard.server.model.journal import Change
from dashboard.server.model.lanes import Lane, LaneKind, Row
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.recordings import opening, recording
from dashboard.server.recordings.columns import COLUMNS_BYTES, to_columns, to_records
from dashboard.server.recordings.drawn import Drawing, read_drawn
from dashboard.server.recordings.keeper import FileTape, Keeper, head_of, write_whole
from dashboard.server.recordings.opening import (
    begin_recording,
    open_recording,
    read_recording,
)
from dashboard.server.recordings.player import Player, Remedies
from dashboard.server.routes.recording_routes import file_name
from dashboard.server.routes.stall_routes import describe_stall
from dashboard.server.session import Session
from dashboard.server.streaming import wire

PATIENCE_S = 40
#: Long enough for the watchdog to see its line.
BLOCK_S = 0.3
IDLE = {Cell.OWNER: 0, Cell.SINCE: 0}
#: As release 0.1.0 wrote it, when no file had a picture: a task, and why it waits.
OF_FORMAT_1 = base64.b85decode(
    "OixcxR6$Th0RR91KmY&$0RR91000000RR9100000FfK7JFaQ7m000000000000000000000000000000"
    "Lr6|bZ~y=Rr2qf`-1@K+&<6kj00000#0dZZ00000c%0*6WMbfBy1>uHz?WEDnU|cI&tt4-XsBn-QJj%q"
    "z{JGDQJ!Cvty7$nnpz;QUtCnCpQu+*DQ_+h5@u#%V`1u0XOd%LU|>Q5d_XZaMrQ5{CMoP33|K&l1_OgK"
    "rZ6KTBZAGq1ZM*Pr$iK+"
)
LOOP = tape.Loop(1, 0, 7, 1, 1_000, 5, 0, "asyncio", "3.11.7", "shop")


async def _mixed(lock):
    async def waits():
        for _ in range(20):
            await asyncio.sleep(0.002)

    async def holds():
        async with lock:
            await asyncio.sleep(0.01)

    loop = asyncio.get_running_loop()
    jobs = [waits() for _ in range(8)] + [holds() for _ in range(5)]
    jobs += [asyncio.to_thread(time.sleep, 0.005) for _ in range(6)]
    tasks = [asyncio.create_task(job) for job in jobs]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    # The loop is blocked, so that there is a stall with its line.
    time.sleep(BLOCK_S)  # noqa: ASYNC251
    loop.call_later(0.001, len, "due")
    await asyncio.gather(*tasks, return_exceptions=True)


class Live:
    """A session that follows a real loop, is taped twice, and seen by a viewer."""

    def __init__(self, folder):
        self.keeper = Keeper()
        self.file = io.BytesIO()
        self.file.name = "memory"
        self.session = Session(origin_ns=time.monotonic_ns())
        self.keeper.session = self.session
        self.head = head_of(self.session)
        file_tape = FileTape(self.file, self.head)

        def take_down(entry):
            self.keeper.tape(entry)
            file_tape.tape(entry)

        self.session.tape = take_down
        self.viewer = Told()
        self.follower = Follower(rings_in(folder), self.session, show_ended=True)
        self.flush, self.draw = file_tape.flush, file_tape.draw

    def turn(self):
        """Do what a dashboard does for each frame."""
        while self.follower.poll():
            pass
        self.now_ns = time.monotonic_ns()
        if self.session.findings.is_due(self.now_ns):
            self.session.look(self.now_ns, {1: 0.25})
        change = self.session.turn_page(self.now_ns)
        self.draw(self.now_ns, change)
        self.viewer.take(change)
        self.session.requests.begin_frame()
        self.session.stalls.take()
        self.session.incidents.take()

    def state(self):
        """Return `/api/state`, as JSON would bring it."""
        return wire.describe_state(self.session, self.now_ns)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Follow a real loop from its first task to its end."""
    folder = tmp_path_factory.mktemp("rings")
    told = Live(folder)

    def run():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOOPSCOPE_DIR", str(folder))
            with asyncio.Runner() as runner, record(runner.get_loop(), title="mixed"):
                runner.run(_mixed(asyncio.Lock()))

    thread = threading.Thread(target=run)
    thread.start()
    ends = time.monotonic() + PATIENCE_S
    while not (
        told.session.loops and all(x.ended for x in told.session.loops.values())
    ):
        assert time.monotonic() < ends, "the loop has not ended"
        told.turn()
        time.sleep(0.01)
    thread.join()
    told.turn()
    told.flush()
    told.follower.close()
    return told


def spans(viewer):
    """Return what a viewer would draw, with words for numbers."""
    words = viewer.strings
    return {
        (lane, words[viewer.lanes[lane][2]]): [
            (t, state, words[info], who) for t, state, info, who in rows
        ]
        for lane, rows in viewer.spans.items()
    }


def seen(opened):
    """Return what a page that opens a recording draws, in the times of the recorder."""
    session = opened.session
    viewer = Told()
    snapshot = wire.describe_snapshot(session, opened.past.to_ns, 0, [])
    viewer.take(decode(snapshot))
    origin = session.origin_ns
    return {
        lane: [(t + origin, *rest) for t, *rest in rows]
        for lane, rows in spans(viewer).items()
    }


def kept(live):
    """Return everything that the dashboard has kept, as the Save button gives it."""
    chunks = live.keeper.cut(0, live.now_ns)
    return b"".join(write_whole(live.head, chunks))


@pytest.mark.parametrize("how", ["as it went", "saved"])
def test_round_trip(live, how):
    """`/api/state` and every drawn span of a recording are those of the live session."""
    data = kept(live) if how == "saved" else live.file.getvalue()
    opened = read_recording(io.BytesIO(data), "mixed")
    live_spans = spans(live.viewer)

    assert wire.describe_state(opened.session, live.now_ns) == live.state()
    assert seen(opened) == live_spans
    assert opened.session.stalls.kept[0].culprit.function == "_mixed"
    assert opened.rows >= sum(map(len, live_spans.values())) > 300


def test_picture(live, tmp_path):
    """A picture is all that was drawn, before anything else is read; what is read then
    is the same session, and numbers what was drawn in the same way."""
    path = tmp_path / "it.loopscope"
    path.write_bytes(live.file.getvalue())
    opened = begin_recording(path)
    blank, viewer = opened.session, Told()
    for drawn in opened.pictures:
        viewer.take(as_told(drawn))
    loops = dict(blank.loops)
    shares = list(opened.rest)
    whole = Told()
    whole.take(opened.session.journal.snapshot())

    assert (loops, spans(viewer)) == ({}, spans(live.viewer))
    assert shares == sorted(shares)
    assert 0 < shares[0] <= shares[-1] == 1
    assert wire.describe_state(opened.session, live.now_ns) == live.state()
    assert (viewer.spans, viewer.lanes) == (whole.spans, whole.lanes)
    assert opened.past == read_recording(io.BytesIO(path.read_bytes()), path.name).past


def test_picture_of_what_is_there(tmp_path, monkeypatch):
    """Wherever a file ends that is still being written, all that it tells is drawn."""
    monkeypatch.setattr("dashboard.server.recordings.keeper.CHUNK_NS", 1_000)
    path = tmp_path / "it.loopscope"
    with path.open("wb") as file:
        file_tape = FileTape(file, recording.new_head(1, 1))
        session = Session(origin_ns=1, tape=file_tape.tape)
        loop = session.add_loop(Identity(7, 1, 1_000, 5, 0, "asyncio", "3.11", "shop"))
        loop.model.names.strings += ["work"]
        for number in range(1, 40):
            t = 1_000 * number
            loop.feed(put(Kind.BORN, t, 0, number, 1))
            loop.feed(put(Kind.STEP_WAITING, t + 100, t + 400, number))
            session.tick(loop, t + 500, dict.fromkeys(Cell, 1) | IDLE, alive=True)
            file_tape.draw(t + 600, session.turn_page(t + 600))
        file_tape.flush()
    data = path.read_bytes()
    found = []
    for end in range(len(data), recording.HEADER.size, -97):
        path.write_bytes(data[:end])
        try:
            opened = begin_recording(path)
        except RecordingError:
            # Not even its first chunk is there.
            break
        viewer, whole = Told(), Told()
        for drawn in opened.pictures:
            viewer.take(as_told(drawn))
        assert list(opened.rest)[-1] == 1
        whole.take(opened.session.journal.snapshot())
        assert (viewer.spans, viewer.lanes) == (whole.spans, whole.lanes)
        found.append(len(viewer.spans))

    assert found[0] == 40
    assert found[-1] < 5


def as_told(drawn):
    """Return a picture as the change that it was."""
    wired = {
        "strings": drawn.strings,
        "lanes": [astuple(lane)[:7] for lane in drawn.lanes],
        "rows": wire._columns(drawn.rows, 0),
    }
    return decode(wired)


def test_older_format(tmp_path):
    """A file of before there were pictures is opened as it was then."""
    path = tmp_path / "it.loopscope"
    path.write_bytes(OF_FORMAT_1)
    opened = begin_recording(path)
    (task,) = opened.session.describe_tasks()

    assert OF_FORMAT_1[8] == 1 < recording.VERSION
    assert (opened.pictures, opened.rest) == (None, None)
    assert (task["name"], task["reason"]) == ("work", "sleep")


def test_picture_of_another_release(live, tmp_path):
    """Another release may number lanes in another way: its picture is not believed."""
    head = live.head._replace(release="0.0.9")
    path = tmp_path / "it.loopscope"
    path.write_bytes(
        recording.write_head(head) + live.file.getvalue()[recording.HEADER.size :]
    )
    opened = begin_recording(path)

    assert (opened.pictures, opened.rest) == (None, None)
    assert wire.describe_state(opened.session, live.now_ns) == live.state()


def test_brings_its_code(live):
    """The function that held the loop is in the recording, whatever is on the disk."""
    opened = read_recording(io.BytesIO(kept(live)), "mixed")
    culprit = opened.session.stalls.kept[0].culprit
    source = opened.sources[culprit.file, culprit.line]

    assert (
        source.code.splitlines()[culprit.line - source.first]
        .strip()
        .startswith("time.sleep(BLOCK_S)")
    )


def test_begins_anywhere(live, monkeypatch):
    """A part of a recording knows who lives at its beginning: names, line, reason."""
    keeper = Keeper()
    session = Session(origin_ns=1, tape=keeper.tape)
    keeper.session = session
    monkeypatch.setattr("dashboard.server.recordings.keeper.CHUNK_NS", 1_000)
    monkeypatch.setattr("dashboard.server.recordings.keeper.ROLL_NS", 1_000)
    loop = session.add_loop(identity())
    loop.model.names.strings += ["work", "sleep\x1f/srv/a.py\x1f7\x1fwork", "late"]
    loop.model.names.strings += ["/srv/a.py\x1f3\x1fmain", "Job 7"]
    loop.feed(put(Kind.BORN, 2_000, 0, 1, 1) + put(Kind.SPAWNED, 2_050, 0, 1, 4))
    loop.feed(put(Kind.NAMED, 2_060, 0, 1, 5))
    loop.feed(put(Kind.STEP_WAITING, 2_100, 2_200, 1))
    loop.feed(put(Kind.REASON, 2_300, 9_000, 1, 2))
    for t in (2_500, 5_000, 7_500):
        session.tick(loop, t, dict.fromkeys(Cell, 1) | IDLE, alive=True)
        session.turn_page(t)
    loop.feed(put(Kind.BORN, 8_000, 0, 2, 3))
    session.tick(loop, 8_100, dict.fromkeys(Cell, 1) | IDLE, alive=True)

    opened = open_part(keeper, 7_600, 8_100)
    (loop,) = opened.session.loops.values()
    tasks = {task["name"]: task for task in opened.session.describe_tasks()}

    assert tasks.keys() == {"Job 7", "late"}
    assert (tasks["Job 7"]["reason"], tasks["Job 7"]["where"]) == (
        "sleep",
        "a.py:7 in work",
    )
    assert opened.past.from_ns >= 7_500
    journal = opened.session.journal
    lanes = journal.snapshot().lanes
    spawns = {journal.text(lane.label): journal.text(lane.spawn) for lane in lanes}
    assert spawns["Job 7 (work)"] == "a.py:3 in main"


def test_begins_with_loops_that_are_over(monkeypatch):
    """A part may begin with loops that were forgotten since, or just after one's end."""
    keeper = Keeper()
    session = Session(origin_ns=1, tape=keeper.tape)
    keeper.session = session
    monkeypatch.setattr("dashboard.server.recordings.keeper.CHUNK_NS", 1_000)
    monkeypatch.setattr("dashboard.server.recordings.keeper.ROLL_NS", 1_000)
    cells = dict.fromkeys(Cell, 1) | IDLE
    for number in range(12):
        t = 10_000 * (number + 1)
        loop = session.add_loop(identity())
        loop.model.names.strings += ["work", f"late {number}"]
        loop.feed(put(Kind.BORN, t, 0, 1, 1))
        session.tick(loop, t + 100, cells, alive=True)
        session.turn_page(t + 3_000)
        loop.feed(put(Kind.BORN, t + 4_000, 0, 2, 2))
        session.tick(loop, t + 4_100, cells, alive=False)
        session.turn_page(t + 6_000)
        # Known of it only after its end.
        loop.missed = 3
        session.turn_page(t + 7_000)
    # It lived at the beginning, and was forgotten since.
    living = open_part(keeper, 14_000, 40_000)
    # It had ended before.
    ended = open_part(keeper, 106_500, 120_000)

    assert 1 not in session.loops
    assert living.session.loops[1].model.names.strings == ["", "work", "late 0"]
    assert living.session.loops[1].ended
    assert living.past.from_ns == 14_000
    assert ended.past.from_ns == 106_000
    assert ended.session.loops[1].model.names.strings == ["", "work", "late 10"]


def open_part(keeper, from_ns, to_ns):
    """Cut a stretch out of what is kept, and open it."""
    chunks = keeper.cut(from_ns, to_ns)
    data = b"".join(write_whole(recording.new_head(1, 1), chunks))
    return read_recording(io.BytesIO(data), "part")


def test_keeps_so_much(monkeypatch):
    """What is kept in memory is bounded; the oldest goes first."""
    monkeypatch.setattr("dashboard.server.recordings.keeper.CHUNK_BYTES", 3_200)
    keeper = Keeper(keep_bytes=50_000)
    keeper.session = session = Session(origin_ns=1, tape=keeper.tape)
    loop = session.add_loop(identity())
    for number in range(1, 3_000):
        t = number * 1_000
        loop.feed(put(Kind.POLL, t, t + 10))
        session.turn_page(t + 20)
    (first, *_), *_ = keeper.cut(0, 1 << 60)

    assert 0 < keeper.first_ns > 2_500_000
    assert isinstance(first, tape.Threshold)
    assert keeper.cut(0, 1_000_000) == []
    assert "MB" in repr(keeper)


@pytest.mark.parametrize("what", ["tasks", "texts"])
def test_all_that_is_kept_counts(what):
    """Neither idle tasks nor texts take more memory than what is kept may."""
    most = 2_000_000
    keeper = Keeper(keep_bytes=most)
    session = Session(origin_ns=1, tape=keeper.tape)
    keeper.session = session
    loop = session.add_loop(identity())
    if what == "tasks":
        loop.feed(b"".join(put(Kind.BORN, 2_000, 0, n) for n in range(1, 2_001)))
        loop.feed(put(Kind.POLL, 3_000, 3_001))
    cells = dict.fromkeys(Cell, 1) | IDLE
    tracemalloc.start()
    try:
        for number in range(1, 200):
            if what == "texts":
                texts = tuple(f"{number}-{n}" for n in range(1_000))
                keeper.tape(tape.Strings(loop.id, texts))
            session.tick(loop, number * 2_000_000_000, cells, alive=True)
            session.turn_page(number * 2_000_000_000)
        held, _ = tracemalloc.get_traced_memory()
        first_ns = keeper.first_ns
    finally:
        tracemalloc.stop()
    opened = open_part(keeper, 395_000_000_000, 400_000_000_000)

    assert held < 2 * most
    assert 2_000_000_000 < first_ns < 395_000_000_000
    assert 380_000_000_000 < opened.past.from_ns <= 395_000_000_000
    if what == "tasks":
        assert len(opened.session.describe_tasks()) == 2_000


def identity():
    """Return who a loop is that nobody has recorded."""
    return Identity(7, 1, 1_000, 5, 0, "asyncio", "3.11.7", "shop")


def put(kind, t=0, u=0, a=0, b=0):
    """Return one record."""
    return RECORD.pack(t, u, a, b, 256 + kind)


def whole(*entries, first_ns=1_000, last_ns=2_000):
    """Return a recording of one chunk."""
    chunk = recording.write_chunk(entries, first_ns=first_ns, last_ns=last_ns)
    return recording.write_head(recording.new_head(1, 1)) + chunk


def sentence(data):
    """Open bytes that are wrong, and return what is said of them."""
    with pytest.raises(RecordingError) as caught:
        read_recording(io.BytesIO(data), "it.loopscope")
    text = str(caught.value)
    assert text.startswith("it.loopscope cannot be opened: ")
    assert "\n" not in text
    return text


def test_columns_are_exact():
    """Records come out of their columns as they went in, whatever numbers they have."""
    edge = (-(1 << 63), -1, 0, 1, (1 << 63) - 1)
    data = b"".join(
        put(kind, t, u, a, a // 3)
        for kind in Kind
        for t in edge
        for u in edge
        for a in (0, 1, (1 << 32) - 1)
    )

    assert to_records(to_columns(data)) == data
    assert len(to_columns(data)) == len(data) // RECORD_BYTES * COLUMNS_BYTES
    assert to_columns(b"") == to_records(b"") == b""


def test_every_entry_comes_back():
    """Each kind of entry is written and read as it was, chunk by chunk."""
    entries = [
        LOOP,
        tape.Strings(1, ("", "ä\x1f<b>", "x" * 3_000)),
        tape.Records(1, put(Kind.POLL, 1_000, 1_500)),
        tape.Tick(1, 1_500, 1, tuple(range(-7, 8))),
        tape.Seen(1, 3, 1, 2, "no"),
        tape.Lost(1),
        tape.Still(1, 5, 6),
        tape.Arrived(1, 7, 8),
        tape.Stack(1, 9, "f", 1, "g", ("a", "b"), (1, 2), ("c", "d"), (1, 0)),
        tape.Sent(1, (1 << 64) - 1, 5, "GET", "/", "fast"),
        tape.Settled(-(1 << 63), 5, 200),
        tape.Look(5, (1,), (0.25,)),
        tape.Advised("f", 1, "sleep", "a", "b", "", 2),
        tape.Frame(1_600),
        tape.Threshold(5),
        tape.Source("f", 1, "g", 1, "code", 0),
        tape.Starved(1, 5, 6, 7),
        tape.Records(1, put(Kind.POLL, 1_700, 1_800) * 3),
    ]
    assert {type(entry) for entry in entries} == set(recording.KINDS)
    data = io.BytesIO(whole(*entries) + whole(*entries)[recording.HEADER.size :])
    recording.read_head(data)

    assert [chunk.entries for chunk in recording.read_chunks(data)] == [entries] * 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it begins with b''"),
        (b"GIF89a, or so", "it begins with b'GIF89a, '"),
        (b"LOOPTAPE" + b"\x03" + bytes(60), "format 3, newer than the 2"),
        (b"LOOPTAPE" + bytes(61), "format 0, older than the 1"),
        (b"LOOPTAPE\x01\0\0\0", "it ends after 12 bytes, in its head"),
        (recording.write_head(recording.new_head(1, 1)), "no loop is in it"),
        (whole(LOOP)[:-3], "no loop is in it, at least not yet"),
        (whole(LOOP)[:-3] + b"abc", "not what its check sum says"),
        (whole(LOOP) + b"x" * 32, "there is no chunk"),
        (whole(tape.Lost(3)), "loop 3 before it names it"),
        (whole(LOOP, LOOP), "one of its loops twice"),
        (whole(*(LOOP._replace(loop=n) for n in range(65))), "64 loops at once"),
        (whole(LOOP, tape.Strings(1, ("",) * 100_001)), "100,000 strings"),
        (whole(LOOP, tape.Tick(1, 1 << 62, 1, ())), "outside of its own time"),
        (
            whole(LOOP, tape.Records(1, put(Kind.POLL, 1_000, 1 << 62))),
            "outside of its own time",
        ),
        (whole(LOOP, first_ns=2_000, last_ns=1_000), "outside of its own time"),
        (
            whole(
                LOOP,
                tape.Records(
                    1,
                    b"".join(put(Kind.BORN, 1_500, 0, n) for n in range(200_002))
                    + put(Kind.POLL, 1_600, 1_700),
                ),
            ),
            "more than 200,000 tasks",
        ),
    ],
)
def test_says_what_is_wrong(data, says):
    """A file that is cut off, foreign, of another format or a lie gets one sentence."""
    assert says in sentence(data)


def turn(number, *, alive=0):
    """Return what is told of a loop that begins, is told of, and ends or does not."""
    cells = tuple((dict.fromkeys(Cell, 1) | IDLE).values())
    t = 1_000 + number
    return [
        LOOP._replace(loop=number),
        tape.Strings(number, ("work",)),
        tape.Records(number, put(Kind.BORN, t, 0, 1, 1)),
        tape.Tick(number, t, alive, cells),
        tape.Frame(t),
    ]


def test_many_loops_one_after_the_other():
    """A program may make any number of loops, as long as they do not live at once."""
    told = [entry for number in range(1, 201) for entry in turn(number)]
    # Of one that was dropped long ago.
    told += [tape.Arrived(1, 1_500, 3), tape.Sent(1, 5, 1_500, "GET", "/", "")]
    opened = read_recording(io.BytesIO(whole(*told)), "it")

    assert (opened.records, opened.session.notices) == (200, [])
    assert max(opened.session.loops) == 200 > len(opened.session.loops)


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        ("player.MAX_LOOPS", "3 loops at once"),
        ("player.MAX_LOOPS_EVER", "or 3 one after the other"),
        ("player.MAX_STRINGS", "3 strings for one loop"),
        ("player.MAX_TASKS", "3 tasks or requests at once"),
        ("recording.MAX_RECORDS", "3 records"),
        ("recording.MAX_ENTRIES", "3 of what else"),
        ("recording.MAX_UNPACKED_BYTES", "MB when unpacked"),
        ("player.MAX_TEXT_BYTES", "MB of text"),
    ],
)
def test_shows_what_came_before(bound, says, monkeypatch):
    """Of a file that has more than is opened the beginning is shown, and that is said."""
    data = recording.write_head(recording.new_head(1, 1))
    for number in range(1, 20):
        told = [
            *turn(number, alive=1),
            tape.Strings(1, (f"{number}",)),
            tape.Records(
                1,
                put(Kind.BORN, 1_000 + number, 0, number + 1, 1)
                + put(Kind.POLL, 1_000 + number, 1_000 + number),
            ),
        ]
        data += recording.write_chunk(told, first_ns=1_000, last_ns=2_000)
    most = {"recording.MAX_ENTRIES": 30, "recording.MAX_UNPACKED_BYTES": 1_000}
    most["player.MAX_TEXT_BYTES"] = 1_500
    monkeypatch.setattr(f"dashboard.server.recordings.{bound}", most.get(bound, 3))
    opened = read_recording(io.BytesIO(data), "it")
    (notice,) = opened.session.notices

    assert notice.startswith("only the first 0.0 s are shown: it ")
    assert says in notice or bound in most
    assert 1 <= len(opened.session.loops) < 19
    assert 1_000 < opened.past.to_ns < 1_019


def body(raw, *, raw_size=None):
    """Return a recording whose only chunk unpacks to these bytes."""
    packed = zlib.compress(raw)
    size = len(raw) if raw_size is None else raw_size
    chunk = recording.CHUNK.pack(b"CHNK", len(packed), size, zlib.crc32(packed), 1, 2)
    return recording.write_head(recording.new_head(1, 1)) + chunk + packed


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (body(bytes(10_000_000), raw_size=100), "not as long as it says"),
        (body(b"\x02", raw_size=1 << 31), "no chunk where one should begin"),
        (body(b"\xfe\xff\xff\xff\x0f"), "it says that it has 2,147,483,647"),
        (body(b"\x02\x63"), "it tells of 99"),
        (body(b"\xff" * 20), "more than 64 bits"),
        (body(b"\x02\x02\x02\xfe\xff\xff\x0f"), "it says that it has"),
        (body(b"\x02\x03\x02\x02"), "fewer records than it says"),
        (body(b"\x00\x02\x02" + bytes(25)), "no known kind"),
        (body(b"\x02\x01\x02"), "a chunk ends in the middle|64 bits"),
        (body(bytes(1_000)), "records of a loop twice"),
        (
            lambda: whole(LOOP, tape.Tick(1, 1_500, 1, (0,) * 2_000_000)),
            "2,000,000 numbers and strings",
        ),
        (
            # Some 200 KB that become 70 MB.
            lambda: whole(LOOP) + b"".join(map(many_texts, range(5))),
            "more than 64 MB of text",
        ),
    ],
)
def test_absurd_counts(data, says):
    """No number of a file is believed before anything is made of it."""
    said = sentence(data() if callable(data) else data)
    assert any(part in said for part in says.split("|"))


ROW = Row(1_500, 1, 2, 0, 0)
LANE = Lane(1, LaneKind.TASK, 1, 0, 0, 1_200)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (lambda: pictured([ROW], lanes=[]), "draws lane 1, which is none"),
        (lambda: pictured([ROW, ROW._replace(t=1_400)]), "back in time"),
        (lambda: pictured([ROW._replace(t=1 << 62)]), "far ahead"),
        (lambda: pictured([ROW], t=1 << 62), "outside of its own time"),
        (lambda: pictured([ROW._replace(state=11)]), "no known state"),
        (lambda: pictured([ROW]) + b"x", "no known state"),
        (lambda: pictured([ROW])[:-1], "it says that it has 1 of something"),
        (lambda: b"\x02\xfe\xff\xff\x0f", "it says that it has 16,777,215"),
        (lambda: pictured([], lanes=[replace(LANE, kind=7)]), "kind 7"),
        (lambda: pictured([], lanes=[replace(LANE, t=1 << 62)]), "own time"),
    ],
)
def test_absurd_pictures(raw, says, tmp_path):
    """Nothing is drawn that no page could draw; a sentence says why, and the rest is
    there nevertheless."""
    told = recording.write_chunk(turn(1, alive=1), first_ns=1_000, last_ns=2_000)
    drawn = recording.write_drawn(raw(), first_ns=1_000, last_ns=2_000)
    path = tmp_path / "it.loopscope"
    path.write_bytes(recording.write_head(recording.new_head(1, 1)) + drawn + told)
    opened = begin_recording(path)
    with pytest.raises(RecordingError, match=says):
        list(opened.pictures)
    list(opened.rest)

    assert len(opened.session.loops) == 1


def lanes_of(count):
    """Return lanes that differ in their number."""
    return [replace(LANE, id=number) for number in range(count)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda number: {"rows": [ROW] * 15},
        lambda number: {"rows": [], "lanes": lanes_of(6)},
        lambda number: {"rows": [], "deadlines": dict.fromkeys(range(20), 1_500)},
        lambda number: {"rows": [], "strings": [f"{number}" * 50]},
    ],
    ids=["rows", "lanes", "deadlines", "texts"],
)
def test_pictures_are_bounded_together(draw, tmp_path, monkeypatch):
    """Many small pictures make no more than a large one may."""
    monkeypatch.setattr(opening, "KEEP_ROWS", 100)
    monkeypatch.setattr(opening, "MAX_PICTURE_VALUES", 300)
    monkeypatch.setattr(opening, "KEEP_TEXT", 300)
    span = {"first_ns": 1_000, "last_ns": 2_000}
    path = tmp_path / "it.loopscope"
    with path.open("wb") as file:
        file.write(recording.write_head(recording.new_head(1, 1)))
        for number in range(10):
            file.write(recording.write_drawn(pictured(**draw(number)), **span))
        file.write(recording.write_chunk(turn(1, alive=1), **span))
    opened = begin_recording(path)
    with pytest.raises(RecordingError, match="more than is kept"):
        list(opened.pictures)
    list(opened.rest)

    assert len(opened.session.loops) == 1


def test_a_lane_costs_what_it_has(monkeypatch):
    """Each number of a lane or a deadline counts for what is made of a picture."""
    monkeypatch.setattr("dashboard.server.recordings.packing.MAX_VALUES", 40)

    assert read_drawn(pictured([], lanes=lanes_of(5))).lanes == lanes_of(5)
    with pytest.raises(RecordingError, match="more than 40 numbers"):
        read_drawn(pictured([], lanes=lanes_of(6)))
    with pytest.raises(RecordingError, match="more than 40 numbers"):
        read_drawn(pictured([], deadlines=dict.fromkeys(range(20), 1_500)))


def pictured(rows, *, t=1_900, lanes=(LANE,), strings=(), deadlines=None):
    """Return a picture's bytes, as far as these can be written."""
    drawing = Drawing()
    texts = ["", "work", *strings]
    drawing.add(t, Change(texts, list(lanes), rows, deadlines or {}))
    return drawing.write()


def many_texts(number):
    """Return a chunk with 14 MB of text that no other one has."""
    texts = [f"{number}-{index}".ljust(1_000) for index in range(14_000)]
    entry = tape.Strings(1, tuple(texts))
    return recording.write_chunk([entry], first_ns=1_000, last_ns=2_000)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: tape.Strings(1, (str(n),)),
        lambda n: LOOP._replace(loop=n, title=str(n)),
        lambda n: tape.Seen(1, 0, 0, 0, str(n)),
        lambda n: tape.Stack(1, 9, "", 1, "", (str(n),), (1,), ("",), (1,)),
        lambda n: tape.Sent(1, n, 1_500, "GET", f"/{n}", ""),
        lambda n: tape.Advised("f", n, "sleep", "a", "b", "", 2),
        lambda n: tape.Source("f", n, "g", 1, "code", 0),
    ],
)
def test_all_text_counts(make, monkeypatch):
    """Whatever entries bring it, text is bounded; what is told again costs nothing."""
    monkeypatch.setattr("dashboard.server.recordings.player.MAX_TEXT_BYTES", 6_000)
    for_each = [make(n) for n in range(2, 50)]

    assert "MB of text" in sentence(whole(LOOP, *for_each))
    if not isinstance(make(1), tape.Loop | tape.Advised | tape.Source):
        data = whole(LOOP, *[make(1)] * 50)
        assert read_recording(io.BytesIO(data), "it").session.loops


def test_long_texts_are_cut():
    """No string is kept longer than a ring's can be, no stack deeper than any dump."""
    words, numbers = ("x" * 9_000,) * 900, (1,) * 900
    told = []
    session = Session(origin_ns=1, tape=told.append)
    player = Player(session, Remedies())
    player.play(LOOP)
    player.play(tape.Strings(1, words))
    player.play(tape.Stack(1, 9, "f", 1, "g", words, numbers, words, numbers))
    _, *texts = session.loops[1].model.names.strings
    (stack,) = (entry for entry in told if isinstance(entry, tape.Stack))

    assert {len(text) for text in [*texts, *stack.files]} == {1_024}
    assert len(stack.files) < 900 == len(texts)


def test_cut_off_anywhere(live):
    """Of a file that is still being written what is whole is shown."""
    data = kept(live)
    # Behind a whole one another chunk begins.
    _, size, *_ = recording.CHUNK.unpack_from(data, recording.HEADER.size)
    end = recording.HEADER.size + recording.CHUNK.size + size
    first = len(live.file.getvalue())
    more = live.file.getvalue() + data[recording.HEADER.size : end]
    cuts = range(first, len(more), size // 5)
    found = [read_recording(io.BytesIO(more[:end]), "cut").records for end in cuts]

    assert len(set(found)) == 1 < len(found)
    assert "no loop is in it" in sentence(data[: end // 2])


def test_code_of_a_ring(tmp_path, monkeypatch):
    """The code that a ring names is read where only this user's programs write rings; of
    one from elsewhere no file is opened, and a notice says so."""
    home = tmp_path / "rings"
    monkeypatch.setenv("LOOPSCOPE_DIR", str(home))
    asked = []
    monkeypatch.setattr(
        "dashboard.server.recordings.opening.lines_of",
        lambda place: asked.append(place.file) or lines_of(place),
    )

    async def main():
        with record(title="shop"):
            await asyncio.sleep(0)
            time.sleep(BLOCK_S)  # noqa: ASYNC251
            await asyncio.sleep(0)

    def look(path):
        opened = open_recording(path)
        (stall,) = [x for x in opened.session.stalls.kept if x.duration_ns > 2e8]
        behind = SimpleNamespace(session=opened.session, opened=opened)
        told = asyncio.run(describe_stall(behind, stall))
        assert told["culprit"]["function"].endswith("main")
        return told["source"], " ".join(opened.session.notices), set(asked)

    asyncio.run(main())
    (ring,) = home.iterdir()
    foreign = tmp_path / "foreign.ring"
    foreign.write_bytes(ring.read_bytes())

    source, notices, read = look(foreign)
    assert (source, read) == (None, set())
    assert "the code is not at hand: foreign.ring is not in" in notices
    assert "if it is yours, open it with LOOPSCOPE_DIR set to its folder" in notices
    source, notices, read = look(ring)
    assert "time.sleep(BLOCK_S)" in source["code"]
    assert "not at hand" not in notices
    assert read == {__file__}
    monkeypatch.setenv("LOOPSCOPE_DIR", str(tmp_path))
    source, notices, _ = look(foreign)
    assert "time.sleep(BLOCK_S)" in source["code"]
    assert "not at hand" not in notices


def test_no_file(tmp_path):
    """What cannot be opened at all is told by name."""
    os.mkfifo(tmp_path / "pipe")
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate((1 << 30) + 1)
    said = []
    for name in ("nowhere", "pipe", ".", "big"):
        with pytest.raises(RecordingError) as caught:
            open_recording(tmp_path / name)
        said.append(str(caught.value))

    assert "No such file" in said[0]
    assert all("name a recording" in text for text in said)


class SmallDisk(io.FileIO):
    """A file on a disk that has no more room than this."""

    room_bytes = 0

    def write(self, data):
        """Take what there is room for, as a system does."""
        room = self.room_bytes - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[:room])


def test_full_disk(tmp_path):
    """What finds no room ends with its last whole chunk, and raises nothing: what is
    told afterwards is not taken down."""
    path = tmp_path / "it.loopscope"
    with SmallDisk(path, "wb") as file:
        file.room_bytes = 1 << 20
        file_tape = FileTape(file, recording.new_head(0, 0))
        file_tape.tape(LOOP)
        file_tape.flush()
        whole_bytes = file_tape.size_bytes
        file.room_bytes = whole_bytes + 10
        file_tape.tape(LOOP._replace(loop=2))
        file_tape.flush()
        file.room_bytes = 1 << 20
        file_tape.tape(LOOP._replace(loop=3))
        file_tape.flush()

    assert file_tape.failure.errno == errno.ENOSPC
    assert path.stat().st_size == whole_bytes == file_tape.size_bytes
    with path.open("rb") as written:
        recording.read_head(written)
        (chunk,) = recording.read_chunks(written)
    assert chunk.entries == [LOOP]


def test_file_names():
    """All that is kept, its last seconds and a stretch of it, saved in one second, are
    three files; a second later they are three more."""
    moments = [time.gmtime(1), time.gmtime(2)]
    kinds = [{}, {"last_s": 30}, {"is_part": True}]
    names = [file_name(now, **kind) for now in moments for kind in kinds]

    assert len(set(names)) == 6
    assert names[1] == "loops-1970-01-01-000001-last-30s.loopscope"
