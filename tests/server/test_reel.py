"""A recording is told as frames: its picture first, all else when it has been read."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from contextlib import aclosing, asynccontextmanager

import httpx
import pytest
from tapes import Told, decode

from dashboard.app import create_app
from dashboard.errors import RecordingError
from dashboard.records import RECORD, Cell, Kind
from dashboard.ring import Identity
from dashboard.server.model import tape
from dashboard.server.model.journal import Change
from dashboard.server.model.lanes import Lane, LaneKind, Row
from dashboard.server.recordings import drawn, recording, reel
from dashboard.server.recordings.keeper import FileTape
from dashboard.server.recordings.opening import begin_recording, open_recording
from dashboard.server.recordings.reel import Reel
from dashboard.server.session import Session
from dashboard.server.settings import Settings
from dashboard.server.streaming import stream, wire
from dashboard.server.streaming.stream import Stream

pytestmark = pytest.mark.anyio
PATIENCE_S = 40
CELLS = dict.fromkeys(Cell, 1) | {Cell.OWNER: 0, Cell.SINCE: 0}
REQUESTS = 5


def put(kind, t=0, u=0, a=0, b=0):
    """Return one record."""
    return RECORD.pack(t, u, a, b, 256 + kind)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A recording of a loop that answers some requests, a chunk for each."""
    monkeypatch.setattr("dashboard.server.recordings.keeper.CHUNK_NS", 1)
    monkeypatch.setattr(reel, "BEAT_S", 0.01)
    path = tmp_path / "it.loopscope"
    with path.open("wb") as file:
        file_tape = FileTape(file, recording.new_head(1, 1))
        session = Session(origin_ns=1, tape=file_tape.tape)
        identity = Identity(7, 1, 1_000, 5, 0, "asyncio", "3.11.7", "shop")
        loop = session.add_loop(identity)
        loop.model.names.strings += ["work", "GET\x1f/fast"]
        for number in range(1, REQUESTS + 1):
            t = 1_000_000 * number
            loop.feed(put(Kind.BORN, t, 0, number, 1))
            loop.feed(put(Kind.REQUEST, t + 101, 1, number, number))
            loop.feed(put(Kind.REQUEST_NAME, t + 102, 0, number, 2))
            loop.feed(put(Kind.ANSWERED, t + 300, 200, number, 0))
            loop.feed(put(Kind.REQUEST_END, t + 301, 0, number, 0))
            loop.feed(put(Kind.STEP_DONE, t + 100, t + 400, number))
            session.tick(loop, t + 500, CELLS, alive=True)
            file_tape.draw(t + 600, session.turn_page(t + 600))
        file_tape.flush()
    return path


