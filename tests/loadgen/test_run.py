"""Whole runs, with real generator processes against a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from loadgen.errors import StartError
from loadgen.plan import CLIENTS, Plan, Shape, Target, Variant
from loadgen.run import carry_out

pytestmark = pytest.mark.anyio
SHAPE = Shape(users=4, spawn_rate=1000, run_time_s=1, warm_up_s=0.1)


def plan_of(url, *, shape=SHAPE, **more):
    """Return a plan for one address."""
    return Plan((Variant("one", (Target(url),)),), shape, **more)


async def totals_of(plan, stopping=None):
    """Carry out a plan; return the first variant's totals."""
    run = await carry_out(plan, stopping=stopping or asyncio.Event())
    return run, run.tallies[0].totals()


@pytest.mark.parametrize("client", CLIENTS)
async def test_counts_what_the_server_saw(server, client):
    """Every request is counted once: what was answered, and the rest as unanswered."""
    run, totals = await totals_of(plan_of(server.url, client=client))

    prepared = server.requests - totals["requests"]
    assert totals["answers"] > 10
    assert totals["failures"] == 0
    # The warm-up and the probe were sent as well, and are in no count.
    assert prepared > 0
    assert run.phase == "over"
    assert client[:4] in run.client
    assert totals["seconds"] == pytest.approx(1, abs=0.3)


async def test_processes_share_the_users(server):
    """Two processes have one connection per user between them."""
    server.service_s = 0.01
    shape = Shape(users=6, spawn_rate=1000, run_time_s=1, warm_up_s=0)
    run, totals = await totals_of(plan_of(server.url, shape=shape, processes=2))

    assert server.connections == 6 + 1  # and the probe's
    assert run.tallies[0].points()[-1]["users"] == pytest.approx(6, abs=1.5)
    assert totals["failures"] == 0


async def test_failures_by_kind(server):
    """Statuses and lost connections are counted by kind, beside what went well."""
    ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    server.answers = [
        ok,
        b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n",
        None,
    ]
    _, totals = await totals_of(plan_of(server.url))

    assert {"HTTP 500", "HTTP 404", "connection lost"} == set(
        totals["failures_by_kind"]
    )
    assert totals["answers"] > 0


async def test_target_dies_midway(server):
    """A server that dies is counted from then on, and what was before is kept."""
    server.service_s = 0.005
    server.dies_after = 100  # the probe takes 20 of them at most
    stopping = asyncio.Event()

    def stop_when_refused(run):
        if "connection refused" in run.tallies[0].totals()["failures_by_kind"]:
            stopping.set()

    shape = replace(SHAPE, warm_up_s=0, run_time_s=3600)
    async with asyncio.timeout(40):
        run = await carry_out(
            plan_of(server.url, shape=shape), stopping=stopping, tell=stop_when_refused
        )
    totals = run.tallies[0].totals()

    assert totals["answers"] > 50
    kinds = set(totals["failures_by_kind"])
    assert "connection refused" in kinds
    assert kinds <= {"connection refused", "connection lost"}


async def test_stopping_keeps_what_was_measured(server):
    """A run that is stopped ends at once, and reports what it has."""
    stopping = asyncio.Event()
    shape = Shape(users=4, spawn_rate=1000, run_time_s=3600, warm_up_s=0)

    def stop_soon(run):
        if run.elapsed_s > 0.3:
            stopping.set()

    async with asyncio.timeout(30):
        run = await carry_out(
            plan_of(server.url, shape=shape), stopping=stopping, tell=stop_soon
        )

    assert run.phase == "stopped"
    assert run.tallies[0].totals()["answers"] > 10


async def test_stopping_before_it_begins(server):
    """A run that is stopped while it starts has an empty report, not an error."""
    stopping = asyncio.Event()
    stopping.set()
    run, totals = await totals_of(plan_of(server.url), stopping)

    assert (run.phase, totals["requests"]) == ("stopped", 0)


async def test_variants_in_turns(server):
    """Each variant is measured as often as asked, and told when it is its turn."""
    variants = tuple(
        Variant(name, (Target(f"{server.url}/{name}"),)) for name in ("a", "b")
    )
    seen = []
    plan = Plan(variants, SHAPE, repeats=2)
    run = await carry_out(
        plan, stopping=asyncio.Event(), tell=lambda run: seen.append(run.variant)
    )

    order = [name for i, name in enumerate(seen) if i == 0 or seen[i - 1] != name]
    assert order == ["a", "b", "a"]  # b twice in a row: there and back
    assert all(
        tally.totals()["seconds"] == pytest.approx(2, abs=0.5) for tally in run.tallies
    )
    assert server.seen[-1].startswith(b"GET /a ")


async def test_a_generator_that_does_not_start(server, monkeypatch):
    """A generator process that fails is an error with a sentence."""
    monkeypatch.setattr("loadgen.run.sys.executable", "/bin/false")

    with pytest.raises(StartError, match="ended with exit code 1"):
        await totals_of(plan_of(server.url))
