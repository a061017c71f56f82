"""`observe(app, server_timing=True)`: each answer tells its own times, truthfully."""

from __future__ import annotations

import asyncio
import re
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from rings import read_ring
from serving import serving

import dashboard
from dashboard.records import Kind


def hold(seconds):
    """Keep whoever calls from going on."""
    time.sleep(seconds)


def make_app(**options):
    """Build an app that waits, runs, streams, and is cut off."""
    app = FastAPI()

    @app.get("/waits")
    async def waits():
        await asyncio.sleep(0.15)
        return {}

    @app.get("/runs")
    async def runs():
        hold(0.05)
        return {}

    @app.get("/thread")
    def thread():
        time.sleep(0.15)
        return {}

    @app.get("/both")
    async def both():
        hold(0.03)
        await asyncio.sleep(0.15)
        hold(0.03)
        return {}

    @app.get("/fails")
    async def fails():
        raise RuntimeError("as it should")

    @app.get("/own")
    async def own():
        headers = {"server-timing": "db;dur=5"}
        return StreamingResponse(iter(["a", "b"]), headers=headers)

    @app.get("/cut")
    async def cut():
        async with asyncio.timeout(0.1):
            await asyncio.sleep(60)

    @app.websocket("/talk")
    async def talk(socket: WebSocket):
        await socket.accept()
        await socket.close()

    return dashboard.observe(app, **options)


@pytest.fixture(params=["asyncio", "uvloop"])
def ask(request, ring_dir):
    """Serve the app with the header on each loop: the times of an answer, by name."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with serving(make_app(server_timing=True), request.param) as get:

        def ask(path):
            try:
                answer = urlopen(get.url(path), timeout=20)
            except HTTPError as error:
                answer = error
            with answer:
                lines = answer.headers.get_all("server-timing")
                return lines, {
                    name: float(ms)
                    for line in lines
                    for name, ms in re.findall(r"(\w+);dur=([\d.]+)", line)
                }

        yield ask


def test_off_by_default(ring_dir):
    """Without the option no answer has the header."""
    with (
        serving(make_app(), "asyncio") as get,
        urlopen(get.url("/waits"), timeout=20) as answer,
    ):
        assert answer.headers.get_all("server-timing") is None


def test_times_add_up(ask):
    """What ran and what did not make up the whole time, to the microsecond."""
    for path in ("/waits", "/runs", "/thread", "/both"):
        _, times = ask(path)

        assert list(times) == ["total", "run", "off"]
        assert times["run"] + times["off"] == pytest.approx(times["total"], abs=1e-6)


@pytest.mark.parametrize(
    ("path", "name", "least"),
    [
        # A timer begins before its step is over, which a busy machine draws out.
        ("/waits", "off", 100),
        ("/thread", "off", 100),
        ("/runs", "run", 49),
        ("/both", "run", 59),
        ("/both", "off", 100),
    ],
)
def test_each_where_it_belongs(ask, path, name, least):
    """Awaiting and threads are off the loop, blocking is running, also in pieces."""
    _, times = ask(path)

    assert times[name] >= least


def test_failure_has_it_too(ask):
    """An answer that an exception made has the header, and so has a timeout's."""
    assert ask("/fails")[1]["total"] > 0
    assert ask("/cut")[1]["off"] >= 50


def test_header_of_the_app_stays(ask):
    """What the app itself says in such a header stays as it was."""
    lines, times = ask("/own")

    assert "db;dur=5" in ", ".join(lines)
    assert times["total"] > 0


@pytest.mark.anyio
async def test_agrees_with_the_recording(ring_dir):
    """What the header calls running is what the recorder measured of the task's steps."""
    said = []

    async def app(scope, receive, send):
        for _ in range(3):
            hold(0.02)
            await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        if message["type"] == "http.response.start":
            said.extend(message["headers"])

    observed = dashboard.observe(app, server_timing=True)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with dashboard.record():
        await asyncio.create_task(observed(scope, None, send), name="request")

    told = read_ring(next(ring_dir.glob("*.ring")))
    (request,) = told.of(Kind.REQUEST)
    steps = told.of(Kind.STEP_READY, Kind.STEP_WAITING, Kind.STEP_DONE)
    ran_ns = sum(step.u - step.t for step in steps if step.a == request.b)
    ((name, value),) = said
    run_ms = float(re.search(rb"run;dur=([\d.]+)", value).group(1))
    assert name == b"server-timing"
    assert 60 <= run_ms <= ran_ns / 1e6


@pytest.mark.anyio
async def test_reasons_are_told_through_it(told):
    """Why a request waits is told as well as without the header."""
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()

    observed = dashboard.observe(app, server_timing=True)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with dashboard.record():
        task = asyncio.create_task(observed(scope, None, None))
        await asyncio.sleep(0.3)
        gate.set()
        await task

    assert 'Event "gate"' in " ".join(told().names(Kind.REASON))


@pytest.mark.anyio
async def test_cancelled_and_closed(ring_dir):
    """A request that is cancelled, or given up, ends as it would have."""
    ends = []

    async def app(scope, receive, send):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        finally:
            ends.append("over")

    observed = dashboard.observe(app, server_timing=True)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with dashboard.record():
        task = asyncio.create_task(observed(scope, None, None))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ends == ["cancelled", "over"]

        running = observed(scope, None, None)
        running.send(None)
        running.close()
        assert ends == ["cancelled", "over", "over"]
