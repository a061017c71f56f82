"""Triggers send real requests, all at once, and account for each of them."""

from __future__ import annotations

import gc
import re
import threading
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dashboard.demo import stories
from dashboard.errors import BadParameter, DemoUnavailable, OverBudget, UnknownScenario
from dashboard.server.presses.budgets import MAX_IN_FLIGHT
from dashboard.server.presses.triggers import Triggers

pytestmark = pytest.mark.anyio
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")


class RecordingSink:
    """Keep what it was told, in order, for each request."""

    def __init__(self):
        self.told = {}
        self.begun = {}
        self.sides = {}
        self.threads = set()

    def sent(self, span_id, t_ns, *, is_other, stage, **request):
        """Keep that it was sent."""
        self.threads.add(threading.current_thread().name)
        self.begun[span_id] = tuple(request.values())
        self.sides[span_id] = (is_other, stage)
        self.told.setdefault(span_id, []).append(("sent", t_ns))

    def answered(self, span_id, t_ns, status, body):
        """Keep the answer."""
        assert body == b"ok"
        self.told.setdefault(span_id, []).append(("answered", t_ns, status))

    def failed(self, span_id, t_ns, reason):
        """Keep the failure."""
        self.told.setdefault(span_id, []).append(("failed", t_ns, reason))

    def outcomes(self):
        """Return how each request ended, without the times."""
        return [
            tuple(what[2:]) if what[0] == "answered" else what[2]
            for _, what in self.told.values()
        ]


