"""A real uvicorn serving a real FastAPI app: every request and its tasks are told."""

from __future__ import annotations

import asyncio
import threading
import weakref
from types import SimpleNamespace

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from rings import read_ring
from serving import serving

import dashboard
from dashboard.recorder.requests import SERVED, tell_name
from dashboard.records import Cell, Kind, RingState

SPAN = "00f067aa0ba902b7"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def make_app(log):
    """Build an app with one handler for each way to serve."""
    app = FastAPI(title="app under test")

    async def child(number):
        await asyncio.sleep(0)
        return number

    @app.get("/hello")
    async def hello():
        return {"message": "hello"}

    @app.get("/items/{item}")
    async def item(item: int):
        return await asyncio.gather(*(child(number) for number in range(item)))

    @app.get("/thread")
    def in_thread():
        return {"thread": threading.current_thread().name}

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        async def later():
            await asyncio.sleep(0)
            log.append("later")

        tasks.add_task(later)
        return {}

    @app.get("/fails")
    async def fails():
        raise RuntimeError("as it should")

    return dashboard.observe(app)


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request, ring_dir):
    """Serve the app on each loop; afterwards read what was recorded."""
    log = []

    def run(*paths, headers=None):
        if headers is None:
            headers = {}
        with serving(make_app(log), request.param) as get:
            statuses = [get(path, headers) for path in paths]
        (path,) = ring_dir.glob("*.ring")
        return statuses, read_ring(path), log

    return run


def test_begin_name_answer_end(serve):
    """A request is told from begin to end, with its method, route and status."""
    statuses, told, _ = serve("/hello", "/items/2?secret=1", "/nowhere")

    assert statuses == [200, 200, 404]
    ends = {record.a: record.u for record in told.of(Kind.STEP_DONE)}
    for begun in told.of(Kind.REQUEST):
        (answered,) = (r for r in told.of(Kind.ANSWERED) if r.a == begun.a)
        assert begun.t <= answered.t <= ends[begun.b]
    assert [record.u for record in told.of(Kind.ANSWERED)] == statuses
    names = [told.strings[record.b] for record in told.of(Kind.ANSWERED)]
    assert names == ["GET\x1f/hello", "GET\x1f/items/{item}", "GET\x1f(no route)"]
    assert "secret" not in " ".join(told.strings)


def test_child_tasks_belong_to_their_request(serve):
    """Tasks that a handler makes carry its request's number."""
    _, told, _ = serve("/items/3", "/items/2")

    requests = [record.a for record in told.of(Kind.REQUEST)]
    births = zip(told.of(Kind.BORN), told.names(Kind.BORN), strict=True)
    owners = [record.u >> 32 for record, name in births if name.endswith(".child")]
    assert owners == [requests[0]] * 3 + [requests[1]] * 2


def test_request_of_a_fresh_task(serve):
    """The server's task for a request is known, and that it was made for it."""
    _, told, _ = serve("/hello")

    (request,) = told.of(Kind.REQUEST)
    births = {record.a: record.t for record in told.of(Kind.BORN)}
    assert request.u == 1
    assert births[request.b] < request.t


def test_nothing_private_is_recorded(ring_dir):
    """Of a request the recording has method and route; of an exception not a word."""
    app = FastAPI(title="app under test")

    @app.post("/items/{item}")
    @app.get("/items/{item}")
    async def item(item: str, request: Request):
        await request.body()
        await asyncio.sleep(0.03)
        task = asyncio.create_task(fail(item))
        await asyncio.wait([task])
        raise RuntimeError(f"words {item}")

    async def fail(item):
        raise ValueError(f"words {item}")

    headers = {"Cookie": "session=SECRET", "X-Key": "SECRET"}
    with serving(dashboard.observe(app), "asyncio") as get:
        get("/items/SECRET?token=SECRET", headers)
        get("/nowhere/SECRET?token=SECRET", headers)
        get("/items/SECRET", headers, body=b"SECRET")
    (path,) = ring_dir.glob("*.ring")

    data = path.read_bytes()
    assert b"/items/{item}" in data
    assert b"SECRET" not in data
    assert b"words" not in data


def test_traceparent(serve):
    """A W3C traceparent is kept as two numbers; a broken one is ignored."""
    good = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    statuses, told, _ = serve("/hello", headers=good)

    (trace,) = told.of(Kind.REQUEST_TRACE)
    assert statuses == [200]
    assert f"{trace.u & (1 << 64) - 1:016x}" == SPAN
    assert f"{trace.t & (1 << 64) - 1:016x}" == TRACE[16:]


@pytest.mark.parametrize(
    "value", ["", "00", "00-xyz-abc-01", f"00-{TRACE}-{'g' * 16}-01"]
)
def test_broken_traceparent(serve, value):
    """A traceparent that is none harms nobody and is not recorded."""
    statuses, told, _ = serve("/hello", headers={"traceparent": value})

    assert statuses == [200]
    assert told.of(Kind.REQUEST_TRACE) == []


