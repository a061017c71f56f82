"""Tell a recording to its viewers: its picture first, all else when that has been read.

A thread reads, a bit at a time: the loop that serves the pages is held up by what it
encodes, a frame at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from dashboard.errors import RecordingError
from dashboard.server.recordings.drawn import Drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.server.recordings.opening import Opened
    from dashboard.server.streaming.stream import Stream

logger = logging.getLogger("loopscope")

#: A page takes three seconds of silence for the end of the dashboard.
BEAT_S = 0.25
#: It is read for so long between two looks at what its viewers want, and whether we end.
BIT_S = 0.1
#: How often a page hears how far it is, as a share of all.
STEP = 0.1


class Reel:
    """What is told of one recording. Lives in one loop."""

    def __init__(self, opened: Opened, stream: Stream) -> None:
        self._opened = opened
        self._stream = stream
        self._beat_s = 0.0
        self._is_wanted = self._is_over = False
        self._whole = asyncio.Event()
        self._problems: list[str] = []
        """What is wrong with its picture."""
        self.t_ns = opened.past.from_ns
        """The moment up to which all is drawn."""
        if opened.rest is None:
            self._end()

    def __repr__(self) -> str:
        return f"<Reel of {self._opened.past.name} until {self.t_ns}>"

    async def wait_whole(self) -> bool:
        """Wait until the session is made, which begins at the latest for this.

        Return whether it is: who waits is let go when the dashboard ends.
        """
        self._is_wanted = True
        self._stream.seen.set()
        await self._whole.wait()
        return not self._is_over

    def close(self) -> None:
        """Let go who waits for a session that will never be made."""
        self._is_over = not self._whole.is_set()
        self._whole.set()

    async def run(self) -> None:
        """Tell all that there is, and then that we are still there; never ends."""
        opened = self._opened
        try:
            if opened.pictures is not None and opened.rest is not None:
                await self._draw(opened.pictures)
                if not self._is_wanted:
                    await self._stream.seen.wait()
                await self._read(opened.rest)
        except Exception as error:
            # What is drawn so far can be looked at.
            logger.exception("the rest of a recording cannot be told")
            opened.session.notices = [
                *self._problems,
                f"the rest of it cannot be told: {error!r}",
            ]
            told_ns = 0
        else:
            told_ns = opened.session.stalls.threshold_ns
        self._end()
        while True:
            await self._rest(BEAT_S)
            # All that can still be changed.
            if told_ns != opened.session.stalls.threshold_ns:
                told_ns = opened.session.stalls.threshold_ns
                try:
                    self._tell(Drawn(self.t_ns))
                except Exception:
                    logger.exception("a frame failed; going on with the next")

    async def _draw(self, pictures: Iterator[Drawn]) -> None:
        self._stream.begin()
        try:
            while drawn := await asyncio.to_thread(next, pictures, None):
                self._tell(drawn)
                await self._rest()
        except RecordingError as error:
            self._problems = [f"the picture ends here: {error}"]
            self._opened.session.notices = self._problems
        self._tell(Drawn(self._opened.past.to_ns))

    async def _read(self, rest: Iterator[float]) -> None:
        blank, told = self._opened.session, 0.0
        while (share := await asyncio.to_thread(_read_bit, rest)) is not None:
            if share >= told + STEP:
                told = share
                blank.notices = [
                    *self._problems,
                    "drawn; requests, stalls and findings are still being read: "
                    f"{share:.0%}",
                ]
                self._tell(Drawn(self.t_ns))
            await self._rest()
        session = self._opened.session
        self._stream.session = session
        if self._problems and session is not blank:
            # All that its picture lacks is there now.
            self._stream.begin_again()
        else:
            session.notices = [*self._problems, *session.notices]
            self._stream.publish_rest()

    def _tell(self, drawn: Drawn) -> None:
        self.t_ns = max(self.t_ns, min(drawn.t, self._opened.past.to_ns))
        self._stream.publish_drawn(drawn)

    async def _rest(self, seconds: float = 0) -> None:
        """Let others do their work, and viewers hear of us."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._beat_s:
            self._beat_s = now_s + BEAT_S
            self._stream.beat()
        await asyncio.sleep(seconds)

    def _end(self) -> None:
        self.t_ns = self._opened.past.to_ns
        self._whole.set()


def _read_bit(rest: Iterator[float]) -> float | None:
    """Read for a bit; return how far it is, or None at the end."""
    end_s = time.monotonic() + BIT_S
    for share in rest:
        if time.monotonic() >= end_s:
            return share
    return None
