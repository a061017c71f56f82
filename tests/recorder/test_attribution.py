"""All that a request causes is told as its own, and its split is its wall time.

A real uvicorn with a real FastAPI app on both loops: one handler for each way in
which work leaves a handler's own task. What was recorded is played to the model.
"""

from __future__ import annotations

import asyncio
import urllib.request
import uuid
from typing import Annotated

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, File, UploadFile, WebSocket
from fastapi.responses import FileResponse, StreamingResponse
from playing import Played
from rings import read_ring
from serving import serving
from starlette.middleware.base import BaseHTTPMiddleware
from websockets.sync.client import connect

import dashboard
from dashboard.records import Kind
from dashboard.server.model.lanes import LaneKind


def make_app(folder):
    """Build an app with a handler for each way in which work leaves its task."""
    app = FastAPI(title="attribution")

    async def child(number=0):
        await asyncio.sleep(0.002)
        return number

    @app.get("/group")
    async def group():
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(child(number))

    @app.get("/gather")
    async def gather():
        return await asyncio.gather(*(child(number) for number in range(10)))

    @app.get("/anyio")
    async def with_anyio():
        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(child, number)

    @app.get("/timeout")
    async def timeout():
        try:
            async with asyncio.timeout(0.005):
                await asyncio.sleep(20)
        except TimeoutError:
            return "late"

    def session():
        yield "session"

    def user():
        return "user"

    @app.get("/depends")
    async def depends(one: str = Depends(session), two: str = Depends(user)):
        return one + two

    @app.get("/def")
    def in_thread():
        return "thread"

    def sync_later():
        pass

    async def async_later():
        await asyncio.gather(child(), child())

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(sync_later)
        tasks.add_task(async_later)

    @app.post("/upload")
    async def upload(file: Annotated[UploadFile, File()]):
        return len(await file.read())

    @app.get("/file")
    async def file():
        return FileResponse(folder / "page.txt")

    @app.get("/stream")
    async def stream():
        async def pieces():
            for number in range(5):
                await asyncio.sleep(0.002)
                yield str(number)

        return StreamingResponse(pieces())

    @app.websocket("/socket")
    async def socket(websocket: WebSocket):
        await websocket.accept()
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(str(await child(len(text))))
        await websocket.close()

    @app.get("/callback")
    async def callback():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(0.002, done.set_result, "called")
        return await done

    return app


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request, ring_dir, tmp_path):
    """Serve the app on each loop; give it what to do; return what was recorded."""
    (tmp_path / "page.txt").write_text("a page" * 100)

    def run(visit, middleware=None):
        app = make_app(tmp_path)
        if middleware is not None:
            app.add_middleware(BaseHTTPMiddleware, dispatch=middleware)
        with serving(dashboard.observe(app), request.param) as get:
            visit(get)
        (path,) = ring_dir.glob("*.ring")
        return Played(read_ring(path))

    return run


def ask(path):
    """Return a visit that asks for a path."""

    def visit(get):
        assert get(path) == 200

    return visit


@pytest.mark.parametrize("path", ["/group", "/gather", "/anyio"])
def test_ten_tasks(serve, path):
    """Ten tasks of a group or a gather are all their request's."""
    played = serve(ask(path))

    (number,) = {record.a for record in played.told.of(Kind.REQUEST)}
    assert played.children() == [number] * 10
    request = played.the_request()
    assert request.label == f"GET {path}"
    # How long is the machine's affair: on a busy one all ten are due when they wait.
    assert request.spent_ns["waiting"] > 0


def test_base_http_middleware(serve):
    """What runs in the task that BaseHTTPMiddleware makes is the request's as well."""

    async def passes(request, call_next):
        return await call_next(request)

    played = serve(ask("/gather"), middleware=passes)

    (number,) = {record.a for record in played.told.of(Kind.REQUEST)}
    assert played.children() == [number] * 10
    assert number in played.children("coro")
    assert played.the_request().status == 200


def test_timeout_that_fires(serve):
    """A request whose timeout fires is one that waited, and its timer is its own."""
    played = serve(ask("/timeout"))

    # How long is the machine's affair: a late loop finds the timer due already.
    assert played.the_request().spent_ns["waiting"] > 0
    calls = zip(played.told.of(Kind.CALL), played.told.names(Kind.CALL), strict=True)
    (number,) = {record.a for record in played.told.of(Kind.REQUEST)}
    assert [r.b for r, name in calls if name.endswith("_on_timeout")] == [number]


