"""Send frames to every viewer: encoded once, snapshot first, bounded for the slow.

A viewer that does not keep up loses its queue, is told how many frames that were,
and begins again from a snapshot; nobody else notices. Of a recording every frame is kept:
who is slow, comes late, or again, is sent what all were. A stream ends by cancellation
when its viewer leaves, and by itself when the server stops.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any

from dashboard.server.model.journal import Change
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dashboard.server.recordings.drawn import Drawn
    from dashboard.server.session import Session

#: Ten seconds of frames: a viewer that comes back within that misses nothing.
HISTORY_FRAMES = 300
#: Three seconds behind is not live any more.
QUEUE_FRAMES = 90
#: A snapshot takes the time of some frames to make. Hundreds of pages that come back
#: within a second share one, and get the frames since.
SNAPSHOT_FRAMES = 30
#: Nothing new, but we are there. Without data a browser would not tell of it.
BEAT = b"event: beat\ndata: {}\n\n"


class Viewer:
    """One open stream."""

    def __init__(self, most_frames: float = QUEUE_FRAMES) -> None:
        self._most_frames = most_frames
        self.queue: deque[bytes] = deque()
        self.wakeup = asyncio.Event()
        self.skipped = 0
        self.overrun = False
        self.is_greeted = False
        """It has been sent all that there was when it came."""

    def __repr__(self) -> str:
        return f"<Viewer {len(self.queue)} queued, {self.skipped} skipped>"

    def put(self, frame: bytes) -> None:
        """Queue a frame, or drop the whole queue when it is full."""
        if self.overrun or len(self.queue) >= self._most_frames:
            self.skipped += len(self.queue) + 1
            self.queue.clear()
            self.overrun = True
        else:
            self.queue.append(frame)
        self.wakeup.set()


class Stream:
    """The frames of a session, for any number of viewers. Lives in one loop."""

    def __init__(
        self,
        session: Session,
        *,
        now_ns: Callable[[], int],
        notices: Callable[[], list[str]],
        demo_url: Callable[[], str | None],
    ) -> None:
        self.run = secrets.token_hex(4)
        self.seq = 0
        self.viewers: set[Viewer] = set()
        self.session = session
        self._now_ns = now_ns
        self._notices = notices
        self._demo_url = demo_url
        self.seen = asyncio.Event()
        """Somebody has got all that there is so far."""
        self._is_live = session.past is None
        self._history: deque[tuple[int, bytes]] = deque(
            maxlen=HISTORY_FRAMES if self._is_live else None
        )
        self._snapshot: tuple[int, bytes] | None = None

    def __repr__(self) -> str:
        return f"<Stream at {self.seq}, {len(self.viewers)} viewers>"

    def publish(self) -> None:
        """Make a frame of what changed, and queue it for everyone."""
        now_ns = self._now_ns()
        self._publish(now_ns, self.session.turn_page(now_ns))

    def begin(self) -> None:
        """Of a recording: what there is now is what every viewer begins with."""
        self._hello(0)

    def begin_again(self) -> None:
        """Of a recording: as `begin`, and what was told before counts no more."""
        # Nobody has this number, so nobody comes back who has all but the greeting.
        self.seq += 1
        self._history.clear()
        self._snapshot = None
        _, data = self._hello(0)
        for viewer in self.viewers:
            viewer.queue.clear()
            viewer.put(data)

    def publish_drawn(self, drawn: Drawn) -> None:
        """Make a frame of a piece of a recording's picture."""
        self._publish(self._now_ns(), drawn)

    def _publish(self, now_ns: int, change: Change | Drawn) -> None:
        self._send(
            wire.describe_frame(
                self.session, now_ns, self.seq + 1, self._notices(), change
            )
        )

    def publish_rest(self) -> None:
        """Make a frame of all that a session has, but for what is drawn."""
        now_ns, notices = self._now_ns(), self._notices()
        self._send(
            wire.describe_snapshot(
                self.session, now_ns, self.seq + 1, notices, Change()
            )
        )

    def _send(self, frame: dict[str, Any]) -> None:
        self.seq += 1
        self.seen.clear()
        data = wire.sse("frame", self._id(self.seq), frame)
        self._history.append((self.seq, data))
        for viewer in self.viewers:
            viewer.put(data)

    def beat(self) -> None:
        """Let everyone hear that we are there: nothing is new."""
        for viewer in self.viewers:
            if viewer.is_greeted and not viewer.queue:
                viewer.put(BEAT)

    async def watch(
        self,
        last_event_id: str | None = None,
        *,
        is_over: Callable[[], bool] = lambda: False,
    ) -> AsyncIterator[bytes]:
        """Yield events for one viewer until it is cancelled, or `is_over`.

        The question is asked with each event: what is live has 30 frames a second, a
        recording four beats.
        """
        # Of a recording all frames are kept anyway.
        viewer = Viewer(QUEUE_FRAMES if self._is_live else math.inf)
        try:
            # Within: most viewers that leave early do so during this largest event.
            for data in self._greet(viewer, last_event_id):
                yield data
            viewer.is_greeted = True
            while not is_over():
                if viewer.overrun:
                    viewer.overrun = False
                    skipped, viewer.skipped = viewer.skipped, 0
                    for data in self._greet(viewer, None, skipped=skipped):
                        yield data
                while viewer.queue:
                    yield viewer.queue.popleft()
                viewer.wakeup.clear()
                if not viewer.queue and not viewer.overrun:
                    self.seen.set()
                    await viewer.wakeup.wait()
        finally:
            self.viewers.discard(viewer)

    def _greet(
        self, viewer: Viewer, last_event_id: str | None, *, skipped: int = 0
    ) -> list[bytes]:
        """Register a viewer, and return what it needs before the next frame.

        In one go without a pause: nothing can come between the two.
        """
        self.viewers.add(viewer)
        missing = self._missing_since(last_event_id)
        if missing is None:
            seq, data = self._hello(skipped)
            return [data, *(frame for _, frame in self._kept_since(seq))]
        hello = wire.describe_hello(
            self.session,
            self._now_ns(),
            run=self.run,
            demo_url=self._demo_url(),
            skipped=0,
            snapshot=None,
        )
        # Its id is the viewer's own: should it drop again, nothing is lost.
        resumed_at = missing[0][0] - 1 if missing else self.seq
        return [
            wire.sse("hello", self._id(resumed_at), hello),
            *(data for _, data in missing),
        ]

    def _hello(self, skipped: int) -> tuple[int, bytes]:
        """Return a greeting with a snapshot, and the number of the last frame in it."""
        is_old = self._is_live and (
            self._snapshot is not None
            and self.seq - self._snapshot[0] > SNAPSHOT_FRAMES
        )
        if self._snapshot is None or is_old:
            self._snapshot = (self.seq, self._encode_hello())
        seq, data = self._snapshot
        if skipped:
            # Its own number in what all have in common, before any text of others.
            before, found, after = data.partition(b'"skipped":0')
            assert found  # as `describe_hello` writes it
            data = before + b'"skipped":%d' % skipped + after
        return seq, data

    def describe_whole(self) -> dict[str, Any]:
        """Return a `hello` with everything that is kept."""
        now_ns = self._now_ns()
        snapshot = wire.describe_snapshot(
            self.session, now_ns, self.seq, self._notices()
        )
        return wire.describe_hello(
            self.session,
            now_ns,
            run=self.run,
            demo_url=self._demo_url(),
            skipped=0,
            snapshot=snapshot,
        )

    def _encode_hello(self) -> bytes:
        hello = self.describe_whole()
        # `retry` once: a dashboard that restarts is back within a second or two.
        return b"retry: 1000\n" + wire.sse("hello", self._id(self.seq), hello)

    def _kept_since(self, seq: int) -> list[tuple[int, bytes]]:
        return [kept for kept in self._history if kept[0] > seq]

    def _missing_since(
        self, last_event_id: str | None
    ) -> list[tuple[int, bytes]] | None:
        """Return the frames after an id of this run, or None if they are not kept."""
        run, _, seq = (last_event_id or "").partition("-")
        if run != self.run or not (seq.isascii() and seq.isdigit()):
            return None
        if len(seq) > len(str(self.seq)):
            return None
        last = int(seq)
        first = self._history[0][0] if self._history else self.seq + 1
        if last > self.seq or last < first - 1:
            return None
        return self._kept_since(last)

    def _id(self, seq: int) -> str:
        return f"{self.run}-{seq}"
