"""Phases that FastAPI tells: each in its request, in order; whoever traces sees no change."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import SimpleNamespace

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from playing import Played
from rings import read_ring
from serving import serving
from websockets.sync.client import connect

import dashboard
from dashboard.errors import RecorderError
from dashboard.recorder import phases as module
from dashboard.records import Cell, Kind, RingState

#: Before 0.142 FastAPI tells nothing; the door says so.
telling = pytest.mark.skipif(
    not hasattr(FastAPI(), "_native_telemetry"), reason="this FastAPI tells no phases"
)
THREE = ["dependencies", "endpoint", "serialization"]
#: Whom FastAPI was at it for, as it names them, within this module.
HERE = f"{__name__}.make_app.<locals>."


def make_app(telemetry):
    """Build an app with one handler for each way to go through the phases."""
    app = FastAPI(title="app under test", telemetry=telemetry)
    both = asyncio.Barrier(2)

    async def session():
        await asyncio.sleep(0.002)
        yield "session"

    def user():
        return "user"

    async def later():
        await asyncio.sleep(0.002)

    def later_in_thread():
        pass

    @app.get("/async")
    async def in_loop(one: str = Depends(session), two: str = Depends(user)):
        await asyncio.sleep(0.002)
        return [one, two]

    @app.get("/def")
    def in_thread():
        return threading.current_thread().name

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(later)
        tasks.add_task(later_in_thread)
        return {}

    @app.get("/many")
    async def many(tasks: BackgroundTasks):
        for _ in range(50):
            tasks.add_task(later_in_thread)

    @app.get("/stream")
    async def stream(tasks: BackgroundTasks):
        async def pieces():
            for number in range(3):
                await asyncio.sleep(0.002)
                yield str(number)

        tasks.add_task(later)
        return StreamingResponse(pieces())

    @app.get("/together")
    async def together():
        await both.wait()

    @app.get("/fails")
    async def fails():
        raise RuntimeError("as it should")

    @app.websocket("/socket")
    async def socket(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())

    return app


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request):
    """Each kind of event loop in turn."""
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def serve(loop, ring_dir):
    """Serve the app on each loop; give it what to do; return what was recorded."""

    def run(visit, telemetry=None):
        telemetry = dashboard.phases() if telemetry is None else telemetry
        app = dashboard.observe(make_app(telemetry))
        with serving(app, loop) as get:
            visit(get)
        (path,) = ring_dir.glob("*.ring")
        return Played(read_ring(path))

    return run


def ask(path, status=200):
    """Return a visit that asks for a path."""

    def visit(get):
        assert get(path) == status

    return visit


def names_of(request):
    """Return a request's phases, checked to lie in it, one after the other."""
    end = request.begun_ns
    for phase in request.phases:
        assert end <= phase.start_ns <= phase.end_ns, phase
        end = phase.end_ns
        is_after = phase.name == "background_task"
        assert (phase.start_ns >= request.answered_ns) == is_after, phase
    assert end <= request.ended_ns
    return [phase.name for phase in request.phases]


@telling
def test_async_endpoint(serve):
    """Of an `async def` the three phases are told, dependencies with `yield` included."""
    request = serve(ask("/async")).the_request()

    assert names_of(request) == THREE
    assert {phase.function for phase in request.phases} == {HERE + "in_loop"}
    assert all(phase.end_ns - phase.start_ns > 1e6 for phase in request.phases[:2])


@telling
def test_endpoint_in_a_thread(serve):
    """Of a `def` FastAPI tells the endpoint in its worker thread, while that runs."""
    played = serve(ask("/def"))
    request = played.the_request()
    (begun,) = played.told.of(Kind.THREAD_BEGIN)
    (ended,) = played.told.of(Kind.THREAD_END)

    assert names_of(request) == THREE
    assert begun.t <= request.phases[1].start_ns
    assert request.phases[1].end_ns <= ended.t


@telling
def test_background_tasks(serve):
    """What runs after the answer is told after it, each with its function."""
    request = serve(ask("/background")).the_request()

    assert names_of(request) == [*THREE, "background_task", "background_task"]
    functions = [phase.function for phase in request.phases[3:]]
    assert functions == [HERE + "later", HERE + "later_in_thread"]


@telling
def test_many_background_tasks(serve):
    """However many there are, few are told one by one, and none is lost."""
    request = serve(ask("/many")).the_request()

    assert len(names_of(request)) == 16
    assert sum(phase.count for phase in request.phases) == 3 + 50


@telling
def test_stream(serve):
    """A streamed answer has no serialization, and its background task comes last."""
    request = serve(ask("/stream")).the_request()

    assert names_of(request) == ["dependencies", "endpoint", "background_task"]


@telling
def test_failing_endpoint(serve):
    """A phase that ends with an exception has an end like any other."""
    request = serve(ask("/fails", 500)).the_request()

    assert names_of(request) == ["dependencies", "endpoint"]


@telling
def test_websocket(serve):
    """A WebSocket has dependencies and an endpoint."""

    def visit(get):
        with connect(get.url("/socket").replace("http", "ws")) as socket:
            socket.send("hello")
            assert socket.recv(timeout=20) == "hello"

    request = serve(visit).the_request()

    assert [phase.name for phase in request.phases] == ["dependencies", "endpoint"]


@telling
def test_two_at_once(serve):
    """Requests that are served at the same time have each its own phases."""

    def visit(get):
        def asks():
            assert get("/together") == 200

        threads = [threading.Thread(target=asks) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)

    one, other = serve(visit).requests.finished

    assert names_of(one) == names_of(other) == THREE
    assert one.phases[1].start_ns < other.phases[1].end_ns
    assert other.phases[1].start_ns < one.phases[1].end_ns