def test_callback(serve):
    """A callback that a handler leaves behind is its request's."""
    played = serve(ask("/callback"))

    played.the_request()
    (number,) = {record.a for record in played.told.of(Kind.REQUEST)}
    assert number in {record.b for record in played.told.of(Kind.CALL)}


def test_sync_dependencies(serve):
    """A sync dependency hops to a thread, one with `yield` twice; each is named."""
    played = serve(ask("/depends"))

    assert sorted(played.hops()) == [
        ("session", "dependency"),
        ("session", "dependency, after its yield"),
        ("user", "dependency"),
    ]
    assert played.the_request().spent_ns["thread"] > 0


def test_def_handler(serve):
    """A `def` handler is in its thread for as long as its request says."""
    played = serve(ask("/def"))

    assert played.hops() == [("in_thread", "handler")]
    assert played.the_request().spent_ns["thread"] > 0


def test_background_tasks(serve):
    """Background tasks run after the answer, and belong to their request."""
    played = serve(ask("/background"))

    assert played.hops() == [("sync_later", "background task")]
    (number,) = {record.a for record in played.told.of(Kind.REQUEST)}
    assert played.children() == [number] * 2
    request = played.the_request()
    assert request.ended_ns - request.answered_ns > 1_000_000
    assert request.to_wire()["after_ms"] > 1


def test_upload(serve):
    """Reading an upload that is too large for memory is told as what it is."""
    boundary = uuid.uuid4().hex
    body = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=file; filename=big\r\n"
        f"Content-Type: application/octet-stream\r\n\r\n{'x' * 2_000_000}\r\n"
        f"--{boundary}--\r\n"
    ).encode()

    def visit(get):
        request = urllib.request.Request(
            get.url("/upload"),
            data=body,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.read() == b"2000000"

    played = serve(visit)
    hops = played.hops()
    assert {why for _, why in hops} == {"upload"}
    assert {"write", "read"} <= {name for name, _ in hops}
    played.the_request()


def test_file_response(serve):
    """Each hop of a file response is told to be one."""
    played = serve(ask("/file"))

    assert {why for _, why in played.hops()} == {"file response"}
    assert played.the_request().spent_ns["thread"] > 0


def test_streaming_response(serve):
    """A streamed answer is its request's until the last piece."""
    played = serve(ask("/stream"))

    assert len(played.told.of(Kind.RESPONSE)) >= 5
    assert played.the_request().spent_ns["waiting"] > 5_000_000


def test_websocket(serve):
    """A WebSocket is a request that stays open, with a lane of its own kind."""

    def visit(get):
        with connect(get.url("/socket").replace("http", "ws")) as socket:
            for text in ("hello", "you"):
                socket.send(text)
                assert socket.recv(timeout=20) == str(len(text))
            socket.send("bye")

    played = serve(visit)
    request = played.the_request()
    assert (request.label, request.status) == ("WS /socket", 101)
    assert played.kinds() == [LaneKind.WEBSOCKET]
    assert request.to_wire()["kind"] == "websocket"
    assert request.spent_ns["waiting"] > 3_000_000


def test_refused_websocket(serve):
    """A WebSocket that nobody serves was refused."""

    def visit(get):
        with pytest.raises(Exception, match="403"):
            connect(get.url("/nowhere").replace("http", "ws")).close()

    played = serve(visit)
    assert (played.the_request().label, played.the_request().status) == (
        "WS (no route)",
        403,
    )


def test_several_requests_in_one_task(loop_factory, told, tmp_path):
    """Requests that a task makes of an app in its own process are told one by one."""
    import httpx

    from dashboard.recorder.recorder import current_request

    (tmp_path / "page.txt").write_text("a page")
    app = dashboard.observe(make_app(tmp_path))

    async def after():
        await asyncio.sleep(0)

    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://app"
        ) as client:
            statuses = [
                (await client.get(path)).status_code
                for path in ("/gather", "/group", "/def")
            ]
            left = current_request.get()
            await asyncio.create_task(after())
        return statuses, left

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        statuses, left = runner.run(main())
    played = Played(told())

    assert statuses == [200, 200, 200]
    assert left == 0
    first, second, _ = (record.a for record in played.told.of(Kind.REQUEST))
    assert played.children() == [first] * 10 + [second] * 10
    assert played.children("after") == [0]
    assert len(played.told.of(Kind.REQUEST_END)) == 3
    assert [request.label for request in played.requests.finished] == [
        "GET /gather",
        "GET /group",
        "GET /def",
    ]
    for request in played.requests.finished:
        total_ns = sum(request.spent_ns.values())
        assert abs(total_ns - (request.answered_ns - request.begun_ns)) < 1_000_000