class Target(ThreadingHTTPServer):
    """A real HTTP server that does as the test says."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.connections = 0
        self.gate = threading.Event()
        self.gate.set()
        self.drops = 0
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Say nothing: clients that go away are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1
        self.served = 0

    def do_GET(self):
        server = self.server
        server.seen.append((self.path, self.headers["traceparent"]))
        server.gate.wait(30)
        if server.drops and self.served:
            server.drops -= 1
            self.close_connection = True
            return
        self.served += 1
        self.send_response(server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def target():
    """Run a target server."""
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def sink():
    """Give a sink that keeps what it is told."""
    return RecordingSink()


@pytest.fixture
async def triggers(target, sink):
    """Give triggers that send to the target."""
    triggers = Triggers(sink, lambda stage: target.url)
    triggers.start()
    yield triggers
    await triggers.stop()


async def test_batch(triggers, target, sink, eventually):
    """Each request of a batch arrives once, and is told as sent, then answered."""
    batch = triggers.fire("slow", 20, {"seconds": 0.5})
    await eventually(lambda: triggers.in_flight == 0, "20 answers")

    assert [path for path, _ in target.seen] == ["/slow?seconds=0.5"] * 20
    assert {("GET", "/slow", "slow", batch)} == set(sink.begun.values())
    assert sink.outcomes() == [(200,)] * 20
    assert all(sent[1] <= ended[1] for sent, ended in sink.told.values())


async def test_traceparent(triggers, target, sink, eventually):
    """Each request carries its own span id, the one the sink knows, as W3C says."""
    triggers.fire("fast", 10)
    await eventually(lambda: triggers.in_flight == 0, "10 answers")

    found = [TRACEPARENT.fullmatch(header) for _, header in target.seen]

    assert set(sink.told) == {int(match[2], 16) for match in found}
    assert len({match[1] for match in found}) == 10
    assert 0 not in sink.told


async def test_all_out_at_once(triggers, target, sink, eventually):
    """A hundred requests are all on their way before the first is answered."""
    target.gate.clear()
    triggers.fire("fast", 100)
    await eventually(lambda: len(target.seen) == 100, "100 requests at the target")

    assert [(told[0][0],) for told in sink.told.values()] == [("sent",)] * 100
    assert repr(triggers) == "<Triggers 100 in flight>"

    target.gate.set()
    await eventually(lambda: triggers.in_flight == 0, "100 answers")
    assert sink.outcomes() == [(200,)] * 100


async def test_connections_are_kept(triggers, target, eventually):
    """The second batch goes out on the connections of the first."""
    for _ in range(2):
        triggers.fire("fast", 10)
        await eventually(lambda: triggers.in_flight == 0, "10 answers")

    assert len(target.seen) == 20
    assert target.connections == 10


async def test_own_thread(triggers, sink, eventually):
    """The sink is told from the triggers' own thread, never from the dashboard's."""
    triggers.fire("fast")
    await eventually(lambda: triggers.in_flight == 0, "an answer")

    assert {"triggers"} == sink.threads


async def test_stale_connection(triggers, target, sink, eventually):
    """A kept connection that turns out closed is replaced, and counted once."""
    triggers.fire("fast")
    await eventually(lambda: triggers.in_flight == 0, "a first answer")
    target.drops = 1
    triggers.fire("fast")
    await eventually(lambda: triggers.in_flight == 0, "a second answer")

    assert len(target.seen) == 3
    assert target.seen[1] == target.seen[2]
    assert sink.outcomes() == [(200,), (200,)]


async def test_error_status(triggers, target, sink, eventually):
    """An answer is an answer, whatever its status."""
    target.status = 500
    triggers.fire("fast")
    await eventually(lambda: triggers.in_flight == 0, "an answer")

    assert sink.outcomes() == [(500,)]


async def test_nobody_listens(sink, eventually):
    """A refused connection is a failure with a reason, not an exception."""
    triggers = Triggers(sink, lambda stage: "http://127.0.0.1:1")
    triggers.start()
    triggers.fire("fast", 2)
    await eventually(lambda: triggers.in_flight == 0, "two failures")
    await triggers.stop()

    assert sink.outcomes() == ["the demo app accepts no connections"] * 2


async def test_timeout(target, sink, eventually):
    """A request without an answer fails after the limit."""
    target.gate.clear()
    triggers = Triggers(sink, lambda stage: target.url, answer_timeout_s=0.05)
    triggers.start()
    triggers.fire("fast")
    await eventually(lambda: triggers.in_flight == 0, "a failure")
    await triggers.stop()

    assert sink.outcomes() == ["no answer within 0.05 s"]


async def test_stop_fails_the_rest(target, sink, eventually):
    """What is under way when the dashboard stops is told as failed."""
    target.gate.clear()
    triggers = Triggers(sink, lambda stage: target.url)
    triggers.start()
    triggers.fire("fast", 5)
    await eventually(lambda: len(target.seen) == 5, "5 requests at the target")

    await triggers.stop()

    assert sink.outcomes() == ["the dashboard is shutting down"] * 5
    assert triggers.in_flight == 0
    with pytest.raises(DemoUnavailable):
        triggers.fire("fast")


def running(name):
    """Return the threads of a name."""
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_late_stop(target, sink, eventually, monkeypatch, caplog):
    """An end that takes longer than anybody waits for it still leaves nothing behind."""
    monkeypatch.setattr("dashboard.server.presses.triggers.STOP_PATIENCE_S", 0)
    target.gate.clear()
    triggers = Triggers(sink, lambda stage: target.url)
    triggers.start()
    triggers.fire("fast", 50)
    await eventually(lambda: len(target.seen) == 50, "50 requests at the target")

    await triggers.stop()
    await eventually(lambda: not running("triggers"), "the end of the thread")
    del triggers
    gc.collect()

    assert sink.outcomes() == ["the dashboard is shutting down"] * 50
    assert "Task was destroyed" not in caplog.text


@pytest.mark.parametrize("count", [0, -1, 201, 10**400, 1.0, "1", None, True])
async def test_bad_count(triggers, target, count):
    """A count that is no whole number in range is refused with the range."""
    with pytest.raises(BadParameter, match="whole number from 1 to 200, got "):
        triggers.fire("fast", count)

    assert triggers.in_flight == 0


async def test_bad_requests(triggers, sink):
    """What is unknown or out of range is refused, and nothing is sent."""
    with pytest.raises(UnknownScenario):
        triggers.fire("nope")
    with pytest.raises(BadParameter):
        triggers.fire("blocking", 1, {"seconds": 11})

    assert triggers.in_flight == 0
    assert sink.told == {}


async def test_budget(triggers, target, eventually):
    """Over the cap a whole batch is refused; when answers came, it is taken."""
    target.gate.clear()
    triggers.fire("fast", 200)
    triggers.fire("slow", 199)
    with pytest.raises(OverBudget, match="399 requests are under way and 2 more"):
        triggers.fire("threaded", 2)
    triggers.fire("threaded", 1)
    assert triggers.in_flight == MAX_IN_FLIGHT

    target.gate.set()
    await eventually(lambda: triggers.in_flight == 0, "400 answers")
    triggers.fire("fast", 2)
    await eventually(lambda: triggers.in_flight == 0, "2 answers")
    assert len(target.seen) == 402


async def test_demo_down(sink):
    """While the demo app is down, its reason is passed on."""

    def down(stage):
        raise DemoUnavailable("the demo app is starting; try again")

    triggers = Triggers(sink, down)

    with pytest.raises(DemoUnavailable, match="starting"):
        triggers.fire("fast")


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
async def test_every_scenario(
    triggers, target, sink, scenario, eventually, monkeypatch
):
    """Every scenario's own cast can be sent: those to its handler, and the others."""
    monkeypatch.setenv("LOOPSCOPE_POSTGRES", "postgresql://nobody@nowhere/none")
    triggers.fire(scenario.id)
    await eventually(lambda: triggers.in_flight == 0, "every answer")

    address = scenario.address or scenario.path
    paths = [path for path, _ in target.seen]
    others = scenario.others
    assert sum(path.startswith(address) for path in paths) >= scenario.size
    assert len(paths) == scenario.size + (others.count if others else 0)
    assert [is_other for is_other, _ in sink.sides.values()].count(False) == (
        scenario.size
    )


