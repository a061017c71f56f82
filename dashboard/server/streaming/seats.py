"""Hold an open stream for each viewer, and tell who comes when all seats are taken.

A stream ends by itself when the server stops, and a viewer that takes nothing any
more is let go. What is streamed is none of its business.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.types import Receive, Scope, Send

#: One core serves 500 pages 30 frames a second (tests/benchmarks/viewers.py); the rest
#: is for those that follow an experiment besides.
MAX_VIEWERS = 600
#: A viewer that takes nothing for this long is gone, whatever its socket says.
SEND_TIMEOUT_S = 10.0
#: Ctrl-C must end everything within a second, open streams first.
END_PATIENCE_S = 0.5
#: A browser that was refused asks again; not all of them at once, not all the time.
RETRY_AFTER_S = 10


class Seats:
    """How many streams may be open at once, of all kinds. Lives in one loop."""

    def __init__(self, limit: int = MAX_VIEWERS) -> None:
        self.limit = limit
        self.taken = 0
        self.are_closed = False

    def __repr__(self) -> str:
        return f"<Seats {self.taken} of {self.limit} taken>"

    @property
    def are_taken(self) -> bool:
        """Whether there is no seat left."""
        return self.taken >= self.limit

    def close(self) -> None:
        """Let every open stream end with what it sends next."""
        self.are_closed = True

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a seat for as long as the block lasts."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class SeatedStream(EventSourceResponse):
    """Server-Sent Events for one viewer, or 503 and a sentence when there is no seat.

    `events` gets a question to ask now and then: is it over?
    """

    def __init__(
        self, seats: Seats, events: Callable[[Callable[[], bool]], AsyncIterator[bytes]]
    ) -> None:
        # The library sets it when the server is told to stop: then the stream ends by
        # itself, where a cancelled one would be reported as an incomplete answer.
        ending = anyio.Event()
        super().__init__(
            events(lambda: ending.is_set() or seats.are_closed),
            sep="\n",
            send_timeout=SEND_TIMEOUT_S,
            shutdown_event=ending,
            shutdown_grace_period=END_PATIENCE_S,
        )
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the seat is taken here, so that none is kept by who never came."""
        if self._seats.are_taken:
            await _refuse(self._seats.limit)(scope, receive, send)
            return
        with self._seats.one():
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                # What it has not taken keeps its connection open, and its seat taken,
                # until the kernel gives it up (ports.py) and the server tells.
                while (await receive())["type"] != "http.disconnect":
                    pass


def _refuse(limit: int) -> JSONResponse:
    sentence = (
        f"{limit} viewers are watching, and that is as many as this dashboard serves; "
        "close a tab somewhere, or wait until somebody leaves"
    )
    return JSONResponse(
        {"detail": sentence},
        status_code=503,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