@telling
def test_its_task_is_made_for_it(serve):
    """A request counts from its task's birth to its end, as it does without phases."""
    told = serve(ask("/async")).told

    (request,) = told.of(Kind.REQUEST)
    assert request.u == 1
    assert request.b in {record.a for record in told.of(Kind.STEP_DONE)}
    assert told.of(Kind.REQUEST_END) == []


# ------------------------------------------------------------------ who traces too


@pytest.fixture
def tracing():
    """Give a real provider, and what it has exported so far."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
        InMemorySpanExporter,
    )

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def take():
        spans = exporter.get_finished_spans()
        exporter.clear()
        names = {span.context.span_id: span.name for span in spans}
        return sorted(tell(span, names) for span in spans)

    yield SimpleNamespace(provider=provider, take=take)
    provider.shutdown()


def tell(span, names):
    """Return all of a span that is the same in each run."""
    varies = {"server.port"}
    attributes = {k: v for k, v in span.attributes.items() if k not in varies}
    parent = names[span.parent.span_id] if span.parent else ""
    scope = span.instrumentation_scope
    return (
        *(span.name, parent, str(span.kind), str(span.status.status_code)),
        *(str(sorted(attributes.items())), str(span.events), scope.name, scope.version),
    )


PATHS = {"/async": 200, "/def": 200, "/background": 200, "/stream": 200, "/fails": 500}


def visit_all(get):
    """Ask for everything, one after the other."""
    assert {path: get(path) for path in PATHS} == PATHS


@telling
def test_spans_are_the_same(serve, loop, tracing):
    """An app's own tracer makes the same spans, and phases are recorded beside them."""
    with serving(make_app({"tracer_provider": tracing.provider}), loop) as get:
        visit_all(get)
    before = tracing.take()
    played = serve(visit_all, dashboard.phases(tracing.provider))

    assert tracing.take() == before
    told = [name for each in played.requests.finished for name in names_of(each)]
    spans = [span[0].removeprefix("fastapi.") for span in before]
    assert sorted(told) == [name for name in spans if not name.startswith("GET ")]


@telling
def test_global_provider(serve, tracing, monkeypatch):
    """Without a word about it the global provider goes on making spans."""
    from opentelemetry import trace

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", tracing.provider)
    request = serve(ask("/async")).the_request()

    assert names_of(request) == THREE
    assert len(tracing.take()) == 4


@telling
def test_set_up_by_fastapi(serve, monkeypatch):
    """FastAPI's own set-up at start (`auto_configure`) finds a provider to add to."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
        InMemorySpanExporter,
    )
    from opentelemetry.util._once import Once

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    exporter = InMemorySpanExporter()
    telemetry = dashboard.phases()
    for _ in range(2):
        telemetry["tracer_provider"].add_span_processor(SimpleSpanProcessor(exporter))
    request = serve(ask("/async"), telemetry).the_request()

    assert names_of(request) == THREE
    assert len(exporter.get_finished_spans()) == 2 * 4


@telling
def test_others_tracers_are_theirs(tracing):
    """Only FastAPI's tracer is ours; everything else is the provider's own."""
    provider = dashboard.phases(tracing.provider)["tracer_provider"]

    theirs = tracing.provider.get_tracer("shop")
    assert type(provider.get_tracer("shop")) is type(theirs)
    assert provider.force_flush == tracing.provider.force_flush
    assert not hasattr(provider, "nothing_of_the_kind")


# ---------------------------------------------------------------- where it is not on


@telling
def test_not_recorded(loop, ring_dir):
    """Where nobody records the app answers as ever."""
    with serving(make_app(dashboard.phases()), loop) as get:
        visit_all(get)

    assert not ring_dir.exists()


@telling
def test_without_the_door(serve):
    """Who does not ask for phases has none."""
    played = serve(visit_all, {})

    assert played.told.of(Kind.PHASE) == []
    assert not any(request.phases for request in played.requests.finished)


@telling
@pytest.mark.parametrize("where", ["_find_recorder", "_name_of", "record"])
def test_a_failure(loop, ring_dir, caplog, monkeypatch, where):
    """Wherever it fails, requests are answered, and one line is logged."""

    def fails(*args):
        raise ZeroDivisionError("injected")

    monkeypatch.setattr(module, "PHASE" if where == "record" else where, fails)
    app = dashboard.observe(make_app(dashboard.phases()))
    with caplog.at_level(logging.ERROR, "loopscope"), serving(app, loop) as get:
        visit_all(get)
        visit_all(get)

    (line,) = [each for each in caplog.records if each.name == "loopscope"]
    (path,) = ring_dir.glob("*.ring")
    is_off = read_ring(path).cells[Cell.STATE] == RingState.FAILED
    # Before it is known who records, only phases end.
    assert is_off == (where != "_find_recorder")
    assert line.getMessage() == (
        "recording stopped; the observed program goes on"
        if is_off
        else "phases are not recorded any more"
    )


def test_an_older_fastapi(monkeypatch):
    """A FastAPI that tells no phases is named, with what to install."""
    monkeypatch.setitem(sys.modules, "fastapi.telemetry", None)

    with pytest.raises(RecorderError, match=r"found FastAPI \d.*fastapi >= 0.142"):
        dashboard.phases()


def test_no_fastapi(monkeypatch):
    """Without FastAPI the door says what it is for."""
    monkeypatch.setitem(sys.modules, "fastapi", None)

    with pytest.raises(RecorderError, match="found no FastAPI"):
        dashboard.phases()
