"""Every viewer gets a snapshot, then all frames, in order; a slow one starts again."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager

import pytest
from clocks import FakeClock
from tapes import Told, decode

from dashboard.ring import Identity
from dashboard.server.model.lanes import State
from dashboard.server.session import Session
from dashboard.server.streaming import stream as module
from dashboard.server.streaming import wire
from dashboard.server.streaming.stream import Stream

pytestmark = pytest.mark.anyio


class Show:
    """A stream whose session changes a little with every frame."""

    def __init__(self):
        self.clock = FakeClock()
        self.session = Session(origin_ns=self.clock())
        self.stream = Stream(
            self.session, now_ns=self.clock, notices=list, demo_url=lambda: None
        )
        identity = Identity(1, 1, self.clock(), 0, 0, "asyncio", "3.11", "shop")
        self.loop = self.session.add_loop(identity)

    def change(self):
        """Let something happen, with a new string, lane and row."""
        self.clock.work(1_000_000)
        t = self.clock()
        self.session.requests.sent(
            t, t, method="GET", path=f"/{t}", scenario="", loop=self.loop.id
        )

    def publish(self, count=1):
        """Publish frames in which something happened."""
        for _ in range(count):
            self.change()
            self.stream.publish()


class Page:
    """What a browser makes of a stream."""

    def __init__(self):
        self.told = Told()
        self.seq = None
        self.last_id = None
        self.requests = []
        self.hellos = []

    def take(self, data):
        """Take in one event."""
        event = parse(data)
        self.last_id = event["id"]
        value = json.loads(event["data"])
        if event["event"] == "hello":
            self.hellos.append(value)
            if value["snapshot"] is None:
                return
            self.told, self.requests = Told(), []
            value = value["snapshot"]
            self.seq = value["seq"]
        else:
            assert value["seq"] == self.seq + 1, "a frame is missing or comes twice"
            self.seq = value["seq"]
        self.requests += [request["id"] for request in value["requests"]]
        self.told.take(decode(value))

    def __repr__(self):
        kinds = ["resumed" if each["resumed"] else "snapshot" for each in self.hellos]
        return f"<Page at {self.seq}, {' '.join(kinds)}>"


def parse(data):
    """Return the fields of one Server-Sent Event."""
    text = data.decode()
    assert text.endswith("\n\n")
    assert text.count("\n\n") == 1
    return dict(line.split(": ", 1) for line in text.strip().split("\n"))


@pytest.fixture
def show():
    """A stream with a session behind it."""
    return Show()


@asynccontextmanager
async def watching(show, last_event_id=None):
    """Watch as one viewer; give a function that waits for the next event."""
    async with aclosing(show.stream.watch(last_event_id)) as events:

        async def follow(page=None):
            try:
                async with asyncio.timeout(10):
                    data = await anext(events)
            except TimeoutError:
                pytest.fail("waited 10 s for an event, in vain")
            if page is not None:
                page.take(data)
            return data

        yield follow


async def test_snapshot_then_frames(show):
    """A viewer gets hello with a snapshot, then each frame as it is published."""
    show.publish(3)
    page = Page()
    async with watching(show) as follow:
        first = await follow(page)
        show.publish(2)
        await follow(page)
        await follow(page)

    assert first.startswith(b"retry: 1000\nid: ")
    assert repr(page) == "<Page at 5, snapshot>"
    assert page.last_id == f"{show.stream.run}-5"
    assert page.hellos[0]["run"] == show.stream.run
    assert (page.hellos[0]["resumed"], page.hellos[0]["skipped"]) == (False, 0)


async def test_waits_for_frames(show):
    """Between frames a viewer waits; a frame wakes it up."""
    async with watching(show) as follow:
        await follow()
        waiting = asyncio.ensure_future(follow())
        for _ in range(5):
            await asyncio.sleep(0)
        early = waiting.done()
        show.publish()
        event = parse(await waiting)

    assert not early
    assert (event["event"], event["id"]) == ("frame", f"{show.stream.run}-1")


@pytest.mark.parametrize("pending", [False, True])
async def test_late_viewer_sees_the_same(show, pending):
    """Who comes between two frames sees after the next what the first viewer sees."""
    early, late = Page(), Page()
    async with watching(show) as follow, watching(show) as follow_late:
        await follow(early)
        show.publish(3)
        finish(show)
        for _ in range(3):
            await follow(early)
        if pending:
            show.change()
            finish(show)
        show.publish(2)
        for _ in range(2):
            await follow(early)
        while late.seq != early.seq:
            await follow_late(late)

    assert late.told.stories() == early.told.stories()
    assert late.told.strings == early.told.strings
    assert late.requests == early.requests
    assert late.seq == early.seq


def finish(show):
    """Let the oldest open request come to its end."""
    requests = show.session.requests
    requests.settle_outside(
        min(request.begun_ns for request in requests.open.values()), show.clock(), 200
    )


@pytest.mark.parametrize("seen", [0, 1, 4, 5])
async def test_resume(show, seen):
    """A viewer that comes back with its id gets what it missed, and no snapshot."""
    page, twin = Page(), Page()
    async with watching(show) as follow, watching(show) as follow_twin:
        await follow(page)
        await follow_twin(twin)
        show.publish(seen)
        for _ in range(seen):
            await follow(page)
        show.publish(5 - seen)
        for _ in range(5):
            await follow_twin(twin)
        async with watching(show, page.last_id) as follow_again:
            for _ in range(1 + 5 - seen):
                await follow_again(page)
            show.publish()
            await follow_again(page)
        await follow_twin(twin)

    assert repr(page) == "<Page at 6, snapshot resumed>"
    assert page.told.stories() == twin.told.stories()
    assert page.told.strings == twin.told.strings


async def test_resume_interrupted(show):
    """A viewer that drops again right after the greeting loses nothing."""
    page = Page()
    async with watching(show) as follow:
        await follow(page)
        show.publish(3)
        await follow(page)
    async with watching(show, page.last_id) as follow:
        await follow(page)
        interrupted_at = page.last_id
    async with watching(show, interrupted_at) as follow:
        for _ in range(3):
            await follow(page)

    assert repr(page) == "<Page at 3, snapshot resumed resumed>"


async def test_resume_too_late(show):
    """Who missed more than is kept gets a snapshot."""
    show.publish()
    old = f"{show.stream.run}-1"
    show.publish(module.HISTORY_FRAMES)
    kept, lost = Page(), Page()
    async with watching(show, old) as follow:
        await follow(kept)
    show.publish()
    async with watching(show, old) as follow:
        await follow(lost)

    assert kept.hellos[0]["resumed"]
    assert repr(lost) == f"<Page at {module.HISTORY_FRAMES + 2}, snapshot>"


@pytest.mark.parametrize(
    "last_event_id",
    [
        "",
        "garbage",
        "{run}",
        "{run}-",
        "{run}-x",
        "{run}--1",
        "{run}-1.0",
        "{run}-²",
        "{run}-99",
        "{run}-" + "9" * 5000,
        "00000000-2",
        "-2",
        "2",
        "{run}-2-2",
        "\x00\r\n",
    ],
)
async def test_foreign_id(show, last_event_id):
    """An id of another run, or no id at all, gets a snapshot like a first visit."""
    show.publish(3)
    page = Page()
    async with watching(show, last_event_id.format(run=show.stream.run)) as follow:
        await follow(page)
        show.publish()
        await follow(page)

    assert repr(page) == "<Page at 4, snapshot>"


async def test_slow_viewer(show):
    """A viewer that falls behind loses its queue, is told how much, and starts again."""
    slow, quick = Page(), Page()
    total = module.QUEUE_FRAMES + 20
    async with watching(show) as follow_slow, watching(show) as follow_quick:
        await follow_slow(slow)
        await follow_quick(quick)
        for _ in range(total):
            show.publish()
            await follow_quick(quick)
        await follow_slow(slow)
        show.publish()
        await follow_slow(slow)
        await follow_quick(quick)

    assert repr(quick) == f"<Page at {total + 1}, snapshot>"
    assert repr(slow) == f"<Page at {total + 1}, snapshot snapshot>"
    assert [hello["skipped"] for hello in slow.hellos] == [0, total]
    assert slow.told.stories() == quick.told.stories()


async def test_slow_again(show):
    """Each time a viewer falls behind it is told of that time alone."""
    page = Page()
    async with watching(show) as follow:
        await follow(page)
        for _ in range(2):
            show.publish(module.QUEUE_FRAMES + 5)
            await follow(page)
        show.publish()
        await follow(page)

    behind = module.QUEUE_FRAMES + 5
    assert [hello["skipped"] for hello in page.hellos] == [0, behind, behind]
    assert page.seq == 2 * behind + 1


async def test_memory_of_a_slow_viewer_is_bounded(show):
    """However long a viewer takes nothing, only so much is queued for it."""
    async with watching(show) as follow:
        await follow()
        (viewer,) = show.stream.viewers
        most = 0
        for _ in range(5 * module.QUEUE_FRAMES):
            show.publish()
            most = max(most, len(viewer.queue))

        assert most <= module.QUEUE_FRAMES
        assert repr(viewer) == f"<Viewer 0 queued, {5 * module.QUEUE_FRAMES} skipped>"


@pytest.mark.parametrize("events", [1, 2])
async def test_gone_viewer(show, events):
    """A viewer that leaves is forgotten, even during its greeting."""
    show.publish()
    async with watching(show, f"{show.stream.run}-0") as follow:
        for _ in range(events):
            await follow()
        there = repr(show.stream)

    assert there == "<Stream at 1, 1 viewers>"
    assert repr(show.stream) == "<Stream at 1, 0 viewers>"


async def test_cancelled_viewer(show):
    """A viewer whose task is cancelled while it waits is forgotten."""

    async def watch():
        async for _ in show.stream.watch():
            pass

    task = asyncio.ensure_future(watch())
    for _ in range(5):
        await asyncio.sleep(0)
    there = repr(show.stream)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert there == "<Stream at 0, 1 viewers>"
    assert repr(show.stream) == "<Stream at 0, 0 viewers>"


async def test_end(show):
    """When the server stops, a stream ends by itself with the next frame."""
    over = False
    events = show.stream.watch(is_over=lambda: over)
    await anext(events)
    over = True
    show.publish()
    async with asyncio.timeout(10):
        rest = [data async for data in events]

    assert len(rest) <= 1
    assert show.stream.viewers == set()


async def test_one_encode_for_all(show, monkeypatch):
    """A frame is encoded once, and a snapshot too, however many watch."""
    encoded = []
    encode = wire.sse
    monkeypatch.setattr(
        wire, "sse", lambda *args: encoded.append(args[0]) or encode(*args)
    )
    pages = [Page() for _ in range(20)]
    streams = [show.stream.watch() for _ in pages]
    hellos = [await anext(events) for events in streams]
    show.publish()
    frames = [await anext(events) for events in streams]
    for events in streams:
        await events.aclose()

    assert encoded == ["hello", "frame"]
    assert {id(data) for data in frames} == {id(frames[0])}
    assert {id(data) for data in hellos} == {id(hellos[0])}


async def test_many_come_back_at_once(show, monkeypatch):
    """Two hundred pages that come within a second share a snapshot, and miss nothing."""
    made = []
    describe = wire.describe_snapshot
    monkeypatch.setattr(
        wire, "describe_snapshot", lambda *args: made.append(1) or describe(*args)
    )
    pages = [Page() for _ in range(200)]
    for number, page in enumerate(pages):
        if number % 10 == 0:
            show.publish()
        async with watching(show) as follow:
            while page.seq != show.stream.seq:
                await follow(page)
    shared = len(made)
    show.publish(module.SNAPSHOT_FRAMES)
    async with watching(show) as follow:
        late = Page()
        await follow(late)

    assert (shared, len(made)) == (1, 2)
    assert late.seq == show.stream.seq
    lanes = [len(page.told.spans) for page in pages]
    assert lanes == [2 + number // 10 for number in range(200)]


async def test_frames_without_viewers(show):
    """Without viewers frames are made all the same, and bounded in number."""
    show.publish(2 * module.HISTORY_FRAMES)
    page = Page()
    async with watching(show) as follow:
        await follow(page)

    assert page.seq == 2 * module.HISTORY_FRAMES
    lanes = [lane for lane in page.told.spans.values() if lane[-1][1] == State.OUTSIDE]
    assert len(lanes) == 2 * module.HISTORY_FRAMES
