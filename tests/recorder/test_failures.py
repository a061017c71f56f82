"""Whichever hook fails: each request is answered, one line is logged, recording says so."""

from __future__ import annotations

import asyncio
import collections
import gc
import logging
import threading

import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from rings import read_ring
from serving import serving

import dashboard
from dashboard.recorder import attach
from dashboard.records import KIND_MASK, Cell, Kind, RingState

#: One of each that this app makes any loop write; which hook writes it differs.
KINDS = [
    Kind.BORN,
    Kind.WAKE,
    Kind.STEP_WAITING,
    Kind.STEP_READY,
    Kind.STEP_DONE,
    Kind.STEP_RAISED,
    Kind.STEP_CANCELLED,
    Kind.CALL,
    Kind.REASON,
    Kind.REQUEST,
    Kind.REQUEST_TRACE,
    Kind.RESPONSE,
    Kind.ANSWERED,
    Kind.GONE,
    Kind.THREAD_QUEUED,
    Kind.THREAD_BEGIN,
    Kind.THREAD_END,
    Kind.PROCESS_CALL,
]
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def make_app():
    """Build an app that has something of everything."""
    app = FastAPI()

    async def child(seconds=0):
        await asyncio.sleep(seconds)

    async def forgotten(future):
        await future

    @app.get("/tasks")
    async def tasks(background: BackgroundTasks):
        async def fails():
            raise ValueError("caught")

        late = asyncio.create_task(child(10))
        await asyncio.gather(child(), child(0.005), fails(), return_exceptions=True)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        background.add_task(child)
        return "done"

    @app.get("/forgotten")
    async def forgets():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        asyncio.create_task(forgotten(loop.create_future()))  # noqa: RUF006 - the point
        await asyncio.sleep(0.001)
        # A task and the future that it waits for know only each other.
        gc.collect()
        return "done"

    @app.get("/thread")
    def in_thread():
        return threading.current_thread().name

    @app.get("/process")
    async def in_process():
        from concurrent.futures import ProcessPoolExecutor

        class Pool(ProcessPoolExecutor):
            """A pool that never starts a process."""

            def submit(self, function, /, *args, **kwargs):
                import concurrent.futures

                future = concurrent.futures.Future()
                future.set_result(function(*args, **kwargs))
                return future

        loop = asyncio.get_running_loop()
        pool = Pool(1)
        try:
            return await loop.run_in_executor(pool, abs, -3)
        finally:
            pool.shutdown()

    @app.get("/stream")
    async def stream():
        async def pieces():
            for _ in range(3):
                yield b"piece"
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    @app.get("/fails")
    async def fails():
        raise RuntimeError("as it should")

    return dashboard.observe(app)


PATHS = {
    "/tasks": 200,
    "/forgotten": 200,
    "/thread": 200,
    "/process": 200,
    "/stream": 200,
    "/fails": 500,
    "/nowhere": 404,
}


@pytest.fixture
def broken(monkeypatch):
    """Make the writing of one kind of record fail; give how often it was tried."""
    tries = collections.Counter()
    create_ring = attach.create_ring

    def make(kind):
        def create(**options):
            ring = create_ring(**options)
            pack = ring.pack

            def failing_pack(buffer, offset, t, u, a, b, tag):
                # Not where the cost of a record is measured.
                if buffer is ring.buffer and tag & KIND_MASK == kind:
                    tries[kind] += 1
                    raise ZeroDivisionError("injected")
                pack(buffer, offset, t, u, a, b, tag)

            ring.pack = failing_pack
            return ring

        monkeypatch.setattr(attach, "create_ring", create)
        return tries

    return make


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.lower())
def test_a_hook_that_fails(broken, ring_dir, caplog, loop, kind):
    """Every request is answered as ever, and the failure is told once in each place."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    tries = broken(kind)

    with caplog.at_level(logging.ERROR, "loopscope"), serving(make_app(), loop) as get:
        rounds = [{path: get(path, TRACE) for path in PATHS} for _ in range(2)]

    assert rounds == [PATHS, PATHS]
    lines = [record for record in caplog.records if record.name == "loopscope"]
    assert tries[kind] >= 1, "nobody wrote this kind of record"
    assert len(lines) == 1
    told = [read_ring(path) for path in ring_dir.glob("*.ring")]
    assert RingState.FAILED in {each.cells[Cell.STATE] for each in told}
    failed = next(each for each in told if each.cells[Cell.STATE] == RingState.FAILED)
    note = failed.strings[failed.cells[Cell.NOTE]]
    assert note == "recording stopped: ZeroDivisionError in a hook"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_start_that_fails(broken, ring_dir, caplog, loop):
    """Where recording cannot even begin, one line says so, once, and nothing is left on."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    tries = broken(Kind.ADOPTED)

    with caplog.at_level(logging.ERROR, "loopscope"), serving(make_app(), loop) as get:
        rounds = [{path: get(path, TRACE) for path in PATHS} for _ in range(2)]

    lines = [each.getMessage() for each in caplog.records if each.name == "loopscope"]
    assert rounds == [PATHS, PATHS]
    assert tries[Kind.ADOPTED] == 1
    assert lines == ["not recording; the app goes on without it"]
    (path,) = ring_dir.glob("*.ring")
    assert read_ring(path).cells[Cell.STATE] == RingState.STOPPED
    assert not attach._recordings