class Show:
    """A recording that is shown."""

    def __init__(self, opened):
        self.opened = opened
        self.stream = Stream(
            opened.session,
            now_ns=lambda: self.reel.t_ns,
            notices=lambda: opened.session.notices,
            demo_url=lambda: None,
        )
        self.reel = Reel(opened, self.stream)

    @asynccontextmanager
    async def running(self):
        """Tell it meanwhile."""
        task = asyncio.create_task(self.reel.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield
        finally:
            task.cancel()

    async def watch(self, *, until, last_event_id=None, page=None):
        """Return what a page has got when an event is so."""
        page = page or Page()
        async with aclosing(self.stream.watch(last_event_id)) as events:
            async for data in events:
                if until(page.take(data)):
                    return page
        raise AssertionError("the stream ended")


class Page:
    """What a browser makes of the stream."""

    def __init__(self, seq=0):
        self.told, self.seq, self.frames, self.raw, self.hello = Told(), seq, [], [], {}
        self.beats = 0

    def take(self, data):
        """Take in one event, and return its JSON."""
        value = json.loads(data.rpartition(b"data: ")[2])
        event = re.search(rb"event: (\w+)", data)[1].decode()
        if event == "beat":
            self.beats += 1
            return value
        if event == "hello":
            self.hello = value
            if not value["snapshot"]:
                # It keeps what it has, which is not looked at here.
                self.told = None
                return value
            self.told = Told()
            value = value["snapshot"]
        else:
            assert value["seq"] == self.seq + 1, "a frame is missing or comes twice"
            self.frames.append(value)
            self.raw.append(data)
        self.seq = value["seq"]
        if self.told is not None:
            self.told.take(decode(value))
        return value


def is_whole(event):
    """Say whether nothing is left to be told."""
    return bool(event.get("diagnosis"))


def in_wire_time(session):
    """Return what is drawn of a session, in times that count from its origin."""
    told = Told()
    told.take(session.journal.snapshot())
    for spans in told.spans.values():
        spans[:] = [(t - session.origin_ns, *rest) for t, *rest in spans]
    return told


async def test_all_is_told(path):
    """The picture comes first and grows to its end; then what is over, with what the
    rules say: in sum what a page of the whole recording gets."""
    show = Show(begin_recording(path))
    async with show.running():
        page = await show.watch(until=is_whole)
    whole = in_wire_time(open_recording(path).session)
    moments = [frame["t_ns"] for frame in page.frames]
    *drawing, last = page.frames
    past = page.hello["recording"]

    assert page.hello["snapshot"]["rows"] is page.hello["snapshot"]["diagnosis"] is None
    assert (page.told.spans, page.told.lanes) == (whole.spans, whole.lanes)
    assert page.told.strings == whole.strings
    assert sum(bool(frame["rows"]) for frame in drawing) == REQUESTS
    assert not any(frame["requests"] or frame["loops"] for frame in drawing)
    assert [request["id"] for request in last["requests"]] == list(
        range(1, REQUESTS + 1)
    )
    assert last["rows"] is None
    assert len(last["loops"]) == 1
    assert moments == sorted(moments)
    assert (page.hello["t_ns"], moments[-1]) == (past["from_ns"], past["to_ns"])


async def test_who_comes_late_is_sent_the_same(path):
    """A late viewer gets the same bytes, one that comes back only what it has not got."""
    show = Show(begin_recording(path))
    async with show.running():
        first = await show.watch(until=is_whole)
        late = await show.watch(until=is_whole)
        back = await show.watch(
            until=is_whole, last_event_id=f"{show.stream.run}-2", page=Page(seq=2)
        )

    assert (late.raw, late.hello) == (first.raw, first.hello)
    assert (back.hello["resumed"], back.raw) == (True, first.raw[2:])


async def test_reads_for_somebody(path):
    """The rest is read when a viewer has the picture, or somebody asks for the session."""
    opened = begin_recording(path)
    show = Show(opened)
    async with show.running():
        while show.reel.t_ns < opened.past.to_ns:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not opened.session.loops
        await show.reel.wait_whole()

    assert len(opened.session.requests.finished) == REQUESTS
    assert show.stream.describe_whole()["snapshot"]["rows"] is not None


async def test_no_more_than_is_drawn(path):
    """What is written after a recording was opened is neither drawn nor told."""
    data = path.read_bytes()
    cut = data.rindex(recording.DRAWN_MAGIC)
    path.write_bytes(data[:cut])
    opened = begin_recording(path)
    with path.open("ab") as file:
        file.write(data[cut:])
    to_ns = opened.past.to_ns
    show = Show(opened)
    async with show.running():
        page = await show.watch(until=is_whole)

    assert len(page.frames[-1]["requests"]) == REQUESTS - 1
    assert (opened.past.to_ns, show.reel.t_ns) == (to_ns, to_ns)


async def test_how_far_it_is(path, monkeypatch):
    """A page is told how much has been read."""
    monkeypatch.setattr(reel, "BIT_S", 0)
    show = Show(begin_recording(path))
    async with show.running():
        page = await show.watch(until=is_whole)
    told = [
        frame["notices"][0][-4:].strip()
        for frame in page.frames[:-1]
        if frame["notices"]
    ]

    assert len(told) > 2
    assert told[-1] == "100%"
    assert page.frames[-1]["notices"] == []


async def test_whole_at_once(path):
    """What was opened whole is told in one snapshot; then we are heard, and no more,
    until something changes."""
    opened = open_recording(path)
    show = Show(opened)
    async with show.running():
        await show.reel.wait_whole()
        page = Page()
        await show.watch(until=lambda _: page.beats > 2, page=page)
        beating = list(page.frames)
        opened.session.stalls.threshold_ns = 5
        changed = await show.watch(until=lambda event: event.get("seq") == 1)
        late = await show.watch(until=lambda event: event.get("seq") == 1)

    assert page.hello["snapshot"]["diagnosis"]
    assert page.told.spans == in_wire_time(opened.session).spans
    assert beating == []
    assert changed.frames[-1]["stall_threshold_ns"] == 5
    assert late.raw == changed.raw


LANE = Lane(1, LaneKind.TASK, 1, 0, 0, 1_200)
ROW = Row(1_500, 1, 2, 0, 0)


@pytest.mark.parametrize("what", ["the picture", "the rest"])
async def test_damage(what, tmp_path):
    """What cannot be read is told in a sentence; what was read before is shown."""
    drawing = drawn.Drawing()
    rows = [ROW, ROW._replace(t=1_400)] if what == "the picture" else [ROW]
    drawing.add(1_900, Change(["", "work"], [LANE], rows))
    entries = [
        tape.Loop(1, 0, 7, 1, 1_000, 5, 0, "asyncio", "3.11.7", "shop"),
        tape.Tick(1, 1_900, 1, tuple(CELLS.values())),
    ]
    if what == "the rest":
        entries.append(entries[0])
    span = {"first_ns": 1_000, "last_ns": 2_000}
    path = tmp_path / "it.loopscope"
    path.write_bytes(
        recording.write_head(recording.new_head(1, 1))
        + recording.write_drawn(drawing.write(), **span)
        + recording.write_chunk(entries, **span)
    )
    opened = begin_recording(path)
    show = Show(opened)
    only = "there is only its picture: it.loopscope cannot"

    def is_over(event):
        return is_whole(event) or any(map(only.__eq__, said_by(event)))

    def said_by(event):
        return [notice[: len(only)] for notice in event.get("notices", ())]

    async with show.running():
        page = await show.watch(until=is_over)
        late = await show.watch(until=is_over)
        seen = 1 if what == "the rest" else len(page.frames)
        back = await show.watch(
            until=is_over,
            last_event_id=f"{show.stream.run}-{seen}",
            page=Page(seq=seen),
        )
    drawing = [frame["notices"] for frame in page.frames]

    if what == "the rest":
        assert [len(spans) for spans in page.told.spans.values()] == [1]
        assert page.frames[-1]["diagnosis"] is None
        assert late.raw == page.raw
    else:
        broken = "the picture ends here: a lane goes back in time, or far ahead"
        assert [broken] in drawing
        # What it lacks is there: each page begins again with all of it.
        for each in (page, late, back):
            assert each.told.spans == in_wire_time(open_recording(path).session).spans
            assert each.hello["snapshot"]["notices"] == []
            assert (each.hello["resumed"], each.hello["skipped"]) == (False, 0)


async def test_broken_twice(path):
    """Of a picture that ends early and a rest that does, too, both are said."""
    opened = begin_recording(path)
    pictures, rest = opened.pictures, opened.rest
    opened.pictures = broken_off(pictures, RecordingError("of it"))
    opened.rest = broken_off(rest, ValueError("of ours"))
    show = Show(opened)
    async with show.running():
        page = await show.watch(until=lambda event: "of ours" in str(event))
        state = wire.describe_state(opened.session, 1)
    rest.close()

    assert page.frames[-1]["notices"] == state["notices"]
    assert state["notices"] == [
        "the picture ends here: of it",
        "the rest of it cannot be told: ValueError('of ours')",
    ]


def broken_off(pieces, error):
    """Yield one piece, and fail then."""
    yield next(pieces)
    raise error


async def test_a_frame_that_fails(path, monkeypatch):
    """What cannot be told once ends nothing: the next change is told."""
    opened = open_recording(path)
    show = Show(opened)
    publish, failed = show.stream.publish_drawn, []

    def fail_once(drawn):
        if not failed:
            failed.append(drawn)
            opened.session.stalls.threshold_ns = 6
            raise LookupError("ours")
        publish(drawn)

    monkeypatch.setattr(show.stream, "publish_drawn", fail_once)
    async with show.running():
        before = Page()
        await show.watch(until=lambda _: before.beats, page=before)
        opened.session.stalls.threshold_ns = 5
        page = await show.watch(until=lambda event: event.get("seq") == 1)

    assert len(failed) == 1
    assert page.frames[-1]["stall_threshold_ns"] == 6


async def test_slow_viewer(path, monkeypatch):
    """Of a recording nothing is lost for who is slow, and it begins but once."""
    monkeypatch.setattr(stream, "QUEUE_FRAMES", 2)
    show = Show(begin_recording(path))
    page = Page()
    async with show.running(), aclosing(show.stream.watch()) as events:
        page.take(await anext(events))
        await show.reel.wait_whole()
        while not is_whole(page.take(await anext(events))):
            pass

    assert len(page.frames) > REQUESTS
    assert page.hello["skipped"] == 0
    assert page.told.spans == in_wire_time(open_recording(path).session).spans


@asynccontextmanager
async def served(opened, **settings):
    """Run a dashboard of what was opened, which says when it begins to read the rest,
    and waits to be let."""
    begun, going, rest = threading.Event(), threading.Event(), opened.rest

    def wait():
        begun.set()
        going.wait(PATIENCE_S)
        yield from rest

    opened.rest = wait()
    app = create_app(Settings(demo=False, **settings), opened)
    transport = httpx.ASGITransport(app)
    try:
        async with (
            asyncio.timeout(PATIENCE_S),
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as ask,
        ):
            yield app.state.dashboard, ask, begun, going
    finally:
        going.set()


async def test_server_stops(path):
    """Who waits for what is being read is told that we end, before it is cut off."""
    async with served(begin_recording(path)) as (board, ask, begun, _):
        asking = asyncio.create_task(ask.get("/api/state"))
        while not begun.is_set():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        early = asking.done()
        board.let_go()
        answer = await asking

    assert not early
    assert answer.status_code == 503
    assert answer.json()["detail"] == "Loopscope ends before the recording was read."


async def test_pushes_what_was_read(path, monkeypatch):
    """A collector is sent the metrics of a recording, not of what is known before."""
    pytest.importorskip("dashboard.server.exports.otlp")
    pushed = asyncio.Event()

    class Otlp:
        def __init__(self, session, address, *, now_ns):
            self.told = (len(session.requests.finished), address, now_ns())

        async def run(self):
            pushed.told = self.told
            pushed.set()

    monkeypatch.setattr("dashboard.server.exports.otlp.Otlp", Otlp)
    opened = begin_recording(path)
    async with served(opened, otlp="http://there") as (_, _, _, going):
        going.set()
        await pushed.wait()

    assert pushed.told == (REQUESTS, "http://there", opened.past.to_ns)
