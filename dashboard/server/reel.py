"""Tell a recording to its viewers: its picture first, all else when that has been read.

Reads a bit at a time in the loop that serves the pages, and holds it up for no longer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dashboard.errors import RecordingError
from dashboard.server.drawn import Drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.server.opening import Opened
    from dashboard.server.stream import Stream

logger = logging.getLogger("loopscope")

#: A page takes three seconds of silence for the end of the dashboard.
BEAT_S = 0.25
#: It is read for so long between two looks at what its viewers want.
BIT_S = 0.01
#: How often a page hears how far it is, as a share of all.
STEP = 0.1


class Reel:
    """What is told of one recording. Lives in one loop."""

    def __init__(self, opened: Opened, stream: Stream) -> None:
        self._opened = opened
        self._stream = stream
        self._beat_s = 0.0
        self._is_wanted = False
        self._whole = asyncio.Event()
        self.t_ns = opened.past.from_ns
        """The moment up to which all is drawn."""
        if opened.rest is None:
            self._end()

    def __repr__(self) -> str:
        return f"<Reel of {self._opened.past.name} until {self.t_ns}>"

    async def wait_whole(self) -> None:
        """Wait until the session is made, which begins at the latest for this."""
        self._is_wanted = True
        await self._whole.wait()

    async def run(self) -> None:
        """Tell all that there is, and then that we are still there; never ends."""
        opened = self._opened
        try:
            if opened.pictures is not None and opened.rest is not None:
                await self._draw(opened.pictures)
                while not (self._is_wanted or self._stream.is_seen):
                    await self._rest(BIT_S)
                await self._read(opened.rest)
        except Exception:
            # What is drawn so far can be looked at.
            logger.exception("the rest of a recording cannot be told")
        self._end()
        told_ns = opened.session.stalls.threshold_ns
        while True:
            await self._rest(BEAT_S)
            # All that can still be changed.
            if told_ns != opened.session.stalls.threshold_ns:
                told_ns = opened.session.stalls.threshold_ns
                self._tell(Drawn(self.t_ns))

    async def _draw(self, pictures: Iterator[Drawn]) -> None:
        self._stream.begin()
        try:
            for drawn in pictures:
                self._tell(drawn)
                await self._rest()
        except RecordingError as error:
            self._opened.session.notices = [f"the picture ends here: {error}"]
        self._tell(Drawn(self._opened.past.to_ns))

    async def _read(self, rest: Iterator[float]) -> None:
        clock = asyncio.get_running_loop().time
        blank, next_s, told = self._opened.session, 0.0, 0.0
        for share in rest:
            if clock() < next_s:
                continue
            if share >= told + STEP:
                told = share
                blank.notices = [
                    "drawn; requests, stalls and findings are still being read: "
                    f"{share:.0%}"
                ]
                self._tell(Drawn(self.t_ns))
            await self._rest()
            next_s = clock() + BIT_S
        self._stream.session = self._opened.session
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