async def test_count_means_the_handler_alone(triggers, target, eventually):
    """With a count, just so many requests go to the handler, and none beside them."""
    triggers.fire("tokens_40", 2)
    triggers.fire("block_and_others", 1)
    await eventually(lambda: triggers.in_flight == 0, "3 answers")

    assert sorted(path.partition("?")[0] for path, _ in target.seen) == [
        "/blocking",
        "/tokens_40",
        "/tokens_40",
    ]


async def test_waits_for_a_stage(target, sink, eventually):
    """A batch for a server that is still starting goes out when that is up."""
    up = Future()
    triggers = Triggers(sink, lambda stage: up)
    triggers.start()
    triggers.fire("four_workers", 2)
    assert triggers.in_flight == 2
    assert target.seen == []

    up.set_result(target.url)
    await eventually(lambda: triggers.in_flight == 0, "two answers")
    await triggers.stop()

    assert sink.outcomes() == [(200,)] * 2
    assert set(sink.sides.values()) == {(False, "workers")}


async def test_stage_that_does_not_start(sink, eventually):
    """If that server does not come up, each request failed for its reason."""
    up = Future()
    triggers = Triggers(sink, lambda stage: up)
    triggers.start()
    triggers.fire("on_uvloop", 2)

    up.set_exception(DemoUnavailable("it did not start"))
    await eventually(lambda: triggers.in_flight == 0, "two failures")
    await triggers.stop()

    assert sink.outcomes() == ["it did not start"] * 2


async def test_what_is_missing_is_said(triggers, target, monkeypatch):
    """What a scenario needs and is not there is said in one sentence, nothing sent."""
    monkeypatch.delenv("LOOPSCOPE_POSTGRES", raising=False)

    with pytest.raises(DemoUnavailable, match="set LOOPSCOPE_POSTGRES to its URL"):
        triggers.fire("postgres_sync")

    assert target.seen == []
