"""Virtual users in virtual time: who asks when, and what is noted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import httpx
import pytest
from clocks import VirtualLoop

from loadgen.plan import Shape, Target
from loadgen.users import Crowd

SHAPE = Shape(users=100, spawn_rate=1000, run_time_s=10, timeout_s=5)
SERVICE_S = 3
ONE = (Target("http://server/hello"),)


class Server:
    """Answers after a while, or as the test says."""

    def __init__(self, service_s=0.1, status=200, error=None):
        self.service_s = service_s
        self.status = status
        self.error = error
        self.requests = []
        self.transports = []
        self.times_s = []

    def new_transport(self):
        """Make the transport of one user."""
        transport = Transport(self)
        self.transports.append(transport)
        return transport


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, server):
        self.server = server
        self.is_closed = False

    async def handle_async_request(self, request):
        self.server.times_s.append(asyncio.get_running_loop().time())
        self.server.requests.append((str(request.url), request.headers["traceparent"]))
        await asyncio.sleep(self.server.service_s)
        if self.server.error:
            raise self.server.error
        return httpx.Response(self.server.status)

    async def aclose(self):
        self.is_closed = True


def in_virtual_time(server, work, shape=SHAPE, targets=ONE):
    """Run `work(crowd)` on a loop whose clock jumps."""

    async def main():
        loop = asyncio.get_running_loop()
        crowd = Crowd(targets, shape, server.new_transport, clock=loop.time)
        return await work(crowd)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


async def for_a_while(crowd, coming, seconds):
    """Let users come, wait, and hang up; return the notes and the unanswered."""
    task = asyncio.create_task(coming)
    await asyncio.sleep(seconds)
    task.cancel()
    notes, unfinished = crowd.take_notes(), crowd.unfinished
    await crowd.leave()
    return notes, unfinished


def test_closed_is_users_over_service_time():
    """A hundred users on 100 ms are 1,000 requests a second, and each took 100 ms."""
    server = Server()
    notes, unanswered = in_virtual_time(
        server, lambda crowd: for_a_while(crowd, crowd.come(0, 1), 10.15)
    )

    assert len(notes.latencies_us[0]) == pytest.approx(10_000, rel=0.01)
    assert set(notes.latencies_us[0]) <= {99_999, 100_000, 100_001}
    assert unanswered == 100


def test_one_transport_per_user():
    """Each user has a connection of its own, and all are closed at the end."""
    server = Server()
    in_virtual_time(server, lambda crowd: for_a_while(crowd, crowd.come(0, 1), 1))

    assert len(server.transports) == 100
    assert all(transport.is_closed for transport in server.transports)


def test_users_come_in_time():
    """Users come at the spawn rate; a process takes every so many of them."""
    server = Server(service_s=1000)
    shape = replace(SHAPE, spawn_rate=2, users=10, timeout_s=600)
    in_virtual_time(
        server, lambda crowd: for_a_while(crowd, crowd.come(1, 3), 20), shape
    )

    assert server.times_s == pytest.approx([0.5, 2.0, 3.5])


def test_every_request_is_marked():
    """Each request has a W3C traceparent of its own."""
    server = Server()
    in_virtual_time(server, lambda crowd: for_a_while(crowd, crowd.come(0, 1), 0.5))

    marks = [mark for _, mark in server.requests]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", each) for each in marks)
    assert len(set(marks)) == len(marks)


def test_weights():
    """Several targets are asked for by weight."""
    server = Server(service_s=0.01)
    targets = (Target("http://a/", 3), Target("http://b/", 1))
    notes, _ = in_virtual_time(
        server,
        lambda crowd: for_a_while(crowd, crowd.come(0, 1), 2),
        targets=targets,
    )

    one, two = (len(each) for each in notes.latencies_us)
    assert one / (one + two) == pytest.approx(0.75, abs=0.02)


def test_open_model_keeps_its_rate():
    """Requests start on time however long answers take."""
    server = Server(service_s=3)
    shape = replace(SHAPE, rate=(10, 10))
    in_virtual_time(
        server,
        lambda crowd: for_a_while(crowd, crowd.arrive(shape.arrivals()), 4.05),
        shape,
    )

    assert server.times_s == pytest.approx([n / 10 for n in range(41)])


def test_open_model_counts_from_the_intended_start():
    """Without a free connection a request waits, and that wait is in its latency."""
    server = Server(service_s=1)
    shape = replace(SHAPE, rate=(2, 2), users=1)
    notes, unanswered = in_virtual_time(
        server,
        lambda crowd: for_a_while(crowd, crowd.arrive(shape.arrivals()), 4.01),
        shape,
    )

    # Due at 0, 0.5, 1, 1.5; over one connection they are answered at 1, 2, 3, 4.
    expected = [1_000_000, 1_500_000, 2_000_000, 2_500_000]
    assert notes.latencies_us[0] == pytest.approx(expected, abs=2)
    assert notes.late == 4
    assert unanswered == 5


def test_statuses():
    """4xx and 5xx are failures by their number, and no latency."""
    server = Server(status=503)
    notes, _ = in_virtual_time(
        server, lambda crowd: for_a_while(crowd, crowd.come(0, 1), 0.25)
    )

    assert set(notes.failures) == {"HTTP 503"}
    assert notes.failures["HTTP 503"] > 100
    assert notes.latencies_us == [[]]


def test_time_out():
    """An answer that is too late is a failure, and the user goes on."""
    server = Server(service_s=60)
    shape = replace(SHAPE, users=1, timeout_s=2)
    notes, _ = in_virtual_time(
        server, lambda crowd: for_a_while(crowd, crowd.come(0, 1), 9), shape
    )

    assert dict(notes.failures) == {"timed out": 4}
    assert len(server.requests) == 5


def test_no_rush_at_a_closed_door():
    """A user that could not connect waits a little before it tries again."""
    server = Server(
        service_s=0, error=httpx.ConnectError("All connection attempts failed")
    )
    shape = replace(SHAPE, users=1)
    notes, _ = in_virtual_time(
        server, lambda crowd: for_a_while(crowd, crowd.come(0, 1), 1.05), shape
    )

    assert dict(notes.failures) == {"connection refused": 11}


def test_probe_is_alone():
    """A probe asks one at a time, each target at least once, and leaves no note."""
    server = Server(service_s=0.3)
    targets = (Target("http://a/", 1000), Target("http://b/"))

    async def work(crowd):
        return await crowd.probe(seconds=0.1, answers=20), crowd.take_notes()

    found, notes = in_virtual_time(server, work, targets=targets)

    assert [round(us, -1) for each in found for us in each] == [300_000, 300_000]
    assert [url for url, _ in server.requests] == ["http://a/", "http://b/"]
    assert notes.latencies_us == [[], []]


def test_finish_waits_for_answers():
    """When the time is over nobody asks again, and what is under way is awaited."""
    server = Server(service_s=SERVICE_S)

    async def work(crowd):
        coming = asyncio.create_task(crowd.come(0, 1))
        await asyncio.sleep(SERVICE_S + 1)
        coming.cancel()
        await crowd.finish()
        return asyncio.get_running_loop().time(), crowd.unfinished

    ended_s, unfinished = in_virtual_time(server, work)

    assert ended_s == pytest.approx(6.1, abs=0.01)
    assert unfinished == 0
    assert len(server.requests) == 200
    assert all(transport.is_closed for transport in server.transports)


def test_warm_up_is_forgotten():
    """What was sent to warm up is sent, and in no note."""
    server = Server()

    async def work(crowd):
        await crowd.warm_up(5, 1.0)
        return crowd.take_notes()

    notes = in_virtual_time(server, work)

    assert len(server.requests) >= 50
    assert notes.latencies_us == [[]]
    assert all(transport.is_closed for transport in server.transports)


def test_demo_knows_a_load():
    """The demo app tells of no request of a load what costs more than the request."""
    from dashboard.demo.app import LOAD
    from loadgen.users import USER_AGENT

    assert USER_AGENT.encode() == LOAD
