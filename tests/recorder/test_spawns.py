"""The line that made a task is told, and only of tasks that work for no request."""

from __future__ import annotations

import asyncio
import sys

import pytest

import dashboard
from dashboard.records import FIELD_SEPARATOR, Kind


def spawned(told):
    """Return by each task's name the (file, line, function) that made it."""
    names = {record.a: told.strings[record.b] for record in told.of(Kind.BORN)}
    return {
        names[record.a].partition(FIELD_SEPARATOR)[0].rpartition(".")[2]: tuple(
            told.strings[record.b].split(FIELD_SEPARATOR)
        )
        for record in told.of(Kind.SPAWNED)
    }


async def child():
    await asyncio.sleep(0)


async def grandchild():
    await asyncio.sleep(0)


async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(grandchild())


def helper():
    return asyncio.create_task(child())


async def program():
    # The round in which recording began is not seen.
    await asyncio.sleep(0)
    await asyncio.gather(helper(), grouped())


def line_of(text):
    """Return the number of the line of this file that says so."""
    with open(__file__) as file:
        return next(n for n, line in enumerate(file, 1) if line.strip() == text)


def test_innermost_line_of_the_users(run):
    """It is the user's own line, whatever of asyncio's stands between."""
    told = run(program)

    assert spawned(told) == {
        "child": (
            *(__file__, str(line_of("return asyncio.create_task(child())"))),
            "helper",
        ),
        "grouped": (
            *(__file__, str(line_of("await asyncio.gather(helper(), grouped())"))),
            "program",
        ),
        "grandchild": (
            *(__file__, str(line_of("group.create_task(grandchild())"))),
            "grouped",
        ),
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_task_has_a_line(told):
    """A task whose first step ran inside its creator's tells its line, too."""

    async def main():
        await asyncio.sleep(0)
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await helper()

    async def recorded():
        with dashboard.record():
            await main()

    asyncio.run(recorded())

    assert spawned(told())["child"][2] == "helper"


def test_request_has_none(loop_factory, told):
    """What a request makes stands with it: its way is not made longer."""
    httpx = pytest.importorskip("httpx")

    async def app(scope, receive, send):
        await helper()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def main():
        await asyncio.sleep(0)
        transport = httpx.ASGITransport(dashboard.observe(app))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://app"
        ) as client:
            await client.get("/")
        await asyncio.create_task(grandchild())

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())

    assert set(spawned(told())) == {"grandchild"}
