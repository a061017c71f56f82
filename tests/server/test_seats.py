"""So many viewers get a stream, the next one a sentence, and every seat comes back."""

from __future__ import annotations

import asyncio
import json

import pytest

from dashboard.server.streaming.seats import SeatedStream, Seats

pytestmark = pytest.mark.anyio


class Viewer:
    """One request for a stream, by hand: nothing is buffered on the way."""

    def __init__(self, seats, events):
        self.status = asyncio.get_running_loop().create_future()
        self.headers = {}
        self.body = b""
        self._gone = asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": "/events", "headers": []}
        stream = SeatedStream(seats, events)
        self.task = asyncio.ensure_future(stream(scope, self._receive, self._send))

    async def _receive(self):
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
            self.status.set_result(message["status"])
        else:
            self.body += message["body"]

    async def leave(self):
        """Go away, as a browser that closes its tab."""
        self._gone.set()
        async with asyncio.timeout(20):
            await self.task


async def endless(is_over):
    """Stream one event, then wait for the viewer to leave."""
    yield b"data: hello\n\n"
    await asyncio.Event().wait()


async def failing(is_over):
    """Stream one event, then fail."""
    yield b"data: hello\n\n"
    raise RuntimeError("no more")


async def test_no_seat_left():
    """All that come beyond the limit are told why, at once; a seat that is left is free."""
    seats = Seats(3)
    viewers = [Viewer(seats, endless) for _ in range(10)]
    async with asyncio.timeout(20):
        statuses = [await viewer.status for viewer in viewers]
        refused = viewers[-1]
        await refused.task
        await viewers[0].leave()
        late = Viewer(seats, endless)
        await late.status

    assert statuses == [200] * 3 + [503] * 7
    assert json.loads(refused.body)["detail"].startswith("3 viewers are watching")
    assert refused.headers[b"retry-after"] == b"10"
    assert late.status.result() == 200
    for viewer in (*viewers, late):
        await viewer.leave()
    assert repr(seats) == "<Seats 0 of 3 taken>"


async def test_all_end_at_once():
    """When the seats are closed every stream ends by itself, completely."""
    seats, frame = Seats(), asyncio.Event()

    async def frames(is_over):
        while not is_over():
            yield b"data: frame\n\n"
            await frame.wait()

    viewers = [Viewer(seats, frames) for _ in range(5)]
    async with asyncio.timeout(20):
        for viewer in viewers:
            await viewer.status
        seats.close()
        frame.set()
        for viewer in viewers:
            await viewer.task

    assert seats.taken == 0
    assert {viewer.body for viewer in viewers} == {b"data: frame\n\n"}


async def test_stream_that_fails():
    """A stream that ends in an error gives its seat back as well."""
    seats = Seats(1)
    viewer = Viewer(seats, failing)
    with pytest.raises(RuntimeError, match="no more"):
        await viewer.leave()

    assert seats.taken == 0