def test_def_handler_runs_in_a_thread(serve):
    """What FastAPI does for `def` is told: asked by the request's task, run, ended."""
    _, told, _ = serve("/thread")

    (request,) = told.of(Kind.REQUEST)
    queued = told.of(Kind.THREAD_QUEUED)
    assert request.b in {record.b for record in queued}
    assert len(told.of(Kind.THREAD_BEGIN)) == len(queued)
    assert len(told.of(Kind.THREAD_END)) == len(queued)
    (name,) = [told.strings[record.u & 0xFFFFFFFF] for record in queued]
    (why,) = [told.strings[record.u >> 40] for record in queued]
    assert "in_thread" in name
    assert why == "handler"


def test_background_task_after_the_answer(serve):
    """Work after the answer lies between answer and end of its request."""
    _, told, log = serve("/background")

    (answered,) = told.of(Kind.ANSWERED)
    (request,) = told.of(Kind.REQUEST)
    (end,) = (r for r in told.of(Kind.STEP_DONE) if r.a == request.b)
    assert log == ["later"]
    assert answered.t < end.t


def test_failing_handler(serve):
    """An exception passes through untouched: the server answers 500, and so do we."""
    statuses, told, _ = serve("/fails")

    assert statuses == [500]
    assert [record.u for record in told.of(Kind.ANSWERED)] == [500]


def test_stops_with_the_server(serve):
    """After the lifespan the ring says that recording ended in order."""
    _, told, _ = serve("/hello")

    assert told.cells[Cell.STATE] == RingState.STOPPED


def test_observed_twice(ring_dir):
    """An observed app that is observed again, or mounted in one, counts once."""
    outer = FastAPI()
    outer.mount("/sub", make_app([]))
    app = dashboard.observe(dashboard.observe(outer))

    with serving(app, "asyncio") as get:
        assert get("/sub/hello") == 200
    (path,) = ring_dir.glob("*.ring")
    told = read_ring(path)

    (answered,) = told.of(Kind.ANSWERED)
    assert told.strings[answered.b] == "GET\x1f/sub/hello"


def test_unwritable_folder(ring_dir, caplog):
    """Where no ring can be made the app serves all the same, and one line says why."""
    ring_dir.write_text("a file, not a folder")

    with serving(make_app([]), "asyncio") as get:
        statuses = [get("/hello"), get("/hello")]

    assert statuses == [200, 200]
    lines = [r.getMessage() for r in caplog.records if r.name == "loopscope"]
    assert len(lines) == 1
    assert "not recording: cannot use" in lines[0]


def test_headers_that_can_be_read_once_are_the_apps(loop_factory):
    """An iterator of headers reaches the app untouched."""
    seen = []

    async def app(scope, receive, send):
        seen.extend(scope["headers"])

    async def send(message):
        pass

    async def program():
        with dashboard.record():
            headers = iter([(b"a", b"1"), (b"traceparent", b"x"), (b"c", b"3")])
            scope = {"type": "http", "method": "GET", "headers": headers}
            await dashboard.observe(app)(scope, None, send)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(program())

    assert [name for name, _ in seen] == [b"a", b"traceparent", b"c"]


def test_the_last_request_is_not_kept_alive(loop_factory):
    """What a scope carries is free as soon as its task is done."""

    class Thing:
        pass

    async def app(scope, receive, send):
        await asyncio.sleep(0)

    class Cycle:
        async def send(self, message):
            pass

    async def program():
        with dashboard.record():
            await asyncio.sleep(0)
            thing = Thing()
            reference = weakref.ref(thing)
            scope = {"type": "http", "method": "GET", "headers": [], "state": thing}
            task = asyncio.create_task(
                dashboard.observe(app)(scope, None, Cycle().send)
            )
            del thing, scope
            await task
            del task
            assert reference() is None

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(program())


def test_named_while_it_ends():
    """A request that ends in one thread while another names it keeps its number: what
    stands in its place by then is none, and would end the recording."""
    written = []

    class Ending(dict):
        def get(self, key, default=None):
            entry.request = SERVED
            return super().get(key, default)

    scope = Ending(method="GET", root_path="", route=SimpleNamespace(path="/hello"))
    entry = SimpleNamespace(scope=scope, request=7)
    rec = SimpleNamespace(
        names={},
        intern=lambda *parts: 3,
        now_ns=lambda: 5,
        ring=SimpleNamespace(write=lambda *fields: written.append(fields)),
    )
    tell_name(rec, entry)

    assert entry.request == SERVED < 0
    assert written == [(Kind.REQUEST_NAME, 5, 0, 7, 3)]
